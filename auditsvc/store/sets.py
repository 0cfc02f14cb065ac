"""AuditSets: the newest result of each audit in each window."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import groupby

from auditsvc.core.results import Status
from auditsvc.core.window import Window
from auditsvc.store.columns import parse_time, time_text
from auditsvc.store.connections import Connections
from auditsvc.store.results import StoredResult, read_results, write_results

_TEXTS = "select window_start, window_end, key, text from results"


class Sets:
    """The results of windows. Windows are whole UTC days."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(self, results: Iterable[StoredResult]) -> None:
        """Stores results, each in the place of the older one of its window and key; all others stay."""
        with self._connections.transaction() as db:
            write_results(db, results)

    def find(self, window: Window | None = None, keys: Collection[str] | None = None) -> list[StoredResult]:
        """The results of every day that `window` overlaps (None: of all), in time order, then by key."""
        with self._connections.reading() as db:
            return read_results(db, *_condition(window, keys))

    def texts(
        self, window: Window | None = None, keys: Collection[str] | None = None
    ) -> Mapping[Window, Mapping[str, str]]:
        """The JSON of the same results by window and key, in time order; findings are not read."""
        where, parameters = _condition(window, keys)
        with self._connections.reading() as db:
            rows = db.execute(
                f"{_TEXTS} where {where} order by window_start, window_end, key", parameters
            ).fetchall()
        return {
            Window(parse_time(start), parse_time(end)): {key: text for _, _, key, text in members}
            for (start, end), members in groupby(rows, key=lambda row: row[:2])
        }

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
        return len(set(gone))


def _condition(window: Window | None, keys: Collection[str] | None) -> tuple[str, list[str]]:
    where, parameters = ["run is null"], []
    if window is not None:
        where.append("window_start >= ? and window_start < ?")
        parameters += [time_text(Window.day(window.start).start), time_text(window.end)]
    if keys is not None:
        where.append(f"key in ({', '.join('?' * len(keys))})")
        parameters += keys
    return " and ".join(where), parameters
