"""Long work in the background, one piece after the other, with its progress in the store."""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime

from auditsvc.errors import AuditsvcError
from auditsvc.store import Job, JobState, Store

log = logging.getLogger(__name__)

INTERNAL_ERROR = "an internal error, which is a bug in auditsvc: the server's log has the traceback"

TOLD_EVERY_SECONDS = 1.0

Steps = Callable[[int, int], None]
"""Told how many steps of how many are done."""

Work = Callable[[Steps], None]


class Jobs:
    """The jobs of this process, and the record of all of them."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        # One thread: audits of the same window never run at the same time.
        self._worker = ThreadPoolExecutor(1, "auditsvc-job")
        self._running: dict[str, Future[None]] = {}

    def start(self, kind: str, description: str, work: Work) -> Job:
        """Queues work and returns its job at once."""
        job = self._store.jobs.create(kind, description, created=self._clock())
        future = self._worker.submit(self._run, job.id, work)
        self._running[job.id] = future
        future.add_done_callback(lambda ended: self._ended(job.id, cancelled=ended.cancelled()))
        return job

    @contextmanager
    def recorded(self, kind: str, description: str) -> Iterator[Job]:
        """Records work that the caller does itself: running from here on, done or failed at the end."""
        job = self._store.jobs.create(kind, description, created=self._clock())
        with self._recorded(job.id):
            yield job

    @contextmanager
    def tracked(self, kind: str, description: str) -> Iterator["Tracked"]:
        """Work that the caller does itself; what takes longer than a second is recorded as a job."""
        with ExitStack() as recorded:
            yield Tracked(self._store, lambda: recorded.enter_context(self.recorded(kind, description)).id)

    def wait(self, job: Job) -> Job:
        """The job as it is when its work has ended."""
        future = self._running.get(job.id)
        if future is not None:
            with suppress(CancelledError):
                future.exception()
        return self.get(job.id)

    def get(self, job_id: str) -> Job:
        """The job of that id. Raises NotFoundError."""
        return self._store.jobs.get(job_id)

    def find(self, *, limit: int, offset: int = 0, state: JobState | None = None) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are."""
        return self._store.jobs.find(state=state, limit=limit, offset=offset)

    def interrupt_unfinished(self) -> None:
        """Marks the jobs that a crashed process left behind; to be called before any is started."""
        self._store.jobs.interrupt_unfinished(self._clock())

    def close(self) -> None:
        """Waits for the work under way; what is still queued is marked as interrupted."""
        self._worker.shutdown(cancel_futures=True)

    def _ended(self, job_id: str, *, cancelled: bool) -> None:
        if cancelled:
            self._store.jobs.update(job_id, state=JobState.INTERRUPTED, finished=self._clock())
        self._running.pop(job_id, None)

    def _run(self, job_id: str, work: Work) -> None:
        def steps(done: int, total: int) -> None:
            self._store.jobs.update(job_id, done=done, total=total)

        with suppress(Exception), self._recorded(job_id):
            work(steps)

    @contextmanager
    def _recorded(self, job_id: str) -> Iterator[None]:
        """Records when the block starts and how it ends (CancelledError: cut off); what it raises goes on."""
        update = self._store.jobs.update
        update(job_id, state=JobState.RUNNING, started=self._clock())
        try:
            yield
        except AuditsvcError as error:
            update(job_id, state=JobState.FAILED, finished=self._clock(), error=str(error))
            raise
        except CancelledError:
            update(job_id, state=JobState.INTERRUPTED, finished=self._clock())
            raise
        except Exception:
            log.exception("job %s failed", job_id)
            update(job_id, state=JobState.FAILED, finished=self._clock(), error=INTERNAL_ERROR)
            raise
        update(job_id, state=JobState.DONE, finished=self._clock())


class Tracked:
    """Work whose caller tells how far it is."""

    def __init__(self, store: Store, record: Callable[[], str]) -> None:
        self._store = store
        self._record = record
        self._job_id: str | None = None
        self._done = 0
        self._told = time.monotonic()

    def progress(self, more: int, _events: int) -> None:
        """Tells of so many more steps; the record is kept up once a second, for each time is a commit."""
        self._done += more
        if time.monotonic() - self._told >= TOLD_EVERY_SECONDS:
            self._told = time.monotonic()
            self._job_id = self._job_id or self._record()
            self._store.jobs.update(self._job_id, done=self._done)

    def made(self, link: str) -> None:
        """Records what the work made: a run's id."""
        if self._job_id is not None:
            self._store.jobs.update(self._job_id, done=self._done, total=self._done, link=link)
