"""Figures about what is stored, for whoever watches the service: counted by SQLite, no finding is read."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind
from auditsvc.store.columns import parse_optional_time, parse_time, time_text
from auditsvc.store.connections import Connections
from auditsvc.store.jobs import JobState

_AUDITS = """
    select r.key, r.window_start, r.status, r.checked, r.last_run,
        json_array_length(r.result, '$.floats') + (json_extract(r.result, '$.problem') is not null),
        json_array_length(r.result, '$.missing')
    from (select key, max(window_start) as newest from results where run is null group by key) n
    join results r on r.run is null and r.window_start = n.newest and r.key = n.key
    order by r.key
"""
# `last_run` is of the row that has the maximum: https://sqlite.org/lang_select.html#bareagg
_SUCCESSES = """
    select key, last_run, max(window_start) from results
    where run is null and window_start >= ? and status <> 'Failed' group by key
"""

_LOOKED_BACK = timedelta(days=90)
"""For so long before the newest window a success is looked for; there may be years of failures."""


class AuditFigures(msgspec.Struct, frozen=True):
    """The result of an audit's newest window.

    ``window_start`` is that window's; ``hard`` and ``soft`` count its findings. ``last_success`` is when the
    newest result that is not Failed was made, None where none of the last 90 days is.
    """

    key: str
    window_start: datetime
    status: Status
    checked: int
    last_run: datetime
    hard: int
    soft: int
    last_success: datetime | None


class RunFigures(msgspec.Struct, frozen=True):
    """How many runs there are of a kind, and when the last one finished."""

    runs: int
    finished: datetime


class Figures:
    """The figures, each a query that takes milliseconds however many days are stored."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def audits(self) -> list[AuditFigures]:
        """Of each audit that ever ran for a window."""
        with self._connections.reading() as db:
            rows = db.execute(_AUDITS).fetchall()
            newest = max((parse_time(row[1]) for row in rows), default=None)
            since = time_text(newest - _LOOKED_BACK) if newest else ""
            successes = {key: last for key, last, _ in db.execute(_SUCCESSES, (since,))}
        return [
            AuditFigures(
                key=key,
                window_start=parse_time(start),
                status=Status(status),
                checked=checked,
                last_run=parse_time(last_run),
                hard=hard,
                soft=soft,
                last_success=parse_optional_time(successes.get(key)),
            )
            for key, start, status, checked, last_run, hard, soft in rows
        ]

    def runs(self) -> Mapping[RunKind, RunFigures]:
        """By kind, those of which there is none left out."""
        with self._connections.reading() as db:
            rows = db.execute("select kind, count(*), max(finished) from runs group by kind").fetchall()
        return {RunKind(kind): RunFigures(count, parse_time(last)) for kind, count, last in rows}

    def jobs(self) -> Mapping[JobState, int]:
        """How many there are in each state."""
        with self._connections.reading() as db:
            counts = dict(db.execute("select state, count(*) from jobs group by state").fetchall())
        return {state: counts.get(state, 0) for state in JobState}

    def last_done(self, kind: str) -> datetime | None:
        """When the last job of a kind ended well."""
        with self._connections.reading() as db:
            row = db.execute(
                "select finished from jobs where kind = ? and state = ? order by id desc limit 1",
                (kind, JobState.DONE),
            ).fetchone()
        return parse_time(row[0]) if row else None
