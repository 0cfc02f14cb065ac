"""Which version of the schema a file is of, and how it is brought to the newest one."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from auditsvc.errors import StoreError
from auditsvc.store.connections import connect, look_into, reported, transaction
from auditsvc.store.processes import alone
from auditsvc.store.schema import create

SCHEMA_VERSION = 12
"""How many steps the schema has; a file's own is its ``PRAGMA user_version``."""

APPLICATION_ID = 0x61756474
"""``audt``: marks the file as ours, also for file(1)."""


def migrate(path: Path) -> None:
    """Creates the file or brings it to SCHEMA_VERSION; one that is up to date is only looked at.

    Raises StoreError, and leaves the file as it was, where it is of a newer version, damaged or not ours.
    """
    # SQLite's own locks do not do, because its switch to WAL fails at once while anyone else reads.
    with reported(path), alone(path.parent):
        if not path.exists():
            _make(path.resolve())  # where a link leads
        elif not is_current(path):
            _update(path)


def _make(path: Path) -> None:
    """Makes a new file beside its place, with nothing to lose but itself, and then puts it there."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # what a killed process left
    new.touch(mode=0o600)  # for its owner's eyes, as its folder, which may have been there before
    try:
        with closing(connect(new)) as db:
            db.execute("pragma synchronous = off")
            db.execute("pragma journal_mode = memory")
            with transaction(db):
                create(db)
                _mark(db)
            db.execute("pragma journal_mode = wal")
        sync(new)
        drop_logs(path)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _update(path: Path) -> None:
    # What changes the schema is slow to import, and few files are old.
    from sqlite_utils import Database

    from auditsvc.store.migrations import apply

    with closing(connect(path)) as db:
        db.execute("pragma journal_mode = wal")
        with transaction(db):
            apply(Database(db, execute_plugins=False))
            _mark(db)


def _mark(db: sqlite3.Connection) -> None:
    db.execute(f"pragma application_id = {APPLICATION_ID}")
    db.execute(f"pragma user_version = {SCHEMA_VERSION}")


def drop_logs(path: Path) -> None:
    """Removes what stands beside a file that is gone or goes: SQLite would read it into the next one."""
    for suffix in ("-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def sync(place: Path) -> None:
    """Makes what a file holds, or what a folder names, survive a power cut."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_current(path: Path) -> bool:
    """Whether a file of ours is of this version, or must be migrated; StoreError where it is neither."""
    with closing(look_into(path)) as db:
        [(version,)] = db.execute("pragma user_version")
        [(application,)] = db.execute("pragma application_id")
        if application != APPLICATION_ID and (version or db.count("sqlite_master", "type = 'table'")):
            raise StoreError(f"{path} is not auditsvc's: name another data folder, or move the file away")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer auditsvc "
                f"(schema {version}, this one knows {SCHEMA_VERSION}): use that version"
            )
        [(journal,)] = db.execute("pragma journal_mode")
        return bool(version == SCHEMA_VERSION and journal == "wal")
