import itertools
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeVar

import pytest

from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import OperationUsage, Sample, Usage
from auditsvc.errors import NotFoundError, StoreError
from auditsvc.store import Store, connections
from auditsvc.store.version import SCHEMA_VERSION
from tests.conftest import REPOSITORY
from tests.store.made import NOW, keep_swagger, looking_into, make_document, make_result, make_run, make_usage

spawn = multiprocessing.get_context("spawn")
NOBODY = 65534
Answer = TypeVar("Answer")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may pass through, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class TestOpen:
    """Opening a store that is new, or as this version left it."""

    def test_makes_the_folder_for_its_owner_alone(self, tmp_path: Path) -> None:
        """A data folder that is not there yet is made, with its parents; nobody else may look into it."""
        folder = tmp_path / "a" / "data folder?#%"
        with Store.open(folder) as store:
            assert store.path == folder / "auditsvc.db"
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_keeps_what_was_stored(self, tmp_path: Path) -> None:
        """What one process stored, the next one reads; no file but the database remains between them."""
        with Store.open(tmp_path) as store:
            store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["auditsvc.db"]
        with Store.open(tmp_path) as store:
            assert store.runs.usage("run-1") == make_usage("readPod")

    def test_every_connection_is_durable_and_strict(self, store: Store) -> None:
        """WAL, a full sync with each commit, foreign keys, and ten seconds of patience."""
        with store._connections.reading() as db:
            pragmas = {
                name: db.execute(f"pragma {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}

    def test_waits_for_no_writer(self, store: Store) -> None:
        """An up-to-date store opens while another connection writes."""
        with store.transaction(), Store.open(store.path.parent) as other:
            assert not other.runs.received()

    def test_restores_wal(self, tmp_path: Path) -> None:
        """A copy that SQLite made in another journal mode is brought back to WAL."""
        Store.open(tmp_path).close()
        with closing(sqlite3.connect(tmp_path / "auditsvc.db")) as conn:
            conn.execute("pragma journal_mode = delete")
        with Store.open(tmp_path) as store, store._connections.reading() as db:
            assert db.execute("pragma journal_mode").fetchone() == ("wal",)

    def test_an_empty_file_becomes_a_store(self, tmp_path: Path) -> None:
        """A file of no bytes is an empty database to SQLite and to us."""
        (tmp_path / "auditsvc.db").touch()
        with Store.open(tmp_path) as store:
            assert store.sets.find() == []


def newer(path: Path) -> None:
    """A store of a version to come."""
    Store.open(path.parent).close()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")


def newer_after_a_crash(path: Path) -> None:
    """One whose last writes are still in the log beside the file."""
    crash = Path(f"{path}.crash")
    newer(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table more (x)")
        shutil.copy(path, crash)
        shutil.copy(f"{path}-wal", f"{crash}-wal")
    crash.replace(path)
    Path(f"{crash}-wal").replace(f"{path}-wal")


def foreign(path: Path) -> None:
    """Somebody else's database."""
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table places (name text)")


def not_sqlite(path: Path) -> None:
    """No database at all."""
    path.write_bytes(b"PK\x03\x04" * 1000)


def truncated(path: Path) -> None:
    """A store that was copied in part."""
    Store.open(path.parent).close()
    path.write_bytes(path.read_bytes()[:10_000])


class TestRefusedFiles:
    """Files that this version cannot use."""

    @pytest.mark.parametrize(
        ("spoil", "trouble", "advice"),
        [
            (newer, f"was written by a newer auditsvc (schema {SCHEMA_VERSION + 1}, ", "use that version"),
            (newer_after_a_crash, "was written by a newer auditsvc", "use that version"),
            (foreign, "is not auditsvc's", "name another data folder, or move the file away"),
            (not_sqlite, "is not a database", "name another data folder, or move the file away"),
            (truncated, "is damaged", "restore a backup, or move the file away to start afresh"),
        ],
    )
    def test_are_left_as_they_were(
        self, tmp_path: Path, spoil: Callable[[Path], None], trouble: str, advice: str
    ) -> None:
        """Such a file is named in one line with what to do, and not a byte of it changes."""
        path = tmp_path / "auditsvc.db"
        spoil(path)
        before = path.read_bytes()
        with pytest.raises(StoreError) as error:
            Store.open(tmp_path)
        message = str(error.value)
        assert message.startswith(f"{path} {trouble}")
        assert f": {advice}" in message
        assert "\n" not in message
        assert path.read_bytes() == before

    def test_leave_no_files_beside_them(self, tmp_path: Path) -> None:
        """To look at a file that is refused makes no log beside it."""
        newer(tmp_path / "auditsvc.db")
        with pytest.raises(StoreError):
            Store.open(tmp_path)
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["auditsvc.db"]

    def test_damage_inside_is_told_when_it_is_met(self, tmp_path: Path) -> None:
        """A page that was overwritten is an error of the store, not a bug and not an empty answer."""
        with Store.open(tmp_path) as store:
            store.runs.add(make_run(), make_usage(*map(str, range(6000))), recorded=NOW)
            path = store.path
        pages = path.read_bytes()
        path.write_bytes(pages[: len(pages) // 2] + bytes(len(pages) - len(pages) // 2))
        with Store.open(tmp_path) as store, pytest.raises(StoreError, match="is damaged: restore a backup"):
            store.runs.usage("run-1")

    def test_a_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A data folder that cannot be one is named."""
        (tmp_path / "data").touch()
        with pytest.raises(StoreError) as error:
            Store.open(tmp_path / "data")
        assert str(error.value) == f"the data folder {tmp_path / 'data'} cannot be used: File exists"

    def test_a_folder_where_the_file_should_be(self, tmp_path: Path) -> None:
        """A database that cannot be opened is named."""
        (tmp_path / "auditsvc.db").mkdir()
        with pytest.raises(StoreError, match=r"auditsvc\.db cannot be opened: is it there"):
            Store.open(tmp_path)


def open_as_nobody(folder: Path) -> str:
    """What an unprivileged process is told that opens the store in `folder`."""
    program = """
import os, sys
from pathlib import Path
from auditsvc.errors import StoreError
from auditsvc.store import Store, migrations  # a library that nobody may not read here
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    Store.open(Path(sys.argv[1])).close()
except StoreError as error:
    print(error)
"""
    command = [sys.executable, "-W", "error", "-c", program, str(folder), str(NOBODY)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.rstrip("\n")


class TestNoAccess:
    """In a process without root's rights, which permissions do not bind."""

    def test_a_read_only_folder(self, public_folder: Path) -> None:
        """A folder in which nothing may be created is named, and nothing is."""
        public_folder.chmod(0o555)
        message = f"{public_folder} cannot be written: give this user access, or name another data folder"
        assert open_as_nobody(public_folder) == message
        assert list(public_folder.iterdir()) == []

    def test_a_read_only_folder_with_a_store(self, public_folder: Path) -> None:
        """A store in it is not touched either."""
        Store.open(public_folder).close()
        path = public_folder / "auditsvc.db"
        before = path.read_bytes()
        public_folder.chmod(0o555)
        assert "cannot be written: give this user access" in open_as_nobody(public_folder)
        assert path.read_bytes() == before
        assert [entry for entry in public_folder.rglob("*") if entry.is_file()] == [path]

    def test_a_read_only_file(self, public_folder: Path) -> None:
        """A file that may only be read is named."""
        Store.open(public_folder).close()
        path = public_folder / "auditsvc.db"
        path.chmod(0o444)
        public_folder.chmod(0o777)
        message = f"{path} cannot be written: give this user access, or name another data folder"
        assert open_as_nobody(public_folder) == message

    def test_a_folder_that_cannot_be_made(self, public_folder: Path) -> None:
        """A folder whose parent refuses it is named with the reason."""
        folder = public_folder / "data"
        public_folder.chmod(0o555)
        assert open_as_nobody(folder) == f"the data folder {folder} cannot be used: Permission denied"

    def test_a_folder_of_one_s_own(self, public_folder: Path) -> None:
        """No privilege is needed where the folder may be written."""
        public_folder.chmod(0o777)
        assert open_as_nobody(public_folder) == ""


class TestTransaction:
    """Writes happen together or not at all, and say why not."""

    def test_all_or_nothing(self, store: Store) -> None:
        """An error on the way takes back all that was written."""
        with suppress(ZeroDivisionError), store.transaction():
            keep_swagger(store, "readPod")
            store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
            raise ZeroDivisionError
        assert (store.runs.received(), store.swaggers.received()) == (False, False)

    def test_inner_failure_takes_back_the_inner_part(self, store: Store) -> None:
        """An inner transaction that fails is undone alone where the outer one goes on."""
        with store.transaction():
            store.runs.add(make_run("kept"), make_usage(), recorded=NOW)
            with suppress(ZeroDivisionError), store.transaction():
                store.runs.add(make_run("lost"), make_usage(), recorded=NOW)
                raise ZeroDivisionError
        assert [run.id for run in store.runs.find()[0]] == ["kept"]

    def test_half_a_run_is_none(self, store: Store) -> None:
        """A run whose last operation cannot be written leaves no row of the others."""
        broken = Usage({"a": OperationUsage(1), "b": OperationUsage(2**70)}, requests=2, mapped=2)
        with pytest.raises(OverflowError):
            store.runs.add(make_run(), broken, recorded=NOW)
        with looking_into(store) as db:
            assert [db.table(name).count for name in ("runs", "usage", "samples")] == [0, 0, 0]

    def test_a_bug_is_no_store_error(self, store: Store) -> None:
        """What the store was given wrongly keeps its traceback: here a swagger that was never kept."""
        with pytest.raises(sqlite3.IntegrityError):
            store.runs.add(make_run(swagger="unknown"), make_usage(), recorded=NOW)

    def test_a_full_disk(self, store: Store) -> None:
        """What does not fit is told in one line, and what was there remains."""
        store.runs.add(make_run("before"), make_usage(), recorded=NOW)
        with store._connections.reading() as db:
            db.execute("pragma max_page_count = 1")  # becomes the number of pages there are
        with pytest.raises(StoreError) as error:
            store.runs.add(make_run("after"), make_usage(*map(str, range(5000))), recorded=NOW)
        assert str(error.value) == f"{store.path} cannot grow: the disk is full (database or disk is full)"
        assert [run.id for run in store.runs.find()[0]] == ["before"]

    def test_a_lock_that_is_never_released(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A writer gives up with a clear line when another process writes for too long."""
        monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.05)
        message = "is being written by another process: try again when that is done"
        with (
            Store.open(store.path.parent) as other,
            store.transaction(),
            pytest.raises(StoreError, match=message),
        ):
            other.sets.put([make_result()])

    def test_a_file_that_went_away(self, store: Store) -> None:
        """A thread that comes when the file is gone is told so; no empty one takes its place."""
        with Store.open(store.path.parent) as late:
            store.close()
            store.path.unlink()
            with pytest.raises(StoreError, match="cannot be opened: is it there"):
                late.runs.find()
        assert not store.path.exists()


class TestThreads:
    """Several threads use one store."""

    def test_each_has_a_connection_that_ends_with_it(self, store: Store) -> None:
        """A thread that ended leaves no file open."""
        if not Path("/proc/self/fd").is_dir():
            pytest.skip("only Linux tells which files are open")
        in_thread(store.runs.find)
        before = open_files(store.path)
        for _ in range(3):
            in_thread(lambda: store.runs.add(make_run(), make_usage(), recorded=NOW))
        assert open_files(store.path) == before

    def test_close_ends_them_all(self, tmp_path: Path) -> None:
        """After close no thread can use the store, and no file of it is open."""
        store = Store.open(tmp_path)
        working, finish = threading.Event(), threading.Event()

        def work() -> None:
            store.runs.find()
            working.set()
            finish.wait()

        thread = threading.Thread(target=work)
        thread.start()
        working.wait()
        store.close()
        finish.set()
        thread.join()
        with pytest.raises(StoreError, match="was closed by this process"):
            store.runs.find()
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["auditsvc.db"]

    def test_reads_wait_for_no_write(self, store: Store) -> None:
        """While a thread writes, others read what was committed before."""
        with store.transaction():
            store.runs.add(make_run(), make_usage(), recorded=NOW)
            assert store.runs.received()
            assert in_thread(store.runs.received) is False
        assert in_thread(store.runs.received) is True

    def test_writes_wait_for_each_other(self, store: Store) -> None:
        """Threads that write at once all succeed."""
        threads = [
            threading.Thread(target=add_runs, args=(store, f"thread-{number}", 10)) for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.runs.find()[1] == 40

    def test_a_read_sees_one_moment(self, store: Store) -> None:
        """A run that is deleted while it is read is read whole."""
        store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
        with store._connections.reading():
            run = store.runs.get("run-1")
            in_thread(lambda: store.runs.delete("run-1"))
            assert store.runs.usage(run.id) == make_usage("readPod")
        with pytest.raises(NotFoundError):
            store.runs.get("run-1")


class TestProcesses:
    """Several processes use one file, and some die."""

    def test_open_a_new_store_at_once(self, tmp_path: Path) -> None:
        """Processes that find no file all create it, and none fails or overwrites."""
        barrier = spawn.Barrier(4)
        processes = [
            spawn.Process(target=open_and_add, args=(tmp_path / "data", f"process-{number}", barrier))
            for number in range(4)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 4
        with Store.open(tmp_path / "data") as store:
            assert store.runs.find()[1] == 4 * 5

    def test_killed_in_a_transaction(self, tmp_path: Path) -> None:
        """Of a run that was being stored when its process was killed nothing is left."""
        with Store.open(tmp_path) as store:
            store.runs.add(make_run("before"), make_usage("readPod"), recorded=NOW)
        log = tmp_path / "auditsvc.db-wal"
        assert kill(hold_a_transaction, tmp_path, after=1) == ["written"]
        assert log.stat().st_size > 5_000_000, "the run was on its way to the disk"
        with Store.open(tmp_path) as store:
            assert [run.id for run in store.runs.find()[0]] == ["before"]
            assert store.runs.usage("before") == make_usage("readPod")
            assert not store.swaggers.received()
            with looking_into(store) as db:
                assert db.table("usage").count == 1
                assert db.execute("pragma integrity_check").fetchone() == ("ok",)

    def test_killed_at_any_time(self, tmp_path: Path) -> None:
        """Every run that was acknowledged is there whole, and none is there in part."""
        acknowledged = kill(add_until_killed, tmp_path, after=15)
        with Store.open(tmp_path) as store:
            runs = {run.id for run in store.runs.find()[0]}
            assert set(acknowledged) <= runs
            assert len(runs) <= len(acknowledged) + 1
            assert all(store.runs.usage(run, samples=True) == large_usage(3) for run in runs)


def open_files(path: Path) -> int:
    """How often this process has a file, or one beside it, open."""
    links = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(link).startswith(str(path)) for link in links)


def in_thread(work: Callable[[], Answer]) -> Answer:
    """The answer of a thread that then ends."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def add_runs(store: Store, name: str, count: int) -> None:
    """Adds runs, a commit each."""
    for number in range(count):
        store.runs.add(make_run(f"{name}-{number}"), make_usage("readPod"), recorded=NOW)


def open_and_add(folder: Path, name: str, barrier: Barrier) -> None:
    """A process that opens the store at the same time as others."""
    barrier.wait()
    with Store.open(folder) as store:
        add_runs(store, name, 5)


def large_usage(operations: int) -> Usage:
    """Samples of 8 KB that do not compress: many operations do not fit into SQLite's cache."""
    noise = random.Random(operations)  # noqa: S311 - noise that is the same each time
    used = {
        str(number): OperationUsage(1, samples=(Sample("a.log", number, noise.randbytes(4096).hex()),))
        for number in range(operations)
    }
    return Usage(used, requests=operations, mapped=operations)


def hold_a_transaction(folder: Path, told: Connection) -> None:
    """A process that writes a run and never commits it."""
    document = make_document("readPod")
    with Store.open(folder) as store, store.transaction():
        digest = store.swaggers.keep(document, parse_swagger(document), recorded=NOW)
        store.runs.add(make_run(swagger=digest), large_usage(2000), recorded=NOW)
        told.send("written")
        signal.pause()


def add_until_killed(folder: Path, told: Connection) -> None:
    """A process that adds runs and tells of each when it is stored."""
    usage = large_usage(3)
    with Store.open(folder) as store:
        for number in itertools.count():
            store.runs.add(make_run(str(number)), usage, recorded=NOW)
            told.send(str(number))


def kill(work: Callable[[Path, Connection], None], folder: Path, *, after: int) -> list[str]:
    """Starts a process, kills it (SIGKILL) when it told as many things, and returns all that it told."""
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=work, args=(folder, theirs))
    process.start()
    theirs.close()
    with ours, closing(process):
        told = [ours.recv() for _ in range(after)]
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        with suppress(EOFError):
            while True:
                told.append(ours.recv())
        return told
