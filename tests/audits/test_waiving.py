from collections.abc import Collection
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.audits import Compared, Settings, audit_names, find_audit_type, judge
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.waivers import Waiver
from tests.audits.given import (
    NOW,
    STABLE,
    Given,
    floats,
    held_against,
    judging,
    listing,
    missing,
    outcome,
    subject,
    used,
)

TODAY = NOW.date()


def waiver(audit: str, key: str, *, expires: date = TODAY, line: int = 1) -> Waiver:
    """An accepted finding."""
    return Waiver(find_audit_type(audit).name, key, "sig-x", "known", expires, "https://example.org/1", line)


def judged(audit: str, inputs: Given, *waivers: Waiver) -> AuditResult:
    """The result of an audit with some findings accepted."""
    return outcome(audit, replace(inputs, settings=replace(inputs.settings, waivers=waivers)))


def reconciling(*, exercised: Collection[str] = ("readPod",), pending: Collection[str] = ()) -> Given:
    """Four endpoints are eligible besides readPod."""
    lists = listing(pending=pending, ineligible=["optionsPodProxy"])
    return judging(subject(used(*exercised), lists=lists))


UNTESTED = sorted(set(STABLE) - {"readPod"})


def test_one_operation_is_accepted() -> None:
    """The comparison expects one less, and the warning is gone; the others stay."""
    result = judged("pendingReconciliation", reconciling(), waiver("pendingReconciliation", "listJob"))
    [found] = result.floats
    assert (found.expected, found.actual, found.detail) == (4, 1, "createPod, deletePod, getVersion")
    assert [key for key, _ in missing(result)] == ["createPod", "deletePod", "getVersion"]
    assert [(one.status, one.key) for one in result.waived] == [
        (Status.FAILED, "listJob"),
        (Status.WARNING, "listJob"),
    ]
    assert (result.waived[0].owner, result.waived[0].reason) == ("sig-x", "known")
    assert "findings waived: 2" in result.notes
    assert result.checked == 2


def test_all_accepted_is_a_pass() -> None:
    """Where each of them is waived nothing is left that counts, and nothing says that counts differ."""
    waivers = [waiver("pendingReconciliation", name) for name in UNTESTED]
    result = judged("pendingReconciliation", reconciling(), *waivers)
    assert (result.status, len(result.waived)) == (Status.PASSED, 2 * len(UNTESTED))


@pytest.mark.parametrize("pattern", ["*Pod", "Results[[]p1][eligible]", "nothing"])
def test_patterns_that_leave_something(pattern: str) -> None:
    """What a pattern does not match counts."""
    result = judged("pendingReconciliation", reconciling(), waiver("pendingReconciliation", pattern))
    assert result.status is Status.FAILED


def test_a_comparison_is_accepted_whole() -> None:
    """By the key under which it is found; its parts still warn."""
    accepted = waiver("pendingReconciliation", "Results[*][eligible]")
    result = judged("pendingReconciliation", reconciling(), accepted)
    assert (result.status, floats(result), len(result.missing)) == (Status.WARNING, {}, 4)
    [found] = result.waived
    assert (found.key, found.description) == ("Results[p1][eligible]", ", ".join(UNTESTED))


def test_another_types_waiver_is_nothing_here() -> None:
    """Neither does it waive, nor is it missed."""
    plain = outcome("pendingReconciliation", reconciling())
    assert judged("pendingReconciliation", reconciling(), waiver("swaggerTotal", "*")) == plain


def test_equality_passes_when_the_lost_one_is_accepted() -> None:
    """Expected comes nearer from the other side, too, and the mismatch is not told."""
    inputs = judging(subject(used("readPod"), held_against(used("readPod", "createPod"))))
    assert "Operation count mismatch between PR and CI baseline" in outcome("operationEquality", inputs).notes
    result = judged("operationEquality", inputs, waiver("operationEquality", "createPod"))
    assert (result.status, result.checked) == (Status.PASSED, 2)
    assert "Operation count mismatch between PR and CI baseline" not in result.notes


def test_a_tested_endpoint_that_is_pending_is_accepted() -> None:
    """The second rule of the same audit."""
    inputs = reconciling(exercised=STABLE, pending=["readPod"])
    assert floats(outcome("pendingReconciliation", inputs)) == {("Results", "p1", "pending"): (0, 1)}
    assert (
        judged("pendingReconciliation", inputs, waiver("pendingReconciliation", "readPod")).status == "Passed"
    )


def test_list_entries_are_accepted() -> None:
    """One of two mistakes of an entry kind: its note goes only with the last."""
    entries = "- endpoint: readPod\n- endpoint: deletePod\n"
    inputs = Given(lists=EndpointLists(ineligible=parse_endpoint_list(entries)))
    one, two = (
        waiver("ineligibleConsistency", "readPod"),
        waiver("ineligibleConsistency", "deletePod", line=2),
    )
    result = judged("ineligibleConsistency", inputs, one)
    assert floats(result) == {("Results", "list", "incomplete"): (1, 2)}
    assert result.floats[0].detail == "deletePod"
    result = judged("ineligibleConsistency", inputs, one, two)
    assert (result.status, result.notes[-1]) == (Status.PASSED, "findings waived: 2")
    assert not any(note.startswith("without endpoint") for note in result.notes)


def test_expired_and_unused_waivers_warn() -> None:
    """What has expired waives nothing, and neither is forgotten."""
    expired = waiver("pendingReconciliation", "listJob", expires=TODAY - timedelta(days=1), line=4)
    unused = waiver("pendingReconciliation", "readNothing", line=9)
    result = judged("pendingReconciliation", reconciling(), expired, unused)
    assert result.floats[0].expected == 5
    assert [(one.key, one.description) for one in result.missing[-2:]] == [
        ("listJob", "the waiver on line 4 (owner sig-x) expired on 2026-01-16"),
        ("readNothing", "the waiver on line 9 (owner sig-x) waives nothing"),
    ]
    assert all(one.resolution for one in result.missing)


def test_nothing_to_compare_is_no_finding_to_accept() -> None:
    """An audit that could not judge is Failed whatever is waived, and says nothing of unused waivers."""
    result = judged("pendingReconciliation", Given(), waiver("pendingReconciliation", "*"))
    assert (result.status, result.missing, result.waived) == (Status.FAILED, (), ())


@given(st.frozensets(st.sampled_from(UNTESTED)))
def test_each_accepted_one_counts_as_one(accepted: frozenset[str]) -> None:
    """Whatever is accepted, what is left differs by exactly what is left."""
    waivers = [waiver("pendingReconciliation", name, line=line) for line, name in enumerate(sorted(accepted))]
    result = judged("pendingReconciliation", reconciling(), *waivers)
    left = sorted(set(UNTESTED) - accepted)
    assert [key for key, _ in missing(result)] == left
    assert [abs(found.expected - found.actual) for found in result.floats] == [len(left)] * bool(left)


def test_keys_that_are_not_the_difference_are_a_bug() -> None:
    """What is accepted one by one must add up."""
    wrong = Compared("Results", ("p1", "eligible"), 5, 3, keys=("readPod",))
    with pytest.raises(ValueError, match=r"^Results\[p1\]\[eligible\]: 1 keys are not the difference$"):
        judge(find_audit_type("pendingReconciliation"), [wrong], settings=Settings(), now=NOW)


def test_types_go_by_name_and_key() -> None:
    """Both are known to a waivers file."""
    names = audit_names()
    assert (
        names["pendingReconciliation"] == names["AuditPendingReconciliation"] == "AuditPendingReconciliation"
    )
    assert Settings().waivers == ()
