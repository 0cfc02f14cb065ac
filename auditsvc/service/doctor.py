"""Whether the data folder is whole: what the store holds, and what is around it. It is only looked at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from auditsvc.errors import StoreError
from auditsvc.store import FILE_NAME
from auditsvc.store.columns import parse_time
from auditsvc.store.connections import look_into, reported
from auditsvc.store.doctor import Examined, Problem, Progress, examine
from auditsvc.store.processes import left_behind, living

FREE_BYTES = 100 << 20
"""What must be free on the disk: an upload, its run and SQLite's log."""

LOG_BYTES = 512 << 20
"""SQLite's log has some megabytes, or as many as the largest write; more means that it cannot shrink."""

SILENCE = timedelta(minutes=5)
"""For so long may a living scheduler give no beat; it does so every ten seconds."""

_SHARED = 0o007


def diagnose(folder: Path, *, now: datetime, progress: Progress) -> Iterator[Examined]:
    """All that there is to check, check by check. Raises StoreError where nothing can be."""
    whole = True
    for examined in examine(folder, progress):
        whole = whole and not examined.problems
        yield examined
    yield from (_examine_folder(folder), _examine_spool(folder), _examine_disk(folder), _examine_log(folder))
    if whole:
        yield _examine_schedule(folder, now)


def _examine_folder(folder: Path) -> Examined:
    path = folder / FILE_NAME
    problems = [
        Problem(f"{place} cannot be read and written by this user", f"give it access: chown or chmod {place}")
        for place, mode in ((folder, os.R_OK | os.W_OK | os.X_OK), (path, os.R_OK | os.W_OK))
        if not os.access(place, mode)
    ]
    if folder.stat().st_mode & path.stat().st_mode & _SHARED:
        problems.append(
            Problem(
                f"{path} is open to every user of the machine, and audit logs name users and addresses",
                f"chmod o= {path}",
            )
        )
    return Examined("folder", str(folder), problems)


def _examine_spool(folder: Path) -> Examined:
    problems = [
        Problem(f"{left} was left by a process that is gone", "nothing: the next command clears it away")
        for left in left_behind(folder)
        if not left.is_dir() or any(left.iterdir())
    ]
    names = sorted(living(folder))
    return Examined("processes", f"{len(names)} at work: {', '.join(names)}" if names else "none", problems)


def _examine_disk(folder: Path) -> Examined:
    free = shutil.disk_usage(folder).free
    full = Problem(f"only {free >> 20} MB of the disk are free", "make room, or set `retention`")
    return Examined("disk", f"{free >> 20} MB free", [full] if free < FREE_BYTES else [])


def _examine_log(folder: Path) -> Examined:
    path = folder / f"{FILE_NAME}-wal"
    size = path.stat().st_size if path.exists() else 0
    large = Problem(
        f"SQLite's log {path} has {size >> 20} MB, for something reads without end",
        "end what reads the store, and restart the server",
    )
    return Examined("log", f"{size >> 10} KB", [large] if size > LOG_BYTES else [])


def _examine_schedule(folder: Path, now: datetime) -> Examined:
    path = folder / FILE_NAME
    try:
        with reported(path), closing(look_into(path)) as db:
            row = db.execute("select holder, heartbeat from leases where name = 'schedule'").fetchone()
    except StoreError as error:
        return Examined("schedule", "not to be read", [Problem(str(error), "try again")])
    if row is None or row[0] not in living(folder):
        return Examined("schedule", "no process makes the scheduled runs")
    silent = now - parse_time(row[1])
    stuck = Problem(
        f"{row[0]} makes the scheduled runs, and stands still since {row[1]}", "restart the server"
    )
    return Examined("schedule", f"made by {row[0]}", [stuck] if silent > SILENCE else [])
