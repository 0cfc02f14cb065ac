"""Whole processes, timed from outside and in turn, and the logs that they read."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PYTHON = (sys.executable,)
AUDITSVC = (*PYTHON, "-m", "auditsvc")

Command = tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """What a process and its children took: seconds of wall and CPU time, peak bytes of the largest."""

    wall: float
    cpu: float
    peak: int

    def then(self, other: "Timed") -> "Timed":
        """This one, and then the other."""
        return Timed(self.wall + other.wall, self.cpu + other.cpu, max(self.peak, other.peak))


@dataclass(frozen=True)
class Workbench:
    """The recorded data, a folder of our own for what is made of it, and how thoroughly to measure."""

    data: Path
    folder: Path
    quick: bool = False

    @property
    def rounds(self) -> int:
        """How often each of the processes to compare is run."""
        return 3 if self.quick else 11

    @property
    def swagger(self) -> Path:
        """The swagger document of the logs."""
        return self.data / "openapi-v2.json.gz"

    @property
    def packed(self) -> Path:
        """The large log as it was recorded, gzip."""
        return self.data / "large-audit.log.gz"

    @property
    def store(self) -> Path:
        """A data folder that is not there yet whenever a process starts."""
        return self.folder / "store"

    @cached_property
    def large(self) -> Path:
        """The large log, unpacked."""
        return self._made("large.log", copies=1)

    @cached_property
    def long(self) -> Path:
        """A log of 1 GB: as many later copies of the large one as that takes."""
        return self._made("long.log", copies=3 if self.quick else 10)

    def in_turn(self, *commands: Command) -> list[list[Timed]]:
        """For each command its runs: A B A B …, so that what else the machine does meets them all."""
        rounds = []
        for _ in range(self.rounds):
            rounds.append([self.run(*command) for command in commands])
            sys.stderr.write(".")
            sys.stderr.flush()
        return [list(runs) for runs in zip(*rounds, strict=True)]

    def run(self, *command: str | Path, output: Path = Path(os.devnull)) -> Timed:
        """Runs a process to its end; CalledProcessError, with what it said, where it fails.

        Its standard error is a file, for on a terminal a progress bar would cost time. On Linux its peak of
        memory starts at that of this process, which therefore stays small: what needs more has its own.
        """
        shutil.rmtree(self.store, ignore_errors=True)
        errors = self.folder / "stderr"
        start = time.perf_counter()
        pid = os.posix_spawn(
            command[0], command, _environment(), file_actions=[_open(1, output), _open(2, errors)]
        )
        try:
            _, status, used = os.wait4(pid, 0)
        except BaseException:
            os.kill(pid, signal.SIGTERM)
            os.wait4(pid, 0)
            raise
        wall = time.perf_counter() - start
        if code := os.waitstatus_to_exitcode(status):
            raise subprocess.CalledProcessError(code, [*map(str, command)], stderr=errors.read_text())
        return Timed(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)

    def _made(self, name: str, *, copies: int) -> Path:
        """A log made of the large one, in a process of its own for the memory that it takes."""
        path = self.folder / name
        self.run(*PYTHON, "-m", "benchmarks.logs", self.packed, path, str(copies))
        return path


def _environment() -> dict[str, str]:
    """The user's, without what changes the work: a configuration of ours, Python told to keep no bytecode."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AUDITSVC_", "PYTHON"))}


def _open(descriptor: int, path: Path) -> tuple[int, int, Path, int, int]:
    return os.POSIX_SPAWN_OPEN, descriptor, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644
