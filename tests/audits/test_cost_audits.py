"""The cost audits together: what each day's verdicts are, and that nothing else changes them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.cost_json import (
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_totals,
    render_aggregates,
    render_totals,
)
from auditsvc.core.costs import CostHours, Costs, Origin, compute_aggregates
from auditsvc.core.results import AuditResult, Status, render_result
from tests.audits.days import (
    COST_AUDITS,
    DAY,
    LATER,
    CostsGiven,
    Day,
    consistent_day,
    document,
    outcome,
    statuses,
    uploaded,
)
from tests.audits.given import missing

PASSED, WARNING, FAILED = Status
# Without a bill and without hours these two have nothing to compare.
BARE = frozenset({"assetReconciliation", "costHours"})
COMPUTE = ("cpuCost", "gpuCost", "ramCost")

WEB = "cluster-one/node-a/shop/web-0/web"
SUMS = {"allocationReconciliation", "clusterEquality"}

# Per case, the audits that no longer pass. The file leaves some verdicts open ("Warning or Failed"); they
# follow from the design: a key on one side only and a null are MissingValues, no rows on a side is Failed.
VERDICTS: dict[str, dict[str, Status]] = {
    "clean": {},
    "cpu_overcharged": dict.fromkeys(SUMS, FAILED),
    "below_tolerance": {},
    "node_asset_missing": {"allocationReconciliation": WARNING, "clusterEquality": FAILED},
    "node_without_allocations": {"allocationReconciliation": WARNING, "clusterEquality": FAILED},
    "allocation_blank_node": {"allocationReconciliation": FAILED},
    "load_balancer_dropped": {"clusterEquality": FAILED},
    "negative_idle_clamped": dict.fromkeys(SUMS, FAILED),
    # The row's own total is known, so that only those warn who need the number that is not.
    "nan_cost": {"allocationReconciliation": WARNING, "costParts": WARNING},
    "empty_both": dict.fromkeys(COST_AUDITS, FAILED),
    # What looks at assets alone, or at either kind of row, still has something to compare.
    "empty_allocations": dict.fromkeys(
        {*SUMS, "allocationAgg", "allocationTotal", "costIdle", "costSums"}, FAILED
    ),
}


@pytest.fixture(scope="module")
def reconciled_day(shared_data: Path) -> dict[str, Any]:
    """The constructed day, its faults, and what must become of them."""
    content: dict[str, Any] = json.loads((shared_data / "opencost" / "reconciled-day.json").read_bytes())
    return content


def faulty(content: Mapping[str, Any], case: str) -> tuple[Day, dict[str, Any]]:
    """The day with the fault of that case, and the verdicts that the file asks for."""
    [fault] = (fault for fault in content["faults"] if fault["id"] == case)
    day = Day(content["allocations"], content["assets"])
    for operation, *arguments in fault["ops"]:
        day = OPERATIONS[operation](day, *arguments)
    return day, fault["expect"]


def _scaled(day: Day, kind: str, key: str, factor: float) -> Day:
    row = getattr(day, kind)[key]
    fields = {name: row[name] * factor for cost in COMPUTE for name in (cost, f"{cost}Adjustment")}
    total = row["totalCost"] + sum(fields.values()) - sum(row[name] for name in fields)
    return day.changed(kind, key, **fields, totalCost=total)


OPERATIONS: dict[str, Callable[..., Day]] = {
    "set": lambda day, kind, key, field, value: day.changed(kind, key, **{field: value}),
    "add": lambda day, kind, key, field, value: day.changed(
        kind, key, **{field: getattr(day, kind)[key][field] + value}
    ),
    "setprop": lambda day, kind, key, name, value: day.changed(
        kind, key, properties={**getattr(day, kind)[key]["properties"], name: value}
    ),
    "del": Day.without,
    "clear": lambda day, kind: replace(day, **{kind: {}}),
    "scale_compute": _scaled,
    "zero_compute": lambda day, kind, key: _scaled(day, kind, key, 0.0),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_each_case_of_the_reconciled_day_gets_its_verdict(reconciled_day: dict[str, Any], case: str) -> None:
    """A case changes the audits that look at what it changes, and no other.

    Where the file leaves open "Warning or Failed": a node without its asset, or without allocations, is a
    MissingValue and so a Warning; so is a null; allocations that are not there at all are Failed.
    """
    day, _ = faulty(reconciled_day, case)
    changed = {key: status for key, status in statuses(day.costs()).items() if status is not PASSED}
    assert changed == {**dict.fromkeys(BARE, FAILED), **VERDICTS[case]}


@pytest.mark.parametrize("case", VERDICTS)
def test_each_case_finds_what_the_file_says(reconciled_day: dict[str, Any], case: str) -> None:
    """The verdict, the expected and actual costs and the missing keys are those that the file lists."""
    day, verdicts = faulty(reconciled_day, case)
    inputs = CostsGiven(costs=day.costs())
    for key, verdict in verdicts.items():
        result = outcome(key, inputs)
        assert result.status in verdict["Status"]
        if "MissingKeys" in verdict:
            assert [missing_key for missing_key, _ in missing(result)] == verdict["MissingKeys"]
        _finds(result, verdict)


def _finds(result: AuditResult, verdict: Mapping[str, Any]) -> None:
    found = json.loads(render_result(result))
    for node in verdict.get("ResourcesKeys", ()):
        assert node in found["Resources"]
    for cluster, values in verdict.get("Clusters", {}).items():
        assert found["Clusters"][cluster] == pytest.approx(values)
    for node, resources in verdict.get("Resources", {}).items():
        for resource, values in resources.items():
            assert found["Resources"][node][resource] == pytest.approx(values)


def test_every_case_of_the_file_is_fixed(reconciled_day: dict[str, Any]) -> None:
    """The table of verdicts has the file's cases, and two of them pass every audit."""
    assert {fault["id"] for fault in reconciled_day["faults"]} == set(VERDICTS)
    assert [case for case, verdicts in VERDICTS.items() if not verdicts] == ["clean", "below_tolerance"]


def test_the_json_is_kubecosts(reconciled_day: dict[str, Any]) -> None:
    """Its names in its order, and after them the number of comparisons and the tolerance."""
    day, _ = faulty(reconciled_day, "load_balancer_dropped")
    inputs = CostsGiven(costs=day.costs())
    passed = render_result(outcome("allocationReconciliation", inputs))
    assert passed == (
        '{"Status":"Passed","Description":"","LastRun":"2024-05-05T00:00:00.000000000Z","Resources":{},'
        '"MissingValues":null,"Checked":12,'
        '"Tolerance":{"Relative":0.000001,"PerAllocation":0.000005,"PerAsset":0.000001}}'
    )
    failed = json.loads(render_result(outcome("clusterEquality", inputs)))
    names = ["Status", "Description", "LastRun", "Clusters", "MissingValues", "Checked", "Tolerance"]
    assert list(failed) == names
    assert list(failed["Clusters"]) == ["cluster-one"]
    total = json.loads(render_result(outcome("allocationTotal", inputs)))
    assert list(total)[3:5] == ["TotalByNode", "TotalByCluster"]


# ------------------------------------------------------------------------------------------ days of any size
sizes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 6))
seeds = st.integers(0, 2**32)


def some_day(seed: int, size: tuple[int, int, int]) -> Day:
    """A consistent day of that many clusters, nodes and pods."""
    clusters, nodes, pods = size
    return consistent_day(seed, clusters=clusters, nodes=nodes, pods=pods)


def inputs(day: Day, *, decimals: int | None = None, kept: Costs | None = None) -> CostsGiven:
    """The day with a bill and its hours, judged by the uploaded tables that it (or `kept`) would have."""
    costs = day.costs()
    tables = uploaded(kept or costs, decimals=decimals)
    return CostsGiven(
        costs=replace(
            costs,
            allocation_totals=tables.allocation_totals,
            asset_totals=tables.asset_totals,
            aggregates=tables.aggregates,
        ),
        cloud_costs=day.cloud_costs(),
        cost_hours=CostHours(allocations=costs.allocations, assets=costs.assets),
    )


def verdicts(given_inputs: CostsGiven) -> dict[str, Status]:
    """The audits that do not pass, and how."""
    found = {key: outcome(key, given_inputs) for key in COST_AUDITS}
    return {key: result.status for key, result in found.items() if result.status is not PASSED}


@given(seeds, sizes)
@settings(deadline=None, max_examples=40)
def test_a_consistent_day_passes(seed: int, size: tuple[int, int, int]) -> None:
    """A day that obeys every invariant passes every audit, whatever its size."""
    assert verdicts(inputs(some_day(seed, size))) == {}


@given(seeds, sizes)
@settings(deadline=None, max_examples=150)
def test_rounding_on_the_wire_fails_nothing(seed: int, size: tuple[int, int, int]) -> None:
    """Allocations rounded to 5 decimals, assets to 6 and the system's own tables to 5 are no findings."""
    exact = some_day(seed, size)
    rounded = inputs(exact.rounded(), decimals=5, kept=exact.costs())
    bills = replace(rounded, cloud_costs=exact.cloud_costs())
    assert verdicts(bills) == {}


STORED = {"allocationAgg", "costSums", "costHours"}
ROW = {*SUMS, *STORED, "allocationTotal", "costParts"}

# Kind of row, a part of its key, the changed field: and the audits that look at it.
LOOKED_AT = {
    ("allocations", "pod-0", "cpuCost"): ROW,
    ("allocations", "pod-0", "ramCostAdjustment"): ROW,
    ("allocations", "__idle__", "gpuCost"): ROW - {"allocationTotal", "costSums"},
    ("allocations", "__unmounted__", "pvCost"): ROW - {"allocationReconciliation", "allocationTotal"},
    ("allocations", "pod-0", "networkCost"): ROW - {"allocationReconciliation"},
    ("allocations", "pod-0", "sharedCost"): ROW - {"allocationReconciliation", "allocationTotal"},
    ("allocations", "pod-0", "totalCost"): {"costParts"},
    ("allocations", "pod-0", "minutes"): {"costWindow"},
    ("assets", "/Node/", "cpuCost"): {*SUMS, "assetTotal", "assetReconciliation", "costHours", "costParts"},
    ("assets", "/Node/", "adjustment"): {
        *SUMS,
        "assetTotal",
        "assetReconciliation",
        "costHours",
        "costParts",
    },
    ("assets", "/Node/", "totalCost"): {"costParts"},
    ("assets", "/Disk/pvc-1", "totalCost"): {
        "clusterEquality",
        "assetTotal",
        "assetReconciliation",
        "costHours",
    },
    ("assets", "/Cloud/", "totalCost"): {"clusterEquality", "assetReconciliation", "costHours"},
    ("assets", "/ClusterManagement/", "totalCost"): {"clusterEquality", "assetTotal", "costHours"},
}


@pytest.mark.parametrize(("kind", "part", "field"), LOOKED_AT)
@given(seed=seeds, size=sizes)
@settings(deadline=None, max_examples=10)
def test_a_changed_number_fails_those_who_look_at_it(
    kind: str, part: str, field: str, seed: int, size: tuple[int, int, int]
) -> None:
    """One number changed beyond the tolerance fails exactly the audits that look at it."""
    day = some_day(seed, size)
    key, row = next((key, row) for key, row in getattr(day, kind).items() if part in key)
    much = 1 + day.costs().assets[0].total + max(asset.total for asset in day.costs().assets) / 10
    changed = day.changed(kind, key, **{field: row.get(field, 0.0) + much})
    before = inputs(day)
    after = inputs(changed, kept=day.costs())
    after = replace(after, cloud_costs=before.cloud_costs, cost_hours=before.cost_hours)
    assert verdicts(after) == dict.fromkeys(LOOKED_AT[kind, part, field], FAILED)


numbers = st.sampled_from([None, 0.0, -0.0, 5e-324, 1e-300, 1e-6, 0.5, -3.5, 1e15, -1e15])
fields = st.sampled_from(
    (
        "cpuCost",
        "ramCostAdjustment",
        "pvCost",
        "sharedCost",
        "discount",
        "adjustment",
        "totalCost",
        "cpuCoreHours",
    )
)
faults = st.lists(st.tuples(st.sampled_from(("allocations", "assets")), st.integers(0, 8), fields, numbers))


@given(seeds, faults)
@settings(deadline=None)
def test_whatever_the_numbers_there_is_a_result(
    seed: int, faults: list[tuple[str, int, str, float | None]]
) -> None:
    """Nulls, zeros, the smallest and the largest: every audit judges them, and its JSON can be written."""
    day = some_day(seed, (1, 2, 2))
    for kind, position, field, number in faults:
        keys = list(getattr(day, kind))
        day = day.changed(kind, keys[position % len(keys)], **{field: number})
    odd = inputs(day)
    for key in COST_AUDITS:
        assert render_result(outcome(key, odd))


def test_a_day_of_10000_allocations() -> None:
    """Its documents and tables are parsed, and every cost audit passes."""
    day = consistent_day(1, nodes=100, pods=99).rounded()
    for number, row in enumerate(day.allocations.values()):
        row["properties"]["labels"] = {f"label-{name}": f"{number % 50}" for name in range(5)}
    allocations, assets = document(day.allocations), document(day.assets)
    made = day.costs()
    totals = render_totals(made.allocation_totals, made.asset_totals)
    aggregates = render_aggregates(made.aggregates or compute_aggregates(()))
    tables = parse_totals(totals, origin=Origin.OWN)
    costs = Costs(
        window=DAY,
        now=LATER,
        allocations=parse_allocations(allocations),
        assets=parse_assets(assets),
        allocation_totals=tables.allocations,
        asset_totals=tables.assets,
        aggregates=parse_aggregates(aggregates, origin=Origin.OWN),
    )
    hours = CostHours(allocations=costs.allocations, assets=costs.assets)
    assert verdicts(CostsGiven(costs=costs, cloud_costs=day.cloud_costs(), cost_hours=hours)) == {}
    assert len(costs.allocations) > 10_000
