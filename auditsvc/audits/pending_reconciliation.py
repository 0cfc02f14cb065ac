"""Holds the pending list against what runs exercised."""

from collections.abc import Iterator, Sequence

from auditsvc.audits._inputs import Settings
from auditsvc.audits._lists import PENDING, REASONS, needless_entries
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.eligibility import narrow
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.runs import Runs, Subject
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import ExercisedBy

_UNTESTED = (
    "write a conformance test; or add the endpoint to the pending list with an issue that asks for one, "
    f"or to the ineligible list with a link and a reason: {REASONS}"
)
_TESTED = "remove the endpoint from the pending list: it is tested now"


@audit("AuditPendingReconciliation", key="pendingReconciliation", maps=("Results",))
def pending_reconciliation(
    runs: Runs, swagger: Swagger, lists: EndpointLists, settings: Settings
) -> Iterator[Observation]:
    """Every eligible endpoint is either tested or pending, and no pending endpoint is tested.

    ``Results[run]["eligible"]`` holds the eligible endpoints against those exercised or pending, and
    ``Results[run]["pending"]`` the entries not exercised against all of them, each endpoint counted once.
    """
    if runs.reason:
        yield Note(runs.reason)
    for subject in runs.subjects:
        yield from _reconcile(subject, settings.exercised_by)
    yield from needless_entries(PENDING, lists.pending, swagger)
    for entry in lists.pending.duplicates:
        found = f"Endpoint {entry.endpoint} found in {PENDING} once more (line {entry.line})"
        yield Missing(entry.endpoint, found, "remove all but one of the entries")


def _reconcile(subject: Subject, by: ExercisedBy) -> Iterator[Observation]:
    pending, exercised = subject.lists.pending.names, subject.exercised(by)
    eligible = narrow(subject.swagger, subject.lists, imported=subject.usage.imported).eligible
    untested, tested = sorted(eligible - exercised - pending), sorted(pending & exercised)
    if subject.usage.imported:
        yield Note(f"{subject.run}: mapped by the tool whose report it is, less what was pending then")
    yield Note(
        f"{subject.run}: {len(eligible)} eligible endpoints, {len(untested)} of them neither tested nor "
        f"pending; {len(pending)} pending endpoints, {len(tested)} of them tested"
    )
    yield _counted(subject, "eligible", len(eligible), len(eligible) - len(untested), untested, _UNTESTED)
    yield _counted(subject, "pending", len(pending) - len(tested), len(pending), tested, _TESTED)
    for endpoint in untested:
        yield Missing(endpoint, f"Stable endpoint {endpoint} not found in {PENDING}", _UNTESTED)
    for endpoint in tested:
        yield Missing(endpoint, f"Endpoint {endpoint} found in {PENDING} but is being tested", _TESTED)


def _counted(
    subject: Subject, rule: str, expected: int, actual: int, broken_by: Sequence[str], resolution: str
) -> Compared:
    path, detail, keys = (subject.run.id, rule), ", ".join(broken_by), tuple(broken_by)
    return Compared("Results", path, expected, actual, detail=detail, resolution=resolution, keys=keys)
