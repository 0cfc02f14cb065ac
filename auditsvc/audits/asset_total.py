"""Holds the stored totals of the assets against the assets."""

from collections.abc import Iterator

from auditsvc.audits._costs import NO_KEY, compare_tables, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Observation, audit
from auditsvc.core.costs import Costs, compute_asset_totals


@audit("AuditAssetTotalStore", key="assetTotal", maps=("TotalByNode", "TotalByCluster"))
def asset_total(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The stored totals of the assets, by node and by cluster, are the sums of the assets.

    Summed are nodes, disks and load balancers, each under its name in ``TotalByNode``, and the clusters'
    management in ``TotalByCluster`` only. Expected is the sum, actual what is stored.
    """
    assets = require(costs.assets, "assets", costs)
    stored = require(costs.asset_totals, "totals of the assets", costs)
    computed = compute_asset_totals(assets)
    tables = [
        (("TotalByNode",), computed.by_node, stored.by_node),
        (("TotalByCluster",), computed.by_cluster, stored.by_cluster),
    ]
    found = compare_tables(tables, stored.origin, settings.cost_tolerance)
    yield from conclude(found, costs, settings, nothing=NO_KEY)
