"""The JSON of costs: OpenCost's and Kubecost's responses, and documents of totals and aggregates.

Each is an envelope with its content in ``data``; an envelope with an error code is refused. The rows of a
response are a map by key, or an array of such maps (null for an empty one).

``/allocation/compute``
    ``{"data": [{"<key>": {"properties": {"cluster": …}, "cpuCost": 1.5, "cpuCostAdjustment": 0, …}}]}``
``/assets``
    ``{"data": {"<key>": {"type": "Node", "properties": {…}, "cpuCost": 1.5, "discount": 0.3, …}}}``
``/cloudCost``
    ``{"data": {"sets": [{"cloudCosts": {"<key>": {"properties": {…}, "amortizedNetCost": {…}}}}]}}``
totals
    ``{"data": {"allocations": {"cluster": {"<cluster>": {"count": 2, "cpuCost": 1.5, …}},
    "node": {"<cluster>/<node>": {…}}}, "assets": {…}}}``: OpenCost's JSON of its allocation and asset
    totals, or of one of the two
aggregates
    ``{"data": {"<property>": {"<key>": {"properties": {…}, "cpuCost": 1.5, …}}}}``: for each property the
    rows of ``/allocation/compute?aggregate=<property>``

An absent number is 0, a null is NaN; a row of a table with a ``totalCost`` alone has no parts. A document of
another kind is refused whole. Every ``parse_`` raises ParseError with the place of what is wrong.
"""

import math
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from auditsvc.core.costs import (
    AGGREGATED,
    ALLOCATED,
    ALLOCATION_DECIMALS,
    ASSET_DECIMALS,
    ASSET_TOTALLED,
    COMPUTE,
    LABEL,
    PROPERTIES,
    Aggregates,
    Allocation,
    Asset,
    CloudCost,
    Cost,
    Origin,
    Parts,
    Resource,
    Total,
    Totals,
    counted_total,
    part_amounts,
    split_adjustment,
    sum_parts,
)
from auditsvc.core.window import Window
from auditsvc.errors import ParseError, WindowError

# Beyond this a float has no cents left. Sums, of which tables are made, are bounded so that none overflows.
_Money = Annotated[float, Meta(ge=-1e15, le=1e15)] | None
_Amount = Annotated[float, Meta(ge=-1e30, le=1e30)] | None
_Sum = Annotated[float, Meta(ge=-1e100, le=1e100)] | None
_Time = Annotated[datetime, Meta(tz=True)] | None

_FIELDS = {
    Resource.CPU: "cpu_cost",
    Resource.GPU: "gpu_cost",
    Resource.RAM: "ram_cost",
    Resource.PERSISTENT_VOLUME: "pv_cost",
    Resource.NETWORK: "network_cost",
    Resource.LOAD_BALANCER: "load_balancer_cost",
    Resource.ATTACHED_VOLUME: "attached_volume_cost",
    Resource.CLUSTER_MANAGEMENT: "cluster_management_cost",
    Resource.SHARED: "shared_cost",
    Resource.EXTERNAL: "external_cost",
}
_UNADJUSTED = (Resource.SHARED, Resource.EXTERNAL)
_ADJUSTMENTS = {
    resource: f"{name}_adjustment" for resource, name in _FIELDS.items() if resource not in _UNADJUSTED
}
_ASSET_RESOURCES = {
    "Disk": Resource.PERSISTENT_VOLUME,
    "LoadBalancer": Resource.LOAD_BALANCER,
    "Network": Resource.NETWORK,
    "ClusterManagement": Resource.CLUSTER_MANAGEMENT,
    "Shared": Resource.SHARED,
    "Cloud": Resource.EXTERNAL,
}
# OpenCost's newer names for the category of a cloud cost, and what it calls those of an asset.
_CLOUD_CATEGORIES = {
    "Virtual Machine": "Compute",
    "Disk": "Storage",
    "Load Balancer": "Network",
    "Cluster Management": "Management",
}


class UploadedTotals(NamedTuple):
    """The totals of one document; None for a half that it lacks."""

    allocations: Totals | None
    assets: Totals | None


# -------------------------------------------------------------------------------------- what is on the wire
class _Key:
    """A key of a JSON object. Unlike text it equals itself alone, so that a key that is there twice stays."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class _Span(msgspec.Struct):
    start: _Time = None
    end: _Time = None


class _Properties(msgspec.Struct, rename={"controller_kind": "controllerKind", "provider_id": "providerID"}):
    category: str = ""
    cluster: str = ""
    name: str = ""
    provider_id: str = ""
    node: str = ""
    namespace: str = ""
    controller: str = ""
    controller_kind: str = ""
    pod: str = ""
    labels: dict[str, str] | None = None


class _Row(msgspec.Struct, rename="camel"):
    properties: _Properties | None = None
    type: str = ""  # of an asset: an allocation has none
    window: _Span | None = None
    start: _Time = None
    end: _Time = None
    minutes: _Amount = 0.0
    cpu_core_hours: _Amount = 0.0
    ram_byte_hours: _Amount = 0.0
    cpu_cost: _Money = 0.0
    gpu_cost: _Money = 0.0
    ram_cost: _Money = 0.0
    total_cost: _Money | UnsetType = UNSET


class _AllocationRow(_Row, rename="camel"):
    name: str = ""
    gpu_hours: _Amount = 0.0
    cpu_cost_adjustment: _Money = 0.0
    gpu_cost_adjustment: _Money = 0.0
    ram_cost_adjustment: _Money = 0.0
    pv_cost: _Money = 0.0
    pv_cost_adjustment: _Money = 0.0
    network_cost: _Money = 0.0
    network_cost_adjustment: _Money = 0.0
    load_balancer_cost: _Money = 0.0
    load_balancer_cost_adjustment: _Money = 0.0
    shared_cost: _Money = 0.0
    external_cost: _Money = 0.0


class _AssetRow(_Row, rename="camel"):
    gpu_hours: _Amount = msgspec.field(default=0.0, name="GPUHours")
    discount: _Money = 0.0
    adjustment: _Money = 0.0
    credit: _Money = 0.0


class _TotalRow(msgspec.Struct, rename="camel"):
    count: int = 1  # OpenCost counts in its totals, but not in its aggregates
    cpu_cost: _Sum | UnsetType = UNSET
    cpu_cost_adjustment: _Sum | UnsetType = UNSET
    gpu_cost: _Sum | UnsetType = UNSET
    gpu_cost_adjustment: _Sum | UnsetType = UNSET
    ram_cost: _Sum | UnsetType = UNSET
    ram_cost_adjustment: _Sum | UnsetType = UNSET
    pv_cost: _Sum | UnsetType = msgspec.field(default=UNSET, name="persistentVolumeCost")
    pv_cost_adjustment: _Sum | UnsetType = msgspec.field(default=UNSET, name="persistentVolumeCostAdjustment")
    also_pv_cost: _Sum | UnsetType = msgspec.field(default=UNSET, name="pvCost")
    also_pv_cost_adjustment: _Sum | UnsetType = msgspec.field(default=UNSET, name="pvCostAdjustment")
    network_cost: _Sum | UnsetType = UNSET
    network_cost_adjustment: _Sum | UnsetType = UNSET
    load_balancer_cost: _Sum | UnsetType = UNSET
    load_balancer_cost_adjustment: _Sum | UnsetType = UNSET
    attached_volume_cost: _Sum | UnsetType = UNSET
    attached_volume_cost_adjustment: _Sum | UnsetType = UNSET
    cluster_management_cost: _Sum | UnsetType = UNSET
    cluster_management_cost_adjustment: _Sum | UnsetType = UNSET
    total_cost: _Sum | UnsetType = UNSET

    def __post_init__(self) -> None:
        # OpenCost has two names for it, one in its totals and one in its allocations.
        if self.pv_cost is UNSET:
            self.pv_cost = self.also_pv_cost
        if self.pv_cost_adjustment is UNSET:
            self.pv_cost_adjustment = self.also_pv_cost_adjustment


class _AggregateRow(_TotalRow, rename="camel", omit_defaults=True):
    properties: _Properties | None = None
    pv_cost: _Sum | UnsetType = UNSET
    pv_cost_adjustment: _Sum | UnsetType = UNSET
    also_pv_cost: _Sum | UnsetType = msgspec.field(default=UNSET, name="persistentVolumeCost")
    also_pv_cost_adjustment: _Sum | UnsetType = msgspec.field(
        default=UNSET, name="persistentVolumeCostAdjustment"
    )
    shared_cost: _Sum | UnsetType = UNSET
    external_cost: _Sum | UnsetType = UNSET


class _CloudProperties(msgspec.Struct, rename={"provider_id": "providerID"}):
    provider_id: str = ""
    category: str = ""


class _CloudAmount(msgspec.Struct, rename="camel"):
    cost: _Money = None
    kubernetes_percent: _Money = 0.0


class _CloudRow(msgspec.Struct, rename="camel"):
    properties: _CloudProperties = msgspec.field(default_factory=_CloudProperties)
    amortized_net_cost: _CloudAmount = msgspec.field(default_factory=_CloudAmount)


class _CloudSet(msgspec.Struct, rename="camel"):
    cloud_costs: dict[_Key, _CloudRow] | None = None


class _CloudSets(msgspec.Struct):
    sets: list[_CloudSet]


class _TotalHalf(msgspec.Struct):
    cluster: dict[str, _TotalRow]
    node: dict[str, _TotalRow]


class _BothTotals(msgspec.Struct, omit_defaults=True):
    allocations: _TotalHalf | None = None
    assets: _TotalHalf | None = None


class _Envelope(msgspec.Struct):
    data: msgspec.Raw | UnsetType = UNSET
    code: int = 200
    message: str | None = None


_NO_ALLOCATION = _AllocationRow()

# ------------------------------------------------------------------------------------------------- decoding
_AllocationSets = dict[_Key, _AllocationRow] | list[dict[_Key, _AllocationRow] | None] | None
_AssetSets = dict[_Key, _AssetRow] | list[dict[_Key, _AssetRow] | None] | None
_AggregateSets = dict[_Key, _AggregateRow] | list[dict[_Key, _AggregateRow] | None] | None

_Content = TypeVar("_Content")
_WireRow = TypeVar("_WireRow", _AllocationRow, _AssetRow, _AggregateRow)
_TableRow = TypeVar("_TableRow", bound=_TotalRow)


def _decoder(content: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(content, dec_hook=lambda _, text: _Key(text))


_envelope: msgspec.json.Decoder[_Envelope] = _decoder(_Envelope)
_allocations: msgspec.json.Decoder[_AllocationSets] = _decoder(_AllocationSets)
_assets: msgspec.json.Decoder[_AssetSets] = _decoder(_AssetSets)
_cloud_costs: msgspec.json.Decoder[_CloudSets] = _decoder(_CloudSets)
_totals: msgspec.json.Decoder[_BothTotals] = _decoder(_BothTotals)
_aggregates: msgspec.json.Decoder[dict[str, _AggregateSets]] = _decoder(dict[str, _AggregateSets])


def parse_allocations(document: bytes) -> tuple[Allocation, ...]:
    """The rows of an `/allocation/compute` response.

    Those of several maps, which are the steps of the window asked for, come one after the other:
    :func:`auditsvc.core.costs.split_rows` tells them apart.
    """
    entries = list(_rows(_decode(document, "an allocation response", _allocations)))
    for key, row in entries:
        if row.type:
            raise ParseError(f"not an allocation response: {key} has a type, as an asset has")
        if row == _NO_ALLOCATION:
            raise ParseError(f"not an allocation response: {key} has nothing that an allocation has")
    return tuple(_allocation(key, row) for key, row in entries)


def parse_assets(document: bytes) -> tuple[Asset, ...]:
    """The rows of an `/assets` response, as those of allocations.

    A disk with the name of a node is attached to it, any other is a persistent volume: OpenCost has no
    better mark of the two.
    """
    entries = list(_rows(_decode(document, "an asset response", _assets)))
    for key, row in entries:
        if not row.type:
            raise ParseError(f"not an asset response: {key} has no type")
    nodes = {_name(row) for _, row in entries if row.type == "Node"}
    return tuple(
        _asset(key, row, attached=row.type == "Disk" and _name(row) in nodes) for key, row in entries
    )


def parse_cloud_costs(document: bytes) -> tuple[CloudCost, ...]:
    """The rows of a `/cloudCost` response that name a provider's resource."""
    content = _decode(document, "a cloud cost response", _cloud_costs)
    entries = ((key, row) for part in content.sets for key, row in (part.cloud_costs or {}).items())
    return tuple(_cloud_cost(key.text, row) for key, row in entries if row.properties.provider_id)


def parse_totals(document: bytes, *, origin: Origin = Origin.UPLOADED) -> UploadedTotals:
    """A document of totals: from the system under audit, or from :func:`render_totals`."""
    both = _decode(document, "a document of totals", _totals)
    if both.allocations is None and both.assets is None:
        raise ParseError('not a document of totals: data has neither "allocations" nor "assets"')
    return UploadedTotals(
        _half(both.allocations, ALLOCATED, origin),
        _half(both.assets, ASSET_TOTALLED, origin),
    )


def parse_aggregates(document: bytes, *, origin: Origin = Origin.UPLOADED) -> Aggregates:
    """A document of aggregates: from the system under audit, or from :func:`render_aggregates`."""
    content = _decode(document, "a document of aggregates", _aggregates)
    for name in content:
        if name not in PROPERTIES and not name.startswith(f"{LABEL}:"):
            raise ParseError(f"unknown property: {name} (known are {', '.join(PROPERTIES)}, {LABEL}:<name>)")
    tables = {
        name: {_table_key(name, key, row): _total(row, AGGREGATED) for key, row in _rows(sets)}
        for name, sets in content.items()
    }
    return Aggregates(tables=tables, origin=origin)


def render_totals(allocations: Totals | None, assets: Totals | None) -> bytes:
    """The document of these totals."""
    both = _BothTotals(_wire_half(allocations), _wire_half(assets))
    return msgspec.json.encode({"data": both})


def render_aggregates(aggregates: Aggregates) -> bytes:
    """The document of these aggregates."""
    tables = {
        name: {key: _filled(_AggregateRow(), total) for key, total in table.items()}
        for name, table in aggregates.tables.items()
    }
    return msgspec.json.encode({"data": tables})


def _decode(document: bytes, what: str, content: msgspec.json.Decoder[_Content]) -> _Content:
    try:
        envelope = _envelope.decode(document)
        if isinstance(envelope.data, msgspec.Raw) and envelope.code < 400:
            return content.decode(envelope.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"not {what}: {error}") from None
    raise ParseError(f"not {what}: {envelope.message or 'it has no data'}")


def _rows(
    sets: dict[_Key, _WireRow] | list[dict[_Key, _WireRow] | None] | None,
) -> Iterator[tuple[str, _WireRow]]:
    for entries in sets if isinstance(sets, list) else [sets]:
        for key, row in (entries or {}).items():
            yield key.text, row


# ------------------------------------------------------------------------------------------- wire to values
def _allocation(key: str, row: _AllocationRow) -> Allocation:
    properties = row.properties or _Properties()
    parts = _parts(row, AGGREGATED)
    stated = _stated(row.total_cost)
    return Allocation(
        key=key,
        cluster=properties.cluster,
        node=properties.node,
        namespace=properties.namespace,
        controller=properties.controller,
        controller_kind=properties.controller_kind,
        pod=properties.pod,
        labels=properties.labels or {},
        window=_window(row),
        start=_set(row.start),
        end=_set(row.end),
        minutes=_number(row.minutes),
        hours=_hours(row),
        parts=parts,
        stated=stated,
        total=_counted(parts, stated, part_amounts(parts), ALLOCATION_DECIMALS),
    )


def _asset(key: str, row: _AssetRow, *, attached: bool) -> Asset:
    properties = row.properties or _Properties()
    stated = _stated(row.total_cost)
    if row.type == "Node":
        parts = _node_parts(row)
        numbers = tuple(map(_number, (row.cpu_cost, row.gpu_cost, row.ram_cost, row.adjustment)))
    else:
        parts, numbers = _plain_parts(row, attached=attached), (stated or 0.0,)
    return Asset(
        key=key,
        type=row.type,
        category=properties.category,
        cluster=properties.cluster,
        name=properties.name,
        provider_id=properties.provider_id,
        window=_window(row),
        start=_set(row.start),
        end=_set(row.end),
        minutes=_number(row.minutes),
        hours=_hours(row),
        discount=_number(row.discount),
        parts=parts,
        numbers=numbers,
        stated=stated,
        total=_counted(parts, stated, numbers, ASSET_DECIMALS),
    )


def _cloud_cost(key: str, row: _CloudRow) -> CloudCost:
    category = row.properties.category
    return CloudCost(
        key=key,
        provider_id=row.properties.provider_id,
        category=_CLOUD_CATEGORIES.get(category, category),
        cost=_number(row.amortized_net_cost.cost),
        kubernetes=_number(row.amortized_net_cost.kubernetes_percent),
    )


def _total(row: _TotalRow, resources: tuple[Resource, ...]) -> Total:
    parts = _parts(row, resources) if _has_parts(row) else {}
    stated = _stated(row.total_cost)
    # It is what the source holds: taking the sum of the parts for it would hide that it is wrong.
    total = sum_parts(parts) if stated is None else stated
    return Total(parts=parts, count=row.count, stated=stated, total=total)


def _has_parts(row: _TotalRow) -> bool:
    """Whether it has any, and does not just state its total."""
    fields = [*_FIELDS.values(), *_ADJUSTMENTS.values()]
    return row.total_cost is UNSET or any(getattr(row, name, UNSET) is not UNSET for name in fields)


def _half(half: _TotalHalf | None, resources: tuple[Resource, ...], origin: Origin) -> Totals | None:
    if half is None:
        return None
    return Totals(
        by_cluster={key: _total(row, resources) for key, row in half.cluster.items()},
        by_node={key: _total(row, resources) for key, row in half.node.items()},
        origin=origin,
    )


def _table_key(name: str, key: str, row: _AggregateRow) -> str:
    # OpenCost aggregates by the node's name alone, which is no key where two clusters have such a node.
    if name == "node" and row.properties and row.properties.node:
        return f"{row.properties.cluster}/{row.properties.node}"
    return key


def _node_parts(row: _AssetRow) -> Parts:
    # The discount is one for CPU and RAM; a provider gives none for GPUs.
    paid = 1.0 - _number(row.discount)
    costs = {
        Resource.CPU: _number(row.cpu_cost) * paid if row.cpu_cost != 0 else 0.0,
        Resource.GPU: _number(row.gpu_cost),
        Resource.RAM: _number(row.ram_cost) * paid if row.ram_cost != 0 else 0.0,
    }
    return split_adjustment(costs, _number(row.adjustment))


def _plain_parts(row: _AssetRow, *, attached: bool) -> Parts:
    resource = Resource.ATTACHED_VOLUME if attached else _ASSET_RESOURCES.get(row.type, Resource.OTHER)
    adjustment = _number(row.adjustment) + _number(row.credit)
    return {resource: Cost((_stated(row.total_cost) or 0.0) - adjustment, adjustment)}


def _parts(row: _AllocationRow | _TotalRow, resources: tuple[Resource, ...]) -> Parts:
    costs = {resource: _stated(getattr(row, _FIELDS[resource])) or 0.0 for resource in resources}
    return {
        resource: Cost(
            cost, (_stated(getattr(row, _ADJUSTMENTS[resource])) or 0.0) if resource in _ADJUSTMENTS else 0.0
        )
        for resource, cost in costs.items()
    }


def _hours(row: _AllocationRow | _AssetRow) -> dict[Resource, float]:
    hours = (row.cpu_core_hours, row.gpu_hours, row.ram_byte_hours)
    return dict(zip(COMPUTE, map(_number, hours), strict=True))


def _set(moment: datetime | None) -> datetime | None:
    # Go writes a time that was never set as the first second of the year 1.
    return moment if moment and moment.year > 1 else None


def _window(row: _Row) -> Window | None:
    span = row.window
    return _whole_window(span.start, span.end) if span and span.start and span.end else None


@lru_cache(maxsize=64)
def _whole_window(start: datetime, end: datetime) -> Window:
    try:
        return Window(start, end)
    except WindowError as error:
        raise ParseError(f"a row's window: {error}") from None


def _name(row: _AssetRow) -> tuple[str, str]:
    return (row.properties.cluster, row.properties.name) if row.properties else ("", "")


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _stated(value: float | UnsetType | None) -> float | None:
    return None if isinstance(value, UnsetType) else _number(value)


def _counted(parts: Parts, stated: float | None, amounts: tuple[float, ...], decimals: int) -> float:
    if stated is None:
        return sum_parts(parts)
    return counted_total(parts, stated, amounts=amounts, decimals=decimals)


# ------------------------------------------------------------------------------------------- values to wire
def _wire_half(totals: Totals | None) -> _TotalHalf | None:
    if totals is None:
        return None
    return _TotalHalf(
        cluster={key: _filled(_TotalRow(), total) for key, total in totals.by_cluster.items()},
        node={key: _filled(_TotalRow(), total) for key, total in totals.by_node.items()},
    )


def _filled(row: _TableRow, total: Total) -> _TableRow:
    """The row with those costs; a NaN becomes a null when it is encoded."""
    row.count, row.total_cost = total.count, total.total
    for resource, part in total.parts.items():
        setattr(row, _FIELDS[resource], part.cost)
        if resource in _ADJUSTMENTS:
            setattr(row, _ADJUSTMENTS[resource], part.adjustment)
    return row
