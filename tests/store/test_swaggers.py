import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditsvc.core.swagger import parse_swagger
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.store import Store
from tests.store.made import (
    NOW,
    hold_swagger,
    keep_swagger,
    looking_into,
    make_document,
    make_run,
    make_usage,
    on,
    undone,
)


def test_a_document_comes_back(store: Store, demo_data: Path) -> None:
    """A real document is kept byte for byte under the hash of its content, with all its operations."""
    document = gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes())
    swagger = parse_swagger(document)
    digest = store.swaggers.keep(document, swagger, recorded=NOW)
    assert store.swaggers.document(digest) == document
    assert store.swaggers.get(digest) == swagger
    assert store.swaggers.get(digest) is store.swaggers.get(digest), "and is parsed once"
    catalogue = store.swaggers.catalogue(digest)
    assert {operation.id: operation for operation in catalogue} == swagger.operations
    assert [operation.id for operation in catalogue] == sorted(swagger.operations)


def test_a_document_is_kept_once(store: Store) -> None:
    """To keep a document again changes nothing."""
    document = make_document("readPod")
    first = store.swaggers.keep(document, parse_swagger(document), recorded=NOW)
    again = store.swaggers.keep(document, parse_swagger(document), recorded=NOW + timedelta(days=1))
    assert again == first
    with looking_into(store) as db:
        assert [row["recorded"] for row in db.table("swaggers").rows] == ["2023-01-16T20:23:08.000005Z"]
        assert db.table("operations").count == 1


def test_an_operation_of_two_paths_is_kept_once(store: Store) -> None:
    """The catalogue has an operationId once; the document still tells of the second path."""
    path = '{"get": {"operationId": "readPod"}}'
    document = f'{{"swagger": "2.0", "paths": {{"/a": {path}, "/b": {path}}}}}'.encode()
    digest = store.swaggers.keep(document, parse_swagger(document), recorded=NOW)
    assert [operation.path for operation in store.swaggers.catalogue(digest)] == ["/a"]
    assert [operation.path for operation in store.swaggers.get(digest).duplicates] == ["/b"]


def test_an_unknown_swagger(store: Store) -> None:
    """A document that is not kept is named, whatever is asked of it."""
    message = r"unknown swagger: abc \(GET /swagger lists them\)"
    for ask in (store.swaggers.get, store.swaggers.document, store.swaggers.catalogue):
        with pytest.raises(NotFoundError, match=message):
            ask("abc")
    with pytest.raises(NotFoundError, match=message):
        store.swaggers.hold("v1.34.0", "abc", holds_from=NOW, recorded=NOW)


@pytest.mark.parametrize("version", ["", "v1", "latest", "v1.x.0", "1.34foo", "x1.34.0"])
def test_not_a_version(store: Store, version: str) -> None:
    """A version that is none is refused with how to write one."""
    digest = keep_swagger(store, "readPod")
    with pytest.raises(RequestError) as error:
        store.swaggers.hold(version, digest, holds_from=NOW, recorded=NOW)
    assert str(error.value) == f"not a version of Kubernetes: {version}: write it like v1.34.0"
    assert store.swaggers.all() == []


def test_a_kept_swagger_holds_for_nobody(store: Store) -> None:
    """What a run brought is no upload for others."""
    keep_swagger(store, "readPod")
    assert store.swaggers.received()
    assert store.swaggers.holding(None, NOW) is None
    assert store.swaggers.holding((1, 34), NOW) is None


def test_an_empty_store_received_none(store: Store) -> None:
    """Nothing was ever uploaded."""
    assert not store.swaggers.received()


@pytest.mark.parametrize(
    ("minor", "at", "version"),
    [
        ((1, 34), "2023-06-01", "v1.34.1"),  # the newest upload of the minor version …
        ((1, 34), "2023-02-15", "v1.34.2"),  # … that holds by then, which may be of a lower patch later
        ((1, 34), "2022-01-01", "v1.34.2"),  # the first known one, where the time is before it
        ((1, 9), "2023-06-01", "v1.9.0"),
        ((1, 10), "2022-01-01", "v1.10.0"),
        ((1, 35), "2023-06-01", None),
        ((2, 34), "2023-06-01", None),
        (None, "2023-06-01", "v1.34.2"),  # the highest version, though v1.34.1 was uploaded later
        (None, "2023-01-15", "v1.10.0"),  # the highest that holds by then: 1.10 is above 1.9
        (None, "2023-01-01", "v1.9.0"),
        (None, "2022-01-01", "v1.9.0"),  # before the first known one
    ],
)
def test_which_swagger_holds(
    store: Store, minor: tuple[int, int] | None, at: str, version: str | None
) -> None:
    """Each minor version has its own course of uploads; a time may ask for the highest version."""
    for upload, day in [
        ("v1.9.0", "2023-01-01"),
        ("v1.10.0", "2023-01-10"),
        ("v1.34.2", "2023-02-01"),
        ("v1.34.1", "2023-03-01"),
    ]:
        hold_swagger(store, upload, day, upload)
    found = store.swaggers.holding(minor, on(at))
    assert (found and found.version) == version


def test_an_upload_of_an_old_version_changes_nothing_for_others(store: Store) -> None:
    """Neither other minor versions nor the highest one are touched by it."""
    highest = hold_swagger(store, "v1.34.0", "2023-01-01", "new")
    hold_swagger(store, "v1.20.2", "2023-02-01", "old")
    for minor in ((1, 34), None):
        found = store.swaggers.holding(minor, on("2023-03-01"))
        assert found is not None
        assert found.hash == highest


def test_an_upload_corrects_the_one_of_that_time(store: Store) -> None:
    """A document for the same version from the same time replaces the older one."""
    hold_swagger(store, "v1.34.0", "2023-01-01", "wrong")
    right = hold_swagger(store, "v1.34.0", "2023-01-01", "right")
    assert [record.hash for record in store.swaggers.all()] == [right]


def test_uploads_are_listed_highest_first(store: Store) -> None:
    """Each upload tells its version, content, time and number of operations."""
    for version, day in [("v1.9.0", "2023-01-03"), ("v1.10.0", "2023-01-01"), ("1.10.0", "2023-01-02")]:
        hold_swagger(store, version, day, "readPod", version)
    found = store.swaggers.all()
    assert [record.version for record in found] == ["1.10.0", "v1.10.0", "v1.9.0"]
    assert {(record.operations, record.recorded) for record in found} == {(2, NOW)}


def test_a_swagger_goes_with_its_last_run(store: Store) -> None:
    """A run's swagger goes with it, unless another run brought it too or it holds for all."""
    alone, shared = keep_swagger(store, "alone"), keep_swagger(store, "shared")
    held = hold_swagger(store, "v1.34.0", "2023-01-01", "held")
    for run_id, digest in [("a", alone), ("b", shared), ("c", shared), ("d", held)]:
        store.runs.add(make_run(run_id, swagger=digest), make_usage(), recorded=NOW)
    for run_id, left in [("a", {shared, held}), ("b", {shared, held}), ("c", {held}), ("d", {held})]:
        store.runs.delete(run_id)
        assert kept(store) == left


def kept(store: Store) -> set[str]:
    """The hashes of all documents, of which none has lost its operations."""
    with looking_into(store) as db:
        hashes = {row["hash"] for row in db.table("swaggers").rows}
        assert {row["swagger"] for row in db.table("operations").rows} == hashes
    return hashes


minors = st.integers(8, 11)
uploads = st.dictionaries(
    st.tuples(minors, st.integers(0, 12), st.integers(1, 9)), st.none(), min_size=1, max_size=6
)


@given(uploads=uploads.map(list), minor=st.none() | minors, at=st.integers(1, 9))
@settings(deadline=None)  # a commit waits for the disk
def test_the_rule_in_plain_words(
    shared_store: Store, uploads: list[tuple[int, int, int]], minor: int | None, at: int
) -> None:
    """Of those that hold by then the newest or highest, else the first known: so says the SQL."""
    with undone(shared_store):
        for number, patch, day in uploads:
            hold_swagger(shared_store, f"v1.{number}.{patch}", f"2023-01-0{day}", "readPod")
        found = shared_store.swaggers.holding(minor if minor is None else (1, minor), on(f"2023-01-0{at}"))
    in_question = [upload for upload in uploads if minor in (None, upload[0])]
    by_then = [upload for upload in in_question if upload[2] <= at]
    if minor is None:
        expected = max(by_then, default=None)
    else:
        expected = max(by_then, key=lambda upload: (upload[2], upload[:2]), default=None)
    if expected is None:
        expected = min(in_question, key=lambda upload: (upload[2], -upload[0], -upload[1]), default=None)
    text = expected and (f"v1.{expected[0]}.{expected[1]}", on(f"2023-01-0{expected[2]}"))
    assert (found and (found.version, found.holds_from)) == text
