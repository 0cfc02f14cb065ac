"""Costs as values: the rows that OpenCost and Kubecost report, what they cost, and the sums over them.

The formulas are OpenCost's (``core/pkg/opencost``). An amount is in the currency of its source; a NaN stands
for a null on the wire, a number that the source itself does not know, and makes every sum that needs it NaN.
Sums are made with :func:`math.fsum`, so that they do not depend on the order of the rows.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from auditsvc.core.window import Window

IDLE = "__idle__"
UNMOUNTED = "__unmounted__"
UNALLOCATED = "__unallocated__"

RECONCILED_AFTER = timedelta(hours=48)


class Resource(StrEnum):
    """What is paid for, in Kubecost's words."""

    CPU = "CPU"
    GPU = "GPU"
    RAM = "RAM"
    PERSISTENT_VOLUME = "PersistentVolume"
    NETWORK = "Network"
    LOAD_BALANCER = "LoadBalancer"
    ATTACHED_VOLUME = "AttachedVolume"
    CLUSTER_MANAGEMENT = "ClusterManagement"
    SHARED = "Shared"
    EXTERNAL = "External"
    OTHER = "Other"


COMPUTE = (Resource.CPU, Resource.GPU, Resource.RAM)
ALLOCATED = (*COMPUTE, Resource.PERSISTENT_VOLUME, Resource.NETWORK, Resource.LOAD_BALANCER)
ASSET_TOTALLED = (
    *COMPUTE,
    Resource.PERSISTENT_VOLUME,
    Resource.ATTACHED_VOLUME,
    Resource.LOAD_BALANCER,
    Resource.CLUSTER_MANAGEMENT,
)
AGGREGATED = (*ALLOCATED, Resource.SHARED, Resource.EXTERNAL)
_NOT_TOTALLED = (Resource.SHARED, Resource.EXTERNAL, Resource.OTHER)

# The table of `label` has a key for each `name=value` that some row carries, that of `label:<name>` one for
# each value of that label.
LABEL = "label"
PROPERTIES = ("cluster", "namespace", "controller", "pod", "node", LABEL)


class Cost(NamedTuple):
    """A measured (or listed) cost, and what cloud billing later added to it."""

    cost: float = 0.0
    adjustment: float = 0.0

    @property
    def total(self) -> float:
        """Cost and adjustment."""
        return self.cost + self.adjustment


Parts = Mapping[Resource, Cost]
NOTHING = Cost()

# How many decimals of an amount are on the wire.
ALLOCATION_DECIMALS = 5
ASSET_DECIMALS = 6

# The wire has six decimals; a divisor below that is 0, and would blow an adjustment up beyond all floats.
_NOTHING_PAID = 1e-9


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """What one container, or an aggregation of some, cost in a window.

    ``key`` is its name in the response. ``hours`` are core hours (CPU), GPU hours and byte hours (RAM);
    ``stated`` is the source's own ``totalCost`` (None: it states none), ``total`` the cost that counts.
    """

    key: str
    cluster: str = ""
    node: str = ""
    namespace: str = ""
    controller: str = ""
    controller_kind: str = ""
    pod: str = ""
    labels: Mapping[str, str] = {}
    window: Window | None = None
    start: datetime | None = None
    end: datetime | None = None
    minutes: float = 0.0
    hours: Mapping[Resource, float] = {}
    parts: Parts = {}
    stated: float | None = None
    total: float = 0.0

    @property
    def node_key(self) -> str:
        """``cluster/node``: node names are unique in a cluster only."""
        return f"{self.cluster}/{self.node}"

    @property
    def idle(self) -> bool:
        """Whether it is a node's cost that nobody asked for."""
        return IDLE in self.key

    @property
    def unmounted(self) -> bool:
        """Whether it is the cost of volumes or load balancers that no pod uses."""
        return UNMOUNTED in self.key

    @property
    def totalled(self) -> bool:
        """Whether totals count it: they leave out what no pod asked for."""
        return not (self.idle or self.unmounted)


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What one thing that is paid for cost in a window: a node, a disk, a load balancer, …

    A node's CPU and RAM are after its ``discount``, and its one adjustment is split over its resources; any
    other asset is one resource. ``numbers`` are the amounts on the wire that the parts are made of;
    ``stated`` and ``total`` are as an allocation's.
    """

    key: str
    type: str = ""
    category: str = ""
    cluster: str = ""
    name: str = ""
    provider_id: str = ""
    window: Window | None = None
    start: datetime | None = None
    end: datetime | None = None
    minutes: float = 0.0
    hours: Mapping[Resource, float] = {}
    discount: float = 0.0
    parts: Parts = {}
    numbers: tuple[float, ...] = ()
    stated: float | None = None
    total: float = 0.0

    @property
    def is_node(self) -> bool:
        """Whether it is a node."""
        return self.type == "Node"

    @property
    def name_key(self) -> str:
        """``cluster/name``, which for a node is the key that its allocations have."""
        return f"{self.cluster}/{self.name}"


Row = Allocation | Asset


class CloudCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the cloud provider billed for one resource, amortized and net of discounts.

    ``kubernetes`` is the share of it, from 0 to 1, that is a cluster's.
    """

    key: str
    provider_id: str
    category: str
    cost: float
    kubernetes: float


class Origin(StrEnum):
    """Where a table of totals or aggregates comes from."""

    UPLOADED = "uploaded"
    OWN = "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """The cost of ``count`` rows: of ``rows``, where it was computed and not read.

    Where a source states the total, that is what it holds and what counts, whatever the parts are; without
    parts it holds nothing else. A total that is stated as null is NaN.
    """

    parts: Parts
    count: int
    stated: float | None
    total: float
    rows: Sequence[Row] = field(default=(), repr=False, compare=False)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Costs by cluster and by ``cluster/node`` (for assets ``cluster/name``)."""

    by_cluster: Mapping[str, Total]
    by_node: Mapping[str, Total]
    origin: Origin = Origin.OWN


class Aggregates(msgspec.Struct, frozen=True, kw_only=True):
    """Costs by property and then by that property's keys."""

    tables: Mapping[str, Mapping[str, Total]]
    origin: Origin = Origin.OWN


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """One window's cost data, and ``now``, the time of the audit: billing adjusts costs only later.

    ``only_steps`` are the kinds of row (``allocations``, ``assets``) of which there are steps of the window
    that do not make up the whole of it, and nothing else.
    """

    window: Window
    now: datetime
    allocations: tuple[Allocation, ...] = ()
    assets: tuple[Asset, ...] = ()
    allocation_totals: Totals | None = None
    asset_totals: Totals | None = None
    aggregates: Aggregates | None = None
    only_steps: Collection[str] = ()

    @property
    def reconciled(self) -> bool:
        """Whether cloud billing had the time to adjust the costs."""
        return self.now - self.window.end >= RECONCILED_AFTER


class CostHours(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a window's hours, each with the window of its hour."""

    allocations: tuple[Allocation, ...] = ()
    assets: tuple[Asset, ...] = ()


def sum_parts(parts: Parts) -> float:
    """The cost of all of a row's parts; NaN where one is unknown."""
    return math.fsum(part_amounts(parts))


def sum_totals(rows: Iterable[Row]) -> float:
    """The cost of some rows; NaN where one is unknown."""
    return math.fsum(row.total for row in rows)


def sum_resource(rows: Iterable[Row], resource: Resource) -> float:
    """The cost and adjustment of one resource over some rows; NaN where one is unknown."""
    return math.fsum(amount for row in rows for amount in row.parts.get(resource, NOTHING))


def part_amounts(parts: Parts) -> tuple[float, ...]:
    """Each part's cost and adjustment."""
    return tuple(amount for part in parts.values() for amount in part)


def half_units(amounts: Iterable[float], *, decimals: int) -> float:
    """By how much rounding may have moved the sum of these amounts: half a unit for each that is rounded.

    That is one with no more decimals.
    """
    rounded = sum(1 for amount in amounts if amount == round(amount, decimals))
    return rounded * _half_unit(decimals)


def wire_rounding(rows: Iterable[Row], resource: Resource | None = None, *, zeros: bool = False) -> float:
    """By how much the wire's rounding may have moved the sum of some rows, in total or of one resource.

    A 0 does not count, as nearly always it stands for a cost that is not there; with ``zeros`` it does.
    """
    return math.fsum(
        half_units(
            (amount for amount in _wire_amounts(row, resource) if amount or zeros),
            decimals=ASSET_DECIMALS if isinstance(row, Asset) else ALLOCATION_DECIMALS,
        )
        for row in rows
    )


def counted_total(parts: Parts, stated: float, *, amounts: Iterable[float], decimals: int) -> float:
    """The total that counts of a row with these parts and that ``totalCost``.

    It is the sum of the parts. The stated total is that sum rounded once and not once for each part, so it
    is taken where the two differ by no more than half a unit for each of the ``amounts`` on the wire that
    is not 0 and one for the total itself, and where a part is unknown.
    """
    computed = sum_parts(parts)
    rounding = (1 + sum(1 for amount in amounts if amount)) * _half_unit(decimals)
    return stated if math.isnan(computed) or abs(computed - stated) <= rounding else computed


def split_adjustment(costs: Mapping[Resource, float], adjustment: float) -> dict[Resource, Cost]:
    """A node's discounted costs, each with its share of the node's one adjustment.

    The shares follow from ``rate = total / (total - adjustment)``. Where that divisor is 0 the rate is 0, and
    the adjustment, which no resource then has, stands alone. An unknown cost makes the shares of the others
    unknown, but not those of nothing, nor those that are nothing.
    """
    if not adjustment:
        return {resource: Cost(cost) for resource, cost in costs.items()}
    before = math.fsum(costs.values())
    if abs(before) < _NOTHING_PAID:
        return {**dict.fromkeys(costs, NOTHING), Resource.OTHER: Cost(0.0, adjustment)}
    rate = (before + adjustment) / before
    return {resource: Cost(cost, cost * rate - cost) if cost else NOTHING for resource, cost in costs.items()}


def compute_allocation_totals(allocations: Iterable[Allocation]) -> Totals:
    """The allocations' totals, without idle and unmounted rows, and without shared and external costs."""
    counted = [row for row in allocations if row.totalled]
    return Totals(
        by_cluster=_sums(counted, lambda row: (row.cluster,), ALLOCATED, left_out=_NOT_TOTALLED),
        by_node=_sums(counted, lambda row: (row.node_key,), ALLOCATED, left_out=_NOT_TOTALLED),
    )


def compute_asset_totals(assets: Iterable[Asset]) -> Totals:
    """The assets' totals: nodes, disks, load balancers and, by cluster only, the clusters' management."""
    counted = [row for row in assets if not row.parts.keys().isdisjoint(ASSET_TOTALLED)]
    named = [row for row in counted if Resource.CLUSTER_MANAGEMENT not in row.parts]
    return Totals(
        by_cluster=_sums(counted, lambda row: (row.cluster,), ASSET_TOTALLED, left_out=_NOT_TOTALLED),
        by_node=_sums(named, lambda row: (row.name_key,), ASSET_TOTALLED, left_out=_NOT_TOTALLED),
    )


def compute_aggregates(
    allocations: Iterable[Allocation], properties: Collection[str] = PROPERTIES
) -> Aggregates:
    """The allocations aggregated by each property: one of PROPERTIES or ``label:<name>``."""
    rows = tuple(allocations)
    tables = {name: _sums(rows, partial(aggregate_keys, name=name), AGGREGATED) for name in properties}
    return Aggregates(tables=tables)


def aggregate_keys(row: Allocation, name: str) -> tuple[str, ...]:
    """The keys under which a row is counted in the table of that property.

    They are OpenCost's, but that a node is ``cluster/node``. Idle rows have one key of their own in every
    table; only in the label table may a row have several.
    """
    if row.idle:
        return (IDLE,)
    if name == "node":
        return (row.node_key,)
    if name == "controller":
        return (_controller(row),)
    if name == LABEL:
        return tuple(f"{label}={value}" for label, value in row.labels.items()) or (UNALLOCATED,)
    if name.startswith(f"{LABEL}:"):
        return (row.labels.get(name.removeprefix(f"{LABEL}:"), UNALLOCATED),)
    return ({"cluster": row.cluster, "namespace": row.namespace, "pod": row.pod}[name],)


_AnyRow = TypeVar("_AnyRow", bound=Row)


def split_rows(rows: Iterable[_AnyRow], window: Window) -> tuple[tuple[_AnyRow, ...], tuple[_AnyRow, ...]]:
    """The window's own rows, and those of its hours: of the shorter windows that lie within it.

    Where there are only such steps and they make up the whole window, their rows are the window's own.
    """

    def of_an_hour(row: Row) -> bool:
        inner = row.window or window
        return inner != window and window.start <= inner.start and inner.end <= window.end

    split = [(row, of_an_hour(row)) for row in rows]
    own, hours = tuple(row for row, hour in split if not hour), tuple(row for row, hour in split if hour)
    if not own and _tile({row.window for row in hours if row.window}, window):
        return hours, ()
    return own, hours


def group_rows(rows: Iterable[_AnyRow], keys: Callable[[_AnyRow], Iterable[str]]) -> dict[str, list[_AnyRow]]:
    """The rows under each of their keys, the keys in alphabetical order."""
    groups: defaultdict[str, list[_AnyRow]] = defaultdict(list)
    for row in rows:
        for key in keys(row):
            groups[key].append(row)
    return dict(sorted(groups.items()))


def _tile(steps: Iterable[Window], window: Window) -> bool:
    """Whether the steps follow one another from the window's start to its end."""
    end = window.start
    for step in sorted(steps, key=lambda step: step.start):
        if step.start != end:
            return False
        end = step.end
    return end == window.end


def _half_unit(decimals: int) -> float:
    return float(f"5e-{decimals + 1}")


def _wire_amounts(row: Row, resource: Resource | None) -> Iterable[float]:
    """The amounts on the wire that a row's total, or its cost of that resource, is made of."""
    if resource is None and row.stated is not None and row.total == row.stated:
        return (row.stated,)
    if isinstance(row, Asset):
        return row.numbers if resource is None or resource in row.parts else ()
    return part_amounts(row.parts) if resource is None else row.parts.get(resource, NOTHING)


def _controller(row: Allocation) -> str:
    if not row.controller:
        return UNALLOCATED
    return f"{row.controller_kind}:{row.controller}" if row.controller_kind else row.controller


def _sums(
    rows: Iterable[_AnyRow],
    keys: Callable[[_AnyRow], Iterable[str]],
    resources: Sequence[Resource],
    *,
    left_out: Sequence[Resource] = (),
) -> dict[str, Total]:
    return {key: _sum(group, resources, left_out) for key, group in group_rows(rows, keys).items()}


def _sum(rows: Sequence[Row], resources: Sequence[Resource], left_out: Sequence[Resource]) -> Total:
    parts = {resource: rows[0].parts.get(resource, NOTHING) for resource in resources}
    for resource in resources if len(rows) > 1 else ():  # a pod is mostly one row, and most groups are pods
        costs, adjustments = zip(*(row.parts.get(resource, NOTHING) for row in rows), strict=True)
        parts[resource] = Cost(math.fsum(costs), math.fsum(adjustments))
    # The rows' totals are rounded once and their parts one by one; but a row's total may be null.
    total = math.fsum((sum_totals(rows), *(-sum_resource(rows, resource) for resource in left_out)))
    total = sum_parts(parts) if math.isnan(total) else total
    return Total(parts=parts, count=len(rows), stated=total, total=total, rows=rows)
