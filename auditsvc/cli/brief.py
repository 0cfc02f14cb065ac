"""A report in brief, for a person who meets it for the first time."""

import sys
from collections.abc import Iterator

import click

from auditsvc.core.results import Status
from auditsvc.exports.plain import render_table, visible
from auditsvc.exports.report import AuditReport, Report, by_resolution
from auditsvc.exports.results_text import heading_lines

_SHOWN = 5
"""How many findings of an audit that ask for the same are shown."""

_COLOURS = {Status.PASSED: "green", Status.WARNING: "yellow", Status.FAILED: "red"}


def show_briefly(report: Report, *, more: str) -> None:
    """Prints a table, and some findings of each kind with what to do; ``more`` says where the others are.

    In ``more``, ``{type}`` is the audit's type.
    """
    click.echo("\n".join(heading_lines(report)) + "\n")
    if sys.stdout.isatty():
        _show_table(report)
    else:
        rows = [
            (audit.name, audit.result.status, *_counts(audit), audit.description) for audit in report.audits
        ]
        click.echo("\n".join(render_table([("audit", "status", "checked", "findings", ""), *rows])))
    for audit in report.audits:
        click.echo(f"\n{audit.name}: {click.style(audit.result.status, fg=_COLOURS[audit.result.status])}")
        for line in _lines(audit, more.format(type=audit.name)):
            click.echo(f"  {line}")


def _show_table(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("audit", "status")
    for name in ("checked", "findings"):
        table.add_column(name, justify="right")
    table.add_column("what must hold")
    for audit in report.audits:
        status = Text(audit.result.status, style=_COLOURS[audit.result.status])
        table.add_row(Text(audit.name), status, *map(str, _counts(audit)), Text(audit.description))
    Console().print(table)


def _counts(audit: AuditReport) -> tuple[int, int]:
    return audit.result.checked, len(audit.findings)


def _lines(audit: AuditReport, more: str) -> Iterator[str]:
    yield from map(visible, audit.notes)
    for resolution, alike in by_resolution(audit.findings).items():
        for found in alike[:_SHOWN]:
            yield f"- {visible(found.text)}"
        if (left := len(alike) - _SHOWN) > 0:
            yield f"  … and {left} more ({more})"
        if resolution:
            yield f"  → {visible(resolution)}"
