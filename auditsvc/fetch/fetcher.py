"""Reads paths and URLs, each kind in its own way."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack

import msgspec

from auditsvc.errors import FetchError
from auditsvc.fetch.cache import Cache
from auditsvc.fetch.gcs import (
    GCS_ENDPOINT,
    Page,
    RemoteObject,
    gcs_url,
    is_gcs,
    listing_address,
    object_address,
    parse_page,
    split_gcs,
)
from auditsvc.fetch.http import (
    BACKOFF_SECONDS,
    CHUNK_BYTES,
    LONGEST_SECONDS,
    NOTHING,
    RETRIES,
    TIMEOUTS,
    Trust,
    authority,
    bearer,
    body_chunks,
    session,
    told,
    transport_errors,
)
from auditsvc.fetch.local import LIMIT_BYTES, is_url, read_file, unpack
from auditsvc.fetch.partial import Partial, Progress, written

if TYPE_CHECKING:
    import requests

_MOST_PAGES = 1000  # of 1000 names each: a server that says "there is more" for ever is not believed


def no_progress(_done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


class _Asked(TypedDict, total=False):
    """What a request may say: where to send it if not where the URL says, and which status is no error."""

    at: str
    headers: Mapping[str, str]
    trust: Trust | None
    allowed: int


class Fetcher:
    """Reads over one HTTP session. For one thread, within ``with``; FetchError where something fails.

    ``gcs`` is what Google Cloud Storage at ``gcs_endpoint`` is shown. ``cache`` is a folder for
    :meth:`read_cached`. ``timeouts`` are as in TIMEOUTS, ``longest`` as in LONGEST_SECONDS.
    """

    def __init__(
        self,
        *,
        gcs_endpoint: str = GCS_ENDPOINT,
        gcs: Trust = NOTHING,
        cache: Path | None = None,
        timeouts: tuple[float, float] = TIMEOUTS,
        longest: float = LONGEST_SECONDS,
    ) -> None:
        self._gcs_endpoint = gcs_endpoint.rstrip("/")
        self._gcs = gcs
        self._cache = Cache(cache) if cache else None
        self._timeouts = timeouts
        self._longest = longest
        self._opened: requests.Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._opened.close()

    def read(self, source: str, *, limit: int = LIMIT_BYTES) -> bytes:
        """What a file or URL holds, unpacked where it is gzip: at most ``limit`` bytes either way."""
        if not is_url(source) and not is_gcs(source):
            return read_file(source, limit)
        return unpack(source, self._document(source, limit).content, limit)

    def read_if_there(self, url: str, *, limit: int = LIMIT_BYTES) -> bytes | None:
        """What a URL holds; None where the server knows no such thing."""
        answer = self._document(url, limit, allowed=404)
        return None if answer.status == 404 else unpack(url, answer.content, limit)

    def read_cached(self, url: str, *, trust: Trust | None = None, limit: int = LIMIT_BYTES) -> bytes:
        """What a URL holds; sent again only where the server says that it has changed."""
        kept = self._cache.find(url) if self._cache else None
        answer = self._document(url, limit, headers=kept.conditions if kept else {}, trust=trust)
        if kept and answer.status == 304:
            return unpack(url, kept.content, limit)
        unpacked = unpack(url, answer.content, limit)
        if self._cache:
            self._cache.keep(url, answer.headers, answer.content)
        return unpacked

    def download(
        self, url: str, target: Path, *, limit: int = LIMIT_BYTES, progress: Progress = no_progress
    ) -> None:
        """Writes what a URL holds to a file, never all of it in memory.

        A stream that is cut or stalls is resumed. What the server packs for the way stays packed: only of
        such bytes can it send the rest.
        """
        deadline = time.monotonic() + self._longest
        with told(url), written(target) as file:
            partial = Partial(url, file, limit, progress)
            tries = 0
            while not partial.whole:
                before = partial.done
                try:
                    with self._opened_answer(url, headers=partial.headers) as answer:
                        partial.take(answer, body_chunks(answer, deadline, decoded=False))
                except transport_errors():
                    tries = 1 if partial.done >= before + CHUNK_BYTES else tries + 1
                    if tries > RETRIES or time.monotonic() > deadline:
                        raise
                    time.sleep(BACKOFF_SECONDS * 2**tries)

    def folders(self, url: str, *, since: str = "") -> Iterator[str]:
        """The names of the folders right below a gs:// URL that ends in /, in order, from a name on."""
        start = {"startOffset": split_gcs(url)[1] + since} if since else {}
        for page in self._pages(url, fields="prefixes,nextPageToken", delimiter="/", **start):
            for folder in page.prefixes:
                yield folder.rstrip("/").rpartition("/")[2]

    def objects(self, url: str) -> Iterator[RemoteObject]:
        """The objects whose gs:// URL starts so, in order."""
        bucket, _ = split_gcs(url)
        for page in self._pages(url, fields="items(name,size),nextPageToken"):
            for item in page.items:
                yield RemoteObject(gcs_url(bucket, item.name), item.size)

    def _pages(self, url: str, **query: str) -> Iterator[Page]:
        for _ in range(_MOST_PAGES):
            address = listing_address(self._gcs_endpoint, url, **query)
            page = parse_page(self._document(url, LIMIT_BYTES, at=address).content, url)
            yield page
            if not page.next_page_token:
                return
            query["pageToken"] = page.next_page_token
        raise FetchError(f"cannot list {url}: there is no end to it")

    def _document(self, url: str, limit: int, **asked: Unpack[_Asked]) -> "_Document":
        """An answer with its body; one that is cut or stalls is asked for anew.

        The session's own tries end where the headers are there.
        """
        deadline, tries = time.monotonic() + self._longest, 0
        with told(url):
            while True:
                with self._opened_answer(url, **asked) as answer:
                    try:
                        content = _body(answer, limit, deadline)
                        return _Document(answer.status_code, answer.headers, content)
                    except transport_errors():
                        tries += 1
                        if tries > RETRIES or time.monotonic() > deadline:
                            raise
                time.sleep(BACKOFF_SECONDS * 2**tries)

    @contextmanager
    def _opened_answer(self, url: str, **asked: Unpack[_Asked]) -> Iterator["requests.Response"]:
        trust = asked.get("trust") or (self._gcs if is_gcs(url) else NOTHING)
        with self._session.get(
            asked.get("at") or (object_address(self._gcs_endpoint, url) if is_gcs(url) else url),
            headers=asked.get("headers"),
            auth=bearer(trust.token_file),
            verify=authority(trust.ca_file),
            timeout=self._timeouts,
            stream=True,
        ) as answer:
            if not answer.ok and answer.status_code != asked.get("allowed"):
                raise FetchError(f"cannot read {url}: {answer.status_code} {answer.reason}")
            yield answer

    @property
    def _session(self) -> "requests.Session":
        if self._opened is None:
            self._opened = session()
        return self._opened


class _Document(msgspec.Struct, frozen=True):
    """An answer that is there as a whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def _body(answer: "requests.Response", limit: int, deadline: float) -> bytes:
    """The body, up to the chunk that makes it longer than the limit."""
    content = bytearray()
    for chunk in body_chunks(answer, deadline, decoded=True):
        content += chunk
        if len(content) > limit:
            break
    return bytes(content)
