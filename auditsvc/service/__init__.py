"""What the program does, a module per noun; :func:`open_service` puts it together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditsvc.config import Config

if TYPE_CHECKING:
    from auditsvc.service.access import Access
    from auditsvc.service.apps import AppService
    from auditsvc.service.audits import Audits
    from auditsvc.service.breakdown import Breakdowns
    from auditsvc.service.costs import CostService
    from auditsvc.service.coverage import Coverage
    from auditsvc.service.documents import Documents
    from auditsvc.service.endpoints import Endpoints
    from auditsvc.service.jobs import Jobs
    from auditsvc.service.live import LiveRuns
    from auditsvc.service.notify import Notifier
    from auditsvc.service.replays import Replays
    from auditsvc.service.reports import Reports
    from auditsvc.service.runs import RunService
    from auditsvc.service.schedule import Schedule
    from auditsvc.service.sync import Sync
    from auditsvc.store import Store


class Service(msgspec.Struct, frozen=True):
    """All of the service over one data folder."""

    config: Config
    clock: Callable[[], datetime]
    audits: "Audits"
    replays: "Replays"
    reports: "Reports"
    runs: "RunService"
    apps: "AppService"
    documents: "Documents"
    costs: "CostService"
    coverage: "Coverage"
    breakdowns: "Breakdowns"
    endpoints: "Endpoints"
    live: "LiveRuns"
    sync: "Sync"
    access: "Access"
    schedule: "Schedule"
    jobs: "Jobs"
    store: "Store"

    @property
    def spool(self) -> Path:
        """This process's folder for uploads under way."""
        return self.store.process.folder

    def recover(self) -> None:
        """Puts right what a killed process left behind; what others are at is left alone."""
        self.jobs.interrupt_unfinished()


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@contextmanager
def open_service(config: Config, *, clock: Callable[[], datetime] = utc_now) -> Iterator[Service]:
    """The service over the configuration's data folder; StoreError where that cannot be used."""
    # Imported here, as below: a command that needs one module of the service does not import them all.
    from auditsvc.service.jobs import Jobs
    from auditsvc.service.notify import Notifier
    from auditsvc.store import Store

    store = Store.open(config.data)
    jobs, notifier = Jobs(store, clock), Notifier(config.notify)
    try:
        yield _put_together(config, clock, store, jobs, notifier)
    finally:
        jobs.close()
        notifier.close()
        store.close()


def _put_together(
    config: Config, clock: Callable[[], datetime], store: "Store", jobs: "Jobs", notifier: "Notifier"
) -> Service:
    from auditsvc.service.access import Access
    from auditsvc.service.apps import AppService
    from auditsvc.service.audits import Audits, choose_types
    from auditsvc.service.breakdown import Breakdowns
    from auditsvc.service.costs import CostService
    from auditsvc.service.coverage import Coverage
    from auditsvc.service.documents import Documents
    from auditsvc.service.endpoints import Endpoints
    from auditsvc.service.live import LiveRuns
    from auditsvc.service.replays import Replays
    from auditsvc.service.reports import Reports
    from auditsvc.service.retention import Retention
    from auditsvc.service.runs import RunService
    from auditsvc.service.schedule import Schedule
    from auditsvc.service.sync import Sync

    audits = Audits(store, config, jobs, clock, notifier.tell)
    runs = RunService(store, config, clock)
    sync = Sync(runs, config, clock, store.process.folder)
    costs = CostService(store, config, clock)
    coverage = Coverage(store, clock)
    return Service(
        config=config,
        clock=clock,
        audits=audits,
        replays=Replays(store),
        reports=Reports(store, config, audits),
        runs=runs,
        apps=AppService(store, clock),
        documents=Documents(store, clock),
        costs=costs,
        coverage=coverage,
        breakdowns=Breakdowns(store, coverage),
        endpoints=Endpoints(store, coverage),
        live=LiveRuns(store, runs, clock),
        sync=sync,
        access=Access(store, config, clock),
        schedule=Schedule(
            config=config,
            types=choose_types(config.schedule.audits if config.schedule else (), key="schedule.audits"),
            since=clock(),
            clock=clock,
            store=store,
            jobs=jobs,
            audits=audits,
            sync=sync,
            costs=costs,
            retention=Retention(store, config, clock),
        ),
        jobs=jobs,
        store=store,
    )
