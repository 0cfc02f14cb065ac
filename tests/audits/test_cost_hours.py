import math
from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditsvc.core.costs import Allocation, CostHours
from auditsvc.core.results import Status
from auditsvc.core.window import Window
from tests.audits.days import DAY, CostsGiven, consistent_day, outcome
from tests.audits.given import floats, missing

KEY = "costHours"
QUIET = consistent_day(4, nodes=1, pods=1).costs()
POD = "cluster-0/node-0/shop/node-0-pod-0/main"


def hours_of(rows: tuple[Allocation, ...], count: int = 24) -> tuple[Allocation, ...]:
    """The first hours of these rows, the cost spread evenly."""
    starts = [DAY.start + timedelta(hours=hour) for hour in range(count)]
    windows = [Window(start, start + timedelta(hours=1)) for start in starts]
    return tuple(replace(row, window=window, total=row.total / 24) for window in windows for row in rows)


def test_a_day_that_is_the_sum_of_its_hours_passes() -> None:
    """Only the kind of row is compared of which hours were received."""
    hours = CostHours(allocations=hours_of(QUIET.allocations))
    result = outcome(KEY, CostsGiven(costs=QUIET, cost_hours=hours))
    assert (result.status, result.checked, result.description) == (Status.PASSED, 3, "")
    assets = CostHours(assets=QUIET.assets)
    assert outcome(KEY, CostsGiven(costs=QUIET, cost_hours=assets)).checked == len(QUIET.assets)


def test_a_difference_is_shown_by_row() -> None:
    """Expected is the sum of the hours, actual the day's own row."""
    dearer = tuple(
        replace(row, total=row.total + (100.0 if row.key == POD else 0.0)) for row in QUIET.allocations
    )
    inputs = CostsGiven(
        costs=replace(QUIET, allocations=dearer),
        cost_hours=CostHours(allocations=hours_of(QUIET.allocations)),
    )
    [(path, (expected, actual))] = floats(outcome(KEY, inputs)).items()
    assert path == ("Rows", "allocations", POD)
    assert actual - expected == pytest.approx(100.0)


def test_hours_that_are_not_the_whole_day_are_told() -> None:
    """They cannot add up to it, and the description says how many there are."""
    hours = CostHours(allocations=hours_of(QUIET.allocations, count=20))
    result = outcome(KEY, CostsGiven(costs=QUIET, cost_hours=hours))
    assert (result.status, result.description) == (Status.FAILED, "the hours cover 20 h of the window")


def test_what_cannot_be_compared_is_missing() -> None:
    """A row of the day or of its hours only, and a null."""
    first, second, third = QUIET.allocations
    null = replace(second, total=math.nan)
    hours = (first, null, replace(third, key="new"))
    found = outcome(KEY, CostsGiven(costs=QUIET, cost_hours=CostHours(allocations=hours)))
    assert missing(found) == [
        (second.key, "the total cost is null"),
        (third.key, "in the window, but in none of its hours"),
        ("new", "in the window's hours, but not in the window"),
    ]


@pytest.mark.parametrize(
    ("hours", "reason"),
    [
        (CostHours(), f"no hours of allocations or assets in {DAY}"),
        (
            CostHours(allocations=(replace(QUIET.allocations[0], key="new"),)),
            "no row has a known cost for the window and for its hours",
        ),
    ],
)
def test_nothing_to_compare_is_failed(hours: CostHours, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=QUIET, cost_hours=hours))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")
