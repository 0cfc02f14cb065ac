"""``auditsvc serve``: the real server, on a port of its own."""

import gzip
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from auditsvc.service import utc_now
from auditsvc.store import Store
from auditsvc.store.jobs import JobState
from tests.cli.conftest import CommandLine, Server

TIMEOUT = 30


def test_from_upload_to_audit_set(
    auditsvc: CommandLine, serve: Callable[..., Server], demo_data: Path
) -> None:
    """The real logs go to the real server, are audited, and are read back as an AuditSet; SIGTERM ends it."""
    server = serve(auditsvc, "serve", "--port", 0)
    swagger = (demo_data / "openapi-v2.json.gz").read_bytes()
    put = requests.put(f"{server.url}/swagger/v1.20.2", data=swagger, timeout=TIMEOUT)
    assert put.ok, put.text
    for kind in ("pending", "ineligible"):
        text = (demo_data / f"demo-1.20.2-{kind}.yaml").read_bytes()
        assert requests.put(f"{server.url}/lists/{kind}", data=text, timeout=TIMEOUT).ok
    packed = (demo_data / "ci-audit.log.gz").read_bytes()
    ci = requests.post(f"{server.url}/runs?kind=ci&cluster=c", data=packed, timeout=TIMEOUT)
    log = {"log": ("audit.log", gzip.decompress((demo_data / "pull-audit.log.gz").read_bytes()))}
    pull = requests.post(
        f"{server.url}/runs", data={"kind": "pull", "cluster": "c"}, files=log, timeout=TIMEOUT
    )
    assert (ci.status_code, pull.status_code) == (201, 201)

    asked = requests.post(f"{server.url}/model/etl/audit?commit=true&wait=true", timeout=TIMEOUT)
    assert asked.status_code == 200, asked.text
    answer = requests.get(f"{server.url}/audit?window=2026-11-20,2026-11-21", timeout=TIMEOUT)
    [audit_set] = answer.json()["data"]
    assert audit_set["operationEquality"]["Status"] == "Failed"
    assert audit_set["swaggerTotal"]["Status"] == "Passed"
    assert audit_set["assetTotal"] is None
    assert asked.json()["data"] == [audit_set]
    assert pull.json()["data"]["id"] in audit_set["operationEquality"]["Description"]

    started = time.monotonic()
    assert server.stop() == (0, "")
    assert time.monotonic() - started < 10


def test_an_upload_that_hangs_does_not_hold_the_server_up(
    auditsvc: CommandLine, serve: Callable[..., Server]
) -> None:
    """SIGTERM ends the server within 10 s, whoever is in the middle of what; nothing of that is stored."""
    server = serve(auditsvc, "serve", "--port", 0)
    assert requests.get(f"{server.url}/readyz", timeout=TIMEOUT).ok
    before = auditsvc.stored()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /runs?kind=ci HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{")
        assert requests.get(f"{server.url}/healthz", timeout=TIMEOUT).ok
        started = time.monotonic()
        code, _ = server.stop()
    assert code == 0
    assert time.monotonic() - started < 10
    assert auditsvc.stored() == before


def test_jobs_of_a_crash_are_marked(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """Jobs that a killed server or worker left behind are interrupted when the next one starts."""
    first = leave_a_job(auditsvc)
    server = serve(auditsvc, "serve", "--port", 0)
    assert state_of(server, first) == "interrupted"
    second = leave_a_job(auditsvc)
    assert state_of(server, second) == "running"
    [worker] = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    assert state_of(server, second) == "interrupted"


def leave_a_job(auditsvc: CommandLine) -> str:
    """A job in the store that nobody works on, as a crash leaves it."""
    with Store.open(auditsvc.data) as store:
        job = store.jobs.create("audit", "left behind", created=utc_now())
        store.jobs.update(job.id, state=JobState.RUNNING)
        return job.id


def state_of(server: Server, job_id: str) -> str:
    """What the server says of a job."""
    answer = requests.get(f"{server.url}/audit/jobs/{job_id}", timeout=TIMEOUT)
    state: str = answer.json()["data"]["state"]
    return state


def test_ctrl_c_ends_it(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """SIGINT ends it with 0 and without a word, and leaves its port free."""
    server = serve(auditsvc, "serve", "--port", 0, "--threads", 2)
    assert requests.get(f"{server.url}/readyz", timeout=TIMEOUT).ok
    assert server.stop(signal.SIGINT) == (0, "")
    assert serve(auditsvc, "serve", "--port", server.url.rpartition(":")[2]).url == server.url


def test_it_says_where_it_is(auditsvc: CommandLine) -> None:
    """The address with the port that was chosen, and the data folder, are told on standard error."""
    process = auditsvc.start("serve", "--port", 0, "--host", "127.0.0.2")
    assert process.stderr is not None
    line = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert f"serving {auditsvc.data} at http://127.0.0.2:" in line
    assert out == ""


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_port_in_use_is_told(auditsvc: CommandLine, command: str) -> None:
    """A port that another process has is one line and 2, before anything is done."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = auditsvc(command, "--port", port)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"auditsvc: 127.0.0.1:{port} is in use: "
        "end what listens there, or choose another --port (0: a free one)\n"
    )
    assert not auditsvc.data.exists()


def test_a_host_that_is_none_is_told(auditsvc: CommandLine) -> None:
    """An address that this machine does not have is one line and 2."""
    ran = auditsvc("serve", "--host", "no-such-host.invalid", "--port", 0)
    assert ran.returncode == 2
    assert ran.stderr.startswith("auditsvc: cannot listen on no-such-host.invalid:0: ")
    assert ran.stderr.count("\n") == 1
