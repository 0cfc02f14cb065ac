"""Holds each row's hours against its window."""

import math
from collections.abc import Iterator
from datetime import timedelta

from auditsvc.audits._costs import conclude, null, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Observation, audit
from auditsvc.core.costs import Costs, Row
from auditsvc.core.window import Window

_MEND = "ask the source for the window again: a row outside of it is charged to this window and to another"

# Starts and ends are written in whole seconds.
_ALLOWED = 2 / 3600


@audit("AuditCostWindow", key="costWindow", maps=("Rows",))
def cost_window(costs: Costs, settings: Settings) -> Iterator[Observation]:
    """The hours of every row fit its window, and the window under audit.

    ``Rows["allocations" | "assets"][key]``: expected is 0, actual the hours that the row has before the
    window, after it, or beyond its length.
    """
    require((*costs.allocations, *costs.assets), "allocations and no assets", costs)
    found = _observe(costs)
    yield from conclude(found, costs, settings, nothing="no row says how long it is")


def _observe(costs: Costs) -> Iterator[Observation]:
    for kind, rows in (("allocations", costs.allocations), ("assets", costs.assets)):
        for row in rows:
            if math.isnan(row.minutes):
                yield null(row.key, "its length in minutes")
                continue
            hours = _hours_outside(row, costs.window)
            yield Compared("Rows", (kind, row.key), 0.0, hours, "", _MEND, _ALLOWED)


def _hours_outside(row: Row, audited: Window) -> float:
    own = row.window or audited
    start, end = max(own.start, audited.start), min(own.end, audited.end)
    before = start - (row.start or start)
    after = (row.end or end) - end
    beyond = row.minutes / 60 - max(end - start, timedelta()) / timedelta(hours=1)
    # A row that starts early is too long as well: that is one overrun.
    return max(_hours(before) + _hours(after), beyond)


def _hours(time: timedelta) -> float:
    return max(time, timedelta()) / timedelta(hours=1)
