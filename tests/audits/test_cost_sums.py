import pytest
from msgspec.structs import replace

from auditsvc.core.costs import Costs, compute_aggregates
from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, outcome, uploaded
from tests.audits.given import floats, missing

KEY = "costSums"
WHOLE = consistent_day(8, nodes=2, pods=2)
QUIET = WHOLE.costs()


def test_aggregations_that_add_up_pass() -> None:
    """Every property but the labels, of which a row may have several."""
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET)))
    assert (result.status, result.checked) == (Status.PASSED, 5)


def test_an_aggregation_without_idle_cost_passes() -> None:
    """Not every one is fetched with it."""
    costs = uploaded(QUIET, "aggregates", "namespace", "__idle__")
    assert outcome(KEY, CostsGiven(costs=costs)).status is Status.PASSED


def test_a_row_that_an_aggregation_lost_is_shown() -> None:
    """Expected is the cost of the allocations, actual what the aggregates of that property add up to."""
    lost = next(row for row in QUIET.allocations if row.pod == "node-1-pod-0")
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET, "aggregates", "pod", lost.pod)))
    [(path, (expected, actual))] = floats(result).items()
    assert path == ("Results", "pod")
    assert expected - actual == pytest.approx(lost.total)


def test_a_null_is_missing() -> None:
    """A sum of it is not known."""
    costs = uploaded(QUIET, "aggregates", "pod", "node-1-pod-0", cpuCost=None, totalCost=None)
    result = outcome(KEY, CostsGiven(costs=costs))
    assert (result.checked, missing(result)) == (
        4,
        [("pod", "a cost among the rows or the aggregates is null")],
    )


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        (NO_COSTS, f"no allocations in {DAY}"),
        (replace(QUIET, aggregates=None), f"no aggregates of the allocations in {DAY}"),
        (
            replace(QUIET, aggregates=compute_aggregates(QUIET.allocations, ["label"])),
            "no stored aggregation has a known cost of every allocation under one key",
        ),
    ],
)
def test_nothing_to_compare_is_failed(costs: Costs, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=costs))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")
