"""The store: one SQLite file in the data folder.

A module per noun holds its SQL; :mod:`~auditsvc.store.schema` is the schema and
:mod:`~auditsvc.store.views` what people may query. Documents are kept by the hash of their content. Each
write is one transaction, and is on the disk when it returns; reads wait for no write.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from auditsvc.errors import StoreError
from auditsvc.store.apps import AppRecord, AppRecords
from auditsvc.store.columns import json_text
from auditsvc.store.connections import Connections
from auditsvc.store.costs import CostDocument, CostDocuments, CostKind, CostOrigin, CostRecord
from auditsvc.store.coverage import CoverageOrigin, CoverageRecord, CoverageRecords, CoverageTable
from auditsvc.store.endpoints import EndpointRecords, EndpointUser
from auditsvc.store.figures import AuditFigures, Figures, RunFigures
from auditsvc.store.jobs import Job, JobRecords, JobState
from auditsvc.store.leases import Lease, Leases
from auditsvc.store.lists import ListKind, ListRecord, Lists
from auditsvc.store.live import LiveBatches
from auditsvc.store.policies import Policies
from auditsvc.store.processes import Process, alone, living
from auditsvc.store.results import StoredResult
from auditsvc.store.runs import RunRecords, RunSummary, UsedOperation
from auditsvc.store.sets import Ran, Sets
from auditsvc.store.swaggers import SwaggerRecord, Swaggers
from auditsvc.store.tokens import Role, Token, Tokens
from auditsvc.store.version import migrate

__all__ = [
    "AppRecord",
    "AppRecords",
    "AuditFigures",
    "CostDocument",
    "CostDocuments",
    "CostKind",
    "CostOrigin",
    "CostRecord",
    "CoverageOrigin",
    "CoverageRecord",
    "CoverageRecords",
    "CoverageTable",
    "EndpointRecords",
    "EndpointUser",
    "Figures",
    "Job",
    "JobRecords",
    "JobState",
    "Lease",
    "Leases",
    "ListKind",
    "ListRecord",
    "Lists",
    "LiveBatches",
    "Policies",
    "Ran",
    "Role",
    "RunFigures",
    "RunRecords",
    "RunSummary",
    "Sets",
    "Store",
    "StoredResult",
    "SwaggerRecord",
    "Swaggers",
    "Token",
    "Tokens",
    "UsedOperation",
]

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
        self.sets = Sets(self._connections)
        self.runs = RunRecords(self._connections)
        self.apps = AppRecords(self._connections)
        self.swaggers = Swaggers(self._connections)
        self.lists = Lists(self._connections)
        self.live = LiveBatches(self._connections)
        self.policies = Policies(self._connections)
        self.costs = CostDocuments(self._connections)
        self.coverage = CoverageRecords(self._connections)
        self.endpoints = EndpointRecords(self._connections)
        self.jobs = JobRecords(self._connections, process.name)
        self.leases = Leases(self._connections)
        self.tokens = Tokens(self._connections)
        self.figures = Figures(self._connections)

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
