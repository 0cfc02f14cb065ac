"""A full disk: a file system of some megabytes, in a namespace that one may have without being root."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import CommandLine, Server
from tests.faults.processes import TIMEOUT, Wrapped, assert_whole, get, post_run, told, wrapped

MEGABYTES = 120
"""More than the doctor wants to be free."""

MOUNT = f'mount -t tmpfs -o size={MEGABYTES}m none "$0" && cp -r "$1"/. "$0" && echo ready && exec cat'


@dataclass(frozen=True)
class SmallDisk:
    """A command line whose data folder is on a disk that can be filled."""

    auditsvc: Wrapped

    def fill(self) -> None:
        """Leaves not a byte free."""
        self._run("dd", "if=/dev/zero", f"of={self.auditsvc.data}/filler", "bs=64k")
        self._run("dd", "if=/dev/zero", f"of={self.auditsvc.data}/filler.2", "bs=1k")

    def clear(self) -> None:
        """Frees what was filled."""
        self._run("rm", f"{self.auditsvc.data}/filler", f"{self.auditsvc.data}/filler.2")

    def _run(self, *command: str) -> None:
        subprocess.run([*self.auditsvc.around, *command], capture_output=True, check=False)


@pytest.fixture
def disk(auditsvc: CommandLine, filled: CommandLine) -> Iterator[SmallDisk]:
    """A small disk with the demo's documents and runs; skips where there are no user namespaces."""
    if not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("no unshare or nsenter: util-linux has them")
    auditsvc.data.mkdir()
    command = ["unshare", "-Urm", "sh", "-c", MOUNT, str(auditsvc.data), str(filled.data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            pytest.skip(f"no user namespace with a file system of its own here: {holder.communicate()[1]}")
        around = ("nsenter", "-U", "-m", "--preserve-credentials", "-t", str(holder.pid))
        yield SmallDisk(wrapped(auditsvc, around=around))
        holder.send_signal(signal.SIGKILL)


def test_a_server(disk: SmallDisk, serve: Callable[..., Server], demo_data: Path) -> None:
    """What cannot be stored is refused in one line, reads go on, and with room again all works."""
    auditsvc, log = disk.auditsvc, (demo_data / "ci-audit.log.gz").read_bytes()
    server = serve(auditsvc, "serve", "--port", 0)
    assert requests.post(f"{server.url}/audit?commit=true&wait=true", timeout=TIMEOUT).ok
    before = get(server, "/audit")
    disk.fill()
    refused = [
        post_run(server, log, kind="ci", build="1"),
        requests.put(f"{server.url}/lists/pending", data=b"[]", timeout=TIMEOUT),
        requests.post(f"{server.url}/audit?window=2026-11-20,2026-11-21&wait=true", timeout=TIMEOUT),
    ]
    for answer in refused:
        assert answer.status_code in (500, 503, 507), answer.text
        assert answer.json()["data"] is None
        assert "full" in answer.json()["message"] or "No space left" in answer.json()["message"]
    assert get(server, "/audit") == before
    assert len(get(server, "/runs")) == 2
    disk.clear()
    assert post_run(server, log, kind="ci", build="1").status_code == 201
    assert len(get(server, "/runs")) == 3
    assert {job["state"] for job in get(server, "/audit/jobs")} <= {"done", "failed"}
    assert_whole(auditsvc)
    assert server.stop()[0] == 0
    assert_whole(auditsvc)


def test_commands(disk: SmallDisk, demo_data: Path) -> None:
    """They say so in one line and end with 2; the same again with room does its work."""
    auditsvc = disk.auditsvc
    backup = auditsvc.data / "backup"
    commands: list[tuple[object, ...]] = [
        ("ingest", "--kind", "ci", "--build", "1", demo_data / "ci-audit.log.gz"),
        ("backup", backup),
    ]
    assert auditsvc("audit", "--commit").returncode == 1
    disk.fill()
    for command in commands:
        assert "No space left" in (line := told(auditsvc(*command))) or "full" in line
    assert auditsvc("doctor").returncode == 1
    disk.clear()
    assert_whole(auditsvc)
    for command in commands:
        ran = auditsvc(*command)
        assert ran.returncode == 0, ran.stderr
    assert_whole(auditsvc)
