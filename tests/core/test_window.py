import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.window import Window, parse_utc_offset, parse_window
from auditsvc.errors import ParseError, WindowError

NOW = datetime(2023, 1, 18, 20, 23, 8, 500_000, UTC)  # a Wednesday
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

offsets = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
spans = st.tuples(st.integers(0, 10**4), st.sampled_from("mhdw"))
utc_times = st.datetimes(timezones=st.just(UTC))
# Hypothesis takes its bounds naive.
this_century = st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=offsets)  # noqa: DTZ001
date_texts = st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
time_texts = st.from_regex(
    r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.\d+)?(Z|[+-]\d\d:\d\d)\Z"
)
texts = st.one_of(
    st.text(),
    st.from_regex(r"\A\d+[mhdw]( offset \d+[mhdw])?\Z"),
    st.from_regex(r"\A\d+[,-]\d+\Z"),
    st.tuples(date_texts, date_texts).map(",".join),
    st.tuples(time_texts, time_texts).map(",".join),
)


def at(text: str) -> datetime:
    """The time in UTC that an ISO 8601 text without a zone means."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str) -> Window:
    """The window between two such times."""
    return Window(at(start), at(end))


def parsed(text: str, now: datetime = NOW, utc_offset: str = "+00:00") -> Window:
    """The window that a text names, on that Wednesday in UTC unless said otherwise."""
    return parse_window(text, now=now, utc_offset=parse_utc_offset(utc_offset))


NOW_DAY = window("2023-01-18", "2023-01-19")

ILLEGAL = [
    # words
    "", " ", "Today", "TODAY", "today ", " today", "today\n", "lastyear", "year", "now",
    # rolling
    "7", "d", "-7d", "+7d", "7D", "7s", "7y", "1.5h", "7 d", "7d ", "7d\n", "1d2h", "\u0667d", "\uff17d",
    "0m", "0d", "0d offset 1d", "1d offset", "1d offset -1d", "1d  offset 1d", "1d Offset 1d", "1doffset1d",
    "1d offset 1d offset 1d", "1d offset 1y",
    # Unix seconds
    "1583884800,1583712000", "1583712000,1583712000", "1583712000", "1583712000|1583884800", "-1,1", "1,-1",
    "1583712000,", ",1583884800", "1583712000,1583884800,1583884801", "1583712000.5,1583884800",
    "1583712000, 1583884800", "1583712000,2020-04-12",
    # RFC 3339: reversed, empty, another form, no such time
    "2020-04-12T00:00:00Z,2020-04-08T00:00:00Z", "2020-04-08T00:00:00Z,2020-04-08T00:00:00Z",
    "2020-04-08T00:00:00Z,2020-04-08T01:00:00+01:00",
    "2020-04-08T00:00:00.0000001Z,2020-04-08T00:00:00.0000002Z",  # a microsecond is the shortest time here
    "2020-04-08T00:00:00Z", "2020-04-08T00:00:00Z,", "2020-04-08T00:00:00Z-2020-04-12T00:00:00Z",
    "2020-04-08T00:00:00,2020-04-12T00:00:00", "2020-04-08t00:00:00z,2020-04-12t00:00:00z",
    "2020-04-08 00:00:00Z,2020-04-12 00:00:00Z", "2020-04-08T00:00Z,2020-04-12T00:00Z",
    "2020-04-08T00:00:00.Z,2020-04-12T00:00:00Z", "2020-04-08T00:00:00,5Z,2020-04-12T00:00:00Z",
    "2020-04-08T00:00:00+0100,2020-04-12T00:00:00Z", "2020-04-08T00:00:00 01:00,2020-04-12T00:00:00Z",
    "20200408T000000Z,20200412T000000Z", "2020-04-08T00:00:00Z,2020-04-12T00:00:00Z\n",
    "2020-04-08T24:00:00Z,2020-04-12T00:00:00Z", "2020-04-08T00:60:00Z,2020-04-12T00:00:00Z",
    "2020-04-08T00:00:60Z,2020-04-12T00:00:00Z", "2020-04-08T00:00:00+24:00,2020-04-12T00:00:00Z",
    "2020-04-08T00:00:00+01:60,2020-04-12T00:00:00Z", "2023-02-30T00:00:00Z,2023-03-02T00:00:00Z",
    "0001-01-01T00:00:00+00:01,2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z,9999-12-31T23:59:59-00:01",
    # and the same for dates
    "2023-01-19,2023-01-16", "2023-01-16,2023-01-16", "2023-01-16", "2023-01-16,", "2023-1-6,2023-1-9",
    "2023-01-16,2023-01-19T00:00:00Z", "2023-W03-1,2023-W04-1", "\uff12\uff1023-01-16,2023-01-19",
    "2023-04-31,2023-05-02", "2023-02-29,2023-03-01", "2023-00-10,2023-03-01", "2023-13-01,2024-01-01",
    "0000-01-01,2024-01-01", "12023-01-01,12024-01-01",
    # too large for a date, an interval, a number
    "0,253402300800", "1d offset 200000w", "99999999999w", f"1d offset {'9' * 30}d", f"0,{'9' * 30}",
    f"{'9' * 5000}m", f"0,{'9' * 5000}",
]  # fmt: skip  # grouped


class TestWindow:
    """The value itself."""

    def test_keeps_utc(self) -> None:
        """A window of another zone is the same window in UTC."""
        east = timezone(timedelta(hours=3))
        moved = Window(datetime(2023, 1, 1, 2, tzinfo=east), datetime(2023, 1, 1, 5, tzinfo=east))
        assert moved == window("2022-12-31T23:00", "2023-01-01T02:00")
        assert (moved.start.tzinfo, moved.end.tzinfo) == (UTC, UTC)

    @pytest.mark.parametrize("end", ["2023-01-01", "2022-12-31T23:59:59.999999"])
    def test_is_neither_empty_nor_reversed(self, end: str) -> None:
        """A window that is not after its start is refused."""
        with pytest.raises(WindowError, match=r"^a window must end after its start: \[2023-01-01T00:00"):
            window("2023-01-01", end)

    @pytest.mark.parametrize(("start_zone", "end_zone"), [(None, UTC), (UTC, None), (None, None)])
    def test_has_zones(self, start_zone: timezone | None, end_zone: timezone | None) -> None:
        """A naive time is refused at either end."""
        with pytest.raises(WindowError, match=r"^a time without a zone is no moment: 20"):
            Window(datetime(2023, 1, 1, tzinfo=start_zone), datetime(2023, 1, 2, tzinfo=end_zone))

    def test_lies_in_the_calendar(self) -> None:
        """A time that UTC has no date for is refused."""
        before_the_first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
        with pytest.raises(WindowError, match=r"^a time outside of the calendar: 0001-01-01 00:00"):
            Window(before_the_first, NOW)

    def test_is_written_as_the_audit_api_writes_it(self) -> None:
        """The text has seconds and a numeric zone without a colon, whatever the year."""
        assert str(window("2023-01-16T20:23:08", "2023-01-19T20:23:08.9")) == (
            "[2023-01-16T20:23:08+0000, 2023-01-19T20:23:08+0000)"
        )
        assert str(window("0003-01-01", "2023-01-01")).startswith("[0003-01-01T00:00:00+0000, ")

    def test_is_half_open(self) -> None:
        """The start is in it, the end is not."""
        day = Window.day(date(2023, 1, 18))
        assert day.start in day
        assert day.end - timedelta.resolution in day
        assert day.end not in day
        assert day.start - timedelta.resolution not in day

    def test_sorts_by_start_then_end(self) -> None:
        """Windows sort in time."""
        first, second, third = window("2023-01-01", "2023-01-03"), window("2023-01-02", "2023-01-03"), NOW_DAY
        assert sorted([third, second, first]) == [first, second, third]
        assert window("2023-01-01", "2023-01-02") < first

    @pytest.mark.parametrize(
        ("start", "end", "overlaps"),
        [
            ("2023-01-17", "2023-01-18", False),  # touches it
            ("2023-01-17", "2023-01-18T00:00:00.000001", True),
            ("2023-01-18T10:00", "2023-01-18T11:00", True),
            ("2023-01-17", "2023-01-20", True),
            ("2023-01-18T23:59:59.999999", "2023-01-20", True),
            ("2023-01-19", "2023-01-20", False),
        ],
    )
    def test_overlaps(self, start: str, end: str, overlaps: bool) -> None:
        """Two windows overlap where they share a moment, whichever is asked."""
        other = window(start, end)
        assert NOW_DAY.overlaps(other) is overlaps
        assert other.overlaps(NOW_DAY) is overlaps

    @pytest.mark.parametrize("moment", [NOW.date(), NOW_DAY.start, NOW, NOW_DAY.end - timedelta.resolution])
    def test_day_of(self, moment: date) -> None:
        """The day of a date and of each moment in it is that UTC day."""
        assert Window.day(moment) == NOW_DAY

    def test_day_is_utcs(self) -> None:
        """The day of a moment in another zone is the one that UTC has then."""
        assert Window.day(datetime(2023, 1, 19, 4, tzinfo=timezone(timedelta(hours=5)))) == NOW_DAY

    @pytest.mark.parametrize(
        ("moment", "message"),
        [
            (date.max, "the calendar ends with 9999-12-31, which therefore is no window"),
            (datetime(2023, 1, 18), "a time without a zone is no moment: 2023-01-18 00:00:00"),  # noqa: DTZ001  what it refuses
        ],
    )
    def test_no_day(self, moment: date, message: str) -> None:
        """The calendar's last day has no end, and a naive time no day."""
        with pytest.raises(WindowError, match=f"^{message}$"):
            Window.day(moment)

    @pytest.mark.parametrize(
        ("start", "end", "days"),
        [
            ("2023-01-18", "2023-01-19", ["2023-01-18"]),
            ("2023-01-18T23:59:59.999999", "2023-01-19T00:00:00.000001", ["2023-01-18", "2023-01-19"]),
            ("2023-01-18T10:00", "2023-01-18T11:00", ["2023-01-18"]),
            ("2024-02-28T12:00", "2024-03-01", ["2024-02-28", "2024-02-29"]),
            ("9999-12-30", "9999-12-31", ["9999-12-30"]),
        ],
    )
    def test_days(self, start: str, end: str, days: list[str]) -> None:
        """The days are whole ones, and all that the window touches."""
        assert list(window(start, end).days()) == [Window.day(date.fromisoformat(day)) for day in days]

    @given(this_century, st.integers(1, 10**13))
    def test_days_cover_the_window(self, start: datetime, microseconds: int) -> None:
        """The days follow each other without a gap, and only the first and the last stick out."""
        asked = Window(start, start + timedelta(microseconds=microseconds))
        days = list(asked.days())
        assert all(one.end == next_one.start for one, next_one in pairwise(days))
        assert asked.start in days[0]
        assert asked.end - timedelta.resolution in days[-1]
        assert all(day.overlaps(asked) for day in days)


class TestParseWindow:
    """The grammar."""

    @pytest.mark.parametrize(
        ("text", "start", "end"),
        [
            ("today", "2023-01-18", "2023-01-19"),
            ("yesterday", "2023-01-17", "2023-01-18"),
            ("week", "2023-01-15", "2023-01-18T20:23:08.5"),
            ("lastweek", "2023-01-08", "2023-01-15"),
            ("month", "2023-01-01", "2023-01-18T20:23:08.5"),
            ("lastmonth", "2022-12-01", "2023-01-01"),
            ("45m", "2023-01-18T19:38:08.5", "2023-01-18T20:23:08.5"),
            ("24h", "2023-01-17T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("7d", "2023-01-11T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("007d", "2023-01-11T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("2w", "2023-01-04T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("1h offset 30m", "2023-01-18T18:53:08.5", "2023-01-18T19:53:08.5"),
            ("1d offset 1w", "2023-01-10T20:23:08.5", "2023-01-11T20:23:08.5"),
            ("1d offset 0d", "2023-01-17T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("1583712000,1583884800", "2020-03-09", "2020-03-11"),
            ("1583712000-1583884800", "2020-03-09", "2020-03-11"),
            ("0,1", "1970-01-01", "1970-01-01T00:00:01"),
            ("2020-04-08T00:00:00Z,2020-04-12T00:00:00Z", "2020-04-08", "2020-04-12"),
            ("2020-04-08T02:00:00+02:00,2020-04-07T20:30:00-05:30", "2020-04-08", "2020-04-08T02:00"),
            ("2020-04-08T00:00:00.5Z,2020-04-12T00:00:00Z", "2020-04-08T00:00:00.5", "2020-04-12"),
            ("2020-04-08T00:00:00Z,2020-04-12T00:00:00.0000019Z", "2020-04-08", "2020-04-12T00:00:00.000001"),
            ("2023-01-16,2023-01-19", "2023-01-16", "2023-01-19"),
            ("2024-02-29,2024-03-01", "2024-02-29", "2024-03-01"),
        ],
    )  # fmt: skip  # one line a window
    def test_legal(self, text: str, start: str, end: str) -> None:
        """Each form names the window that OpenCost's grammar says; dates are midnights in UTC."""
        assert parsed(text) == window(start, end)

    @pytest.mark.parametrize("text", ILLEGAL, ids=lambda text: repr(text)[:60])
    def test_illegal(self, text: str) -> None:
        """A reversed, empty, impossible or otherwise unreadable window is refused, and named."""
        with pytest.raises(WindowError) as refused:
            parsed(text)
        assert str(refused.value) == f"illegal window: {text}"

    @pytest.mark.parametrize(
        ("text", "start", "end"),
        [
            ("today", "2023-01-18T19:00", "2023-01-19T19:00"),  # it is the 19th there, since 19:00 UTC
            ("yesterday", "2023-01-17T19:00", "2023-01-18T19:00"),
            ("week", "2023-01-14T19:00", "2023-01-18T20:23:08.5"),
            ("lastweek", "2023-01-07T19:00", "2023-01-14T19:00"),
            ("month", "2022-12-31T19:00", "2023-01-18T20:23:08.5"),
            ("lastmonth", "2022-11-30T19:00", "2022-12-31T19:00"),
            ("1d", "2023-01-17T20:23:08.5", "2023-01-18T20:23:08.5"),
            ("2023-01-16,2023-01-19", "2023-01-16", "2023-01-19"),
            ("0,1", "1970-01-01", "1970-01-01T00:00:01"),
        ],
    )
    def test_offset_moves_keywords_only(self, text: str, start: str, end: str) -> None:
        """The keywords are days of the offset's calendar; every other form means what it means in UTC."""
        assert parsed(text, utc_offset="+05:00") == window(start, end)

    @pytest.mark.parametrize(
        ("now", "utc_offset", "text", "start", "end"),
        [
            ("2023-01-01T00:30", "-01:00", "today", "2022-12-31T01:00", "2023-01-01T01:00"),
            ("2023-01-01T00:30", "-01:00", "month", "2022-12-01T01:00", "2023-01-01T00:30"),
            ("2023-01-01T00:30", "-01:00", "lastmonth", "2022-11-01T01:00", "2022-12-01T01:00"),
            ("2023-01-01T00:30", "-01:00", "week", "2022-12-25T01:00", "2023-01-01T00:30"),
            ("2023-01-01T00:30", "+00:00", "week", "2023-01-01", "2023-01-01T00:30"),
            ("2023-01-14T23:30", "+00:30", "lastweek", "2023-01-07T23:30", "2023-01-14T23:30"),
            ("2024-03-31T12:00", "+00:00", "lastmonth", "2024-02-01", "2024-03-01"),
            ("2023-01-15T00:00:00", "+00:00", "lastweek", "2023-01-08", "2023-01-15"),
            ("2023-01-14T23:59:59", "+00:00", "lastweek", "2023-01-01", "2023-01-08"),
        ],
    )
    def test_at_the_edge_of_a_day(self, now: str, utc_offset: str, text: str, start: str, end: str) -> None:
        """At the edge of a day, a week starts with the offset's Sunday and a month with its 1st."""
        assert parsed(text, now=at(now), utc_offset=utc_offset) == window(start, end)

    @pytest.mark.parametrize(("text", "now"), [("week", "2023-01-15"), ("month", "2023-02-01")])
    def test_the_first_moment_is_an_empty_window(self, text: str, now: str) -> None:
        """In its first moment, a week or month up to now is empty, and so illegal; one later it is not."""
        with pytest.raises(WindowError, match=f"^illegal window: {text}$"):
            parsed(text, now=at(now))
        assert parsed(text, now=at(now) + timedelta.resolution).start == at(now)

    def test_now_may_be_in_any_zone(self) -> None:
        """The zone of `now` says when now is, and not in whose calendar to look."""
        assert parsed("today", now=NOW.astimezone(timezone(timedelta(hours=9)))) == NOW_DAY

    @pytest.mark.parametrize(("text", "now"), [("today", "9999-12-31T23:59:59"), ("lastweek", "0001-01-01")])
    def test_at_the_ends_of_the_calendar(self, text: str, now: str) -> None:
        """Where the calendar has no such day, the window is illegal."""
        with pytest.raises(WindowError, match=f"^illegal window: {text}$"):
            parsed(text, now=at(now))

    @given(spans.filter(lambda span: span[0] > 0), spans, offsets)
    def test_rolling(self, length: tuple[int, str], back: tuple[int, str], utc_offset: timezone) -> None:
        """`<n>u` ends now and has that length, in every calendar; `offset <n>u` moves it back by so much."""
        text = "{}{}".format(*length)
        rolled = parse_window(text, now=NOW, utc_offset=utc_offset)
        assert rolled == Window(NOW - length[0] * UNITS[length[1]], NOW)
        moved = parse_window("{} offset {}{}".format(text, *back), now=NOW, utc_offset=utc_offset)
        by = back[0] * UNITS[back[1]]
        assert moved == Window(rolled.start - by, rolled.end - by)

    @given(this_century, offsets)
    def test_keywords(self, now: datetime, utc_offset: timezone) -> None:
        """Whole days begin at the offset's midnight, the weeks on Sunday, the months on the 1st."""
        today, yesterday, lastweek, lastmonth = (
            parse_window(name, now=now, utc_offset=utc_offset)
            for name in ("today", "yesterday", "lastweek", "lastmonth")
        )
        assert now in today
        assert yesterday.end == today.start
        assert [w.end - w.start for w in (today, yesterday, lastweek)] == [UNITS["d"], UNITS["d"], UNITS["w"]]
        assert timedelta(0) <= today.start - lastweek.end < UNITS["w"]
        local = [w.start.astimezone(utc_offset) for w in (today, lastweek, lastmonth)]
        assert all(start.hour == start.minute == start.second == start.microsecond == 0 for start in local)
        assert local[1].isoweekday() == 7
        assert local[2].day == lastmonth.end.astimezone(utc_offset).day == 1
        assert 28 <= (lastmonth.end - lastmonth.start).days <= 31

    @given(this_century, this_century)
    def test_times_round_trip(self, one: datetime, other: datetime) -> None:
        """A window written as two RFC 3339 times, in any zones, is read as it was."""
        start, end = sorted([one, other])
        if start == end:
            end += timedelta.resolution
        assert parsed(f"{start.isoformat()},{end.isoformat()}") == Window(start, end)

    @given(st.integers(0, 253_402_300_798), st.integers(1, 10**9), st.sampled_from(",-"))
    def test_timestamps_round_trip(self, start: int, length: int, separator: str) -> None:
        """A window written in Unix seconds is read as it was, to the calendar's last second."""
        end = min(start + length, 253_402_300_799)
        read = parsed(f"{start}{separator}{end}")
        assert ((read.start - at("1970-01-01")).total_seconds(), read.end - read.start) == (
            start,
            timedelta(seconds=end - start),
        )

    @given(texts, utc_times, offsets)
    def test_any_text(self, text: str, now: datetime, utc_offset: timezone) -> None:
        """Any text at any time is a window or an illegal one, never another error."""
        with suppress(WindowError):
            read = parse_window(text, now=now, utc_offset=utc_offset)
            assert read.start < read.end
            assert re.fullmatch(r"\[[0-9T:-]{19}\+0000, [0-9T:-]{19}\+0000\)", str(read))


class TestParseUtcOffset:
    """The offset of a calendar."""

    @pytest.mark.parametrize(
        ("text", "minutes"),
        [("+00:00", 0), ("-00:00", 0), ("+05:45", 345), ("-00:30", -30), ("-12:00", -720), ("+14:00", 840)],
    )
    def test_legal(self, text: str, minutes: int) -> None:
        """Hours and minutes east are positive, and both ends of the range are in it."""
        assert parse_utc_offset(text) == timezone(timedelta(minutes=minutes))

    @pytest.mark.parametrize(
        "text",
        [
            *("", "UTC", "Z", "00:00", "+0:00", "+00", "+0000", "+01:60", "-12:01", "+14:01", "+99:00"),
            *("+01:00\n", "+\u06611:00", "\u221201:00"),  # digits and a minus that only look right
        ],
    )
    def test_illegal(self, text: str) -> None:
        """Anything else is refused, and named."""
        with pytest.raises(ParseError) as refused:
            parse_utc_offset(text)
        assert str(refused.value) == f"illegal UTC offset: {text}: write ±HH:MM, from -12:00 to +14:00"

    @given(offsets)
    def test_round_trip(self, offset: timezone) -> None:
        """Every offset in use, as Python writes it, is read as it was."""
        assert parse_utc_offset(NOW.astimezone(offset).isoformat()[-6:]) == offset
