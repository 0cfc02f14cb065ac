"""Parts of logs counted in worker processes, and put together in order.

One core may be slower than another, and nobody knows beforehand: this process, which has less to count at
first, then takes over what the workers are last with.
"""

import math
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from ctypes import Array, Structure, c_longlong, c_ulonglong
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile, gettempdir
from threading import Thread
from typing import IO, Any, Self

from msgspec.structs import replace

from auditsvc.core.counting import Counting, Head, Part
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import Swagger
from auditsvc.errors import WorkerError
from auditsvc.ingest.logs import BLOCK_BYTES, TOO_LONG, Log, Range, blocks_between, no_event
from auditsvc.ingest.progress import Progress, count_range

SMALLEST_PART = 24 << 20
"""What a worker counts in the time that it takes to have one and to hand on: less is not worth one."""

FIRST_SHARE = 1 / 2
"""How much of what a worker counts this process does at first; of the rest it takes over what it can."""

TAKEN_SHARE = 2 / 5
"""How much of what a worker has left this process takes over. Less than half, for if this process is the
slower one the worker waits for it; the other way it takes some more."""

HANDING_ON = 8 << 20
"""So much is counted in the time in which a worker hands on: it is reckoned to what the worker has left, for
this process has nothing to hand on."""

SMALLEST_TAIL = 1 << 20
"""So much is worth being taken over from a worker: no process has to be started for it."""

POLL_SECONDS = 0.1
ANSWER_SECONDS = 0.001

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
    shared = _FORK.RawArray(_Shared, [_Shared.of(part) for part in parts])
    with ExitStack() as opened, _workers(mapper, watch.counters, shared) as workers:
        given = {
            at: workers[at % jobs - 1].give(at, part, sampled=sampled, followed=at + 1 < len(parts))
            for at, part in enumerate(parts)
            if at % jobs and part.log.path is not None
        }
        # Once: whoever rotates a log puts another one in its place.
        streams = {at: opened.enter_context(parts[at].log.opened()) for at in given if parts[at].length}
        for at, part in enumerate(parts):
            if at in given:
                one = given.pop(at)
                tails = [
                    _count_tail(tail, streams[at], counting.ahead(tail.log.name), watch)
                    for tail in _take_over(one, shared[at], streams.get(at), watch)
                ]
                counting.append(one.result())
                for counted in reversed(tails):
                    counting.append(counted)
                watch()
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


class _Shared(Structure):
    """How a part of a file is shared: byte positions in the file, each of them written by one process alone.

    ``counted`` is up to where its worker has counted, ``end`` up to where it will. ``wanted`` is from where
    on this process would do it, and is answered by a new ``end``: by that one, or by a later one that the
    worker has reached meanwhile.
    """

    _fields_ = (("counted", c_longlong), ("wanted", c_longlong), ("end", c_longlong))

    @classmethod
    def of(cls, part: Range) -> Self:
        """Of a part that nobody has begun with."""
        end = part.start + (part.length or 0)
        return cls(part.start, end, end)


class _Worker:
    """A process that counts parts, alone in its executor, so that the part that a dead one was at is known.

    It hands on through a file: a process that is killed while it writes to a pipe leaves the reader waiting.
    """

    def __init__(
        self, mapper: OperationMapper, counters: "Array[c_ulonglong]", shared: "Array[_Shared]"
    ) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - close() closes it
        initial = mapper, counters, shared, self._file.fileno(), os.getpid()
        self._executor = ProcessPoolExecutor(1, _FORK, _start_worker, initial)

    def give(self, number: int, part: Range, *, sampled: bool, followed: bool) -> "_Given":
        """Has the part of that number counted, after those that were given before."""
        counted = self._executor.submit(_count_part, number, part, sampled=sampled, followed=followed)
        return _Given(part, self, counted, self._executor.submit(_hand_on_later_heads))

    def read(self, place: int) -> Any:
        """What was handed on at that place of the file."""
        # Not by the file's own position, which is the worker's too.
        with mmap(self._file.fileno(), 0, access=ACCESS_READ) as file, memoryview(file)[place:] as rest:
            return pickle.loads(rest)  # noqa: S301 - our own worker's

    def kill(self) -> None:
        """Ends the process at once."""
        for process in list(self._executor._processes.values()):  # from 3.14 on: kill_workers()
            process.kill()

    def close(self) -> None:
        """Ends the process when it has done what it is at."""
        self._executor.shutdown(cancel_futures=True)
        self._file.close()


class _Given:
    """A part that was given to a worker; its result, and its later heads, stand in the worker's file."""

    def __init__(self, part: Range, worker: _Worker, counted: Future[int], later: Future[int]) -> None:
        self.part = part
        self.counted = counted
        """Done when the part is; the place of the result."""
        self._worker = worker
        self._later = later

    def result(self) -> Part:
        """The counted part; WorkerError where the worker died, or could not hand it on."""
        result: Part = self._read(self.counted)
        return replace(result, later_heads=self)

    def __iter__(self) -> Iterator[Head]:
        """The later heads, read when they are asked for: where logs overlap, or one's time jumps back."""
        return iter(self._read(self._later))

    def _read(self, place: Future[int]) -> Any:
        try:
            return self._worker.read(place.result())
        except BrokenProcessPool as error:
            raise WorkerError(
                f"the worker that counted {self.part} died (killed, or out of memory); nothing was kept"
            ) from error
        except OSError as error:
            raise WorkerError(
                f"the worker that counted {self.part} cannot hand it on by a file in {gettempdir()}: "
                f"{error.strerror} (TMPDIR names another folder); nothing was kept"
            ) from error


def _take_over(given: _Given, shared: _Shared, stream: IO[bytes] | None, watch: _Watch) -> Iterator[Range]:
    """Waits for the worker that counts a part; meanwhile what it leaves of the part's end, the last first."""
    future = given.counted
    while not future.done():
        end = shared.end
        wanted = None if stream is None else _start_of_tail(stream, shared)
        if wanted is None:
            wait([future], timeout=POLL_SECONDS)
        else:
            shared.wanted = wanted
            while shared.end == end and not future.done():
                time.sleep(ANSWER_SECONDS)
                watch()
            if shared.end < end:
                yield Range(given.part.log, shared.end, end - shared.end)
        watch()


def _start_of_tail(stream: IO[bytes], shared: _Shared) -> int | None:
    """Where the share begins that is taken over of what is not counted yet; None where it is too little."""
    left = shared.end - shared.counted
    size = min(int((left + HANDING_ON) * TAKEN_SHARE), left)
    if size < SMALLEST_TAIL:
        return None
    start = _line_start(stream, shared.end - size)
    return start if start < shared.end else None


def _count_tail(tail: Range, stream: IO[bytes], counting: Counting, watch: _Watch) -> Part:
    end = tail.start + (tail.length or 0)
    count_range(tail, counting, watch, blocks=blocks_between(stream, tail.start, end))
    return counting.hand_on()


def _cut(logs: Sequence[Log], jobs: int) -> list[Range]:
    """Parts that take that many jobs near equally long: ranges of plain files, the others whole."""
    sizes = [log.plain_bytes for log in logs]
    size, first = _part_sizes(sum(sizes), jobs)
    firsts = [first, *[size] * (len(logs) - 1)]
    cuts = zip(logs, sizes, firsts, strict=True)
    return [part for log, plain, first in cuts for part in _cut_log(log, plain, first, size)]


def _part_sizes(total: int, jobs: int) -> tuple[int, int]:
    """How large the part of each worker is, and the first one, which this process counts."""
    size = max(math.ceil(total / (jobs - 1 + FIRST_SHARE)), SMALLEST_PART)
    return size, math.ceil(size * FIRST_SHARE)


def _cut_log(log: Log, plain: int, first: int, size: int) -> Iterator[Range]:
    if plain < first + SMALLEST_PART:
        yield Range(log)
        return
    start = 0
    with log.opened() as stream:
        for target in range(first, plain, size):
            end = min(_line_start(stream, max(target, start + 1)), plain)
            if end > start:
                yield Range(log, start, end - start)
            start = end
    if start < plain:
        yield Range(log, start, plain - start)


def _line_start(stream: IO[bytes], at: int) -> int:
    """The first place from `at` on where a line starts, however far that is, with little held in memory."""
    if at == 0:
        return 0
    stream.seek(at - 1)
    while (piece := stream.readline(BLOCK_BYTES)) and not piece.endswith(b"\n"):
        pass
    return stream.tell()


@contextmanager
def _workers(
    mapper: OperationMapper, counters: "Sequence[Array[c_ulonglong]]", shared: "Array[_Shared]"
) -> Iterator[list[_Worker]]:
    """A worker for each pair of counters; whatever ends the block early ends them at once."""
    workers = [_Worker(mapper, own, shared) for own in counters]
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
_parts: "Array[_Shared]"
_handed_on: int
"""In a worker, which has them from its parent as they are: the mapper, the bytes read and events counted
so far, how each part is shared, and the descriptor of the file through which it hands on."""
_counted: list[tuple[Counting, Part]] = []
"""In a worker, what it counted last, until it begins with the next: to give it all back takes time."""


def _start_worker(
    mapper: OperationMapper, counters: "Array[c_ulonglong]", parts: "Array[_Shared]", file: int, parent: int
) -> None:
    # Ctrl-C reaches the whole process group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    global _mapper, _counters, _parts, _handed_on
    _mapper, _counters, _parts, _handed_on = mapper, counters, parts, file


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent, however that ended."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)


def _report(read: int, events: int) -> None:
    _counters[0] += read
    _counters[1] += events


def _kept_blocks(part: Range, shared: _Shared) -> Iterator[bytes]:
    """The blocks of a part, or those up to where the parent takes over."""
    if part.length is None:
        yield from part.blocks()
        return
    with part.log.opened() as stream:
        while shared.counted < shared.end:
            blocks = blocks_between(stream, shared.counted, shared.end)
            for block in blocks:
                yield block
                if block is TOO_LONG:
                    shared.counted = shared.end  # in truth nobody knows, so that nothing can be taken over
                    yield from blocks
                    return
                shared.counted += len(block)
                if shared.wanted < shared.end:
                    shared.end = max(shared.wanted, shared.counted)
                    break
            else:
                return  # as much as there was: the file was cut meanwhile


def _count_part(number: int, part: Range, *, sampled: bool, followed: bool) -> int:
    _counted.clear()
    counting = Counting(_mapper, file=part.log.name, sampled=sampled, handing_on=True)
    shared = _parts[number]
    count_range(part, counting, _report, blocks=_kept_blocks(part, shared))
    counted = counting.hand_on(followed=followed or shared.end < _Shared.of(part).end)
    _counted.append((counting, counted))
    return _hand_on(replace(counted, later_heads=()))


def _hand_on_later_heads() -> int:
    """Hands on those of the part that was counted last, while its result is being read."""
    [(_, counted)] = _counted
    return _hand_on(counted.later_heads)


def _hand_on(result: object) -> int:
    with open(_handed_on, "wb", closefd=False) as file:
        place = file.seek(0, os.SEEK_END)
        pickle.dump(result, file, pickle.HIGHEST_PROTOCOL)
    return place
