"""Real processes: how they are killed, watched and spoken to, byte by byte."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests

from tests.cli.conftest import CommandLine, Ran, Server
from tests.conftest import REPOSITORY

TIMEOUT = 30

END_SECONDS = 10
"""In which a server ends that was told to."""


@dataclass(frozen=True)
class Wrapped(CommandLine):
    """A command line that is run by a module of these tests, and maybe by another program around it."""

    module: tuple[str, ...] = ("auditsvc",)
    around: tuple[str, ...] = ()

    def command(self, *arguments: object) -> list[str]:
        """The command's words."""
        return [*self.around, sys.executable, "-m", *self.module, *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        """Ours, and where these tests are."""
        known = super().environment
        return {**known, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), known.get("PYTHONPATH", "")])}


def wrapped(auditsvc: CommandLine, *module: str, around: tuple[str, ...] = ()) -> Wrapped:
    """The same command line, run by that module with those words before the command's own."""
    return Wrapped(auditsvc.home, auditsvc.data, dict(auditsvc.variables), module or ("auditsvc",), around)


def with_data(auditsvc: CommandLine, data: Path) -> CommandLine:
    """The same command line over another data folder."""
    return replace(auditsvc, data=data)


def kill(process: subprocess.Popen[str]) -> None:
    """Ends a process and all below it as a power cut would, and waits for their end."""
    below = descendants(process.pid)
    for pid in (process.pid, *below):  # the first first: it would start others anew
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)
    until(lambda: not any(map(is_alive, below)))


def descendants(pid: int) -> list[int]:
    """The processes below that one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [each for child in map(int, children) for each in (child, *descendants(child))]


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], object]) -> None:
    """Waits for something that will be so soon."""
    end = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def assert_whole(auditsvc: CommandLine) -> None:
    """The doctor finds nothing."""
    ran = auditsvc("doctor")
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr


def problems(auditsvc: CommandLine) -> dict[str, list[str]]:
    """What the doctor finds, by the check that found it."""
    ran = auditsvc("doctor", "--format", "json")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    checks = json.loads(ran.stdout)["checks"]
    found = {check["check"]: [problem["found"] for problem in check["problems"]] for check in checks}
    return {check: texts for check, texts in found.items() if texts}


def told(ran: Ran) -> str:
    """The one line that a command that could not work says."""
    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    assert ran.stderr.startswith("auditsvc: ")
    assert ran.stderr.count("\n") == 1, ran.stderr
    return ran.stderr


def get(server: Server, path: str) -> Any:
    """The data of a GET."""
    answer = requests.get(f"{server.url}{path}", timeout=TIMEOUT)
    assert answer.ok, answer.text
    return answer.json()["data"]


def post_run(server: Server, log: bytes, **origin: str) -> requests.Response:
    """Uploads a run."""
    return requests.post(f"{server.url}/runs", params=origin, data=log, timeout=TIMEOUT)


@contextmanager
def half_sent(server: Server, log: bytes, **origin: str) -> Iterator[tuple[socket.socket, bytes]]:
    """An upload of which the server has the first half; the connection and the second half."""
    host, port = server.url.removeprefix("http://").split(":")
    query = "&".join(f"{name}={value}" for name, value in origin.items())
    head = f"POST /runs?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(log)}\r\n\r\n"
    half = len(log) // 2
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as client:
        client.sendall(head.encode() + log[:half])
        yield client, log[half:]


def answer_to(client: socket.socket) -> tuple[int, Any]:
    """The status and the JSON that come back."""
    received = b""
    while piece := client.recv(1 << 16):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
