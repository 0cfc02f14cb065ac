import sqlite3
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditsvc.core.apisnoop import ImportedEndpoint
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import EndpointHistory
from auditsvc.store import Store
from auditsvc.store.coverage import CoverageOrigin, CoverageRecord, CoverageTable
from tests.store.made import NOW, hold_swagger, looking_into, make_run, make_usage

NAME = "[sig-node] Pods run [Conformance]"
TEST = ConformanceTest("Pods, run", NAME, "pods.go", (1, 9))
OTHER = ConformanceTest("Pods, stop", "[sig-node] Pods stop [Conformance]", "pods.go", (1, 13))
ENDPOINT = ImportedEndpoint(
    "readPod", "/api/v1/pods/{name}", (None, "", NAME), "core", "", "v1", "Pod", "get"
)
RECORD = CoverageRecord(
    release=(1, 36),
    table=CoverageTable.RELEASES,
    origin=CoverageOrigin.OWN,
    recorded=NOW,
    rows=({"release": "1.36.0", "new": 14},),
)


def test_dates_are_kept_by_release(store: Store) -> None:
    """The newer word replaces the older; they come in the releases' order."""
    store.coverage.put_dates({(1, 10): date(2018, 3, 26), (1, 9): None})
    store.coverage.put_dates({(1, 9): date(2017, 12, 15)})
    assert list(store.coverage.dates().items()) == [
        ((1, 9), date(2017, 12, 15)),
        ((1, 10), date(2018, 3, 26)),
    ]


def test_tests_are_kept_by_release(store: Store) -> None:
    """A release's tests replace those that it had, and no other's; the same again is no news."""
    assert store.coverage.put_tests((1, 10), [TEST, OTHER], recorded=NOW)
    assert store.coverage.put_tests((1, 9), [TEST], recorded=NOW)
    assert not store.coverage.put_tests((1, 9), [TEST], recorded=NOW)
    assert store.coverage.put_tests((1, 10), [OTHER], recorded=NOW)
    assert list(store.coverage.tests().items()) == [((1, 9), (TEST,)), ((1, 10), (OTHER,))]
    assert store.coverage.tests((1, 10)) == {(1, 10): (OTHER,)}
    assert store.coverage.tests((1, 11)) == {}


def test_whether_a_conformance_test_hit_anything(store: Store) -> None:
    """In a ci run, or in an imported release."""
    assert not store.coverage.tested()
    used = make_usage("readPod")
    operations = {name: replace(one, tests={NAME: 3}) for name, one in used.operations.items()}
    store.runs.add(make_run(), replace(used, operations=operations), recorded=NOW)
    assert store.coverage.tested()


def test_histories_replace_each_other(store: Store) -> None:
    """The newest import is the one; the same again is no news."""
    first = [EndpointHistory("b", (1, 5), frozenset({(1, 9), (1, 16)})), EndpointHistory("a", (1, 6))]
    assert store.coverage.put_histories(first, recorded=NOW)
    assert not store.coverage.put_histories(first, recorded=NOW)
    assert store.coverage.histories() == (first[1], first[0])
    assert store.coverage.put_histories(first[:1], recorded=NOW)
    assert store.coverage.histories() == (first[0],)


def test_imported_releases(store: Store) -> None:
    """Their endpoints with all that is said of them; a null test stays apart from one without a name."""
    assert store.coverage.put_endpoints((1, 34), [ENDPOINT], [TEST], recorded=NOW)
    assert not store.coverage.put_endpoints((1, 34), [ENDPOINT], [TEST], recorded=NOW)
    assert store.coverage.endpoints((1, 34)) == (ENDPOINT,)
    assert store.coverage.endpoints((1, 35)) == ()
    assert store.coverage.imported_releases() == [(1, 34)]
    assert store.coverage.tests() == {(1, 34): (TEST,)}


def test_conformance_yaml_outweighs_an_imported_release(store: Store) -> None:
    """Its tests are the release's, whichever came first."""
    store.coverage.put_tests((1, 34), [OTHER], recorded=NOW)
    store.coverage.put_endpoints((1, 34), [ENDPOINT], [TEST], recorded=NOW)
    assert store.coverage.tests() == {(1, 34): (OTHER,)}


def test_received_and_fingerprint(store: Store) -> None:
    """Nothing at first; what is received changes the fingerprint, the same again does not."""
    assert not store.coverage.received()
    assert not store.coverage.tested()
    before = store.coverage.fingerprint()
    store.coverage.put_tests((1, 34), [TEST], recorded=NOW)
    after = store.coverage.fingerprint()
    store.coverage.put_tests((1, 34), [TEST], recorded=NOW + timedelta(days=1))
    assert store.coverage.received()
    assert before != after == store.coverage.fingerprint()


class TestHistory:
    """The tables as they were."""

    def test_keeps_what_is_new(self, store: Store) -> None:
        """The same table again is not kept twice; another one is, and so is one from elsewhere."""
        changed = replace(RECORD, rows=({"release": "1.36.0", "new": 15},))
        elsewhere = replace(RECORD, origin=CoverageOrigin.APISNOOP)
        progress = replace(RECORD, table=CoverageTable.PROGRESS)
        kept = [store.coverage.append(one) for one in (RECORD, RECORD, changed, elsewhere, progress, RECORD)]
        assert kept == [True, False, True, True, True, True]
        assert store.coverage.history() == ([RECORD, progress, elsewhere, changed, RECORD], 5)
        assert store.coverage.history(table=CoverageTable.PROGRESS) == ([progress], 1)
        assert store.coverage.history(release=(1, 35)) == ([], 0)
        assert store.coverage.history(release=(1, 36), limit=1, offset=2) == ([elsewhere], 5)

    @pytest.mark.parametrize(
        "sql", ["update coverage_history set rows = '[]'", "delete from coverage_history"]
    )
    def test_is_never_rewritten(self, store: Store, sql: str) -> None:
        """Not by anybody who opens the file, either."""
        store.coverage.append(RECORD)
        with (
            pytest.raises(sqlite3.IntegrityError, match="never rewritten"),
            store._connections.transaction() as db,
        ):
            db.execute(sql)
        assert store.coverage.history() == ([RECORD], 1)


def test_what_is_stored_stays(tmp_path: Path) -> None:
    """Another process reads the same."""
    with Store.open(tmp_path) as store:
        store.coverage.put_endpoints((1, 34), [ENDPOINT], [TEST], recorded=NOW)
    with Store.open(tmp_path) as store:
        assert store.coverage.endpoints((1, 34)) == (ENDPOINT,)


class TestViews:
    """What a person sees who opens the file."""

    def test_releases(self, store: Store) -> None:
        """A swagger or a date makes a release; each is told with what is there of it."""
        hold_swagger(store, "v1.34.1", "2025-09-01", "readPod")
        store.coverage.put_dates({(1, 36): date(2026, 4, 22)})
        store.coverage.put_tests((1, 34), [TEST, OTHER], recorded=NOW)
        store.coverage.put_endpoints((1, 36), [ENDPOINT], [], recorded=NOW)
        with store._connections.reading() as db:
            rows = db.execute("select * from v_releases order by major, minor").fetchall()
        assert rows == [
            ("1.34.0", 1, 34, None, "v1.34.1", 2, 0),
            ("1.36.0", 1, 36, "2026-04-22", None, 0, 1),
        ]

    def test_the_rest(self, store: Store) -> None:
        """Tests, histories, imported endpoints and kept tables, a row each."""
        store.coverage.put_histories([EndpointHistory("readPod", (1, 5), frozenset({(1, 9)}))], recorded=NOW)
        store.coverage.put_endpoints((1, 34), [ENDPOINT], [TEST], recorded=NOW)
        store.coverage.append(RECORD)
        with looking_into(store) as db:
            assert list(db.query("select version, codename, release from v_conformance_tests")) == [
                {"version": "1.34.0", "codename": NAME, "release": "1.9.0"}
            ]
            assert list(db.query("select * from v_endpoint_histories")) == [
                {"endpoint": "readPod", "promotion_release": "1.5.0", "test_releases": '["1.9.0"]'}
            ]
            [endpoint] = db.query("select * from v_release_endpoints")
            [kept] = db.query("select * from v_coverage_history")
        assert (endpoint["release"], endpoint["kind"], endpoint["tests"]) == (
            "1.34.0",
            "Pod",
            f'[null,"","{NAME}"]',
        )
        assert (kept["release"], kept["table"], kept["origin"]) == ("1.36.0", "releases", "own")
