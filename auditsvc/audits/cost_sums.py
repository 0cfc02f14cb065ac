"""Holds the sums of the stored aggregates against each other."""

import math
from collections.abc import Iterator, Sequence

from auditsvc.audits._costs import allow, conclude, null, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import (
    ALLOCATION_DECIMALS,
    IDLE,
    LABEL,
    Aggregates,
    Allocation,
    Costs,
    half_units,
    sum_totals,
    wire_rounding,
)

_MEND = "find the rows that this aggregation leaves out, or counts under two keys"


@audit("AuditCostSums", key="costSums", maps=("Results",))
def cost_sums(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """However the allocations are aggregated, they add up to the same.

    ``Results[property]``: expected is the cost of the allocations, actual the sum of the stored aggregates,
    both without idle cost, which not every aggregation is fetched with.
    """
    allocations = [row for row in require(costs.allocations, "allocations", costs) if not row.idle]
    stored = require(costs.aggregates, "aggregates of the allocations", costs)
    found = _observe(allocations, stored, settings.cost_tolerance)
    nothing = "no stored aggregation has a known cost of every allocation under one key"
    yield from conclude(found, costs, settings, nothing=nothing)


def _observe(
    allocations: Sequence[Allocation], stored: Aggregates, tolerance: CostTolerance
) -> Iterator[Observation]:
    expected = sum_totals(allocations)
    # A row may carry several labels, so the table of all of them is no partition.
    for name in sorted(stored.tables.keys() - {LABEL}):
        totals = [total.total for key, total in stored.tables[name].items() if IDLE not in key]
        actual = math.fsum(totals)
        if math.isnan(expected) or math.isnan(actual):
            yield null(name, "a cost among the rows or the aggregates")
            continue
        rounding = wire_rounding(allocations) + half_units(totals, decimals=ALLOCATION_DECIMALS)
        allowed = allow((expected, actual), tolerance, allocations, rounding=rounding)
        yield Compared("Results", (name,), expected, actual, "", _MEND, allowed)
