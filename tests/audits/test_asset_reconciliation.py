from typing import Any

import pytest

from auditsvc.core.cost_json import parse_cloud_costs
from auditsvc.core.costs import CloudCost
from auditsvc.core.results import Status
from tests.audits.days import DAY, CostsGiven, Day, consistent_day, document, outcome
from tests.audits.given import floats, missing

KEY = "assetReconciliation"
QUIET = consistent_day(9, nodes=1, pods=1)
NODE = "Compute/cluster-0/Node/node-0"
NODE_ID = "Node-cluster-0-node-0"


def billed(**bills: dict[str, Any]) -> tuple[CloudCost, ...]:
    """A bill of the day's assets, with some rows changed."""
    rows = {row.key: row for row in QUIET.cloud_costs()}
    named = {
        key: {
            "properties": {"providerID": row.provider_id, "category": row.category},
            "amortizedNetCost": {"cost": row.cost, "kubernetesPercent": row.kubernetes},
        }
        for key, row in rows.items()
    }
    return parse_cloud_costs(document({"sets": [{"cloudCosts": {**named, **bills}}]}))


def bill(provider_id: str, category: str, cost: float | None, share: float = 1.0) -> dict[str, Any]:
    """One row of a bill."""
    properties = {"providerID": provider_id, "category": category}
    return {"properties": properties, "amortizedNetCost": {"cost": cost, "kubernetesPercent": share}}


def test_assets_that_cost_what_is_billed_pass() -> None:
    """Every asset with a provider id is compared; the cluster's management has none."""
    result = outcome(KEY, CostsGiven(costs=QUIET.costs(), cloud_costs=billed()))
    assert (result.status, result.checked, len(QUIET.assets)) == (Status.PASSED, 7, 8)


def test_a_difference_is_shown_by_provider_id_and_category() -> None:
    """Expected is the bill, the sum of its rows; actual is what the asset costs."""
    bills = billed(spot=bill(NODE_ID, "Virtual Machine", 500.0))
    [(path, (expected, actual))] = floats(
        outcome(KEY, CostsGiven(costs=QUIET.costs(), cloud_costs=bills))
    ).items()
    assert path == ("Results", NODE_ID, "Compute")
    assert (expected - actual, actual) == pytest.approx((500.0, QUIET.assets[NODE]["totalCost"]))


def test_what_cannot_be_compared_is_missing() -> None:
    """An asset without a bill, a bill for Kubernetes without an asset, and a bill that names no cost."""
    bills = billed(
        other=bill("vol-9", "Disk", 5.0),
        database=bill("db-1", "Other", 5.0, share=0.0),
        **{NODE: bill(NODE_ID, "Network", 5.0), "null": bill("Disk-cluster-0-pvc-1", "Storage", None)},
    )
    assert missing(outcome(KEY, CostsGiven(costs=QUIET.costs(), cloud_costs=bills))) == [
        ("Disk-cluster-0-pvc-1/Storage", "the bill has no amortized net cost"),
        (f"{NODE_ID}/Compute", "an asset without a bill"),
        (f"{NODE_ID}/Network", "a bill for Kubernetes without an asset"),
        ("vol-9/Storage", "a bill for Kubernetes without an asset"),
    ]


def test_an_asset_with_a_null_is_missing() -> None:
    """Its cost is not known."""
    day = QUIET.changed("assets", NODE, cpuCost=None, totalCost=None)
    result = outcome(KEY, CostsGiven(costs=day.costs(), cloud_costs=billed()))
    assert missing(result) == [(NODE, "the total cost is null")]


@pytest.mark.parametrize(
    ("day", "bills", "reason"),
    [
        (Day(QUIET.allocations, {}), billed(), f"no assets in {DAY}"),
        (QUIET, (), f"no cloud costs in {DAY}"),
        (
            QUIET,
            parse_cloud_costs(document({"sets": [{"cloudCosts": {"a": bill("db-1", "Other", 5.0)}}]})),
            "no asset has a known bill of its provider id and category",
        ),
    ],
)
def test_nothing_to_compare_is_failed(day: Day, bills: tuple[CloudCost, ...], reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=day.costs(), cloud_costs=bills))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")
