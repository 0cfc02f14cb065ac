"""Buckets, downloads and the cache: a real server with its bad days."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug import Request, Response

from auditsvc.errors import FetchError
from auditsvc.fetch import read
from auditsvc.fetch.fetcher import Fetcher
from auditsvc.fetch.gcs import RemoteObject
from auditsvc.fetch.http import CHUNK_BYTES, Trust
from tests.gcs import BUCKET, FakeGcs, Handler, cut, drip, ranged, refuse, stall

URL = f"gs://{BUCKET}/logs/a.log"
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def fetcher(gcs: FakeGcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetcher]:
    """A fetcher that does not wait for long."""
    for module in ("fetcher", "http"):
        monkeypatch.setattr(f"auditsvc.fetch.{module}.BACKOFF_SECONDS", 0.01)
    with Fetcher(gcs_endpoint=gcs.url, cache=tmp_path / "cache", timeouts=(5, 0.3)) as fetcher:
        yield fetcher


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a download goes."""
    return tmp_path / "target"


def test_folders(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """The folders right below one, over as many pages as it takes, and nothing else."""
    gcs.put(
        {f"logs/job/{n}/x/y": b"" for n in range(5)}
        | {"logs/job/latest-build.txt": b"", "logs/jobs/9/z": b""}
    )
    assert list(fetcher.folders(f"gs://{BUCKET}/logs/job/")) == ["0", "1", "2", "3", "4"]
    assert len(gcs.requests) == 3
    assert list(fetcher.folders(f"gs://{BUCKET}/logs/none/")) == []


def test_folders_from_a_name_on(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """The server leaves out what comes before a name."""
    gcs.put({f"logs/job/{n}/x": b"" for n in range(5)})
    assert list(fetcher.folders(f"gs://{BUCKET}/logs/job/", since="3")) == ["3", "4"]
    assert gcs.requests[0].args["startOffset"] == "logs/job/3"


def test_objects(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """Everything whose name starts so, with its size."""
    gcs.put({"b/audit/audit.log": b"1234", "b/audit-x.txt": b"", "b/a": b"", "b/audit/deep/er": b"1"})
    assert list(fetcher.objects(f"gs://{BUCKET}/b/audit")) == [
        RemoteObject(f"gs://{BUCKET}/b/audit-x.txt", 0),
        RemoteObject(f"gs://{BUCKET}/b/audit/audit.log", 4),
        RemoteObject(f"gs://{BUCKET}/b/audit/deep/er", 1),
    ]
    assert RemoteObject(f"gs://{BUCKET}/b/audit/deep/er", 1).name == "er"


def test_names_of_any_kind(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """A name is a name, whatever characters are in it."""
    for name in ("a b", "ä?x=1&y#z", "100%", "a+b", "%2F"):
        gcs.put({f"odd/{name}": name.encode()})
    for found in fetcher.objects(f"gs://{BUCKET}/odd/"):
        fetcher.download(found.url, target)
        assert target.read_bytes().decode() == found.name


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"items": 1}', b'{"items": [{"size": "1"}]}', b'{"prefixes": ["\xff"]}']
)
def test_what_is_no_listing_is_told(gcs: FakeGcs, fetcher: Fetcher, body: bytes) -> None:
    """A server that is no bucket is told as such, with the URL."""
    gcs.faults["*"] = [lambda _request, _content: Response(body)]
    with pytest.raises(FetchError, match=f"^cannot list gs://{BUCKET}/logs/: not what a bucket answers: .+"):
        list(fetcher.folders(f"gs://{BUCKET}/logs/"))


def test_a_listing_without_end(gcs: FakeGcs, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that always has another page is not believed for ever."""
    monkeypatch.setattr("auditsvc.fetch.fetcher._MOST_PAGES", 5)
    more = json.dumps({"prefixes": ["logs/a/"], "nextPageToken": "x"})
    gcs.faults["*"] = [lambda _request, _content: Response(more)] * 9
    with pytest.raises(FetchError, match="there is no end to it"):
        list(fetcher.folders(f"gs://{BUCKET}/logs/"))
    assert len(gcs.requests) == 5


def test_reads_an_object(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """A gs:// URL is read like any other, and unpacked where it is gzip."""
    gcs.put({"logs/a.log": gzip.compress(CONTENT)})
    assert fetcher.read(URL) == CONTENT
    assert fetcher.read_if_there(URL) == CONTENT


def test_a_cut_document_is_asked_for_again(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """So is one that stalls, and a part of a listing."""
    gcs.put({"logs/a.log": CONTENT})
    for faults in ([cut(0), refuse(503), cut(9)], [stall(10, gcs.ending)]):
        for reading in (fetcher.read, fetcher.read_if_there):
            gcs.faults["logs/a.log"] = list(faults)
            assert reading(URL) == CONTENT
    gcs.faults["*"] = [lambda request, _content: cut(9)(request, b'{"items": []}')] * 2
    assert len(list(fetcher.objects(f"gs://{BUCKET}/logs/"))) == 1


def test_a_cut_document_that_is_cached(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """What is kept is the whole document."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [cut(9)]
    assert [fetcher.read_cached(f"{gcs.url}/{BUCKET}/logs/a.log") for _ in range(2)] == [CONTENT] * 2


def test_a_document_that_is_always_cut(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """It is given up, and told."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [cut(9)] * 9
    with pytest.raises(FetchError, match=f"cannot read {URL}: .*9 bytes read"):
        fetcher.read(URL)
    assert len(gcs.requests) == 4


def test_what_is_not_there(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """An object that may be missing is None, any other is told; so is what the server refuses."""
    assert fetcher.read_if_there(URL) is None
    for reading in (fetcher.read, fetcher.read_cached, lambda url: fetcher.download(url, target)):
        with pytest.raises(FetchError, match=f"^cannot read {URL}: 404 NOT FOUND$"):
            reading(URL)
    gcs.faults["logs/a.log"] = [refuse(403)]
    with pytest.raises(FetchError, match=f"^cannot read {URL}: 403 FORBIDDEN$"):
        fetcher.read_if_there(URL)


def test_the_public_service_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration gs:// leads to Google, through the proxy that the environment names."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"^cannot read gs://b/o: Connection refused$"):
        read("gs://b/o")


def test_a_token_is_shown_to_its_server_alone(gcs: FakeGcs, tmp_path: Path) -> None:
    """The bucket's token goes with gs://, another one with the URL it is for; a newly written one is used."""
    token, other = tmp_path / "token", tmp_path / "other"
    token.write_text("one\n")
    other.write_text("mine")
    gcs.put({"logs/a.log": CONTENT})
    plain = f"{gcs.url}/{BUCKET}/logs/a.log"
    with Fetcher(gcs_endpoint=gcs.url, gcs=Trust(token_file=token)) as fetcher:
        fetcher.read(URL)
        list(fetcher.objects(URL))
        token.write_text("two\n")
        fetcher.read(URL)
        fetcher.read(plain)
        fetcher.read_cached(plain, trust=Trust(token_file=other))
        assert [request.headers.get("Authorization") for request in gcs.requests] == [
            "Bearer one",
            "Bearer one",
            "Bearer two",
            None,
            "Bearer mine",
        ]
        token.unlink()
        with pytest.raises(
            FetchError, match=f"^cannot read the token in {token}: No such file or directory$"
        ):
            fetcher.read(URL)


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    """A certificate authority's file must be there, and hold one."""
    file = tmp_path / "ca.pem"
    for reason in ("No such file or directory", ".*NO_CERTIFICATE_OR_CRL_FOUND.*"):
        with (
            Fetcher() as fetcher,
            pytest.raises(FetchError, match=f"^cannot use the .+ in {file}: {reason}$"),
        ):
            fetcher.read_cached("https://127.0.0.1:9/", trust=Trust(ca_file=file))
        file.write_text("nothing")


def test_a_download(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """All bytes are in the file, which is new; progress ends with their number."""
    target.write_bytes(b"x" * 99999)
    gcs.put({"logs/a.log": CONTENT})
    told: list[tuple[int, int | None]] = []
    fetcher.download(URL, target, progress=lambda done, total: told.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    gcs.put({"logs/a.log": b""})
    fetcher.download(URL, target)
    assert target.read_bytes() == b""


def test_what_is_packed_for_the_way_stays_packed(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """Of an object that is stored packed the very bytes are kept: a log may be packed."""
    gcs.put({"logs/a.log": gzip.compress(CONTENT)})
    gcs.headers["logs/a.log"]["Content-Encoding"] = "gzip"
    gcs.faults["logs/a.log"] = [cut(50, **{"Content-Encoding": "gzip"})]
    fetcher.download(URL, target)
    assert target.read_bytes() == gcs.objects["logs/a.log"]
    assert fetcher.read(URL) == CONTENT


@pytest.mark.parametrize(
    "faults",
    [
        [cut(1000)],
        [cut(1000), refuse(503), cut(1), cut(5000)],
        [cut(0), cut(0)],
        [refuse(503), refuse(502), refuse(429)],
        [cut(100, ETag='W/"weak"'), cut(10, ETag="")],
        [cut(len(CONTENT) - 1)],
    ],
)
def test_a_cut_download_goes_on(gcs: FakeGcs, fetcher: Fetcher, target: Path, faults: list[Handler]) -> None:
    """However the connection fails, the file is whole in the end."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = list(faults)
    fetcher.download(URL, target)
    assert target.read_bytes() == CONTENT
    assert not gcs.faults["logs/a.log"]


def test_only_the_rest_is_sent_again(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """After a cut only the missing bytes are asked for, of the very same object."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [cut(1000)]
    fetcher.download(URL, target)
    first, second = gcs.requests
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=1000-"
    assert second.headers["If-Range"].startswith('"')


def test_an_object_that_is_replaced_meanwhile(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """No file is half the one and half the other."""
    gcs.put({"logs/a.log": CONTENT})

    def replaced(request: Request, content: bytes) -> Response:
        gcs.put({"logs/a.log": b"another"})
        return cut(1000)(request, content)

    gcs.faults["logs/a.log"] = [replaced]
    fetcher.download(URL, target)
    assert target.read_bytes() == b"another"


def test_a_stalled_download_goes_on(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """A server that falls silent is asked again for the rest."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [stall(1000, gcs.ending)]
    fetcher.download(URL, target)
    assert target.read_bytes() == CONTENT


def test_a_server_that_always_cuts(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """After some tries without much news the download is given up."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [cut(10)] * 9
    with pytest.raises(FetchError, match=f"^cannot read {URL}: .+"):
        fetcher.download(URL, target)
    assert len(gcs.faults["logs/a.log"]) == 5


def test_as_many_cuts_as_it_takes(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """A long download that is cut now and then is not given up."""
    content = bytes(8 * CHUNK_BYTES)
    gcs.put({"logs/a.log": content})
    gcs.faults["logs/a.log"] = [cut(CHUNK_BYTES + 1)] * 7
    fetcher.download(URL, target)
    assert target.stat().st_size == len(content)


def test_another_part_than_asked_for(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """A server that sends the wrong bytes is not believed."""

    def wrong(request: Request, content: bytes) -> Response:
        answer = ranged(request, content, {})
        answer.headers["Content-Range"] = "bytes 5-9/10"
        return answer

    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [cut(1000), wrong]
    with pytest.raises(FetchError, match="asked for its rest, the server sent another part"):
        fetcher.download(URL, target)


def test_silence_is_told(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """A document that does not come is told in words, soon."""
    gcs.put({"logs/a.log": CONTENT})
    gcs.faults["logs/a.log"] = [stall(10, gcs.ending)] * 4
    start = time.monotonic()
    with pytest.raises(FetchError, match=f"^cannot read {URL}: no answer in time$"):
        fetcher.read(URL)
    assert time.monotonic() - start < 5


def test_a_drip_is_not_waited_for(gcs: FakeGcs, target: Path) -> None:
    """A server that sends a byte now and then is given up after the longest time, not at its last byte."""
    gcs.faults["logs/a.log"] = [drip(gcs.ending)] * 9
    with Fetcher(gcs_endpoint=gcs.url, longest=0.5) as fetcher:
        for reading in (fetcher.read, lambda url: fetcher.download(url, target)):
            start = time.monotonic()
            with pytest.raises(FetchError, match="no answer in time"):
                reading(URL)
            assert time.monotonic() - start < 5


def test_limits(gcs: FakeGcs, fetcher: Fetcher, target: Path) -> None:
    """More bytes than are allowed are not taken."""
    gcs.put({"logs/a.log": CONTENT})
    readings: list[Callable[[], object]] = [
        lambda: fetcher.download(URL, target, limit=9999),
        lambda: fetcher.read_if_there(URL, limit=9999),
        lambda: fetcher.read_cached(URL, limit=9999),
    ]
    for reading in readings:
        with pytest.raises(FetchError, match=f"^cannot read {URL}: it is larger than 9,999 bytes$"):
            reading()
    fetcher.download(URL, target, limit=len(CONTENT))


def test_a_file_that_cannot_be_written(gcs: FakeGcs, fetcher: Fetcher, tmp_path: Path) -> None:
    """What is wrong on our side is told as such."""
    gcs.put({"logs/a.log": CONTENT})
    with pytest.raises(FetchError, match=r"^cannot write /.*/nowhere/x: No such file or directory$"):
        fetcher.download(URL, tmp_path / "nowhere" / "x")
    with pytest.raises(FetchError, match=r"^cannot write /dev/full: No space left on device$"):
        fetcher.download(URL, Path("/dev/full"))


@pytest.mark.parametrize(
    ("sent", "asked"),
    [
        (
            {"ETag": '"1"', "Last-Modified": "Fri, 16 Jan 2026 12:00:00 GMT"},
            ["If-None-Match", "If-Modified-Since"],
        ),
        ({"ETag": 'W/"1"'}, ["If-None-Match"]),
        ({"Last-Modified": "Fri, 16 Jan 2026 12:00:00 GMT"}, ["If-Modified-Since"]),
        ({}, []),
    ],
)
def test_a_document_is_sent_once(
    gcs: FakeGcs, fetcher: Fetcher, sent: dict[str, str], asked: list[str]
) -> None:
    """A document that came with a mark is asked for with it, and not sent again while it is the same."""
    document = gzip.compress(CONTENT)

    def answer(request: Request, _content: bytes) -> Response:
        same = any(name in request.headers for name in asked)
        return Response(b"" if same else document, 304 if same else 200, sent)

    gcs.faults["list.yaml"] = [answer] * 3
    url = f"{gcs.url}/{BUCKET}/list.yaml"
    assert [fetcher.read_cached(url) for _ in range(3)] == [CONTENT] * 3
    marks = ("If-None-Match", "If-Modified-Since")
    assert [[name for name in marks if name in request.headers] for request in gcs.requests] == [
        [],
        asked,
        asked,
    ]


def test_a_document_that_changed(gcs: FakeGcs, fetcher: Fetcher) -> None:
    """The server has the last word; documents of other URLs are other documents."""
    for content in (b"one", b"two", b"two"):
        gcs.put({"list": content, "other": b"other"})
        assert fetcher.read_cached(f"gs://{BUCKET}/list") == content
        assert fetcher.read_cached(f"gs://{BUCKET}/other") == b"other"


@pytest.mark.parametrize(
    "damage", [b"", b"{}\n", b"not JSON\nx", b'{"sha256": "0", "conditions": {"If-None-Match": "1"}}\nx']
)
def test_a_damaged_cache_is_no_trouble(gcs: FakeGcs, fetcher: Fetcher, tmp_path: Path, damage: bytes) -> None:
    """What is not whole is fetched again."""
    gcs.put({"list": b"one"})
    fetcher.read_cached(f"gs://{BUCKET}/list")
    [kept] = (tmp_path / "cache").iterdir()
    kept.write_bytes(damage)
    assert fetcher.read_cached(f"gs://{BUCKET}/list") == b"one"
    assert "If-None-Match" not in gcs.requests[-1].headers


def test_a_cache_that_cannot_be_written(gcs: FakeGcs, tmp_path: Path) -> None:
    """Nothing depends on it."""
    gcs.put({"list": b"one"})
    (tmp_path / "file").touch()
    with Fetcher(gcs_endpoint=gcs.url, cache=tmp_path / "file" / "cache") as fetcher:
        assert fetcher.read_cached(f"gs://{BUCKET}/list") == b"one"
        assert fetcher.read_cached(f"gs://{BUCKET}/list") == b"one"


def test_the_cache_is_bounded(gcs: FakeGcs, fetcher: Fetcher, tmp_path: Path) -> None:
    """Every commit has its own documents; those of long ago are forgotten."""
    for number in range(40):
        gcs.put({f"list-{number}": b"x"})
        fetcher.read_cached(f"gs://{BUCKET}/list-{number}")
    assert len(list((tmp_path / "cache").iterdir())) == 32
