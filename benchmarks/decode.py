"""The floor of counting a log: read it, and decode each line to a Struct of the fields in use. No more."""

import sys
from pathlib import Path

import msgspec


class Response(msgspec.Struct):
    """The part of a response's status that is in use."""

    code: int | None = None


class Annotations(msgspec.Struct):
    """Those in use."""

    deprecated: str | None = msgspec.field(default=None, name="k8s.io/deprecated")
    removed_release: str | None = msgspec.field(default=None, name="k8s.io/removed-release")


class Event(msgspec.Struct, rename="camel"):
    """The fields in use of an audit event, those of auditsvc.core.events."""

    audit_id: str = msgspec.field(name="auditID")
    stage: str
    verb: str
    request_uri: str = msgspec.field(name="requestURI")
    user_agent: str | None = None
    response_status: Response | None = None
    request_received_timestamp: str | None = None
    stage_timestamp: str | None = None
    annotations: Annotations | None = None


def decode_each(log: Path) -> None:
    """Decodes the lines of a log."""
    decode = msgspec.json.Decoder(Event).decode
    with log.open("rb") as lines:
        for line in lines:
            decode(line)


if __name__ == "__main__":
    decode_each(Path(sys.argv[1]))
