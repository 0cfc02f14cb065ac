from collections.abc import Collection

from auditsvc.core.gate import ConformanceTested, GatedRelease
from auditsvc.core.results import AuditResult, Status
from tests.audits.given import Given, floats, missing, outcome


class GivenCoverage(Given, frozen=True):
    """The inputs of a window with these releases under audit."""

    gated: tuple[GatedRelease, ...] = ()

    @property
    def coverage(self) -> tuple[GatedRelease, ...]:
        """Them."""
        return self.gated


def gate(
    *,
    promoted: Collection[str] | None = (),
    tested: Collection[str] | None = (),
    before: Collection[str] | None = (),
    pending: Collection[str] = (),
    eligible: Collection[str] = ("a", "b", "c", "d"),
) -> AuditResult:
    """The result for 1.36 with 1.35 before it; None where something is not known."""
    then = None if before is None else ((1, 35), ConformanceTested(frozenset(before), "ci run c0"))
    gated = GatedRelease(
        release=(1, 36),
        eligible=frozenset(eligible),
        pending=frozenset(pending),
        promoted=None if promoted is None else frozenset(promoted),
        tested=None if tested is None else ConformanceTested(frozenset(tested), "ci run c1"),
        before=then,
    )
    return outcome("AuditConformanceGate", GivenCoverage(gated=(gated,)))


def test_passes_where_all_is_tested_or_pending() -> None:
    """What became stable is tested or pending, and what was tested still is."""
    result = gate(promoted="ab", tested="ac", pending="b", before="c")
    assert result.status is Status.PASSED
    assert result.checked == 2
    assert result.description == (
        "1.36.0: 2 endpoints promoted, 0 of them neither conformance-tested in ci run c1 nor pending, "
        "1 pending; "
        "1.36.0: of 1 endpoints conformance-tested in 1.35.0 (ci run c0), 0 no longer are"
    )


def test_nothing_promoted_passes() -> None:
    """A release without new endpoints breaks no promise."""
    assert gate(tested="a", before="a").status is Status.PASSED


def test_promoted_without_a_test_fails() -> None:
    """Which endpoints they are is named, with what to do."""
    result = gate(promoted="abc", tested="a", pending="b", before="a")
    assert floats(result) == {("Releases", "1.36.0", "covered"): (3, 2)}
    assert missing(result) == [
        ("c", "Endpoint c became stable in 1.36.0 and is neither conformance-tested nor pending")
    ]
    [found] = result.floats
    assert found.detail == "c"
    assert "write a conformance test" in found.resolution == result.missing[0].resolution


def test_lost_tests_fail() -> None:
    """Of the endpoints tested before, all that are still eligible must be tested; others are gone."""
    result = gate(promoted="", tested="a", before=["a", "b", "gone"])
    assert floats(result) == {("Releases", "1.36.0", "kept"): (2, 1)}
    assert missing(result) == [("b", "Endpoint b was conformance-tested in 1.35.0 and is not in 1.36.0")]
    assert "bring back" in result.missing[0].resolution


def test_half_a_gate_judges_half() -> None:
    """Without an older release nothing is called new; without its tests nothing is called lost."""
    result = gate(promoted=None, tested="a", before="a")
    assert (result.status, result.checked) == (Status.PASSED, 1)
    assert "no older release is known" in result.description
    result = gate(promoted="a", tested="a", before=None)
    assert (result.status, result.checked) == (Status.PASSED, 1)
    assert "nothing tells what was conformance-tested in a release before it" in result.description


def test_without_a_run_it_fails() -> None:
    """Emptiness never passes."""
    result = gate(promoted="a", tested=None)
    assert result.status is Status.FAILED
    assert result.problem == (
        "nothing to compare: 1.36.0: no successful ci run tells what conformance tests hit"
    )


def test_without_a_release_it_fails() -> None:
    """Nor does a store that knows no release."""
    result = outcome("AuditConformanceGate", GivenCoverage())
    assert result.problem == "nothing to compare: the sources are empty"
