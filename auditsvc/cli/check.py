"""``auditsvc check``: the conformance audits over files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from auditsvc.audits import AuditType, audit_types, find_audit_type, run_audit, runnable
from auditsvc.cli.files import open_logs, read_parsed
from auditsvc.cli.options import config_option, jobs_option, strict_option, types_option
from auditsvc.cli.progress import log_progress
from auditsvc.cli.report import audit_reports, exit_code, format_option, show
from auditsvc.config import Config
from auditsvc.core.endpoints import EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.core.runs import Baseline, RecordedRun, Run, RunKind, Runs, Subject
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage
from auditsvc.core.window import Window
from auditsvc.exports.report import Place, Report
from auditsvc.ingest import read_usage
from auditsvc.service.audits import make_settings
from auditsvc.sources import GivenInputs

_COMPARES_RUNS = "AuditOperationEquality"
"""The audit that holds a run against another one."""


@click.command
@click.option("--swagger", required=True, metavar="FILE|URL", help="The API's swagger document.")
@click.option("--pending", metavar="FILE|URL", help="pending_eligible_endpoints.yaml")
@click.option("--ineligible", metavar="FILE|URL", help="ineligible_endpoints.yaml")
@click.option(
    "--baseline",
    multiple=True,
    metavar="LOG|TXT",
    help="CI's audit log (repeat it for rotated files) or audit-endpoints.txt.",
)
@click.option("--pull", multiple=True, metavar="LOG|TXT", help="The pull request's, likewise.")
@types_option
@format_option
@strict_option
@jobs_option
@config_option
def check(
    config: Config,
    *,
    swagger: str,
    pending: str | None,
    ineligible: str | None,
    baseline: tuple[str, ...],
    pull: tuple[str, ...],
    types: tuple[str, ...],
    form: str,
    strict: bool,
    jobs: int,
) -> int:
    """Audit files: no store, no server.

    Audits whose files are not given are left out, unless they are named by --type.

    Exit codes: 0 passed (warnings allowed), 1 an audit failed, 2 it could not work, 3 a warning under
    --strict.
    """
    if baseline and not pull:
        raise click.UsageError("--baseline is what a --pull is compared with: give that too")
    named = [find_audit_type(text) for text in types]
    now = datetime.now(UTC)
    known = read_parsed(swagger, parse_swagger)
    lists = EndpointLists(_read_list(pending), _read_list(ineligible))
    runs = _runs(pull, baseline, known, lists, now=now, jobs=jobs)
    inputs = GivenInputs(
        window=Window.day(runs.subjects[0].run.finished if runs.subjects else now),
        settings=make_settings(config),
        swagger=known,
        lists=lists,
        runs=runs,
        given=_sources(lists=bool(pending or ineligible), runs=bool(pull)),
    )
    asked = named or _judgeable(inputs, compared=bool(baseline))
    results = {one.key: run_audit(one, inputs, now=now) for one in asked}
    places = _places(lists.ineligible, ineligible) | _places(lists.pending, pending)
    report = Report(
        title="auditsvc check",
        audits=audit_reports(results, places),
        subjects=tuple(subject.run for subject in runs.subjects),
        document=swagger,
    )
    show([report], form)
    return exit_code([report], strict=strict)


def _read_list(source: str | None) -> EndpointList:
    return read_parsed(source, parse_endpoint_list) if source else EndpointList()


def _sources(*, lists: bool, runs: bool) -> frozenset[str]:
    return frozenset({"swagger", "catalogue", *(["lists"] * lists), *(["runs"] * runs)})


def _judgeable(inputs: GivenInputs, *, compared: bool) -> list[AuditType]:
    """The audits whose files are given. What is left out is told, but for costs, which are no files here."""
    judged = [known for known in runnable(audit_types(), inputs) if compared or known.name != _COMPARES_RUNS]
    left_out = [
        known.name
        for known in audit_types()
        if known not in judged and {"runs", "lists"} & set(known.required)
    ]
    if left_out:
        click.echo(f"left out, as their files are not given: {', '.join(left_out)}", err=True)
    return judged


def _runs(
    pull: Sequence[str],
    baseline: Sequence[str],
    swagger: Swagger,
    lists: EndpointLists,
    *,
    now: datetime,
    jobs: int,
) -> Runs:
    if not pull:
        return Runs(reason="no pull run is given (--pull)")
    count = partial(_record, swagger=swagger, now=now, jobs=jobs)
    ids = _run_id(pull), _run_id(baseline) if baseline else ""
    if len(set(ids)) == 1:
        ids = pull[0], baseline[0]
    judged = count(RunKind.PULL, ids[0], pull)
    against = Baseline((count(RunKind.CI, ids[1], baseline),)) if baseline else None
    subject = Subject(
        judged.run, judged.usage, swagger, lists, against, "" if against else "no --baseline is given"
    )
    return Runs((subject,))


def _record(
    kind: RunKind, run_id: str, names: Sequence[str], *, swagger: Swagger, now: datetime, jobs: int
) -> RecordedRun:
    logs = open_logs(names)
    with log_progress(logs) as progress:
        usage: Usage = read_usage(logs, swagger, jobs=jobs, progress=progress)
    run = Run(
        id=run_id,
        kind=kind,
        started=usage.first or now,
        finished=usage.last or now,
        version=swagger.version,
    )
    return RecordedRun(run, usage)


def _run_id(names: Sequence[str]) -> str:
    """The first file's name: short, and the same wherever the files lie."""
    return Path(names[0]).name or names[0]


def _places(entries: EndpointList, source: str | None) -> dict[str, Place]:
    """The line of each entry of a list, the first where there are several."""
    if source is None:
        return {}
    return {entry.endpoint: Place(source, entry.line) for entry in reversed(entries.entries)}
