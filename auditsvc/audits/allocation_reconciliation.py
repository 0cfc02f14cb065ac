"""Holds what a node's allocations cost against what the node itself does."""

from collections.abc import Iterator, Sequence

from auditsvc.audits._costs import compare, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Missing, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import COMPUTE, NOTHING, Allocation, Asset, Costs, Resource, group_rows, sum_resource

_RECONCILE = (
    "reconcile the node's allocations: with its idle cost they must add up to its cost after discount and "
    "adjustment"
)
_ASK_BY_NODE = (
    "fetch the allocations with includeIdle=true&idleByNode=true, without an aggregation that drops the node"
)
_UPLOAD_NODE = "upload the assets of all nodes, or find out where the allocations have their node from"


@audit("AuditAllocationReconciliation", key="allocationReconciliation", maps=("Resources",))
def allocation_reconciliation(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The CPU, GPU and RAM of a node's allocations, its idle cost among them, cost what the node does.

    ``Resources[cluster/node][CPU | GPU | RAM]``: expected is the cost of the node's asset after discount and
    adjustment, actual that of the allocations.
    """
    require(costs.allocations, "allocations", costs)
    require(costs.assets, "assets", costs)
    found = _observe(costs, settings.cost_tolerance)
    yield from conclude(
        found, costs, settings, nothing="no node has known costs of both allocations and an asset"
    )


def _observe(costs: Costs, tolerance: CostTolerance) -> Iterator[Observation]:
    allocated = group_rows((row for row in costs.allocations if row.node), lambda row: (row.node_key,))
    nodes = group_rows((row for row in costs.assets if row.is_node), lambda row: (row.name_key,))
    for key in sorted(allocated.keys() & nodes.keys()):
        yield from _compare(key, nodes[key], allocated[key], tolerance)
    for key in sorted(allocated.keys() - nodes.keys()):
        yield Missing(key, f"{len(allocated[key])} allocations on a node that is no asset", _UPLOAD_NODE)
    for key in sorted(nodes.keys() - allocated.keys()):
        yield Missing(key, "a node without allocations and without idle cost", _ASK_BY_NODE)
    for key, rows in group_rows(filter(_homeless, costs.allocations), lambda row: (row.node_key,)).items():
        yield Missing(key, f"{len(rows)} allocations without a node, {rows[0].key} among them", _ASK_BY_NODE)


def _compare(
    key: str, nodes: Sequence[Asset], rows: Sequence[Allocation], tolerance: CostTolerance
) -> Iterator[Observation]:
    for resource in COMPUTE:
        sides = sum_resource(nodes, resource), sum_resource(rows, resource)
        path = ("Resources", key, resource)
        yield from compare(path, sides, tolerance, _RECONCILE, rows=[*nodes, *rows], resource=resource)


def _homeless(row: Allocation) -> bool:
    """Whether it costs what only a pod on a node does, and names none; an unmounted volume needs no node."""
    of_a_node = COMPUTE if row.unmounted else (*COMPUTE, Resource.PERSISTENT_VOLUME)
    return not row.node and any(row.parts[resource] != NOTHING for resource in of_a_node)
