from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.events import UNKNOWN_TIME, decode_lines, render_time
from auditsvc.core.log_time import LogTime
from auditsvc.core.usage import Gap
from tests.logs import NOON, unpacked

RUNS = ("ci", "pull", "requestresponse", "large")
NO_DATE = "2026-02-31T12:00:00.000000Z"

steps = st.one_of(
    st.floats(-0.5, 0.5),
    st.sampled_from([-7200.0, -2.000001, -2.0, 1.9, 2.1, 9.999999, 10.0, 10.5, 3600.0]),
)


def times_of(passed: list[float]) -> list[str]:
    """Times so many seconds after each other, from noon on."""
    now = NOON
    times = [render_time(now)]
    for seconds in passed:
        now += timedelta(seconds=seconds)
        times.append(render_time(now))
    return times


def followed(times: list[str], *cuts: int) -> LogTime:
    """The times of a log that is cut into parts."""
    whole = LogTime()
    for start, end in pairwise([0, *sorted(cuts), len(times)]):
        part = LogTime()
        part.follow(times[start:end])
        whole.append(part)
    return whole


class TestRecordedLogs:
    """Logs of a real API server."""

    @pytest.mark.parametrize("run", RUNS)
    def test_healthy(self, run: str, shared_data: Path) -> None:
        """A healthy log never goes back and has no gap, though its lines are a little out of order."""
        decoded = decode_lines(unpacked(shared_data / "kubernetes-1.20.2" / f"{run}-audit.log.gz"))
        assert decoded is not None
        time = followed(decoded.staged)
        assert (time.backwards, time.gaps) == (0, [])
        assert decoded.staged != sorted(decoded.staged)

    def test_jump_back(self, shared_data: Path) -> None:
        """Its second half before its first one is one jump back."""
        decoded = decode_lines(unpacked(shared_data / "kubernetes-1.20.2" / "ci-audit.log.gz"))
        assert decoded is not None
        half = len(decoded.staged) // 2
        assert followed(decoded.staged[half:] + decoded.staged[:half]).backwards == 1


class TestFollow:
    """Each event beside the one above it."""

    @pytest.mark.parametrize(
        ("passed", "backwards"),
        [([], 0), ([0.1, -0.1], 0), ([-2.0], 0), ([-2.1], 1), ([5, -3, 1, -3], 2), ([-3600, 1, 1], 1)],
    )
    def test_backwards(self, passed: list[float], backwards: int) -> None:
        """An event may be 2 s older than the one above it, for API servers write concurrently."""
        assert followed(times_of(passed)).backwards == backwards

    def test_gaps(self) -> None:
        """The five longest pauses of at least 10 s, the longest first, of two the earlier."""
        found = followed(times_of([12, 9.9, 30, 11, 10, 30, 13])).gaps
        assert [gap.seconds for gap in found] == [30, 30, 13, 12, 11]
        assert found[0] == Gap(NOON + timedelta(seconds=21.9), 30)
        assert found[0].start < found[1].start

    def test_unknown(self) -> None:
        """Events of unknown time, and those that no calendar has, are passed over."""
        first, second = times_of([20])
        for odd in (UNKNOWN_TIME, NO_DATE):
            assert followed([odd, first, odd, odd, second, odd]).gaps == [Gap(NOON, 20)]
            assert followed([odd, odd]) == LogTime(latest=odd)

    def test_calendar_end(self) -> None:
        """The calendar's first and last days are days like all others."""
        times = [render_time(datetime.max.replace(tzinfo=UTC)), render_time(datetime.min.replace(tzinfo=UTC))]
        assert followed([*times, *times]).backwards == 2

    @given(
        passed=st.lists(steps, max_size=200),
        cuts=st.lists(st.integers(0, 201), max_size=5),
        fill=st.booleans(),
    )
    def test_same_result(self, passed: list[float], cuts: list[int], *, fill: bool) -> None:
        """However a log is cut, its time is that of one event after the other."""
        quiet = [0.001] * 600 if fill else []
        times = times_of([*passed, *quiet, *passed])
        one_by_one = LogTime()
        for time in times:
            one_by_one.follow([time])
        cuts = [min(cut, len(times)) for cut in cuts]
        assert followed(times, *cuts) == followed(times) == one_by_one
