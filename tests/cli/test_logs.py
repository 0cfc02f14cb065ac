"""The server's log: of the real server, and the shape of each line."""

import json
import logging
import os
import pty
import re
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from auditsvc.audits import _registry as registry
from auditsvc.audits._registry import Note, Observation, audit
from auditsvc.cli.logs import HIDDEN, announce, configure_logs
from auditsvc.config import Config, LogFormat, LogLevel, NotifyConfig
from auditsvc.core.runs import RunKind, Runs
from auditsvc.service.log_fields import logged_with
from auditsvc.web import create_app
from tests.cli.conftest import CommandLine, Server
from tests.service.made import add_run, put_documents, service_at

TIMEOUT = 30
log = logging.getLogger("auditsvc.test")

Configure = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Configure]:
    """Configures this process's logging, for one test."""
    root, ours, hook = logging.getLogger(), logging.getLogger("auditsvc"), threading.excepthook
    before = root.handlers[:], root.level, ours.level

    def configured(**settings: Any) -> Config:
        config = Config(data=tmp_path / "data", **settings)
        configure_logs(config)
        return config

    yield configured
    logging.captureWarnings(capture=False)
    threading.excepthook = hook
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


def lines_of(text: str) -> list[dict[str, Any]]:
    """The events of a log in JSON: one a line, each an object."""
    return [json.loads(line) for line in text.splitlines()]


# -------------------------------------------------------------------------------------- a real server


def test_server_logs_each_request_as_a_json_line(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """Off a terminal: time, level, event, request id, method, route, status and duration; nothing else."""
    auditsvc.variables["AUDITSVC_LOG_LEVEL"] = "info"
    server = serve(auditsvc, "serve", "--port", 0)
    given = requests.get(f"{server.url}/runs", headers={"X-Request-ID": "from-a-proxy:1"}, timeout=TIMEOUT)
    assert given.headers["X-Request-ID"] == "from-a-proxy:1"
    made = requests.get(f"{server.url}/runs/none", headers={"X-Request-ID": "a b\u00e9"}, timeout=TIMEOUT)
    assert re.fullmatch("[0-9a-f]{32}", made.headers["X-Request-ID"])
    assert requests.get(f"{server.url}/healthz", timeout=TIMEOUT).ok
    code, said = server.stop()
    assert code == 0
    first, second = lines_of(said)
    assert 0 < first.pop("duration") < TIMEOUT
    assert datetime.fromisoformat(first.pop("timestamp")).utcoffset() == timedelta()
    assert first == {
        "event": "request",
        "level": "info",
        "logger": "auditsvc.web.watching",
        "request_id": "from-a-proxy:1",
        "method": "GET",
        "route": "runs.list_runs",
        "status": 200,
    }
    assert (second["request_id"], second["status"]) == (made.headers["X-Request-ID"], 404)


def test_first_line_is_an_event_too(auditsvc: CommandLine) -> None:
    """A collector of JSON meets nothing else: where the server is, is an event, whatever the level."""
    process = auditsvc.start("serve", "--port", 0)
    assert process.stderr is not None
    line = json.loads(process.stderr.readline())
    process.terminate()
    process.communicate(timeout=TIMEOUT)
    assert line["event"].startswith(f"serving {auditsvc.data} at http://127.0.0.1:")


def test_debug_tells_of_probes(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """What machines ask every few seconds is told only to who wants to know everything."""
    auditsvc.variables["AUDITSVC_LOG_LEVEL"] = "debug"
    server = serve(auditsvc, "serve", "--port", 0)
    assert requests.get(f"{server.url}/healthz", timeout=TIMEOUT).ok
    [probe] = [line for line in lines_of(server.stop()[1]) if line.get("route")]
    assert (probe["level"], probe["route"]) == ("debug", "system.check_health")


def test_credentials_are_in_no_line(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """Neither a header nor a query is logged, whatever the level."""
    auditsvc.variables["AUDITSVC_LOG_LEVEL"] = "debug"
    server = serve(auditsvc, "serve", "--port", 0)
    for path in ("/runs", "/runs?token=s3cr3t-query", "/nowhere?token=s3cr3t-query"):
        headers = {"Authorization": "Bearer s3cr3t-header"}
        requests.get(f"{server.url}{path}", headers=headers, timeout=TIMEOUT)
    _, said = server.stop()
    assert '"route": "runs.list_runs"' in said
    assert "s3cr3t" not in said


def test_workers_count_as_one(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """Whichever worker answers a scrape, it tells what all of them did; nothing is left when they end."""
    server = serve(auditsvc, "serve", "--port", 0, "--workers", 3, "--threads", 1)
    for _ in range(20):
        assert requests.get(f"{server.url}/runs", timeout=TIMEOUT).ok
    counted = 'auditsvc_http_requests_total{code="200",method="GET",route="runs.list_runs"} 20.0'
    for _ in range(6):
        assert counted in requests.get(f"{server.url}/metrics", timeout=TIMEOUT).text
    folders = {*Path("/dev/shm").glob("auditsvc-metrics-*")}  # noqa: S108 - where the server puts them
    assert server.stop()[0] == 0
    left = {*Path("/dev/shm").glob("auditsvc-metrics-*")}  # noqa: S108
    assert len(folders) - len(left) == 1


def test_a_killed_worker_is_told(auditsvc: CommandLine, serve: Callable[..., Server]) -> None:
    """gunicorn's own words are lines like any other, and what was counted is still there."""
    server = serve(auditsvc, "serve", "--port", 0, "--workers", 2)
    assert requests.get(f"{server.url}/runs", timeout=TIMEOUT).ok
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), 9)
    scraped = requests.get(f"{server.url}/metrics", timeout=TIMEOUT).text
    assert 'auditsvc_http_requests_total{code="200",method="GET",route="runs.list_runs"} 1.0' in scraped
    lines = lines_of(server.stop()[1])
    assert any(line["logger"] == "gunicorn.error" and "SIGKILL" in line["event"] for line in lines)


# ---------------------------------------------------------------------------------- the shape of a line


def test_bug_in_a_check_is_one_line_with_its_traceback(
    configure: Configure, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the job and the request that it belongs to."""
    monkeypatch.setattr(registry, "_registered", {})

    @audit("AuditBroken", key="broken", maps=("Results",))
    def broken(runs: Runs) -> Iterator[Observation]:
        """It works."""
        yield Note("so far so good")
        raise ZeroDivisionError(f"of {len(runs.subjects)}")

    configure()
    with service_at(tmp_path / "data") as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")
        answer = (
            create_app(service)
            .test_client()
            .post("/audit?commit=true&wait=true", headers={"X-Request-ID": "asked"})
        )
    assert answer.status_code == 500
    lines = lines_of(capsys.readouterr().err)
    [bug] = [line for line in lines if "exception" in line]
    assert (bug["level"], bug["job"], bug["request_id"]) == ("error", "1", "asked")
    assert bug["exception"].startswith("Traceback (most recent call last):\n")
    assert bug["exception"].endswith("ZeroDivisionError: of 1")
    told = [(line["event"], line.get("state")) for line in lines if line.get("job") and line is not bug]
    assert told == [("job started", None), ("job ended", "failed")]
    [request] = [line for line in lines if line["event"] == "request"]
    assert (request["level"], request["status"], request["request_id"]) == ("error", 500, "asked")


def test_no_secret_is_in_any_line(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """The webhook's URL or its path, tokens and credentials are hidden, wherever they come from."""
    configure(
        token="token-of-the-cli-1",
        admin_token='admin-"token"-1',
        notify=NotifyConfig(url="https://hooks.example.org/services/T0/B0?key=k3y1"),
    )
    log.warning(
        "POST https://hooks.example.org/services/T0/B0?key=k3y1 and again", extra={"a": "/services/T0/B0"}
    )
    log.warning("Authorization: Bearer abc.def-123", extra={"b": 'an admin-"token"-1', "c": "Basic dTpw"})
    try:
        raise ConnectionError("no route to token-of-the-cli-1")
    except ConnectionError:
        log.exception("it failed")
    said = capsys.readouterr().err
    for secret in ("services/T0/B0", "k3y1", "token-of-the-cli-1", "token\\", "abc.def", "dTpw"):
        assert secret not in said
    assert said.count(HIDDEN) == 7
    assert len(lines_of(said)) == 3


def test_libraries_log_as_we_do(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """Their warnings, Python's, and the end of a thread by a bug; their chatter never."""
    configure(log_level=LogLevel.DEBUG)
    logging.getLogger("apscheduler.executors").warning("missed by %d s", 3)
    logging.getLogger("urllib3.connectionpool").info('"GET /services/T0 HTTP/1.1" 200')
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("an old habit", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    missed, habit, ended = lines_of(capsys.readouterr().err)
    assert (missed["event"], missed["logger"]) == ("missed by 3 s", "apscheduler.executors")
    assert "an old habit" in habit["event"]
    assert (ended["level"], "ZeroDivisionError" in ended["exception"]) == ("critical", True)


def test_level(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """What is less than the level is left out."""
    configure(log_level=LogLevel.WARNING)
    log.info("a detail")
    log.warning("a trouble")
    assert [line["event"] for line in lines_of(capsys.readouterr().err)] == ["a trouble"]


def test_text_is_for_people(configure: Configure, capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, without colours off a terminal; nothing that a request says can drive the terminal."""
    config = configure(log_format=LogFormat.TEXT)
    announce(config, "serving here")
    with logged_with(request_id="r1"):
        log.warning("GET /\x1b[31m%s: no", "a\nb", extra={"status": 503})
    try:
        raise ValueError("evil\x1b[0m")
    except ValueError:
        log.exception("it failed")
    said = capsys.readouterr().err
    first, second, *trace = said.splitlines()
    assert first == "auditsvc: serving here"
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[warning *\] GET /\\x1b\[31ma\\nb: no", second)
    assert "request_id=r1" in second
    assert "status=503" in second
    assert trace[1] == "Traceback (most recent call last):"
    assert trace[-1] == "ValueError: evil\\x1b[0m"
    assert "\x1b" not in said


def test_terminal_gets_text_in_colour(auditsvc: CommandLine) -> None:
    """`auto` is what fits: on a terminal no JSON."""
    leader, follower = pty.openpty()
    auditsvc.variables["AUDITSVC_LOG_LEVEL"] = "info"
    command = auditsvc.command("serve", "--port", 0)
    process = subprocess.Popen(command, stderr=follower, env=auditsvc.environment)
    os.close(follower)
    with os.fdopen(leader, encoding="utf-8") as terminal:
        url = re.search(r"http://\S+:\d+", terminal.readline())
        assert url is not None
        assert requests.get(f"{url[0]}/runs", timeout=TIMEOUT).ok
        line = terminal.readline()
        process.terminate()
        process.wait(timeout=TIMEOUT)
    assert "\x1b[" in line
    assert "runs.list_runs" in line
