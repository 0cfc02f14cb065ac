"""Swagger documents by content, the operations in them, and from when on each is the one of its version."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from auditsvc.core.swagger import Level, Operation, Swagger, minor_version, parse_swagger
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.store.columns import compress, decompress, minor_text, parse_time, time_text
from auditsvc.store.connections import Connections, Database
from auditsvc.store.views import HELD_OF_HIGHEST, HELD_OF_MINOR

_described = attrgetter("category", "group", "version", "kind", "action", "resource", "description")

OPERATION_COLUMNS = """
    o.id, o.method, o.path, o.level, o.deprecated, o.category, o."group", o.version, o.kind, o.action,
    o.resource, o.description
"""
"""What :func:`read_operation` reads, of the table operations named o."""

_SELECT = """
    select h.version, h.swagger, h.holds_from, h.recorded,
        (select count(*) from operations o where o.swagger = h.swagger)
    from swagger_holds h
"""

# What follows the patch, such as -rc.1, does not count: of equal versions the newer upload is taken.
_PATCH = re.compile(r"v?[0-9]+\.[0-9]+\+?\.([0-9]{1,6})")


class SwaggerRecord(msgspec.Struct, frozen=True):
    """An upload: from `holds_from` until the next one, the document is the one of its minor version."""

    version: str
    hash: str
    holds_from: datetime
    recorded: datetime
    operations: int


class Swaggers:
    """The swagger documents."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._parsed = lru_cache(maxsize=8)(self._parse)  # by content: what is remembered stays true

    def keep(self, document: bytes, swagger: Swagger, *, recorded: datetime) -> str:
        """Stores a document with `swagger`, the catalogue parsed from it, and returns its hash.

        It then holds for nobody but the runs that name it. One that is there already stays as it is.
        """
        digest = hashlib.sha256(document).hexdigest()
        with self._connections.transaction() as db:
            if not _is_kept(db, digest):
                db.execute(
                    "insert into swaggers (hash, version, document, recorded) values (?, ?, ?, ?)",
                    (digest, swagger.version, compress(document), time_text(recorded)),
                )
                _write_operations(db, digest, swagger)
        return digest

    def hold(self, version: str, digest: str, *, holds_from: datetime, recorded: datetime) -> SwaggerRecord:
        """Makes a kept document the one of `version` from a time on, until the next one.

        It replaces one of that version from that very time. Raises RequestError where `version` is not
        like ``v1.34.0``, NotFoundError where the document is not kept.
        """
        row = (version, *_ranked(version), time_text(holds_from), digest, time_text(recorded))
        with self._connections.transaction() as db:
            if not _is_kept(db, digest):
                raise _unknown(digest)
            db.execute(
                """
                insert or replace into swagger_holds (version, minor, rank, holds_from, swagger, recorded)
                values (?, ?, ?, ?, ?, ?)
                """,
                row,
            )
            [record] = _records(
                db,
                "where h.version = :version and h.holds_from = :from",
                {"version": version, "from": time_text(holds_from)},
            )
        return record

    def holding(self, minor: tuple[int, int] | None, at: datetime) -> SwaggerRecord | None:
        """The newest upload of a minor version that holds at a time; for None, of the highest version.

        Where the time is before the first known one, that one. None where there is none at all.
        """
        held = (HELD_OF_HIGHEST if minor is None else HELD_OF_MINOR).format(at=":at", minor=":minor")
        named = {"at": time_text(at), "minor": minor_text(minor)}
        with self._connections.reading() as db:
            return next(iter(_records(db, f"where h.rowid = {held}", named)), None)

    def all(self) -> list[SwaggerRecord]:
        """Every upload, the highest version first, and of a version the one that holds last."""
        with self._connections.reading() as db:
            return _records(db, "order by h.rank desc, h.holds_from desc", {})

    def get(self, digest: str) -> Swagger:
        """The catalogue, parsed from the stored document. Raises NotFoundError."""
        return self._parsed(digest)

    def document(self, digest: str) -> bytes:
        """The document as it was given. Raises NotFoundError."""
        with self._connections.reading() as db:
            row = db.execute("select document from swaggers where hash = ?", (digest,)).fetchone()
        if row is None:
            raise _unknown(digest)
        return decompress(row[0])

    def catalogue(self, digest: str) -> tuple[Operation, ...]:
        """The stored operations of a document, by operationId. Raises NotFoundError."""
        with self._connections.reading() as db:
            if not _is_kept(db, digest):
                raise _unknown(digest)
            rows = db.execute(
                f"select {OPERATION_COLUMNS} from operations o where o.swagger = ? order by o.id",  # noqa: S608
                (digest,),
            ).fetchall()
        return tuple(map(read_operation, rows))

    def received(self) -> bool:
        """Whether any document was ever uploaded for others, or brought by a run that is still there."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from swaggers)").fetchone()[0])

    def _parse(self, digest: str) -> Swagger:
        return parse_swagger(self.document(digest))


def read_operation(row: Sequence[Any]) -> Operation:
    """An operation from its OPERATION_COLUMNS."""
    operation_id, method, path, level, deprecated, *rest = row
    return Operation(operation_id, method, path, Level(level), bool(deprecated), *rest)


def drop_unused_swagger(db: Database, digest: str | None) -> None:
    """Deletes a document that no run brought, no version holds and no result was computed from."""
    db.execute(
        """
        delete from swaggers where hash = :hash
        and not exists (select 1 from runs where swagger = :hash)
        and not exists (select 1 from swagger_holds where swagger = :hash)
        and not exists (select 1 from input_documents where hash = :hash)
        """,
        {"hash": digest},
    )


def _is_kept(db: Database, digest: str) -> bool:
    return db.execute("select 1 from swaggers where hash = ?", (digest,)).fetchone() is not None


def _unknown(digest: str) -> NotFoundError:
    return NotFoundError(f"unknown swagger: {digest} (GET /swagger lists them)")


def _write_operations(db: Database, digest: str, swagger: Swagger) -> None:
    db.executemany(
        """
        insert into operations
            (swagger, id, method, path, level, deprecated, category, "group", version, kind,
            action, resource, description)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            # What is a kind of str or int, sqlite3 would look for an adapter of, value by value.
            (digest, one.id, one.method, one.path, one.level.value, int(one.deprecated), *_described(one))
            for one in swagger.operations.values()
        ],
    )


def _records(db: Database, rest: str, named: Mapping[str, str | None]) -> list[SwaggerRecord]:
    rows = db.execute(f"{_SELECT} {rest}", dict(named))
    return [
        SwaggerRecord(version, digest, parse_time(holds_from), parse_time(recorded), operations)
        for version, digest, holds_from, recorded, operations in rows
    ]


def _ranked(version: str) -> tuple[str, str]:
    """The minor version, and text that sorts as versions do: v1.9.0 before v1.10.0."""
    numbers = minor_version(version)
    if numbers is None:
        raise RequestError(f"not a version of Kubernetes: {version}: write it like v1.34.0")
    major, minor = numbers
    patch = _PATCH.match(version)
    return f"{major}.{minor}", f"{major:06}.{minor:06}.{int(patch[1]) if patch else 0:06}"
