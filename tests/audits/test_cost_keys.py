from datetime import timedelta

from msgspec.structs import replace

from auditsvc.core.cost_json import parse_allocations, parse_assets
from auditsvc.core.results import Status
from auditsvc.core.window import Window
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, document, outcome
from tests.audits.given import floats

KEY = "costKeys"
DISK = {"type": "Disk"}
QUIET = consistent_day(2, nodes=1, pods=1)


def test_different_keys_pass() -> None:
    """Each is looked at once."""
    result = outcome(KEY, CostsGiven(costs=QUIET.costs()))
    assert (result.status, result.checked) == (Status.PASSED, len(QUIET.allocations) + len(QUIET.assets))


def test_a_key_that_is_there_twice_is_shown() -> None:
    """In one map or in two; an allocation and an asset may share one."""
    twice = parse_allocations(b'{"data": {"a": {"minutes": 1}, "a": {"minutes": 1}, "b": {"minutes": 1}}}')
    again = parse_assets(document([{"b": DISK, "c": DISK}, {"c": DISK}, {"c": DISK}]))
    result = outcome(KEY, CostsGiven(costs=replace(NO_COSTS, allocations=twice, assets=again)))
    assert floats(result) == {("Rows", "allocations", "a"): (1, 2), ("Rows", "assets", "c"): (1, 3)}
    assert "paid for twice" in result.floats[0].resolution


def test_nothing_to_compare_is_failed() -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=NO_COSTS))
    assert (result.status, result.description) == (
        Status.FAILED,
        f"nothing to compare: no allocations and no assets in {DAY}",
    )


def test_a_key_in_every_step_is_there_once() -> None:
    """A window's steps each have it; twice in one step is twice."""
    noon = DAY.start + timedelta(hours=12)
    steps = [Window(DAY.start, noon), Window(noon, DAY.end)]
    [row] = parse_allocations(document({"a": {"minutes": 720}}))
    rows = tuple(replace(row, window=step) for step in steps)
    for allocations, found in ((rows, {}), ((*rows, rows[1]), {("Rows", "allocations", "a"): (1, 2)})):
        assert floats(outcome(KEY, CostsGiven(costs=replace(NO_COSTS, allocations=allocations)))) == found
