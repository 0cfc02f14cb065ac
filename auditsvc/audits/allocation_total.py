"""Holds the stored totals of the allocations against the allocations."""

from collections.abc import Iterator

from auditsvc.audits._costs import NO_KEY, compare_tables, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Observation, audit
from auditsvc.core.costs import Costs, compute_allocation_totals


@audit("AuditAllocationTotalStore", key="allocationTotal", maps=("TotalByNode", "TotalByCluster"))
def allocation_total(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The stored totals of the allocations, by node and by cluster, are the sums of the allocations.

    Left out are idle and unmounted rows, and shared and external costs. Expected is the sum, actual what is
    stored.
    """
    allocations = require(costs.allocations, "allocations", costs)
    stored = require(costs.allocation_totals, "totals of the allocations", costs)
    computed = compute_allocation_totals(allocations)
    tables = [
        (("TotalByNode",), computed.by_node, stored.by_node),
        (("TotalByCluster",), computed.by_cluster, stored.by_cluster),
    ]
    found = compare_tables(tables, stored.origin, settings.cost_tolerance)
    yield from conclude(found, costs, settings, nothing=NO_KEY)
