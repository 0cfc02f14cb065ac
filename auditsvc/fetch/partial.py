"""A download under way, which can go on where it was cut."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from auditsvc.errors import FetchError
from auditsvc.fetch.http import transport_errors
from auditsvc.fetch.local import reason_of, too_large

if TYPE_CHECKING:
    import requests

Progress = Callable[[int, int | None], None]
"""Told how many bytes there are, and how many there will be (None: unknown)."""


class Partial:
    """The bytes so far of what a URL holds; ``whole`` when they are all. FetchError beyond ``limit``."""

    def __init__(self, url: str, file: IO[bytes], limit: int, progress: Progress) -> None:
        self.whole = False
        self.done = 0
        self._url = url
        self._file = file
        self._limit = limit
        self._progress = progress
        self._etag = ""

    @property
    def headers(self) -> dict[str, str]:
        """Asks for the rest, where there is something and it is known of what; for all of it otherwise."""
        rest = {"Range": f"bytes={self.done}-", "If-Range": self._etag} if self.done and self._etag else {}
        return {"Accept-Encoding": "gzip", **rest}

    def take(self, answer: "requests.Response", chunks: Iterator[bytes]) -> None:
        """Writes what comes of the answer to a request with these headers."""
        resumed = answer.status_code == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {self.done}-"):
            raise FetchError(f"cannot read {self._url}: asked for its rest, the server sent another part")
        if self.done and not resumed:
            self.done = self._file.seek(0)
            self._file.truncate()
        etag = answer.headers.get("ETag", "")
        self._etag = "" if etag.startswith("W/") else etag  # a weak one does not promise the same bytes
        length = answer.headers.get("Content-Length", "")
        total = self.done + int(length) if length.isdecimal() else None
        for chunk in chunks:
            self._write(chunk)
            self._progress(self.done, total)
        self.whole = True

    def _write(self, chunk: bytes) -> None:
        self.done += len(chunk)
        if self.done > self._limit:
            raise too_large(self._url, self._limit)
        self._file.write(chunk)


@contextmanager
def written(target: Path) -> Iterator[IO[bytes]]:
    """A new file to write to; FetchError where that fails."""
    try:
        with target.open("wb") as file:
            yield file
    except transport_errors():  # requests' own are OSErrors too
        raise
    except OSError as error:
        raise FetchError(f"cannot write {target}: {reason_of(error)}") from error
