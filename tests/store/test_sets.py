from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.results import AuditResult, FloatResult, MissingValue, Status
from auditsvc.core.window import Window
from auditsvc.store import Store
from tests.store.made import DAY, NOW, make_failure, make_result, make_run, make_usage, on

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
results = st.builds(
    AuditResult,
    last_run=st.datetimes(timezones=st.just(UTC)),
    maps=st.lists(texts, max_size=3).map(tuple),
    checked=st.integers(0, 2**53),
    floats=st.lists(
        st.builds(
            FloatResult,
            texts,
            st.lists(texts, min_size=1, max_size=3).map(tuple),
            numbers,
            numbers,
            texts,
            texts,
        ),
        max_size=3,
    ).map(tuple),
    missing=st.lists(st.builds(MissingValue, texts, texts, texts), max_size=3).map(tuple),
    notes=st.lists(texts, max_size=2).map(tuple),
    problem=st.none() | texts,
    sections=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    tolerance=st.none() | st.dictionaries(texts, st.floats(0, 1), max_size=2),
)


def days(start: str, count: int) -> list[Window]:
    """As many days in a row."""
    return [Window.day(on(start) + timedelta(days=number)) for number in range(count)]


def test_an_empty_store_has_none(store: Store) -> None:
    """Nothing ever ran."""
    assert store.sets.find() == []
    assert store.sets.texts() == {}
    assert store.sets.windows(limit=5) == ([], 0)


def test_a_result_comes_back(store: Store) -> None:
    """A result is found as it was stored, and its text is served byte for byte."""
    failure = make_failure()
    store.sets.put([failure])
    assert store.sets.find() == [failure]
    assert store.sets.find()[0].result.status is Status.FAILED
    assert store.sets.texts() == {DAY: {"swaggerTotal": failure.text.encode()}}


def test_running_one_type_again_leaves_the_others(store: Store) -> None:
    """The newer result of an audit in a window replaces the older one, and nothing else."""
    other_day = days("2023-01-17", 1)[0]
    others = [make_result("operationEquality"), make_result("swaggerTotal", other_day)]
    store.sets.put([make_failure("swaggerTotal"), *others])
    newer = make_result("swaggerTotal", missing=["readPod"])
    store.sets.put([newer])
    assert store.sets.find() == [others[0], newer, others[1]]


def test_nothing_to_store(store: Store) -> None:
    """To store no results is no change."""
    store.sets.put([make_result()])
    store.sets.put([])
    assert store.sets.find() == [make_result()]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("2023-01-02", "2023-01-03", ["2023-01-02"]),
        ("2023-01-02T12:00", "2023-01-02T12:01", ["2023-01-02"]),
        ("2023-01-01T23:59", "2023-01-03T00:01", ["2023-01-01", "2023-01-02", "2023-01-03"]),
        ("2022-01-01", "2023-01-02", ["2023-01-01"]),
        ("2023-01-04", "2024-01-01", ["2023-01-04"]),
        ("2023-01-05", "2024-01-01", []),
        ("2022-01-01", "2023-01-01", []),
    ],
)
def test_a_window_finds_the_days_that_it_overlaps(
    store: Store, start: str, end: str, found: list[str]
) -> None:
    """Days are found whole, in time order."""
    store.sets.put([make_result(window=day) for day in reversed(days("2023-01-01", 4))])
    window = Window(on(start), on(end))
    assert [str(result.window.start.date()) for result in store.sets.find(window)] == found
    assert [str(window.start.date()) for window in store.sets.texts(window)] == found


def test_keys_narrow_what_is_found(store: Store) -> None:
    """Only the audits asked for are found; none where none is asked for."""
    store.sets.put([make_result(key) for key in ("a", "b", "c")])
    assert [result.key for result in store.sets.find(DAY, ["c", "a", "x"])] == ["a", "c"]
    assert list(store.sets.texts(keys=["b"])[DAY]) == ["b"]
    assert store.sets.find(keys=[]) == []


def test_windows_are_paged_newest_first(store: Store) -> None:
    """A page of windows comes with how many there are."""
    windows = days("2023-01-01", 5)
    store.sets.put([make_result(key, day) for key in ("a", "b") for day in windows])
    assert store.sets.windows(limit=2) == ([windows[4], windows[3]], 5)
    assert store.sets.windows(limit=2, offset=4) == ([windows[0]], 5)
    assert store.sets.windows(limit=2, offset=5) == ([], 5)


def test_the_last_status(store: Store) -> None:
    """Of an audit, in its window or the newest one before it; other audits and runs do not count."""
    first, second, third, fourth = days("2023-01-01", 4)
    store.runs.add(make_run(), make_usage(), recorded=NOW)
    store.run_results.put("run-1", [make_failure("a", second)])
    store.sets.put([make_result("a", first), make_failure("a", third), make_failure("b", second)])
    found = [store.sets.last_status(day, "a") for day in (first, second, third, fourth)]
    assert found == [Status.PASSED, Status.PASSED, Status.FAILED, Status.FAILED]
    assert store.sets.last_status(first, "b") is None
    store.sets.put([make_result("a", third, missing=["x"])])
    assert store.sets.last_status(fourth, "a") is Status.WARNING


def test_old_sets_are_deleted(store: Store) -> None:
    """Windows that ended by then go, with all their audits; a window that is not over stays whole."""
    windows = days("2023-01-01", 4)
    store.sets.put([make_result(key, day) for key in ("a", "b") for day in windows])
    store.runs.add(make_run(), make_usage(), recorded=NOW)
    store.run_results.put("run-1", [make_result("a", windows[0])])
    assert store.sets.delete_before(windows[1].end) == 2
    assert store.sets.windows(limit=9) == ([windows[3], windows[2]], 2)
    assert store.sets.delete_before(windows[3].end - timedelta(microseconds=1)) == 1
    assert store.sets.delete_before(windows[3].start) == 0
    assert [result.key for result in store.sets.find()] == ["a", "b"]
    assert store.run_results.find("run-1")


@given(result=results)
@settings(deadline=None)  # a commit waits for the disk
def test_every_result_round_trips(shared_store: Store, result: AuditResult) -> None:
    """Whatever an audit found, it is read as it was."""
    stored = replace(make_result(), result=result)  # its text would have no paths that lead into one another
    shared_store.sets.put([stored])
    assert shared_store.sets.find() == [stored]


class TestHistory:
    """How audits ended, window by window."""

    def test_pages(self, store: Store) -> None:
        """Newest window first, then by key; windows and keys are chosen; runs' results are none of it."""
        days = [Window.day(DAY.start + timedelta(days=number)) for number in range(3)]
        store.sets.put([make_result(key, day) for day in days for key in ("b", "a")])
        store.sets.put([make_failure("a", days[1])])
        store.runs.add(make_run(), make_usage(), recorded=NOW)
        store.run_results.put("run-1", [make_failure("a", days[2])])
        rows, total = store.sets.history(limit=3, offset=1)
        assert total == 6
        assert [(row.window, row.key) for row in rows] == [(days[2], "b"), (days[1], "a"), (days[1], "b")]
        assert (rows[1].status, rows[1].checked, rows[1].last_run) == (Status.FAILED, 1, NOW)
        assert store.sets.history(days[0], ["a"], limit=9)[1] == 1
        assert store.sets.statuses(["a"], until=days[1]) == {
            "a": [(days[0], Status.PASSED), (days[1], Status.FAILED)]
        }
        assert store.sets.statuses() == {
            "a": list(zip(days, [Status.PASSED, Status.FAILED, Status.PASSED], strict=True)),
            "b": [(day, Status.PASSED) for day in days],
        }
        assert store.sets.statuses([]) == {}
