"""Looks for rows that are there twice."""

from collections import Counter
from collections.abc import Iterator

from auditsvc.audits._costs import conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Observation, audit
from auditsvc.core.costs import Costs

_MEND = "upload the row once: a key that is there twice is paid for twice"


@audit("AuditCostKeys", key="costKeys", maps=("Rows",))
def cost_keys(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """No allocation and no asset is there twice.

    ``Rows["allocations" | "assets"][key]``: expected is 1, actual how many rows have the key (and the same
    step, where the rows are those of the window's steps).
    """
    found = _observe(costs)
    yield from conclude(found, costs, settings, nothing="there are no allocations and no assets")


def _observe(costs: Costs) -> Iterator[Observation]:
    require((*costs.allocations, *costs.assets), "allocations and no assets", costs)
    for kind, rows in (("allocations", costs.allocations), ("assets", costs.assets)):
        counts: dict[str, int] = {}
        for (key, _), count in Counter((row.key, row.window or costs.window) for row in rows).items():
            counts[key] = max(count, counts.get(key, 0))
        for key, count in counts.items():
            yield Compared("Rows", (kind, key), 1, count, "", _MEND)
