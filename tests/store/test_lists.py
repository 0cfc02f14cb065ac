from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from tests.store.made import NOW, hold_list, keep_list, looking_into, make_run, make_usage, on, undone

PENDING, INELIGIBLE = ListKind


def test_a_list_comes_back(store: Store, demo_data: Path) -> None:
    """A real list is kept byte for byte under the hash of its content, and reads as it did."""
    text = (demo_data / "demo-1.20.2-ineligible.yaml").read_bytes()
    entries = parse_endpoint_list(text)
    digest = store.lists.keep(text, entries, recorded=NOW)
    assert store.lists.keep(text, entries, recorded=NOW) == digest
    assert store.lists.text(digest) == text
    assert store.lists.get(digest) == entries
    with looking_into(store) as db:
        assert db.table("list_entries").count == len(entries.entries)


def test_text_is_kept_as_it_is(store: Store) -> None:
    """A byte order mark, line ends and letters of all scripts stay."""
    text = "\ufeff- a\r\n- é漢\n".encode()
    assert store.lists.text(store.lists.keep(text, parse_endpoint_list(text), recorded=NOW)) == text


def test_an_unknown_list(store: Store) -> None:
    """A list that is not kept is named, whatever is asked of it."""
    message = "unknown list: abc"
    for ask in (store.lists.get, store.lists.text):
        with pytest.raises(NotFoundError, match=message):
            ask("abc")
    with pytest.raises(NotFoundError, match=message):
        store.lists.hold(PENDING, "abc", holds_from=NOW, recorded=NOW)


def test_a_kept_list_holds_for_nobody(store: Store) -> None:
    """What a run brought is no upload for others."""
    keep_list(store, "readPod")
    assert store.lists.received()
    assert store.lists.holding(PENDING, NOW) is None
    assert store.lists.all(PENDING) == []


@pytest.mark.parametrize(
    ("at", "holding"),
    [
        ("2020-01-01", 0),  # before the first known one
        ("2023-01-01", 0),
        ("2023-01-31T23:59:59.999999", 0),
        ("2023-02-01", 1),
        ("2023-02-15", 1),
        ("2023-03-01", 2),
        ("2030-01-01", 2),
    ],
)
def test_a_list_holds_until_the_next(store: Store, at: str, holding: int) -> None:
    """A list holds from its time on until the next one of its kind does; before the first, that one."""
    hashes = {day: hold_list(store, PENDING, day, day) for day in ("2023-03-01", "2023-01-01", "2023-02-01")}
    hold_list(store, INELIGIBLE, "2023-01-15", "other")
    found = store.lists.holding(PENDING, on(at))
    assert found is not None
    assert found.hash == [hashes[day] for day in sorted(hashes)][holding]


def test_an_upload_corrects_the_one_of_that_time(store: Store) -> None:
    """A list that holds from the same time replaces the older one."""
    hold_list(store, PENDING, "2023-01-01", "wrong")
    right = hold_list(store, PENDING, "2023-01-01", "right")
    found = store.lists.holding(PENDING, NOW)
    assert found is not None
    assert found.hash == right
    assert len(store.lists.all(PENDING)) == 1


def test_uploads_are_listed_newest_first(store: Store) -> None:
    """Each upload tells its kind, content, time and size; the same content may hold again later."""
    first = hold_list(store, PENDING, "2023-01-01", "a", "b")
    hold_list(store, PENDING, "2023-02-01")
    hold_list(store, PENDING, "2023-03-01", "a", "b")
    found = store.lists.all(PENDING)
    assert [(record.holds_from, record.entries) for record in found] == [
        (on("2023-03-01"), 2),
        (on("2023-02-01"), 0),
        (on("2023-01-01"), 2),
    ]
    assert found[0].hash == found[2].hash == first
    assert {record.kind for record in found} == {PENDING}
    assert {record.recorded for record in found} == {NOW}
    assert store.lists.all(INELIGIBLE) == []


def test_one_list_may_be_of_both_kinds(store: Store) -> None:
    """The empty list, say."""
    assert hold_list(store, PENDING, "2023-01-01") == hold_list(store, INELIGIBLE, "2023-01-01")


def test_lists_go_with_their_last_run(store: Store) -> None:
    """A run's lists go with it, unless another run brought them too or they hold for all."""
    alone, shared, held = (
        keep_list(store, "alone"),
        keep_list(store, "shared"),
        hold_list(store, PENDING, "2023-01-01", "held"),
    )
    for run_id, pending, ineligible in [("a", alone, shared), ("b", shared, held), ("c", alone, alone)]:
        store.runs.add(make_run(run_id, pending=pending, ineligible=ineligible), make_usage(), recorded=NOW)
    store.runs.delete("a")
    assert kept(store) == {alone, shared, held}
    store.runs.delete("c")
    assert kept(store) == {shared, held}
    store.runs.delete("b")
    assert kept(store) == {held}


def kept(store: Store) -> set[str]:
    """The hashes of all lists, of which none has lost its entry."""
    with looking_into(store) as db:
        hashes = {row["hash"] for row in db.table("lists").rows}
        assert {row["list"] for row in db.table("list_entries").rows} == hashes
    return hashes


@given(
    days=st.lists(st.integers(1, 28), min_size=1, max_size=5, unique=True),
    at=st.integers(1, 28),
)
@settings(deadline=None)  # a commit waits for the disk
def test_the_rule_in_plain_words(shared_store: Store, days: list[int], at: int) -> None:
    """The newest of those that hold by then, else the first known one: the SQL says the same."""
    with undone(shared_store):
        for day in days:
            hold_list(shared_store, PENDING, f"2023-01-{day:02}", str(day))
        found = shared_store.lists.holding(PENDING, january(at))
        assert found is not None
        assert found.holds_from == january(max([day for day in days if day <= at], default=min(days)))


def january(day: int) -> datetime:
    """Midnight, UTC."""
    return on(f"2023-01-{day:02}")


def test_an_empty_store_received_none(store: Store) -> None:
    """Nothing was ever uploaded."""
    assert not store.lists.received()
    assert store.lists.get(keep_list(store)) == EndpointList()
