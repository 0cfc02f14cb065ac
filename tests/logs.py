"""What the tests of audit logs are given: the recorded server's swagger and logs, and events made up."""

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

from auditsvc.core.counting import Counting
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
E2E = "e2e.test/v1.34.0 (linux/amd64) kubernetes/abc -- "


def at(seconds: float) -> str:
    """So many seconds after noon, as the API server writes times."""
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event(
    audit_id: str = "a",
    stage: str = "ResponseComplete",
    *,
    uri: str = "/api/v1/pods",
    verb: str = "list",
    agent: str | None = "kubectl/v1.34.0",
    code: int | None = 200,
    received: float = 0.0,
    staged: float | None = None,
    **more: object,
) -> bytes:
    """One line of an audit log; times are seconds after noon. `more` replaces members, None leaves out."""
    members: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": audit_id,
        "stage": stage,
        "requestURI": uri,
        "verb": verb,
        "user": {"username": "admin"},
        "userAgent": agent,
        "responseStatus": {"metadata": {}, "code": code} if code is not None else None,
        "requestReceivedTimestamp": at(received),
        "stageTimestamp": at(received if staged is None else staged),
    } | more
    kept = {name: value for name, value in members.items() if value is not None}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@cache
def recorded_swagger(demo_data: Path) -> Swagger:
    """The recorded server's document."""
    return parse_swagger(gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes()))


@cache
def recorded_mapper(demo_data: Path) -> OperationMapper:
    """Its operations, found."""
    return OperationMapper(recorded_swagger(demo_data))


@cache
def unpacked(file: Path) -> bytes:
    """A packed log's text."""
    return gzip.decompress(file.read_bytes())


def counted(mapper: OperationMapper, text: bytes, *, file: str = "audit.log", block: int = 1000) -> Usage:
    """What a log used, in one pass of so many lines at a time."""
    counting = Counting(mapper, file=file, sampled=True)
    count_lines(counting, lines_of(text), block=block)
    return counting.usage()


def count_lines(counting: Counting, lines: list[bytes], *, block: int) -> None:
    """Counts lines, so many at a time."""
    for start in range(0, len(lines), block):
        counting.count(b"".join(lines[start : start + block]))


def stream_of(text: bytes) -> io.BufferedReader:
    """The text as something that can be read once, like standard input."""
    return io.BufferedReader(cast(io.RawIOBase, io.BytesIO(text)))


def lines_of(text: bytes) -> list[bytes]:
    """The lines of a log, each with its line feed; the last may lack it."""
    return [line + b"\n" for line in text.split(b"\n")[:-1]] + [
        line for line in text.split(b"\n")[-1:] if line
    ]
