"""How far long work is, on a terminal and nowhere else."""

import atexit
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from auditsvc.ingest import Log, Progress

_REDRAW_SECONDS = 0.1

Update = Callable[[int, int | None, int], None]
"""Told how much of how much (None: unknown) is done, and how many events were counted by then."""


def spare_the_garbage_collector() -> None:
    """For a process that counts logs and ends: all it counts lives as long, so garbage is not looked for."""
    gc.disable()
    gc.freeze()
    atexit.register(gc.freeze)  # Python looks for it once more, enabled or not, before it ends


@contextmanager
def log_progress(logs: Sequence[Log]) -> Iterator[Progress]:
    """A bar for logs that are read: bytes, events a second and, where none is packed, the time left."""
    with _bar("reading", unit="bytes") as update:
        sizes = [log.plain_bytes for log in logs]
        total = sum(sizes) if all(sizes) else None
        done = counted = 0

        def progress(read: int, events: int) -> None:
            nonlocal done, counted
            done, counted = done + read, counted + events
            update(done, total, counted)

        yield progress


@contextmanager
def upload_progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar for so many bytes that are sent; it is told how many more were."""
    with _bar("sending", unit="bytes") as update:
        done = 0

        def sent(more: int) -> None:
            nonlocal done
            done += more
            update(done, total, 0)

        yield sent


@contextmanager
def sync_progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar for what is fetched; it is told of what, how many bytes of it are done and how many there are."""
    with _bar("fetching", unit="bytes") as update:
        yield lambda _what, done, total: update(done, total, 0)


@contextmanager
def audit_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar for the days that are audited; it is told how many of how many were."""
    with _bar("auditing", unit="days") as update:
        yield lambda done, total: update(done, total, 0)


@contextmanager
def copy_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar for the bytes of the store that are copied; it is told how many of how many were."""
    with _bar("copying", unit="bytes") as update:
        yield lambda done, total: update(done, total, 0)


@contextmanager
def check_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar for what is checked, part by part; it is told how many things of how many (0: unknown) were."""
    with _bar("checking", unit="things") as update:
        yield lambda done, total: update(done, total or None, 0)


@contextmanager
def _bar(doing: str, *, unit: str) -> Iterator[Update]:
    if not sys.stderr.isatty():
        yield lambda _done, _total, _events: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    columns = TextColumn(doing), BarColumn(), amount, TextColumn("{task.fields[rate]}"), TimeRemainingColumn()
    start = drawn = time.monotonic()
    # Drawn when there is news: a thread that draws would be copied into the workers, and its locks with it.
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(doing, total=None, rate="")

        def update(done: int, total: int | None, events: int) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn >= _REDRAW_SECONDS:
                drawn = now
                rate = f"{events / (now - start):,.0f} events/s" if events else ""
                bar.update(task, completed=done, total=total, rate=rate, refresh=True)

        yield update
