import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.cost_json import (
    UploadedTotals,
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
    render_aggregates,
    render_totals,
)
from auditsvc.core.costs import (
    COMPUTE,
    Allocation,
    Cost,
    Origin,
    Resource,
    compute_aggregates,
    compute_allocation_totals,
    compute_asset_totals,
    sum_parts,
)
from auditsvc.core.window import Window
from auditsvc.errors import ParseError

DAY = Window.day(datetime(2024, 5, 1, tzinfo=UTC))
ROW = {"minutes": 60}
WINDOW = {"start": "2024-05-01T00:00:00Z", "end": "2024-05-02T00:00:00Z"}


def document(data: object) -> bytes:
    """A response with that content."""
    return json.dumps({"code": 200, "data": data}).encode()


def allocation(**fields: object) -> Allocation:
    """The one allocation of a response with those fields."""
    [row] = parse_allocations(document({"key": fields}))
    return row


# ------------------------------------------------------------------------------------------------ allocations
def test_an_allocation_is_read_with_all_that_the_audits_look_at() -> None:
    """Names, times, hours and each cost with its adjustment; labels, which only raw rows have."""
    names = {"cluster": "one", "node": "a", "namespace": "shop", "pod": "web-0"}
    costs = {f"{name}Cost": 1.5 for name in ("cpu", "gpu", "ram", "pv", "network", "loadBalancer")}
    adjustments = {f"{name}Adjustment": -0.5 for name in costs}
    row = allocation(
        properties={**names, "controller": "web", "controllerKind": "deployment", "labels": {"app": "web"}},
        window=WINDOW,
        **WINDOW,
        minutes=1440,
        cpuCoreHours=24,
        gpuHours=12.5,
        ramByteHours=1e12,
        sharedCost=0.25,
        externalCost=0.125,
        totalCost=6.375,
        **costs,
        **adjustments,
    )
    assert (row.cluster, row.node, row.namespace, row.pod) == tuple(names.values())
    assert (row.controller, row.controller_kind, dict(row.labels)) == ("web", "deployment", {"app": "web"})
    assert (row.window, row.start, row.end, row.minutes) == (DAY, DAY.start, DAY.end, 1440.0)
    assert row.hours == dict(zip(COMPUTE, (24.0, 12.5, 1e12), strict=True))
    assert row.parts.pop(Resource.SHARED) == Cost(0.25)  # type: ignore[attr-defined] # a dict, though read only
    assert row.parts.pop(Resource.EXTERNAL) == Cost(0.125)  # type: ignore[attr-defined] # likewise
    assert set(row.parts.values()) == {Cost(1.5, -0.5)}
    assert (row.stated, row.total) == (6.375, 6.375)


def test_an_aggregated_row_may_lack_nearly_everything() -> None:
    """Absent numbers are 0 and absent names empty; a row that states no total counts with its parts."""
    row = allocation(cpuCost=1.5, ramCost=0.25)
    assert (row.cluster, row.node_key, row.window, row.start, row.stated, row.total) == (
        "",
        "/",
        None,
        None,
        None,
        1.75,
    )
    assert allocation(properties=None, window={"start": None, "end": None}, pvs=None).total == 0.0
    unset = allocation(start="0001-01-01T00:00:00Z", end="0001-01-01T00:00:00Z")
    assert (unset.start, unset.end) == (None, None)


def test_a_null_is_no_number() -> None:
    """NaN is written as null: the part is unknown, the total is where it is null too or not stated."""
    row = allocation(cpuCost=1.5, ramCost=None, totalCost=None)
    assert row.parts[Resource.CPU].total == 1.5
    assert all(map(math.isnan, (row.parts[Resource.RAM].total, row.total, row.stated or 0.0)))
    assert math.isnan(allocation(ramCost=None).total)
    assert allocation(ramCost=None, totalCost=2.0).total == 2.0


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ({"a": ROW, "b": ROW}, ["a", "b"]),
        ([{"a": ROW, "b": ROW}], ["a", "b"]),
        ([{"a": ROW}, None, {}, {"b": ROW}], ["a", "b"]),
        ([{"a": ROW}, {"a": ROW}], ["a", "a"]),
        ({}, []),
        ([], []),
        (None, []),
    ],
)
def test_both_shapes_of_data_are_read(data: object, keys: list[str]) -> None:
    """A map of rows, or an array of maps, some of which may be empty or null."""
    assert [row.key for row in parse_allocations(document(data))] == keys
    assets = document(data).replace(b'{"minutes"', b'{"type": "Disk", "minutes"')
    assert [row.key for row in parse_assets(assets)] == keys


def test_a_key_that_is_there_twice_is_two_rows() -> None:
    """Most readers of JSON keep the last and lose the money of the first; the audit of keys must see both."""
    rows = parse_allocations(b'{"data": {"a": {"cpuCost": 1}, "a": {"cpuCost": 2}}}')
    assert [(row.key, row.total) for row in rows] == [("a", 1.0), ("a", 2.0)]


def test_opencosts_documented_allocations_are_read(shared_data: Path) -> None:
    """Rows aggregated by namespace: their parts are their totals, but for the rounding of each number."""
    rows = parse_allocations(
        (shared_data / "opencost/opencost-website-allocation-7d-namespace.json").read_bytes()
    )
    assert {row.key: row.total for row in rows} == {
        "kube-system": 1.52743,
        "opencost": 0.10937,
        "prometheus": 0.14136,
    }
    assert [sum_parts(row.parts) for row in rows] == pytest.approx([row.total for row in rows], abs=1.1e-5)
    assert [row.namespace for row in rows] == [row.key for row in rows]


# ----------------------------------------------------------------------------------------------------- assets
ASSET_TYPES = {
    "Disk": Resource.PERSISTENT_VOLUME,
    "LoadBalancer": Resource.LOAD_BALANCER,
    "Network": Resource.NETWORK,
    "ClusterManagement": Resource.CLUSTER_MANAGEMENT,
    "Shared": Resource.SHARED,
    "Cloud": Resource.EXTERNAL,
    "NextYearsType": Resource.OTHER,
}


@pytest.mark.parametrize("kind", ASSET_TYPES)
def test_every_type_of_asset_is_read(kind: str) -> None:
    """But for nodes, an asset is one resource: its total without adjustment and credit, and these."""
    fields = {"type": kind, "adjustment": -0.5, "credit": -0.25, "totalCost": 4.0}
    [row] = parse_assets(document({"key": fields}))
    assert row.parts == {ASSET_TYPES[kind]: Cost(4.75, -0.75)}
    assert (row.type, row.total, row.is_node) == (kind, 4.0, False)


def test_a_nodes_discount_never_touches_its_gpus() -> None:
    """The total is (cpu + ram)·(1 − discount) + gpu + adjustment; GPU hours are written in capitals."""
    node = {
        "type": "Node",
        "properties": {"category": "Compute", "cluster": "one", "name": "a", "providerID": "i-1"},
        "cpuCoreHours": 96,
        "GPUHours": 24.0,
        "ramByteHours": 5,
        "discount": 0.2,
        "cpuCost": 10,
        "ramCost": 6,
        "gpuCost": 2,
        "adjustment": -1.48,
        "totalCost": 13.32,
    }
    [row] = parse_assets(document({"key": node}))
    assert (row.category, row.name_key, row.provider_id, row.discount) == ("Compute", "one/a", "i-1", 0.2)
    assert row.hours == dict(zip(COMPUTE, (96.0, 24.0, 5.0), strict=True))
    assert [row.parts[name].cost for name in COMPUTE] == pytest.approx([8.0, 2.0, 4.8])
    assert [row.parts[name].total for name in COMPUTE] == pytest.approx([7.2, 1.8, 4.32])
    assert row.total == 13.32


def test_a_disk_with_a_nodes_name_is_attached_to_it() -> None:
    """In the same cluster; any other disk is a persistent volume."""
    rows = {
        f"{cluster}-{kind}-{name}": {
            "type": kind,
            "properties": {"cluster": cluster, "name": name},
            "totalCost": 1,
        }
        for cluster, kind, name in (
            ("one", "Disk", "a"),
            ("two", "Disk", "a"),
            ("one", "Disk", "b"),
            ("one", "Node", "a"),
        )
    }
    disks = [row for row in parse_assets(document(rows)) if not row.is_node]
    volume = Resource.PERSISTENT_VOLUME
    assert [list(disk.parts) for disk in disks] == [[Resource.ATTACHED_VOLUME], [volume], [volume]]


def test_opencosts_documented_assets_are_read(shared_data: Path) -> None:
    """A node and a disk: the node's parts are its total."""
    node, disk = parse_assets((shared_data / "opencost/opencost-website-assets-7d.json").read_bytes())
    assert (node.cluster, node.total, disk.total) == ("gke-opencost", 0.466114, 0.065973)
    assert sum_parts(node.parts) == pytest.approx(node.total)
    totals = compute_asset_totals((node, disk))
    assert totals.by_cluster["gke-opencost"].total == pytest.approx(0.466114 + 0.065973)
    assert totals.by_node[disk.name_key].parts[Resource.PERSISTENT_VOLUME].total == pytest.approx(0.065973)


# ------------------------------------------------------------------------------------------------ cloud costs
def test_cloud_costs_are_read() -> None:
    """Their amortized net cost, under the category that an asset has; those without a provider id are not."""

    def bill(provider_id: str, category: str, **amount: object) -> dict[str, Any]:
        properties = {"providerID": provider_id, "category": category}
        return {"properties": properties, "listCost": {"cost": 99}, **amount}

    bills = {
        "a": bill("i-1", "Virtual Machine", amortizedNetCost={"cost": 70.3, "kubernetesPercent": 0.75}),
        "b": bill("vol-1", "Storage", amortizedNetCost={"cost": None}),
        "c": bill("", "Other"),
        "d": bill("lb-1", "Load Balancer"),
    }
    found = parse_cloud_costs(document({"sets": [{"cloudCosts": bills}, {"cloudCosts": None}, {}]}))
    assert [(row.key, row.provider_id, row.category) for row in found] == [
        ("a", "i-1", "Compute"),
        ("b", "vol-1", "Storage"),
        ("d", "lb-1", "Network"),
    ]
    assert (found[0].cost, found[0].kubernetes) == (70.3, 0.75)
    assert math.isnan(found[1].cost)
    assert math.isnan(found[2].cost)


# ------------------------------------------------------------------------------------- totals and aggregates
def test_uploaded_totals_are_read_as_opencost_writes_them() -> None:
    """By cluster and by node, with OpenCost's names; one half is enough."""
    row = {"cluster": "one", "node": "", "count": 3, "cpuCost": 2, "cpuCostAdjustment": -0.5}
    volumes = {"persistentVolumeCost": 1.25, "persistentVolumeCostAdjustment": 0.25, "totalCost": 3.0}
    totals, assets = parse_totals(
        document({"allocations": {"cluster": {"one": {**row, **volumes}}, "node": {}}})
    )
    assert assets is None
    assert totals
    assert (totals.origin, totals.by_node) == (Origin.UPLOADED, {})
    total = totals.by_cluster["one"]
    assert (total.count, total.stated, total.total) == (3, 3.0, 3.0)
    assert (total.parts[Resource.CPU], total.parts[Resource.PERSISTENT_VOLUME]) == (
        Cost(2, -0.5),
        Cost(1.25, 0.25),
    )
    _, assets = parse_totals(
        document({"assets": {"cluster": {}, "node": {"one/a": {"attachedVolumeCost": 2}}}})
    )
    assert assets
    assert assets.by_node["one/a"].total == 2.0


def test_uploaded_aggregates_are_what_opencost_answers_for_each_property() -> None:
    """Of either shape; a row of a node that names its cluster gets the key that nodes have here."""
    rows = {"a": {"properties": {"cluster": "one", "node": "a"}, "cpuCost": 1}, "__idle__": {"cpuCost": 2}}
    content = {"node": rows, "namespace": [{"shop": {"pvCost": 3, "totalCost": 3}}], "label:app": None}
    aggregates = parse_aggregates(document(content))
    found = {
        name: {key: row.total for key, row in table.items()} for name, table in aggregates.tables.items()
    }
    assert found == {"node": {"one/a": 1.0, "__idle__": 2.0}, "namespace": {"shop": 3.0}, "label:app": {}}
    assert aggregates.origin is Origin.UPLOADED


amounts = st.none() | st.floats(-1e9, 1e9).map(lambda amount: round(amount, 5))
names = st.sampled_from("ab")
raw_rows = st.fixed_dictionaries(
    {
        "properties": st.fixed_dictionaries(
            {"cluster": names, "node": names, "namespace": names, "labels": st.dictionaries(names, names)}
        )
    },
    optional=dict.fromkeys(("cpuCost", "ramCostAdjustment", "pvCost", "sharedCost", "totalCost"), amounts),
)


@given(st.lists(raw_rows, max_size=5))
def test_our_own_tables_come_back_as_they_were(rows: list[dict[str, Any]]) -> None:
    """Rendered and parsed again, totals and aggregates are the same to the last bit, nulls included."""
    allocations = parse_allocations(document({str(number): row for number, row in enumerate(rows)}))
    totals = compute_allocation_totals(allocations)
    aggregates = compute_aggregates(allocations)
    found = parse_totals(render_totals(totals, None), origin=Origin.OWN)
    assert repr(found) == repr(UploadedTotals(totals, None))  # NaN equals nothing, but its text
    assert repr(parse_aggregates(render_aggregates(aggregates), origin=Origin.OWN)) == repr(aggregates)


def test_tables_hold_sums_of_the_largest_costs() -> None:
    """A row's cost is bounded; a sum of rows may be larger, and is read all the same."""
    rows = {str(number): {"pvCost": 1e15, "properties": {"pod": "web-0"}} for number in range(3)}
    aggregates = compute_aggregates(parse_allocations(document(rows)))
    assert parse_aggregates(render_aggregates(aggregates)).tables["pod"]["web-0"].total == 3e15


def test_our_own_totals_of_assets_come_back_as_they_were(shared_data: Path) -> None:
    """The other half of the document likewise."""
    content = json.loads((shared_data / "opencost/mock-upstream-1.json").read_bytes())
    totals = compute_asset_totals(parse_assets(document(content["assets"])))
    assert parse_totals(render_totals(None, totals), origin=Origin.OWN) == (None, totals)


# ----------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "not an allocation response: Input data was truncated"),
        (b"{", "not an allocation response: Input data was truncated"),
        (b"[]", "not an allocation response: Expected `object`, got `array`"),
        (b"{}", "not an allocation response: it has no data"),
        (b'{"code": 500, "data": null, "message": "bad window"}', "not an allocation response: bad window"),
        (b'{"data": 5}', "not an allocation response: Expected `object | array | null`, got `int`"),
        (b'{"data": {"a": 5}}', "not an allocation response: Expected `object`, got `int` - at `$[...]`"),
        (
            document({"a": {"cpuCost": "1"}}),
            "not an allocation response: Expected `float | null`, got `str` - at `$[...].cpuCost`",
        ),
        (
            document([{"a": {"cpuCost": 1e16}}]),
            "not an allocation response: Expected `float` <= 1000000000000000.0 - at `$[0][...].cpuCost`",
        ),
        (
            document({"a": {"start": "2024-05-01T00:00:00"}}),
            "not an allocation response: Expected `datetime` with a timezone component - at `$[...].start`",
        ),
        (b'{"data": {"a": {"properties": {"pod": "\xff"}}}}', "not an allocation response: "),
        (b'{"data": ' + b"[" * 100_000, "not an allocation response: "),
        (
            document({"a": {"window": {"start": WINDOW["end"], "end": WINDOW["start"]}}}),
            "a row's window: a window must end after its start: [2024-05-02T00:00:00+0000, ",
        ),
    ],
)
def test_what_is_no_allocation_response_is_refused(document: bytes, message: str) -> None:
    """In one line that says what is wrong and where."""
    with pytest.raises(ParseError) as caught:
        parse_allocations(document)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_other_documents_are_refused_by_their_names() -> None:
    """Each message says what was expected."""
    for parse, message in (
        (parse_assets, "not an asset response: it has no data"),
        (parse_cloud_costs, "not a cloud cost response: it has no data"),
        (parse_totals, "not a document of totals: it has no data"),
        (parse_aggregates, "not a document of aggregates: it has no data"),
    ):
        with pytest.raises(ParseError) as caught:
            parse(b"{}")
        assert str(caught.value) == message


ALLOCATIONS = document({"one/a": {"properties": {"cluster": "one"}, "cpuCost": 1.0}})
ASSETS = document({"node": {"type": "Node", "cpuCost": 1.0}})
TOTALS = document({"allocations": {"cluster": {"one": {"cpuCost": 1.0}}, "node": {}}})
AGGREGATES = document({"cluster": {"one": {"cpuCost": 1.0}}})


@pytest.mark.parametrize(
    ("parse", "other", "message"),
    [
        (parse_allocations, ASSETS, "not an allocation response: node has a type, as an asset has"),
        (parse_allocations, TOTALS, "not an allocation response: allocations has nothing that an alloc"),
        (parse_allocations, AGGREGATES, "not an allocation response: cluster has nothing that an alloc"),
        (parse_assets, ALLOCATIONS, "not an asset response: one/a has no type"),
        (parse_assets, TOTALS, "not an asset response: allocations has no type"),
        (parse_assets, AGGREGATES, "not an asset response: cluster has no type"),
        (parse_totals, ALLOCATIONS, 'not a document of totals: data has neither "allocations" nor "assets"'),
        (parse_totals, AGGREGATES, 'not a document of totals: data has neither "allocations" nor "assets"'),
        (parse_aggregates, ASSETS, "not a document of aggregates: "),
        (parse_aggregates, TOTALS, "unknown property: allocations "),
    ],
)
def test_a_document_of_another_kind_is_refused(
    parse: Callable[[bytes], object], other: bytes, message: str
) -> None:
    """Whole: read as rows of zeros it would pass for a day that cost nothing."""
    with pytest.raises(ParseError) as caught:
        parse(other)
    assert str(caught.value).startswith(message)


def test_a_tables_total_is_what_its_source_states() -> None:
    """Whatever the parts add up to, null included; without any parts there are none."""
    rows = {
        "sum": {"cpuCost": 1.0, "ramCost": 1.0},
        "wrong": {"cpuCost": 1.0, "totalCost": 5.0},
        "alone": {"count": 9, "totalCost": 5.0},
        "null": {"cpuCost": 1.0, "totalCost": None},
    }
    table = parse_aggregates(document({"pod": rows})).tables["pod"]
    found = {key: (total.total, bool(total.parts)) for key, total in table.items() if key != "null"}
    assert found == {"sum": (2.0, True), "wrong": (5.0, True), "alone": (5.0, False)}
    assert math.isnan(table["null"].total)


@pytest.mark.parametrize("name", ["pvCost", "persistentVolumeCost"])
def test_tables_may_name_volumes_either_way(name: str) -> None:
    """As OpenCost's totals do, or as its allocations."""
    row = {name: 2.0, f"{name}Adjustment": -0.5}
    totals, _ = parse_totals(document({"allocations": {"cluster": {"one": row}, "node": {}}}))
    table = parse_aggregates(document({"cluster": {"one": row}})).tables["cluster"]
    assert totals
    for total in (totals.by_cluster["one"], table["one"]):
        assert total.parts[Resource.PERSISTENT_VOLUME] == Cost(2.0, -0.5)


def test_a_document_of_totals_needs_one_half() -> None:
    """An empty one would make the audit of totals pass over nothing."""
    with pytest.raises(ParseError, match='data has neither "allocations" nor "assets"'):
        parse_totals(document({}))


def test_an_unknown_property_is_refused_by_name() -> None:
    """With those that there are."""
    message = (
        "unknown property: colour (known are cluster, namespace, controller, pod, node, label, label:<name>)"
    )
    with pytest.raises(ParseError) as caught:
        parse_aggregates(document({"colour": {}}))
    assert str(caught.value) == message
