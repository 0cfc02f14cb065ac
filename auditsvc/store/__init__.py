"""The store: one SQLite file in the data folder.

A module per noun holds its SQL; :mod:`~auditsvc.store.schema` is the schema and
:mod:`~auditsvc.store.views` what people may query. Documents are kept by the hash of their content. Each
write is one transaction, and is on the disk when it returns; reads wait for no write.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from auditsvc.errors import StoreError
from auditsvc.store.columns import json_text
from auditsvc.store.connections import Connections
from auditsvc.store.processes import Process, alone, living
from auditsvc.store.version import migrate

if TYPE_CHECKING:
    from auditsvc.store.apps import AppRecords
    from auditsvc.store.costs import CostDocuments
    from auditsvc.store.coverage import CoverageRecords
    from auditsvc.store.endpoints import EndpointRecords
    from auditsvc.store.figures import Figures
    from auditsvc.store.jobs import JobRecords
    from auditsvc.store.leases import Leases
    from auditsvc.store.lists import Lists
    from auditsvc.store.live import LiveBatches
    from auditsvc.store.policies import Policies
    from auditsvc.store.run_results import RunResults
    from auditsvc.store.runs import RunRecords
    from auditsvc.store.sets import Sets
    from auditsvc.store.swaggers import Swaggers
    from auditsvc.store.tokens import Tokens

FILE_NAME = "auditsvc.db"


class Store:
    """The data folder's database, for all threads of a process; each has a connection of its own.

    To be opened after a fork, not before one.
    """

    def __init__(self, path: Path, process: Process) -> None:
        """Use :meth:`open`; this takes a file that is up to date."""
        self.path = path
        self.process = process
        self._connections = Connections(path)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens the store in that folder; creates both and migrates the file where there is need.

        Raises StoreError where the folder or the file cannot be used; the file is then as it was.
        """
        path = folder / FILE_NAME
        try:
            # For its owner's eyes: audit logs name users and addresses.
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_access(folder, os.R_OK | os.W_OK | os.X_OK)
            if path.exists():
                _require_access(path, os.R_OK | os.W_OK)
            migrate(path)
            return cls(path, Process.enter(folder))
        except OSError as error:
            raise StoreError(f"the data folder {folder} cannot be used: {error.strerror}") from error

    def interrupt_lost_jobs(self, *, now: datetime) -> int:
        """Marks unfinished jobs whose process is gone as interrupted, and returns how many these were."""
        folder = self.path.parent
        with alone(folder):  # whoever made a job has entered, and so is among the living if it does live
            return self.jobs.interrupt_unfinished(now, living=living(folder))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes all writes of this thread within it one: they happen together or not at all.

        It may stand within another one. Other writers wait meanwhile, so nothing slow belongs in it.
        """
        with self._connections.transaction():
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Makes all reads of this thread within it see one moment."""
        with self._connections.reading():
            yield

    def documents(self, hashes: Collection[str]) -> frozenset[str]:
        """Those of the hashes that are a stored swagger's or list's."""
        with self._connections.reading() as db:
            kept = db.execute(
                """
                select value from json_each(?)
                where value in (select hash from swaggers) or value in (select hash from lists)
                """,
                (json_text(sorted(hashes)),),
            ).fetchall()
        return frozenset(digest for (digest,) in kept)

    def check(self, *, patience: float) -> None:
        """Raises StoreError where the file cannot be read and written now; waits so many seconds for writers.

        By a connection of its own: those that are open do not notice that the file was removed.
        """
        self._connections.check(patience)

    @cached_property
    def sets(self) -> "Sets":
        """The AuditSets."""
        from auditsvc.store.sets import Sets

        return Sets(self._connections)

    @cached_property
    def runs(self) -> "RunRecords":
        """The runs and what they used."""
        from auditsvc.store.runs import RunRecords

        return RunRecords(self._connections)

    @cached_property
    def run_results(self) -> "RunResults":
        """The results of single runs."""
        from auditsvc.store.run_results import RunResults

        return RunResults(self._connections)

    @cached_property
    def apps(self) -> "AppRecords":
        """What applications used."""
        from auditsvc.store.apps import AppRecords

        return AppRecords(self._connections)

    @cached_property
    def swaggers(self) -> "Swaggers":
        """The swagger documents."""
        from auditsvc.store.swaggers import Swaggers

        return Swaggers(self._connections)

    @cached_property
    def lists(self) -> "Lists":
        """The pending and the ineligible list."""
        from auditsvc.store.lists import Lists

        return Lists(self._connections)

    @cached_property
    def live(self) -> "LiveBatches":
        """The events of live runs."""
        from auditsvc.store.live import LiveBatches

        return LiveBatches(self._connections)

    @cached_property
    def policies(self) -> "Policies":
        """The audit policies."""
        from auditsvc.store.policies import Policies

        return Policies(self._connections)

    @cached_property
    def costs(self) -> "CostDocuments":
        """The cost data."""
        from auditsvc.store.costs import CostDocuments

        return CostDocuments(self._connections)

    @cached_property
    def coverage(self) -> "CoverageRecords":
        """What is known of the coverage of releases."""
        from auditsvc.store.coverage import CoverageRecords

        return CoverageRecords(self._connections)

    @cached_property
    def endpoints(self) -> "EndpointRecords":
        """Who hit the endpoints."""
        from auditsvc.store.endpoints import EndpointRecords

        return EndpointRecords(self._connections)

    @cached_property
    def jobs(self) -> "JobRecords":
        """The jobs."""
        from auditsvc.store.jobs import JobRecords

        return JobRecords(self._connections, self.process.name)

    @cached_property
    def leases(self) -> "Leases":
        """What one process at a time does."""
        from auditsvc.store.leases import Leases

        return Leases(self._connections)

    @cached_property
    def tokens(self) -> "Tokens":
        """The access tokens."""
        from auditsvc.store.tokens import Tokens

        return Tokens(self._connections)

    @cached_property
    def figures(self) -> "Figures":
        """What is told as metrics."""
        from auditsvc.store.figures import Figures

        return Figures(self._connections)

    def close(self) -> None:
        """Closes the connections of all threads; none may be at work in the store any more."""
        self._connections.close()
        self.process.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _require_access(place: Path, mode: int) -> None:
    if not os.access(place, mode):
        raise StoreError(f"{place} cannot be written: give this user access, or name another data folder")
