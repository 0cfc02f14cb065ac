"""The newest completions of an audit log, by which a request that completes again is recognised.

A completion repeated within 60 s of log time is the same request's; in a log whose time jumps back
(AuditLogIntegrity tells) it may be taken for another one's.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta

from auditsvc.core.events import TIME_LENGTH, UNKNOWN_TIME, parse_time, shift_time
from auditsvc.core.log_time import BACKWARDS_SLACK

REPEAT_WINDOW = timedelta(seconds=60)

_REMEMBERED = REPEAT_WINDOW + BACKWARDS_SLACK
"""For so long a completion is remembered at least: a log may go back by the slack."""

Key = str
"""Names one request: its time of receipt, which is of one length, and its audit ID."""


class Recent:
    """All completions of the last 60 s of log time, and more.

    They are kept as two generations of at least 60 s each, so that forgetting the old ones costs nothing.
    """

    def __init__(self) -> None:
        self._newer = _Generation()
        self._older = _Generation()
        self._bounds = ("", "")

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def add(self, ids: list[str], received: list[str], staged: list[str], *, latest: str) -> "Block":
        """Adds completions of requests that were received up to the latest so far; returns them as kept.

        Those that were received at one time, or not later than all requests before them, must have been
        added by :meth:`add_late` too.
        """
        block = Block(ids, received, staged)
        self._newer.add(block, latest)
        return block

    def add_late(self, key: Key, staged: str) -> None:
        """Adds the completion of any request."""
        self._newer.late[key] = staged

    def append(self, later: "Recent", *, latest: str, now: str) -> None:
        """Adds what the part of the log that follows remembers, which ends at that time of the log.

        ``latest`` is when the last request before it was received.
        """
        self._newer.append(later._older, latest)
        self._newer.append(later._newer, latest)
        self.forget(now)

    def repeats(self, key: Key, *, near: str) -> bool:
        """Whether a request completed within 60 s of a stage time."""
        completed = self._newer.find(key) or self._older.find(key)
        return completed is not None and within_repeat_window(completed, near)

    def forget(self, now: str) -> None:
        """Forgets, at a time of the log, what lies far enough back."""
        if now == UNKNOWN_TIME or self._bounds[0] <= now <= self._bounds[1]:
            return
        if self._bounds[1]:
            self._older, self._newer = self._newer, _Generation()
        self._bounds = shift_time(now, -_REMEMBERED), shift_time(now, _REMEMBERED)


class _Generation:
    """Completions in blocks: each is of requests that were received later than those of the one before.

    Nearly every request is received later than all that completed before it, and then it is no repetition:
    nothing has to be looked up, so that only those few that were not, or at one time with others, have an
    index: the ``late`` ones.
    """

    def __init__(self) -> None:
        self.late: dict[Key, str] = {}
        self._blocks: list[Block] = []
        self._latest: list[str] = []

    def __len__(self) -> int:
        return len(self.late) + sum(map(len, self._blocks))

    def add(self, block: "Block", latest: str) -> None:
        if len(block):
            self._blocks.append(block)
            self._latest.append(latest)

    def find(self, key: Key) -> str | None:
        """The stage time at which a request completed last."""
        if (found := self.late.get(key)) is not None:
            return found
        block = bisect_left(self._latest, key[:TIME_LENGTH])
        return self._blocks[block].find(key) if block < len(self._blocks) else None

    def append(self, later: "_Generation", latest: str) -> None:
        """Adds what follows in the log; ``latest`` is when the last request before it was received."""
        above = UNKNOWN_TIME
        for block, until in zip(later._blocks, later._latest, strict=True):
            # Of what may have been received no later than that, all are late ones now.
            if above < latest:
                self.late.update(block)
            self._blocks.append(block)
            self._latest.append(max(latest, until))
            above = until
        self.late.update(later.late)


class Block:
    """Completions, each a request's key and its stage time.

    Each column is joined to one text, which takes less memory than many. Audit IDs are of one length unless
    clients choose them; then they are a list.
    """

    __slots__ = ("_ids", "_received", "_staged")

    def __init__(self, ids: list[str], received: list[str], staged: list[str]) -> None:
        self._ids = "".join(ids) if len(set(map(len, ids))) == 1 else ids
        self._received = "".join(received)
        self._staged = "".join(staged)

    def __len__(self) -> int:
        return len(self._received) // TIME_LENGTH

    def __iter__(self) -> Iterator[tuple[Key, str]]:
        for number in range(len(self)):
            yield self._time(self._received, number) + self._id(number), self._time(self._staged, number)

    def find(self, key: Key) -> str | None:
        """The stage time at which a request completed, if it is the first that was received at its time."""
        # The shape of a time is found nowhere but where one starts.
        number, beside = divmod(self._received.find(key[:TIME_LENGTH]), TIME_LENGTH)
        is_there = beside == 0 and self._id(number) == key[TIME_LENGTH:]
        return self._time(self._staged, number) if is_there else None

    def _id(self, number: int) -> str:
        if isinstance(self._ids, list):
            return self._ids[number]
        width = len(self._ids) // len(self)
        return self._ids[number * width : (number + 1) * width]

    def _time(self, times: str, number: int) -> str:
        return times[number * TIME_LENGTH : (number + 1) * TIME_LENGTH]


def within_repeat_window(completed: str, staged: str) -> bool:
    """Whether two stage times lie within 60 s; where one is unknown, nothing speaks against it."""
    one, other = parse_time(completed), parse_time(staged)
    return one is None or other is None or abs(other - one) <= REPEAT_WINDOW
