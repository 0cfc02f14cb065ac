import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditsvc.core.events import AuditEvent, decode, decode_lines, parse_time, sample_text
from auditsvc.errors import ParseError
from tests.logs import at, event

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


class TestDecode:
    """One line as an event."""

    def test_fields(self) -> None:
        """The fields in use are read, all others passed over."""
        line = event("x", "Panic", uri="/version", verb="get", agent="a/1", code=500, received=1, staged=2.5)
        assert decode(line) == AuditEvent(
            audit_id="x",
            stage="Panic",
            uri="/version",
            verb="get",
            agent="a/1",
            response=decode(line).response,
            received=at(1),
            staged=at(2.5),
        )
        response = decode(line).response
        assert response is not None
        assert response.code == 500

    def test_optional_members(self) -> None:
        """Agent, response and code may be absent or null."""
        for line in (event(agent=None, code=None), event(userAgent=None, responseStatus=None)):
            assert (decode(line).agent, decode(line).response) == (None, None)
        null = event().replace(b'"kubectl/v1.34.0"', b"null")
        assert decode(null).agent is None
        without_code = decode(event(responseStatus={})).response
        assert without_code is not None
        assert without_code.code is None

    @pytest.mark.parametrize("member", ["requestReceivedTimestamp", "stageTimestamp"])
    def test_unknown_time(self, member: str) -> None:
        """A time that is absent or null (Go writes a zero time so) is unknown; it sorts before all others."""
        absent = decode(event(**{member: None}))  # type: ignore[arg-type]
        null = decode(event(**{member: "?"}).replace(b'"?"', b"null"))  # type: ignore[arg-type]
        assert absent == null
        assert min(absent.received, absent.staged) < at(-1e9)
        assert max(absent.received, absent.staged) == at(0)

    @pytest.mark.parametrize(
        ("written", "uniform"),
        [
            ("2026-01-16T12:00:00.123456Z", "2026-01-16T12:00:00.123456Z"),
            ("2026-01-16T12:00:00Z", "2026-01-16T12:00:00.000000Z"),
            ("2026-01-16T12:00:00.5Z", "2026-01-16T12:00:00.500000Z"),
            ("2026-01-16T12:00:00.123456789Z", "2026-01-16T12:00:00.123456Z"),
            ("2026-01-16T14:00:00+02:00", "2026-01-16T12:00:00.000000Z"),
            ("2026-01-15T23:00:00.000001-13:00", "2026-01-16T12:00:00.000001Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ],
    )
    def test_times(self, written: str, uniform: str) -> None:
        """Times come out in UTC with microseconds, so that they sort as text."""
        found = decode(event(requestReceivedTimestamp=written, stageTimestamp=written))
        assert (found.received, found.staged) == (uniform, uniform)

    @pytest.mark.parametrize(
        "line",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff",
            event()[:-2],
            event() + event(),
            *(event(**{name: None}) for name in ("auditID", "stage", "requestURI", "verb")),  # type: ignore[arg-type]
            event(stage="Whenever"),
            event(responseStatus={"code": "200"}),
            event(stageTimestamp="2026-01-16T12:00:00"),
            event(stageTimestamp="2026-01-16"),
            event(stageTimestamp="12:00"),
            event(stageTimestamp=""),
            event(stageTimestamp=1768564800),
            event(requestReceivedTimestamp="2026-02-30T00:00:00Z"),
            event(requestReceivedTimestamp="0001-01-01T00:00:00+05:00"),
            event(x=0).replace(b'"x":0', b'"x":' + b"[" * 100_000 + b"]" * 100_000),
        ],
    )
    def test_no_event(self, line: bytes) -> None:
        """Anything else is told to be none, in one line."""
        with pytest.raises(ParseError, match=r"^not an audit event: [^\n]+$"):
            decode(line)

    @given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
    @example(b"\x80")
    def test_anything(self, line: bytes) -> None:
        """Whatever the bytes, the line is an event or a ParseError."""
        with suppress(ParseError):
            decode(line)

    @given(st.dictionaries(st.sampled_from(["stage", "userAgent", "stageTimestamp", "x"]), json_values))
    def test_any_member(self, members: dict[str, object]) -> None:
        """It is so whatever stands in one of an event's members."""
        with suppress(ParseError):
            decode(event(**members))  # type: ignore[arg-type]


class TestSampleText:
    """An event as it is shown."""

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (b'{"a":1}', '{"a":1}'),
            (b' {"a": 1} \r\n', '{"a": 1}'),
            (b'{"a":1,"requestObject":{"b":[2]},"c":"\\u0026"}', '{"a":1,"c":"\\u0026"}'),
            (b'{"responseObject":{},"requestObject":null}', "{}"),
            (b'{"a":"requestObject"}', '{"a":"requestObject"}'),
            (b'{"a":"\xff"}', '{"a":"\ufffd"}'),
        ],
    )
    def test_text(self, line: bytes, text: str) -> None:
        """It is the line less its objects, as it was written."""
        assert sample_text(line) == text

    def test_no_utf_8(self) -> None:
        """A member's name that is no UTF-8 does no harm, with objects or without."""
        for line in (b'{"\xff":1}', b'{"\xff":1,"requestObject":{}}'):
            assert '":1' in sample_text(line)

    @given(st.text(max_size=30))
    def test_length(self, text: str) -> None:
        """At most 8 KB are shown, never a part of a character."""
        line = ("x" * 8180 + text).encode("utf-8", "replace")
        shown = sample_text(line)
        assert len(shown.encode()) <= 8192
        assert line.decode().strip().startswith(shown)


def test_a_date_that_no_calendar_has() -> None:
    """A time in the API server's own form is taken as it is, however its line is read; it names no moment."""
    line = event(requestReceivedTimestamp="2026-02-30T00:00:00.000000Z")
    decoded = decode_lines(line)
    assert decoded is not None
    assert decoded.received == [decode(line).received]
    assert parse_time(decoded.received[0]) is None
