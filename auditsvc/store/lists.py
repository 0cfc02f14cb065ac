"""Pending and ineligible lists by content, and from when on each is the one of its kind."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

import msgspec

from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.errors import NotFoundError
from auditsvc.store.columns import parse_time, time_text
from auditsvc.store.connections import Connections, Database
from auditsvc.store.views import HELD_LIST

_SELECT = """
    select h.kind, h.list, h.holds_from, h.recorded,
        (select count(*) from list_entries e where e.list = h.list)
    from list_holds h
"""


class ListKind(StrEnum):
    """Which of the community's two lists."""

    PENDING = "pending"
    INELIGIBLE = "ineligible"


class ListRecord(msgspec.Struct, frozen=True):
    """An upload: from `holds_from` until the next one, the list is the one of its kind."""

    kind: ListKind
    hash: str
    holds_from: datetime
    recorded: datetime
    entries: int


class Lists:
    """The endpoint lists."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._parsed = lru_cache(maxsize=16)(self._parse)  # by content: what is remembered stays true

    def keep(self, text: bytes, entries: EndpointList, *, recorded: datetime) -> str:
        """Stores a list's text with `entries`, parsed from it, and returns its hash.

        It then holds for nobody but the runs that name it. One that is there already stays as it is.
        """
        digest = hashlib.sha256(text).hexdigest()
        with self._connections.transaction() as db:
            if not _is_kept(db, digest):
                db.execute(
                    "insert into lists (hash, text, recorded) values (?, ?, ?)",
                    (digest, text.decode(), time_text(recorded)),
                )
                db.executemany(
                    "insert into list_entries (list, line, endpoint, reason, link) values (?, ?, ?, ?, ?)",
                    [(digest, e.line, e.endpoint, e.reason, e.link) for e in entries.entries],
                )
        return digest

    def hold(self, kind: ListKind, digest: str, *, holds_from: datetime, recorded: datetime) -> ListRecord:
        """Makes a kept list the one of its kind from a time on, until the next one.

        It replaces one from that very time. Raises NotFoundError where the list is not kept.
        """
        row = (kind, time_text(holds_from), digest, time_text(recorded))
        with self._connections.transaction() as db:
            if not _is_kept(db, digest):
                raise _unknown(digest)
            db.execute(
                "insert or replace into list_holds (kind, holds_from, list, recorded) values (?, ?, ?, ?)",
                row,
            )
            [record] = _records(
                db,
                "where h.kind = :kind and h.holds_from = :from",
                {"kind": kind, "from": time_text(holds_from)},
            )
        return record

    def holding(self, kind: ListKind, at: datetime) -> ListRecord | None:
        """The list of a kind that holds at a time; where that is before the first known one, that one.

        None where there is none at all.
        """
        with self._connections.reading() as db:
            held = HELD_LIST.format(kind=":kind", at=":at")
            named = {"kind": kind, "at": time_text(at)}
            return next(iter(_records(db, f"where h.rowid = {held}", named)), None)

    def all(self, kind: ListKind) -> list[ListRecord]:
        """Every upload of a kind, the one that holds last first."""
        with self._connections.reading() as db:
            return _records(db, "where h.kind = :kind order by h.holds_from desc", {"kind": kind})

    def get(self, digest: str) -> EndpointList:
        """The list, parsed from its text. Raises NotFoundError."""
        return self._parsed(digest)

    def text(self, digest: str) -> bytes:
        """The text as it was given. Raises NotFoundError."""
        with self._connections.reading() as db:
            row = db.execute("select text from lists where hash = ?", (digest,)).fetchone()
        if row is None:
            raise _unknown(digest)
        text: str = row[0]
        return text.encode()

    def received(self) -> bool:
        """Whether any list was uploaded, or brought by a run that is still there."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from lists)").fetchone()[0])

    def _parse(self, digest: str) -> EndpointList:
        return parse_endpoint_list(self.text(digest))


def drop_unused_list(db: Database, digest: str | None) -> None:
    """Deletes a list that no run brought, no kind holds and no result was computed from."""
    db.execute(
        """
        delete from lists where hash = :hash
        and not exists (select 1 from runs where pending = :hash or ineligible = :hash)
        and not exists (select 1 from list_holds where list = :hash)
        and not exists (select 1 from input_documents where hash = :hash)
        """,
        {"hash": digest},
    )


def _is_kept(db: Database, digest: str) -> bool:
    return db.execute("select 1 from lists where hash = ?", (digest,)).fetchone() is not None


def _unknown(digest: str) -> NotFoundError:
    return NotFoundError(f"unknown list: {digest} (GET /lists/pending and GET /lists/ineligible list them)")


def _records(db: Database, rest: str, named: Mapping[str, str]) -> list[ListRecord]:
    rows = db.execute(f"{_SELECT} {rest}", dict(named))
    return [
        ListRecord(ListKind(kind), digest, parse_time(holds_from), parse_time(recorded), entries)
        for kind, digest, holds_from, recorded, entries in rows
    ]
