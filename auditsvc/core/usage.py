"""What a run used: per operation its hits, response codes, tests and user agents."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from auditsvc.core.mapper import Unmapped
from auditsvc.errors import NoDataError

SUCCESS_CODES = frozenset({"1xx", "2xx", "3xx"})
CONFORMANCE_MARK = "[Conformance]"


class ExercisedBy(StrEnum):
    """What must have happened to an operation for an audit to call it exercised."""

    HIT = "hit"
    TESTED = "tested"
    CONF_TESTED = "conf_tested"
    SUCCESS = "success"


class Sample(msgspec.Struct, frozen=True):
    """One audit event as it was logged, less its objects, and where: the file's name and the line from 1."""

    file: str
    line: int
    event: str

    def moved(self, lines: int) -> "Sample":
        """The same with its line counted from that many lines further up."""
        return replace(self, line=self.line + lines)


class OperationUsage(msgspec.Struct, frozen=True):
    """How often, how, and by whom one operation was requested.

    ``codes`` counts requests by response code class (``2xx``; ``none`` without a code), ``tests`` by e2e
    test name, ``agents`` by user agent family. ``first`` and ``last`` are when requests were received.
    An imported report knows ``hits`` alone.
    """

    hits: int
    codes: Mapping[str, int] = {}
    tests: Mapping[str, int] = {}
    agents: Mapping[str, int] = {}
    first: datetime | None = None
    last: datetime | None = None
    samples: tuple[Sample, ...] = ()

    @property
    def success_hits(self) -> int:
        """Requests answered 1xx to 3xx: a 404 exercises a path, it does not show that it works."""
        return sum(count for code, count in self.codes.items() if code in SUCCESS_CODES)

    @property
    def conformance_hits(self) -> int:
        """Requests made by conformance tests."""
        return sum([count for test, count in self.tests.items() if CONFORMANCE_MARK in test])

    def is_exercised(self, by: ExercisedBy) -> bool:
        """Whether the operation was hit, tested, conformance-tested or answered with success."""
        match by:
            case ExercisedBy.HIT:
                return self.hits > 0
            case ExercisedBy.TESTED:
                return bool(self.tests)
            case ExercisedBy.CONF_TESTED:
                return self.conformance_hits > 0
        return self.success_hits > 0


class Gap(msgspec.Struct, frozen=True):
    """A pause of a log: nothing was logged from ``start`` on for so many seconds."""

    start: datetime
    seconds: float


class DeprecatedUse(msgspec.Struct, frozen=True):
    """Requests that the API server itself marked as deprecated, by who made them and of what.

    ``agent`` is a user agent family, ``name`` an operationId, or ``group/version/resource`` where the
    request is of no operation. ``removed_release`` is the release that no longer serves it (``1.22``), ``""``
    where the server named none.
    """

    agent: str
    name: str
    removed_release: str
    requests: int


class Usage(msgspec.Struct, frozen=True):
    """What one run used.

    ``requests`` counts every request once; ``mapped`` of them are of an operation. ``incomplete`` requests
    were still open when the log ended, ``duplicates`` are repeated completions, ``malformed`` lines no
    audit event; ``malformed_at`` has the first ten positions (``audit.log:17``). ``header`` holds the totals
    that another tool's report claims, None for a log.

    ``backwards`` counts the events that lie before the one above them, ``gaps`` are the longest pauses.
    ``never_completed`` are those of the ``incomplete`` that the server should have ended. These and
    ``deprecated`` are None where nobody looked for them: in a report, and in runs stored before they were
    counted. One application's part of a log has no gaps of its own: they are None too.
    """

    operations: Mapping[str, OperationUsage]
    requests: int
    mapped: int
    unmapped: Mapping[Unmapped, OperationUsage] = {}
    malformed: int = 0
    malformed_at: tuple[str, ...] = ()
    duplicates: int = 0
    incomplete: int = 0
    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    header: Mapping[str, int] | None = None
    backwards: int | None = None
    gaps: tuple[Gap, ...] | None = None
    never_completed: int | None = None
    deprecated: tuple[DeprecatedUse, ...] | None = None

    @property
    def imported(self) -> bool:
        """Whether another tool mapped the requests: the usage was read from its report."""
        return self.header is not None

    def exercised(self, by: ExercisedBy) -> frozenset[str]:
        """The ids of the operations that the run exercised.

        Raises NoDataError where an imported report is asked for more than hits.
        """
        if self.imported and by is not ExercisedBy.HIT:
            raise NoDataError(f"an imported report records hits only, so exercised_by: {by} cannot be judged")
        return frozenset(name for name, used in self.operations.items() if used.is_exercised(by))


def is_conformance(test: str) -> bool:
    """Whether a test of that name is a conformance test."""
    return CONFORMANCE_MARK in test
