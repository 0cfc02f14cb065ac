"""Since when an audit ends as it does, and how long ago it passed last."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from auditsvc.core.results import Status
from auditsvc.core.window import Window


class Streak(msgspec.Struct, frozen=True, kw_only=True):
    """How a result stands among those of its audit in the windows before it.

    Windows without a result of the audit do not count, and break nothing. ``since`` is the start of the first
    of the results in a row, up to this one, that have its very ``status``. ``last_passed`` is the newest
    window up to this one that Passed, None where none did. ``sets_since_passed`` says how many sets ago that
    was: 0 where this one Passed, 1 where the one before did; None where none did. ``sets`` is how many
    results there are up to this one.
    """

    status: Status
    since: datetime
    last_passed: Window | None
    sets_since_passed: int | None
    sets: int

    def __str__(self) -> str:
        since = f"{self.status} since {self.since.date()}"
        if self.status is Status.PASSED:
            return since
        if self.last_passed is None:
            return f"{since}; never Passed in {_sets(self.sets)}"
        return f"{since}; Passed last on {self.last_passed.start.date()}, {_sets(self.sets_since_passed)} ago"


def find_streaks(results: Iterable[tuple[Window, Status]]) -> list[Streak]:
    """How each of the results of one audit stands; they are in time order, one a window."""
    streaks: list[Streak] = []
    passed: Window | None = None
    ago: int | None = None
    for number, (window, status) in enumerate(results):
        before = streaks[-1] if streaks else None
        if status is Status.PASSED:
            passed, ago = window, 0
        streaks.append(
            Streak(
                status=status,
                since=before.since if before and before.status is status else window.start,
                last_passed=passed,
                sets_since_passed=ago,
                sets=number + 1,
            )
        )
        ago = None if ago is None else ago + 1
    return streaks


def _sets(count: int | None) -> str:
    return "1 set" if count == 1 else f"{count} sets"
