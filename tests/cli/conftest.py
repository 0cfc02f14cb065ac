"""The command line as a user has it: another process, its streams and its exit code."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

Ran = subprocess.CompletedProcess[str]
QUIET = {"AUDITSVC_LOG_LEVEL": "warning"}


@dataclass(frozen=True)
class CommandLine:
    """``python -m auditsvc`` with a home and a data folder of its own."""

    home: Path
    data: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Ours, without what configures an auditsvc of the machine's user.

        A server's log tells only what is wrong: a pipe that nobody reads would fill up, and hold it up.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDITSVC_")}
        return {**kept, "HOME": str(self.home), "AUDITSVC_DATA": str(self.data), **QUIET, **self.variables}

    def __call__(self, *arguments: object, stdin: str = "") -> Ran:
        """Runs a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.environment,
            cwd=self.home,
        )

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Starts a command, and leaves it running."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=self.home,
        )

    def command(self, *arguments: object) -> list[str]:
        """The command's words."""
        return [sys.executable, "-m", "auditsvc", *map(str, arguments)]

    def stored(self) -> str:
        """All that the store holds, as SQL; nothing where there is no store."""
        path = self.data / "auditsvc.db"
        if not path.exists():
            return ""
        with closing(sqlite3.connect(path)) as connection:
            return "\n".join(connection.iterdump())


@pytest.fixture
def auditsvc(tmp_path: Path) -> CommandLine:
    """The command line over an empty data folder."""
    home = tmp_path / "home"
    home.mkdir()
    return CommandLine(home, tmp_path / "data")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, demo_data: Path) -> CommandLine:
    """A store with the demo's documents and both of its runs; not to be written to."""
    folder = tmp_path_factory.mktemp("filled")
    auditsvc = CommandLine(folder, folder / "data")
    documents = demo_data / "openapi-v2.json.gz", demo_data / "demo-1.20.2-pending.yaml"
    origin = "--cluster", "demo"
    for arguments in (
        ("swagger", "v1.20.2", documents[0]),
        ("lists", "pending", documents[1]),
        ("lists", "ineligible", demo_data / "demo-1.20.2-ineligible.yaml"),
        ("ingest", "--kind", "ci", *origin, demo_data / "ci-audit.log.gz"),
        ("ingest", "--kind", "pull", "--pull", "7", *origin, demo_data / "pull-audit.log.gz"),
    ):
        ran = auditsvc(*arguments)
        assert ran.returncode == 0, ran.stderr
    return auditsvc


@pytest.fixture
def auditsvc_with_runs(filled: CommandLine, auditsvc: CommandLine) -> CommandLine:
    """The command line over a store of its own with the demo's documents and runs."""
    shutil.copytree(filled.data, auditsvc.data)
    return auditsvc


@dataclass(frozen=True)
class Server:
    """A server that runs: its address, its process, what it said first."""

    url: str
    process: subprocess.Popen[str]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Ends it; its exit code and what else it said."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers (``serve`` or ``demo``), and ends those that the test leaves running."""
    processes = []

    def start(auditsvc: CommandLine, *arguments: object) -> Server:
        process = auditsvc.start(*arguments)
        processes.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://\S+:\d+", line):
                return Server(found[0], process)
        raise AssertionError(f"the server ended: {process.wait()}")

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)
