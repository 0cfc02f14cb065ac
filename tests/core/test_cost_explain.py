from typing import Any

import pytest
from msgspec.structs import replace

from auditsvc.core.cost_explain import Explanation, explain
from auditsvc.core.costs import Costs, Resource
from auditsvc.core.results import FloatResult
from tests.audits.days import COST_AUDITS, DAY, NO_COSTS, CostsGiven, Day, consistent_day, outcome, uploaded

QUIET = consistent_day(11, nodes=2, pods=2)
COSTS = QUIET.costs()
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
SIBLING = "cluster-0/node-0/shop/node-0-pod-1/main"
IDLE = "cluster-0/node-0/__idle__"
UNMOUNTED = "cluster-0//__unmounted__/__unmounted__/__unmounted__"
NODE = "Compute/cluster-0/Node/node-0"
VOLUME = "Storage/cluster-0/Disk/pvc-1"
BALANCER = "Network/cluster-0/LoadBalancer/shop/web"


def explained(audit: str, costs: Costs, **others: Any) -> Explanation:
    """The explanation of an audit's first finding."""
    finding = outcome(audit, CostsGiven(costs=costs, **others)).floats[0]
    return explain(audit, finding, costs, **others)


def dearer(kind: str, key: str, field: str) -> Costs:
    """The day with one number 1000 larger."""
    return QUIET.changed(kind, key, **{field: getattr(QUIET, kind)[key].get(field, 0.0) + 1000.0}).costs()


def test_a_difference_comes_with_its_size() -> None:
    """What the actual side has more, and what part of the expected that is."""
    found = explained("allocationReconciliation", dearer("allocations", POD, "cpuCost"))
    assert found.delta == pytest.approx(1000.0)
    assert found.percent == pytest.approx(100_000 / found.finding.expected)
    nothing = replace(found, finding=FloatResult("Resources", ("cluster-0/node-0", "CPU"), 0.0, 5.0))
    assert (nothing.delta, nothing.percent) == (5.0, None)


def test_a_difference_comes_with_the_rows_that_make_it() -> None:
    """Both sides' rows, with the costs that were compared, the largest first."""
    found = explained("allocationReconciliation", dearer("allocations", POD, "cpuCost"))
    assert [(row.kind, row.key) for row in found.expected] == [("Node", NODE)]
    assert found.expected[0].total == pytest.approx(found.finding.expected)
    assert {(row.kind, row.key) for row in found.actual} == {
        ("allocation", POD),
        ("allocation", SIBLING),
        ("idle", IDLE),
    }
    assert found.actual[0].key == POD
    assert sum(row.total for row in found.actual) == pytest.approx(found.finding.actual)
    [cpu] = found.components
    assert (cpu.resource, cpu.expected) == (Resource.CPU, found.finding.expected)
    assert cpu.delta == pytest.approx(found.delta)


# Per audit: a day with a finding, and the kinds of rows that make it, of what was expected and of what is.
MADE_OF: dict[str, tuple[Costs, set[str], set[str]]] = {
    "allocationReconciliation": (dearer("assets", NODE, "cpuCost"), {"Node"}, {"allocation", "idle"}),
    "clusterEquality": (
        dearer("allocations", POD, "pvCost"),
        {"Node", "Disk", "LoadBalancer", "Network", "ClusterManagement", "Cloud"},
        {"allocation", "idle", "unmounted"},
    ),
    "allocationTotal": (
        uploaded(COSTS, "totals", "allocations", "node", "cluster-0/node-0", cpuCost=1e6),
        {"allocation"},
        {"stored"},
    ),
    "assetTotal": (
        uploaded(COSTS, "totals", "assets", "cluster", "cluster-0", cpuCost=1e6),
        {"Node", "Disk", "LoadBalancer", "ClusterManagement", "Network", "Cloud"},
        {"stored"},
    ),
    "allocationAgg": (
        uploaded(COSTS, "aggregates", "namespace", "team-0", cpuCost=1e6),
        {"allocation"},
        {"stored"},
    ),
    "costSums": (
        uploaded(COSTS, "aggregates", "namespace", "team-0", totalCost=1e6),
        {"allocation", "unmounted"},
        {"stored"},
    ),
    "assetReconciliation": (dearer("assets", VOLUME, "totalCost"), {"bill"}, {"Disk"}),
    "costHours": (dearer("assets", VOLUME, "totalCost"), {"Disk"}, {"Disk"}),
    "costKeys": (replace(COSTS, assets=(*COSTS.assets, COSTS.assets[0])), set(), {"Node"}),
    "costWindow": (dearer("allocations", UNMOUNTED, "minutes"), set(), {"unmounted"}),
    "costDiscount": (dearer("assets", NODE, "discount"), set(), {"Node"}),
    "costIdle": (
        QUIET.changed("allocations", IDLE, ramCost=-9.0, ramCostAdjustment=0.0).costs(),
        set(),
        {"idle"},
    ),
    "costParts": (
        dearer("allocations", POD, "totalCost"),
        {
            *("CPU", "GPU", "RAM", "PersistentVolume"),
            *("Network", "LoadBalancer", "Shared", "External"),
        },
        set(),
    ),
}


@pytest.mark.parametrize("audit", COST_AUDITS)
def test_every_cost_audit_is_explained(audit: str) -> None:
    """By rows of the kinds that it compares."""
    costs, expected, actual = MADE_OF[audit]
    found = explained(audit, costs, **others())
    assert ({row.kind for row in found.expected}, {row.kind for row in found.actual}) == (expected, actual)


def others() -> dict[str, Any]:
    """A bill, and hours, that agree with the day."""
    hours = CostsGiven().cost_hours
    return {"cloud_costs": QUIET.cloud_costs(), "cost_hours": replace(hours, assets=COSTS.assets)}


@pytest.mark.parametrize(
    ("audit", "path", "kind"),
    [
        ("allocationTotal", ("TotalByCluster", "cluster-0"), "allocation"),
        ("assetTotal", ("TotalByNode", "cluster-0/node-0"), "Node"),
        ("costParts", ("Rows", "allocationTotals", "node", "cluster-0/node-0"), "CPU"),
        ("costParts", ("Rows", "assetTotals", "cluster", "cluster-0"), "ClusterManagement"),
        ("costParts", ("Rows", "aggregates", "pod", "node-0-pod-0"), "Shared"),
        ("costParts", ("Rows", "assets", VOLUME), "PersistentVolume"),
    ],
)
def test_rows_of_every_table_are_found(audit: str, path: tuple[str, ...], kind: str) -> None:
    """By node and by cluster, of totals and of aggregates."""
    finding = FloatResult(path[0], path[1:], 1.0, 2.0)
    assert kind in {row.kind for row in explain(audit, finding, COSTS).expected}


@pytest.mark.parametrize("table", ["allocationTotals", "aggregates"])
def test_a_table_that_is_gone_has_no_rows(table: str) -> None:
    """The finding is older than the data."""
    finding = FloatResult("Rows", (table, "pod", "web-0"), 1.0, 2.0)
    found = explain("costParts", finding, NO_COSTS)
    assert (found.expected, found.actual, found.components) == ((), (), ())


# ------------------------------------------------------------------------------------------------ the reasons
def test_the_resource_that_makes_the_difference_is_named() -> None:
    """A load balancer that allocations pay for, and no asset stands behind."""
    found = explained("clusterEquality", QUIET.without("assets", BALANCER).costs())
    cost = QUIET.assets[BALANCER]["totalCost"]
    balancer = found.components[0]
    assert (balancer.resource, balancer.expected) == (Resource.LOAD_BALANCER, 0.0)
    assert found.reasons[0] == f"LoadBalancer alone makes the difference: expected 0, actual {cost:.6g}"


def test_shared_costs_are_held_against_what_they_pay_for() -> None:
    """A cluster's management and the nodes' own disks have no part of their own in an allocation."""
    costs = dearer("assets", "Management/cluster-0/ClusterManagement/", "totalCost")
    shared = explained("clusterEquality", costs).components[0]
    assert shared.resource is Resource.SHARED
    assert shared.delta == pytest.approx(-1000.0)


def test_a_row_that_costs_as_much_as_the_difference_is_named() -> None:
    """The cloud asset that no allocation was charged for; the idle row that is there twice."""
    lost = explained("clusterEquality", QUIET.changed("allocations", POD, externalCost=0.0).costs())
    assert [
        reason for reason in lost.reasons if reason.startswith("Cloud Other/cluster-0/Cloud/bucket costs")
    ]
    twice = Day({**QUIET.allocations, "again/__idle__": QUIET.allocations[IDLE]}, QUIET.assets)
    found = explained("clusterEquality", twice.costs())
    assert [reason for reason in found.reasons if reason.startswith("idle again/__idle__ costs as much")]


def test_an_adjustment_that_is_as_large_as_the_difference_is_named() -> None:
    """The node was reconciled with its bill, and its allocations were not."""
    rows = {
        key: {name: value for name, value in row.items() if name != "gpuCostAdjustment"}
        for key, row in QUIET.allocations.items()
    }
    found = explained("allocationReconciliation", Day(rows, QUIET.assets).costs())
    [node] = found.expected
    assert f"the adjustment of Node {NODE} is as large: {node.adjustment:.6g}" in found.reasons
    together = f"the adjustments alone make the difference: expected {node.adjustment:.6g}, actual 0"
    assert together in found.reasons


def test_no_more_than_a_few_rows_are_suspected() -> None:
    """In a cluster of equal pods each of them may be the one."""
    twice = {f"pod-{number}": QUIET.allocations[SIBLING] for number in range(9)}
    one = Day({**QUIET.allocations, **twice}, QUIET.assets).costs()
    finding = FloatResult("Clusters", ("cluster-0",), 0.0, COSTS.allocations[1].total)
    found = explain("clusterEquality", finding, one)
    assert sum("costs as much as the difference" in reason for reason in found.reasons) == 5


def test_what_is_charged_to_nobody_is_told() -> None:
    """Idle and unmounted cost is of the allocations, and often what was forgotten."""
    found = explained("clusterEquality", dearer("allocations", POD, "cpuCost"))
    idle, unmounted = (reason for reason in found.reasons if "of the actual side" in reason)
    assert idle.startswith("idle cost is ")
    cost = next(row.total for row in COSTS.allocations if row.unmounted)
    assert unmounted == f"unmounted cost is {cost:.6g} of the actual side"


def test_that_billing_lags_is_told() -> None:
    """Of a window whose costs may still be adjusted."""
    young = replace(dearer("allocations", POD, "cpuCost"), now=DAY.end)
    lag = "cloud billing lags: the window ended less than 48 h ago, and adjustments may be still to come"
    assert lag in explained("clusterEquality", young).reasons
    assert lag not in explained("clusterEquality", replace(young, now=COSTS.now)).reasons


def test_only_cost_audits_are_explained() -> None:
    """Any other key is a mistake of the caller."""
    with pytest.raises(KeyError):
        explain("operationEquality", FloatResult("Runs", ("p1", "added"), 1.0, 2.0), COSTS)


def test_what_a_table_states_beyond_its_parts_is_told() -> None:
    """A wrong totalCost over right parts alone makes the difference; of the parts' own audit it is none."""
    costs = uploaded(COSTS, "aggregates", "namespace", "team-0", totalCost=1e6)
    found = explained("allocationAgg", costs)
    assert found.components[0].resource is Resource.OTHER
    assert any(reason.startswith("Other alone makes the difference") for reason in found.reasons)
    assert "Other" not in {row.kind for row in explained("costParts", costs).expected}
