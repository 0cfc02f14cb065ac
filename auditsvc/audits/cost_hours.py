"""Holds the rows of a window against those of its hours."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from auditsvc.audits._costs import compare, conclude, require
from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Missing, Note, Observation, audit
from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.costs import CostHours, Costs, Row, group_rows, sum_totals

_MEND = "ask the source for the window and for its hours again, after the same reconciliation"


@audit("AuditCostHours", key="costHours", maps=("Rows",))
def cost_hours(costs: Costs, cost_hours: CostHours, settings: Settings) -> Iterator[Observation]:
    """The cost of every row is the sum of its hours.

    ``Rows["allocations" | "assets"][key]``: expected is the sum over the hours, actual the window's own row.
    """
    require((*cost_hours.allocations, *cost_hours.assets), "hours of allocations or assets", costs)
    found = _observe(costs, cost_hours, settings.cost_tolerance)
    yield from conclude(
        found, costs, settings, nothing="no row has a known cost for the window and for its hours"
    )


def _observe(costs: Costs, cost_hours: CostHours, tolerance: CostTolerance) -> Iterator[Observation]:
    if cost_hours.allocations:
        yield from _compare("allocations", costs.allocations, cost_hours.allocations, tolerance)
    if cost_hours.assets:
        yield from _compare("assets", costs.assets, cost_hours.assets, tolerance)
    rows: tuple[Row, ...] = (*cost_hours.allocations, *cost_hours.assets)
    windows = {row.window for row in rows if row.window}
    covered = sum((window.end - window.start for window in windows), timedelta())
    if covered != costs.window.end - costs.window.start:
        yield Note(f"the hours cover {covered / timedelta(hours=1):g} h of the window")


def _compare(
    kind: str, whole: Iterable[Row], hours: Iterable[Row], tolerance: CostTolerance
) -> Iterator[Observation]:
    wholes, parts = group_rows(whole, lambda row: (row.key,)), group_rows(hours, lambda row: (row.key,))
    for key in sorted(wholes.keys() & parts.keys()):
        rows = [*parts[key], *wholes[key]]
        sides = sum_totals(parts[key]), sum_totals(wholes[key])
        yield from compare(("Rows", kind, key), sides, tolerance, _MEND, rows=rows)
    for key in sorted(wholes.keys() - parts.keys()):
        yield Missing(key, "in the window, but in none of its hours", _MEND)
    for key in sorted(parts.keys() - wholes.keys()):
        yield Missing(key, "in the window's hours, but not in the window", _MEND)
