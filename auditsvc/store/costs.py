"""Documents of costs by kind and window, and the tables that auditsvc made from each when it arrived."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import asdict

from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, StoreError
from auditsvc.store.columns import ZstdError, compress, decompress, parse_time, time_text
from auditsvc.store.connections import Connections, Database
from auditsvc.store.days import read_days

_SELECT = """
    select window_start, window_end, kind, source, origin, hash, rows, hours, recorded from costs
"""
_INSERT = """
    insert into costs
        (window_start, window_end, source, kind, origin, hash, rows, hours, recorded, document)
    values (:window_start, :window_end, :source, :kind, :origin, :hash, :rows, :hours, :recorded, :document)
"""
_FOUND = """
    (:kind is null or kind = :kind) and (:start is null or window_start < :end and window_end > :start)
"""
_ONE = "window_start = ? and window_end = ? and source = ? and kind = ?"


class CostKind(StrEnum):
    """What a document of costs holds."""

    ALLOCATIONS = "allocations"
    ASSETS = "assets"
    CLOUD_COSTS = "cloudcosts"
    TOTALS = "totals"
    AGGREGATES = "aggregates"


class CostOrigin(StrEnum):
    """Where a document of costs comes from; ``own`` are the tables that auditsvc makes."""

    UPLOADED = "uploaded"
    FETCHED = "fetched"
    OWN = "own"


class CostDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document of costs, with how many rows it has and how many of these are of a single hour."""

    kind: CostKind
    content: bytes
    rows: int
    hours: int = 0


class CostRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A stored document. ``source`` is its own kind, for an own table the kind that it was made from."""

    kind: CostKind
    window: Window
    source: CostKind
    origin: CostOrigin
    hash: str
    rows: int
    hours: int
    recorded: datetime


class CostDocuments:
    """The documents of costs: of each kind and window the newest, a UTC day or an hour of one."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(
        self,
        window: Window,
        received: CostDocument,
        made: Sequence[CostDocument] = (),
        *,
        origin: CostOrigin,
        recorded: datetime,
    ) -> tuple[CostRecord, bool]:
        """Stores a document and the tables made from it; its record, and whether it replaced no older one.

        The older one's tables go with it, those made from the window's other documents stay.
        """
        documents = [(received, origin), *((table, CostOrigin.OWN) for table in made)]
        records = [
            CostRecord(
                kind=document.kind,
                window=window,
                source=received.kind,
                origin=whence,
                hash=hashlib.sha256(document.content).hexdigest(),
                rows=document.rows,
                hours=document.hours,
                recorded=recorded,
            )
            for document, whence in documents
        ]
        frames = [compress(document.content) for document, _ in documents]
        with self._connections.transaction() as db:
            replaced = _delete(db, received.kind, window)
            db.executemany(_INSERT, map(_row, records, frames))
        return records[0], not replaced

    def find(
        self,
        *,
        kind: CostKind | None = None,
        window: Window | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[CostRecord], int]:
        """Documents of that kind whose window overlaps that one, the newest window first, and their number.

        ``limit`` of them (None: all) from ``offset`` on.
        """
        start, end = _bounds(window) if window else (None, None)
        named = {"kind": kind, "start": start, "end": end}
        with self._connections.reading() as db:
            total = db.count("costs", _FOUND, named)
            rows = db.execute(
                f"{_SELECT} where {_FOUND} order by window_start desc, window_end desc, kind, source "
                "limit :limit offset :offset",
                {**named, "limit": -1 if limit is None else limit, "offset": offset},
            ).fetchall()
        return list(map(_record, rows)), total

    def get(self, kind: CostKind, window: Window, *, source: CostKind | None = None) -> bytes | None:
        """The document of that kind and exactly that window, None where there is none.

        It is the received one, or with a ``source`` the table made from that. Raises StoreError where it is
        no longer what was stored.
        """
        with self._connections.reading() as db:
            row = db.execute(
                f"select document, hash from costs where {_ONE}",  # noqa: S608 - a constant
                (*_bounds(window), source or kind, kind),
            ).fetchone()
        return None if row is None else _intact(*row, what=f"the {kind} of {window}")

    def days(self, window: Window | None = None) -> list[Window]:
        """The UTC days that the window overlaps (None: all) of which there are documents, in order."""
        with self._connections.reading() as db:
            return read_days(db, "costs", "window_start", window)

    def received(self, *kinds: CostKind) -> bool:
        """Whether there is a document of one of those kinds."""
        marks = ", ".join("?" * len(kinds))
        with self._connections.reading() as db:
            return db.count("costs", f"kind in ({marks})", kinds) > 0

    def received_hours(self) -> bool:
        """Whether there are rows of a single hour."""
        with self._connections.reading() as db:
            return db.count("costs", "hours > 0") > 0

    def delete(self, kind: CostKind, window: Window) -> None:
        """Deletes the document of that kind and window, and the tables made from it. Raises NotFoundError."""
        with self._connections.transaction() as db:
            if not _delete(db, kind, window):
                raise NotFoundError(f"no {kind} of {window} are stored (GET /costs lists what is)")


def _bounds(window: Window) -> tuple[str, str]:
    return time_text(window.start), time_text(window.end)


def _delete(db: Database, source: CostKind, window: Window) -> int:
    """Deletes what was received of a kind with the tables made from it; how many documents these were."""
    return db.execute(
        "delete from costs where window_start = ? and window_end = ? and source = ?",
        (*_bounds(window), source),
    ).rowcount


def _row(record: CostRecord, frame: bytes) -> dict[str, object]:
    start, end = _bounds(record.window)
    times = {"window_start": start, "window_end": end, "recorded": time_text(record.recorded)}
    return {**asdict(record), **times, "document": frame}


def _record(row: Sequence[Any]) -> CostRecord:
    start, end, kind, source, origin, digest, rows, hours, recorded = row
    return CostRecord(
        kind=CostKind(kind),
        window=Window(parse_time(start), parse_time(end)),
        source=CostKind(source),
        origin=CostOrigin(origin),
        hash=digest,
        rows=rows,
        hours=hours,
        recorded=parse_time(recorded),
    )


def _intact(frame: bytes, digest: str, *, what: str) -> bytes:
    """The document; an audit of costs that were damaged here must fail, and say why."""
    try:
        content = decompress(frame)
    except ZstdError:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise StoreError(f"{what} are damaged in the store: upload them again")
    return content
