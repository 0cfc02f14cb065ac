"""Live runs: the audit events of clusters, counted as they arrive."""

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock

import msgspec
from msgspec.structs import replace

from auditsvc.core.counting import Counting
from auditsvc.core.event_list import parse_event_list
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import minor_version
from auditsvc.core.usage import ExercisedBy, Usage
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.ingest import require_swagger
from auditsvc.service.coverage import record_coverage
from auditsvc.service.runs import RunService
from auditsvc.store import Store

LIVE_RUNS = 8
"""Runs whose counts are held in memory; those of another are counted anew from its batches."""

LONGEST_LABEL = 250
"""Characters of a cluster's label."""

_LAST = timedelta(microseconds=1)


class Received(msgspec.Struct, frozen=True):
    """What arrived: how many events that were not stored before, and the runs that they are of."""

    events: int
    runs: tuple[str, ...]


class _Counted(msgspec.Struct):
    """A run's batches counted, up to the one of that number, and what conformance tests hit in them."""

    counting: Counting
    number: int = 0
    conf_tested: frozenset[str] = frozenset()


class LiveRuns:
    """One run for each cluster and UTC day, of the requests that were received on it.

    Each batch is stored as it came, and the run is as if they were one log: a request counts once in whatever
    batches its stages are, and a batch that is sent again counts for nothing. A process that was killed, or
    that finds batches of another one, counts from what is stored.
    """

    def __init__(self, store: Store, runs: RunService, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._runs = runs
        self._clock = clock
        self._lock = Lock()
        self._counted: dict[str, _Counted] = {}

    def add(self, body: bytes, *, cluster: str | None = None, version: str | None = None) -> Received:
        """Takes in an EventList, all of it or nothing; it is on the disk when this returns.

        ``version`` is the cluster's, by default the highest that is stored; a run is mapped with the swagger
        that held when its first batch came. Raises ParseError, and RequestError without a swagger.
        """
        if version and minor_version(version) is None:
            raise RequestError(f"version: {version} is none (expected one like v1.34.0)")
        if cluster and len(cluster) > LONGEST_LABEL:
            raise RequestError(f"cluster: longer than {LONGEST_LABEL} characters")
        days = parse_event_list(body)
        with self._lock:
            try:
                with self._store.transaction():
                    added = dict(self._add(day, lines, cluster, version) for day, lines in days.items())
            except BaseException:
                self._counted.clear()  # which may have counted what is not stored
                raise
        events = sum(added.values())
        self._runs.ingested(RunKind.LIVE, len(body), events)
        return Received(events, tuple(added))

    def _run(self, day: date, cluster: str | None, version: str | None) -> Run:
        """The run of a cluster's day, stored or new."""
        run_id = f"live-{_digest(repr((cluster, day.isoformat())).encode())[:12]}"
        try:
            return self._store.runs.get(run_id)
        except NotFoundError:
            pass
        held = self._store.swaggers.holding(minor_version(version), self._clock())
        start = datetime.combine(day, time(), UTC)
        return Run(
            id=run_id,
            kind=RunKind.LIVE,
            started=start,
            finished=start,
            cluster=cluster,
            version=version or (held.version if held else None),
            swagger=held.hash if held else None,
        )

    def _add(self, day: date, lines: bytes, cluster: str | None, version: str | None) -> tuple[str, int]:
        """Stores and counts the events of a day; the run, and how many of them are new."""
        run = self._run(day, cluster, version)
        digest = _digest(lines)
        if self._store.live.knows(run.id, digest):
            return run.id, 0
        counted = self._counting(run)
        before = counted.counting.events
        counted.counting.count(lines)
        usage, now = counted.counting.usage(), self._clock()
        self._store.runs.put(_spanning(run, day, usage), usage, recorded=now)
        counted.number = self._store.live.append(run.id, digest, lines, recorded=now)
        self._note_tested(counted, usage)
        return run.id, counted.counting.events - before

    def _note_tested(self, counted: _Counted, usage: Usage) -> None:
        """Keeps the tables of coverage where a conformance test hit something that none hit in the run."""
        tested = usage.exercised(ExercisedBy.CONF_TESTED)
        if tested != counted.conf_tested and self._store.coverage.received():
            record_coverage(self._store, now=self._clock())
        counted.conf_tested = tested

    def _counting(self, run: Run) -> _Counted:
        """What was stored of a run, counted."""
        counted = self._counted.pop(run.id, None)
        if counted is None or not self._store.live.holds(run.id, counted.number):  # the run was deleted
            swagger = require_swagger(self._store.swaggers.get(run.swagger) if run.swagger else None)
            counted = _Counted(Counting(OperationMapper(swagger), file="events", sampled=True))
        for number, lines in self._store.live.after(run.id, counted.number):
            counted.counting.count(lines)
            counted.number = number
        self._counted[run.id] = counted  # the newest last
        for old in list(self._counted)[:-LIVE_RUNS]:
            del self._counted[old]
        return counted


def _spanning(run: Run, day: date, usage: Usage) -> Run:
    """The run from its first event to its last; of its day, though a request may end on the next one."""
    start = datetime.combine(day, time(), UTC)
    last = min(usage.last or start, start + timedelta(days=1) - _LAST)
    first = min(usage.first or start, last)
    return replace(run, started=first, finished=last)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
