import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from auditsvc.core.results import AuditResult, MissingValue
from auditsvc.exports.report import Report
from auditsvc.exports.results_markdown import COMMENT_LIMIT, MARKER, render, utf8_size
from tests.exports.samples import HOSTILE, NOON, NOTHING, REPORT, SEEN_REPORT, audit, reports

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# All the tokens that a comment of ours is made of: no link, image, emphasis or code that a name brought.
OURS = {"heading", "paragraph", "inline", "html_block", "table", "thead", "tbody", "tr", "th", "td"} | {
    "bullet_list",
    "list_item",
}


def tokens(text: str) -> list[Token]:
    """What a Markdown reader makes of a comment."""
    return READER.parse(text)


def paragraphs(text: str) -> list[str]:
    """The text of its headings, cells, items and paragraphs, as a person reads it."""
    return [
        "".join(child.content for child in token.children or [])
        for token in tokens(text)
        if token.type == "inline"
    ]


def with_findings(count: int, text: str = "in pull run X, not in CI baseline Y") -> Report:
    """A report of two audits with that many findings each."""
    missing = tuple(MissingValue(f"operation{number}", text, "nothing to do") for number in range(count))
    result = AuditResult(NOON, ("Runs",), checked=2, missing=missing)
    return Report(title="auditsvc check", audits=(audit(result), audit(result, "AuditSwaggerTotal")))


def test_results() -> None:
    """A marker comes first, then a heading, a table of the audits, and the details of each, folded."""
    text = render(REPORT)
    assert text.startswith(f"{MARKER}\n## auditsvc check: Failed\n")
    assert paragraphs(text) == [
        "auditsvc check: Failed",
        "Window [2026-03-04T00:00:00+0000, 2026-03-05T00:00:00+0000)",
        "Judged: pull run X",
        *("audit", "status", "checked", "findings"),
        *("AuditOperationEquality", "Failed", "2", "3"),
        *("AuditPendingReconciliation", "Warning", "2", "3"),
        *("AuditIneligibleConsistency", "Passed", "3", "0"),
        *("AuditSwaggerTotal", "Failed", "0", "1"),
        "Operation count mismatch",
        "net +3",
        "Runs[X][added]: expected 1, actual 3: createFlow, readFlow",
        "createFlow: in pull run X, not in CI baseline Y",
        "→ remove it",
        "Runs[X][cost]: expected 0.1, actual 2.5",
        "Endpoint listed found in the list but is beta",
        "→ remove it",
        "createFlow: in pull run X, not in CI baseline Y",
        "deleteFlow: in pull run X, not in CI baseline Y",
        "→ nothing to do",
        "3 entries",
        "nothing to compare: no runs ever received",
    ]


def test_details_are_folded() -> None:
    """Each audit's details are a closed fold with its name and status for a summary."""
    folds = [token.content.strip() for token in tokens(render(REPORT)) if token.type == "html_block"]
    assert folds[:3] == [
        MARKER,
        "<details><summary>AuditOperationEquality: Failed</summary>",
        "</details>",
    ]
    assert len(folds) == 1 + 2 * 4


def test_no_results() -> None:
    """A report without results is a heading and an empty table."""
    assert paragraphs(render(NOTHING)) == ["auditsvc check: Passed", "audit", "status", "checked", "findings"]


def test_where_it_was_seen() -> None:
    """What was judged with stands above the table; where an operation was seen below its finding."""
    read = paragraphs(render(SEEN_REPORT))
    assert f"with swagger api/swagger.json sha256:{'5' * 64}" in read
    said = "seen first at audit.log:17 of pull run X; by [sig-x] flows (4) and 2 more tests; "
    index = read.index("createFlow: in pull run X, not in CI baseline Y")
    assert read[index + 1] == f"{said}in 5 of the last 6 CI runs"


def test_a_limit_in_bytes() -> None:
    """A summary is cut by its bytes, of which a character may have several."""
    report = with_findings(200, "é" * 500)
    text = render(report, limit=20_000, size=utf8_size)
    assert 15_000 < len(text.encode()) <= 20_000


def test_names_are_no_markup() -> None:
    """What a name holds is shown as it is: no markup, no HTML, and nobody is mentioned."""
    text = render(replace(NOTHING, title=HOSTILE))
    assert paragraphs(text)[0] == (
        "a|b <script> `c` *d* [e](f) @\u200badmin \\x00\\x1b[31m\\u202e\\ud800\\ufffe&amp; </details> ]]> "
        "é 日本 🎉: Passed"
    )
    assert "<script" not in text


@pytest.mark.parametrize(
    "text", ["- item", "+ item", "1. item", "12) item", "# title", "$x$", "~~x~~", "_x_", "**x**", "\\*"]
)
def test_text_that_starts_something(text: str) -> None:
    """A text that would begin a list, a title or the like is a text."""
    result = AuditResult(NOON, ("Runs",), checked=1, notes=(text,))
    assert text in paragraphs(render(Report(title="", audits=(audit(result),))))


def test_cut() -> None:
    """A comment that is too long has as many findings of each audit as fit, and counts the others."""
    text = render(with_findings(1000))
    assert COMMENT_LIMIT - 200 < len(text) <= COMMENT_LIMIT
    read = paragraphs(text)
    left_out = [
        int(match[1]) for line in read if (match := re.fullmatch(r"… and ([0-9]+) more that .*", line))
    ]
    shown = sum(line.startswith("operation") for line in read)
    assert len(left_out) == 2
    assert left_out[0] == left_out[1]
    assert shown + sum(left_out) == 2000


def test_long_text() -> None:
    """What a text has beyond 1,000 characters is counted."""
    read = paragraphs(render(with_findings(1, "x" * 1500)))
    assert f"operation0: {'x' * 988} … and 512 more characters" in read


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_smallest(count: int) -> None:
    """Where nothing fits but the table, all findings are counted; without any there is nothing to count."""
    read = paragraphs(render(with_findings(count), limit=10))
    assert read.count(f"… and {count} more that are left out here") == (2 if count else 0)
    assert not any(line.startswith("operation") for line in read)


@given(st.integers(0, 60), st.integers(600, 4000))
def test_as_much_as_fits(count: int, limit: int) -> None:
    """A comment stays within its limit, and is whole where that is long enough."""
    report = with_findings(count)
    whole = render(report)
    text = render(report, limit=limit)
    assert len(text) <= limit
    assert (text == whole) == (len(whole) <= limit)


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, the comment is within the limit, and has nothing but our own structure."""
    text = render(report)
    assert len(text) <= COMMENT_LIMIT
    text.encode()
    found = tokens(text)
    assert {token.type.removesuffix("_open").removesuffix("_close") for token in found} <= OURS
    children = {child.type for token in found for child in token.children or []}
    assert children <= {"text", "text_special"}
    folds = [token.content.strip() for token in found if token.type == "html_block"]
    assert len(folds) == 1 + 2 * len(report.audits)
