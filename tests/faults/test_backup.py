"""A backup of a store that is in use, and a store made from it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, Server
from tests.faults.processes import assert_whole, get, post_run, told, until, with_data


@contextmanager
def uploading(server: Server, log: bytes) -> Iterator[list[str]]:
    """Uploads one run after the other meanwhile; the ids of those that were acknowledged."""
    acknowledged: list[str] = []
    stopping = threading.Event()

    def upload() -> None:
        while not stopping.is_set():
            answer = post_run(server, log, kind="ci", build=str(len(acknowledged)))
            acknowledged.append(answer.json()["data"]["id"])

    uploads = threading.Thread(target=upload)
    uploads.start()
    try:
        yield acknowledged
    finally:
        stopping.set()
        uploads.join()


def test_while_serving(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], demo_data: Path, tmp_path: Path
) -> None:
    """It holds each run that was acknowledged before it began, and the store that is restored is whole."""
    auditsvc, backup = auditsvc_with_runs, tmp_path / "backup"
    server = serve(auditsvc, "serve", "--port", 0)
    with uploading(server, (demo_data / "ci-audit.log.gz").read_bytes()) as acknowledged:
        until(lambda: len(acknowledged) >= 2)
        before = list(acknowledged)
        ran = auditsvc("backup", backup)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert list(tmp_path.glob("*backup*")) == [backup]
    line = told(auditsvc("restore", backup))
    assert f"{auditsvc.data} is in use by process " in line
    copy = with_data(auditsvc, tmp_path / "copy")
    assert copy("restore", backup).returncode == 0
    restored = serve(copy, "serve", "--port", 0)
    assert set(before) <= {run["id"] for run in get(restored, "/runs?limit=100")}
    assert_whole(copy)
    assert len(get(server, "/runs?limit=100")) == 2 + len(acknowledged)
    assert_whole(auditsvc)


def test_restored_in_place(auditsvc_with_runs: CommandLine, tmp_path: Path) -> None:
    """The store is what it was at the backup; the one that it replaced is kept, and told."""
    auditsvc, backup = auditsvc_with_runs, tmp_path / "backup"
    assert auditsvc("backup", backup).returncode == 0
    at_backup = auditsvc.stored()
    assert "is there already" in told(auditsvc("backup", backup))
    assert auditsvc("backup", "--force", backup).returncode == 0
    assert auditsvc("audit", "--commit").returncode == 1
    after = auditsvc.stored()
    ran = auditsvc("restore", backup)
    assert ran.returncode == 0
    [kept] = auditsvc.data.glob("auditsvc.db.*")
    assert ran.stderr == f"auditsvc: the store that was there is kept as {kept}\n"
    assert auditsvc.stored() == at_backup
    assert_whole(auditsvc)
    assert auditsvc("restore", kept).returncode == 0
    assert auditsvc.stored() == after


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is not there"), (b"", "holds no store"), (b"PK\x03\x04" * 1000, "is not a database")],
)
def test_what_is_no_backup(
    auditsvc_with_runs: CommandLine, tmp_path: Path, content: bytes | None, said: str
) -> None:
    """It is refused, and the store stays as it was."""
    file = tmp_path / "backup"
    if content is not None:
        file.write_bytes(content)
    before = auditsvc_with_runs.stored()
    assert said in told(auditsvc_with_runs("restore", file))
    assert auditsvc_with_runs.stored() == before
