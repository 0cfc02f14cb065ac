"""Runs: recorded uses of a cluster, which of them a window is judged by, and what they are held against."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.swagger import Swagger, minor_version
from auditsvc.core.usage import ExercisedBy, Usage
from auditsvc.errors import NoDataError


class RunKind(StrEnum):
    """Where a run comes from."""

    CI = "ci"
    PULL = "pull"
    APP = "app"
    LIVE = "live"


class RunResult(StrEnum):
    """How the job behind a run ended, in Prow's words."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABORTED = "aborted"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded use of a cluster, without its usage.

    ``cluster`` is a label; ``build`` and ``pull`` are the CI system's numbers, as text. ``swagger``,
    ``pending``, ``ineligible`` and ``policy`` (the cluster's audit policy) are hashes of documents that the
    run brought, None where it brought none.
    """

    id: str
    kind: RunKind
    started: datetime
    finished: datetime
    result: RunResult = RunResult.SUCCESS
    cluster: str | None = None
    job: str | None = None
    build: str | None = None
    pull: str | None = None
    app: str | None = None
    revision: str | None = None
    version: str | None = None
    swagger: str | None = None
    pending: str | None = None
    ineligible: str | None = None
    policy: str | None = None

    def __str__(self) -> str:
        return f"{self.kind} run {self.id}"


class RecordedRun(msgspec.Struct, frozen=True):
    """A run and what it used."""

    run: Run
    usage: Usage


class Baseline(msgspec.Struct, frozen=True):
    """The CI runs that a run is held against, nearest first; ``quorum`` of them decide.

    ``dated`` says whether it is known when the nearest finished, and when the run did: reports tell no time.
    """

    runs: tuple[RecordedRun, ...]
    quorum: int = 1
    dated: bool = True

    def seen(self, by: ExercisedBy) -> Counter[str]:
        """In how many of the runs each operation was exercised."""
        return Counter(operation for recorded in self.runs for operation in recorded.usage.exercised(by))

    def exercised(self, by: ExercisedBy) -> frozenset[str]:
        """The operations that at least ``quorum`` of the runs exercised.

        Raises NoDataError where there is none: an empty log never passes.
        """
        agreed = frozenset(operation for operation, runs in self.seen(by).items() if runs >= self.quorum)
        return _not_empty(agreed, f"CI baseline {self}", by)

    @property
    def imported(self) -> bool:
        """Whether any of the runs is another tool's report."""
        return any(recorded.usage.imported for recorded in self.runs)

    def __str__(self) -> str:
        return ", ".join(recorded.run.id for recorded in self.runs)


class Subject(msgspec.Struct, frozen=True):
    """A run under audit, with the swagger and lists that it is classified with.

    ``baseline`` is None where no CI run can serve as one; ``no_baseline`` then says why. ``policy`` is the
    text of the audit policy that the run brought.
    """

    run: Run
    usage: Usage
    swagger: Swagger
    lists: EndpointLists
    baseline: Baseline | None = None
    no_baseline: str = ""
    policy: str | None = None

    def exercised(self, by: ExercisedBy) -> frozenset[str]:
        """The operations that the run exercised.

        Raises NoDataError where there is none: an empty log never passes.
        """
        return _not_empty(self.usage.exercised(by), str(self.run), by)


class Runs(msgspec.Struct, frozen=True):
    """The runs that a window is judged by; ``reason`` says why where there are none."""

    subjects: tuple[Subject, ...] = ()
    reason: str = ""


class BaselineRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a baseline is chosen: how far from the run, how many CI runs, how many of them must agree."""

    max_age: timedelta = timedelta(days=7)
    runs: int = 1
    quorum: int = 1


def choose_subjects(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The newest build of each pull request among a window's runs; without any, the newest successful CI run.

    A superseded build does not keep a day failed. Pull runs without a number each stand for themselves.
    """
    in_order = sorted(runs, key=_age)
    pulls = {run.pull or run.id: run for run in in_order if run.kind is RunKind.PULL}
    if pulls:
        return tuple(sorted(pulls.values(), key=_age))
    return tuple([run for run in in_order if _is_baseline(run)][-1:])


def choose_baseline(run: Run, candidates: Iterable[Run], rule: BaselineRule) -> tuple[Run, ...]:
    """The CI runs that ``run`` is held against, nearest first; none where too few are near enough.

    Taken are the newest successful ones of the same cluster label and minor version that finished
    before it, else the first that finished after it; fewer than must agree are no baseline.
    """
    nearest = _nearest(run, candidates, rule)
    return nearest if len(nearest) >= rule.quorum else ()


def explain_no_baseline(run: Run, candidates: Iterable[Run], rule: BaselineRule) -> str:
    """Why :func:`choose_baseline` found nothing: no such run at all, only stale ones, or too few."""
    label = f"cluster {run.cluster}" if run.cluster else "no cluster label"
    wanted = f"successful ci run with {label} and version {_minor_text(run)}"
    fitting = [other for other in candidates if _fits(run, other)]
    if not fitting:
        return f"no baseline for {run}: there is no {wanted}"
    near = _nearest(run, fitting, rule)
    if near:
        return (
            f"no baseline for {run}: only {len(near)} {wanted} within {render_age(rule.max_age)}, "
            f"and {rule.quorum} must agree"
        )
    nearest = min(fitting, key=lambda other: abs(other.finished - run.finished))
    distance = abs(nearest.finished - run.finished)
    return (
        f"no baseline for {run}: the nearest {wanted}, {nearest.id}, is {render_age(distance)} away, "
        f"more than {render_age(rule.max_age)}"
    )


def render_age(age: timedelta) -> str:
    """A duration in its two largest units: ``3 d 4 h``, ``12 min``, ``5 s``."""
    seconds = int(age.total_seconds())
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count or (parts and len(parts) < 2):
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count) or "0 s"


def _not_empty(operations: frozenset[str], source: str, by: ExercisedBy) -> frozenset[str]:
    if not operations:
        raise NoDataError(f"{source} exercised no operation (exercised_by: {by})")
    return operations


def _nearest(run: Run, candidates: Iterable[Run], rule: BaselineRule) -> tuple[Run, ...]:
    fitting = [other for other in candidates if _fits(run, other)]
    near = [other for other in fitting if abs(other.finished - run.finished) <= rule.max_age]
    before = [other for other in near if other.finished <= run.finished]
    after = [other for other in near if other.finished > run.finished]
    before.sort(key=_age, reverse=True)
    after.sort(key=_age)
    return tuple((before or after)[: rule.runs])


def _age(run: Run) -> tuple[datetime, int, str, str]:
    """Sorts the newest run last. Of those that finished together, the higher build number is newer."""
    build = run.build or ""
    return run.finished, len(build) if build.isdecimal() else 0, build, run.id


def _is_baseline(run: Run) -> bool:
    return run.kind is RunKind.CI and run.result is RunResult.SUCCESS


def _fits(run: Run, other: Run) -> bool:
    same = other.cluster == run.cluster and minor_version(other.version) == minor_version(run.version)
    return same and _is_baseline(other) and other.id != run.id


def _minor_text(run: Run) -> str:
    minor = minor_version(run.version)
    return f"{minor[0]}.{minor[1]}" if minor else "none"
