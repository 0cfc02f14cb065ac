from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditsvc.audits import Settings
from auditsvc.audits.operation_equality import MISMATCH
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind, Runs
from auditsvc.core.usage import ExercisedBy, Usage
from tests.audits.given import (
    CONFORMANCE,
    Given,
    floats,
    held_against,
    judging,
    listing,
    missing,
    outcome,
    reported,
    run,
    subject,
    used,
)

AUDIT = "AuditOperationEquality"


class TestDifferences:
    """What a run exercises and its baseline does not, and the reverse."""

    def test_equal_runs_pass(self) -> None:
        """A run that exercises just what its baseline does passes, with both comparisons counted."""
        result = outcome(AUDIT, judging(subject(used("readPod"), held_against(used("readPod")))))
        assert result.status is Status.PASSED
        assert result.checked == 2
        assert (result.floats, result.missing) == ((), ())
        assert result.notes == (
            "pull run p1 is held against CI baseline c1, which finished 1 h before it",
            (
                "pull run p1: 9 operations in swagger, 1 in CI baseline, 1 in pull run, "
                "0 added, 0 removed, net +0"
            ),
        )

    def test_added_operations_are_a_warning(self) -> None:
        """More operations than the baseline are soft findings with the exact message."""
        result = outcome(AUDIT, judging(subject(used("readPod", "listJob"), held_against(used("readPod")))))
        assert result.status is Status.WARNING
        assert missing(result) == [("listJob", "in pull run p1, not in CI baseline c1")]
        assert MISMATCH not in result.description

    @pytest.mark.parametrize(
        ("name", "lists"),
        [
            ("goneFromSwagger", listing()),
            ("watchPod", listing()),
            ("listCron", listing()),
            ("deletePod", listing(pending=["deletePod"])),
            ("deletePod", listing(ineligible=["deletePod"])),
        ],
        ids=["unknown", "deprecated", "beta", "pending", "ineligible"],
    )
    def test_removed_operations_with_an_excuse_are_a_warning(self, name: str, lists: EndpointLists) -> None:
        """What is gone, deprecated, not stable, pending or ineligible may be removed."""
        held = held_against(used("readPod", name))
        result = outcome(AUDIT, judging(subject(used("readPod"), held, lists=lists)))
        assert result.status is Status.WARNING
        assert missing(result) == [(name, "in CI baseline c1, not in pull run p1")]
        assert result.missing[0].resolution.startswith("nothing to do: the operation is ")

    def test_a_removed_stable_operation_fails(self) -> None:
        """An operation that conformance counts on and the run no longer exercises is a hard finding."""
        result = outcome(
            AUDIT, judging(subject(used("readPod"), held_against(used("readPod", "deletePod", "listCron"))))
        )
        assert result.status is Status.FAILED
        assert floats(result) == {("Runs", "p1", "removed"): (1, 2)}
        assert result.floats[0].detail == "deletePod"
        assert "restore the test" in result.floats[0].resolution
        assert result.notes[0] == MISMATCH
        assert [found.key for found in result.missing] == ["deletePod", "listCron"]

    def test_an_added_pending_operation_fails(self) -> None:
        """A pending operation that the run exercises has to leave the pending list."""
        lists = listing(pending=["listJob"])
        result = outcome(
            AUDIT, judging(subject(used("readPod", "listJob"), held_against(used("readPod")), lists=lists))
        )
        assert floats(result) == {("Runs", "p1", "added"): (0, 1)}
        assert result.floats[0].detail == "listJob"
        assert "remove the endpoint from the pending list" in result.missing[0].resolution
        assert result.notes[0] == MISMATCH

    def test_messages_use_the_kind_of_the_run(self) -> None:
        """On a day without pull requests the newest ci run is held against a baseline of its own."""
        nightly = run("c0", RunKind.CI)
        held = held_against(used("readPod", "listCron"))
        result = outcome(AUDIT, judging(subject(used("readPod", "listJob"), held, of=nightly)))
        assert missing(result) == [
            ("listJob", "in ci run c0, not in CI baseline c1"),
            ("listCron", "in CI baseline c1, not in ci run c0"),
        ]

    def test_every_run_is_judged_with_its_own_swagger_and_lists(self) -> None:
        """What one pull request lists as ineligible excuses no other."""
        held = held_against(used("readPod", "deletePod"))
        excused = subject(used("readPod"), held, lists=listing(ineligible=["deletePod"]))
        other = subject(used("readPod"), held, of=run("p2"))
        assert floats(outcome(AUDIT, judging(excused, other))) == {("Runs", "p2", "removed"): (0, 1)}

    @pytest.mark.parametrize("by", ExercisedBy)
    def test_exercised_by(self, by: ExercisedBy) -> None:
        """What counts as exercised is configured, and holds for both sides."""
        tested = used("readPod", "listJob", tests=[CONFORMANCE])
        inputs = judging(subject(tested, held_against(tested)), settings=Settings(exercised_by=by))
        assert outcome(AUDIT, inputs).status is Status.PASSED


class TestBaseline:
    """What a run is held against."""

    def test_several_runs(self) -> None:
        """An operation is in a baseline when enough of its runs exercised it; findings say how many."""
        held = held_against(
            used("readPod", "listCron"), used("readPod", "listJob", "listCron"), used("readPod"), quorum=2
        )
        result = outcome(AUDIT, judging(subject(used("readPod", "listJob"), held)))
        assert missing(result) == [
            ("listJob", "in pull run p1, not in CI baseline c1, c2, c3 (in 1 of 3)"),
            ("listCron", "in CI baseline c1, c2, c3 (in 2 of 3), not in pull run p1"),
        ]
        assert result.notes[0] == (
            "pull run p1 is held against what at least 2 of the 3 runs of CI baseline c1, c2, c3 exercised, "
            "the nearest of which finished 1 h before it"
        )

    def test_a_baseline_without_a_time(self) -> None:
        """Of a report nobody knows how old it is, and no age is made up."""
        undated = replace(held_against(used("readPod")), dated=False)
        result = outcome(AUDIT, judging(subject(used("readPod"), undated)))
        assert result.notes[0] == (
            "pull run p1 is held against CI baseline c1, which is of unknown age: a report tells no time"
        )

    def test_a_later_baseline(self) -> None:
        """The description says when the baseline is younger than the run."""
        early = run(before=timedelta(hours=3))
        result = outcome(AUDIT, judging(subject(used("readPod"), held_against(used("readPod")), of=early)))
        assert result.notes[0].endswith("which finished 2 h after it")

    def test_no_run_never_passes(self) -> None:
        """A window without a run is Failed and says why."""
        result = outcome(AUDIT, Given(Runs(reason="no run finished in the window")))
        assert (result.status, result.checked) == (Status.FAILED, 0)
        assert result.description == "nothing to compare: no run finished in the window"

    def test_no_baseline_never_passes(self) -> None:
        """Where no run has a baseline there is nothing to compare."""
        result = outcome(
            AUDIT, judging(subject(used("readPod"), no_baseline="no baseline for pull run p1: …"))
        )
        assert (result.status, result.checked) == (Status.FAILED, 0)
        assert result.description == "nothing to compare: no baseline for pull run p1: …"

    def test_one_run_without_a_baseline_fails(self) -> None:
        """Where only some runs have a baseline, each of the others is a hard finding of its own."""
        held = subject(used("readPod"), held_against(used("readPod")))
        alone = subject(used("readPod"), of=run("p2"), no_baseline="no baseline for pull run p2: …")
        result = outcome(AUDIT, judging(held, alone))
        assert floats(result) == {("Runs", "p2", "baseline"): (1, 0)}
        assert "no baseline for pull run p2: …" in result.notes
        assert "baseline_max_age" in result.floats[0].resolution

    @pytest.mark.parametrize(
        ("ours", "theirs", "who"),
        [(used(), used("readPod"), "pull run p1"), (used("readPod"), used(), "CI baseline c1")],
        ids=["run", "baseline"],
    )
    def test_an_empty_log_never_passes(self, ours: Usage, theirs: Usage, who: str) -> None:
        """A run or baseline that exercised nothing is nothing to compare."""
        result = outcome(AUDIT, judging(subject(ours, held_against(theirs))))
        assert result.problem == f"nothing to compare: {who} exercised no operation (exercised_by: hit)"

    def test_too_few_runs_agree(self) -> None:
        """A quorum that no operation reaches is an empty baseline, and that never passes."""
        held = held_against(used("readPod"), used("listJob"), quorum=2)
        result = outcome(AUDIT, judging(subject(used("readPod"), held)))
        assert (
            result.problem
            == "nothing to compare: CI baseline c1, c2 exercised no operation (exercised_by: hit)"
        )


class TestImportedReports:
    """Sides that another tool mapped."""

    LISTS = listing(pending=["deletePod"], ineligible=["getVersion"])
    EVERYTHING = used(
        "readPod", "watchPod", "deletePod", "getVersion", "headPodProxy", "optionsPodProxy", "listCron"
    )

    @pytest.mark.parametrize(
        ("ours", "theirs", "named"),
        [
            (EVERYTHING, reported("readPod", "listCron"), "CI baseline c1"),
            (reported("readPod", "listCron"), EVERYTHING, "pull run p1"),
            (
                reported("readPod", "listCron"),
                reported("readPod", "listCron"),
                "pull run p1 and CI baseline c1",
            ),
        ],
        ids=["baseline", "run", "both"],
    )
    def test_what_reports_lack_is_left_out_on_both_sides(
        self, ours: Usage, theirs: Usage, named: str
    ) -> None:
        """Deprecated, pending and ineligible operations, HEAD and OPTIONS make no difference."""
        result = outcome(AUDIT, judging(subject(ours, held_against(theirs), lists=self.LISTS)))
        assert result.status is Status.PASSED
        assert result.notes[0] == (
            f"{named}: mapped by the tool whose report it is; deprecated, pending and ineligible operations, "
            "HEAD and OPTIONS are left out on both sides"
        )
        assert "2 in CI baseline, 2 in pull run" in result.description

    def test_names_that_the_other_tool_made_up_are_compared(self) -> None:
        """A report's own names for what the swagger lacks are differences like others, and no hard ones."""
        result = outcome(
            AUDIT, judging(subject(reported("readPod"), held_against(reported("readPod", "watchCrontabs"))))
        )
        assert missing(result) == [("watchCrontabs", "in CI baseline c1, not in pull run p1")]
        assert result.status is Status.WARNING

    def test_reports_know_hits_only(self) -> None:
        """Asked for conformance tests, an imported report is nothing to compare."""
        settings = Settings(exercised_by=ExercisedBy.CONF_TESTED)
        result = outcome(
            AUDIT, judging(subject(reported("readPod"), held_against(used("readPod"))), settings=settings)
        )
        assert result.status is Status.FAILED
        assert "records hits only" in result.description
