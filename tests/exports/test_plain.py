import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.exports.plain import no_formula, render_table, visible
from tests.exports.samples import texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("readCoreV1Pod", "readCoreV1Pod"),
        ("é 日本 🎉 \\n", "é 日本 🎉 \\n"),
        ("two\r\nlines\tand", "two\\r\\nlines\\tand"),
        ("\x1b[31mred\x00\x7f\x9b", "\\x1b[31mred\\x00\\x7f\\x9b"),
        ("\u2028\u202e\u2066", "\\u2028\\u202e\\u2066"),
        ("\ud800\udcff\ufffe", "\\ud800\\udcff\\ufffe"),
    ],
)
def test_visible(text: str, expected: str) -> None:
    """Characters that would do something are shown as escapes, all others as they are."""
    assert visible(text) == expected


@given(texts)
def test_visible_is_one_plain_line(text: str) -> None:
    """A visible text is one line of UTF-8 without control characters, and stays as it is."""
    shown = visible(text)
    assert len(shown.encode().decode().splitlines()) <= 1
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([("name", "count")], ["name  count"]),
        (
            [("name", "count"), ("a", 7), ("long name", 12)],
            ["name       count", "a              7", "long name     12"],
        ),
        ([(7, "x"), (12, "")], [" 7  x", "12"]),
        ([("two\nlines", "|")], ["two\\nlines  |"]),
    ],
)
def test_render_table(rows: list[tuple[str | int, ...]], expected: list[str]) -> None:
    """Columns are two spaces apart, numbers to the right under their heading; no line ends in spaces."""
    assert render_table(rows) == expected


@given(st.lists(st.tuples(texts, st.integers(), texts)))
def test_every_row_is_one_line(rows: list[tuple[str, int, str]]) -> None:
    """A table has a line a row whatever the cells hold."""
    lines = render_table(rows)
    assert len(lines) == len(rows)
    assert all(visible(line) == line for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("argo-cd", "argo-cd"),
        ("", ""),
        ("a=1", "a=1"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
    ],
)
def test_no_formula(text: str, expected: str) -> None:
    """What a spreadsheet would compute has an apostrophe before it; other text is as it was."""
    assert no_formula(text) == expected
