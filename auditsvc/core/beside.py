"""Any number of runs beside each other: what each used that the first did not, and which tests moved."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from auditsvc.core.swagger import Operation
from auditsvc.core.usage import OperationUsage, Usage

_UNUSED = OperationUsage(hits=0)


class Difference(StrEnum):
    """What an operation may be, in a run, beside the first run."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


class Only(StrEnum):
    """Which operations are asked for: those that differ so in any run, or whose tests moved."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    TESTS = "tests"


class MovedTest(msgspec.Struct, frozen=True):
    """A test that hit an operation in one run and not in another.

    ``hits`` are its requests in each run, None in an imported report, which knows no tests.
    """

    test: str
    hits: tuple[int | None, ...]


class BesideRow(msgspec.Struct, frozen=True):
    """An operation's hits in each run, in their order; ``operation`` is None where no swagger knows it."""

    id: str
    hits: tuple[int, ...]
    tests: tuple[MovedTest, ...]
    operation: Operation | None

    @property
    def deltas(self) -> tuple[int, ...]:
        """For each run after the first: how many hits more than there."""
        first, *others = self.hits
        return tuple(hits - first for hits in others)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """For each run after the first: what the operation is beside it."""
        first, *others = self.hits
        return tuple(_difference(first, hits) for hits in others)

    def is_any(self, only: Only | None) -> bool:
        """Whether the row is one of those that are asked for."""
        if only is Only.TESTS:
            return bool(self.tests)
        return only is None or only.value in self.differences


def put_beside(usages: Sequence[Usage], operations: Mapping[str, Operation]) -> tuple[BesideRow, ...]:
    """The operations that any of the runs hit, by name, each with what the catalogue says of it."""
    hit = {name for usage in usages for name, used in usage.operations.items() if used.hits}
    return tuple(_row(name, usages, operations.get(name)) for name in sorted(hit))


def _row(name: str, usages: Sequence[Usage], operation: Operation | None) -> BesideRow:
    used = [usage.operations.get(name, _UNUSED) for usage in usages]
    tests = [None if usage.imported else one.tests for usage, one in zip(usages, used, strict=True)]
    return BesideRow(name, tuple(one.hits for one in used), tuple(_moved(tests)), operation)


def _moved(tests: Sequence[Mapping[str, int] | None]) -> Iterator[MovedTest]:
    known = [one for one in tests if one is not None]
    for test in sorted({test for one in known for test in one}):
        if not all(test in one for one in known):
            yield MovedTest(test, tuple(None if one is None else one.get(test, 0) for one in tests))


def _difference(first: int, hits: int) -> Difference:
    if first == hits:
        return Difference.SAME
    if not first:
        return Difference.ADDED
    return Difference.CHANGED if hits else Difference.REMOVED
