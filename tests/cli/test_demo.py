"""``auditsvc demo``: what a newcomer meets first."""

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import requests

from tests.cli.conftest import CommandLine, Server

TIMEOUT = 30


def test_once_prints_the_results(auditsvc: CommandLine, tmp_path: Path) -> None:
    """--once prints a table and what to do, keeps nothing, and ends with 0 whatever was found."""
    auditsvc.variables["TMPDIR"] = str(tmp_path)
    ran = auditsvc("demo", "--once")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "AuditOperationEquality      Failed         2        24  A pull run exercises" in ran.stdout
    assert "AuditSwaggerTotal           Passed " in ran.stdout
    assert "→ remove the endpoint from the pending list: it is exercised now" in ran.stdout
    assert "… and 8 more (the pages that `auditsvc demo` without --once serves show all)" in ran.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_no_more_findings_than_are_told_of(auditsvc: CommandLine) -> None:
    """Every finding is shown or counted among those that are left out."""
    out = auditsvc("demo", "--once").stdout
    shown = out.count("\n  - ")
    left_out = sum(int(line.split()[2]) for line in out.splitlines() if line.startswith("    … and "))
    assert shown + left_out == 3 + 7 + 24 + 12


def test_on_a_terminal_it_has_colours(auditsvc: CommandLine) -> None:
    """On a terminal the table is drawn, and the statuses have colours."""
    leader, terminal = pty.openpty()
    environment = {**auditsvc.environment, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(auditsvc.command("demo", "--once"), stdout=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(leader, 1 << 16):
                shown += chunk
        except OSError:  # how a terminal ends
            pass
    os.close(leader)
    assert process.returncode == 0
    assert "┃" in shown.decode()
    assert "\x1b[31mFailed" in shown.decode()


def test_data_is_kept_where_it_is_asked_for(auditsvc: CommandLine, tmp_path: Path) -> None:
    """--data keeps the store, and a second demo there finds the same runs."""
    first = auditsvc("demo", "--once", "--data", tmp_path / "kept")
    second = auditsvc("demo", "--once", "--data", tmp_path / "kept")
    assert second.stdout == first.stdout
    kept = CommandLine(auditsvc.home, tmp_path / "kept")
    assert kept("audit", "--commit", "--type", "swaggerTotal").returncode == 0


def test_it_serves_until_ctrl_c(auditsvc: CommandLine, serve: Callable[..., Server], tmp_path: Path) -> None:
    """It serves what it found, tells curl lines that work, and removes its folder at the end."""
    auditsvc.variables["TMPDIR"] = str(tmp_path)
    server = serve(auditsvc, "demo", "--port", 0)
    process = server.process
    assert process.stderr is not None
    lines = [process.stderr.readline().strip() for _ in range(8)]
    assert requests.get(f"{server.url}/", timeout=TIMEOUT).ok
    for line in lines:
        if line.startswith("curl"):
            ran = subprocess.run(
                ["sh", "-c", f"curl -sS --fail {line.removeprefix('curl')}"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, (line, ran.stderr, ran.stdout)
            assert ran.stdout.startswith('{"code":20')
    assert len([line for line in lines if line.startswith("curl")]) == 5
    assert len(list(tmp_path.glob("auditsvc-demo-*"))) == 1
    assert process.poll() is None
    assert server.stop(signal.SIGINT)[0] == 0
    assert list(tmp_path.glob("auditsvc-demo-*")) == []
