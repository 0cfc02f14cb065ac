import pytest

from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, outcome
from tests.audits.given import floats, missing

KEY = "costWindow"
QUIET = consistent_day(2, nodes=1, pods=1)
POD = "cluster-0/node-0/shop/node-0-pod-0/main"
NODE = "Compute/cluster-0/Node/node-0"
HALF = {"start": "2024-05-01T00:00:00Z", "end": "2024-05-01T12:00:00Z"}


def test_rows_within_their_window_pass() -> None:
    """Every allocation and asset is looked at."""
    result = outcome(KEY, CostsGiven(costs=QUIET.costs()))
    assert (result.status, result.checked) == (Status.PASSED, len(QUIET.allocations) + len(QUIET.assets))


@pytest.mark.parametrize(
    ("fields", "hours"),
    [
        ({"start": "2024-05-01T06:00:00Z", "minutes": 1080}, None),
        ({"start": "2024-04-30T23:59:59Z"}, None),
        ({"start": None, "end": None, "window": None}, None),
        ({"start": "2024-04-30T23:00:00Z"}, 1.0),
        ({"end": "2024-05-02T00:30:00Z"}, 0.5),
        ({"minutes": 1500}, 1.0),
        ({"start": "2024-04-30T23:00:00Z", "minutes": 1500}, 1.0),
        ({"start": "2024-04-30T23:00:00Z", "end": "2024-05-02T01:00:00Z", "minutes": 1560}, 2.0),
        ({"window": HALF, "end": "2024-05-01T12:00:00Z", "minutes": 720}, None),
        ({"window": HALF, "end": "2024-05-01T13:00:00Z", "minutes": 780}, 1.0),
    ],
)
def test_hours_outside_of_the_window_are_shown(fields: dict[str, object], hours: float | None) -> None:
    """Before it, after it or beyond its length, once; the row's own window counts where shorter."""
    for kind, key in (("allocations", POD), ("assets", NODE)):
        result = outcome(KEY, CostsGiven(costs=QUIET.changed(kind, key, **fields).costs()))
        assert floats(result) == ({} if hours is None else {("Rows", kind, key): (0.0, hours)})


def test_a_row_of_another_window_is_shown() -> None:
    """All of its hours are outside of the one under audit."""
    other = {"start": "2024-05-02T00:00:00Z", "end": "2024-05-03T00:00:00Z"}
    costs = QUIET.changed("allocations", POD, window=other, **other).costs()
    assert floats(outcome(KEY, CostsGiven(costs=costs))) == {("Rows", "allocations", POD): (0.0, 24.0)}


def test_a_null_is_missing() -> None:
    """A row that does not say how long it is."""
    costs = QUIET.changed("allocations", POD, minutes=None).costs()
    assert missing(outcome(KEY, CostsGiven(costs=costs))) == [(POD, "its length in minutes is null")]


def test_nothing_to_compare_is_failed() -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=NO_COSTS))
    assert (result.status, result.description) == (
        Status.FAILED,
        f"nothing to compare: no allocations and no assets in {DAY}",
    )
