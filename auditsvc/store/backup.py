"""A copy of the store in one file, made while others work with it, and a store made from such a copy."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from auditsvc.errors import ConflictError, StoreError
from auditsvc.store import FILE_NAME, Store
from auditsvc.store.connections import connect, look_into, reported
from auditsvc.store.doctor import damage
from auditsvc.store.processes import Process, alone, living
from auditsvc.store.version import APPLICATION_ID, drop_logs, is_current, migrate, sync

_STEP_PAGES = 1024

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are copied."""


def back_up(folder: Path, target: Path, *, force: bool, progress: Progress) -> None:
    """Copies the store of a data folder, as it is at this moment, to a file; who serves or writes goes on.

    The file is there when it is whole, and then survives a power cut. Raises ConflictError where one is there
    already and is not to be overwritten, StoreError where the store or the copy is not as it should be.
    """
    source = folder / FILE_NAME
    if not source.is_file():
        raise StoreError(f"there is no store in {folder}: name its folder with --data or AUDITSVC_DATA")
    _require_free(target, source, force=force)
    _require_ours(source)
    with _written(target) as copy:
        _copy(source, copy, target, progress)
        if found := _damage(copy, quick=True):
            raise StoreError(
                f"{source} is damaged, and was not copied: {found[0]} (`auditsvc doctor` tells more)"
            )
        _require_free(target, source, force=force)
        copy.replace(target)
        sync(target.parent)


def restore(backup: Path, folder: Path, *, now: datetime, progress: Progress) -> Path | None:
    """Puts a backup in the place of the store; where the replaced one then is, None where there was none.

    An older backup is migrated. Raises ConflictError where another process is at work on the data folder,
    StoreError where the backup is damaged, not ours or of a newer version: all is then as it was.
    """
    if not backup.is_file():
        raise StoreError(f"{backup} is not there, or is no file: name a file that `auditsvc backup` wrote")
    _require_ours(backup)
    with _entered(folder) as process:
        copy = process.folder / "restored" / FILE_NAME
        copy.parent.mkdir()
        copy.touch(mode=0o600)
        _copy(backup, copy, folder, progress)
        if found := _damage(copy):
            raise StoreError(f"{backup} is damaged, and was not restored: {found[0]}; take another backup")
        migrate(copy)
        with alone(folder):
            _require_unused(folder, process)
            kept = _keep_aside(folder / FILE_NAME, now)
            copy.replace(folder / FILE_NAME)
            sync(folder)
    with Store.open(folder) as store:
        store.interrupt_lost_jobs(now=now)
    return kept


@contextmanager
def _entered(folder: Path) -> Iterator[Process]:
    """This process at work on the data folder, alone for now; what is written there goes with it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = Process.enter(folder)
    except OSError as error:
        raise StoreError(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        _require_unused(folder, process)
        yield process
    finally:
        process.leave()


def _require_unused(folder: Path, process: Process) -> None:
    others = sorted(living(folder) - {process.name})
    if others:
        host, number, _ = others[0].rsplit(":", 2)
        raise ConflictError(
            f"{folder} is in use by process {number} on {host}: end it (a server with SIGTERM), then restore"
        )


def _require_free(target: Path, source: Path, *, force: bool) -> None:
    if target.exists() and target.samefile(source):
        raise ConflictError(f"{target} is the store itself: name another file")
    if target.exists() and not force:
        raise ConflictError(f"{target} is there already: name another file, or overwrite it with --force")


def _require_ours(path: Path) -> None:
    """Raises StoreError where the file is no store of ours, of a newer version or no database."""
    with reported(path):
        is_current(path)
        with closing(look_into(path)) as db:
            [(application,)] = db.execute("pragma application_id")
    if application != APPLICATION_ID:
        raise StoreError(f"{path} holds no store: name a file that `auditsvc backup` wrote")


@contextmanager
def _written(target: Path) -> Iterator[Path]:
    """A new file beside the target; it goes unless it was moved there."""
    try:
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            copy = Path(file.name)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}") from error
    try:
        yield copy
    finally:
        for left in (copy, Path(f"{copy}-journal")):
            left.unlink(missing_ok=True)


def _copy(source: Path, copy: Path, shown: Path, progress: Progress) -> None:
    """Copies a database into an empty file, as one file without a log beside it."""
    with reported(source), closing(look_into(source)) as db, reported(shown), closing(connect(copy)) as to:
        [(page_bytes,)] = db.execute("pragma page_size")
        # One moment of the store: each write of a server would else make the copy start anew.
        db.execute("begin")
        db.execute("select count(*) from sqlite_master").fetchone()
        db.backup(
            to,
            pages=_STEP_PAGES,
            progress=lambda _status, left, total: progress((total - left) * page_bytes, total * page_bytes),
        )
        to.execute("pragma journal_mode = delete")


def _damage(copy: Path, *, quick: bool = False) -> list[str]:
    with closing(connect(copy)) as db:
        return damage(db, quick=quick)


def _keep_aside(path: Path, now: datetime) -> Path | None:
    """Gives the store that is replaced another name as well; None where there is none.

    It loses its own only to the new one, so that there is a store whenever this is cut off.
    """
    if not path.exists():
        drop_logs(path)
        return None
    with suppress(sqlite3.DatabaseError), closing(connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)").fetchall()  # a damaged one keeps its log
    kept = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S.%fZ}")
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            os.link(f"{path}{suffix}", f"{kept}{suffix}")
    drop_logs(path)
    return kept
