"""Long work in the background, one piece after the other, with its progress in the store."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from typing import Unpack

from auditsvc.errors import AuditsvcError, StoreError
from auditsvc.service.log_fields import log_fields, logged_with
from auditsvc.store import Store
from auditsvc.store.jobs import Job, JobChanges, JobState

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
        self._untold: dict[str, JobChanges] = {}

    def start(self, kind: str, description: str, work: Work) -> Job:
        """Queues work and returns its job at once."""
        job = self._store.jobs.create(kind, description, created=self._clock())
        future = self._worker.submit(self._run, job.id, work, log_fields())
        self._running[job.id] = future
        future.add_done_callback(lambda ended: self._ended(job.id, cancelled=ended.cancelled()))
        return job

    @contextmanager
    def recorded(self, kind: str, description: str) -> Iterator[Job]:
        """Records work that the caller does itself: running from here on, done or failed at the end."""
        job = self._store.jobs.create(kind, description, created=self._clock())
        with logged_with(job=job.id), self._recorded(job.id):
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
        self._catch_up()
        return self._store.jobs.get(job_id)

    def find(self, *, limit: int, offset: int = 0, state: JobState | None = None) -> tuple[list[Job], int]:
        """Jobs, newest first, and how many there are."""
        self._catch_up()
        return self._store.jobs.find(state=state, limit=limit, offset=offset)

    def interrupt_unfinished(self) -> None:
        """Marks the jobs that a killed process left behind; those of processes that live are left alone."""
        self._store.interrupt_lost_jobs(now=self._clock())

    def close(self) -> None:
        """Waits for the work under way; what is still queued is marked as interrupted."""
        self._worker.shutdown(cancel_futures=True)
        self._catch_up()

    def _ended(self, job_id: str, *, cancelled: bool) -> None:
        if cancelled:
            self._end(job_id, state=JobState.INTERRUPTED)
        self._running.pop(job_id, None)

    def _run(self, job_id: str, work: Work, asked_by: Mapping[str, str]) -> None:
        def steps(done: int, total: int) -> None:
            self._store.jobs.update(job_id, done=done, total=total)

        with logged_with(**{**asked_by, "job": job_id}), suppress(Exception), self._recorded(job_id):
            work(steps)

    @contextmanager
    def _recorded(self, job_id: str) -> Iterator[None]:
        """Records when the block starts and how it ends (CancelledError: cut off); what it raises goes on."""
        try:
            job = self._store.jobs.update(job_id, state=JobState.RUNNING, started=self._clock())
            log.info("job started", extra={"kind": job.kind, "description": job.description})
            yield
        except AuditsvcError as error:
            self._end(job_id, state=JobState.FAILED, error=str(error))
            raise
        except CancelledError:
            self._end(job_id, state=JobState.INTERRUPTED)
            raise
        except Exception:
            log.exception("job %s failed", job_id)
            self._end(job_id, state=JobState.FAILED, error=INTERNAL_ERROR)
            raise
        self._end(job_id, state=JobState.DONE)

    def _end(self, job_id: str, **how: Unpack[JobChanges]) -> None:
        """Records the end. What the store cannot take now, for its disk is full, it is told later."""
        log.info("job ended", extra={**how})
        self._untold[job_id] = {**how, "finished": self._clock()}
        self._catch_up()

    def _catch_up(self) -> None:
        for job_id, changes in list(self._untold.items()):
            try:
                self._store.jobs.update(job_id, **changes)
            except StoreError as error:
                log.warning("the end of job %s is not recorded yet: %s", job_id, error)
                return
            self._untold.pop(job_id, None)


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
