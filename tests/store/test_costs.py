import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, StoreError
from auditsvc.store import Store
from auditsvc.store.connections import connect
from auditsvc.store.costs import CostDocument, CostKind, CostOrigin, CostRecord
from auditsvc.store.migrations import migrations
from auditsvc.store.version import APPLICATION_ID
from tests.store.made import NOW, looking_into, on, undone

ALLOCATIONS, ASSETS, CLOUD_COSTS, TOTALS, AGGREGATES = CostKind
DAY = Window.day(on("2024-05-01"))
NEXT = Window.day(on("2024-05-02"))
HOUR = Window(DAY.start, DAY.start + timedelta(hours=1))


def document(kind: CostKind, content: bytes = b"{}", *, rows: int = 1, hours: int = 0) -> CostDocument:
    """A document of some rows."""
    return CostDocument(kind=kind, content=content, rows=rows, hours=hours)


def put(
    store: Store, kind: CostKind, content: bytes = b"{}", *made: CostDocument, window: Window = DAY
) -> bool:
    """Uploads a document with tables made from it; whether it replaced none."""
    return store.costs.put(window, document(kind, content), made, origin=CostOrigin.UPLOADED, recorded=NOW)[1]


def found(store: Store) -> list[tuple[CostKind, CostKind]]:
    """Kind and source of all that is stored."""
    return [(record.kind, record.source) for record in store.costs.find()[0]]


def test_a_document_comes_back(store: Store) -> None:
    """Byte for byte, with a record that says what it is."""
    made = document(TOTALS, b"own", rows=3)
    record, new = store.costs.put(
        DAY,
        document(ALLOCATIONS, b"\x00 sent", rows=7, hours=2),
        [made],
        origin=CostOrigin.FETCHED,
        recorded=NOW,
    )
    assert new
    assert record == CostRecord(
        kind=ALLOCATIONS,
        window=DAY,
        source=ALLOCATIONS,
        origin=CostOrigin.FETCHED,
        hash=hashlib.sha256(b"\x00 sent").hexdigest(),
        rows=7,
        hours=2,
        recorded=NOW,
    )
    records, total = store.costs.find()
    assert (records[0], total) == (record, 2)
    assert (records[1].kind, records[1].source, records[1].origin) == (TOTALS, ALLOCATIONS, CostOrigin.OWN)
    assert store.costs.get(ALLOCATIONS, DAY) == b"\x00 sent"
    assert store.costs.get(TOTALS, DAY, source=ALLOCATIONS) == b"own"


def test_what_is_not_there_is_none(store: Store) -> None:
    """Another kind, another window, a table that was not made."""
    put(store, ALLOCATIONS)
    assert store.costs.get(ASSETS, DAY) is None
    assert store.costs.get(ALLOCATIONS, HOUR) is None
    assert store.costs.get(TOTALS, DAY, source=ALLOCATIONS) is None


def test_the_newest_of_a_kind_and_window_wins(store: Store) -> None:
    """With the tables made from it; those of other documents, kinds and windows stay."""
    for kind in (ALLOCATIONS, ASSETS):
        assert put(store, kind, b"old", document(TOTALS, b"old"), document(AGGREGATES, b"old"))
    assert put(store, TOTALS, b"uploaded")
    assert put(store, ALLOCATIONS, b"hour", window=HOUR)
    assert not put(store, ALLOCATIONS, b"new", document(TOTALS, b"new"))
    assert store.costs.get(ALLOCATIONS, DAY) == store.costs.get(TOTALS, DAY, source=ALLOCATIONS) == b"new"
    assert store.costs.get(AGGREGATES, DAY, source=ALLOCATIONS) is None
    assert store.costs.get(TOTALS, DAY, source=ASSETS) == b"old"
    assert store.costs.get(TOTALS, DAY) == b"uploaded"
    assert store.costs.get(ALLOCATIONS, HOUR) == b"hour"


def test_a_document_and_its_tables_are_stored_together(store: Store) -> None:
    """All or nothing: a transaction that fails leaves the older ones."""
    put(store, ALLOCATIONS, b"old", document(TOTALS, b"old"))
    with undone(store):
        put(store, ALLOCATIONS, b"new", document(TOTALS, b"new"))
    assert store.costs.get(ALLOCATIONS, DAY) == store.costs.get(TOTALS, DAY, source=ALLOCATIONS) == b"old"


def test_deleted_with_its_tables(store: Store) -> None:
    """What was made from something else stays; a second time there is nothing to delete."""
    put(store, ALLOCATIONS, b"{}", document(TOTALS), document(AGGREGATES))
    put(store, ASSETS, b"{}", document(TOTALS))
    put(store, AGGREGATES)
    store.costs.delete(ALLOCATIONS, DAY)
    assert found(store) == [(AGGREGATES, AGGREGATES), (ASSETS, ASSETS), (TOTALS, ASSETS)]
    with pytest.raises(NotFoundError, match=r"no allocations of \[2024-05-01T00:00:00\+0000, .* are stored"):
        store.costs.delete(ALLOCATIONS, DAY)


def test_found_by_kind_and_window_newest_first(store: Store) -> None:
    """A window finds what overlaps it; limit and offset cut a page out, of the total."""
    for window in (DAY, NEXT, HOUR):
        put(store, ALLOCATIONS, window=window)
    put(store, ASSETS)
    assert [record.window for record in store.costs.find(kind=ALLOCATIONS)[0]] == [NEXT, DAY, HOUR]
    assert [record.window for record in store.costs.find(window=HOUR)[0]] == [DAY, DAY, HOUR]
    late = Window(DAY.end - timedelta(seconds=1), DAY.end)
    assert store.costs.find(kind=ALLOCATIONS, window=late)[1] == 1
    records, total = store.costs.find(limit=1, offset=2)
    assert ([(one.kind, one.window) for one in records], total) == ([(ASSETS, DAY)], 4)


def test_days_are_those_of_any_document(store: Store) -> None:
    """In order, once each; an hour is of its day."""
    assert store.costs.days() == []
    put(store, CLOUD_COSTS, window=NEXT)
    put(store, ALLOCATIONS, window=HOUR)
    put(store, ASSETS, window=HOUR)
    assert store.costs.days() == [DAY, NEXT]


def test_received_is_by_kind(store: Store) -> None:
    """Of a store with assets only, neither bills nor hours were received."""
    assert not store.costs.received(*CostKind)
    put(store, ASSETS)
    assert store.costs.received(ALLOCATIONS, ASSETS)
    assert not store.costs.received(CLOUD_COSTS)
    assert not store.costs.received_hours()
    store.costs.put(HOUR, document(ASSETS, rows=2, hours=2), origin=CostOrigin.UPLOADED, recorded=NOW)
    assert store.costs.received_hours()


@pytest.mark.parametrize("spoiled", [b"", b"no frame", b"\x28\xb5\x2f\xfd\x04\x00\x09\x00\x00x"])
def test_a_damaged_document_is_told(store: Store, spoiled: bytes) -> None:
    """What is no longer what was stored is never audited as if it were."""
    put(store, ALLOCATIONS, b"x")
    with closing(sqlite3.connect(store.path)) as conn:
        conn.execute("update costs set document = ?", (spoiled,))
        conn.commit()
    with pytest.raises(StoreError, match=r"the allocations of \[.*\) are damaged in the store: upload them"):
        store.costs.get(ALLOCATIONS, DAY)


def test_view(store: Store) -> None:
    """v_costs has a row for each document, without its content."""
    put(store, ASSETS, b"{}", document(TOTALS, rows=4))
    with looking_into(store) as db:
        rows = list(db.query("select * from v_costs order by origin"))
    common = {
        "window_start": "2024-05-01T00:00:00.000000Z",
        "window_end": "2024-05-02T00:00:00.000000Z",
        "source": "assets",
        "hours": 0,
        "hash": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "recorded": "2023-01-16T20:23:08.000005Z",
    }
    assert rows == [
        common | {"kind": "totals", "origin": "own", "rows": 4},
        common | {"kind": "assets", "origin": "uploaded", "rows": 1},
    ]


def test_a_store_without_costs_gets_them(tmp_path: Path) -> None:
    """A file of the first schema is brought up to date with all that is in it."""
    with closing(connect(tmp_path / "auditsvc.db", mode="rwc")) as db:
        migrations.apply(Database(db), stop_before="m002_costs")
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute("pragma user_version = 1")
        db.execute(
            "insert into jobs (kind, description, state, created, done, total) values (?, ?, ?, ?, 0, 0)",
            ("audit", "an old one", "done", "2023-01-16T20:23:08.000005Z"),
        )
    with Store.open(tmp_path) as store:
        assert store.jobs.find(limit=9)[1] == 1
        assert put(store, ALLOCATIONS)


@given(content=st.binary(max_size=200), again=st.binary(max_size=200))
@settings(deadline=None, max_examples=25)  # a commit waits for the disk
def test_any_bytes_come_back(shared_store: Store, content: bytes, again: bytes) -> None:
    """Whatever was sent last."""
    with undone(shared_store):
        put(shared_store, ALLOCATIONS, content)
        put(shared_store, ALLOCATIONS, again)
        assert shared_store.costs.get(ALLOCATIONS, DAY) == again
