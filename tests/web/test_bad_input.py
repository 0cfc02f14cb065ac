"""What is wrong with a request is said in one line that names it, and the store stays as it was."""

import gzip
import io
import re
import resource
import sqlite3
import tracemalloc
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from auditsvc.service import Service
from auditsvc.web import create_app
from tests.web.made import INELIGIBLE, data_of, fill, log_bytes, message_of, swagger_bytes

DEEP = b"[" * 200_000
LOG = "request body: no audit event in it (expected one audit.k8s.io/v1 Event as JSON on each line)"


@pytest.fixture(autouse=True)
def unchanged(service: Service, client: FlaskClient) -> Iterator[None]:
    """A store with something in it that each test leaves as it was, and an empty spool folder."""
    fill(client)
    before = contents(service)
    yield
    assert contents(service) == before
    assert not list(service.spool.iterdir())


def contents(service: Service) -> list[str]:
    """All that is in the database."""
    connection = sqlite3.connect(f"file:{service.store.path}?mode=ro", uri=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        ("GET /audit?window=fortnight", "illegal window: fortnight"),
        ("GET /audit?window=", "illegal window: "),
        ("GET /runs?window=7D", "illegal window: 7D"),
        ("POST /audit?window=2026-01-02,2026-01-01", "illegal window: 2026-01-02,2026-01-01"),
        ("GET /audit?type=AuditNothing", "unknown audit type: AuditNothing (known are Audit"),
        ("POST /audit?window=2d&type=nothing", "unknown audit type: nothing (known are Audit"),
        ("POST /audit", "commit: "),
        ("POST /audit?commit=false", "commit: "),
        ("POST /audit?commit=perhaps", "commit: Not a valid boolean."),
        ("GET /audit?windw=7d", "windw: unknown parameter (known are window, type)"),
        ("GET /healthz?deep=true", "deep: unknown parameter (it takes none)"),
        ("GET /audit?window=1d&window=2d", "window: given 2 times, and once is enough"),
        ("GET /runs?limit=0", "limit: Must be "),
        ("GET /runs?limit=1001", "limit: Must be "),
        ("GET /runs?limit=ten", "limit: Not a valid integer."),
        ("GET /runs?offset=99999999999999999999", "offset: Must be "),
        ("GET /runs?kind=nightly", "kind: Must be one of: ci, pull, app, live."),
        ("GET /audit/jobs?state=lost", "state: Must be one of: queued, running, done, failed, interrupted."),
        ("GET /lists/pending?at=yesterday", "at: not an RFC 3339 time such as 2026-01-31T12:00:00Z"),
        ("GET /lists/pending?at=2026-01-31T12:00:00", "at: not an RFC 3339 time"),
        ("GET /lists/pending?at=0001-01-01T00:00:00%2B14:00", "at: not an RFC 3339 time"),
    ],
)
def test_parameter_is_named(client: FlaskClient, request_line: str, message: str) -> None:
    """Unknown, impossible, missing or given twice: 400, and nothing is guessed."""
    method, path = request_line.split()
    assert message_of(client.open(path, method=method), 400).startswith(message)


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /runs/none",
        "DELETE /runs/none",
        "GET /runs/none/audit",
        "GET /runs/none/operations",
        "GET /runs/none/operations/listPod",
        "GET /runs/none/compare",
        "POST /audit?run=none",
    ],
)
def test_unknown_run_is_404(client: FlaskClient, request_line: str) -> None:
    """Wherever a run is named."""
    method, path = request_line.split()
    message = message_of(client.open(path, method=method), 404)
    assert message == "unknown run: none (GET /runs lists them)"


def test_unknown_job_is_404(client: FlaskClient) -> None:
    """A job is asked for by its id."""
    assert message_of(client.get("/audit/jobs/none"), 404).startswith("unknown job: none")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "kind: missing: say which kind of run it is (ci, pull, app or live)"),
        ("kind=nightly", "kind: Must be one of: ci, pull, app, live."),
        ("kind=ci&cluster=", "cluster: "),
        ("kind=ci&finished=soon", "finished: not an RFC 3339 time"),
        ("kind=ci&started=2026-01-18T00:00:00Z&finished=2026-01-17T00:00:00Z", "finished: before started"),
        ("kind=ci&version=newest", "version: not a version such as v1.34.0"),
        ("kind=ci&swagger=abc", "swagger: not the hash of a stored document"),
        ("kind=ci&colour=red", "colour: unknown parameter (known are kind, result, cluster, "),
    ],
)
def test_origin_of_an_upload_is_checked(client: FlaskClient, query: str, message: str) -> None:
    """What an upload says of itself is understood or refused, before the log is read."""
    assert message_of(client.post(f"/runs?{query}", data=log_bytes()), 400).startswith(message)


def test_document_of_an_upload_must_be_stored(client: FlaskClient) -> None:
    """A hash that the store does not know is 404."""
    answer = client.post(f"/runs?kind=ci&swagger={'0' * 64}", data=log_bytes())
    assert message_of(answer, 404).startswith(f"unknown swagger: {'0' * 64}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "body: empty, and this is where the upload belongs"),
        (b"\n\n", LOG),
        (b"hello\n", LOG),
        (b'{"kind":"Pod"}\n', LOG),
        (DEEP, LOG),
        (b'{"auditID":"\xff\xfe"}\n' * 3, LOG),
        (gzip.compress(b""), LOG),
        (gzip.compress(log_bytes())[:-9], "cannot read request body: "),
        (b"\x1f\x8bnot gzip at all", "cannot read request body: "),
        (b"\x28\xb5\x2f\xfd nor zstandard", "cannot read request body: "),
    ],
    ids=["empty", "blank", "text", "json", "deep", "not-utf8", "no-line", "truncated", "gzip", "zstandard"],
)
def test_log_that_is_none(client: FlaskClient, body: bytes, message: str) -> None:
    """No audit event, a packing that breaks off, bytes of something else: 400."""
    assert message_of(client.post("/runs?kind=ci", data=body), 400).startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"swagger":"2.0","paths":{}}',
        b'{"swagger":"1.2","paths":{}}',
        b'{"swagger":"2.0","paths":' + DEEP,
        b'{"swagger":"\xff"}',
        swagger_bytes()[:-2],
        gzip.compress(swagger_bytes())[:-9],
    ],
    ids=["empty", "text", "list", "object", "no-path", "old", "deep", "not-utf8", "cut", "truncated"],
)
def test_swagger_that_is_none(client: FlaskClient, body: bytes) -> None:
    """400 that says where, when it is uploaded alone and when a run brings it."""
    alone = message_of(client.put("/swagger/v1.34.0", data=body), 400)
    form = {
        "kind": "ci",
        "log": (io.BytesIO(log_bytes()), "a"),
        "swagger": (io.BytesIO(body), "swagger.json"),
    }
    brought = message_of(client.post("/runs", data=form), 400)
    assert alone
    assert brought


@pytest.mark.parametrize("version", ["newest", "v1", "v99999999.1"])
def test_version_that_is_none(client: FlaskClient, version: str) -> None:
    """A swagger is of a version."""
    answer = client.put(f"/swagger/{version}", data=swagger_bytes())
    assert version in message_of(answer, 400)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"createPod: pending\n", "line 1, column 1: expected a list of endpoints, found a mapping"),
        (b"- 1\n", "line 1, column 3: expected an operationId"),
        (b"- \xff\n", "line 1, column 3: not UTF-8"),
        (b"- a\n- [", "line "),
        (DEEP[:5000], "line 1, column 21: nested deeper than 20 levels"),
    ],
    ids=["mapping", "number", "not-utf8", "cut", "deep"],
)
def test_list_that_is_none(client: FlaskClient, body: bytes, message: str) -> None:
    """It is refused whole, with the place; one that a run brings, with its part."""
    assert message_of(client.put("/lists/pending", data=body), 400).startswith(message)
    form = {"kind": "ci", "log": (io.BytesIO(log_bytes()), "a"), "pending": (io.BytesIO(body), "p.yaml")}
    assert message_of(client.post("/runs", data=form), 400).startswith(f"pending: {message}")


def test_policy_that_is_none(client: FlaskClient) -> None:
    """It is refused with the run, with its part and line; so is a hash of none, and one that is too large."""
    before = data_of(client.get("/runs"))
    parts = {b"rules:\n- }": "policy: line 2, column 3: not YAML", b"": "policy: line 1: an empty document"}
    for body, message in parts.items():
        form = {"kind": "ci", "log": (io.BytesIO(log_bytes()), "a"), "policy": (io.BytesIO(body), "p.yaml")}
        assert message_of(client.post("/runs", data=form), 400).startswith(message)
    form = {"kind": "ci", "log": (io.BytesIO(log_bytes()), "a"), "policy": (io.BytesIO(b"#" * 65537), "p")}
    assert message_of(client.post("/runs", data=form), 413).startswith("policy: larger than 65536 bytes")
    unknown = client.post(f"/runs?kind=ci&policy={'0' * 64}", data=log_bytes())
    assert message_of(unknown, 404).startswith(f"unknown policy: {'0' * 64}")
    assert data_of(client.get("/runs")) == before


def test_form_without_a_log(client: FlaskClient) -> None:
    """The part has one name, and no other part is guessed to be it."""
    missing = "log: missing: send the audit log as the part log, or as the whole body"
    form = {"kind": "ci", "pending": (io.BytesIO(b"[]"), "pending.yaml")}
    assert message_of(client.post("/runs", data=form), 400) == missing
    form = {"kind": "ci", "logs": (io.BytesIO(log_bytes()), "audit.log")}
    assert message_of(client.post("/runs", data=form), 400) == (
        "logs: unknown part (known are log, swagger, pending, ineligible, policy)"
    )
    assert (
        message_of(client.post("/runs?kind=ci", data=b"x", content_type="multipart/form-data"), 400)
        == missing
    )


def test_form_with_a_document_given_twice(client: FlaskClient) -> None:
    """A part and a hash, or two parts: which one is meant is not guessed."""
    message = "pending: given more than once; send one part or one hash"
    for second in ("0" * 64, (io.BytesIO(b"[]"), "b.yaml")):
        form = {
            "kind": "ci",
            "log": (io.BytesIO(log_bytes()), "audit.log"),
            "pending": [(io.BytesIO(b"[]"), "a.yaml"), second],
        }
        assert message_of(client.post("/runs", data=form), 400) == message


def test_body_over_the_limit(service: Service) -> None:
    """413, declared or found out, raw or as a form; the limit is the configured one."""
    limited = replace(service, config=replace(service.config, max_upload_bytes=1000))
    client = create_app(limited).test_client()
    message = "body: larger than 1000 bytes, or of too many parts"
    body = log_bytes() * 10
    assert message_of(client.post("/runs?kind=ci", data=body), 413) == message
    form = {"kind": "ci", "log": (io.BytesIO(body), "audit.log")}
    assert message_of(client.post("/runs", data=form), 413) == message
    assert message_of(client.put("/lists/pending", data=INELIGIBLE * 100), 413) == message
    undeclared = client.post(
        "/runs?kind=ci", input_stream=io.BytesIO(body), environ_overrides={"wsgi.input_terminated": True}
    )
    assert message_of(undeclared, 413) == message


def test_form_over_the_limit(client: FlaskClient) -> None:
    """A form of parameters is small: it is parsed in memory."""
    form = {"window": "2d", "type": ["swaggerTotal"] * 10_000}
    assert message_of(client.post("/audit", data=form), 413).startswith("body: larger than 65536 bytes")


def test_disk_that_is_full(client: FlaskClient) -> None:
    """503, not a bug: raw and as a form. (A limit of the process stands in for the disk's end.)"""
    body = b"x" * 400_000  # small enough for the client to keep it in memory
    form = {"kind": "ci", "log": (io.BytesIO(body), "audit.log")}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        answers = [client.post("/runs?kind=ci", data=body), client.post("/runs", data=form)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for answer in answers:
        assert re.match(r"cannot keep the upload in .*/spool/.*: File too large$", message_of(answer, 503))


def test_document_that_is_large_when_unpacked(client: FlaskClient) -> None:
    """A few packed bytes cannot fill the memory."""
    bomb = gzip.compress(b" " * ((64 << 20) + 1), 1)
    message = f"request body: larger than {64 << 20} bytes"
    assert message_of(client.put("/swagger/v1.34.0", data=bomb), 413) == message


def test_body_that_breaks_off(client: FlaskClient) -> None:
    """A client that went away has uploaded nothing, however the server ends its stream."""
    body = log_bytes()
    for environ in ({}, {"wsgi.input_terminated": True}):
        answer = client.post(
            "/runs?kind=ci",
            input_stream=io.BytesIO(body[:-10]),
            environ_overrides={**environ, "CONTENT_LENGTH": str(len(body))},
        )
        message = message_of(answer, 400)
    assert message == f"body: broken off after {len(body) - 10} of {len(body)} bytes"


class Endless(io.RawIOBase):
    """A stream of one byte over and over, so many times."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer is one of bytes here
        """Fills the buffer."""
        size = min(len(buffer), self._left)
        buffer[:size] = b"x" * size
        self._left -= size
        return size


def test_line_of_100_mb_is_streamed(client: FlaskClient) -> None:
    """It is no audit event, and neither it nor the body is ever held in memory whole."""
    size = 100 << 20
    environ = {"wsgi.input": io.BufferedReader(Endless(size)), "CONTENT_LENGTH": str(size)}
    tracemalloc.start()
    answer = client.post("/runs?kind=ci", environ_overrides=environ)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message_of(answer, 400) == LOG
    assert peak < size
