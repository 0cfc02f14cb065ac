"""AuditSets: the newest result of each audit in each window."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from auditsvc.core.results import Status
from auditsvc.core.window import Window
from auditsvc.store.columns import parse_time, time_text
from auditsvc.store.connections import Connections
from auditsvc.store.results import (
    StoredResult,
    drop_unused_inputs,
    read_inputs,
    read_results,
    write_results,
)

if TYPE_CHECKING:
    from auditsvc.audits import RecordedInputs

# One row for all: Python's threads take turns at every row that SQLite gives. Neither times, keys nor our
# JSON hold a line break or a record separator.
_TEXTS = """
    select
        group_concat(day, char(10)),
        group_concat(keys, char(30)),
        cast(group_concat(texts, char(30)) as blob)
    from (
        select
            window_start || ' ' || window_end as day,
            group_concat(key, char(10)) as keys,
            group_concat(text, char(10)) as texts
        from results where {where} group by window_start, window_end order by window_start, window_end
    )
"""

# Likewise a row for each audit.
_STATUSES = """
    select key, group_concat(window_start || ' ' || window_end || ' ' || status, char(10)) from (
        select key, window_start, window_end, status from results
        where {where} and (? is null or window_start <= ?) order by key, window_start
    ) group by key
"""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """How an audit ended in a window, without what it found."""

    window: Window
    key: str
    status: Status
    checked: int
    last_run: datetime


class Sets:
    """The results of windows. Windows are whole UTC days."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(self, results: Iterable[StoredResult], *, recorded: "RecordedInputs | None" = None) -> None:
        """Stores results, each in the place of the older one of its window and key; all others stay.

        ``recorded`` is what all of them were computed from.
        """
        with self._connections.transaction() as db:
            write_results(db, results, recorded=recorded)

    def find(self, window: Window | None = None, keys: Collection[str] | None = None) -> list[StoredResult]:
        """The results of every day that `window` overlaps (None: of all), in time order, then by key."""
        with self._connections.reading() as db:
            return read_results(db, *_condition(window, keys))

    def texts(
        self, window: Window | None = None, keys: Collection[str] | None = None
    ) -> Mapping[Window, Mapping[str, bytes]]:
        """The JSON of the same results by window and key, in time order; findings are not read."""
        where, parameters = _condition(window, keys)
        with self._connections.reading() as db:
            [(days, names, texts)] = db.execute(_TEXTS.format(where=where), parameters).fetchall()
        if days is None:
            return {}
        columns = days.split("\n"), names.split("\x1e"), texts.split(b"\x1e")
        return {
            _window(*day.split(" ")): dict(zip(found.split("\n"), members.split(b"\n"), strict=True))
            for day, found, members in zip(*columns, strict=True)
        }

    def inputs(self, window: Window) -> "dict[str, RecordedInputs]":
        """By key what the results of exactly that window were computed from, where that was noted."""
        with self._connections.reading() as db:
            return read_inputs(db, "run is null and window_start = ?", [time_text(window.start)])

    def history(
        self,
        window: Window | None = None,
        keys: Collection[str] | None = None,
        *,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[Ran], int]:
        """How the audits ended, newest window first, then by key: a page of the rows, and their number."""
        where, parameters = _condition(window, keys)
        with self._connections.reading() as db:
            total = db.count("results", where, parameters)
            rows = db.execute(
                f"""
                select window_start, window_end, key, status, checked, last_run from results
                where {where} order by window_start desc, key limit ? offset ?
                """,  # noqa: S608 - its own conditions, and all values are parameters
                (*parameters, limit, offset),
            ).fetchall()
        return [_ran(*row) for row in rows], total

    def statuses(
        self, keys: Collection[str] | None = None, *, until: Window | None = None
    ) -> dict[str, list[tuple[Window, Status]]]:
        """By key how the audit ended in each window that has a result, in time order, up to that window."""
        where, parameters = _condition(None, keys)
        last = time_text(until.start) if until else None
        with self._connections.reading() as db:
            rows = db.execute(_STATUSES.format(where=where), (*parameters, last, last)).fetchall()
        return {key: [_status(*one.split(" ")) for one in found.split("\n")] for key, found in rows}

    def windows(self, *, limit: int, offset: int = 0) -> tuple[list[Window], int]:
        """The windows that have results, newest first: `limit` of them from `offset` on, and their number."""
        with self._connections.reading() as db:
            [(total,)] = db.execute("select count(distinct window_start) from results where run is null")
            rows = db.execute(
                """
                select distinct window_start, window_end from results where run is null
                order by window_start desc limit ? offset ?
                """,
                (limit, offset),
            ).fetchall()
        return [Window(parse_time(start), parse_time(end)) for start, end in rows], total

    def last_status(self, window: Window, key: str) -> Status | None:
        """How that audit ended last: in this window, else in the newest one before it that has a result."""
        with self._connections.reading() as db:
            row = db.execute(
                """
                select status from results where run is null and key = ? and window_start <= ?
                order by window_start desc limit 1
                """,
                (key, time_text(window.start)),
            ).fetchone()
        return Status(row[0]) if row else None

    def delete_before(self, moment: datetime) -> int:
        """Deletes the results of windows that ended by then, and returns how many windows they were of."""
        with self._connections.transaction() as db:
            gone = db.execute(
                "delete from results where run is null and window_end <= ? returning window_start",
                (time_text(moment),),
            ).fetchall()
            drop_unused_inputs(db)
        return len(set(gone))


@lru_cache(maxsize=4096)  # every audit has the same days
def _window(start: str, end: str) -> Window:
    return Window(parse_time(start), parse_time(end))


def _ran(start: str, end: str, key: str, status: str, checked: int, last_run: str) -> Ran:
    return Ran(
        window=_window(start, end),
        key=key,
        status=Status(status),
        checked=checked,
        last_run=parse_time(last_run),
    )


def _status(start: str, end: str, status: str) -> tuple[Window, Status]:
    return _window(start, end), Status(status)


def _condition(window: Window | None, keys: Collection[str] | None) -> tuple[str, list[str]]:
    where, parameters = ["run is null"], []
    if window is not None:
        where.append("window_start >= ? and window_start < ?")
        parameters += [time_text(Window.day(window.start).start), time_text(window.end)]
    if keys is not None:
        where.append(f"key in ({', '.join('?' * len(keys))})")
        parameters += keys
    return " and ".join(where), parameters
