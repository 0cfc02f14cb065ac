"""The audits' results: as a report in any format, and as the exit code that they mean."""

from collections.abc import Callable, Iterable, Mapping

import click

from auditsvc.audits import AuditType, audit_types
from auditsvc.cli.options import Command
from auditsvc.core.results import AuditResult, Status
from auditsvc.exports import results_json, results_junit, results_markdown, results_sarif, results_text
from auditsvc.exports.report import AuditReport, Place, Report

FAILED = 1
WARNED = 3

_FORMATS: dict[str, Callable[[Report], str]] = {
    "text": results_text.render,
    "json": results_json.render,
    "junit": results_junit.render,
    "sarif": results_sarif.render,
    "markdown": results_markdown.render,
}
_ONE_DOCUMENT = ("junit", "sarif")


def format_option(command: Command) -> Command:
    """Adds ``--format``, given to the command as ``form``."""
    option = click.option(
        "--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True
    )
    return option(command)


def audit_reports(
    results: Mapping[str, AuditResult], places: Mapping[str, Place] | None = None
) -> tuple[AuditReport, ...]:
    """The results by their types' keys, in the order of an AuditSet; a newer server's own come last."""
    known = {audit_type.key: audit_type for audit_type in audit_types()}
    keys = [key for key in known if key in results] + [key for key in results if key not in known]
    return tuple(_audit_report(key, known.get(key), results[key], places or {}) for key in keys)


def _audit_report(
    key: str, known: AuditType | None, result: AuditResult, places: Mapping[str, Place]
) -> AuditReport:
    if known is None:
        return AuditReport(name=key, key=key, description="", result=result)
    return AuditReport(
        name=known.name,
        key=key,
        description=known.description,
        result=result,
        by_run="runs" in known.required,
        places=places,
    )


def show(reports: list[Report], form: str) -> None:
    """Prints the reports, one after the other where the format allows it."""
    if form in _ONE_DOCUMENT and len(reports) != 1:
        raise click.UsageError(
            f"{form} is one document, and {len(reports)} days were audited: name a --window"
        )
    between = "" if form == "json" else "\n"  # a line of JSON each
    click.echo(between.join(map(_FORMATS[form], reports)), nl=False)


def exit_code(reports: Iterable[Report], *, strict: bool) -> int:
    """1 where an audit failed, 3 where one warned and that counts, 0 otherwise."""
    statuses = {report.status for report in reports}
    if Status.FAILED in statuses:
        return FAILED
    return WARNED if strict and Status.WARNING in statuses else 0
