"""The results as Markdown, for the comment on a pull request or a job's summary on GitHub."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from html import escape

from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Finding, Report, by_resolution

MARKER = "<!-- auditsvc -->"
COMMENT_LIMIT = 65_536
"""Characters that GitHub allows a comment."""
SUMMARY_LIMIT = 1 << 20
"""Bytes that GitHub allows the summary of a step."""

_LONGEST_TEXT = 1000
# What begins a list (at the start of a line), and what is markup anywhere.
_SYNTAX = re.compile(r"^([0-9]*)([-+.)])|([\\`*_\[\]#|~$])")


def render(report: Report, *, limit: int = COMMENT_LIMIT, size: Callable[[str], int] = len) -> str:
    """A marker by which the comment is found again, a table, and the details folded by audit.

    At most ``limit`` characters (or what ``size`` counts), by default what GitHub allows a comment: every
    audit shows as many of its notes and findings, the hard ones first, as all of them can, and counts the
    rest. What a text has beyond 1,000 characters is counted likewise.
    """
    most = max(map(_told, report.audits), default=0)
    whole = _render(report, most)
    if size(whole) <= limit:
        return whole
    fitting = bisect_right(range(1, most), limit, key=lambda shown: size(_render(report, shown)))
    return _render(report, fitting)


def utf8_size(text: str) -> int:
    """The bytes of a text in UTF-8."""
    return len(text.encode())


def _render(report: Report, shown: int) -> str:
    heading = f"{MARKER}\n## {_escaped(report.title)}: {report.status}"
    window = [] if report.window is None else [f"Window {_escaped(str(report.window))}"]
    judged = [f"Judged: {_escaped(', '.join(map(str, report.subjects)))}"] if report.subjects else []
    documents = ["\n".join(f"- {_escaped(f'with {one}')}" for one in report.documents)]
    details = [_details(audit, shown) for audit in report.audits]
    blocks = [heading, *window, *judged, *filter(None, documents), _table(report), *details]
    return "\n\n".join(blocks) + "\n"


def _table(report: Report) -> str:
    rows = [
        f"| {_escaped(audit.name)} | {audit.result.status} | {audit.result.checked} | {len(audit.findings)} |"
        for audit in report.audits
    ]
    return "\n".join(["| audit | status | checked | findings |", "|---|---|---:|---:|", *rows])


def _details(audit: AuditReport, shown: int) -> str:
    notes = audit.notes[:shown]
    blocks = [
        f"<details><summary>{escape(visible(audit.name))}: {audit.result.status}</summary>",
        *map(_escaped, notes),
    ]
    for resolution, alike in by_resolution(audit.findings[: shown - len(notes)]).items():
        blocks.append("\n".join(line for found in alike for line in _item(found)))
        if resolution:
            blocks.append(f"→ {_escaped(resolution)}")
    if shown < _told(audit):
        blocks.append(f"… and {_told(audit) - shown} more that are left out here")
    return "\n\n".join([*blocks, "</details>"])


def _item(found: Finding) -> Iterator[str]:
    yield f"- {_escaped(found.text)}"
    if said := str(found.seen or ""):
        yield f"  - {_escaped(said)}"


def _told(audit: AuditReport) -> int:
    """How much there is to tell of an audit: its notes and findings."""
    return len(audit.notes) + len(audit.findings)


def _escaped(text: str) -> str:
    """The text as it is: one line without markup, and nobody is mentioned by it."""
    line = visible(" ".join(text.split()))
    if len(line) > _LONGEST_TEXT:
        line = f"{line[:_LONGEST_TEXT]} … and {len(line) - _LONGEST_TEXT} more characters"
    return _SYNTAX.sub(r"\1\\\2\3", escape(line, quote=False)).replace("@", "@\u200b")
