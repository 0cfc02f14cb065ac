import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from auditsvc.core.usage import OperationUsage, Sample, Usage
from auditsvc.store import Store
from auditsvc.store.columns import compress
from auditsvc.store.connections import connect
from auditsvc.store.migrations import migrations
from auditsvc.store.version import APPLICATION_ID, SCHEMA_VERSION
from tests.store.made import NOW, looking_into, make_run, make_usage


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The file as somebody else's program sees it."""
    with closing(sqlite3.connect(path)) as conn:
        yield Database(conn)


def test_schema_version_counts_the_migrations() -> None:
    """Who adds a migration counts the version up."""
    with closing(Database(memory=True)) as db:
        assert len(migrations.pending(db)) == SCHEMA_VERSION


def test_a_new_file_is_a_migrated_one(tmp_path: Path) -> None:
    """A file that is made at once and one that took each step have the same tables, indexes and views."""
    Store.open(tmp_path / "new").close()
    old = tmp_path / "old" / "auditsvc.db"
    old.parent.mkdir()
    with opened(old) as db:
        migrations.apply(db, stop_before="m002_costs")
        db.execute(f"pragma application_id = {APPLICATION_ID}")
    Store.open(old.parent).close()

    def schema(path: Path) -> list[tuple[str, str, str]]:
        with opened(path) as db:
            found = db.execute(
                "select type, name, coalesce(sql, '') from sqlite_master order by 1, 2"
            ).fetchall()
        # sqlite-utils writes its own table with other spaces.
        return [(kind, name, "".join(sql.lower().split())) for kind, name, sql in found]

    assert schema(tmp_path / "new" / "auditsvc.db") == schema(old)


def test_a_file_names_its_version(tmp_path: Path) -> None:
    """The version, and whose file it is, can be read without us."""
    Store.open(tmp_path).close()
    with opened(tmp_path / "auditsvc.db") as db:
        assert db.execute("pragma user_version").fetchone() == (SCHEMA_VERSION,)
        assert db.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
        assert len(migrations.applied(db)) == SCHEMA_VERSION


def test_an_up_to_date_file_is_not_written(tmp_path: Path) -> None:
    """To open a store that needs nothing changes nothing in it."""
    Store.open(tmp_path).close()
    path = tmp_path / "auditsvc.db"
    before = path.stat()
    Store.open(tmp_path).close()
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, views and version change together or not at all; the next try starts where this one did."""

    def fail(db: sqlite3.Connection) -> None:
        db.execute("insert into runs (id) values ('half')")

    with monkeypatch.context() as patched:
        patched.setattr("auditsvc.store.schema.make_views", fail)
        with pytest.raises(sqlite3.IntegrityError):
            Store.open(tmp_path)
    with opened(tmp_path / "auditsvc.db") as db:
        assert db.table_names() == []
        assert db.execute("pragma user_version").fetchone() == (0,)
    Store.open(tmp_path).close()


@pytest.mark.parametrize("left", ["auditsvc.db", "auditsvc.db.new"])
def test_what_a_killed_process_left_is_made_anew(left: str, tmp_path: Path) -> None:
    """An empty file, and one that was not finished, give way to a whole one."""
    (tmp_path / left).write_bytes(b"half of a file" if left.endswith("new") else b"")
    with Store.open(tmp_path) as store:
        store.runs.add(make_run("run-1"), make_usage(), recorded=NOW)
    assert {path.name for path in tmp_path.iterdir()} == {"auditsvc.db", "spool"}


def test_a_new_file_is_its_owners(tmp_path: Path) -> None:
    """Whatever its folder lets others see."""
    Store.open(tmp_path).close()
    assert (tmp_path / "auditsvc.db").stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    """A file that a link names, on another disk maybe, is made where the link leads."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "auditsvc.db").symlink_to(tmp_path / "disk" / "real.db")
    Store.open(tmp_path / "data").close()
    assert (tmp_path / "data" / "auditsvc.db").is_symlink()
    assert (tmp_path / "disk" / "real.db").stat().st_size > 0


def test_views_are_made_anew_with_each_version(tmp_path: Path) -> None:
    """An older file's views give way to this version's; one that somebody added stays."""
    Store.open(tmp_path).close()
    with opened(tmp_path / "auditsvc.db") as db:
        names = db.view_names()
        db.view("v_runs").drop()
        db.create_view("v_gone", "select 1")
        db.create_view("mine", "select id from runs")
        db.execute("pragma user_version = 0")
    Store.open(tmp_path).close()
    with opened(tmp_path / "auditsvc.db") as db:
        assert sorted(db.view_names()) == sorted([*names, "mine"])


def test_an_older_run_brought_no_policy(tmp_path: Path) -> None:
    """A file from before policies keeps its runs, and takes new ones with a policy beside them."""
    with opened(tmp_path / "auditsvc.db") as db:
        migrations.apply(db, stop_before="m010_policies")
        numbers = "requests", "mapped", "malformed", "duplicates", "incomplete", "events"
        times = "started", "finished", "recorded"
        old = dict.fromkeys(numbers, 0) | dict.fromkeys(times, "2023-01-16T20:23:08.000000Z")
        db.table("runs").insert(old | {"id": "old", "kind": "ci", "result": "success", "malformed_at": "[]"})
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute("pragma user_version = 8")
    with Store.open(tmp_path) as store:
        policy = store.policies.keep(b"kind: Policy", recorded=NOW)
        store.runs.add(make_run("new", policy=policy), make_usage(), recorded=NOW)
        assert (store.runs.get("old").policy, store.runs.get("new").policy) == (None, policy)


def test_every_foreign_key_of_a_large_table_is_indexed(store: Store) -> None:
    """To delete a run looks up its rows and does not scan for them."""
    with looking_into(store) as db:
        plan = " ".join(
            row["detail"]
            for table in ("usage", "run_tests", "samples", "results")
            for row in db.query(f"explain query plan delete from {table} where run = 'x'")  # noqa: S608 - names above
        )
    assert not re.search("SCAN", plan)


def test_results_of_an_older_file_stay(tmp_path: Path) -> None:
    """A file without recorded inputs (schema 3 and on) keeps its results; what they came of stays unknown."""
    path = tmp_path / "auditsvc.db"
    with closing(connect(path, mode="rwc")) as conn:
        db = Database(conn)
        db.enable_wal()
        migrations.apply(db, stop_before="m007_recorded_inputs")
        with db.atomic():
            db.execute(
                """
                insert into results values (
                    '2023-01-16T00:00:00.000000Z', '2023-01-17T00:00:00.000000Z', null, 'swaggerTotal',
                    'Passed', 1, '2023-01-16T20:23:08.000005Z', 'i', 'c', '{}', :result)
                """,
                {"result": '{"last_run": "2023-01-16T20:23:08.000005Z", "maps": []}'},
            )
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute("pragma user_version = 3")
    with Store.open(tmp_path) as store:
        [stored] = store.sets.find()
        assert (stored.key, stored.inputs) == ("swaggerTotal", "i")
        assert store.sets.inputs(stored.window) == {}


def test_tests_of_an_older_run_keep_their_names(tmp_path: Path) -> None:
    """In a file in which every operation names its tests in full, each is numbered; what a run used stays."""
    used = [("a", {"Pods run": 3, "Pods end": 1}), ("b", {}), ("c", {"Pods end": 2})]
    numbers = "requests", "mapped", "malformed", "duplicates", "incomplete", "events"
    times = "started", "finished", "recorded"
    run = dict.fromkeys(numbers, 0) | dict.fromkeys(times, "2023-01-16T20:23:08.000000Z")
    run |= {"kind": "ci", "result": "success", "malformed_at": "[]"}
    counts = {"hits": 9, "success_hits": 9, "conformance_hits": 0, "codes": "{}", "agents": "{}"}
    with opened(tmp_path / "auditsvc.db") as db:
        migrations.apply(db, stop_before="m011_test_names")
        db.table("runs").insert_all([run | {"id": "one"}, run | {"id": "two"}])
        for run_id in ("one", "two"):
            db.table("usage").insert_all(
                {"run": run_id, "mapped": 1, "name": name, "tests": json.dumps(tests), **counts}
                for name, tests in used[run_id == "two" :]
            )
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute("pragma user_version = 10")
    with Store.open(tmp_path) as store:
        for run_id, expected in ("one", used), ("two", used[1:]):
            operations = store.runs.usage(run_id).operations
            assert {name: one.tests for name, one in operations.items()} == dict(expected)
        assert store.endpoints.tests() == {"a": {"Pods run", "Pods end"}, "c": {"Pods end"}}
        with looking_into(store) as db:
            assert [row["name"] for row in db.query("select name from run_tests order by run, number")] == [
                "Pods end",
                "Pods run",
                "Pods end",
            ]


def test_samples_of_an_older_run_are_read(tmp_path: Path) -> None:
    """In a file in which a run's sampled events are JSON, they stay what they were; and so do new ones."""
    samples = (Sample("a.log", 7, '{"user": "é\\n"}'),)
    old = {"operations": {"readPod": samples}, "unmapped": {}}
    new = Usage({"listPod": OperationUsage(1, samples=samples)}, requests=1, mapped=1)
    with Store.open(tmp_path) as store:
        store.runs.add(make_run("old"), make_usage("readPod"), recorded=NOW)
    with opened(tmp_path / "auditsvc.db") as db:
        db.execute("update samples set events = ?", [compress(msgspec.json.encode(old))])
        db.execute("delete from _sqlite_migrations where name = 'm012_packed_samples'")
        db.execute("pragma user_version = 11")
        db.conn.commit()
    with Store.open(tmp_path) as store:
        store.runs.add(make_run("new"), new, recorded=NOW)
        assert store.runs.operation("old", "readPod").samples == samples
        assert store.runs.operation("new", "listPod").samples == samples
