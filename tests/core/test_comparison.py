from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.comparison import Change, Comparison, compare
from auditsvc.core.swagger import Level, Operation, Swagger
from auditsvc.core.usage import OperationUsage, Usage

SWAGGER = Swagger(
    "v1.20.2", {name: Operation(name, "GET", f"/{name}", Level.STABLE, False) for name in "abcde"}
)
hits = st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 2))


def used(**operations: int) -> Usage:
    """The usage of a run with so many hits of each operation."""
    total = sum(operations.values())
    return Usage({name: OperationUsage(count) for name, count in operations.items()}, total, total)


def change(name: str, count: int, baseline: int) -> Change:
    """One operation's hits, with what the swagger says of it."""
    return Change(name, count, baseline, SWAGGER.get(name))


def test_compare() -> None:
    """Operations are added, removed, hit otherwise, or the same; each by name."""
    comparison = compare(used(d=1, b=2, a=1, c=3, x=1), used(c=3, b=5, e=1, y=2, d=2), SWAGGER)
    assert comparison == Comparison(
        added=(change("a", 1, 0), change("x", 1, 0)),
        removed=(change("e", 0, 1), change("y", 0, 2)),
        changed=(change("b", 2, 5), change("d", 1, 2)),
        unchanged=1,
    )
    assert [one.operation for one in (*comparison.added, *comparison.removed)] == [
        SWAGGER.get("a"),
        None,
        SWAGGER.get("e"),
        None,
    ]


def test_nothing_to_compare() -> None:
    """Two empty runs do not differ."""
    assert compare(used(), used(), SWAGGER) == Comparison((), (), (), 0)


def test_not_hit_is_not_there() -> None:
    """An operation recorded without a hit is as one that was not recorded."""
    assert compare(used(a=0, b=0, c=1), used(b=0, c=0), SWAGGER) == Comparison(
        (change("c", 1, 0),), (), (), 0
    )


@given(hits, hits)
def test_mirrored(here: dict[str, int], there: dict[str, int]) -> None:
    """The other way round, added is removed; every operation that was hit stands once."""
    forth, back = compare(used(**here), used(**there), SWAGGER), compare(used(**there), used(**here), SWAGGER)
    assert [one.id for one in forth.added] == [one.id for one in back.removed]
    assert [one.id for one in forth.changed] == [one.id for one in back.changed]
    hit = {name for name, count in (*here.items(), *there.items()) if count}
    assert len(forth.added) + len(forth.removed) + len(forth.changed) + forth.unchanged == len(hit)
