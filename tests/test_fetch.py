"""Documents from paths and URLs: a real server, real files."""

import gzip
import socket
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from auditsvc.errors import FetchError
from auditsvc.fetch import is_url, read

TEXT = b"- a\n- b\n"
PACKED = gzip.compress(TEXT, mtime=0)


def test_reads_a_file(tmp_path: Path) -> None:
    """A path is read as it is."""
    file = tmp_path / "list.yaml"
    file.write_bytes(TEXT)
    assert read(str(file)) == TEXT


@pytest.mark.parametrize(
    "packed", [PACKED, gzip.compress(TEXT[:4], mtime=0) + gzip.compress(TEXT[4:], mtime=0)]
)
def test_unpacks_gzip_whatever_its_name(tmp_path: Path, packed: bytes) -> None:
    """gzip is known by its first bytes; several members in a row are one file."""
    file = tmp_path / "list.yaml"
    file.write_bytes(packed)
    assert read(str(file)) == TEXT


@pytest.mark.parametrize(
    ("content", "limit", "message"),
    [
        (None, 100, "No such file or directory"),
        (PACKED[:-9], 100, "Compressed file ended before the end-of-stream marker was reached"),
        (b"\x1f\x8b not gzip", 100, "Unknown compression method"),
        (TEXT, 7, "it is larger than 7 bytes"),
        (gzip.compress(bytes(1 << 20)), 5000, "it is larger than 5,000 bytes"),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, limit: int, message: str
) -> None:
    """A file that is absent, broken or too large (packed or unpacked) is told in one line with its name."""
    file = tmp_path / "list.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FetchError) as raised:
        read(str(file), limit=limit)
    assert str(raised.value) == f"cannot read {file}: {message}"


def test_a_file_of_the_limit_is_read(tmp_path: Path) -> None:
    """The limit is the most that is allowed."""
    file = tmp_path / "list.yaml"
    file.write_bytes(TEXT)
    assert read(str(file), limit=len(TEXT)) == TEXT


def test_a_folder_is_no_document(tmp_path: Path) -> None:
    """A folder is told as one."""
    with pytest.raises(FetchError, match="Is a directory"):
        read(str(tmp_path))


def test_reads_a_url(httpserver: HTTPServer) -> None:
    """An http:// URL is fetched, and unpacked where the file itself is gzip."""
    httpserver.expect_request("/plain").respond_with_data(TEXT)
    httpserver.expect_request("/packed.gz").respond_with_data(gzip.compress(TEXT))
    assert read(httpserver.url_for("/plain")) == TEXT
    assert read(httpserver.url_for("/packed.gz")) == TEXT


def test_follows_redirects(httpserver: HTTPServer) -> None:
    """A document that moved is found."""
    moved = Response(status=302, headers={"Location": "/new"})
    httpserver.expect_request("/old").respond_with_response(moved)
    httpserver.expect_request("/new").respond_with_data(TEXT)
    assert read(httpserver.url_for("/old")) == TEXT


def test_asks_an_overloaded_server_again(httpserver: HTTPServer) -> None:
    """A 503 is asked again."""
    httpserver.expect_ordered_request("/list").respond_with_data("busy", status=503)
    httpserver.expect_ordered_request("/list").respond_with_data(TEXT)
    assert read(httpserver.url_for("/list")) == TEXT


def test_gives_up_on_a_server_that_stays_overloaded(httpserver: HTTPServer) -> None:
    """After some tries the answer is told."""
    httpserver.expect_request("/list").respond_with_data("busy", status=503)
    with pytest.raises(FetchError, match=r"cannot read .*/list: 503 SERVICE UNAVAILABLE"):
        read(httpserver.url_for("/list"))
    assert len(httpserver.log) == 4


def test_an_answer_that_is_no_document_is_told(httpserver: HTTPServer) -> None:
    """A 404 is an error with its URL and status, once."""
    httpserver.expect_request("/list").respond_with_data("what?", status=404)
    with pytest.raises(FetchError, match=r"cannot read .*/list: 404 NOT FOUND"):
        read(httpserver.url_for("/list"))
    assert len(httpserver.log) == 1


def test_a_download_ends_at_the_limit(httpserver: HTTPServer) -> None:
    """Of a body without end only as much is read as is allowed."""
    produced = 0

    def endless(_: Request) -> Response:
        def body() -> object:
            nonlocal produced
            while produced < 1 << 30:
                produced += 1 << 20
                yield bytes(1 << 20)

        return Response(body(), direct_passthrough=True)  # type: ignore[arg-type] # a generator of bytes

    httpserver.expect_request("/endless").respond_with_handler(endless)
    with pytest.raises(FetchError, match="it is larger than 1,000,000 bytes"):
        read(httpserver.url_for("/endless"), limit=1_000_000)
    assert produced < 200 << 20


def test_nobody_there_is_told_in_words() -> None:
    """A port where nobody listens gives the system's words, not a chain of Python objects."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FetchError) as raised:
        read(f"http://127.0.0.1:{port}/list")
    assert str(raised.value) == f"cannot read http://127.0.0.1:{port}/list: Connection refused"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://", "cannot read http://: Invalid URL 'http://': No host supplied"),
        ("http://no-such-host.invalid/x", "cannot read http://no-such-host.invalid/x: "),
    ],
)
def test_a_url_that_leads_nowhere_is_told(url: str, message: str) -> None:
    """A URL without a host, or with one that does not exist, is told in one line."""
    with pytest.raises(FetchError) as raised:
        read(url)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert "object at" not in str(raised.value)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("http://a/b", True),
        ("HTTPS://a/b", True),
        ("list.yaml", False),
        ("/a/http://b", False),
        ("ftp://a/b", False),
        ("", False),
    ],
)
def test_knows_urls(source: str, expected: bool) -> None:
    """What starts with http:// or https:// is a URL, anything else a path."""
    assert is_url(source) is expected
