"""How values stand in columns: times as sortable text, mappings as JSON, what is big as zstd."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

try:
    from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # from Python 3.14 on
except ImportError:
    from backports import zstd

ZstdError: type[Exception] = zstd.ZstdError
"""What :func:`decompress` raises for a frame that is damaged."""

_LEVEL = 1
"""The fastest, which makes samples as small as the usual one does, and a swagger by a tenth larger."""

_counts = msgspec.json.Decoder(dict[str, int])


def time_text(moment: datetime) -> str:
    """``2023-01-16T20:23:08.000000Z``: UTC, always with microseconds, so that text sorts as time does."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='microseconds')[: -len('+00:00')]}Z"


def optional_time_text(moment: datetime | None) -> str | None:
    """:func:`time_text` of a time that may be unknown."""
    return None if moment is None else time_text(moment)


def parse_time(text: str) -> datetime:
    """What :func:`time_text` wrote."""
    return datetime.fromisoformat(text)


def parse_optional_time(text: str | None) -> datetime | None:
    """What :func:`optional_time_text` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def json_text(value: object) -> str:
    """JSON of mappings, sequences and Structs, as UTF-8 text for SQLite's JSON functions."""
    return msgspec.json.encode(value).decode()


def parse_counts(text: str) -> Mapping[str, int]:
    """The JSON object of integers that :func:`json_text` wrote."""
    return _counts.decode(text)


def compress(data: bytes) -> bytes:
    """The data as one zstd frame."""
    return bytes(zstd.compress(data, _LEVEL))


def decompress(frame: bytes) -> bytes:
    """What :func:`compress` was given."""
    return bytes(zstd.decompress(frame))


def minor_text(minor: tuple[int, int] | None) -> str | None:
    """``1.34``: a minor version as text; None stays None."""
    return minor and f"{minor[0]}.{minor[1]}"
