import pytest
from msgspec.structs import replace

from auditsvc.core.cost_json import parse_allocations
from auditsvc.core.costs import Costs
from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, document, outcome, uploaded
from tests.audits.given import floats, missing

KEY = "costParts"
QUIET = consistent_day(2, nodes=1, pods=1)
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
NODE = "Compute/cluster-0/Node/node-0"


def test_parts_that_sum_to_their_totals_pass() -> None:
    """Every allocation and asset is compared, and of the tables those that were uploaded."""
    own = outcome(KEY, CostsGiven(costs=QUIET.costs()))
    both = outcome(KEY, CostsGiven(costs=uploaded(QUIET.costs())))
    assert (own.status, own.checked) == (Status.PASSED, len(QUIET.allocations) + len(QUIET.assets))
    assert (both.status, both.checked) == (Status.PASSED, own.checked + 24)


@pytest.mark.parametrize(
    ("costs", "path"),
    [
        (QUIET.changed("allocations", POD, totalCost=1e6).costs(), ("allocations", POD)),
        (QUIET.changed("assets", NODE, totalCost=1e6).costs(), ("assets", NODE)),
        (
            uploaded(QUIET.costs(), "totals", "allocations", "cluster", "cluster-0", totalCost=1e6),
            ("allocationTotals", "cluster", "cluster-0"),
        ),
        (
            uploaded(QUIET.costs(), "totals", "assets", "node", "cluster-0/pvc-1", totalCost=1e6),
            ("assetTotals", "node", "cluster-0/pvc-1"),
        ),
        (
            uploaded(QUIET.costs(), "aggregates", "pod", "node-0-pod-0", totalCost=1e6),
            ("aggregates", "pod", "node-0-pod-0"),
        ),
    ],
)
def test_a_total_that_its_parts_do_not_sum_to_is_shown(costs: Costs, path: tuple[str, ...]) -> None:
    """Expected is the sum of the parts, actual the totalCost."""
    [(found, (expected, actual))] = floats(outcome(KEY, CostsGiven(costs=costs))).items()
    assert found == ("Rows", *path)
    assert (actual, expected < 1e5) == (1e6, True)


def test_a_row_without_a_total_is_left_out() -> None:
    """Not every source states one."""
    rows = parse_allocations(document({"a": {"cpuCost": 1.0}, "b": {"cpuCost": 1.0, "totalCost": 1.0}}))
    result = outcome(KEY, CostsGiven(costs=replace(NO_COSTS, allocations=rows)))
    assert (result.status, result.checked) == (Status.PASSED, 1)


@pytest.mark.parametrize(
    ("fields", "description"),
    [
        ({"cpuCost": None, "pvCost": None}, "the CPU, PersistentVolume cost is null"),
        ({"totalCost": None}, "the total cost is null"),
    ],
)
def test_a_null_is_missing(fields: dict[str, None], description: str) -> None:
    """The parts that are null are named."""
    costs = QUIET.changed("allocations", POD, **fields).costs()
    assert missing(outcome(KEY, CostsGiven(costs=costs))) == [(POD, description)]


def test_nothing_to_compare_is_failed() -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=NO_COSTS))
    assert (result.status, result.description) == (
        Status.FAILED,
        f"nothing to compare: no allocations and no assets in {DAY}",
    )
