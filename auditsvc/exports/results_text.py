"""The results for a terminal: a table, then what was found and what to do about it."""

from collections.abc import Iterable

from auditsvc.exports.plain import render_table, visible
from auditsvc.exports.report import AuditReport, Finding, Report, by_resolution


def render(report: Report) -> str:
    """A heading, a table of the audits, and for each its notes and findings."""
    table = render_table([("type", "status", "checked", "findings"), *map(_row, report.audits)])
    blocks = [heading_lines(report), table, *map(_details, report.audits)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def heading_lines(report: Report) -> list[str]:
    """The title with the status, the window, the runs that were judged, and by hash what with."""
    lines = [f"{report.title}: {report.status}"]
    if report.window is not None:
        lines.append(f"window {report.window}")
    if report.subjects:
        lines.append(f"judged {', '.join(map(str, report.subjects))}")
    lines += [f"with {document}" for document in report.documents]
    return [visible(line) for line in lines]


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """A line a finding; those that ask for the same are together, and what to do follows them."""
    lines: list[str] = []
    for resolution, alike in by_resolution(findings).items():
        for found in alike:
            lines.append(f"- {visible(found.text)}")
            if said := str(found.seen or ""):
                lines.append(f"  ({visible(said)})")
        if resolution:
            lines.append(f"  → {visible(resolution)}")
    return lines


def _row(audit: AuditReport) -> tuple[str, str, int, int]:
    return audit.name, audit.result.status, audit.result.checked, len(audit.findings)


def _details(audit: AuditReport) -> list[str]:
    lines = [*map(visible, audit.notes), *finding_lines(audit.findings)]
    return [f"{audit.name}: {audit.result.status}", *(f"  {line}" for line in lines)]
