"""Values to store, each the plainest of its kind."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from sqlite_utils import Database

from auditsvc.core.endpoints import parse_endpoint_list
from auditsvc.core.results import AuditResult, FloatResult, MissingValue, render_result
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from auditsvc.store.results import StoredResult

NOW = datetime(2023, 1, 16, 20, 23, 8, 5, tzinfo=UTC)
DAY = Window.day(NOW)
UNKNOWN_RUN = r"unknown run: run-1 \(GET /runs lists them\)"
"""What is told of make_run's, where it was never stored."""


@contextmanager
def looking_into(store: Store) -> Iterator[Database]:
    """The store's file by a library that is good at looking into one."""
    with store._connections.reading() as db:
        yield Database(db, execute_plugins=False)


def make_run(run_id: str = "run-1", **changes: Any) -> Run:
    """A CI run that finished NOW."""
    return replace(Run(id=run_id, kind=RunKind.CI, started=NOW, finished=NOW), **changes)


def make_usage(*operations: str) -> Usage:
    """One request of each operation, answered 200."""
    used = {operation: OperationUsage(1, {"2xx": 1}, first=NOW, last=NOW) for operation in operations}
    return Usage(operations=used, requests=len(used), mapped=len(used), events=len(used))


def make_result(
    key: str = "swaggerTotal", window: Window = DAY, *, missing: Collection[str] = ()
) -> StoredResult:
    """A passed result, or a warning of what is missing."""
    values = tuple(MissingValue(name, f"{name} is missing", f"add {name}") for name in missing)
    return make_stored(AuditResult(NOW, ("Results",), checked=1, missing=values), key, window)


def make_failure(key: str = "swaggerTotal", window: Window = DAY) -> StoredResult:
    """A failed result with one finding."""
    found = FloatResult("Results", ("run-1", "eligible"), 3, 2, "one is untested", "write a test")
    return make_stored(AuditResult(NOW, ("Results",), checked=1, floats=(found,)), key, window)


def make_stored(result: AuditResult, key: str = "swaggerTotal", window: Window = DAY) -> StoredResult:
    """The result as the service stores it."""
    text = render_result(result)
    return StoredResult(window=window, key=key, result=result, text=text, inputs="i1", code="c1")


def make_document(*operations: str, version: str = "v1.34.0") -> bytes:
    """A swagger document of stable operations."""
    paths = {f"/api/v1/{name}": {"get": {"operationId": name, "description": name}} for name in operations}
    return json.dumps({"swagger": "2.0", "info": {"version": version}, "paths": paths}).encode()


def keep_swagger(store: Store, *operations: str) -> str:
    """Keeps a document of those operations and returns its hash."""
    document = make_document(*operations)
    return store.swaggers.keep(document, parse_swagger(document), recorded=NOW)


def keep_list(store: Store, *endpoints: str) -> str:
    """Keeps a list of those endpoints and returns its hash."""
    text = json.dumps(endpoints).encode()
    return store.lists.keep(text, parse_endpoint_list(text), recorded=NOW)


def hold_swagger(store: Store, version: str, day: str, *operations: str) -> str:
    """Uploads a swagger that holds from a day on and returns its hash."""
    digest = keep_swagger(store, *operations)
    store.swaggers.hold(version, digest, holds_from=on(day), recorded=NOW)
    return digest


def hold_list(store: Store, kind: ListKind, day: str, *endpoints: str) -> str:
    """Uploads a list that holds from a day on and returns its hash."""
    digest = keep_list(store, *endpoints)
    store.lists.hold(kind, digest, holds_from=on(day), recorded=NOW)
    return digest


def on(day: str) -> datetime:
    """Midnight, UTC."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


class Undo(Exception):  # noqa: N818 - no error
    """Ends a transaction that is not meant to last."""


@contextmanager
def undone(store: Store) -> Iterator[None]:
    """A transaction that is taken back, so that an example leaves the store as it was."""
    with suppress(Undo), store.transaction():
        yield
        raise Undo
