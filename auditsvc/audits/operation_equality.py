"""Held against its CI baseline a run may exercise more, and less only where there is an excuse."""

from collections.abc import Iterator, Sequence

from auditsvc.audits._inputs import Settings
from auditsvc.audits._lists import REASONS
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.eligibility import excuse, is_reported
from auditsvc.core.runs import Baseline, Runs, Subject, render_age
from auditsvc.core.usage import ExercisedBy

MISMATCH = "Operation count mismatch between PR and CI baseline"

_NO_BASELINE = "record a successful ci run of that cluster and version, or raise baseline_max_age"
_ADDED = "nothing to do: the baseline has it too once a ci run exercises it"
_NO_LONGER_PENDING = "remove the endpoint from the pending list: it is exercised now"
_LOST = (
    "restore the test that exercised it; or add the endpoint to the ineligible list with a link "
    f"and a reason: {REASONS}"
)


@audit("AuditOperationEquality", key="operationEquality", maps=("Runs",))
def operation_equality(runs: Runs, settings: Settings) -> Iterator[Observation]:
    """A pull run exercises what the CI baseline exercises.

    ``Runs[run]["added"]`` and ``["removed"]`` hold the categorised differences against all of them. Where
    only some of the runs have a baseline, ``Runs[run]["baseline"]`` fails for each of the others.
    """
    if runs.reason:
        yield Note(runs.reason)
    comparable = any(subject.baseline is not None for subject in runs.subjects)
    for subject in runs.subjects:
        if subject.baseline is not None:
            yield from _compare(subject, subject.baseline, settings.exercised_by)
        else:
            yield Note(subject.no_baseline)
            if comparable:
                path = (subject.run.id, "baseline")
                yield Compared("Runs", path, 1, 0, detail=subject.no_baseline, resolution=_NO_BASELINE)


def _compare(subject: Subject, baseline: Baseline, by: ExercisedBy) -> Iterator[Observation]:
    ours, theirs = subject.exercised(by), baseline.exercised(by)
    if subject.usage.imported or baseline.imported:
        yield Note(_describe_imported(subject, baseline))
        ours, theirs = _reported(ours, subject), _reported(theirs, subject)
    added, removed = sorted(ours - theirs), sorted(theirs - ours)
    unpended = [name for name in added if name in subject.lists.pending]
    lost = [name for name in removed if excuse(name, subject.swagger, subject.lists) is None]
    yield _counted(subject, "added", added, unpended, _NO_LONGER_PENDING)
    yield _counted(subject, "removed", removed, lost, _LOST)
    yield Note(_describe_baseline(subject, baseline))
    yield Note(
        f"{subject.run}: {len(subject.swagger.operations)} operations in swagger, "
        f"{len(theirs)} in CI baseline, {len(ours)} in {subject.run.kind} run, "
        f"{len(added)} added, {len(removed)} removed, net {len(ours) - len(theirs):+d}"
    )
    yield from _differences(subject, baseline, added, removed, by)


def _describe_imported(subject: Subject, baseline: Baseline) -> str:
    sides = {str(subject.run): subject.usage.imported, f"CI baseline {baseline}": baseline.imported}
    named = " and ".join(side for side, imported in sides.items() if imported)
    return (
        f"{named}: mapped by the tool whose report it is; deprecated, pending and ineligible operations, "
        "HEAD and OPTIONS are left out on both sides"
    )


def _reported(operations: frozenset[str], subject: Subject) -> frozenset[str]:
    return frozenset(name for name in operations if is_reported(name, subject.swagger, subject.lists))


def _describe_baseline(subject: Subject, baseline: Baseline) -> str:
    """Which baseline, how old, of how many runs."""
    if len(baseline.runs) == 1:
        return f"{subject.run} is held against CI baseline {baseline}, {_describe_age(subject, baseline)}"
    return (
        f"{subject.run} is held against what at least {baseline.quorum} of the {len(baseline.runs)} runs of "
        f"CI baseline {baseline} exercised, the nearest of {_describe_age(subject, baseline)}"
    )


def _describe_age(subject: Subject, baseline: Baseline) -> str:
    if not baseline.dated:
        return "which is of unknown age: a report tells no time"
    age = subject.run.finished - baseline.runs[0].run.finished
    return f"which finished {render_age(abs(age))} {'after' if age.total_seconds() < 0 else 'before'} it"


def _counted(
    subject: Subject, change: str, found: Sequence[str], uncategorised: Sequence[str], resolution: str
) -> Compared:
    return Compared(
        "Runs",
        (subject.run.id, change),
        len(found) - len(uncategorised),
        len(found),
        detail=", ".join(uncategorised),
        resolution=resolution,
        keys=tuple(uncategorised),
        note=MISMATCH,
    )


def _differences(
    subject: Subject, baseline: Baseline, added: Sequence[str], removed: Sequence[str], by: ExercisedBy
) -> Iterator[Missing]:
    seen, of = baseline.seen(by), len(baseline.runs)

    def theirs(name: str) -> str:
        return f"CI baseline {baseline}" + (f" (in {seen[name]} of {of})" if of > 1 else "")

    for name in added:
        resolution = _NO_LONGER_PENDING if name in subject.lists.pending else _ADDED
        yield Missing(name, f"in {subject.run}, not in {theirs(name)}", resolution)
    for name in removed:
        reason = excuse(name, subject.swagger, subject.lists)
        resolution = f"nothing to do: the operation is {reason}" if reason else _LOST
        yield Missing(name, f"in {theirs(name)}, not in {subject.run}", resolution)
