import sqlite3
from datetime import timedelta

import pytest

from auditsvc.core.runs import RunKind
from auditsvc.store import Store
from tests.store.made import NOW, make_result, make_run, make_usage


def test_batches_come_back_in_their_order(store: Store) -> None:
    """As they were; those of another run are not among them."""
    for run_id in ("a", "b"):
        store.runs.put(make_run(run_id, kind=RunKind.LIVE), make_usage(), recorded=NOW)
    first = store.live.append("a", "1", b"one\n", recorded=NOW)
    store.live.append("b", "1", b"other\n", recorded=NOW)
    last = store.live.append("a", "2", b"two\n", recorded=NOW)
    assert list(store.live.after("a", 0)) == [(first, b"one\n"), (last, b"two\n")]
    assert list(store.live.after("a", first)) == [(last, b"two\n")]
    assert (store.live.knows("a", "2"), store.live.knows("b", "2")) == (True, False)
    assert (store.live.holds("a", last), store.live.holds("b", last)) == (True, False)


def test_a_batch_is_of_a_run_and_there_once(store: Store) -> None:
    """It goes with its run, and its number is not used again."""
    with pytest.raises(sqlite3.IntegrityError):
        store.live.append("a", "1", b"one\n", recorded=NOW)
    store.runs.put(make_run("a"), make_usage(), recorded=NOW)
    number = store.live.append("a", "1", b"one\n", recorded=NOW)
    with pytest.raises(sqlite3.IntegrityError):
        store.live.append("a", "1", b"one\n", recorded=NOW)
    store.runs.delete("a")
    assert not store.live.holds("a", number)
    store.runs.put(make_run("a"), make_usage(), recorded=NOW)
    assert store.live.append("a", "1", b"one\n", recorded=NOW) > number


def test_a_run_that_grows(store: Store) -> None:
    """What was stored of it is replaced; when it was first stored, and its results, stay."""
    store.runs.put(make_run("a"), make_usage("listPod"), recorded=NOW)
    store.run_results.put("a", [make_result()])
    later = NOW + timedelta(hours=1)
    store.runs.put(make_run("a", finished=later), make_usage("listPod", "readPod"), recorded=later)
    assert store.runs.get("a").finished == later
    assert store.runs.usage("a", samples=True) == make_usage("listPod", "readPod")
    assert len(store.run_results.find("a")) == 1
    with store._connections.reading() as db:
        [(recorded,)] = db.execute("select recorded from runs")
    assert recorded == "2023-01-16T20:23:08.000005Z"
