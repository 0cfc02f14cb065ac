"""HTTP as all that is fetched needs it: sessions, what a server is shown, bodies, and errors in words.

requests is slow to import, and many commands fetch nothing: it is imported where it is used.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from auditsvc.errors import FetchError
from auditsvc.fetch.local import reason_of

if TYPE_CHECKING:
    import requests

CHUNK_BYTES = 1 << 20

TIMEOUTS = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""

LONGEST_SECONDS = 3600.0
"""For one document or download, however steadily it drips."""

RETRIES = 3
BACKOFF_SECONDS = 0.2


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is shown, and what it must show: a bearer token, a certificate authority.

    Both are files, read when they are needed: a token in a pod is replaced every hour.
    """

    token_file: Path | None = None
    ca_file: Path | None = None


NOTHING = Trust()
"""For what anybody may read."""


def session() -> "requests.Session":
    """An HTTP session that asks again where a connection fails or a server is overloaded; never a POST."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    retry = Retry(
        RETRIES,
        backoff_factor=BACKOFF_SECONDS,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # it may ask for an hour, and somebody waits
    )
    opened = requests.Session()
    for scheme in ("http://", "https://"):
        opened.mount(scheme, HTTPAdapter(max_retries=retry))
    return opened


def bearer(token_file: Path | None) -> Callable[[Any], Any] | None:
    """What shows a token, where there is one. As auth: requests replaces a header by what a .netrc says."""
    if token_file is None:
        return None
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise FetchError(f"cannot read the token in {token_file}: {reason_of(error)}") from error

    def authorize(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def authority(ca_file: Path | None) -> str | bool:
    """Whom a server's certificate must be from: the file's, else those that the system trusts."""
    if ca_file is None:
        return True
    try:
        import ssl

        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise FetchError(f"cannot use the certificate authority in {ca_file}: {reason_of(error)}") from error
    return str(ca_file)


def body_chunks(answer: "requests.Response", deadline: float, *, decoded: bool) -> Iterator[bytes]:
    """The body as it comes, until a deadline by the monotonic clock; unpacked where ``decoded``.

    Not iter_content, which waits until a chunk is full, however slowly it fills.
    """
    import requests

    while chunk := answer.raw.read1(CHUNK_BYTES, decode_content=decoded):
        yield chunk
        if time.monotonic() > deadline:
            raise requests.Timeout


def transport_errors() -> tuple[type[Exception], ...]:
    """What is raised where a request or its answer does not get through."""
    import requests
    import urllib3

    return requests.RequestException, urllib3.exceptions.HTTPError


@contextmanager
def told(url: str) -> Iterator[None]:
    """Turns such an error into a FetchError of one line."""
    try:
        yield
    except transport_errors() as error:
        raise FetchError(f"cannot read {url}: {why(error)}") from error


def why(error: Exception) -> str:
    """The cause of a failed request in a few words; requests' own text is a chain of objects."""
    import requests
    import urllib3

    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        arguments = [argument for argument in cause.args if isinstance(argument, BaseException)]
        reason = getattr(cause, "reason", None)
        cause = reason if isinstance(reason, BaseException) else next(iter(arguments), cause.__cause__)
    return " ".join(str(error).split())
