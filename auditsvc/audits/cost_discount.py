"""Looks for discounts that are none."""

import math
from collections.abc import Iterable, Iterator

from auditsvc.audits._costs import conclude, null, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Observation, audit
from auditsvc.core.costs import Asset, Costs

_MEND = "correct the discount in the source's price list: it is a share of the price, from 0 to 1"


@audit("AuditCostDiscount", key="costDiscount", maps=("Nodes",))
def cost_discount(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """Every node's discount lies within 0 and 1.

    ``Nodes[cluster/node]``: actual is the discount, expected the nearest that can be.
    """
    nodes = require([row for row in costs.assets if row.is_node], "node assets", costs)
    yield from conclude(_observe(nodes), costs, settings, nothing="no node has a known discount")


def _observe(nodes: Iterable[Asset]) -> Iterator[Observation]:
    for node in nodes:
        if math.isnan(node.discount):
            yield null(node.key, "the discount")
        else:
            nearest = min(max(node.discount, 0.0), 1.0)
            yield Compared("Nodes", (node.name_key,), nearest, node.discount, "", _MEND, 0.0)
