import json
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.waivers import Waiver, parse_waivers
from auditsvc.errors import ParseError

TYPES = {"AuditSwaggerTotal": "AuditSwaggerTotal", "swaggerTotal": "AuditSwaggerTotal"}
WHOLE = "- type: swaggerTotal\n  key: readPod\n  owner: sig-node\n  reason: flaky\n  expires: 2026-12-31\n"
FIRST = Waiver("AuditSwaggerTotal", "readPod", "sig-node", "flaky", date(2026, 12, 31), None, 1)


def test_a_waiver() -> None:
    """All that it says, the type by its name, and its line."""
    issue = "  issue: https://example.org/1\n"
    other = WHOLE.replace("swaggerTotal", "AuditSwaggerTotal").replace("2026-12-31", "'2026-12-31'")
    first, second = parse_waivers(WHOLE + "# next\n" + other + issue, TYPES)
    assert first == FIRST
    assert (second.issue, second.line, second.expires) == ("https://example.org/1", 7, FIRST.expires)


@pytest.mark.parametrize("text", ["", "# none\n", "[]"])
def test_none(text: str) -> None:
    """An empty list is one."""
    assert parse_waivers(text, TYPES) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "line 1, column 1: expected a list of waivers, found a mapping"),
        ("- a", "line 1, column 3: expected a waiver: a mapping with type, key, "),
        (WHOLE + "  expiry: 1\n", "line 6, column 3: unknown key expiry: a waiver has type, key, owner, "),
        (WHOLE + "  type: x\n", "line 6, column 3: a second type in one waiver"),
        ("- {}", "line 1, column 3: a waiver without type, key, owner, reason, expires"),
        (WHOLE.replace("sig-node", ""), "line 1, column 3: a waiver without owner"),
        (WHOLE.replace("flaky", "' '"), "line 1, column 3: a waiver without reason"),
        (WHOLE.replace("  expires: 2026-12-31\n", ""), "line 1, column 3: a waiver without expires"),
        (WHOLE.replace("swaggerTotal", "total"), "line 1, column 9: unknown audit type total (known are "),
        (WHOLE.replace("2026-12-31", "2026-02-30"), "line 5, column 12: expires: 2026-02-30 is no day"),
        (WHOLE.replace("2026-12-31", "next year"), "line 5, column 12: expires: next year is no day"),
        (WHOLE.replace("readPod", "[a]"), "line 2, column 8: expected a string as key, found a list"),
        ("- ? [a]\n  : b", "line 1, column 5: expected a string as key, found a list"),
        (WHOLE + "  issue: 7\n", "line 6, column 10: expected a string as issue, found an integer"),
        (WHOLE + "  issue: '#7'\n", "line 6, column 10: issue: #7 is no http(s) link"),
    ],
)  # fmt: skip  # a mistake and what is said of it
def test_refused(text: str, message: str) -> None:
    """A mistake is named with its line: a waiver that does nothing must not look like one that does."""
    with pytest.raises(ParseError) as refused:
        parse_waivers(text, TYPES)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("pattern", "key", "covered"),
    [
        ("readPod", "readPod", True),
        ("readPod", "readPods", False),
        ("readpod", "readPod", False),
        ("read*", "readPod", True),
        ("read?od", "readPod", True),
        ("*", "", True),
        ("Runs[p1][added]", "Runs[p1][added]", True),
        ("Runs[*][added]", "Runs[p1][added]", True),
        ("Runs[p12][added]", "Runs[p1][added]", False),
        ("Runs[p1][added]", "Runs1a", False),
    ],
)
def test_pattern(pattern: str, key: str, covered: bool) -> None:
    """``*`` and ``?`` are wild, brackets are brackets, and case counts."""
    waiver = Waiver("AuditSwaggerTotal", pattern, "o", "r", FIRST.expires, None, 1)
    assert waiver.covers(key) is covered


def test_the_last_day_counts() -> None:
    """It expires when that day has passed."""
    assert not FIRST.is_expired(date(2026, 12, 31))
    assert FIRST.is_expired(date(2027, 1, 1))


@given(
    st.text()
    | st.binary()
    | st.lists(st.dictionaries(st.sampled_from([*TYPES, "key"]), st.text())).map(json.dumps)
)
def test_anything(text: str | bytes) -> None:
    """Any text is waivers or a ParseError."""
    with suppress(ParseError):
        parse_waivers(text, TYPES)
