import pytest
from msgspec.structs import replace

from auditsvc.audits import Settings
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.results import Status
from tests.audits.days import DAY, CostsGiven, Day, Rows, consistent_day, outcome
from tests.audits.given import floats, missing

KEY = "allocationReconciliation"
QUIET = consistent_day(7, nodes=2, pods=2)
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
NODE = "Compute/cluster-0/Node/node-0"
NO_COMPUTE = {f"{name}Cost{kind}": 0.0 for name in ("cpu", "gpu", "ram") for kind in ("", "Adjustment")}


def test_a_reconciled_day_passes() -> None:
    """Three resources of each node are compared, and the tolerance is stated."""
    result = outcome(KEY, CostsGiven(costs=QUIET.costs()))
    assert (result.status, result.checked, result.description) == (Status.PASSED, 6, "")
    assert result.tolerance == {"Relative": 1e-6, "PerAllocation": 5e-6, "PerAsset": 1e-6}


def test_a_difference_is_shown_by_node_and_resource() -> None:
    """Expected is the node's cost after discount and adjustment, actual its allocations' with idle."""
    pod = QUIET.allocations[POD]
    costs = QUIET.changed("allocations", POD, ramCost=pod["ramCost"] + 1000.0).costs()
    [found] = outcome(KEY, CostsGiven(costs=costs)).floats
    assert (found.map, found.path) == ("Resources", ("cluster-0/node-0", "RAM"))
    assert found.actual - found.expected == pytest.approx(1000.0)
    assert "idle cost" in found.resolution


def test_the_tolerance_is_configurable() -> None:
    """Live data needs more than the rounding of the wire."""
    pod = QUIET.allocations[POD]
    costs = QUIET.changed("allocations", POD, ramCost=pod["ramCost"] + 1.0).costs()
    loose = Settings(cost_tolerance=CostTolerance(per_allocation=0.4))
    assert outcome(KEY, CostsGiven(costs=costs)).status is Status.FAILED
    assert outcome(KEY, CostsGiven(costs=costs, settings=loose)).status is Status.PASSED


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (QUIET.without("assets", NODE), ("cluster-0/node-0", "3 allocations on a node that is no asset")),
        (
            Day({POD: QUIET.allocations[POD]}, QUIET.assets),
            ("cluster-0/node-1", "a node without allocations and without idle cost"),
        ),
        (
            QUIET.changed("allocations", POD, properties={"cluster": "cluster-0"}),
            ("cluster-0/", f"1 allocations without a node, {POD} among them"),
        ),
        (QUIET.changed("allocations", POD, cpuCost=None), (POD, "the CPU cost is null")),
        (
            QUIET.changed("allocations", POD, properties={"cluster": "cluster-0"}, **NO_COMPUTE, pvCost=1.0),
            ("cluster-0/", f"1 allocations without a node, {POD} among them"),
        ),
        (QUIET.changed("assets", NODE, gpuCost=None, totalCost=None), (NODE, "the GPU cost is null")),
    ],
)
def test_what_cannot_be_compared_is_missing(day: Day, found: tuple[str, str]) -> None:
    """A node on one side only, an allocation without a node, and a null."""
    assert found in missing(outcome(KEY, CostsGiven(costs=day.costs())))


def test_rows_without_compute_need_no_node() -> None:
    """Unmounted volumes and external costs are on none."""
    fields = {"properties": {"cluster": "cluster-0"}, "externalCost": 5.0}
    day = Day({**QUIET.allocations, "bucket": fields}, QUIET.assets)
    assert missing(outcome(KEY, CostsGiven(costs=day.costs()))) == []


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (Day({}, QUIET.assets), f"nothing to compare: no allocations in {DAY}"),
        (Day(QUIET.allocations, {}), f"nothing to compare: no assets in {DAY}"),
        (
            Day({"shop": {"cpuCost": 5.0}}, QUIET.assets),
            "nothing to compare: no node has known costs of both allocations and an asset",
        ),
    ],
)
def test_nothing_to_compare_is_failed(day: Day, reason: str) -> None:
    """With the reason, and never passed; so are rows aggregated without their node."""
    result = outcome(KEY, CostsGiven(costs=day.costs()))
    assert (result.status, result.description) == (Status.FAILED, reason)


def test_a_young_window_is_marked() -> None:
    """It is audited like any other, and the description says that billing may still adjust it."""
    costs = replace(QUIET.costs(), now=DAY.end)
    result = outcome(KEY, CostsGiven(costs=costs))
    assert result.status is Status.PASSED
    assert result.description == (
        "the window ended less than 48 h ago: cloud billing has not reconciled its costs yet, and may still "
        "adjust them"
    )


def test_nodes_of_two_clusters_are_told_apart() -> None:
    """A node's name is unique in its cluster only."""
    day = consistent_day(7, clusters=2, nodes=1, pods=1)
    pod = day.allocations["cluster-1/node-0/shop/node-0-pod-0/main"]
    changed = day.changed(
        "allocations", "cluster-1/node-0/shop/node-0-pod-0/main", cpuCost=pod["cpuCost"] + 500.0
    )
    assert list(floats(outcome(KEY, CostsGiven(costs=changed.costs())))) == [
        ("Resources", "cluster-1/node-0", "CPU")
    ]


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"cpuCost": None, "adjustment": 0.0}, ["CPU"]),
        ({"discount": None, "adjustment": 0.0}, ["CPU", "RAM"]),
    ],
)
def test_one_null_of_a_node_leaves_the_others_compared(fields: dict[str, object], unknown: list[str]) -> None:
    """Where no adjustment is to be split; a discount is none of the GPU's."""
    result = outcome(KEY, CostsGiven(costs=QUIET.changed("assets", NODE, **fields).costs()))
    assert missing(result) == [(NODE, f"the {name} cost is null") for name in unknown]
    assert result.checked == 6 - len(unknown)


def test_rounding_widens_the_tolerance_only_where_numbers_are_rounded() -> None:
    """Ten pods of two rounded numbers each may be off by 1e-4; exact ones by half of it, 5e-6 a row."""
    for amount, adjusted, status in (
        (1.00001, -0.5, Status.PASSED),
        (1.000012345, -0.500012345, Status.FAILED),
    ):
        node_of = {"cluster": "c", "node": "n"}
        pod = {"properties": node_of, "cpuCost": amount, "cpuCostAdjustment": adjusted}
        rows: Rows = {str(number): pod for number in range(10)}
        cost = 10 * (amount + adjusted) + 8e-5
        node = {"type": "Node", "properties": {"cluster": "c", "name": "n"}, "cpuCost": cost}
        assert outcome(KEY, CostsGiven(costs=Day(rows, {"n": node}).costs())).status is status
