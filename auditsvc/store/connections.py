"""A connection per thread, one transaction per write, and SQLite's troubles in one line each."""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

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
    sqlite3.SQLITE_NOTADB: "is not a database: name another data folder, or move the file away",
    sqlite3.SQLITE_READONLY: "cannot be written: give this user write access to the file and its folder",
}


class Connections:
    """The connections to one database file, one for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._closers: list[weakref.finalize[[], Database]] = []
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """This thread's connection, for reads that all see one moment. It waits for no writer."""
        with reported(self._path):
            db = self._database()
            if db.conn.in_transaction:
                yield db
            else:
                with db.atomic():
                    yield db

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """This thread's connection, for writes of which either all or none happen.

        An inner transaction is undone alone where it fails and the outer one goes on.
        """
        with reported(self._path), transaction(self._database()) as db:
            yield db

    def close(self) -> None:
        """Closes the connections of all threads; no thread may be using its own any more."""
        with self._lock:
            self._closed = True
            for closer in self._closers:
                closer()

    def _database(self) -> Database:
        if self._closed:
            raise StoreError(f"{self._path} was closed by this process")
        db: Database | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connect()
        return db

    def _connect(self) -> Database:
        db = connect(self._path)
        # A thread's connection is closed with the thread, when its local values go.
        closer = weakref.finalize(db, db.conn.close)
        with self._lock:
            self._closers = [*(known for known in self._closers if known.alive), closer]
        return db


def connect(path: Path, *, mode: str = "rw") -> Database:
    """A connection to the file; `mode` is that of SQLite's URIs: ``ro``, ``rw``, or ``rwc`` to create it."""
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,  # transactions begin where this module says so, never by themselves
        check_same_thread=False,  # Connections.close, and the end of a thread, close it from elsewhere
    )
    try:
        conn.execute("pragma synchronous = full")
        conn.execute("pragma foreign_keys = on")
        return Database(conn, execute_plugins=False)
    except BaseException:
        conn.close()
        raise


@contextmanager
def transaction(db: Database) -> Iterator[Database]:
    """One transaction on a connection, or a savepoint within the one that is open."""
    if db.conn.in_transaction:
        with db.atomic():
            yield db
        return
    # Not atomic(): its plain BEGIN takes no lock, and a first write can then fail at once where another
    # connection wrote in between, however long the busy timeout.
    db.execute("begin immediate")
    try:
        yield db
        db.commit()
    except BaseException:
        db.rollback()
        raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns what SQLite says of a file that cannot be used into a StoreError of one line."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        trouble = _TROUBLES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # less the extended code
        if trouble is None:
            raise
        raise StoreError(f"{path} {trouble} ({error})") from error
