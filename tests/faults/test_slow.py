"""Clients that take their time, and servers that are told to end meanwhile."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import requests

from tests.cli.conftest import CommandLine, Server
from tests.faults.processes import (
    END_SECONDS,
    TIMEOUT,
    answer_to,
    assert_whole,
    get,
    half_sent,
    until,
    wrapped,
)

HEAD = b"POST /runs?kind=ci HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"


def test_a_byte_a_second(auditsvc_with_runs: CommandLine, serve: Callable[..., Server]) -> None:
    """Clients that drip headers or a body keep nobody else waiting, and nothing of theirs is stored."""
    auditsvc = auditsvc_with_runs
    server = serve(auditsvc, "serve", "--port", 0, "--threads", 6)
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        drips = []
        for start in (HEAD[:20], HEAD):
            for _ in range(2):
                client = stack.enter_context(socket.create_connection((host, int(port)), timeout=TIMEOUT))
                client.sendall(start)
                drips.append(client)
        for _ in range(2):
            for client in drips:
                client.sendall(b"a")
            assert requests.get(f"{server.url}/healthz", timeout=TIMEOUT).ok
            assert len(get(server, "/runs")) == 2
            assert requests.post(f"{server.url}/audit?commit=true&wait=true", timeout=TIMEOUT).ok
            time.sleep(0.5)
    assert_whole(auditsvc)
    assert server.stop()[0] == 0
    assert len(auditsvc.stored().split('INSERT INTO "runs"')) - 1 == 2


def answers_soon(server: Server) -> bool:
    """Whether there is a thread that is free."""
    try:
        return requests.get(f"{server.url}/healthz", timeout=0.5).ok
    except requests.Timeout:
        return False


def test_answers_that_nobody_takes(auditsvc_with_runs: CommandLine, serve: Callable[..., Server]) -> None:
    """A client that asks and does not read is cut off, and whoever waited for its thread is served."""
    auditsvc = wrapped(auditsvc_with_runs, "tests.faults.impatient")
    server = serve(auditsvc, "serve", "--port", 0, "--threads", 2)
    host, port = server.url.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(b"GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n" * 100)
        until(lambda: not answers_soon(server))  # they fill what the system keeps for them, first
        assert requests.get(f"{server.url}/healthz", timeout=TIMEOUT).ok
    assert server.stop()[0] == 0


def test_an_upload_that_ends_in_time(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], demo_data: Path
) -> None:
    """SIGTERM: the upload under way is answered and stored, new clients are not, and the server ends."""
    auditsvc = auditsvc_with_runs
    server = serve(auditsvc, "serve", "--port", 0)
    assert len(get(server, "/runs")) == 2  # it is up
    log = (demo_data / "ci-audit.log.gz").read_bytes()
    with half_sent(server, log, kind="ci", build="1") as (client, rest):
        time.sleep(0.3)  # until the server has read some of it
        started = time.monotonic()
        server.process.terminate()
        time.sleep(0.5)
        client.sendall(rest)
        status, answer = answer_to(client)
    _, _ = server.process.communicate(timeout=TIMEOUT)
    assert time.monotonic() - started < END_SECONDS
    assert server.process.returncode == 0
    assert status == 201, answer
    assert answer["data"]["id"] in auditsvc.stored()
    assert_whole(auditsvc)
