"""Fills a store as two years would: ``python -m benchmarks.history DATA STORE``.

Every day has the results of one ci and one pull run of the recorded logs and of a day's costs. Yesterday has
the runs themselves, 8 of ci and 20 of pull requests, for audits to be run over.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from auditsvc.config import Config
from auditsvc.core.runs import RunKind
from auditsvc.core.window import Window
from auditsvc.fetch import read
from auditsvc.ingest import Log
from auditsvc.service import Service, open_service
from auditsvc.service.runs import RunUpload
from auditsvc.store.costs import CostKind
from auditsvc.store.lists import ListKind
from auditsvc.store.results import StoredResult

DAYS = 730
CI_RUNS = 8
PULL_RUNS = 20
DAY = timedelta(days=1)


def fill(data: Path, store: Path, *, now: datetime) -> None:
    """Makes the store; ``data`` is the folder of test data."""
    yesterday = Window.day(now - DAY)
    with open_service(Config(data=store), clock=lambda: now) as service:
        _put_documents(service, data)
        _put_costs(service, data / "opencost" / "reconciled-day.json", yesterday)
        _put_runs(service, data, yesterday, ci=1, pull=1)
        typical = service.audits.run(yesterday)
        for days in range(1, DAYS):
            service.store.sets.put(_earlier(typical, days * DAY))
        _put_runs(service, data, yesterday, ci=CI_RUNS, pull=PULL_RUNS)


def _put_documents(service: Service, data: Path) -> None:
    service.documents.put_swagger("v1.20.2", read(str(data / "kubernetes-1.20.2" / "openapi-v2.json.gz")))
    for kind in ListKind:
        service.documents.put_list(kind, read(str(data / "lists" / f"demo-1.20.2-{kind}.yaml")))


def _put_runs(service: Service, data: Path, day: Window, *, ci: int, pull: int) -> None:
    """So many runs of each kind, a quarter of an hour after each other; those that are there stay."""
    for kind, number in ((RunKind.CI, ci), (RunKind.PULL, pull)):
        log = Log.at(data / "kubernetes-1.20.2" / f"{kind}-audit.log.gz", name="audit.log")
        for build in range(number):
            upload = RunUpload(
                kind=kind,
                logs=[log],
                cluster="kind",
                build=str(build),
                pull=str(build) if kind is RunKind.PULL else None,
                version="v1.20.2",
                started=day.start,
                finished=day.start + timedelta(minutes=15 * (build + 1)),
            )
            service.runs.add(upload)


def _put_costs(service: Service, document: Path, day: Window) -> None:
    """The constructed day's costs, moved to that day."""
    text = document.read_text()
    held = json.loads(text)["window"]
    for end, moment in (("start", day.start), ("end", day.end)):
        text = text.replace(held[end], moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
    moved = json.loads(text)
    for kind in (CostKind.ALLOCATIONS, CostKind.ASSETS):
        service.costs.put(kind, day, json.dumps({"code": 200, "data": [moved[kind]]}).encode())


def _earlier(results: list[StoredResult], by: timedelta) -> Iterator[StoredResult]:
    """The same results of so much earlier a day."""
    for stored in results:
        yield replace(stored, window=Window(stored.window.start - by, stored.window.end - by))


if __name__ == "__main__":
    fill(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC))
