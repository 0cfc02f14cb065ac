"""``auditsvc audit``: audits over the store, or on a server."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from auditsvc.audits import find_audit_type
from auditsvc.cli.client import Client, Part
from auditsvc.cli.options import store_options, strict_option, types_option
from auditsvc.cli.origin import DOCUMENTS, origin_options, read_documents
from auditsvc.cli.outputs import ReportFile, prepare, report_option, write_reports
from auditsvc.cli.progress import audit_progress, upload_progress
from auditsvc.cli.report import exit_code, format_option, show
from auditsvc.cli.told import ask
from auditsvc.config import Config
from auditsvc.core.results import AuditResult
from auditsvc.core.window import Window, parse_window
from auditsvc.errors import RequestError
from auditsvc.exports.report import Report
from auditsvc.fetch import is_url
from auditsvc.service import open_service


@click.command
@click.option("--window", help="Audit the days that it overlaps: today, 7d, 2025-08-26,2025-08-27, …")
@click.option("--commit", is_flag=True, help="Audit every day with data, where no window is named.")
@types_option
@click.option("--run", "run_id", metavar="ID", help="Audit this run alone.")
@format_option
@report_option
@strict_option
@click.option("--server", metavar="URL", help="Audit on this server (AUDITSVC_TOKEN is its token).")
@click.option(
    "--upload",
    multiple=True,
    metavar="LOG",
    type=click.Path(exists=True, dir_okay=False),
    help="Send this log to the server and audit that run; repeat it for rotated files. The options below say "
    "where it comes from.",
)
@origin_options(required=False)
@store_options
def audit(
    config: Config,
    *,
    window: str | None,
    run_id: str | None,
    form: str,
    report_files: list[ReportFile],
    strict: bool,
    server: str | None,
    upload: tuple[str, ...],
    origin: dict[str, Any],
    **asked: Any,
) -> int:
    """Run audits over the store, or on a server.

    \b
    auditsvc audit --window 7d
    auditsvc audit --server http://localhost:8080 --upload audit.log --kind pull --pull 123

    Exit codes: 0 passed (warnings allowed), 1 an audit failed, 2 it could not work, 3 a warning under
    --strict.
    """
    _check(window, run_id, server, upload, origin, commit=asked["commit"])
    _check_reports(report_files, server)
    prepare(report_files, config.ci)
    if server is None:
        reports = _audit_here(config, window, run_id, **asked)
    else:
        with Client(server, token=config.token) as client:
            judged = _upload(client, upload, origin) if upload else run_id
            reports = _audit_there(client, window, judged, **asked)
    if not any(report.audits for report in reports):
        raise RequestError("nothing was audited: no source of any audit was ever received")
    write_reports(reports, report_files, config.ci)
    show(reports, form)
    return exit_code(reports, strict=strict)


def _check(
    window: str | None,
    run_id: str | None,
    server: str | None,
    upload: tuple[str, ...],
    origin: dict[str, Any],
    *,
    commit: bool,
) -> None:
    """Refuses options that make no sense together."""
    problems = {
        "name a --window or a --run; or confirm by --commit that every day with data is to be audited": not (
            window or run_id or upload or commit
        ),
        "a run is audited alone: give a --window or a --run, not both": window and run_id,
        "--upload audits the run that it sends: leave out --window and --run": upload and (window or run_id),
        "--upload sends to a --server; `auditsvc ingest` takes a run in here": upload and not server,
        "--upload needs --kind": upload and "kind" not in origin,
        f"--{next(iter(origin), '')} describes an --upload, and there is none": origin and not upload,
        f"--server: {server} is no http:// or https:// URL": server and not is_url(server),
    }
    for problem, found in problems.items():
        if found:
            raise click.UsageError(problem)


def _check_reports(files: list[ReportFile], server: str | None) -> None:
    for file in files:
        if file.is_usage and server:
            raise click.UsageError(
                f"--report {file.form} tells what a run used, and that is on the server: "
                f"`auditsvc parse` tells it of the log"
            )


def _audit_here(
    config: Config, window: str | None, run_id: str | None, *, types: tuple[str, ...], commit: bool
) -> list[Report]:
    named = [find_audit_type(text) for text in types]
    with open_service(config) as service, audit_progress() as progress:
        span = parse_window(window, now=service.clock(), utc_offset=config.utc_offset) if window else None
        results: dict[Window, dict[str, AuditResult]] = defaultdict(dict)
        for stored in service.audits.run(span, named, commit=commit, run_id=run_id, steps=progress):
            results[stored.window][stored.key] = stored.result
        return [service.reports.report(day, found, run_id=run_id) for day, found in results.items()]


def _audit_there(
    client: Client, window: str | None, run_id: str | None, *, types: tuple[str, ...], commit: bool
) -> list[Report]:
    days = client.audit(window=window, run=run_id, type=types, commit="true" if commit else None)
    told = ask(client, days, run_id=run_id, types=types)
    return [
        Report(
            title=f"audit of run {run_id}" if run_id else "audit",
            audits=told[day].reports(found),
            window=None if run_id else day,
        )
        for day, found in days.items()
    ]


def _upload(client: Client, logs: tuple[str, ...], origin: dict[str, Any]) -> str:
    parts = [Part("log", Path(log).name, Path(log)) for log in logs]
    parts += [
        Part(name, Path(origin[name]).name, content) for name, content in read_documents(origin).items()
    ]
    fields = {name: _text(value) for name, value in origin.items() if name not in DOCUMENTS}
    with upload_progress(sum(part.size for part in parts)) as sent:
        return client.upload(fields, parts, sent=sent)


def _text(value: str | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
