import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from auditsvc.errors import ConflictError, StoreError
from auditsvc.store import FILE_NAME, Store
from auditsvc.store.backup import back_up, restore
from auditsvc.store.version import SCHEMA_VERSION
from tests.store.made import NOW, make_run, make_usage


def no_progress(_done: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Path:
    """A backup of a store with one run, made while that is open."""
    store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
    back_up(store.path.parent, tmp_path / "backup", force=False, progress=no_progress)
    return tmp_path / "backup"


def set_version(path: Path, version: int) -> None:
    """Makes a file say that it is of that version."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"pragma user_version = {version}")


def test_a_backup_is_one_file_for_its_owner(backup: Path) -> None:
    """It needs no log beside it, and has what was only in the store's log."""
    assert list(backup.parent.glob("*backup*")) == [backup]
    assert backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(f"file:{backup}?mode=ro&immutable=1", uri=True)) as conn:
        assert conn.execute("select id from runs").fetchall() == [("run-1",)]


def test_progress_is_told(store: Store, tmp_path: Path) -> None:
    """In bytes, up to the last one."""
    told: list[tuple[int, int]] = []
    back_up(store.path.parent, tmp_path / "b", force=False, progress=lambda *news: told.append(news))
    size = (tmp_path / "b").stat().st_size
    assert told[-1] == (size, size)


def test_what_is_not_overwritten(store: Store, backup: Path, tmp_path: Path) -> None:
    """A file that is there, unless that is asked for; never the store itself."""
    folder = store.path.parent
    with pytest.raises(
        ConflictError, match="is there already: name another file, or overwrite it with --force"
    ):
        back_up(folder, backup, force=False, progress=no_progress)
    back_up(folder, backup, force=True, progress=no_progress)
    with pytest.raises(ConflictError, match="is the store itself"):
        back_up(folder, store.path, force=True, progress=no_progress)
    with pytest.raises(StoreError, match="cannot be written: No such file or directory"):
        back_up(folder, tmp_path / "none" / "b", force=False, progress=no_progress)
    with pytest.raises(StoreError, match="there is no store in"):
        back_up(tmp_path, tmp_path / "b", force=False, progress=no_progress)


def test_an_older_backup_is_migrated(backup: Path, tmp_path: Path) -> None:
    """The store is of this version, with all that it held; the backup stays as it is."""
    set_version(backup, SCHEMA_VERSION - 1)
    before = backup.read_bytes()
    assert restore(backup, tmp_path / "new", now=NOW, progress=no_progress) is None
    assert backup.read_bytes() == before
    with Store.open(tmp_path / "new") as store:
        assert store.runs.get("run-1") == make_run()


def test_a_newer_backup_is_refused(backup: Path, tmp_path: Path) -> None:
    """Nothing is made of it."""
    set_version(backup, SCHEMA_VERSION + 1)
    with pytest.raises(StoreError, match="was written by a newer auditsvc"):
        restore(backup, tmp_path / "new", now=NOW, progress=no_progress)
    assert not (tmp_path / "new").exists()


def test_a_store_in_use_is_not_replaced(store: Store, backup: Path) -> None:
    """Whoever is at work is named, and goes on."""
    with pytest.raises(ConflictError, match=r"is in use by process [0-9]+ on "):
        restore(backup, store.path.parent, now=NOW, progress=no_progress)
    assert store.runs.received()


def test_what_a_crashed_store_had_in_its_log_is_kept(store: Store, backup: Path, tmp_path: Path) -> None:
    """The replaced store keeps its last writes, and none of them gets into the new one."""
    store.runs.add(make_run("run-2"), make_usage("readPod"), recorded=NOW)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", crashed / f"{FILE_NAME}{suffix}")
    kept = restore(backup, crashed, now=NOW, progress=no_progress)
    assert kept is not None
    with Store.open(crashed) as restored:
        assert restored.runs.find()[1] == 1
    with closing(sqlite3.connect(kept)) as conn:
        assert conn.execute("select id from runs order by 1").fetchall() == [("run-1",), ("run-2",)]


def test_unfinished_jobs_of_a_backup_are_interrupted(store: Store, tmp_path: Path) -> None:
    """Nobody works on them where it is restored."""
    job = store.jobs.create("audit", "", created=NOW)
    back_up(store.path.parent, tmp_path / "b", force=False, progress=no_progress)
    restore(tmp_path / "b", tmp_path / "new", now=NOW, progress=no_progress)
    with Store.open(tmp_path / "new") as restored:
        assert restored.jobs.get(job.id).state == "interrupted"


def crash(folder: Path, *, again: bool) -> None:
    """Kills a process that has written much to the store there, and removes the file, but not its log."""
    script = (
        "import os, sys; from pathlib import Path; from auditsvc.store import Store\n"
        "store = Store.open(Path(sys.argv[1]))\n"
        "db = store._connections._database(); db.execute('pragma wal_autocheckpoint = 0')\n"
        "db.execute('create table if not exists filler (text)')\n"
        "for _ in range(50): db.execute('insert into filler values (hex(randomblob(20000)))')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(1 + again):  # the second one's log does not hold the whole schema
        subprocess.run([sys.executable, "-c", script, folder], check=False)
    assert (folder / f"{FILE_NAME}-wal").stat().st_size > 0
    (folder / FILE_NAME).unlink()


@pytest.mark.parametrize("again", [False, True])
def test_the_log_of_a_store_that_is_gone(again: bool, backup: Path, tmp_path: Path) -> None:
    """Neither a new store nor a restored one gets what a killed process had written to the one before."""
    for name in ("new", "restored"):
        crash(tmp_path / name, again=again)
    restore(backup, tmp_path / "restored", now=NOW, progress=no_progress)
    for name, runs in (("new", 0), ("restored", 1)):
        with Store.open(tmp_path / name) as store:
            assert store.runs.find()[1] == runs
        with closing(sqlite3.connect(tmp_path / name / FILE_NAME)) as conn:
            assert conn.execute("pragma integrity_check").fetchall() == [("ok",)]
            assert not conn.execute("select 1 from sqlite_master where name = 'filler'").fetchall()
