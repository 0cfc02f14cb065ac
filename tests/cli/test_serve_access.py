"""``auditsvc serve`` and who gets in: the real server, its tokens and its limits."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import CommandLine, Server
from tests.web.made import log_bytes, swagger_bytes

TIMEOUT = 30
ADMIN = "0123456789abcdef0123456789abcdef"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - that it is refused is tested


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def status(server: Server, token: str | None = None, path: str = "/audit") -> int:
    """What a call is answered with."""
    headers = bearer(token) if token else {}
    return requests.get(server.url + path, headers=headers, timeout=TIMEOUT).status_code


def connected(server: Server) -> socket.socket:
    """A connection to a server."""
    port = int(server.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)


def answer_of(connection: socket.socket) -> str:
    """All that a server still sends."""
    received = b""
    while data := connection.recv(4096):
        received += data
    return received.decode()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_others_are_not_served_without_a_token(auditsvc: CommandLine, command: str) -> None:
    """One line that names the remedies, and 2."""
    ran = auditsvc(command, "--host", EVERYWHERE, "--port", 0)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: 0.0.0.0 can be reached from elsewhere, and there is no token: ")
    assert ran.stderr.endswith("or give --insecure\n")
    assert ran.stderr.count("\n") == 1


def test_insecure_serves_everybody(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """Who says so gets it: until there is a token, which then is needed at once."""
    server = serve(auditsvc, "serve", "--host", EVERYWHERE, "--port", 0, "--insecure")
    assert status(server) == 200
    token = auditsvc("token", "create", "--role", "reader").stdout.strip()
    assert (status(server), status(server, token)) == (401, 200)


@pytest.mark.parametrize("variable", ["AUDITSVC_ADMIN_TOKEN", "AUDITSVC_ADMIN_TOKEN_FILE"])
def test_the_first_admin_makes_the_other_tokens(
    auditsvc: CommandLine, serve: Callable[..., Server], tmp_path: Path, variable: str
) -> None:
    """A container's secret lets the first administrator in; a writer's token of theirs serves the CI."""
    file = tmp_path / "admin-token"
    file.write_text(f"{ADMIN}\n")
    auditsvc.variables[variable] = str(file) if variable.endswith("FILE") else f" {ADMIN}\n"
    server = serve(auditsvc, "serve", "--host", EVERYWHERE, "--port", 0)
    assert (status(server), status(server, ADMIN), status(server, path="/healthz")) == (401, 200, 200)
    made = requests.post(f"{server.url}/tokens?role=writer", headers=bearer(ADMIN), timeout=TIMEOUT)
    client = CommandLine(tmp_path, tmp_path / "none", {"AUDITSVC_TOKEN": made.json()["data"]["token"]})
    ran = client("audit", "--server", server.url, "--window", "1d")
    assert ran.stderr == "auditsvc: nothing was audited: no source of any audit was ever received\n"
    assert file.read_text().strip() not in auditsvc.stored()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"AUDITSVC_ADMIN_TOKEN": "short"}, "AUDITSVC_ADMIN_TOKEN: not 16 or more"),
        (
            {"AUDITSVC_ADMIN_TOKEN_FILE": "/no/such"},
            "AUDITSVC_ADMIN_TOKEN_FILE (/no/such) cannot be read: No ",
        ),
        ({"AUDITSVC_ADMIN_TOKEN": ADMIN, "AUDITSVC_ADMIN_TOKEN_FILE": "x"}, "AUDITSVC_ADMIN_TOKEN and "),
    ],
)
def test_an_admin_token_that_is_none_is_told(
    auditsvc: CommandLine, variables: dict[str, str], message: str
) -> None:
    """One line and 2."""
    auditsvc.variables.update(variables)
    ran = auditsvc("serve", "--host", EVERYWHERE, "--port", 0)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1


def test_tokens_take_effect_while_serving(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """In every worker, at once: whoever was let in by a token is not any more when it is revoked."""
    server = serve(auditsvc, "serve", "--port", 0, "--workers", 2)
    assert status(server) == 200
    token = auditsvc("token", "create", "--role", "reader").stdout.strip()
    assert {status(server) for _ in range(10)} == {401}
    assert {status(server, token) for _ in range(10)} == {200}
    auditsvc("token", "revoke", token.split("_")[1])
    assert {status(server, token) for _ in range(10)} == {401}


def test_the_client_tells_of_a_refusal(
    auditsvc: CommandLine, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """Without a token, with none that holds, with one that does not do: a line, also for a large upload."""
    auditsvc.variables["AUDITSVC_ACCESS"] = "tokens"
    server = serve(auditsvc, "serve", "--port", 0)
    reader = auditsvc("token", "create", "--role", "reader").stdout.strip()
    (tmp_path / "audit.log").write_bytes(os.urandom(1 << 24))
    for token, message in (
        (
            None,
            (
                "401: a token is needed: send one as `Authorization: Bearer <token>` "
                "(`auditsvc token create` makes one where the server runs) (AUDITSVC_TOKEN is not set)"
            ),
        ),
        ("nonsense", "401: no such token"),
        (reader, f"403: this needs a token of the role writer, and {reader.split('_')[1]} is a reader's"),
    ):
        client = CommandLine(tmp_path, tmp_path / "none", {"AUDITSVC_TOKEN": token} if token else {})
        for words in (["--commit"], ["--upload", "audit.log", "--kind", "ci"]):
            ran = client("audit", "--server", server.url, *words)
            assert (ran.returncode, ran.stdout) == (2, "")
            assert ran.stderr == f"auditsvc: {server.url} answered {message}\n"


HEAD = b"POST /runs?kind=ci HTTP/1.1\r\nHost: localhost\r\n"
FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="log"; filename="a"\r\n\r\n'
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 1000\r\n\r\n",
        HEAD + FORM + b"Content-Length: 1000\r\n\r\n" + PART,
        HEAD + CHUNKED + b"\r\n3e8\r\n",
        HEAD + FORM + CHUNKED + b"\r\n3e8\r\n" + PART,
    ],
    ids=["body", "form", "chunked", "chunked form"],
)
def test_a_client_that_sends_a_byte_a_second(
    auditsvc: CommandLine, serve: Callable[..., Server], start: bytes
) -> None:
    """It is sent away with 408 when its time is over; the only thread is free again and nothing is stored."""
    auditsvc.variables["AUDITSVC_MAX_UPLOAD_TIME"] = "3s"
    server = serve(auditsvc, "serve", "--port", 0, "--threads", 1)
    assert status(server, path="/readyz") == 200
    before = auditsvc.stored()
    with connected(server) as slow:
        slow.sendall(start)
        began = time.monotonic()
        slow.settimeout(1)
        received = b""
        while not received and time.monotonic() - began < 10:
            slow.sendall(b"{")
            try:
                received = slow.recv(4096)
            except TimeoutError:
                continue
        assert 2 < time.monotonic() - began < 6
        text = received.decode() + answer_of(slow)
    assert text.startswith("HTTP/1.1 408 ")
    assert "body: did not arrive within 3 s (max_upload_time)" in text
    assert status(server, path="/readyz") == 200
    assert auditsvc.stored() == before
    assert server.stop()[0] == 0


def test_a_chunk_that_is_none_is_told(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """400 in the envelope: it is the client's mistake and no bug of ours."""
    server = serve(auditsvc, "serve", "--port", 0)
    with connected(server) as client:
        client.sendall(HEAD + CHUNKED + b"\r\nnonsense\r\n")
        text = answer_of(client)
    assert text.startswith("HTTP/1.1 400 ")
    assert "body: broken off, or not in the form that its headers say" in text
    assert server.stop() == (0, "")


def test_headers_that_arrive_a_byte_a_second(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """As many such clients as there are threads do not keep anybody out for longer than ten seconds."""
    server = serve(auditsvc, "serve", "--port", 0, "--threads", 2)
    assert status(server, path="/healthz") == 200
    slow = [connected(server) for _ in range(2)]
    for client in slow:
        client.sendall(b"GET /audit HTTP/1.1\r\n")
    began = time.monotonic()
    answered = threading.Event()

    def ask() -> None:
        assert status(server, path="/healthz") == 200
        answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while not answered.wait(1) and time.monotonic() - began < 20:
        for client in slow:
            with suppress(OSError):  # it was ended, which is the point
                client.sendall(b"X")
    asking.join()
    assert 5 < time.monotonic() - began < 14
    for client in slow:
        client.close()


def zeros(size: int) -> Iterator[bytes]:
    """Zeros packed by gzip, a thousandth of that many bytes, in pieces."""
    member = gzip.compress(bytes(1 << 26))
    for _ in range(size >> 26):
        yield member


def memory(server: Server) -> int:
    """The most memory, in KB, that any process of the server ever had."""
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in children]
    return max(
        int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmHWM")
    )


@pytest.mark.parametrize("line", [b"", b"{}\n"], ids=["no line", "lines"])
@pytest.mark.parametrize("logs", [1, 2])
def test_a_bomb_does_not_go_off(
    auditsvc: CommandLine, serve: Callable[..., Server], logs: int, line: bytes
) -> None:
    """A log that unpacks to far more than it is: 413 that names the limit, little memory, nothing stored."""
    auditsvc.variables["AUDITSVC_MAX_UNPACKED_BYTES"] = str(1 << 30)
    server = serve(auditsvc, "serve", "--port", 0)
    assert requests.put(f"{server.url}/swagger/v1.34.0", data=swagger_bytes(), timeout=TIMEOUT).ok
    for name in ("pending", "ineligible"):
        bomb = requests.put(f"{server.url}/lists/{name}", data=b"".join(zeros(1 << 28)), timeout=TIMEOUT)
        assert bomb.status_code == 413
    before = auditsvc.stored()
    bomb_bytes = gzip.compress(line) + b"".join(zeros(1 << 31))
    assert len(bomb_bytes) < 4 << 20
    files = [("log", (f"{number}.log.gz", bomb_bytes)) for number in range(logs)]
    answer = requests.post(f"{server.url}/runs", data={"kind": "ci"}, files=files, timeout=TIMEOUT)
    assert answer.status_code == 413
    assert answer.json()["message"] == "0.log.gz: unpacks to more than 1073741824 bytes (max_unpacked_bytes)"
    assert memory(server) < 250_000
    stored = [text for text in auditsvc.stored().splitlines() if "jobs" not in text]
    assert stored == [text for text in before.splitlines() if "jobs" not in text]


def test_a_log_below_the_limit_is_taken(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """To the byte."""
    log = log_bytes()
    for limit, expected in ((len(log), 201), (len(log) - 1, 413)):
        auditsvc.variables["AUDITSVC_MAX_UNPACKED_BYTES"] = str(limit)
        server = serve(auditsvc, "serve", "--port", 0)
        requests.put(f"{server.url}/swagger/v1.34.0", data=swagger_bytes(), timeout=TIMEOUT)
        answer = requests.post(f"{server.url}/runs?kind=ci", data=gzip.compress(log), timeout=TIMEOUT)
        assert answer.status_code == expected, answer.text
        assert server.stop()[0] == 0
