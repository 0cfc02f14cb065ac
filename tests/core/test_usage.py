import pytest

from auditsvc.core.usage import ExercisedBy, OperationUsage, Sample, Usage, is_conformance
from auditsvc.errors import NoDataError

CONFORMANCE = "[sig-node] Pods should run [NodeConformance] [Conformance]"


class TestOperationUsage:
    """What was requested of one operation."""

    @pytest.mark.parametrize(
        ("codes", "hits"),
        [
            ({}, 0),
            ({"1xx": 1, "2xx": 2, "3xx": 4}, 7),
            ({"4xx": 1, "5xx": 2, "none": 4}, 0),
            ({"2xx": 1, "4xx": 8}, 1),
        ],
    )
    def test_success_hits(self, codes: dict[str, int], hits: int) -> None:
        """Success is 1xx to 3xx: a 404 shows nothing to work, nor does a request without an answer."""
        assert OperationUsage(sum(codes.values()), codes).success_hits == hits

    @pytest.mark.parametrize(
        ("tests", "hits"), [({}, 0), ({"a": 3}, 0), ({CONFORMANCE: 2, "a": 3, f"{CONFORMANCE} b": 1}, 3)]
    )
    def test_conformance_hits(self, tests: dict[str, int], hits: int) -> None:
        """Requests of conformance tests, whatever else their names say."""
        assert OperationUsage(9, tests=tests).conformance_hits == hits

    @pytest.mark.parametrize(
        ("used", "exercised_by"),
        [
            (OperationUsage(0), set()),
            (OperationUsage(1), {"hit"}),
            (OperationUsage(1, {"4xx": 1}), {"hit"}),
            (OperationUsage(1, {"2xx": 1}), {"hit", "success"}),
            (OperationUsage(1, {"4xx": 1}, {"a": 1}), {"hit", "tested"}),
            (OperationUsage(1, {"4xx": 1}, {CONFORMANCE: 1}), {"hit", "tested", "conf_tested"}),
            (OperationUsage(1, {"3xx": 1}, {CONFORMANCE: 1}), set(ExercisedBy)),
        ],
    )
    def test_is_exercised(self, used: OperationUsage, exercised_by: set[str]) -> None:
        """A hit, a test's, a conformance test's, or one answered with success, as is asked."""
        assert {by for by in ExercisedBy if used.is_exercised(by)} == exercised_by


class TestUsage:
    """What a run used."""

    def test_exercised(self) -> None:
        """The operations that the run exercised in the sense asked for."""
        operations = {"a": OperationUsage(1), "b": OperationUsage(1, {"2xx": 1}, {"t": 1})}
        usage = Usage(operations, 2, 2)
        assert not usage.imported
        assert {by: usage.exercised(by) for by in ExercisedBy} == {
            ExercisedBy.HIT: {"a", "b"},
            ExercisedBy.TESTED: {"b"},
            ExercisedBy.CONF_TESTED: set(),
            ExercisedBy.SUCCESS: {"b"},
        }

    def test_imported(self) -> None:
        """A report knows hits alone, even one that claims nothing in its header."""
        usage = Usage({"a": OperationUsage(1)}, 1, 1, header={})
        assert usage.imported
        assert usage.exercised(ExercisedBy.HIT) == {"a"}

    @pytest.mark.parametrize("by", ["tested", "conf_tested", "success"])
    def test_imported_asked_for_more(self, by: str) -> None:
        """Asked for more, it is no answer: nothing would look like a finding."""
        usage = Usage({"a": OperationUsage(1)}, 1, 1, header={"Total API calls": 1})
        with pytest.raises(
            NoDataError, match=f"^an imported report records hits only, .* {by} cannot be judged$"
        ):
            usage.exercised(ExercisedBy(by))


def test_sample_moved() -> None:
    """A sample of a part's third line is one of the log's line that far down."""
    assert Sample("a.log", 3, "{}").moved(10) == Sample("a.log", 13, "{}")


@pytest.mark.parametrize(
    ("test", "conformance"), [(CONFORMANCE, True), ("[NodeConformance] x", False), ("conformance", False)]
)
def test_is_conformance(test: str, conformance: bool) -> None:
    """A conformance test carries the mark itself."""
    assert is_conformance(test) is conformance
