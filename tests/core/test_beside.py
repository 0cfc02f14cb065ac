from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.beside import BesideRow, Difference, MovedTest, Only, put_beside
from auditsvc.core.comparison import compare
from auditsvc.core.swagger import Level, Operation, Swagger
from auditsvc.core.usage import OperationUsage, Usage

SWAGGER = Swagger(
    "v1.20.2", {name: Operation(name, "GET", f"/{name}", Level.STABLE, False) for name in "abcde"}
)
ADDED, REMOVED, CHANGED, SAME = Difference
hits = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 2))
several = st.lists(hits, min_size=2, max_size=4)


def used(hits: Mapping[str, int], *, header: Mapping[str, int] | None = None) -> Usage:
    """The usage of a run with so many hits of each operation, all of them by test T of its own name."""
    operations = {
        name: OperationUsage(count, tests={} if header is not None else {f"T{name}": count})
        for name, count in hits.items()
    }
    total = sum(hits.values())
    return Usage(operations, total, total, header=header)


def beside(*runs: Mapping[str, int]) -> tuple[BesideRow, ...]:
    """What such runs used."""
    return put_beside([used(run) for run in runs], SWAGGER.operations)


def by_tests(**tests: int) -> Usage:
    """The usage of a run in which those tests hit operation a."""
    return Usage({"a": OperationUsage(sum(tests.values()), tests=tests)}, 1, 1)


def test_three_runs() -> None:
    """Every operation that any of them hit, by name; the others are held against the first."""
    rows = beside({"a": 1, "b": 3, "c": 2}, {"b": 3, "c": 5, "x": 1}, {"a": 2, "b": 3, "d": 0})
    assert [(row.id, row.hits, row.differences, row.deltas) for row in rows] == [
        ("a", (1, 0, 2), (REMOVED, CHANGED), (-1, 1)),
        ("b", (3, 3, 3), (SAME, SAME), (0, 0)),
        ("c", (2, 5, 0), (CHANGED, REMOVED), (3, -2)),
        ("x", (0, 1, 0), (ADDED, SAME), (1, 0)),
    ]
    assert [row.operation for row in rows] == [SWAGGER.get(row.id) for row in rows]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (None, "abcx"),
        (Only.ADDED, "x"),
        (Only.REMOVED, "ac"),
        (Only.CHANGED, "ac"),
        (Only.TESTS, "acx"),
    ],
)
def test_only(only: Only | None, expected: str) -> None:
    """Rows that differ so in any of the runs."""
    rows = beside({"a": 1, "b": 3, "c": 2}, {"b": 3, "c": 5, "x": 1}, {"a": 2, "b": 3})
    assert "".join(row.id for row in rows if row.is_any(only)) == expected


def test_moved_tests() -> None:
    """A test that hit an operation in one run and not in another, with its requests in each."""
    [row] = put_beside([by_tests(stays=2, goes=1), by_tests(stays=3, comes=4)], {})
    assert row.tests == (MovedTest("comes", (0, 4)), MovedTest("goes", (1, 0)))
    assert row.operation is None


def test_a_report_knows_no_tests() -> None:
    """In another tool's report a test is neither there nor missing."""
    report = used({"a": 1}, header={})
    [row] = put_beside([by_tests(stays=2), report, by_tests(stays=3)], {})
    assert row.tests == ()
    [row] = put_beside([by_tests(stays=2), report, by_tests()], {})
    assert row.tests == (MovedTest("stays", (2, None, 0)),)


def test_nothing() -> None:
    """Of empty runs there are no rows; what was recorded without a hit is none."""
    assert beside({}, {"a": 0}) == ()


@given(several)
def test_sums(runs: list[dict[str, int]]) -> None:
    """The hits of each run add up to its own; every operation that was hit stands once, in order."""
    rows = beside(*runs)
    assert [row.id for row in rows] == sorted({name for run in runs for name, count in run.items() if count})
    for position, run in enumerate(runs):
        assert sum(row.hits[position] for row in rows) == sum(run.values())
        for row in rows:
            assert row.hits[position] == run.get(row.id, 0)
    for row in rows:
        assert [row.hits[0] + delta for delta in row.deltas] == list(row.hits[1:])


@given(hits, hits)
def test_mirrored(here: dict[str, int], there: dict[str, int]) -> None:
    """The other way round, added is removed, and as many tests have moved."""
    opposite = {ADDED: REMOVED, REMOVED: ADDED, CHANGED: CHANGED, SAME: SAME}
    for forth, back in zip(beside(here, there), beside(there, here), strict=True):
        assert (forth.id, forth.hits) == (back.id, back.hits[::-1])
        assert [opposite[one] for one in forth.differences] == list(back.differences)
        assert [one.test for one in forth.tests] == [one.test for one in back.tests]


@given(several)
def test_order_of_the_others(runs: list[dict[str, int]]) -> None:
    """The first is what all are held against; in which order the others stand changes nothing else."""
    first, *others = runs
    for forth, back in zip(beside(*runs), beside(first, *reversed(others)), strict=True):
        assert forth.differences == back.differences[::-1]
        assert [one.test for one in forth.tests] == [one.test for one in back.tests]


@given(hits, hits)
def test_two_runs_are_compared_alike(here: dict[str, int], there: dict[str, int]) -> None:
    """A run beside its baseline is as the comparison of the two tells it."""
    comparison = compare(used(here), used(there), SWAGGER)
    rows = beside(there, here)
    told = {
        ADDED: [change.id for change in comparison.added],
        REMOVED: [change.id for change in comparison.removed],
        CHANGED: [change.id for change in comparison.changed],
    }
    for difference, ids in told.items():
        assert [row.id for row in rows if row.differences == (difference,)] == ids
    assert sum(row.differences == (SAME,) for row in rows) == comparison.unchanged
