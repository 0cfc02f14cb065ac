"""Parts of logs counted in worker processes, and put together in order."""

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import Array, c_ulonglong
from tempfile import TemporaryFile
from threading import Thread
from typing import IO

from auditsvc.core.counting import Counting, Part
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import Swagger
from auditsvc.errors import WorkerError
from auditsvc.ingest.logs import BLOCK_BYTES, Log, Range, no_event
from auditsvc.ingest.progress import Progress, count_range

SMALLEST_PART = 16 << 20
"""What is counted in the time that a worker takes to start and to hand on: less is not worth one, and this
process takes so much more than a worker."""

POLL_SECONDS = 0.1

_FORK = multiprocessing.get_context("fork")


def count_parts(
    logs: Sequence[Log], swagger: Swagger, *, jobs: int, sampled: bool, progress: Progress
) -> Counting:
    """Counts logs in so many processes, this one among them.

    Of each ``jobs`` parts this process counts the first, and every stream, right after all before it, so
    that nothing of it has to be handed on. InputError where a log cannot be read or holds no audit event,
    WorkerError where a worker dies.
    """
    parts = _cut(logs, jobs)
    mapper = OperationMapper(swagger)
    counting = Counting(mapper, sampled=sampled)
    watch = _Watch(progress, workers=min(jobs, len(parts)) - 1)
    with _workers(mapper, watch.counters) as workers:
        futures = {
            at: workers[at % jobs - 1].submit(part, sampled=sampled, followed=at + 1 < len(parts))
            for at, part in enumerate(parts)
            if at % jobs and part.log.path is not None
        }
        for at, part in enumerate(parts):
            if at in futures:
                _append(counting, workers[at % jobs - 1], part, futures[at], watch)
            else:
                count_range(part, counting, watch)
    if not counting.events:
        raise no_event(parts[0].log)
    return counting


class _Watch:
    """Tells whoever watches what this process and its workers have read and counted."""

    def __init__(self, progress: Progress, *, workers: int) -> None:
        # Each worker has counters of its own, and no lock with which it could die.
        self.counters = [_FORK.RawArray(c_ulonglong, 2) for _ in range(workers)]
        self._progress = progress
        self._told = (0, 0)

    def __call__(self, read: int = 0, events: int = 0) -> None:
        told = self._told
        self._told = sum(count[0] for count in self.counters), sum(count[1] for count in self.counters)
        self._progress(read + self._told[0] - told[0], events + self._told[1] - told[1])


class _Worker:
    """A process that counts parts, alone in its executor, so that the part that a dead one was at is known.

    It hands on through a file: a process that is killed while it writes to a pipe leaves the reader waiting.
    """

    def __init__(self, mapper: OperationMapper, counters: "Array[c_ulonglong]") -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - close() closes it
        initial = mapper, counters, self._file.fileno(), os.getpid()
        self._executor = ProcessPoolExecutor(1, _FORK, _start_worker, initial)

    def submit(self, part: Range, *, sampled: bool, followed: bool) -> "Future[tuple[int, int]]":
        """Counts a part; where in the file it then stands."""
        return self._executor.submit(_count_part, part, sampled=sampled, followed=followed)

    def read(self, place: tuple[int, int]) -> Part:
        """The counted part at that place of the file."""
        offset, size = place
        part: Part = pickle.loads(os.pread(self._file.fileno(), size, offset))  # noqa: S301 - our own worker's
        return part

    def kill(self) -> None:
        """Ends the process at once."""
        for process in list(self._executor._processes.values()):  # from 3.14 on: kill_workers()
            process.kill()

    def close(self) -> None:
        """Ends the process when it has done what it is at."""
        self._executor.shutdown(cancel_futures=True)
        self._file.close()


def _append(
    counting: Counting, worker: _Worker, part: Range, future: "Future[tuple[int, int]]", watch: _Watch
) -> None:
    """Waits for a part and appends it."""
    while not future.done():
        wait([future], timeout=POLL_SECONDS)
        watch()
    try:
        place = future.result()
    except BrokenProcessPool as error:
        raise WorkerError(
            f"the worker that counted {part} died (killed, or out of memory); nothing was kept"
        ) from error
    counting.append(worker.read(place))
    watch()


def _cut(logs: Sequence[Log], jobs: int) -> list[Range]:
    """Parts that take that many jobs near equally long: ranges of plain files, the others whole."""
    sizes = [log.plain_bytes for log in logs]
    size = max(-(-(sum(sizes) - SMALLEST_PART) // jobs), SMALLEST_PART)
    firsts = [size + SMALLEST_PART, *[size] * (len(logs) - 1)]
    cuts = zip(logs, sizes, firsts, strict=True)
    return [part for log, plain, first in cuts for part in _cut_log(log, plain, first, size)]


def _cut_log(log: Log, plain: int, first: int, size: int) -> Iterator[Range]:
    if plain <= first:
        yield Range(log)
        return
    start = 0
    with log.opened() as stream:
        for target in range(first, plain, size):
            stream.seek(max(target - 1, start))
            _skip_line(stream)
            end = min(stream.tell(), plain)
            if end > start:
                yield Range(log, start, end - start)
            start = end
    if start < plain:
        yield Range(log, start, plain - start)


def _skip_line(stream: IO[bytes]) -> None:
    """Reads up to the next line feed, however far that is, with little held in memory."""
    while (piece := stream.readline(BLOCK_BYTES)) and not piece.endswith(b"\n"):
        pass


@contextmanager
def _workers(mapper: OperationMapper, counters: "Sequence[Array[c_ulonglong]]") -> Iterator[list[_Worker]]:
    """A worker for each pair of counters; whatever ends the block early ends them at once."""
    workers = [_Worker(mapper, own) for own in counters]
    try:
        yield workers
    except BaseException:
        for worker in workers:
            worker.kill()
        raise
    finally:
        for worker in workers:
            worker.close()


_mapper: OperationMapper
_counters: "Array[c_ulonglong]"
_handed_on: int
"""In a worker, which has them from its parent as they are: the mapper, the bytes read and events counted
so far, and the descriptor of the file through which it hands on."""


def _start_worker(mapper: OperationMapper, counters: "Array[c_ulonglong]", file: int, parent: int) -> None:
    # Ctrl-C reaches the whole process group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    global _mapper, _counters, _handed_on
    _mapper, _counters, _handed_on = mapper, counters, file


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent, however that ended."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)


def _report(read: int, events: int) -> None:
    _counters[0] += read
    _counters[1] += events


def _count_part(part: Range, *, sampled: bool, followed: bool) -> tuple[int, int]:
    counting = Counting(_mapper, file=part.log.name, sampled=sampled, handing_on=True)
    count_range(part, counting, _report)
    counted = pickle.dumps(counting.hand_on(followed=followed), pickle.HIGHEST_PROTOCOL)
    offset = os.lseek(_handed_on, 0, os.SEEK_END)
    with open(_handed_on, "wb", closefd=False) as file:
        file.write(counted)
    return offset, len(counted)
