import pickle
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.events import UNKNOWN_TIME
from auditsvc.core.recent import Recent, within_repeat_window
from tests.logs import at

IDS = ("5c0e7a52", "a8b9a556", "", "a", "a\nb")
"""Audit IDs: most are of one length, but clients may choose them."""


def add(recent: Recent, ids: list[str], received: list[float]) -> None:
    """Adds completions, each staged when it was received."""
    times = [at(second) for second in received]
    recent.add(ids, times, times, latest=max(times))


@pytest.mark.parametrize("ids", [["a", "b", "c"], ["a", "bb", ""]])
def test_repeats(ids: list[str]) -> None:
    """A request is known by its time of receipt and its audit ID together, whatever lengths these have."""
    recent = Recent()
    add(recent, ids, [0, 1, 2])
    add(recent, ids, [3, 4, 5])
    known = {(audit_id, second) for second, audit_id in enumerate(ids * 2)}
    for second in range(7):
        for audit_id in [*ids, "d"]:
            key = at(second) + audit_id
            assert recent.repeats(key, near=at(second)) == ((audit_id, second) in known)
    assert len(recent) == 6


@pytest.mark.parametrize(
    ("completed", "staged", "within"),
    [(0, 60, True), (60, 0, True), (0, 60.000001, False), (61, 0, False)],
)
def test_repeat_window(completed: float, staged: float, within: bool) -> None:
    """Within 60 s, before or after."""
    assert within_repeat_window(at(completed), at(staged)) == within


@pytest.mark.parametrize(("completed", "staged"), [(UNKNOWN_TIME, at(0)), (at(0), UNKNOWN_TIME)])
def test_unknown_times(completed: str, staged: str) -> None:
    """Where a time is unknown, nothing speaks against a repetition."""
    assert within_repeat_window(completed, staged)


def test_a_later_completion_counts() -> None:
    """Of a request that completed more than once the last time is remembered."""
    recent = Recent()
    add(recent, ["a"], [0])
    recent.add_late(at(0) + "a", at(50))
    assert recent.repeats(at(0) + "a", near=at(100))
    assert not recent.repeats(at(0) + "a", near=at(111))


def test_forget() -> None:
    """What lies within 60 s of log time is remembered, and what lies two minutes back is not."""
    recent = Recent()
    for second in range(0, 250, 50):
        add(recent, ["a"], [second])
        recent.forget(at(second))
    recent.forget(UNKNOWN_TIME)
    remembered = [second for second in range(250) if recent.repeats(at(second) + "a", near=at(second))]
    assert remembered == [150, 200]
    assert len(recent) == 2


def remember(completions: list[tuple[int, str]], size: int) -> tuple[Recent, int, set[tuple[int, str]]]:
    """What remembers them, added in blocks of that size; when the last was received; and which they are."""
    recent, latest, known = Recent(), -1, set[tuple[int, str]]()
    for _, block in groupby(enumerate(completions), key=lambda numbered: numbered[0] // size):
        added = {second: audit_id for _, (second, audit_id) in block}
        for second, audit_id in added.items():
            if second <= latest:
                recent.add_late(at(second) + audit_id, at(second))
        latest = max(latest, *added)
        times = [at(second) for second in added]
        recent.add([*added.values()], times, times, latest=at(latest))
        known |= set(added.items())
    return recent, latest, known


def found_in(recent: Recent) -> set[tuple[int, str]]:
    """All that it finds."""
    return {
        (second, audit_id)
        for second in range(41)
        for audit_id in IDS
        if recent.repeats(at(second) + audit_id, near=at(second))
    }


logged = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(IDS)), max_size=30)
sizes = st.integers(1, 7)


@given(logged, sizes)
def test_all_are_found(completions: list[tuple[int, str]], size: int) -> None:
    """Whatever completed, in any order and in blocks of any size, is found again, and nothing else is."""
    recent, _, known = remember(completions, size)
    assert found_in(recent) == known


@given(st.lists(logged, min_size=2, max_size=4), sizes)
def test_all_of_an_appended_part_are_found(parts: list[list[tuple[int, str]]], size: int) -> None:
    """So it is where each part of a log had its own in another process, whatever the order of time."""
    whole, latest, known = remember(parts[0], size)
    for part in parts[1:]:
        later, last, added = remember(part, size)
        whole.append(pickle.loads(pickle.dumps(later)), latest=at(latest), now=at(last))  # noqa: S301 - our own
        latest, known = max(latest, last), known | added
        assert found_in(whole) == known


def test_an_appended_completion_is_the_later_one() -> None:
    """Of a request that completes in both parts the time in the second one is remembered."""
    whole, later = Recent(), Recent()
    add(whole, ["a"], [0])
    later.add(["a"], [at(0)], [at(50)], latest=at(0))
    whole.append(later, latest=at(0), now=at(50))
    assert whole.repeats(at(0) + "a", near=at(100))
