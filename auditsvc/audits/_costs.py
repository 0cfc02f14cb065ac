"""What the cost audits share: what each of them states, and how costs are compared."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Missing, Note, Observation, Tolerance
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import (
    ALLOCATION_DECIMALS,
    Asset,
    Costs,
    Origin,
    Resource,
    Row,
    Total,
    half_units,
    part_amounts,
    wire_rounding,
)
from auditsvc.errors import NoDataError

_YOUNG = (
    "the window ended less than 48 h ago: cloud billing has not reconciled its costs yet, and may still "
    "adjust them"
)
_OWN_TABLE = (
    "compared with auditsvc's own table, written when the data arrived: this guards against corruption "
    "only, as no table of the system under audit was uploaded"
)
NO_KEY = "the rows and the stored table have no known cost under the same key"

_RECOMPUTE = "compute the table again from the rows that it stands for"
_NULL = "find out why the source has no number here: it writes null for NaN and infinity"

_Found = TypeVar("_Found")


def require(found: _Found | None, what: str, costs: Costs) -> _Found:
    """What was found; raises NoDataError where that is nothing, which is no pass."""
    if not found:
        steps = ", only steps of the window" if what in costs.only_steps else ""
        raise NoDataError(f"no {what} in {costs.window}{steps}")
    return found


def conclude(
    observations: Iterable[Observation], costs: Costs, settings: Settings, *, nothing: str
) -> Iterator[Observation]:
    """The observations and what every cost audit adds to its own.

    That is the reason (``nothing``) where none of them compares, the tolerance, and whether billing may still
    change the costs.
    """
    compared = 0
    for observation in observations:
        compared += isinstance(observation, Compared)
        yield observation
    if not compared:
        yield Note(nothing)
    tolerance = settings.cost_tolerance
    yield Tolerance(
        {
            "Relative": tolerance.relative,
            "PerAllocation": tolerance.per_allocation,
            "PerAsset": tolerance.per_asset,
        }
    )
    if not costs.reconciled:
        yield Note(_YOUNG)


def null(key: str, what: str) -> Missing:
    """A finding: that number of a row is null."""
    return Missing(key, f"{what} is null", _NULL)


def unknown(rows: Iterable[Row], resource: Resource | None = None) -> Iterator[Missing]:
    """A finding for each of the rows whose cost, in total or of that resource, is null."""
    for row in rows:
        if math.isnan(row.parts[resource].total if resource else row.total):
            yield null(row.key, f"the {resource or 'total'} cost")


def compare(
    path: tuple[str, ...],
    sides: tuple[float, float],
    tolerance: CostTolerance,
    resolution: str,
    *,
    rows: Collection[Row],
    resource: Resource | None = None,
) -> Iterator[Observation]:
    """Compares what is expected with what is; where one is unknown, names those of the rows that make it so.

    ``path`` is the map and what leads to the comparison in it, ``rows`` are those of both sides.
    """
    expected, actual = sides
    if math.isnan(expected) or math.isnan(actual):
        yield from unknown(rows, resource)
    else:
        # A row of a node has cost of each of its resources: a 0 of it is one that was rounded away.
        rounding = wire_rounding(rows, resource, zeros=resource is not None)
        allowed = allow(sides, tolerance, rows, rounding=rounding)
        yield Compared(path[0], path[1:], expected, actual, "", resolution, allowed)


def allow(
    sides: tuple[float, float], tolerance: CostTolerance, rows: Collection[Row], *, rounding: float
) -> float:
    """The largest difference that is none between sums of these rows."""
    assets = sum(isinstance(row, Asset) for row in rows)
    return tolerance.allowed(*sides, allocations=len(rows) - assets, assets=assets, rounding=rounding)


def compare_tables(
    tables: Iterable[tuple[tuple[str, ...], Mapping[str, Total], Mapping[str, Total]]],
    origin: Origin,
    tolerance: CostTolerance,
) -> Iterator[Observation]:
    """Compares computed tables with stored ones, key by key.

    A table comes as the map and what leads to it there, the computed and the stored one.
    """
    for path, computed, stored in tables:
        for key in sorted(computed.keys() & stored.keys()):
            pairs = list(_pairs(computed[key], stored[key], tolerance))
            yield from _compare_pairs((*path, key), pairs)
        for key in sorted(computed.keys() - stored.keys()):
            yield Missing(_name(path, key), "among the rows, but not in the stored table", _RECOMPUTE)
        for key in sorted(stored.keys() - computed.keys()):
            yield Missing(_name(path, key), "in the stored table, but not among the rows", _RECOMPUTE)
    if origin is Origin.OWN:
        yield Note(_OWN_TABLE)


def _name(path: Sequence[str], *key: str) -> str:
    return "/".join((*path[1:], *key))


class _Pair(NamedTuple):
    name: str
    expected: float
    actual: float
    allowed: float

    @property
    def known(self) -> bool:
        return not (math.isnan(self.expected) or math.isnan(self.actual))

    @property
    def half_known(self) -> bool:
        """Whether one side is null; what is null on both is the same on both."""
        return math.isnan(self.expected) != math.isnan(self.actual)

    @property
    def differ(self) -> bool:
        return abs(self.expected - self.actual) > self.allowed


def _pairs(computed: Total, stored: Total, tolerance: CostTolerance) -> Iterator[_Pair]:
    """The totals, and then those parts that the stored one has: mistakes in these may cancel out."""
    sides = computed.total, stored.total
    amounts = part_amounts(stored.parts) if stored.stated is None else (stored.total,)
    rounding = _rounding_of_total(computed) + _rounding_of_table(amounts)
    yield _Pair("total", *sides, allow(sides, tolerance, computed.rows, rounding=rounding))
    for name, other in stored.parts.items():
        if (cost := computed.parts[name]) != other:
            sides = cost.total, other.total
            written = [amount for amount, exact in zip(other, cost, strict=True) if amount or exact]
            rounding = wire_rounding(computed.rows, name, zeros=True) + _rounding_of_table(written)
            yield _Pair(name, *sides, allow(sides, tolerance, computed.rows, rounding=rounding))


def _rounding_of_total(computed: Total) -> float:
    """What rounding made of the rows' totals, and of what was subtracted as it is no part of this total."""
    left_out = {name for row in computed.rows for name in row.parts} - computed.parts.keys()
    subtracted = math.fsum(wire_rounding(computed.rows, name) for name in left_out)
    return wire_rounding(computed.rows, zeros=True) + subtracted


def _rounding_of_table(amounts: Iterable[float]) -> float:
    # Tables are written as allocations are, those of assets too.
    return half_units(amounts, decimals=ALLOCATION_DECIMALS)


def _compare_pairs(path: tuple[str, ...], pairs: Sequence[_Pair]) -> Iterator[Observation]:
    """Shows the first pair of which one side is null, and the first that differs, else the totals."""
    if half := next((pair for pair in pairs if pair.half_known), None):
        side = "rows" if math.isnan(half.expected) else "stored table"
        yield null(_name(path), f"in the {side} the {half.name} cost")
    known = [pair for pair in pairs if pair.known]
    if known:
        name, expected, actual, allowed = next((pair for pair in known if pair.differ), known[0])
        yield Compared(path[0], path[1:], expected, actual, f"the {name} cost", _RECOMPUTE, allowed)
