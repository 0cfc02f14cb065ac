"""What is behind a path, and what every kind of source has in common."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, cast

from auditsvc.errors import FetchError

LIMIT_BYTES = 256 << 20
"""More than any document has: a swagger is 4 MB, a list some KB."""

_GZIP = b"\x1f\x8b"


def is_url(source: str) -> bool:
    """Whether a source is the URL of a web server, not a path."""
    return source.lower().startswith(("http://", "https://"))


def read_file(path: str, limit: int) -> bytes:
    """What a file holds, unpacked where it is gzip: at most ``limit`` bytes either way."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise FetchError(f"cannot read {path}: {reason_of(error)}") from error
    return unpack(path, content, limit)


def unpack(source: str, content: bytes, limit: int) -> bytes:
    """The content, unpacked where it is gzip, if it is within the limit."""
    if content.startswith(_GZIP):
        try:
            with gzip.open(cast(IO[bytes], BytesIO(content))) as file:
                content = file.read(limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise FetchError(f"cannot read {source}: {reason_of(error)}") from error
    if len(content) > limit:
        raise too_large(source, limit)
    return content


def too_large(source: str, limit: int) -> FetchError:
    """What is wrong with a source of more bytes than are allowed."""
    return FetchError(f"cannot read {source}: it is larger than {limit:,} bytes")


def reason_of(error: Exception) -> str:
    """What the system says of a file, else the error's own words."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
