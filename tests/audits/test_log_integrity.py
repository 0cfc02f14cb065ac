from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditsvc.audits import Settings
from auditsvc.core.results import Status
from auditsvc.core.runs import Runs, Subject
from auditsvc.core.usage import Gap, Usage
from tests.audits.given import NOON, Given, floats, judging, missing, outcome, run, subject, used

AUDIT = "AuditLogIntegrity"
WHOLE = replace(used("readPod"), backwards=0, gaps=(), never_completed=0, deprecated=())


POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n"


def brought(policy: str) -> Subject:
    """A run with a whole log and that audit policy."""
    return replace(subject(WHOLE, of=replace(run(), policy="6b51d4")), policy=policy)


def gap(**length: float) -> Gap:
    """A pause from noon on."""
    return Gap(NOON, timedelta(**length).total_seconds())


class TestLogIntegrity:
    """What a log lost, repeats or puts in the wrong order."""

    def test_whole(self) -> None:
        """A whole log passes, three things compared, and a pause as long as allowed is none."""
        result = outcome(AUDIT, judging(subject(replace(WHOLE, gaps=(gap(minutes=10),)))))
        assert (result.status, result.checked) == (Status.PASSED, 3)

    @pytest.mark.parametrize("name", ["malformed", "duplicates", "backwards"])
    def test_hard(self, name: str) -> None:
        """Malformed lines, repeated completions and steps back fail, each under its name."""
        result = outcome(AUDIT, judging(subject(replace(WHOLE, **{name: 3}))))
        assert (result.status, floats(result)) == (Status.FAILED, {("Results", "p1", name): (0, 3)})
        assert result.floats[0].resolution

    def test_places(self) -> None:
        """Where the malformed lines are is told."""
        usage = replace(WHOLE, malformed=2, malformed_at=("audit.log:3", "audit.log:9"))
        [found] = outcome(AUDIT, judging(subject(usage))).floats
        assert found.detail == "at audit.log:3, audit.log:9"

    def test_never_completed(self) -> None:
        """Requests that never completed warn, and so does each gap that is longer than allowed."""
        gaps = (gap(hours=3), gap(minutes=11), gap(minutes=9))
        result = outcome(AUDIT, judging(subject(replace(WHOLE, never_completed=2, gaps=gaps))))
        assert result.status is Status.WARNING
        assert missing(result) == [
            ("p1", "2 requests of pull run p1 never completed and are no watches"),
            ("p1", "nothing was logged for 3 h from 2026-01-16T12:00:00Z on"),
            ("p1", "nothing was logged for 11 min from 2026-01-16T12:00:00Z on"),
        ]
        assert all(found.resolution for found in result.missing)

    def test_max_gap(self) -> None:
        """How long a log may be silent is configured."""
        usage = replace(WHOLE, gaps=(gap(hours=3),))
        allowed = Settings(max_gap=timedelta(hours=3))
        assert outcome(AUDIT, judging(subject(usage), settings=allowed)).status is Status.PASSED

    def test_old_run(self) -> None:
        """A run stored before the figures were counted warns, and what is known of it is judged."""
        result = outcome(AUDIT, judging(subject(used("readPod"))))
        assert (result.status, result.checked) == (Status.WARNING, 2)
        assert missing(result) == [("p1", "stored before it was counted whether the log goes backwards")]

    def test_part_of_a_log(self) -> None:
        """The pauses of one application are no gaps of a log."""
        assert outcome(AUDIT, judging(subject(replace(WHOLE, gaps=None)))).status is Status.PASSED

    def test_imported(self) -> None:
        """A report has no log: beside a log it is named, alone it fails, for nothing was compared."""
        told = "pull run p2 is an imported report: its log was not seen"
        beside = outcome(AUDIT, Given(logs=Runs((subject(WHOLE),), told)))
        assert (beside.status, beside.notes) == (Status.PASSED, (told,))
        alone = outcome(AUDIT, Given(logs=Runs((), told)))
        assert (alone.status, alone.problem) == (Status.FAILED, f"nothing to compare: {told}")

    def test_policy(self) -> None:
        """Each mistake in the policy that a run brought warns at its line, also what the swagger tells."""
        rule = "- level: Metadata\n  resources: [{group: apps, resources: [pods]}]\n- level: Metadata\n"
        policy = f"{POLICY}stages: [Panic]\nrules:\n{rule}"
        result = outcome(AUDIT, judging(brought(policy)))
        assert (result.status, result.checked) == (Status.WARNING, 3)
        (first, stage), (second, group) = missing(result)
        assert (first, second) == ("p1/policy:4", "p1/policy:6")
        assert stage.startswith("line 4 of the audit policy of pull run p1: unknown key stages in a policy: ")
        assert group.startswith("line 6 of the audit policy of pull run p1: pods is not in group apps: ")
        assert all(found.resolution for found in result.missing)
        assert result.notes == ("pull run p1: 2 mistakes in its audit policy, sha256:6b51d4",)

    def test_policy_without_mistakes(self) -> None:
        """It is named, and whether each run brought one is its own matter."""
        policy = f"{POLICY}rules: [{{level: Metadata}}]\n"
        result = outcome(AUDIT, judging(brought(policy), subject(WHOLE, of=run("p2"))))
        assert (result.status, missing(result)) == (Status.PASSED, [])
        assert result.notes == ("pull run p1: 0 mistakes in its audit policy, sha256:6b51d4",)

    def test_each_run(self) -> None:
        """Each run's log is judged."""
        bad: Usage = replace(WHOLE, duplicates=1)
        result = outcome(AUDIT, judging(subject(bad), subject(bad, of=run("p2"))))
        assert list(floats(result)) == [("Results", "p1", "duplicates"), ("Results", "p2", "duplicates")]
