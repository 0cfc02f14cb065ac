"""Holds each row's total against its parts."""

import math
from collections.abc import Iterator, Mapping

from auditsvc.audits._costs import conclude, null, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import (
    ALLOCATION_DECIMALS,
    ASSET_DECIMALS,
    COMPUTE,
    Allocation,
    Asset,
    Costs,
    Origin,
    Parts,
    Total,
    half_units,
    sum_parts,
)

_MEND = "find out which of the row's costs the source left out of its totalCost, or counted twice in it"

_Path = tuple[str, ...]


@audit("AuditCostParts", key="costParts", maps=("Rows",))
def cost_parts(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The parts of every row sum to its totalCost: of allocations, assets and uploaded tables.

    ``Rows["allocations" | "assets"][key]`` and, of the tables, ``Rows["allocationTotals" | "assetTotals" |
    "aggregates"][table][key]``: expected is the sum of the parts, actual the ``totalCost``. A row that states
    none is left out, and so is one of a table that states nothing else.
    """
    require((*costs.allocations, *costs.assets), "allocations and no assets", costs)
    found = _observe(costs, settings.cost_tolerance)
    yield from conclude(found, costs, settings, nothing="no row states its total and has only known parts")


def _observe(costs: Costs, tolerance: CostTolerance) -> Iterator[Observation]:
    written = {"decimals": ALLOCATION_DECIMALS, "allocations": 1}
    for row in costs.allocations:
        yield from _compare(("allocations", row.key), row, _written(row.parts), tolerance, **written)
    for asset in costs.assets:
        yield from _compare(
            ("assets", asset.key), asset, asset.numbers, tolerance, decimals=ASSET_DECIMALS, assets=1
        )
    for path, total in _uploaded(costs):
        yield from _compare(path, total, _written(total.parts), tolerance, **written)


def _compare(
    path: tuple[str, ...],
    row: Allocation | Asset | Total,
    amounts: tuple[float, ...],
    tolerance: CostTolerance,
    *,
    decimals: int,
    **rows: int,
) -> Iterator[Observation]:
    if row.stated is None or not row.parts:
        return
    expected, actual = sum_parts(row.parts), row.stated
    if math.isnan(expected) or math.isnan(actual):
        parts = [name for name, part in row.parts.items() if math.isnan(part.total)]
        yield null("/".join(path[1:]), f"the {', '.join(parts) or 'total'} cost")
    else:
        rounding = half_units((*amounts, actual), decimals=decimals)
        allowed = tolerance.allowed(expected, actual, **rows, rounding=rounding)
        yield Compared("Rows", path, expected, actual, "", _MEND, allowed)


def _written(parts: Parts) -> tuple[float, ...]:
    """The amounts that are rounded: nearly all rows have cost of a node, so that a 0 of it was once more."""
    return tuple(amount for name, part in parts.items() for amount in part if amount or name in COMPUTE)


def _uploaded(costs: Costs) -> Iterator[tuple[_Path, Total]]:
    """The rows of the tables that the system under audit made; our own are sums by construction."""
    tables: dict[_Path, Mapping[str, Total]] = {}
    for name, totals in (("allocationTotals", costs.allocation_totals), ("assetTotals", costs.asset_totals)):
        if totals and totals.origin is Origin.UPLOADED:
            tables |= {(name, "cluster"): totals.by_cluster, (name, "node"): totals.by_node}
    if costs.aggregates and costs.aggregates.origin is Origin.UPLOADED:
        tables |= {("aggregates", name): table for name, table in costs.aggregates.tables.items()}
    for path, table in tables.items():
        for key, total in table.items():
            yield (*path, key), total
