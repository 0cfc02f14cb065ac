import pytest

from auditsvc.core.results import Status
from tests.audits.days import DAY, CostsGiven, Day, consistent_day, outcome
from tests.audits.given import floats, missing

KEY = "clusterEquality"
QUIET = consistent_day(3, clusters=2, nodes=1, pods=2)
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
BALANCER = "Network/cluster-0/LoadBalancer/shop/web"


def test_clusters_that_cost_what_their_assets_do_pass() -> None:
    """Idle, unmounted, shared and external costs are the allocations' too."""
    result = outcome(KEY, CostsGiven(costs=QUIET.costs()))
    assert (result.status, result.checked) == (Status.PASSED, 2)


def test_a_difference_is_shown_by_cluster() -> None:
    """Expected is what the assets cost, actual what the allocations do."""
    cost = QUIET.assets[BALANCER]["totalCost"]
    [(path, (expected, actual))] = floats(
        outcome(KEY, CostsGiven(costs=QUIET.without("assets", BALANCER).costs()))
    ).items()
    assert path == ("Clusters", "cluster-0")
    assert actual - expected == pytest.approx(cost)


def test_a_cluster_on_one_side_only_is_missing() -> None:
    """Whichever side that is."""
    allocations = {key: row for key, row in QUIET.allocations.items() if key.startswith("cluster-0")}
    assets = {key: row for key, row in QUIET.assets.items() if "/cluster-0/" in key}
    no_allocations = outcome(KEY, CostsGiven(costs=Day(allocations, QUIET.assets).costs()))
    no_assets = outcome(KEY, CostsGiven(costs=Day(QUIET.allocations, assets).costs()))
    assert missing(no_allocations) == [("cluster-1", "8 assets in a cluster without allocations")]
    assert missing(no_assets) == [("cluster-1", "4 allocations in a cluster without assets")]
    assert {no_assets.status, no_allocations.status} == {Status.WARNING}


def test_a_null_leaves_its_cluster_out() -> None:
    """A total that is not known cannot be compared; the other cluster is."""
    result = outcome(
        KEY, CostsGiven(costs=QUIET.changed("allocations", POD, cpuCost=None, totalCost=None).costs())
    )
    assert (result.checked, missing(result)) == (1, [(POD, "the total cost is null")])


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (Day({}, QUIET.assets), f"no allocations in {DAY}"),
        (Day(QUIET.allocations, {}), f"no assets in {DAY}"),
        (
            Day({"shop": {"cpuCost": 5.0}}, QUIET.assets),
            "no cluster has known costs of both allocations and assets",
        ),
    ],
)
def test_nothing_to_compare_is_failed(day: Day, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=day.costs()))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")
