"""A connection per thread, one transaction per write, and SQLite's troubles in one line each."""

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from auditsvc.errors import StoreError

BUSY_TIMEOUT = 10.0
"""Seconds for which a write waits while another thread or process writes."""

# What a user can do something about, by SQLite's primary result code. Any other is a bug: it propagates.
_TROUBLES = {
    sqlite3.SQLITE_BUSY: "is being written by another process: try again when that is done",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is it there, and may this user write to its folder?",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore a backup, or move the file away to start afresh",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_IOERR_SHMSIZE: "cannot grow: the disk is full",  # the one that is told apart
    sqlite3.SQLITE_NOTADB: "is not a database: name another data folder, or move the file away",
    sqlite3.SQLITE_READONLY: "cannot be written: give this user write access to the file and its folder",
}


class Database(sqlite3.Connection):
    """A connection: SQLite's own, for sqlite-utils is slow to import, and only older files need it."""

    def count(self, table: str, where: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> int:
        """How many rows of a table fit an SQL condition."""
        [(rows,)] = self.execute(f"select count(*) from {table} where {where}", parameters)  # noqa: S608 - constants
        return int(rows)

    def named(self, sql: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        """The rows of a query, each by its columns' names."""
        cursor = self.execute(sql, parameters)
        names = [column for column, *_ in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


class _Owner:
    """A thread's hold on its connection, which refers to itself and so would outlive the thread."""

    def __init__(self, db: Database) -> None:
        self.db = db


class Connections:
    """The connections to one database file, one for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._closers: list[weakref.finalize[[], _Owner]] = []
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """This thread's connection, for reads that all see one moment. It waits for no writer."""
        with reported(self._path):
            db = self._database()
            if db.in_transaction:
                yield db
            else:
                with _committed(db, "begin"):
                    yield db

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """This thread's connection, for writes of which either all or none happen.

        An inner transaction is undone alone where it fails and the outer one goes on.
        """
        with reported(self._path), transaction(self._database()) as db:
            yield db

    def check(self, patience: float) -> None:
        """Takes the write lock of the file on a new connection, reads from it, and lets go."""
        self._require_open()
        with reported(self._path), closing(connect(self._path)) as db:
            db.execute(f"pragma busy_timeout = {patience * 1000:.0f}")
            db.execute("begin immediate")
            db.execute("select count(*) from sqlite_master")
            db.rollback()

    @contextmanager
    def hasty_transaction(self) -> Iterator[Database]:
        """As :meth:`transaction`, for what is not worth a wait: StoreError at once where another writes."""
        with reported(self._path):
            db = self._database()
            db.execute("pragma busy_timeout = 0")
            try:
                with transaction(db):
                    yield db
            finally:
                db.execute(f"pragma busy_timeout = {BUSY_TIMEOUT * 1000:.0f}")

    def close(self) -> None:
        """Closes the connections of all threads; no thread may be using its own any more."""
        with self._lock:
            self._closed = True
            for closer in self._closers:
                closer()

    def _database(self) -> Database:
        self._require_open()
        owner: _Owner | None = getattr(self._local, "owner", None)
        if owner is None:
            owner = self._local.owner = self._connect()
        return owner.db

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self._path} was closed by this process")

    def _connect(self) -> _Owner:
        owner = _Owner(connect(self._path))
        # A thread's connection is closed with the thread, when its local values go.
        closer = weakref.finalize(owner, owner.db.close)
        with self._lock:
            self._closers = [*(known for known in self._closers if known.alive), closer]
        return owner


def connect(path: Path, *, mode: str = "rw") -> Database:
    """A connection to the file; `mode` is that of SQLite's URIs: ``ro``, ``rw``, or ``rwc`` to create it."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        factory=Database,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,  # transactions begin where this module says so, never by themselves
        check_same_thread=False,  # Connections.close, and the end of a thread, close it from elsewhere
    )
    try:
        db.execute("pragma synchronous = full")
        db.execute("pragma foreign_keys = on")
        db.execute("pragma recursive_triggers = on")  # also where `insert or replace` deletes a row
    except BaseException:
        db.close()
        raise
    return db


def look_into(path: Path) -> Database:
    """A connection that leaves the file, and what stands beside it, as it is.

    A writing one puts a crashed process's log into the file when it closes, and a reading one leaves empty
    -wal and -shm files where there are none.
    """
    db = connect(path, mode="ro" if path.with_name(f"{path.name}-wal").exists() else "rw")
    db.execute("pragma query_only = on")
    return db


@contextmanager
def transaction(db: Database) -> Iterator[Database]:
    """One transaction on a connection, or a savepoint within the one that is open."""
    # A plain BEGIN takes no lock, and a first write can then fail at once where another connection wrote in
    # between, however long the busy timeout.
    with _inner(db) if db.in_transaction else _committed(db, "begin immediate"):
        yield db


@contextmanager
def _committed(db: Database, begin: str) -> Iterator[None]:
    db.execute(begin)
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


@contextmanager
def _inner(db: Database) -> Iterator[None]:
    db.execute("savepoint within")  # of several with one name SQLite takes the innermost
    try:
        yield
    except BaseException:
        if db.in_transaction:  # what failed may have undone all of it
            db.execute("rollback to within")
            db.execute("release within")
        raise
    db.execute("release within")


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns what SQLite says of a file that cannot be used into a StoreError of one line."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        trouble = _TROUBLES.get(code) or _TROUBLES.get(code & 0xFF)  # less what extends it
        if trouble is None:
            raise
        raise StoreError(f"{path} {trouble} ({error})") from error
