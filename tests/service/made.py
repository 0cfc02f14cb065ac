"""A small API, logs of requests to it, and a service over a real store, for tests of what needs no more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from auditsvc.audits import AuditType, find_audit_type
from auditsvc.config import Config
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.window import Window
from auditsvc.ingest import Log
from auditsvc.service import Service, open_service
from auditsvc.service.runs import RunUpload
from auditsvc.store.lists import ListKind
from tests.logs import NOON, event, stream_of

DAY = Window.day(NOON)

API = {
    "listPod": ("get", "/api/v1/pods"),
    "createPod": ("post", "/api/v1/pods"),
    "readPod": ("get", "/api/v1/pods/{name}"),
    "deletePod": ("delete", "/api/v1/pods/{name}"),
    "listJob": ("get", "/apis/batch/v1/jobs"),
    "listCron": ("get", "/apis/batch/v1beta1/cronjobs"),
}
VERBS = {"get": "get", "post": "create", "delete": "delete"}

EQUALITY = find_audit_type("operationEquality")
PENDING = find_audit_type("pendingReconciliation")
INELIGIBLE = find_audit_type("ineligibleConsistency")
TOTAL = find_audit_type("swaggerTotal")
DEPRECATED = find_audit_type("deprecatedUse")
INTEGRITY = find_audit_type("logIntegrity")
COSTS = find_audit_type("allocationTotal")
CONFORMANCE: tuple[AuditType, ...] = (DEPRECATED, INELIGIBLE, INTEGRITY, EQUALITY, PENDING, TOTAL)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON + timedelta(days=1)

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@contextmanager
def service_at(folder: Path, **configured: Any) -> Iterator[Service]:
    """The service over a store in that folder, with a clock that stands still."""
    with open_service(Config(data=folder, **configured), clock=Clock()) as service:
        yield service


def move_clock(service: Service, by: timedelta = timedelta(minutes=1)) -> datetime:
    """Lets time pass, and returns what time it is then."""
    assert isinstance(service.clock, Clock)
    service.clock.now += by
    return service.clock.now


def document(*operations: str, version: str = "unversioned") -> bytes:
    """The swagger document of those operations, by default of all; a release's names no version."""
    paths: dict[str, dict[str, object]] = {}
    for name in operations or API:
        method, path = API[name]
        paths.setdefault(path, {})[method] = {"operationId": name, "description": name}
    return json.dumps({"swagger": "2.0", "info": {"version": version}, "paths": paths}).encode()


def listing(*endpoints: str) -> bytes:
    """A list of endpoints, each with what an ineligible one needs."""
    link = "https://example.org/why"
    return json.dumps([{"endpoint": name, "reason": "optional", "link": link} for name in endpoints]).encode()


def log_text(*operations: str, at: float = 0.0) -> bytes:
    """An audit log with a request of each operation, one a second, so many seconds after noon."""
    lines = []
    for number, name in enumerate(operations):
        method, path = API[name]
        lines.append(event(f"{name}-{number}", uri=path, verb=VERBS[method], received=at + number))
    return b"".join(lines)


def log_of(*operations: str, at: float = 0.0) -> Log:
    """The same as a log."""
    return as_log(log_text(*operations, at=at))


def as_log(text: bytes) -> Log:
    """A log that can be read once."""
    return Log("audit.log", None, stream_of(text))


def report_of(*operations: str) -> bytes:
    """Another tool's report of one request of each operation."""
    totals = [f"Total unique endpoints: {len(operations)}", f"Total API calls: {len(operations)}", ""]
    table = ["Endpoint Name (OpenAPI Operation ID) | Count", "----", *(f"{name} | 1" for name in operations)]
    return "\n".join(["Kubernetes API Endpoints", *totals, *table, ""]).encode()


def add_run(
    service: Service,
    kind: RunKind,
    *operations: str,
    hours: float = 0.0,
    **origin: Any,
) -> Run:
    """Takes in a run with a request of each operation that finished that many hours after noon."""
    finished = NOON + timedelta(hours=hours)
    times = {"started": finished - timedelta(hours=1), "finished": finished}
    run, new = service.runs.add(RunUpload(kind=kind, logs=[log_of(*operations)], **(times | origin)))
    assert new
    return run


def put_documents(service: Service, *, version: str = "v1.34.0") -> None:
    """Stores the small API and two lists, as they hold since long."""
    since = NOON - timedelta(days=100)
    service.documents.put_swagger(version, document(), holds_from=since)
    service.documents.put_list(ListKind.PENDING, listing("deletePod"), holds_from=since)
    service.documents.put_list(ListKind.INELIGIBLE, listing("createPod"), holds_from=since)
