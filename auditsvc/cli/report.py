"""The audits' results: as a report in any format, and as the exit code that they mean."""

from collections.abc import Iterable

import click

from auditsvc.cli.options import Command
from auditsvc.cli.outputs import RESULT_FORMATS
from auditsvc.core.results import Status
from auditsvc.exports.report import Report

FAILED = 1
WARNED = 3

_ONE_DOCUMENT = ("junit", "sarif")


def format_option(command: Command) -> Command:
    """Adds ``--format``, given to the command as ``form``."""
    option = click.option(
        "--format", "form", type=click.Choice(list(RESULT_FORMATS)), default="text", show_default=True
    )
    return option(command)


def show(reports: list[Report], form: str) -> None:
    """Prints the reports, one after the other where the format allows it."""
    if form in _ONE_DOCUMENT and len(reports) != 1:
        raise click.UsageError(
            f"{form} is one document, and {len(reports)} days were audited: name a --window"
        )
    between = "" if form == "json" else "\n"  # a line of JSON each
    click.echo(between.join(map(RESULT_FORMATS[form], reports)), nl=False)


def exit_code(reports: Iterable[Report], *, strict: bool) -> int:
    """1 where an audit failed, 3 where one warned and that counts, 0 otherwise."""
    statuses = {report.status for report in reports}
    if Status.FAILED in statuses:
        return FAILED
    return WARNED if strict and Status.WARNING in statuses else 0
