import json
from datetime import date
from typing import Any

import pytest

from auditsvc.core.event_list import parse_event_list
from auditsvc.errors import ParseError
from tests.logs import event


def listed(*events: bytes, indent: int | None = None, **changes: Any) -> bytes:
    """An EventList of events."""
    whole = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": []} | changes
    whole["items"] = [json.loads(one) for one in events] or whole["items"]
    return json.dumps(whole, indent=indent).encode()


def test_events_are_lines_of_their_day() -> None:
    """In their order; all stages of a request are of the day on which it was received."""
    a, b = event("a"), event("b", "RequestReceived", received=12 * 3600 - 1)
    c = event("b", received=12 * 3600 - 1, staged=13 * 3600)
    d = event("d", received=12 * 3600)
    days = parse_event_list(listed(a, b, d, c))
    assert list(days) == [date(2026, 1, 16), date(2026, 1, 17)]
    found = [json.loads(line)["auditID"] for line in days[date(2026, 1, 16)].splitlines()]
    assert found == ["a", "b", "b"]
    assert json.loads(days[date(2026, 1, 17)]) == json.loads(d)


def test_an_event_is_one_line() -> None:
    """However the list is laid out."""
    [lines] = parse_event_list(listed(event("a"), event("b"), indent=2)).values()
    assert [json.loads(line) for line in lines.splitlines()] == [json.loads(event(one)) for one in "ab"]
    assert lines.endswith(b"\n")


def test_no_events() -> None:
    """A list may be empty."""
    assert parse_event_list(listed()) == {}


def test_a_time_that_is_missing_is_its_stages() -> None:
    """As where a log is read."""
    assert list(parse_event_list(listed(event(requestReceivedTimestamp=None)))) == [date(2026, 1, 16)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: not an audit.k8s.io/v1 EventList: "),
        (b"[" * 100_000, "body: not an audit.k8s.io/v1 EventList: "),
        (b'{"kind": "EventList"}', "apiVersion"),
        (b"\xff", "body: not an audit.k8s.io/v1 EventList: "),
        (listed(kind="Event"), "it is audit.k8s.io/v1 Event"),
        (listed(apiVersion="audit.k8s.io/v1beta1"), "it is audit.k8s.io/v1beta1 EventList"),
        (listed(items={}), "items"),
        (listed(items=[json.loads(event()), {"stage": "Panic"}]), r"items[1]: not an audit event: "),
        (
            listed(event(requestReceivedTimestamp=None, stageTimestamp=None)),
            "items[0]: not an audit event: it names no time",
        ),
    ],
)
def test_a_list_is_refused_whole(body: bytes, message: str) -> None:
    """The message says what it is not, and names the item."""
    with pytest.raises(ParseError) as found:
        parse_event_list(body)
    assert message in str(found.value)
