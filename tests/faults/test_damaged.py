"""A database file that is damaged: refused where that shows, kept as it is, and found by the doctor."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.faults.processes import assert_whole, problems, told


def overwrite_header(path: Path) -> None:
    """Its first bytes are somebody else's."""
    with path.open("r+b") as file:
        file.write(b"PK\x03\x04" * 25)


def cut_off(path: Path) -> None:
    """It was copied in part."""
    os.truncate(path, path.stat().st_size // 2)


def flip_page(path: Path) -> None:
    """A page of the usage holds what was never written there."""
    with closing(sqlite3.connect(path)) as conn:
        [(page,)] = conn.execute("select max(pageno) from dbstat where name = 'usage' and pagetype = 'leaf'")
        [(size,)] = conn.execute("pragma page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        content = file.read(size)
        file.seek((page - 1) * size)
        file.write(bytes(byte ^ 0xFF for byte in content))


@pytest.mark.parametrize(
    ("spoil", "trouble"), [(overwrite_header, "is not a database"), (cut_off, "is damaged")]
)
def test_a_server_refuses(auditsvc_with_runs: CommandLine, spoil: object, trouble: str) -> None:
    """One line that says what to do, exit code 2, and the file is as it was, byte for byte."""
    auditsvc = auditsvc_with_runs
    path = auditsvc.data / "auditsvc.db"
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes()
    auditsvc.variables["AUDITSVC_LOG_LEVEL"] = "info"
    ran = auditsvc("serve", "--port", 0)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "serving" not in ran.stderr
    assert trouble in ran.stderr.splitlines()[-1]
    assert "Traceback" not in ran.stderr
    assert [text for texts in problems(auditsvc).values() for text in texts if trouble in text]
    assert path.read_bytes() == before


def test_a_page_in_the_middle(auditsvc_with_runs: CommandLine, tmp_path: Path) -> None:
    """The doctor finds it, no backup is made of it, and with a restored one all is well."""
    auditsvc = auditsvc_with_runs
    backup, second = tmp_path / "backup", tmp_path / "second"
    assert auditsvc("backup", backup).returncode == 0
    path = auditsvc.data / "auditsvc.db"
    flip_page(path)
    before = path.read_bytes()
    assert {"pages", "runs"} <= problems(auditsvc).keys()
    assert "is damaged, and was not copied" in told(auditsvc("backup", second))
    assert not list(tmp_path.glob("*second*"))
    assert path.read_bytes() == before
    assert auditsvc("restore", backup).returncode == 0
    [kept] = auditsvc.data.glob("auditsvc.db.*")
    assert kept.read_bytes() == before
    assert_whole(auditsvc)
