"""Holds the stored aggregates of the allocations against the allocations."""

from collections.abc import Iterator

from auditsvc.audits._costs import NO_KEY, compare_tables, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Observation, Section, audit
from auditsvc.core.costs import Costs, compute_aggregates


@audit("AuditAllocationAggStore", key="allocationAgg", maps=("Results",))
def allocation_agg(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The stored aggregates of the allocations are what the allocations aggregate to.

    ``Results[property][key]``, for each property that is stored: expected is the sum of the rows, actual what
    is stored.
    """
    allocations = require(costs.allocations, "allocations", costs)
    stored = require(costs.aggregates, "aggregates of the allocations", costs)
    computed = compute_aggregates(allocations, stored.tables)
    yield from (Section("Results", name) for name in sorted(stored.tables))
    tables = [
        (("Results", name), computed.tables[name], table) for name, table in sorted(stored.tables.items())
    ]
    found = compare_tables(tables, stored.origin, settings.cost_tolerance)
    yield from conclude(found, costs, settings, nothing=NO_KEY)
