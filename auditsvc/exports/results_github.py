"""The results as workflow commands, which GitHub Actions shows as annotations at the lines of a pull request.

See GitHub's "Workflow commands for GitHub Actions". A step has ten annotations of each type; what is beyond
them is dropped there without a word, so it is counted here.
"""

from collections.abc import Iterator, Sequence

from auditsvc.core.results import Status
from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Finding, Report

MOST_ANNOTATIONS = 10
"""Of one type, for each step."""

_LONGEST_TEXT = 1000
_COMMANDS = {Status.FAILED: "error", Status.WARNING: "warning"}


def render(*reports: Report) -> str:
    """A line a finding, at most ``MOST_ANNOTATIONS`` of each type, and a notice that counts the others."""
    audits = [audit for report in reports for audit in report.audits]
    found = [(audit, finding) for audit in audits for finding in audit.findings]
    lines: list[str] = []
    left_out: list[str] = []
    for status, command in _COMMANDS.items():
        alike = [pair for pair in found if pair[1].status is status]
        lines += _annotations(command, alike[:MOST_ANNOTATIONS])
        if (beyond := len(alike) - MOST_ANNOTATIONS) > 0:
            left_out.append(f"{beyond} more of type {command}")
    if left_out:
        text = f"{' and '.join(left_out)} are not annotated: GitHub shows {MOST_ANNOTATIONS} of a type a step"
        lines.append(f"::notice title=auditsvc::{_data(text)}")
    return "".join(f"{line}\n" for line in lines)


def _annotations(command: str, found: Sequence[tuple[AuditReport, Finding]]) -> Iterator[str]:
    for audit, finding in found:
        properties = {"title": f"{audit.name}: {finding.status}"}
        if finding.place:
            properties = {"file": finding.place.file, "line": str(finding.place.line)} | properties
        told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        text = f"{finding.text} → {finding.resolution}" if finding.resolution else finding.text
        yield f"::{command} {told}::{_data(text)}"


def _data(text: str) -> str:
    line = visible(text)
    if (cut := len(line) - _LONGEST_TEXT) > 0:
        line = f"{line[:_LONGEST_TEXT]} … and {cut} more characters"
    return line.replace("%", "%25")


def _property(text: str) -> str:
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
