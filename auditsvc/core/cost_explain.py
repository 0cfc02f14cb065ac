"""Why a cost audit found a difference: the rows that make it, and what among them it equals."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from auditsvc.core.costs import (
    ALLOCATED,
    ASSET_TOTALLED,
    IDLE,
    NOTHING,
    Asset,
    CloudCost,
    Cost,
    CostHours,
    Costs,
    Parts,
    Resource,
    Row,
    Total,
    aggregate_keys,
    sum_parts,
)
from auditsvc.core.results import FloatResult

# What assets are and allocations pay for under another name.
_PAID_AS = {Resource.ATTACHED_VOLUME: Resource.SHARED, Resource.CLUSTER_MANAGEMENT: Resource.SHARED}

# An amount this near to the difference (a share of it) is named as what may make it, of so many rows.
_SAME = 1e-3
_SUSPECTS = 5

# A stated total and the sum of its parts differ by less than a cent, where the wire's rounding makes it.
_REST = 1e-3


class Contribution(msgspec.Struct, frozen=True):
    """A row behind a difference, with those of its costs that were compared.

    ``kind`` is ``allocation``, ``idle``, ``unmounted``, ``stored`` (a table), ``bill``, an asset's type, or
    for a part of a row its resource.
    """

    kind: str
    key: str
    parts: Parts

    @property
    def cost(self) -> float:
        """What it costs before adjustment."""
        return math.fsum(part.cost for part in self.parts.values())

    @property
    def adjustment(self) -> float:
        """What cloud billing added to that."""
        return math.fsum(part.adjustment for part in self.parts.values())

    @property
    def total(self) -> float:
        """What it costs."""
        return self.cost + self.adjustment


class Component(NamedTuple):
    """One resource on both sides of a difference."""

    resource: Resource
    expected: float
    actual: float

    @property
    def delta(self) -> float:
        """What the actual side has more of it."""
        return self.actual - self.expected


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a difference: the rows of both sides and the resources, each the largest first.

    ``reasons`` are sentences: what the difference equals, and what else is known to make one.
    """

    finding: FloatResult
    expected: tuple[Contribution, ...]
    actual: tuple[Contribution, ...]
    components: tuple[Component, ...]
    reasons: tuple[str, ...]

    @property
    def delta(self) -> float:
        """What the actual side has more."""
        return self.finding.actual - self.finding.expected

    @property
    def percent(self) -> float | None:
        """The difference in percent of what was expected; None where that is nothing."""
        return self.delta / self.finding.expected * 100 if self.finding.expected else None


def explain(
    audit: str,
    finding: FloatResult,
    costs: Costs,
    *,
    cloud_costs: Sequence[CloudCost] = (),
    cost_hours: CostHours | None = None,
) -> Explanation:
    """Explains a finding of the cost audit with that key, from the data in which it was found.

    Raises KeyError where that is the key of no cost audit.
    """
    question = _Question(finding, costs, cloud_costs, cost_hours or CostHours())
    expected, actual = (sorted(side, key=lambda row: -abs(row.total)) for side in _SIDES[audit](question))
    components = sorted(_components(expected, actual), key=lambda component: -abs(component.delta))
    return Explanation(
        finding=finding,
        expected=tuple(expected),
        actual=tuple(actual),
        components=tuple(components),
        reasons=(
            *_equal(finding, components, [*expected, *actual]),
            *_adjusted(finding, expected, actual),
            *_left_over(actual),
            *_lagging(costs),
        ),
    )


# ----------------------------------------------------------------------------------- which rows were compared
class _Question(NamedTuple):
    finding: FloatResult
    costs: Costs
    cloud_costs: Sequence[CloudCost]
    cost_hours: CostHours


_Rows = Iterable[Contribution]
_BothSides = tuple[_Rows, _Rows]


def _node(question: _Question) -> _BothSides:
    node, resource = question.finding.path
    nodes = (row for row in question.costs.assets if row.is_node and row.name_key == node)
    rows = (row for row in question.costs.allocations if row.node_key == node)
    return _contributions(nodes, (Resource(resource),)), _contributions(rows, (Resource(resource),))


def _idle(question: _Question) -> _BothSides:
    _, rows = _node(question)
    return (), (row for row in rows if row.kind == "idle")


def _cluster(question: _Question) -> _BothSides:
    [cluster] = question.finding.path
    assets = (row for row in question.costs.assets if row.cluster == cluster)
    rows = (row for row in question.costs.allocations if row.cluster == cluster)
    return map(_as_paid, _contributions(assets)), _contributions(rows)


def _allocation_total(question: _Question) -> _BothSides:
    [key] = question.finding.path
    by_node = question.finding.map == "TotalByNode"
    counted = (row for row in question.costs.allocations if row.totalled)
    rows = (row for row in counted if key == (row.node_key if by_node else row.cluster))
    return _contributions(rows, ALLOCATED), _stored_rows(
        question, "allocationTotals", "node" if by_node else "cluster", key
    )


def _asset_total(question: _Question) -> _BothSides:
    [key] = question.finding.path
    by_node = question.finding.map == "TotalByNode"
    rows = (row for row in question.costs.assets if key == (row.name_key if by_node else row.cluster))
    return _contributions(rows, ASSET_TOTALLED), _stored_rows(
        question, "assetTotals", "node" if by_node else "cluster", key
    )


def _aggregate(question: _Question) -> _BothSides:
    name, key = question.finding.path
    rows = (row for row in question.costs.allocations if key in aggregate_keys(row, name))
    return _contributions(rows), _stored_rows(question, "aggregates", name, key)


def _sum(question: _Question) -> _BothSides:
    [name] = question.finding.path
    rows = (row for row in question.costs.allocations if not row.idle)
    return _contributions(rows), (
        row for row in _stored_rows(question, "aggregates", name) if IDLE not in row.key
    )


def _bill(question: _Question) -> _BothSides:
    pair = question.finding.path
    bills = (bill for bill in question.cloud_costs if (bill.provider_id, bill.category) == pair)
    assets = (row for row in question.costs.assets if (row.provider_id, row.category) == pair)
    # A bill knows no resources, so none are compared.
    return (
        (Contribution("bill", bill.key, {Resource.OTHER: Cost(bill.cost)}) for bill in bills),
        (
            replace(row, parts={Resource.OTHER: Cost(row.cost, row.adjustment)})
            for row in _contributions(assets)
        ),
    )


def _hours(question: _Question) -> _BothSides:
    hours: tuple[Row, ...] = (*question.cost_hours.allocations, *question.cost_hours.assets)
    return _contributions(row for row in hours if row.key == question.finding.path[-1]), _same_key(question)


def _parts(question: _Question) -> _BothSides:
    kind, *table, key = question.finding.path
    rows = _same_key(question) if not table else _stored_rows(question, kind, table[0], key)
    parts = ((row.key, name, part) for row in rows for name, part in row.parts.items())
    # Of a table's row, what it states beyond its parts is none of them.
    named = (one for one in parts if not table or one[1] is not Resource.OTHER)
    return (Contribution(name, key, {name: part}) for key, name, part in named), ()


def _row(question: _Question) -> _BothSides:
    return (), _same_key(question)


def _nodes(question: _Question) -> _BothSides:
    [node] = question.finding.path
    return (), _contributions(row for row in question.costs.assets if row.is_node and row.name_key == node)


_SIDES: Mapping[str, Callable[[_Question], _BothSides]] = {
    "allocationReconciliation": _node,
    "allocationAgg": _aggregate,
    "allocationTotal": _allocation_total,
    "assetTotal": _asset_total,
    "assetReconciliation": _bill,
    "clusterEquality": _cluster,
    "costDiscount": _nodes,
    "costHours": _hours,
    "costIdle": _idle,
    "costKeys": _row,
    "costParts": _parts,
    "costSums": _sum,
    "costWindow": _row,
}


def _contributions(
    rows: Iterable[Row], resources: Sequence[Resource] | None = None
) -> Iterator[Contribution]:
    for row in rows:
        parts = {name: row.parts.get(name, NOTHING) for name in resources or row.parts}
        yield Contribution(_kind(row), row.key, parts)


def _kind(row: Row) -> str:
    if isinstance(row, Asset):
        return row.type or "asset"
    return "allocation" if row.totalled else "idle" if row.idle else "unmounted"


def _as_paid(row: Contribution) -> Contribution:
    return replace(row, parts={_PAID_AS.get(name, name): part for name, part in row.parts.items()})


def _same_key(question: _Question) -> Iterator[Contribution]:
    kind, key = question.finding.path
    rows: Sequence[Row] = question.costs.allocations if kind == "allocations" else question.costs.assets
    return _contributions(row for row in rows if row.key == key)


def _stored_rows(question: _Question, kind: str, name: str, key: str | None = None) -> Iterator[Contribution]:
    """The rows of a stored table, or the one with that key."""
    costs = question.costs
    totals = {"allocationTotals": costs.allocation_totals, "assetTotals": costs.asset_totals}.get(kind)
    if kind == "aggregates":
        table = costs.aggregates.tables[name] if costs.aggregates else {}
    else:
        table = (totals.by_node if name == "node" else totals.by_cluster) if totals else {}
    for found, total in table.items():
        if key in (None, found):
            yield Contribution("stored", found, _with_rest(total))


def _with_rest(total: Total) -> Parts:
    """A stored total's parts, and what it states beyond their sum; that may be all of it."""
    rest = total.total - sum_parts(total.parts)
    return {**total.parts, Resource.OTHER: Cost(rest)} if abs(rest) > _REST else total.parts


# ------------------------------------------------------------------------------------------------ the reasons
def _components(expected: Sequence[Contribution], actual: Sequence[Contribution]) -> list[Component]:
    """The resources that differ, where both sides have rows to tell them by."""
    if not (expected and actual):
        return []
    resources = dict.fromkeys(name for row in (*expected, *actual) for name in row.parts)
    return [Component(name, _resource(expected, name), _resource(actual, name)) for name in resources]


def _resource(rows: Sequence[Contribution], name: Resource) -> float:
    return math.fsum(row.parts.get(name, NOTHING).total for row in rows)


def _equal(
    finding: FloatResult, components: Iterable[Component], rows: Iterable[Contribution]
) -> Iterator[str]:
    """The resources and rows as large as the difference: one left out, or counted twice, makes it."""
    delta = finding.actual - finding.expected
    for component in components:
        if _same(component.delta, delta):
            yield (
                f"{component.resource} alone makes the difference: expected {component.expected:.6g}, "
                f"actual {component.actual:.6g}"
            )
    yield from islice(_suspects(rows, abs(delta)), _SUSPECTS)


def _suspects(rows: Iterable[Contribution], delta: float) -> Iterator[str]:
    for row in rows:
        if _same(abs(row.total), delta):
            yield f"{row.kind} {row.key} costs as much as the difference: {row.total:.6g}"
        elif _same(abs(row.adjustment), delta):
            yield f"the adjustment of {row.kind} {row.key} is as large: {row.adjustment:.6g}"


def _adjusted(
    finding: FloatResult, expected: Sequence[Contribution], actual: Sequence[Contribution]
) -> Iterator[str]:
    delta = finding.actual - finding.expected
    before, after = (math.fsum(row.adjustment for row in side) for side in (expected, actual))
    if _same(after - before, delta):
        yield f"the adjustments alone make the difference: expected {before:.6g}, actual {after:.6g}"


def _left_over(rows: Iterable[Contribution]) -> Iterator[str]:
    """What is charged to nobody."""
    by_kind: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row.total)
    for kind in ("idle", "unmounted"):
        if cost := math.fsum(by_kind[kind]):
            yield f"{kind} cost is {cost:.6g} of the actual side"


def _lagging(costs: Costs) -> Iterator[str]:
    if not costs.reconciled:
        yield "cloud billing lags: the window ended less than 48 h ago, and adjustments may be still to come"


def _same(amount: float, delta: float) -> bool:
    return abs(amount - delta) <= _SAME * abs(delta)
