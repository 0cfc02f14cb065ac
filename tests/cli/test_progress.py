"""How far long work is, on a real (pseudo) terminal."""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from auditsvc.cli.progress import audit_progress, log_progress, upload_progress
from auditsvc.ingest import Log


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[IO[bytes]]:
    """Makes standard error a terminal, and gives what it shows."""
    leader, follower = os.openpty()
    os.set_blocking(leader, False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with os.fdopen(follower, "w") as stream, os.fdopen(leader, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stderr", stream)
        yield screen
        monkeypatch.undo()


def shown(screen: IO[bytes]) -> str:
    """The text on the screen so far, without what moves the cursor or colours it."""
    text = b"".join(iter(lambda: screen.read(1 << 16), None)).decode()
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_a_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a plain log: bytes of how many, events a second, the time left."""
    log = tmp_path / "audit.log"
    log.write_bytes(bytes(900))
    with terminal(monkeypatch) as screen:
        with log_progress([Log.at(log)]) as progress:
            time.sleep(0.11)  # it is drawn ten times a second at most
            progress(250, 3)
        last = shown(screen)
    assert "250/900 bytes" in last
    assert re.search(r"\d+ events/s", last)


def test_a_packed_log(monkeypatch: pytest.MonkeyPatch, demo_data: Path) -> None:
    """How much a packed log holds is not known."""
    with terminal(monkeypatch) as screen:
        with log_progress([Log.at(demo_data / "ci-audit.log.gz")]) as progress:
            time.sleep(0.11)
            progress(250, 3)
        assert "250/? bytes" in shown(screen)


def test_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an upload: bytes of how many."""
    with terminal(monkeypatch) as screen:
        with upload_progress(900) as sent:
            sent(250)
            time.sleep(0.11)
            sent(250)
        assert "500/900 bytes" in shown(screen)


def test_audits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of audits: days of how many."""
    with terminal(monkeypatch) as screen:
        with audit_progress() as progress:
            time.sleep(0.11)
            progress(3, 28)
        assert "3/28" in shown(screen)


def test_nothing_elsewhere(capsys: pytest.CaptureFixture[str], demo_data: Path) -> None:
    """Where standard error is no terminal nothing is shown."""
    with log_progress([Log.at(demo_data / "ci-audit.log.gz")]) as progress:
        progress(250, 3)
    with upload_progress(2000) as sent:
        sent(250)
    with audit_progress() as steps:
        steps(1, 2)
    assert capsys.readouterr() == ("", "")
