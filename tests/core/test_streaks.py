from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.results import Status
from auditsvc.core.streaks import Streak, find_streaks
from auditsvc.core.window import Window

FIRST = date(2026, 1, 1)
P, W, F = Status.PASSED, Status.WARNING, Status.FAILED

days = st.lists(st.integers(0, 400), unique=True, max_size=30).map(sorted)


def day(number: int) -> Window:
    """So many days after the first."""
    return Window.day(FIRST + timedelta(days=number))


def streaks(*statuses: Status) -> list[Streak]:
    """How results stand on as many days in a row."""
    return find_streaks([(day(number), status) for number, status in enumerate(statuses)])


@given(st.data())
def test_each_result_stands_as_those_up_to_it_say(data: st.DataObject) -> None:
    """As counted by hand for each result alone; days without a result count for nothing."""
    numbers = data.draw(days)
    results = [(day(number), data.draw(st.sampled_from(Status))) for number in numbers]
    for at, streak in enumerate(find_streaks(results)):
        upto = results[: at + 1]
        status = results[at][1]
        other = [place for place, (_, found) in enumerate(upto) if found is not status]
        passed = [place for place, (_, found) in enumerate(upto) if found is P]
        first = other[-1] + 1 if other else 0
        assert streak == Streak(
            status=status,
            since=upto[first][0].start,
            last_passed=upto[passed[-1]][0] if passed else None,
            sets_since_passed=at - passed[-1] if passed else None,
            sets=at + 1,
        )


@given(st.lists(st.sampled_from(Status), min_size=1, max_size=20), st.sampled_from(Status))
def test_a_later_result_changes_none_before_it(statuses: list[Status], later: Status) -> None:
    """Each is told by what came before it alone."""
    assert streaks(*statuses, later)[:-1] == streaks(*statuses)


@pytest.mark.parametrize(
    ("statuses", "since", "passed", "ago"),
    [
        ([P], 0, 0, 0),
        ([F], 0, None, None),
        ([P, P], 0, 1, 0),
        ([P, F], 1, 0, 1),
        ([P, F, F], 1, 0, 2),
        ([P, W, F], 2, 0, 2),
        ([F, W], 1, None, None),
        ([F, P, F], 2, 1, 1),
    ],
)
def test_since_is_of_the_status_and_passed_of_any_other(
    statuses: list[Status], since: int, passed: int | None, ago: int | None
) -> None:
    """A warning before a failure is another streak, but both are of the sets that did not pass."""
    last = streaks(*statuses)[-1]
    assert last.since == day(since).start
    assert last.last_passed == (None if passed is None else day(passed))
    assert last.sets_since_passed == ago


def test_no_result() -> None:
    """Where there is none, nothing stands."""
    assert find_streaks([]) == []


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([P, P], "Passed since 2026-01-01"),
        ([P, F], "Failed since 2026-01-02; Passed last on 2026-01-01, 1 set ago"),
        ([P, W, F], "Failed since 2026-01-03; Passed last on 2026-01-01, 2 sets ago"),
        ([W], "Warning since 2026-01-01; never Passed in 1 set"),
    ],
)
def test_it_is_said_in_a_line(statuses: list[Status], said: str) -> None:
    """For reports and pages."""
    assert str(streaks(*statuses)[-1]) == said


def test_since_is_a_moment_in_utc() -> None:
    """The start of the window."""
    assert streaks(F)[0].since == datetime(2026, 1, 1, tzinfo=UTC)
