"""Looks for what an audit log lost, repeats or puts in the wrong order."""

from collections.abc import Iterator
from datetime import timedelta

from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.policy import lint_policy, place_in_policy
from auditsvc.core.runs import Runs, Subject, render_age
from auditsvc.core.usage import Usage

_TIME = "%Y-%m-%dT%H:%M:%SZ"

_MALFORMED = (
    "fetch the log again: lines of it are cut off or are no audit events; the run names the first ten"
)
_DUPLICATES = "give each file of the log once; where two API servers write to one file, give each its own"
_BACKWARDS = "give the rotated files of one API server only, each whole; set the clock of its node by NTP"
_UNKNOWN = "ingest the log again: what is unknown of the run is then filled in"
_OPEN = "look at the end of the log and for restarts of the API server: their completions were not written"
_GAP = "look for a restart, a full disk or a lost rotated file; where so long a pause is usual, raise max_gap"


@audit("AuditLogIntegrity", key="logIntegrity", maps=("Results",))
def log_integrity(logs: Runs, settings: Settings) -> Iterator[Observation]:
    """The audit log is whole.

    ``Results[run]["malformed"]`` counts lines that are no audit event, ``["duplicates"]`` completions that
    were logged again, ``["backwards"]`` events that are more than 2 s older than the one above them: each is
    0. Requests that the API server should have ended, and did not, are missing, and so is what happened in
    a gap longer than ``max_gap``, and each mistake in the audit policy that the run brought, as
    ``<run>/policy:<line>``. An imported report has no log.
    """
    if logs.reason:
        yield Note(logs.reason)
    for subject in logs.subjects:
        yield from _counts(subject.run.id, subject.usage)
        yield from _missing(subject, settings)
        if subject.policy is not None:
            yield from _mistakes(subject, subject.policy)


def _counts(run: str, usage: Usage) -> Iterator[Observation]:
    places = f"at {', '.join(usage.malformed_at)}" if usage.malformed_at else ""
    yield Compared("Results", (run, "malformed"), 0, usage.malformed, places, _MALFORMED)
    yield Compared("Results", (run, "duplicates"), 0, usage.duplicates, "", _DUPLICATES)
    if usage.backwards is None:
        yield Missing(run, "stored before it was counted whether the log goes backwards", _UNKNOWN)
    else:
        yield Compared("Results", (run, "backwards"), 0, usage.backwards, "", _BACKWARDS)


def _missing(subject: Subject, settings: Settings) -> Iterator[Missing]:
    run, usage = subject.run, subject.usage
    if usage.never_completed:
        found = f"{usage.never_completed} requests of {run} never completed and are no watches"
        yield Missing(run.id, found, _OPEN)
    for gap in usage.gaps or ():
        if gap.seconds > settings.max_gap.total_seconds():
            length = render_age(timedelta(seconds=gap.seconds))
            yield Missing(run.id, f"nothing was logged for {length} from {gap.start:{_TIME}} on", _GAP)


def _mistakes(subject: Subject, policy: str) -> Iterator[Observation]:
    run, findings = subject.run, lint_policy(policy, subject.swagger)
    yield Note(f"{run}: {len(findings)} mistakes in its audit policy, sha256:{run.policy}")
    for found in findings:
        text = f"line {found.line} of the audit policy of {run}: {found.text}"
        yield Missing(place_in_policy(run.id, found.line), text, found.resolution)
