"""What the store keeps of a run's log as such, and what becomes of runs that were stored before it did."""

from pathlib import Path

from msgspec.structs import replace
from sqlite_utils import Database

from auditsvc.core.usage import DeprecatedUse, Gap, Usage
from auditsvc.store import Store
from auditsvc.store.migrations import migrations
from auditsvc.store.version import APPLICATION_ID
from tests.store.made import NOW, make_run, make_usage

FIGURES = {
    "backwards": 2,
    "gaps": (Gap(NOW, 61.5), Gap(NOW, 10.0)),
    "never_completed": 3,
    "deprecated": (DeprecatedUse("kubectl", "listCron", "1.25", 7), DeprecatedUse("x", "v9/y", "", 1)),
}


def counted() -> Usage:
    """A usage with all that is known of a log."""
    return replace(make_usage("readPod"), **FIGURES)


def make_old_store(folder: Path) -> None:
    """A store as it was before, with a run in it."""
    folder.mkdir()
    db = Database(folder / "auditsvc.db")
    migrations.apply(db, stop_before="m006_logs")
    time = "2023-01-16T20:23:08.000005Z"
    db.table("runs").insert(
        {"id": "run-1", "kind": "ci", "started": time, "finished": time, "result": "success"}
        | {"recorded": time, "requests": 1, "mapped": 1, "malformed": 0, "malformed_at": "[]"}
        | {"duplicates": 0, "incomplete": 0, "events": 1}
    )
    db.execute(f"pragma application_id = {APPLICATION_ID}")
    db.execute("pragma user_version = 5")
    db.close()


def test_kept(store: Store) -> None:
    """All of it comes back as it was stored."""
    store.runs.add(make_run(), counted(), recorded=NOW)
    assert store.runs.usage("run-1") == counted()
    summary = store.runs.summary("run-1")
    assert {name: getattr(summary, name) for name in FIGURES} == FIGURES


def test_part_of_a_log(store: Store) -> None:
    """One application's part of a log has no gaps, and storing it again changes nothing."""
    usage = replace(counted(), gaps=None)
    assert store.runs.add(make_run(), usage, recorded=NOW)
    assert not store.runs.add(make_run(), counted(), recorded=NOW)
    assert store.runs.usage("run-1") == usage


def test_old_run(tmp_path: Path) -> None:
    """Of a run that was stored before nobody knows, until the same log is taken in again."""
    make_old_store(tmp_path / "data")
    with Store.open(tmp_path / "data") as store:
        old = store.runs.usage("run-1")
        assert {getattr(old, name) for name in FIGURES} == {None}
        assert (old.requests, old.events) == (1, 1)
        assert not store.runs.add(make_run(), counted(), recorded=NOW)
        assert store.runs.usage("run-1") == replace(old, **FIGURES)


def test_received_log(store: Store) -> None:
    """A report is no log."""
    assert not store.runs.received_log()
    store.runs.add(make_run("report"), replace(make_usage("readPod"), header={}), recorded=NOW)
    assert (store.runs.received(), store.runs.received_log()) == (True, False)
    store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
    assert store.runs.received_log()
