"""What Kubernetes' audit webhook sends: an ``audit.k8s.io/v1`` EventList."""

from collections import defaultdict
from datetime import date

import msgspec

from auditsvc.core.events import UNKNOWN_TIME, decode
from auditsvc.errors import ParseError

API_VERSION = "audit.k8s.io/v1"


class _EventList(msgspec.Struct):
    kind: str
    api_version: str = msgspec.field(name="apiVersion")
    items: list[msgspec.Raw]


_decoder = msgspec.json.Decoder(_EventList)


def parse_event_list(body: bytes) -> dict[date, bytes]:
    """The events, one a line as in a log, by the UTC day on which their requests were received.

    All stages of a request name that same time, so none of them is on another day. Raises ParseError, which
    names the item, where the list is none or has an item that is no audit event: it is refused whole.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"body: not an {API_VERSION} EventList: {error}") from error
    if (found.kind, found.api_version) != ("EventList", API_VERSION):
        raise ParseError(f"body: not an {API_VERSION} EventList: it is {found.api_version} {found.kind}")
    days: dict[date, list[bytes]] = defaultdict(list)
    for number, item in enumerate(found.items):
        line = _line(bytes(item))
        days[_day(line, number)].append(line)
    return {day: b"\n".join([*lines, b""]) for day, lines in sorted(days.items())}


def _line(item: bytes) -> bytes:
    return msgspec.json.format(item, indent=-1) if b"\n" in item or b"\r" in item else item


def _day(line: bytes, number: int) -> date:
    try:
        event = decode(line)
    except ParseError as error:
        raise ParseError(f"items[{number}]: {error}") from error
    time = event.received if event.received != UNKNOWN_TIME else event.staged
    if time == UNKNOWN_TIME:
        raise ParseError(f"items[{number}]: not an audit event: it names no time")
    return date.fromisoformat(time[:10])
