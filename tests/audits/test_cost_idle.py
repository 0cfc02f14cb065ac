import pytest
from msgspec.structs import replace

from auditsvc.core.cost_json import parse_allocations
from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, document, outcome
from tests.audits.given import floats, missing

KEY = "costIdle"
QUIET = consistent_day(6, nodes=2, pods=1)
IDLE = "cluster-0/node-0/__idle__"
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
NODE = "Compute/cluster-0/Node/node-0"
NEGATIVE = QUIET.changed("allocations", IDLE, cpuCost=-5.0, cpuCostAdjustment=0.0)


def test_idle_cost_passes() -> None:
    """Three resources of each node are looked at; a node without an idle row has none."""
    assert outcome(KEY, CostsGiven(costs=QUIET.costs())).checked == 6
    result = outcome(KEY, CostsGiven(costs=QUIET.without("allocations", IDLE).costs()))
    assert (result.status, result.checked) == (Status.PASSED, 6)


def test_negative_idle_cost_is_shown() -> None:
    """The allocations' hours do not exceed the node's, so something is left, and it costs no less than 0."""
    result = outcome(KEY, CostsGiven(costs=NEGATIVE.costs()))
    assert floats(result) == {("Resources", "cluster-0/node-0", "CPU"): (0.0, -5.0)}
    assert "hours left" in result.floats[0].resolution


def test_negative_idle_cost_of_an_overcommitted_node_passes() -> None:
    """More was asked for than the node has: the idle cost is what the allocations are charged too much."""
    over = NEGATIVE.changed("allocations", POD, cpuCoreHours=97.0)
    assert outcome(KEY, CostsGiven(costs=over.costs())).status is Status.PASSED


def test_a_rounding_below_zero_passes() -> None:
    """Two numbers of a row, each rounded to five decimals."""
    day = QUIET.changed("allocations", IDLE, cpuCost=0.00001, cpuCostAdjustment=-0.00002)
    assert outcome(KEY, CostsGiven(costs=day.costs())).status is Status.PASSED


def test_what_cannot_be_judged_is_missing() -> None:
    """Negative idle cost where the node, or a number of hours, is not known; and a null."""
    no_node = outcome(KEY, CostsGiven(costs=NEGATIVE.without("assets", NODE).costs()))
    no_hours = outcome(KEY, CostsGiven(costs=NEGATIVE.changed("assets", NODE, cpuCoreHours=None).costs()))
    null = outcome(KEY, CostsGiven(costs=QUIET.changed("allocations", IDLE, ramCost=None).costs()))
    node = "cluster-0/node-0"
    assert missing(no_node) == [(node, "the CPU idle cost is negative on a node that is no asset")]
    assert missing(no_hours) == [(node, "the CPU idle cost is negative, and a number of hours is null")]
    assert missing(null) == [(IDLE, "the RAM cost is null")]


def test_nothing_to_compare_is_failed() -> None:
    """With the reason."""
    rows = parse_allocations(document({"shop": {"cpuCost": 1.0}}))
    for costs, reason in (
        (NO_COSTS, f"no allocations in {DAY}"),
        (replace(NO_COSTS, allocations=rows), "there is no node, and no known idle cost"),
    ):
        result = outcome(KEY, CostsGiven(costs=costs))
        assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")


@pytest.mark.parametrize("name", ["cpu", "gpu", "ram"])
def test_every_resource_is_looked_at(name: str) -> None:
    """By its own hours."""
    changed = QUIET.changed("allocations", IDLE, **{f"{name}Cost": -5.0, f"{name}CostAdjustment": 0.0})
    path = ("Resources", "cluster-0/node-0", name.upper())
    assert list(floats(outcome(KEY, CostsGiven(costs=changed.costs())))) == [path]
