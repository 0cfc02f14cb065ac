"""Looks for idle cost below zero."""

import math
from collections.abc import Iterator, Sequence

from auditsvc.audits._costs import allow, conclude, null, require, unknown
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Missing, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import COMPUTE, Allocation, Asset, Costs, group_rows, sum_resource, wire_rounding

_MEND = "compute the idle cost again: the node has hours left that nobody asked for, and they cost something"
_UPLOAD_NODE = "upload the node's asset, which has its hours"


@audit("AuditCostIdle", key="costIdle", maps=("Resources",))
def cost_idle(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """Idle cost is not negative, unless the node is overcommitted.

    ``Resources[cluster/node][CPU | GPU | RAM]``: actual is the idle cost, expected 0 where that is negative
    though the allocations' hours do not exceed the node's.
    """
    require(costs.allocations, "allocations", costs)
    found = _observe(costs, settings.cost_tolerance)
    yield from conclude(found, costs, settings, nothing="there is no node, and no known idle cost")


def _observe(costs: Costs, tolerance: CostTolerance) -> Iterator[Observation]:
    nodes = group_rows((row for row in costs.assets if row.is_node), lambda row: (row.name_key,))
    allocated = group_rows(costs.allocations, lambda row: (row.node_key,))
    idle_keys = {row.node_key for row in costs.allocations if row.idle}
    for key in sorted(nodes.keys() | idle_keys):
        yield from _compare(key, allocated.get(key, ()), nodes.get(key, ()), tolerance)


def _compare(
    key: str, rows: Sequence[Allocation], nodes: Sequence[Asset], tolerance: CostTolerance
) -> Iterator[Observation]:
    idle = [row for row in rows if row.idle]
    for resource in COMPUTE:
        cost = sum_resource(idle, resource)
        allowed = allow((cost, cost), tolerance, idle, rounding=wire_rounding(idle, resource))
        spare = math.fsum(row.hours[resource] for row in nodes) - math.fsum(
            row.hours[resource] for row in rows
        )
        if math.isnan(cost):
            yield from unknown(idle, resource)
        elif cost >= -allowed or (nodes and spare < 0):
            yield Compared("Resources", (key, resource), cost, cost, "", "", allowed)
        elif not nodes:
            yield Missing(
                key, f"the {resource} idle cost is negative on a node that is no asset", _UPLOAD_NODE
            )
        elif math.isnan(spare):
            yield null(key, f"the {resource} idle cost is negative, and a number of hours")
        else:
            yield Compared("Resources", (key, resource), 0.0, cost, "", _MEND, allowed)
