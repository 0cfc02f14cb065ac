"""The documents and runs that ``check`` is given as files."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from hashlib import sha256
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from auditsvc.cli.files import naming, open_logs
from auditsvc.cli.progress import log_progress
from auditsvc.core.endpoints import EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.core.policy import lint_policy, place_in_policy
from auditsvc.core.prow import FINISHED, build_result, parse_build_stage
from auditsvc.core.runs import (
    Baseline,
    BaselineRule,
    RecordedRun,
    Run,
    RunKind,
    RunResult,
    Runs,
    Subject,
    render_age,
)
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.swagger_lines import parse_operation_lines
from auditsvc.errors import EmptyLogError, InputError
from auditsvc.exports.report import Document, Place
from auditsvc.fetch import read
from auditsvc.ingest import read_usage

_LOGS, _REPORT = "audit*.log*", "audit-endpoints.txt"
_IN_BUILDS = ("", "audit", "artifacts/audit")
"""Where in the folder of a run, or of a whole Prow build, these are."""


class GivenPolicy(msgspec.Struct, frozen=True):
    """An audit policy: its text, and what it was read from."""

    text: str
    document: Document

    def places(self, run: str) -> dict[str, Place]:
        """Where each of its lines is, as that run's."""
        lines = range(1, self.text.count("\n") + 2)
        return {place_in_policy(run, line): Place(self.document.source, line) for line in lines}


class GivenDocuments(msgspec.Struct, frozen=True):
    """What the runs are judged with, both sides alike.

    ``places`` says where operations are: on a list, else in the swagger. ``policy`` is the judged run's.
    """

    swagger: Swagger
    lists: EndpointLists
    documents: tuple[Document, ...]
    places: Mapping[str, Place]
    policy: GivenPolicy | None


def read_documents(
    swagger: str, pending: str | None, ineligible: str | None, policy: str | None = None
) -> GivenDocuments:
    """The documents of those paths or URLs, parsed; ParseError and FetchError name the one that is wrong."""
    sources = {"swagger": swagger, "pending": pending, "ineligible": ineligible, "policy": policy}
    contents = {kind: read(source) for kind, source in sources.items() if source}
    with naming(swagger):
        known = parse_swagger(contents["swagger"])
    lists = EndpointLists(
        *(_parse_list(sources[kind], contents.get(kind)) for kind in ("pending", "ineligible"))
    )
    shown = {kind: _shown(source) for kind, source in sources.items() if source}
    in_swagger = {
        name: Place(shown["swagger"], line)
        for name, line in parse_operation_lines(contents["swagger"]).items()
    }
    on_lists = _entries(lists.ineligible, shown.get("ineligible")) | _entries(
        lists.pending, shown.get("pending")
    )
    documents = {
        kind: Document(kind, shown[kind], sha256(content).hexdigest()) for kind, content in contents.items()
    }
    return GivenDocuments(
        swagger=known,
        lists=lists,
        documents=tuple(documents.values()),
        places=in_swagger | on_lists,
        policy=_parse_policy(policy, contents["policy"], documents["policy"]) if policy else None,
    )


def _parse_list(source: str | None, content: bytes | None) -> EndpointList:
    if source is None or content is None:
        return EndpointList()
    with naming(source):
        return parse_endpoint_list(content)


def _parse_policy(source: str, content: bytes, document: Document) -> GivenPolicy:
    with naming(source):
        lint_policy(content)  # what is none is told here, before a large log is read in vain
    return GivenPolicy(content.decode(), document)


def _entries(listed: EndpointList, source: str | None) -> dict[str, Place]:
    """The line of each entry of a list, the first where there are several."""
    if source is None:
        return {}
    return {entry.endpoint: Place(source, entry.line) for entry in reversed(listed.entries)}


def _shown(source: str) -> str:
    """A path as seen from here, which in CI is the root of the repository."""
    path = Path(source)
    if "://" in source or not path.is_absolute() or not path.is_relative_to(Path.cwd()):
        return source
    return str(path.relative_to(Path.cwd()))


class RunFiles(msgspec.Struct, frozen=True):
    """The logs (or the one report) that a run is made from; when it finished, where that is told beside.

    ``source`` is what names the run: its first log, or the folder.
    """

    source: str
    names: tuple[str, ...]
    finished: datetime | None = None


def run_files(source: str) -> RunFiles:
    """The files of a CI run: of a folder its audit logs, else the report of them; any other path is the file.

    InputError where a folder has neither, or is Prow's of a build that did not succeed.
    """
    folder = Path(source)
    if not folder.is_dir():
        return RunFiles(source, (source,))
    return RunFiles(source, _names(folder), _finished(folder / FINISHED))


def _names(folder: Path) -> tuple[str, ...]:
    for inner in (folder / name for name in _IN_BUILDS):
        names = sorted(path.name for path in inner.iterdir()) if inner.is_dir() else []
        if logs := [name for name in names if fnmatchcase(name, _LOGS)]:
            return tuple(str(inner / name) for name in logs)
        if _REPORT in names:
            return (str(inner / _REPORT),)
    raise InputError(f"{folder}: neither {_LOGS} nor {_REPORT} in this folder")


def _finished(path: Path) -> datetime | None:
    """When a build finished, where Prow has told it."""
    if not path.is_file():
        return None
    stage = parse_build_stage(path.read_bytes(), name=str(path))
    if build_result(stage) is not RunResult.SUCCESS:
        raise InputError(f"{path}: this build did not succeed, so it is no baseline")
    return stage.at


def read_runs(
    pull: Sequence[str],
    baselines: Sequence[RunFiles],
    documents: GivenDocuments,
    *,
    rule: BaselineRule,
    now: datetime,
    jobs: int,
) -> Runs:
    """The run that is judged, with the CI runs that it is held against.

    An empty log is no run, and its reason says so: no audit of it passes. As a CI run it is no baseline.
    """
    if not pull:
        return Runs(reason="no pull run is given (--pull)")
    record = partial(_record, swagger=documents.swagger, jobs=jobs)
    files = RunFiles(pull[0], tuple(pull))
    ids = _run_ids([files, *baselines])
    try:
        judged = record(RunKind.PULL, ids[0], files, unknown=now)
    except EmptyLogError as error:
        return Runs(reason=str(error))
    against: list[RecordedRun] = []
    left_out: list[str] = []
    for run_id, one in zip(ids[1:], baselines, strict=True):
        try:
            # A report tells no time; it is taken for as old as the run, so that no age is made up.
            against.append(record(RunKind.CI, run_id, one, unknown=judged.run.finished))
        except EmptyLogError as error:
            left_out.append(str(error))
    timed = {run_id for run_id, one in zip(ids[1:], baselines, strict=True) if one.finished}
    baseline, reason = _choose(judged, against, rule, left_out=left_out, timed=timed)
    return Runs((_subject(judged, documents, baseline, reason),))


def _subject(
    judged: RecordedRun, documents: GivenDocuments, baseline: Baseline | None, reason: str
) -> Subject:
    policy = documents.policy
    return Subject(
        run=replace(judged.run, policy=policy.document.sha256) if policy else judged.run,
        usage=judged.usage,
        swagger=documents.swagger,
        lists=documents.lists,
        baseline=baseline,
        no_baseline=reason,
        policy=policy.text if policy else None,
    )


def _run_ids(runs: Sequence[RunFiles]) -> Sequence[str]:
    """What names each run: short where that tells them apart, wherever they lie."""
    full = [files.source for files in runs]
    short = [Path(name).name or name for name in full]
    for ids in (short, full):
        if len(set(ids)) == len(ids):
            return ids
    raise click.UsageError("a run is given twice: each --baseline-run is another, and none is the --pull")


def _record(
    kind: RunKind, run_id: str, files: RunFiles, *, swagger: Swagger, unknown: datetime, jobs: int
) -> RecordedRun:
    logs = open_logs(files.names)
    with log_progress(logs) as progress:
        usage = read_usage(logs, swagger, jobs=jobs, sampled=True, progress=progress)
    if not usage.operations:
        raise EmptyLogError(f"{run_id}: no request in it is of an operation of the swagger")
    finished = files.finished or usage.last
    if finished is None and kind is RunKind.CI:
        click.echo(f"{run_id} tells no time, so how old this baseline is cannot be judged", err=True)
    run = Run(
        id=run_id,
        kind=kind,
        started=usage.first or finished or unknown,
        finished=finished or unknown,
        version=swagger.version,
    )
    return RecordedRun(run, usage)


def _choose(
    judged: RecordedRun,
    given: Sequence[RecordedRun],
    rule: BaselineRule,
    *,
    left_out: Sequence[str],
    timed: Collection[str],
) -> tuple[Baseline | None, str]:
    """Those CI runs that are not stale, nearest first; or why they are no baseline.

    ``left_out`` says what is wrong with others that were given; of the ``timed``, by id, something else than
    their logs told when they finished.
    """
    if not given and not left_out:
        return None, "no --baseline is given"
    by_age = sorted(given, key=lambda one: _age(judged, one))
    near = [one for one in by_age if _age(judged, one) <= rule.max_age.total_seconds()]
    stale = [
        f"{one.run.id} is {render_age(abs(judged.run.finished - one.run.finished))} away from {judged.run}"
        for one in by_age[len(near) :]
    ]
    if stale:
        too_old = f"{'; '.join(stale)}: more than {render_age(rule.max_age)} (baseline_max_age)"
        left_out = [*left_out, too_old]
    if len(near) < rule.quorum or not near:
        few = f"{len(near)} CI runs can be the baseline, and {max(1, rule.quorum)} must agree"
        return None, "; ".join([f"no baseline for {judged.run}: {few}", *left_out])
    if left_out:
        click.echo(f"left out of the baseline: {'; '.join(left_out)}", err=True)
    nearest = near[0]
    known = nearest.run.id in timed or nearest.usage.last is not None
    return Baseline(tuple(near), rule.quorum, dated=known and judged.usage.last is not None), ""


def _age(judged: RecordedRun, other: RecordedRun) -> float:
    """How far in seconds two runs finished from each other; 0 where the judged one tells no time."""
    if judged.usage.last is None:
        return 0
    return abs((judged.run.finished - other.run.finished).total_seconds())
