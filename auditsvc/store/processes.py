"""The processes at work on a data folder: which of them live, and a folder for what each is in the middle of.

A process shows that it lives by a lock on its folder. The kernel takes that away however the process ends,
so neither a clock nor the number of a process that is long gone can mislead.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

SPOOL = "spool"
"""The folder with the processes' own ones."""


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Lets one process at a time enter the data folder, or do what none may enter meanwhile."""
    handle = os.open(data, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Process:
    """This process at work on a data folder, until it leaves. ``name`` is its alone, now and later."""

    def __init__(self, data: Path) -> None:
        """Use :meth:`enter`."""
        self.name = f"{os.uname().nodename}:{os.getpid()}:{os.urandom(4).hex()}"
        self.folder = data / SPOOL / self.name
        self.folder.parent.mkdir(mode=0o700, exist_ok=True)
        self.folder.mkdir(mode=0o700)
        handle = os.open(self.folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._leaving = ExitStack()
        self._leaving.callback(os.close, handle)
        self._leaving.callback(_remove, self.folder)

    @classmethod
    def enter(cls, data: Path) -> Self:
        """Begins the work, and removes what killed processes were in the middle of. Raises OSError."""
        with alone(data):
            for left in left_behind(data):
                _remove(left)
            return cls(data)

    def leave(self) -> None:
        """Ends it, once; the folder goes."""
        self._leaving.close()


def living(data: Path) -> set[str]:
    """The names of the processes at work; more may enter unless the caller is :func:`alone`."""
    return {entry.name for entry in _spooled(data) if _is_held(entry)}


def left_behind(data: Path) -> list[Path]:
    """The files and folders of processes that live no more."""
    return [entry for entry in _spooled(data) if not _is_held(entry)]


def _spooled(data: Path) -> list[Path]:
    spool = data / SPOOL
    return sorted(spool.iterdir()) if spool.is_dir() else []


def _is_held(entry: Path) -> bool:
    try:
        handle = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # it left just now
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _remove(left: Path) -> None:
    if left.is_symlink() or not left.is_dir():
        with suppress(OSError):
            left.unlink()
        return
    try:
        left.rmdir()
    except OSError:
        import shutil  # slow to import, and most leave nothing

        shutil.rmtree(left, ignore_errors=True)
