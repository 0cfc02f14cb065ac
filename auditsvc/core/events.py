"""Audit events of ``audit.k8s.io/v1``: only the fields in use are decoded."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Literal, NamedTuple, cast

import msgspec

from auditsvc.errors import ParseError

SAMPLE_BYTES = 8192
TIME_LENGTH = 27
UNKNOWN_TIME = " " * TIME_LENGTH
"""Stands for a time that the event lacks; sorts before every other."""

AFTER_ALL = "~"
"""Sorts after every time."""

_TIME_SHAPE = "0000-00-00T00:00:00.000000Z"
_DIGITS = {ord(digit): "0" for digit in "123456789"}
_ASCII_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")


Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
"""When in a request's life the API server logged it; the last two end it."""

ENDED: frozenset[Stage] = frozenset({"ResponseComplete", "Panic"})


class ResponseStatus(msgspec.Struct, gc=False):
    """The part of a response's status that is in use."""

    code: int | None = None


class Annotations(msgspec.Struct, gc=False):
    """The annotations that are in use: the API server marks requests to an API that is going away."""

    deprecated: str | None = msgspec.field(default=None, name="k8s.io/deprecated")
    removed_release: str | None = msgspec.field(default=None, name="k8s.io/removed-release")


class AuditEvent(msgspec.Struct, gc=False, rename={"audit_id": "auditID", "uri": "requestURI"}):
    """One audit event; times are RFC 3339 text as the API server writes it, microseconds and ``Z``."""

    audit_id: str
    stage: Stage
    uri: str
    verb: str
    agent: str | None = msgspec.field(default=None, name="userAgent")
    response: ResponseStatus | None = msgspec.field(default=None, name="responseStatus")
    received: str = msgspec.field(default=UNKNOWN_TIME, name="requestReceivedTimestamp")
    staged: str = msgspec.field(default=UNKNOWN_TIME, name="stageTimestamp")
    annotations: Annotations | None = None


class _ZeroTimes(AuditEvent, gc=False, rename={"audit_id": "auditID", "uri": "requestURI"}):
    """The same where a time may be null: Go writes a zero time so."""

    received: str | None = msgspec.field(default=None, name="requestReceivedTimestamp")  # type: ignore[assignment]
    staged: str | None = msgspec.field(default=None, name="stageTimestamp")  # type: ignore[assignment]


_decoder = msgspec.json.Decoder(_ZeroTimes)
_marked_decoder = msgspec.json.Decoder(AuditEvent | int)
_MARK = int.from_bytes(os.urandom(7)) | 1 << 56
_MARKED_LINE_FEED = f" {_MARK}\n".encode()


def decode(line: bytes) -> AuditEvent:
    """The audit event of one line, its times made uniform; ParseError where the line is none."""
    try:
        event = _decoder.decode(line)
        received, staged = uniform_time(event.received), uniform_time(event.staged)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError) as error:
        raise ParseError(f"not an audit event: {error}") from error
    return AuditEvent(
        event.audit_id,
        event.stage,
        event.uri,
        event.verb,
        event.agent,
        event.response,
        received,
        staged,
        event.annotations,
    )


class Events(NamedTuple):
    """Audit events, and the columns of their two times.

    ``source`` is what they were decoded from, kept for as long as they are: given back at once, its memory
    would go to the samples of their lines, and each block that follows would take new one.
    """

    events: list[AuditEvent]
    received: list[str]
    staged: list[str]
    source: bytes = b""

    def cut(self, start: int, end: int) -> "Events":
        """Those of them between two positions."""
        if start == 0 and end >= len(self.events):
            return self
        return Events(self.events[start:end], self.received[start:end], self.staged[start:end])

    def pick(self, wanted: Sequence[bool]) -> "Events":
        """Those of them that are wanted."""
        if all(wanted):
            return self
        return Events(
            [*compress(self.events, wanted)],
            [*compress(self.received, wanted)],
            [*compress(self.staged, wanted)],
        )


def decode_lines(block: bytes) -> Events | None:
    """The events of a block of whole lines, None where :func:`decode` must take it line by line.

    That is so where any line is no audit event, is empty, or writes its times in another way. The lines
    are decoded in one call, faster than one by one, which by itself would not tell where a line ends: so
    each line feed gets a mark before it, a number that nobody can know beforehand. Events and marks must
    then come in turn, which they do only if each line is one event: no part of one, and no two.
    """
    if not block.endswith(b"\n"):
        block += b"\n"
    marked = block.replace(b"\n", _MARKED_LINE_FEED)
    try:
        items = _marked_decoder.decode_lines(marked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    lines = (len(marked) - len(block)) // (len(_MARKED_LINE_FEED) - 1)
    if len(items) != 2 * lines or items[1::2] != [_MARK] * lines:
        return None
    events = cast(list[AuditEvent], items[::2])
    try:
        received = [event.received for event in events]
    except AttributeError:  # a number where an event belongs
        return None
    staged = [event.staged for event in events]
    return Events(events, received, staged, marked) if _all_uniform(received + staged) else None


def uniform_time(text: str | None) -> str:
    """An RFC 3339 time in UTC with six digits of a second and ``Z``, so that times sort as text.

    What is written so is taken as it is, though no calendar may have it; None is an unknown time.
    ValueError and OverflowError for what is no time with an offset.
    """
    if text is None:
        return UNKNOWN_TIME
    if text.translate(_DIGITS) == _TIME_SHAPE:
        return text
    moment = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", text))
    if moment.tzinfo is None:
        raise ValueError(f"a time without an offset: {text}")
    return render_time(moment)


def render_time(moment: datetime) -> str:
    """A moment as uniform text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime | None:
    """A uniform time as a moment; None for an unknown one and for a date that no calendar has."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def shift_time(text: str, by: timedelta) -> str:
    """A uniform time so much later; beyond the calendar's ends, a text before or after every time."""
    moment = parse_time(text)
    try:
        return UNKNOWN_TIME if moment is None else render_time(moment + by)
    except OverflowError:
        return "" if by < timedelta() else AFTER_ALL


def sample_text(line: bytes) -> str:
    """The event as it was logged, without request and response objects, at most 8 KB of it."""
    text = line.decode("utf-8", "replace").strip()
    # Most events have neither name, and not even that letter, which is found fastest.
    if "O" in text and ('"requestObject"' in text or '"responseObject"' in text):
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        kept = {name: raw for name, raw in members.items() if name not in ("requestObject", "responseObject")}
        text = msgspec.json.encode(kept).decode()
    if len(text) * 4 <= SAMPLE_BYTES:  # no character takes more bytes
        return text
    return text.encode()[:SAMPLE_BYTES].decode("utf-8", "ignore")


def _all_uniform(times: list[str]) -> bool:
    """Whether every time is written as the API server writes it; one look at all of them, at C speed."""
    joined = "\n".join([*times, ""]).encode("ascii", "replace")
    return joined.translate(_ASCII_DIGITS) == f"{_TIME_SHAPE}\n".encode() * len(times)
