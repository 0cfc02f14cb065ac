"""What the program does, a module per noun; :func:`open_service` puts it together."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditsvc.config import Config

if TYPE_CHECKING:
    from auditsvc.service.audits import Audits
    from auditsvc.service.costs import CostService
    from auditsvc.service.documents import Documents
    from auditsvc.service.jobs import Jobs
    from auditsvc.service.runs import RunService
    from auditsvc.service.schedule import Schedule
    from auditsvc.service.sync import Sync
    from auditsvc.store import Store

SPOOL = "spool"


@dataclass(frozen=True, slots=True)
class Service:
    """All of the service over one data folder."""

    config: Config
    clock: Callable[[], datetime]
    audits: "Audits"
    runs: "RunService"
    documents: "Documents"
    costs: "CostService"
    sync: "Sync"
    schedule: "Schedule"
    jobs: "Jobs"
    store: "Store"

    @property
    def spool(self) -> Path:
        """The folder for uploads under way."""
        return self.config.data / SPOOL

    def recover(self) -> None:
        """Puts right what a killed process left behind; to be called when no other process works on it."""
        self.jobs.interrupt_unfinished()
        shutil.rmtree(self.spool, ignore_errors=True)

    def ready(self) -> None:
        """Raises StoreError where the store cannot be read."""
        self.store.runs.received()


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@contextmanager
def open_service(config: Config, *, clock: Callable[[], datetime] = utc_now) -> Iterator[Service]:
    """The service over the configuration's data folder; StoreError where that cannot be used."""
    # Imported here: a command that needs one module of the service does not import them all.
    from auditsvc.service.audits import Audits, choose_types
    from auditsvc.service.costs import CostService
    from auditsvc.service.documents import Documents
    from auditsvc.service.jobs import Jobs
    from auditsvc.service.notify import Notifier
    from auditsvc.service.retention import Retention
    from auditsvc.service.runs import RunService
    from auditsvc.service.schedule import Schedule
    from auditsvc.service.sync import Sync
    from auditsvc.store import Store

    store = Store.open(config.data)
    jobs, notifier = Jobs(store, clock), Notifier(config.notify)
    try:
        audits = Audits(store, config, jobs, clock, notifier.tell)
        runs = RunService(store, config, clock)
        sync = Sync(runs, config, clock, config.data / SPOOL)
        costs = CostService(store, config, clock)
        yield Service(
            config=config,
            clock=clock,
            audits=audits,
            runs=runs,
            documents=Documents(store, clock),
            costs=costs,
            sync=sync,
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
    finally:
        jobs.close()
        notifier.close()
        store.close()
