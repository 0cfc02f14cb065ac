"""kill -9 while audit events arrive: what was answered is there, and what is sent again counts once."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import CommandLine, Server
from tests.faults.processes import TIMEOUT, assert_whole, get, wrapped

POINTS = ["insert into runs", "insert into live_batches,commit"]
"""Where a batch is stored: in the middle of it, and when only the commit is left."""


def batches(log: Path) -> Iterator[bytes]:
    """A real log as an API server would have sent it."""
    lines = gzip.decompress(log.read_bytes()).splitlines()
    for start in range(0, len(lines), 1000):
        items = b",".join(lines[start : start + 1000])
        yield b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + items + b"]}"


def send(server: Server, batch: bytes) -> None:
    """A POST of the webhook's."""
    answer = requests.post(
        f"{server.url}/events/live", params={"timeout": "30s"}, data=batch, timeout=TIMEOUT
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("point", POINTS)
def test_batches(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], demo_data: Path, point: str
) -> None:
    """The server dies in each batch but the first: the run is as if the log had been read in one go."""
    auditsvc, log = auditsvc_with_runs, demo_data / "pull-audit.log.gz"
    first, *rest = batches(log)
    send(serve(auditsvc, "serve", "--port", 0), first)
    for batch in rest:
        killed = serve(wrapped(auditsvc, "tests.faults.killed_at", point), "serve", "--port", 0)
        with pytest.raises(requests.ConnectionError):
            send(killed, batch)
        killed.process.communicate(timeout=TIMEOUT)
        server = serve(auditsvc, "serve", "--port", 0)
        send(server, batch)
        send(server, batch)
    [run] = get(server, "/runs?kind=live")
    ran = auditsvc("parse", log, "--swagger", demo_data / "openapi-v2.json.gz", "--format", "json")
    whole, summary = json.loads(ran.stdout), get(server, f"/runs/{run['id']}")["summary"]
    told = ("requests", "mapped", "unmapped", "malformed")
    assert {name: summary[name] for name in told} == {name: whole[name] for name in told}
    assert summary["operations"] == len(whole["operations"])
    assert_whole(auditsvc)
