"""Windows: half-open UTC time ranges, and the grammar in which a request names one."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Self

import msgspec
from msgspec.structs import force_setattr

from auditsvc.errors import ParseError, WindowError

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": _DAY, "w": _WEEK}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# [0-9] and not \d, which takes the digits of every script. Whether a date exists is left to datetime.
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME = rf"{_DATE}T{_CLOCK}:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-]{_CLOCK})"
# Compiled when first used, which takes longer than all else here: much has windows, and reads none.
_SPAN = r"([0-9]+)([mhdw])"
_ROLLING = rf"{_SPAN}(?: offset {_SPAN})?"
_PAIRS: tuple[tuple[str, Callable[[str], datetime]], ...] = (
    (r"([0-9]+)[,-]([0-9]+)", lambda seconds: _EPOCH + timedelta(seconds=int(seconds))),
    (rf"({_TIME}),({_TIME})", datetime.fromisoformat),
    (rf"({_DATE}),({_DATE})", lambda day: datetime.fromisoformat(f"{day}T00:00Z")),
)

_OFFSET = r"([+-])([0-9]{2}):([0-5][0-9])"
_WESTERNMOST, _EASTERNMOST = timedelta(hours=-12), timedelta(hours=14)


class Window(msgspec.Struct, frozen=True, order=True):
    """The time from `start` until just before `end`; ordered by start, then end.

    Both are aware, and are kept in UTC whatever their zone was. Raises WindowError where one is naive and
    where the window is reversed or empty.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        force_setattr(self, "start", _utc(self.start))
        force_setattr(self, "end", _utc(self.end))
        if self.start >= self.end:
            raise WindowError(f"a window must end after its start: {self}")

    @classmethod
    def day(cls, moment: date) -> Self:
        """The UTC day of a date, or the one in which an aware datetime lies."""
        day = _utc(moment).date() if isinstance(moment, datetime) else moment
        start = datetime.combine(day, time.min, UTC)
        try:
            return cls(start, start + _DAY)
        except OverflowError:
            raise WindowError(f"the calendar ends with {day}, which therefore is no window") from None

    def days(self) -> Iterator[Self]:
        """Every UTC day that the window overlaps, whole, in order."""
        first, last = self.start.date(), (self.end - timedelta.resolution).date()
        for number in range((last - first).days + 1):
            yield self.day(first + number * _DAY)

    def overlaps(self, other: Self) -> bool:
        """Whether some moment lies in both."""
        return self.start < other.end and other.start < self.end

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        """As the Audit API writes it: `[2023-01-16T20:23:08+0000, 2023-01-19T20:23:08+0000)`."""
        return f"[{_written(self.start)}, {_written(self.end)})"


def parse_window(text: str, *, now: datetime, utc_offset: timezone = UTC) -> Window:
    """The window that a request names, in the grammar of OpenCost's `window` parameter; case-sensitive.

    `today yesterday week lastweek month lastmonth`, in the calendar of `utc_offset`; `7d` and
    `7d offset 1w`, which end at the aware `now` or that long before it; and pairs `start,end` of Unix seconds
    (also `start-end`), RFC 3339 times or dates. A date is its midnight in UTC, so the last one is excluded;
    OpenCost itself takes no dates. Raises WindowError for anything else, and for a reversed or empty window.
    """
    now = _utc(now)
    try:
        return Window(*_bounds(text, now.astimezone(utc_offset)))
    except (ValueError, OverflowError, WindowError):
        raise WindowError(f"illegal window: {text}") from None


def parse_utc_offset(text: str) -> timezone:
    """`+HH:MM` or `-HH:MM`, from -12:00 to +14:00 (all that are in use). Raises ParseError otherwise."""
    if match := re.fullmatch(_OFFSET, text):
        sign, hours, minutes = match.groups()
        size = timedelta(hours=int(hours), minutes=int(minutes))
        offset = -size if sign == "-" else size
        if _WESTERNMOST <= offset <= _EASTERNMOST:
            return timezone(offset)
    raise ParseError(f"illegal UTC offset: {text}: write ±HH:MM, from -12:00 to +14:00")


def _bounds(text: str, now: datetime) -> tuple[datetime, datetime]:
    if re.fullmatch(_ROLLING, text):
        length, *offset = (int(count) * _UNITS[unit] for count, unit in re.findall(_SPAN, text))
        end = now - sum(offset, timedelta())
        return end - length, end
    for pattern, moment in _PAIRS:
        if match := re.fullmatch(pattern, text):
            return moment(match[1]), moment(match[2])
    return _named(text, now)


def _named(name: str, now: datetime) -> tuple[datetime, datetime]:
    # The whole days are those of now's zone, a fixed offset: no day of it is longer or shorter.
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sunday = today - today.isoweekday() % 7 * _DAY
    first = today.replace(day=1)
    match name:
        case "today":
            return today, today + _DAY
        case "yesterday":
            return today - _DAY, today
        case "week":
            return sunday, now
        case "lastweek":
            return sunday - _WEEK, sunday
        case "month":
            return first, now
        case "lastmonth":
            return (first - _DAY).replace(day=1), first
    raise ValueError(f"no window has the name {name}")


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise WindowError(f"a time without a zone is no moment: {moment}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise WindowError(f"a time outside of the calendar: {moment}") from None


def _written(moment: datetime) -> str:
    # Not strftime: its %Y does not pad the years before 1000.
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "+0000"
