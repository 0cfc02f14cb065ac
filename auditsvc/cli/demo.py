"""``auditsvc demo``: all of it, on the real data that ships with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp

import click

from auditsvc.cli.brief import show_briefly
from auditsvc.cli.serve import host_option, insecure_option, port_option
from auditsvc.config import Config, LogLevel
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.window import Window
from auditsvc.exports.report import Report
from auditsvc.fetch import read
from auditsvc.ingest import Log
from auditsvc.service import Service, open_service
from auditsvc.service.reports import audit_reports
from auditsvc.service.runs import RunUpload
from auditsvc.store.lists import ListKind

_VERSION = "v1.20.2"
_SWAGGER = "openapi-v2.json.gz"
_LISTS = {
    ListKind.PENDING: "demo-1.20.2-pending.yaml",
    ListKind.INELIGIBLE: "demo-1.20.2-ineligible.yaml",
}
_LOGS = {RunKind.CI: "ci-audit.log.gz", RunKind.PULL: "pull-audit.log.gz"}
_RECORDED = datetime(2026, 11, 20, tzinfo=UTC)
"""The day of both logs, from which on the documents hold."""

_THREADS = 8
_IN_PAGES = "the pages that `auditsvc demo` without --once serves show all"


@click.command
@click.option("--once", is_flag=True, help="End when the results are printed.")
@host_option
@port_option
@insecure_option
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the store in this folder.  [default: a temporary one]",
)
def demo(*, once: bool, host: str, port: int, insecure: bool, data: Path | None) -> int:
    """Audit the shipped data, print the results and serve them.

    The data: audit logs of a real Kubernetes 1.20.2, of a periodic CI run and of a pull request's; its
    OpenAPI document; and both endpoint lists, with some mistakes in them.
    """
    from auditsvc.cli.logs import configure_logs
    from auditsvc.cli.server import address_of, listen, require_tokens, serve_forever

    with ExitStack() as stack:
        listener = None if once else stack.enter_context(listen(host, port))
        url = address_of(listener) if listener else None
        # Whoever looks at a demo looks at its pages; the log tells what goes wrong, and no request.
        folder = data or stack.enter_context(_temporary_folder())
        config = Config(data=folder, log_level=LogLevel.WARNING)
        if listener and not insecure:
            require_tokens(config, listener)
        with open_service(config) as service:
            runs = _ingest(service)
            report = _audit(service, runs[RunKind.PULL])
        show_briefly(report, more=f"curl '{url}/audit?type={{type}}' tells all" if url else _IN_PAGES)
        if listener is None or url is None:
            return 0
        click.echo(_invitation(url, config.data, runs), err=True)
        configure_logs(config)
        return serve_forever(config, listener, threads=_THREADS, insecure=insecure)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that goes with the process that made it: the server's workers, its forks, leave it alone."""
    folder = Path(mkdtemp(prefix="auditsvc-demo-"))
    maker = os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)


def _ingest(service: Service) -> dict[RunKind, Run]:
    """Puts the documents and both runs into the store."""
    service.documents.put_swagger(_VERSION, _read(_SWAGGER), holds_from=_RECORDED)
    for kind, name in _LISTS.items():
        service.documents.put_list(kind, _read(name), holds_from=_RECORDED)
    return {kind: _ingest_log(service, kind, name) for kind, name in _LOGS.items()}


def _ingest_log(service: Service, kind: RunKind, name: str) -> Run:
    with _shipped(name) as path:
        upload = RunUpload(
            kind=kind,
            logs=[Log.at(path)],
            cluster="demo",
            pull="1" if kind is RunKind.PULL else None,
            version=_VERSION,
        )
        return service.runs.add(upload)[0]


def _read(name: str) -> bytes:
    with _shipped(name) as path:
        return read(str(path))


@contextmanager
def _shipped(name: str) -> Iterator[Path]:
    with resources.as_file(resources.files("auditsvc") / "demo" / name) as path:
        yield path


def _audit(service: Service, pull: Run) -> Report:
    day = Window.day(pull.finished)
    results = {stored.key: stored.result for stored in service.audits.run(day)}
    return Report(title="auditsvc demo", audits=audit_reports(results), window=day, subjects=(pull,))


def _invitation(url: str, data: Path, runs: dict[RunKind, Run]) -> str:
    pull = runs[RunKind.PULL]
    window = f"{pull.finished.date()},{Window.day(pull.finished).end.date()}"
    log = resources.files("auditsvc") / "demo" / _LOGS[RunKind.CI]
    return f"""
Open {url}/ in a browser ({url}/docs describes the API), or try:

  curl '{url}/audit?window={window}'
  curl -X POST '{url}/audit?commit=true&type=AuditOperationEquality'
  curl '{url}/runs'
  curl '{url}/runs/{pull.id}/compare'
  curl -F kind=pull -F pull=2 -F cluster=demo -F log=@{log} '{url}/runs'

The store is in {data}. Ctrl-C ends it."""
