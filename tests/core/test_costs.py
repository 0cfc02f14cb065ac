import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.cost_json import parse_allocations, parse_assets
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import (
    COMPUTE,
    PROPERTIES,
    Allocation,
    Asset,
    Cost,
    Costs,
    Resource,
    Total,
    Totals,
    aggregate_keys,
    compute_aggregates,
    compute_allocation_totals,
    compute_asset_totals,
    counted_total,
    half_units,
    split_adjustment,
    split_rows,
    sum_parts,
    wire_rounding,
)
from auditsvc.core.window import Window

DAY = Window.day(datetime(2024, 5, 1, tzinfo=UTC))
HOUR = Window(DAY.start, DAY.start + timedelta(hours=1))
TABLES = ("mock-upstream-1", "reconciled-day")


def opencost(shared_data: Path, name: str) -> dict[str, Any]:
    """One of the files of OpenCost data."""
    content: dict[str, Any] = json.loads((shared_data / "opencost" / f"{name}.json").read_bytes())
    return content


def rows_of(content: dict[str, Any]) -> tuple[tuple[Allocation, ...], tuple[Asset, ...]]:
    """The allocations and assets of such a file."""
    documents = (json.dumps({"data": content[kind]}).encode() for kind in ("allocations", "assets"))
    return parse_allocations(next(documents)), parse_assets(next(documents))


def sums(total: Total) -> dict[str, float]:
    """A total as the files' tables write it."""
    parts = {str(name): part.total for name, part in total.parts.items()}
    return {**parts, "Count": total.count, "Total": total.total}


# --------------------------------------------------------------------------------------------------- formulas
@pytest.mark.parametrize(
    ("costs", "adjustment", "expected"),
    [
        ((10.0, 20.0, 70.0), 0.0, (10.0, 20.0, 70.0)),
        ((10.0, 20.0, 70.0), -10.0, (9.0, 18.0, 63.0)),
        ((10.0, 0.0, 90.0), 50.0, (15.0, 0.0, 135.0)),
        ((100.0, 200.0, 150.0), -300.0, (100 / 3, 200 / 3, 50.0)),
        ((0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), 5.0, (0.0, 0.0, 0.0)),
        ((1e-300, 0.0, 0.0), 5.0, (0.0, 0.0, 0.0)),
    ],
)
def test_a_nodes_adjustment_is_split_by_rate(
    costs: tuple[float, ...], adjustment: float, expected: tuple[float, ...]
) -> None:
    """Each resource is scaled by total / (total - adjustment), by 0 where that divisor is 0; none is lost."""
    parts = split_adjustment(dict(zip(COMPUTE, costs, strict=True)), adjustment)
    assert [parts[resource].cost for resource in COMPUTE] == pytest.approx(list(costs), abs=1e-9)
    assert [parts[resource].total for resource in COMPUTE] == pytest.approx(expected)
    assert sum_parts(parts) == pytest.approx(sum(costs) + adjustment)


@pytest.mark.parametrize(
    ("parts", "stated", "expected"),
    [
        ((1.00001, 2.00001), 3.00001, 3.00001),  # the sum rounded once
        ((1.00001, 0.0), 1.00003, 1.00001),  # half a unit for each number that is not 0 is no more than one
        ((1e6, 2e6), 3000000.1, 3e6),  # however large they are
        ((1.0, 2.0), 3.5, 3.0),  # a stated total that is not the sum
        ((math.nan, 2.0), 3.5, 3.5),  # a part is unknown, the total is not
        ((1.0, 2.0), math.nan, 3.0),  # and the other way round
    ],
)
def test_the_total_that_counts(parts: tuple[float, float], stated: float, expected: float) -> None:
    """A row counts with its stated total where that is the parts' sum but for rounding, or they are null."""
    by_resource = {Resource.CPU: Cost(parts[0]), Resource.RAM: Cost(parts[1])}
    assert counted_total(by_resource, stated, amounts=parts, decimals=5) == expected


def test_the_tolerance_grows_with_the_sums_and_with_the_numbers_in_them() -> None:
    """It is a millionth of the larger sum and a share for each row, or the rounding if that is more."""
    tolerance = CostTolerance()
    assert tolerance.allowed(-20.0, 10.0) == pytest.approx(20e-6)
    assert tolerance.allowed(0.0, 0.0, allocations=3, assets=2) == pytest.approx(17e-6)
    assert CostTolerance(relative=0.1).allowed(1.0, 2.0) == pytest.approx(0.2)
    assert tolerance.allowed(0.0, 0.0, allocations=1, rounding=9e-6) == 9e-6
    assert tolerance.allowed(10.0, 0.0, allocations=1, rounding=4e-6) == pytest.approx(15e-6)


def test_only_rounded_numbers_have_a_rounding() -> None:
    """Half a unit of the last decimal each: no number with more decimals, and no null."""
    amounts = (1.00001, -2.5, 1.000001, math.nan)
    assert half_units(amounts, decimals=5) == pytest.approx(10e-6)
    assert half_units(amounts, decimals=6) == pytest.approx(1.5e-6)


def test_the_rounding_of_a_sum_is_that_of_the_numbers_in_it() -> None:
    """A stated total is one number, parts are several; of a node each resource comes from all its costs."""
    parts = {Resource.CPU: Cost(1.5, 0.5), Resource.RAM: Cost(1.0)}
    row = Allocation(key="a", parts=parts, total=3.0)
    node = Asset(key="n", parts=parts, numbers=(1.5, 0.0, 1.0, 0.5), total=3.0)
    rounding = {
        5e-6: wire_rounding([replace(row, stated=3.0)]),
        15e-6: wire_rounding([row]),
        10e-6: wire_rounding([row], Resource.CPU),
        1.5e-6: wire_rounding([node], Resource.CPU),
        0.0: wire_rounding([node, row], Resource.GPU),
        16.5e-6: wire_rounding([row, node]),
    }
    assert list(rounding) == pytest.approx(list(rounding.values()))


@pytest.mark.parametrize(
    ("costs", "adjustment", "unknown"),
    [
        ((math.nan, 1.0, 2.0), 0.0, {Resource.CPU}),
        ((math.nan, 0.0, 2.0), 1.0, {Resource.CPU, Resource.RAM}),
        ((1.0, 1.0, 2.0), math.nan, set(COMPUTE)),
    ],
)
def test_an_unknown_cost_of_a_node(
    costs: tuple[float, ...], adjustment: float, unknown: set[Resource]
) -> None:
    """Without an adjustment the others are known; with one, those that have no share of it."""
    parts = split_adjustment(dict(zip(COMPUTE, costs, strict=True)), adjustment)
    assert {name for name, part in parts.items() if math.isnan(part.total)} == unknown


@pytest.mark.parametrize(("hours", "reconciled"), [(-12, False), (47, False), (48, True), (100, True)])
def test_a_window_is_reconciled_48_hours_after_its_end(hours: int, reconciled: bool) -> None:
    """Before that, cloud billing may still adjust its costs."""
    assert Costs(window=DAY, now=DAY.end + timedelta(hours=hours)).reconciled is reconciled


# ----------------------------------------------------------------------------------- keys, totals, aggregates
ROW = Allocation(
    key="one/a/shop/web-0/main",
    cluster="one",
    node="a",
    namespace="shop",
    controller="web",
    controller_kind="deployment",
    pod="web-0",
    labels={"app": "web", "tier": "front"},
)


@pytest.mark.parametrize(
    ("row", "name", "expected"),
    [
        (ROW, "cluster", ("one",)),
        (ROW, "node", ("one/a",)),
        (ROW, "namespace", ("shop",)),
        (ROW, "controller", ("deployment:web",)),
        (ROW, "pod", ("web-0",)),
        (ROW, "label", ("app=web", "tier=front")),
        (ROW, "label:tier", ("front",)),
        (ROW, "label:team", ("__unallocated__",)),
        (replace(ROW, labels={}), "label", ("__unallocated__",)),
        (replace(ROW, controller_kind=""), "controller", ("web",)),
        (replace(ROW, controller=""), "controller", ("__unallocated__",)),
        (replace(ROW, node=""), "node", ("one/",)),
        (replace(ROW, key="one/a/__idle__"), "node", ("__idle__",)),
        (replace(ROW, key="one/a/__idle__"), "label", ("__idle__",)),
    ],
)
def test_aggregates_have_the_keys_that_opencost_gives(
    row: Allocation, name: str, expected: tuple[str, ...]
) -> None:
    """Each property's key, with OpenCost's names for what has none; a node is named with its cluster."""
    assert aggregate_keys(row, name) == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_expected_sum_is_reproduced(shared_data: Path, name: str) -> None:
    """The totals of allocations and assets, by node and by cluster, are those of the tables in the files."""
    content = opencost(shared_data, name)
    allocations, assets = rows_of(content)
    computed = {
        "expected_allocation_totals": compute_allocation_totals(allocations),
        "expected_asset_totals": compute_asset_totals(assets),
    }
    for table, totals in computed.items():
        for by, found in (("Node", totals.by_node), ("Cluster", totals.by_cluster)):
            assert found.keys() == content[table][by].keys()
            for key, expected in content[table][by].items():
                rest = {name: value for name, value in sums(found[key]).items() if name not in expected}
                assert {**expected, **rest} == pytest.approx(sums(found[key]))
                assert not any(value for name, value in rest.items() if name != "Count")


def test_opencosts_own_table_is_reproduced(shared_data: Path) -> None:
    """What OpenCost's unit test expects of assets, allocations and the idle cost between them."""
    content = opencost(shared_data, "mock-upstream-1")
    allocations, assets = rows_of(content)
    expected = content["expected_upstream"]
    for cluster in ("cluster1", "cluster2"):
        asset, allocated = (
            [
                totals.by_cluster[cluster].parts[name].total
                for name in (Resource.CPU, Resource.RAM, Resource.GPU)
            ]
            for totals in (compute_asset_totals(assets), compute_allocation_totals(allocations))
        )
        assert asset == pytest.approx(expected["asset_cluster_cpu_ram_gpu"][cluster])
        assert allocated == pytest.approx(expected["allocated_cpu_ram_gpu"][cluster])
        idle = [whole - part for whole, part in zip(asset, allocated, strict=True)]
        assert idle == pytest.approx(expected["idle_cpu_ram_gpu"][cluster])


def test_totals_leave_out_what_no_pod_asked_for() -> None:
    """Neither idle nor unmounted rows count, nor shared and external costs of the others."""
    parts = {Resource.CPU: Cost(3.0, -1.0), Resource.SHARED: Cost(10.0), Resource.EXTERNAL: Cost(20.0)}
    row = replace(ROW, parts=parts, total=32.0)
    others = (
        replace(row, key="one/a/__idle__"),
        replace(row, key="one//__unmounted__/__unmounted__/__unmounted__"),
    )
    [total] = compute_allocation_totals((row, *others)).by_node.values()
    assert (total.count, total.total, total.parts[Resource.CPU]) == (1, 2.0, Cost(3.0, -1.0))


def test_asset_totals_leave_out_what_is_no_node_disk_or_balancer() -> None:
    """Network, shared and cloud assets are in no total; management is in its cluster's alone."""
    parts = {
        name: Asset(key=name, cluster="one", name=name, parts={name: Cost(1.0)}, total=1.0)
        for name in Resource
    }
    totals = compute_asset_totals(parts.values())
    assert totals.by_cluster["one"].count == 7
    named = ("AttachedVolume", "CPU", "GPU", "LoadBalancer", "PersistentVolume", "RAM")
    assert list(totals.by_node) == [f"one/{name}" for name in named]


def test_an_unknown_cost_makes_its_sums_unknown_and_no_others() -> None:
    """A null is not 0: what it is part of is not known either."""
    known = replace(ROW, parts={Resource.CPU: Cost(1.0), Resource.RAM: Cost(1.0)}, total=2.0)
    null = replace(
        known, pod="web-1", parts={Resource.CPU: Cost(1.0), Resource.RAM: Cost(math.nan)}, total=math.nan
    )
    [total] = compute_allocation_totals((known, null)).by_cluster.values()
    assert math.isnan(total.total)
    assert math.isnan(total.parts[Resource.RAM].total)
    assert total.parts[Resource.CPU].total == 2.0
    assert compute_aggregates((known, null)).tables["pod"]["web-0"].total == 2.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.randoms())
def test_sums_do_not_depend_on_the_order_of_the_rows(amounts: list[float], random: Random) -> None:
    """The same rows in any order give the same totals and aggregates, to the last bit."""
    rows = [replace(ROW, parts={Resource.CPU: Cost(amount, -amount / 3)}, total=amount) for amount in amounts]
    shuffled = random.sample(rows, len(rows))
    assert compute_allocation_totals(rows) == compute_allocation_totals(shuffled)
    assert compute_aggregates(rows) == compute_aggregates(shuffled)


def test_every_table_counts_every_row() -> None:
    """All properties are aggregated unless some are asked for, and no row is left out of any."""
    rows = [replace(ROW, pod=f"web-{number}", total=1.0) for number in range(3)]
    tables = compute_aggregates(rows).tables
    assert tuple(tables) == PROPERTIES
    for name, table in tables.items():
        assert sum(total.count for total in table.values()) == (6 if name == "label" else 3)
    assert list(compute_aggregates(rows, ["label:app"]).tables) == ["label:app"]


def test_nothing_has_no_totals() -> None:
    """Without rows there is no total, not one of 0."""
    assert compute_allocation_totals(()) == compute_asset_totals(()) == Totals(by_cluster={}, by_node={})


def test_rows_of_hours_are_told_from_those_of_the_window() -> None:
    """A row of a shorter window within is an hour's; any other counts as the window's own."""
    own, stray = (
        replace(ROW, window=DAY),
        replace(ROW, window=Window(HOUR.start, DAY.end + timedelta(days=1))),
    )
    bare, hour = replace(ROW, window=None), replace(ROW, window=HOUR)
    assert split_rows((own, hour, stray, bare), DAY) == ((own, stray, bare), (hour,))


def test_steps_that_make_up_the_window_are_its_rows() -> None:
    """A response with `step=1h` has no others; steps with a gap are no day."""
    hours = [Window(DAY.start + timedelta(hours=n), DAY.start + timedelta(hours=n + 1)) for n in range(24)]
    rows = tuple(replace(ROW, window=hour) for hour in reversed(hours))
    assert split_rows(rows, DAY) == (rows, ())
    assert split_rows(rows[1:], DAY) == ((), rows[1:])
    assert split_rows(rows[:5] + rows[6:], DAY) == ((), rows[:5] + rows[6:])
    assert split_rows((), DAY) == ((), ())
