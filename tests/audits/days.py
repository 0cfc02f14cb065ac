"""Days of costs for the tests: documents as OpenCost writes them, and inputs made from them."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import getitem
from random import Random
from typing import Any

import msgspec
from msgspec.structs import replace

from auditsvc.audits import audit_types, find_audit_type, run_audit
from auditsvc.core.cost_json import (
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
    render_aggregates,
    render_totals,
)
from auditsvc.core.costs import (
    CloudCost,
    CostHours,
    Costs,
    compute_aggregates,
    compute_allocation_totals,
    compute_asset_totals,
)
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.window import Window
from tests.audits.given import Given

DAY = Window(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC))
LATER = DAY.end + timedelta(days=3)
NO_COSTS = Costs(window=DAY, now=LATER)
NO_HOURS = CostHours()

COST_AUDITS = tuple(known.key for known in audit_types() if "costs" in known.sources)

Rows = dict[str, dict[str, Any]]


class CostsGiven(Given, frozen=True):
    """The inputs of a window with cost data."""

    costs: Costs = NO_COSTS
    cloud_costs: tuple[CloudCost, ...] = ()
    cost_hours: CostHours = NO_HOURS


class Day(msgspec.Struct, frozen=True):
    """The documents of one day: rows by key, as they are in `data`."""

    allocations: Rows
    assets: Rows

    def changed(self, kind: str, key: str, **fields: object) -> "Day":
        """The day with some fields of one row changed."""
        rows: Rows = getattr(self, kind)
        return replace(self, **{kind: {**rows, key: {**rows[key], **fields}}})

    def without(self, kind: str, key: str) -> "Day":
        """The day without one row."""
        return replace(
            self, **{kind: {name: row for name, row in getattr(self, kind).items() if name != key}}
        )

    def rounded(self) -> "Day":
        """The day as it is on the wire: allocations with 5 decimals, assets with 6."""
        return Day(_rounded(self.allocations, 5), _rounded(self.assets, 6))

    def costs(self, *, now: datetime = LATER) -> Costs:
        """What the documents parse to, with the tables that are made of them when they arrive."""
        allocations = parse_allocations(document([self.allocations]))
        assets = parse_assets(document(self.assets))
        return Costs(
            window=DAY,
            now=now,
            allocations=allocations,
            assets=assets,
            allocation_totals=compute_allocation_totals(allocations),
            asset_totals=compute_asset_totals(assets),
            aggregates=compute_aggregates(allocations),
        )

    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """A bill that says what the assets cost."""
        bills = {
            key: {
                "properties": {name: row["properties"].get(name, "") for name in ("providerID", "category")},
                "amortizedNetCost": {"cost": row["totalCost"], "kubernetesPercent": 1.0},
            }
            for key, row in self.assets.items()
        }
        return parse_cloud_costs(document({"sets": [{"cloudCosts": bills}]}))


def document(data: object) -> bytes:
    """A response with that content."""
    return json.dumps({"code": 200, "data": data}).encode()


def uploaded(costs: Costs, *path: str, decimals: int | None = None, **fields: object) -> Costs:
    """The same data with its tables as the system under audit would upload them.

    `path` leads to a row (`totals`, `allocations`, `node`, its key) whose `fields` are changed; without any
    the row is not uploaded.
    """
    tables = {
        "totals": _tables(render_totals(costs.allocation_totals, costs.asset_totals), decimals),
        "aggregates": _tables(render_aggregates(costs.aggregates or compute_aggregates(())), decimals),
    }
    if path:
        table = reduce(getitem, path[:-1], tables)
        row = table.pop(path[-1], {})
        if fields:
            table[path[-1]] = {**row, **fields}
    totals = parse_totals(document(tables["totals"]))
    return replace(
        costs,
        allocation_totals=totals.allocations,
        asset_totals=totals.assets,
        aggregates=parse_aggregates(document(tables["aggregates"])),
    )


def outcome(key: str, inputs: Given) -> AuditResult:
    """The result of one audit."""
    return run_audit(find_audit_type(key), inputs, now=LATER)


def statuses(costs: Costs, **others: Any) -> dict[str, Status]:
    """The status of every cost audit over a day; without a bill and hours those for them are Failed."""
    inputs = CostsGiven(costs=costs, **others)
    return {key: outcome(key, inputs).status for key in COST_AUDITS}


def _rounded(rows: Rows, decimals: int) -> Rows:
    def rounded(value: object) -> object:
        return round(value, decimals) if isinstance(value, float) else value

    return {key: {name: rounded(value) for name, value in row.items()} for key, row in rows.items()}


def _tables(rendered: bytes, decimals: int | None) -> Any:
    def number(text: str) -> float:
        return float(text) if decimals is None else round(float(text), decimals)

    return json.loads(rendered, parse_float=number)["data"]


def consistent_day(seed: int, *, nodes: int, pods: int, clusters: int = 1) -> Day:
    """A day that obeys every invariant: so many clusters of so many nodes with so many pods each."""
    random = Random(seed)  # noqa: S311 - made up amounts, no secret
    day = Day({}, {})
    for number in range(clusters):
        _Cluster(f"cluster-{number}", random, day).fill(nodes, pods)
    return day


class _Cluster:
    """Writes a cluster's rows: each asset, and then those who pay for it."""

    def __init__(self, name: str, random: Random, day: Day) -> None:
        self.name = name
        self.random = random
        self.day = day
        self.pods: list[str] = []

    def fill(self, nodes: int, pods: int) -> None:
        for number in range(nodes):
            self._node(f"node-{number}", pods)
        shared = [
            self._asset("Management", "ClusterManagement", "", self._amount()),
            self._asset("Storage", "Disk", "node-0", self._amount(), self._amount() / 9),
        ]
        self._charge("sharedCost", math.fsum(shared), self.pods)
        balancer = self._asset("Network", "LoadBalancer", "shop/web", self._amount())
        self._charge("loadBalancerCost", balancer, self.pods[:2])
        self._charge(
            "networkCost", self._asset("Network", "Network", "node-0", self._amount()), self.pods[-2:]
        )
        self._charge("externalCost", self._asset("Other", "Cloud", "bucket", self._amount()), self.pods[:1])
        self._volume("pvc-1", self.pods[0])
        unmounted = f"{self.name}//__unmounted__/__unmounted__/__unmounted__"
        self._row(unmounted, namespace="__unmounted__", pod="__unmounted__")
        self._volume("pvc-2", unmounted)
        for row in self.day.allocations.values():
            row["totalCost"] = math.fsum(row[name] for name in row if "Cost" in name and name != "totalCost")

    def _node(self, node: str, pods: int) -> None:
        gross = {resource: self._amount() for resource in ("cpu", "ram", "gpu")}
        discount = self.random.randrange(90) / 100
        net = {name: cost * (1 if name == "gpu" else 1 - discount) for name, cost in gross.items()}
        adjustment = math.fsum(net.values()) * self.random.uniform(-0.7, 1.0)
        hours = {"cpuCoreHours": 96.0, "GPUHours": 24.0, "ramByteHours": 4e11}
        costs = {f"{name}Cost": cost for name, cost in gross.items()}
        total = math.fsum(net.values()) + adjustment
        key = self._write("Compute", "Node", node, total, discount=discount, adjustment=adjustment, **costs)
        self.day.assets[key].update(hours)
        rate = total / math.fsum(net.values())
        weights = [self.random.random() + 0.01 for _ in range(pods + 1)]
        for number, weight in enumerate(weights[:-1]):
            pod = f"{self.name}/{node}/shop/{node}-pod-{number}/main"
            self._row(
                pod,
                node=node,
                namespace=f"team-{number % 3}",
                pod=f"{node}-pod-{number}",
                controller=f"app-{number % 5}",
            )
            self._compute(pod, net, rate, weight / math.fsum(weights))
            self.pods.append(pod)
        self._row(f"{self.name}/{node}/__idle__", node=node)
        self._compute(f"{self.name}/{node}/__idle__", net, rate, weights[-1] / math.fsum(weights))

    def _compute(self, key: str, net: Mapping[str, float], rate: float, share: float) -> None:
        for name, cost in net.items():
            self.day.allocations[key][f"{name}Cost"] = cost * share
            self.day.allocations[key][f"{name}CostAdjustment"] = cost * share * (rate - 1)
        if "__idle__" not in key:
            self.day.allocations[key].update(
                cpuCoreHours=96 * share, gpuHours=24 * share, ramByteHours=4e11 * share
            )

    def _volume(self, name: str, owner: str) -> None:
        cost, adjustment = self._amount(), -self._amount() / 9
        self._asset("Storage", "Disk", name, cost, adjustment)
        self.day.allocations[owner].update(pvCost=cost, pvCostAdjustment=adjustment)

    def _charge(self, field: str, amount: float, owners: list[str]) -> None:
        for owner in owners:
            self.day.allocations[owner][field] = amount / len(owners)

    def _asset(self, category: str, kind: str, name: str, cost: float, adjustment: float = 0.0) -> float:
        self._write(category, kind, name, cost + adjustment, adjustment=adjustment)
        return cost + adjustment

    def _write(self, category: str, kind: str, name: str, total: float, **fields: float) -> str:
        provider_id = f"{kind}-{self.name}-{name}" if name else ""
        properties = {"category": category, "cluster": self.name, "name": name, "providerID": provider_id}
        key = f"{category}/{self.name}/{kind}/{name}"
        self.day.assets[key] = {
            "type": kind,
            "properties": properties,
            **_TIMES,
            **fields,
            "totalCost": total,
        }
        return key

    def _row(self, key: str, **properties: str) -> None:
        self.day.allocations[key] = {
            "name": key,
            "properties": {
                "cluster": self.name,
                "labels": {"app": properties.get("controller", "")},
                **properties,
            },
            **_TIMES,
        }

    def _amount(self) -> float:
        return self.random.uniform(0.0, 1.0) * 10 ** self.random.uniform(-6, 3)


_TIMES = {
    "window": {"start": "2024-05-01T00:00:00Z", "end": "2024-05-02T00:00:00Z"},
    "start": "2024-05-01T00:00:00Z",
    "end": "2024-05-02T00:00:00Z",
    "minutes": 1440.0,
}
