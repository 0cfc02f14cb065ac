"""Holds what a cluster's allocations cost against what its assets do."""

from collections.abc import Iterator

from auditsvc.audits._costs import compare, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Missing, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import Costs, Row, group_rows, sum_totals

_ACCOUNT = (
    "find the asset that no allocation pays for, or the allocation that no asset stands behind: idle, "
    "unmounted and shared costs belong to the allocations"
)
_UPLOAD = "upload the allocations and the assets of the same clusters"


@audit("AuditClusterEquality", key="clusterEquality", maps=("Clusters",))
def cluster_equality(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """A cluster's allocations, idle and shared costs among them, cost what its assets do.

    ``Clusters[cluster]``: expected is the cost of the assets, actual that of the allocations.
    """
    require(costs.allocations, "allocations", costs)
    require(costs.assets, "assets", costs)
    found = _observe(costs, settings.cost_tolerance)
    yield from conclude(
        found, costs, settings, nothing="no cluster has known costs of both allocations and assets"
    )


def _observe(costs: Costs, tolerance: CostTolerance) -> Iterator[Observation]:
    allocated = group_rows(costs.allocations, lambda row: (row.cluster,))
    assets = group_rows(costs.assets, lambda row: (row.cluster,))
    for cluster in sorted(allocated.keys() & assets.keys()):
        rows: list[Row] = [*assets[cluster], *allocated[cluster]]
        sides = sum_totals(assets[cluster]), sum_totals(allocated[cluster])
        yield from compare(("Clusters", cluster), sides, tolerance, _ACCOUNT, rows=rows)
    for cluster in sorted(allocated.keys() - assets.keys()):
        yield Missing(cluster, f"{len(allocated[cluster])} allocations in a cluster without assets", _UPLOAD)
    for cluster in sorted(assets.keys() - allocated.keys()):
        yield Missing(cluster, f"{len(assets[cluster])} assets in a cluster without allocations", _UPLOAD)
