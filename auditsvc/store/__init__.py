"""The store: one SQLite file in the data folder.

A module per noun holds its SQL; :mod:`~auditsvc.store.migrations` is the schema and
:mod:`~auditsvc.store.views` what people may query. Documents are kept by the hash of their content. Each
write is one transaction, and is on the disk when it returns; reads wait for no write.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from auditsvc.errors import StoreError
from auditsvc.store.connections import Connections
from auditsvc.store.costs import CostDocument, CostDocuments, CostKind, CostOrigin, CostRecord
from auditsvc.store.jobs import Job, JobRecords, JobState
from auditsvc.store.leases import Lease, Leases
from auditsvc.store.lists import ListKind, ListRecord, Lists
from auditsvc.store.migrations import migrate
from auditsvc.store.results import StoredResult
from auditsvc.store.runs import RunRecords, RunSummary, UsedOperation
from auditsvc.store.sets import Sets
from auditsvc.store.swaggers import SwaggerRecord, Swaggers

__all__ = [
    "CostDocument",
    "CostDocuments",
    "CostKind",
    "CostOrigin",
    "CostRecord",
    "Job",
    "JobRecords",
    "JobState",
    "Lease",
    "Leases",
    "ListKind",
    "ListRecord",
    "Lists",
    "RunRecords",
    "RunSummary",
    "Sets",
    "Store",
    "StoredResult",
    "SwaggerRecord",
    "Swaggers",
    "UsedOperation",
]

FILE_NAME = "auditsvc.db"


class Store:
    """The data folder's database, for all threads of a process; each has a connection of its own.

    To be opened after a fork, not before one.
    """

    def __init__(self, path: Path) -> None:
        """Use :meth:`open`; this takes a file that is up to date."""
        self.path = path
        self._connections = Connections(path)
        self.sets = Sets(self._connections)
        self.runs = RunRecords(self._connections)
        self.swaggers = Swaggers(self._connections)
        self.lists = Lists(self._connections)
        self.costs = CostDocuments(self._connections)
        self.jobs = JobRecords(self._connections)
        self.leases = Leases(self._connections)

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
        except OSError as error:
            raise StoreError(f"the data folder {folder} cannot be used: {error.strerror}") from error
        return cls(path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Makes all writes of this thread within it one: they happen together or not at all.

        It may stand within another one. Other writers wait meanwhile, so nothing slow belongs in it.
        """
        with self._connections.transaction():
            yield

    def close(self) -> None:
        """Closes the connections of all threads; none may be at work in the store any more."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _require_access(place: Path, mode: int) -> None:
    if not os.access(place, mode):
        raise StoreError(f"{place} cannot be written: give this user access, or name another data folder")
