"""Makes the scheduled runs, in one process however many there are.

Every process that serves starts a scheduler; the one that holds a lease in the store makes the runs. It
renews the lease with a beat every ten seconds, and the others count the silence by clocks that do not jump: a
holder that is killed is replaced within a minute. What is due is read from the store before each run, so a
run is made once whoever holds the lease, and runs that were missed are made up for by one.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from auditsvc.errors import AuditsvcError
from auditsvc.service import Service
from auditsvc.service.schedule import LEASE
from auditsvc.store.leases import Lease

log = logging.getLogger(__name__)

BEAT_SECONDS = 10.0

_LOST_AFTER_BEATS = 3
_JOB = "scheduled run"


@contextmanager
def start_scheduler(service: Service, *, beat_seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Makes the configured runs in the background until the context ends, which cuts off one under way."""
    if service.config.schedule is None:
        yield
        return
    scheduler = _Scheduler(service, beat_seconds)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.stop()


class _Claim:
    """This process's hold on the lease, or its wait for it."""

    def __init__(self, service: Service, patience: float) -> None:
        self._service = service
        self._patience = patience
        self._holder = service.store.process.name
        self._lock = threading.Lock()
        self._seen: Lease | None = None
        self._since = time.monotonic()

    def hold(self) -> bool:
        """Renews the lease, or takes one that is free or whose holder has been silent; whether it is ours."""
        leases, now = self._service.store.leases, self._service.clock()
        with self._lock:
            silent = time.monotonic() - self._since >= self._patience
            if leases.claim(LEASE, self._holder, now=now, over=self._seen if silent else None):
                return True
            lease = leases.get(LEASE)
            if lease != self._seen:
                self._seen, self._since = lease, time.monotonic()
            return False

    def release(self) -> None:
        """Lets the next process have it at once."""
        self._service.store.leases.release(LEASE, self._holder)


class _Scheduler:
    """APScheduler with one job, and the beats.

    The beats have a thread of their own: APScheduler waits by the wall clock, and stands still where that is
    set back.
    """

    def __init__(self, service: Service, beat_seconds: float) -> None:
        from apscheduler.schedulers.background import BackgroundScheduler

        self._service = service
        self._beat_seconds = beat_seconds
        self._claim = _Claim(service, beat_seconds * _LOST_AFTER_BEATS)
        self._stopping = threading.Event()
        self._beats = threading.Thread(target=self._beat_on, name="auditsvc-beats", daemon=True)
        # In memory: what is due is in our store, where it is one truth for all processes.
        self._apscheduler: Any = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Starts the threads."""
        self._apscheduler.add_job(
            self._run,
            self._service.schedule.trigger(),
            id=_JOB,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._apscheduler.start()
        self._beats.start()

    def stop(self) -> None:
        """Cuts a run off, waits for its end, and gives the lease back."""
        self._stopping.set()
        self._beats.join()
        self._apscheduler.shutdown()
        try:
            self._claim.release()
        except AuditsvcError as error:
            log.warning("schedule: the lease was not given back: %s", error)

    def _beat_on(self) -> None:
        while True:
            try:
                self._beat()
            except AuditsvcError as error:
                log.warning("schedule: %s", error)
            except Exception:  # a thread that dies takes the schedule with it, and nobody sees it
                log.exception("schedule: a beat failed")
            if self._stopping.wait(self._beat_seconds):
                return

    def _beat(self) -> None:
        """Keeps the lease, and APScheduler's next time at what the store says is due."""
        if not self._claim.hold():
            return
        job, due = self._apscheduler.get_job(_JOB), self._service.schedule.due()
        if job.next_run_time != due:
            job.modify(next_run_time=due)
        self._apscheduler.wakeup()  # it may be asleep for as long as the clock has jumped

    def _run(self) -> None:
        """One scheduled run, if it is ours to make and nobody has made it."""
        schedule = self._service.schedule
        try:
            # In this order: whoever held the lease before us may have made the run.
            if self._claim.hold() and (due := schedule.due()) and due <= self._service.clock():
                schedule.run(stopped=self._stopping.is_set)
        except AuditsvcError as error:
            log.warning("schedule: %s", error)
        except CancelledError:
            log.info("schedule: the run was cut off, for the server ends")
