from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.store.columns import (
    compress,
    decompress,
    json_text,
    optional_time_text,
    parse_counts,
    parse_optional_time,
    parse_time,
    time_text,
)

# A day less at both ends, for a zone may move a time out of the calendar.
moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the zone comes from the next line
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - likewise
    # Of fixed offset: an hour that a zone has twice equals no time of another zone, says Python.
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2023, 1, 16, 20, 23, 8, tzinfo=UTC), "2023-01-16T20:23:08.000000Z"),
        (datetime(2023, 1, 16, 20, 23, 8, 5, tzinfo=UTC), "2023-01-16T20:23:08.000005Z"),
        (datetime(2023, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2022-12-31T23:00:00.000000Z"),
        (datetime(33, 1, 1, tzinfo=UTC), "0033-01-01T00:00:00.000000Z"),
    ],
)
def test_time_text(moment: datetime, text: str) -> None:
    """A time is UTC, to the microsecond, and as long as any other."""
    assert time_text(moment) == text


@given(moments, moments)
def test_times_sort_as_text(one: datetime, other: datetime) -> None:
    """Text compares as the times do, and reads back as the same moment."""
    assert (time_text(one) < time_text(other)) == (one < other)
    assert parse_time(time_text(one)) == one


@given(st.none() | moments)
def test_an_unknown_time_stays_unknown(moment: datetime | None) -> None:
    """No time is no text."""
    assert parse_optional_time(optional_time_text(moment)) == moment


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**63 - 1)))
def test_counts_round_trip(counts: dict[str, int]) -> None:
    """Counts are a JSON object, whatever the names hold."""
    assert parse_counts(json_text(counts)) == counts


@given(st.binary())
def test_compressed_bytes_round_trip(data: bytes) -> None:
    """What was compressed comes back."""
    assert decompress(compress(data)) == data
