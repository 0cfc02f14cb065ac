from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.audits import (
    AuditType,
    Compared,
    Missing,
    Note,
    Observation,
    Section,
    Settings,
    audit_types,
    judge,
    run_audit,
    runnable,
)
from auditsvc.core.results import FloatResult, MissingValue, Status
from auditsvc.errors import NoDataError
from tests.audits.given import DEFAULTS, NOW, Given

EQUAL = Compared("Results", ("equal",), 1, 1)
UNEQUAL = Compared("Results", ("unequal",), 1, 2, detail="the second", resolution="make them equal")
MISSING = Missing("key", "is missing", "find it")

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def observing(*observations: Observation, error: Exception | None = None, source: str = "runs") -> AuditType:
    """An audit of a source that observes these, and then fails with the error."""

    def check(**sources: object) -> Iterator[Observation]:
        assert list(sources) == [source]
        yield from observations
        if error:
            raise error

    return AuditType("AuditMade", "made", ("Results", "Others"), "Made up.", (source,), frozenset(), check)


class TestJudge:
    """The status is computed from what was observed."""

    @pytest.mark.parametrize(
        ("observed", "status"),
        [
            ([EQUAL], Status.PASSED),
            ([EQUAL, Note("all well")], Status.PASSED),
            ([EQUAL, MISSING], Status.WARNING),
            ([EQUAL, UNEQUAL], Status.FAILED),
            ([EQUAL, UNEQUAL, MISSING], Status.FAILED),
            ([MISSING], Status.FAILED),
            ([], Status.FAILED),
        ],
    )
    def test_status(self, observed: list[Observation], status: Status) -> None:
        """A difference fails, a missing value warns, and nothing compared never passes."""
        assert judge(observing(), observed, settings=DEFAULTS, now=NOW).status is status

    def test_whole_result(self) -> None:
        """Every observation has its place in the result, in the order of the check."""
        observed: list[Observation] = [
            Note("one"),
            UNEQUAL,
            MISSING,
            Section("Others", "empty"),
            EQUAL,
            Note("two"),
        ]
        result = judge(observing(), observed, settings=DEFAULTS, now=NOW)
        assert (result.last_run, result.maps, result.checked) == (NOW, ("Results", "Others"), 2)
        assert result.floats == (FloatResult("Results", ("unequal",), 1, 2, "the second", "make them equal"),)
        assert result.missing == (MissingValue("key", "is missing", "find it"),)
        assert (result.notes, result.problem) == (("one", "two"), None)
        assert result.sections == (("Others", "empty"),)

    def test_nothing_compared(self) -> None:
        """The notes of a check that compared nothing say why."""
        result = judge(observing(), [Note("no run"), Note("no list"), MISSING], settings=DEFAULTS, now=NOW)
        assert result.problem == result.description == "nothing to compare: no run; no list"
        assert judge(observing(), [], settings=DEFAULTS, now=NOW).problem == (
            "nothing to compare: the sources are empty"
        )

    def test_repetitions_are_told_once(self) -> None:
        """Two runs with the same finding make one of it; comparisons all count."""
        twice: list[Observation] = [EQUAL, MISSING, Note("n")]
        result = judge(observing(), [*twice, *twice], settings=DEFAULTS, now=NOW)
        assert (result.checked, len(result.missing), result.notes) == (2, 1, ("n",))

    @pytest.mark.parametrize("stray", [Compared("Result", ("a",), 1, 1), Section("Result", "a")])
    def test_stray_map(self, stray: Observation) -> None:
        """An observation in a map that the audit does not have is a bug in the check."""
        with pytest.raises(ValueError, match="AuditMade has no map Result"):
            judge(observing(), [EQUAL, stray], settings=DEFAULTS, now=NOW)


class TestTolerance:
    """When two values agree."""

    @pytest.mark.parametrize(
        ("expected", "actual", "agree"),
        [
            (508, 508, True),
            (508, 509, False),
            (10**9, 10**9 + 1, False),  # counts are exact, however large
            (1e9, 1e9 + 1, True),
            (1e9, 1.00001e9, False),
            (0.0, 1e-9, True),
            (0.0, 1e-8, False),
            (1, 1.0000001, True),
            (0.1 + 0.2, 0.3, True),
            (-1.0, 1.0, False),
        ],
    )
    def test_default(self, expected: float, actual: float, agree: bool) -> None:
        """Counts agree when equal, floats within the larger of a relative and an absolute tolerance."""
        compared = Compared("Results", ("a",), expected, actual)
        assert (not judge(observing(), [compared], settings=DEFAULTS, now=NOW).floats) is agree

    @pytest.mark.parametrize(("allowed", "agree"), [(0.0, False), (1.9, False), (2.0, True), (None, False)])
    def test_allowed(self, allowed: float | None, agree: bool) -> None:
        """A comparison's own tolerance is absolute and replaces the configured one, for counts too."""
        compared = Compared("Results", ("a",), 1, 3, allowed=allowed)
        assert (not judge(observing(), [compared], settings=DEFAULTS, now=NOW).floats) is agree

    def test_settings(self) -> None:
        """Both tolerances are configured."""
        compared = [Compared("Results", ("a",), 100.0, 101.0)]
        loose, absolute = Settings(rel_tol=0.01, abs_tol=0), Settings(rel_tol=0, abs_tol=1)
        for settings in (loose, absolute):
            assert not judge(observing(), compared, settings=settings, now=NOW).floats
        assert judge(observing(), compared, settings=Settings(rel_tol=0, abs_tol=0.5), now=NOW).floats

    @given(finite, finite)
    def test_symmetric(self, one: float, other: float) -> None:
        """It makes no difference which value is expected; every value agrees with itself."""

        def agree(expected: float, actual: float) -> bool:
            compared = Compared("Results", ("a",), expected, actual)
            return not judge(observing(), [compared], settings=DEFAULTS, now=NOW).floats

        assert agree(one, other) == agree(other, one)
        assert agree(one, one)


class TestRunAudit:
    """Running one audit."""

    def test_result(self) -> None:
        """The check gets what its parameters name, and its observations are judged."""
        result = run_audit(observing(EQUAL, MISSING), Given(), now=NOW)
        assert (result.status, result.checked, result.last_run) == (Status.WARNING, 1, NOW)

    def test_unreadable_source(self) -> None:
        """A source that cannot be read, or holds nothing, makes the result Failed with its reason."""
        result = run_audit(observing(EQUAL, source="costs"), Given(), now=NOW)
        assert (result.status, result.checked, result.last_run) == (Status.FAILED, 0, NOW)
        assert result.description == "nothing to compare: no costs"

    def test_check_without_data(self) -> None:
        """So does a check that finds nothing to compare midway; what it saw before is not judged."""
        result = run_audit(observing(EQUAL, UNEQUAL, error=NoDataError("an empty log")), Given(), now=NOW)
        assert (result.description, result.floats) == ("nothing to compare: an empty log", ())

    def test_bug(self) -> None:
        """A bug in a check is no finding: it propagates."""
        with pytest.raises(ZeroDivisionError):
            run_audit(observing(EQUAL, error=ZeroDivisionError()), Given(), now=NOW)

    def test_never_received(self) -> None:
        """Asked for by name, an audit whose source was never received is Failed, and no source is read."""
        result = run_audit(observing(EQUAL, source="costs"), Given(absent=frozenset({"costs"})), now=NOW)
        assert result.description == "nothing to compare: no costs ever received"


class TestRunnable:
    """Which audits run when all are asked for."""

    def test_nothing_received(self) -> None:
        """On an empty store every audit stays null."""
        nothing = Given(absent=frozenset(source for known in audit_types() for source in known.sources))
        assert runnable(audit_types(), nothing) == ()

    def test_optional(self) -> None:
        """An audit runs without what is optional to it, and stays null without anything else."""
        names = {known.name for known in runnable(audit_types(), Given(absent=frozenset({"runs"})))}
        assert {"AuditIneligibleConsistency", "AuditSwaggerTotal"} <= names
        assert not {"AuditOperationEquality", "AuditPendingReconciliation"} & names
