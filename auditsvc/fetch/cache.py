"""Documents that were fetched before, and are fetched again only where they have changed."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

_DOCUMENTS = 32
_ASKED_BY = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


class Cached(msgspec.Struct, frozen=True):
    """A document as it came, and the headers that ask whether it still is the same."""

    conditions: dict[str, str]
    content: bytes


class Cache:
    """The documents that came last, a file each: a line of JSON, then the document.

    It saves traffic and no more: what cannot be read or written is fetched again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, url: str) -> Cached | None:
        """The document of that URL, if it is kept whole."""
        try:
            head, _, content = self._file(url).read_bytes().partition(b"\n")
            kept = json.loads(head)
            whole = kept["sha256"] == hashlib.sha256(content).hexdigest()
            return Cached(dict(kept["conditions"]), content) if whole else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """Keeps a document that came with an ETag or Last-Modified, and forgets the oldest."""
        conditions = {asked: headers[name] for name, asked in _ASKED_BY.items() if name in headers}
        if not conditions:
            return
        head = {"conditions": conditions, "sha256": hashlib.sha256(content).hexdigest()}
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self._file(url).with_suffix(".new")
            beside.write_bytes(json.dumps(head).encode() + b"\n" + content)
            beside.replace(self._file(url))
            for old in sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime)[:-_DOCUMENTS]:
                old.unlink()

    def _file(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()
