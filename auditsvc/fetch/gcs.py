"""Google Cloud Storage's JSON API, as far as reading a public bucket needs it."""

from urllib.parse import quote, urlencode

import msgspec

from auditsvc.errors import FetchError

GCS_ENDPOINT = "https://storage.googleapis.com"
"""Where gs:// leads."""

_SCHEME = "gs://"


class RemoteObject(msgspec.Struct, frozen=True):
    """An object of a bucket: its gs:// URL, and its size in bytes as it is stored."""

    url: str
    size: int

    @property
    def name(self) -> str:
        """The last part of its URL."""
        return self.url.rpartition("/")[2]


class Item(msgspec.Struct):
    """An object, as a listing names it."""

    name: str
    size: int = 0


class Page(msgspec.Struct, rename="camel"):
    """A part of a listing; the API leaves out what is empty."""

    prefixes: list[str] = []
    items: list[Item] = []
    next_page_token: str = ""


def is_gcs(source: str) -> bool:
    """Whether a source is a gs:// URL."""
    return source.startswith(_SCHEME)


def gcs_url(bucket: str, name: str) -> str:
    """The gs:// URL of an object."""
    return f"{_SCHEME}{bucket}/{name}"


def split_gcs(url: str) -> tuple[str, str]:
    """The bucket and the name of a gs:// URL."""
    bucket, _, name = url.removeprefix(_SCHEME).partition("/")
    return bucket, name


def object_address(endpoint: str, url: str) -> str:
    """Where an object is read."""
    bucket, name = split_gcs(url)
    return f"{endpoint}/{quote(bucket, safe='')}/{quote(name)}"


def listing_address(endpoint: str, url: str, **query: str) -> str:
    """Where the names are listed that start as a gs:// URL does."""
    bucket, prefix = split_gcs(url)
    return f"{endpoint}/storage/v1/b/{quote(bucket, safe='')}/o?{urlencode({'prefix': prefix, **query})}"


def parse_page(body: bytes, url: str) -> Page:
    """A listing's answer. Raises FetchError where it is none."""
    try:
        return msgspec.json.decode(body, type=Page, strict=False)  # a size is a number as text
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FetchError(f"cannot list {url}: not what a bucket answers: {error}") from None
