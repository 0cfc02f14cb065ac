"""What the service does by itself, and when: sync, the fetching of costs, then audits, then retention."""

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from auditsvc.audits import AuditType
from auditsvc.config import Config
from auditsvc.core.window import Window
from auditsvc.errors import AuditsvcError
from auditsvc.service.audits import Audits
from auditsvc.service.costs import CostService
from auditsvc.service.jobs import Jobs
from auditsvc.service.retention import Retention
from auditsvc.service.sync import Sync
from auditsvc.store import Store
from auditsvc.store.jobs import JobState

log = logging.getLogger(__name__)

KIND = "schedule"
"""The kind of the jobs that are scheduled runs. The newest of them says when the next is due."""

LEASE = "schedule"
"""Who holds it makes the runs."""

LEASE_SECONDS = 60
"""A lease whose heartbeat is older is nobody's: a holder that was killed is replaced within that time."""

_DESCRIPTION = "Scheduled sync, audits and retention"

COST_DAYS = 3
"""How many whole days of costs are fetched anew each time: billing still changes them for 48 h."""


class PlannedRun(msgspec.Struct, frozen=True):
    """A run that is yet to come."""

    at: datetime
    description: str = _DESCRIPTION


class Schedule(msgspec.Struct, kw_only=True):
    """The scheduled runs: those to come, and how one is made. Which process makes it is for others to say.

    ``types`` are the audits that are run; none are all. ``since`` is when this process began to wait, which
    counts until a first run was made.
    """

    config: Config
    types: tuple[AuditType, ...]
    since: datetime
    clock: Callable[[], datetime]
    store: Store
    jobs: Jobs
    audits: Audits
    sync: Sync
    costs: CostService
    retention: Retention

    def trigger(self) -> Any:
        """APScheduler's trigger for the configured times; None where nothing is scheduled."""
        plan = self.config.schedule
        if plan is None:
            return None
        from apscheduler.triggers.cron import CronTrigger
        from apscheduler.triggers.interval import IntervalTrigger

        if plan.every is None:
            return CronTrigger.from_crontab(plan.cron, timezone=self.config.utc_offset)
        return IntervalTrigger(seconds=plan.every.total_seconds(), timezone=UTC)

    def due(self) -> datetime | None:
        """When the next run is due; a time that has passed means now. None where nothing is scheduled.

        However many runs were missed, they are one. Where none was ever made, an interval starts with one.
        """
        plan = self.config.schedule
        if plan is None:
            return None
        now, last = self.clock(), self.store.jobs.newest(KIND)
        if last is not None and last.created <= now:
            return _next(self.trigger(), last.created)
        self.since = min(self.since, now)  # the clock may have been set back, behind the last run too
        return _next(self.trigger(), self.since) if plan.cron else self.since

    def next_runs(self, count: int = 3) -> list[PlannedRun]:
        """The runs to come; none where nothing is scheduled."""
        due = self.due()
        if due is None:
            return []
        times = [max(due, self.clock())]
        while len(times) < count:
            times.append(_next(self.trigger(), times[-1]))
        return list(map(PlannedRun, times))

    def is_held(self) -> bool:
        """Whether a process that lives holds the lease, by the clocks of both."""
        lease = self.store.leases.get(LEASE)
        return lease is not None and abs(self.clock() - lease.heartbeat).total_seconds() <= LEASE_SECONDS

    def run(self, *, stopped: Callable[[], bool] = bool) -> None:
        """Makes a scheduled run in this thread, recorded as a job; ``stopped`` cuts it off.

        The one before it, if it did not end, was cut off with its process. Raises AuditsvcError with all that
        went wrong, when everything is done; CancelledError where it was cut off.
        """
        before = self.store.jobs.newest(KIND)
        if before is not None and before.finished is None:
            self.store.jobs.update(before.id, state=JobState.INTERRUPTED, finished=self.clock())
        troubles: list[str] = []
        with self.jobs.recorded(KIND, _DESCRIPTION) as job:
            works: list[Callable[[], list[str]]] = [
                partial(self._sync, stopped),
                self._fetch_costs,
                self._audit,
                self._retain,
            ]
            for done, work in enumerate(works, start=1):
                troubles += work()
                self.store.jobs.update(job.id, done=done, total=len(works))
            if troubles:
                raise AuditsvcError("; ".join(troubles))

    def _sync(self, stopped: Callable[[], bool]) -> list[str]:
        def progress(*_: object) -> None:
            if stopped():
                raise CancelledError

        synced = self.sync.run(progress=progress)
        for line in synced.skipped:
            log.warning("sync: skipped %s", line)
        return [f"sync: {line}" for line in synced.failed]

    def _fetch_costs(self) -> list[str]:
        """Fetches the newest whole days from OpenCost, if one is configured; a day that fails stops none."""
        troubles = []
        today = Window.day(self.clock())
        for age in range(COST_DAYS, 0, -1) if self.config.opencost_url else ():
            day = Window.day(today.start - timedelta(days=age))
            try:
                self.costs.fetch(day)
            except AuditsvcError as error:
                troubles.append(f"costs: {error}")
        return troubles

    def _audit(self) -> list[str]:
        try:
            job = self.jobs.wait(self.audits.submit(types=self.types, commit=True))
        except AuditsvcError as error:  # there is nothing to audit yet
            return [f"audits: {error}"]
        if job.state is JobState.INTERRUPTED:
            raise CancelledError
        return [f"audits: {job.error}"] if job.error else []

    def _retain(self) -> list[str]:
        self.retention.apply()
        return []


def _next(trigger: Any, after: datetime) -> datetime:
    """The next time of a trigger after a moment; there always is one."""
    moment: datetime = trigger.get_next_fire_time(after, after)
    return moment.astimezone(UTC)
