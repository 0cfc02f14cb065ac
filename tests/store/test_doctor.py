import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from auditsvc.audits import Classification, RecordedInputs, Settings
from auditsvc.core.apisnoop import ImportedEndpoint
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import EndpointHistory
from auditsvc.core.runs import BaselineRule
from auditsvc.errors import StoreError
from auditsvc.store import Store
from auditsvc.store.columns import compress
from auditsvc.store.costs import CostDocument, CostKind, CostOrigin
from auditsvc.store.coverage import CoverageOrigin, CoverageRecord, CoverageTable
from auditsvc.store.doctor import MOST_TOLD, Examined, examine
from auditsvc.store.tokens import Role, Token
from auditsvc.store.version import SCHEMA_VERSION
from tests.store.made import DAY, NOW, keep_list, keep_swagger, make_result, make_run, make_usage


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with one of everything in its store."""
    with Store.open(tmp_path) as store:
        swagger, pending = keep_swagger(store, "listPod", "readPod"), keep_list(store, "listPod", "readPod")
        policy = store.policies.keep(b"kind: Policy\n", recorded=NOW)
        run = make_run(swagger=swagger, pending=pending, policy=policy)
        store.runs.add(run, make_usage("readPod"), recorded=NOW)
        store.run_results.put("run-1", [make_result()])
        store.sets.put([make_result()], recorded=recorded(swagger, pending))
        store.tokens.add(Token("4f1d2c3b9a80", "ci", Role.READER, "0" * 64, created=NOW, expires=NOW))
        keep_coverage(store)
        document = CostDocument(kind=CostKind.ASSETS, content=b'{"data": []}', rows=0)
        store.costs.put(DAY, document, origin=CostOrigin.UPLOADED, recorded=NOW)
    return tmp_path


def recorded(swagger: str, pending: str) -> RecordedInputs:
    """What a result was computed from: those documents."""
    held = Classification("v1.34.0", swagger, pending, None)
    return RecordedInputs(
        now=NOW,
        settings=Settings(),
        rule=BaselineRule(),
        received=(),
        subjects=(),
        documents=held,
        swaggers=(),
        releases=(),
        ci_runs=(),
        coverage=(),
        costs=(),
    )


def keep_coverage(store: Store) -> None:
    """Keeps one of everything that is known of releases."""
    tests = [ConformanceTest(name, f"{name} [Conformance]", "pods.go", (1, 9)) for name in ("a", "b")]
    store.coverage.put_tests((1, 34), tests, recorded=NOW)
    store.coverage.put_histories([EndpointHistory("readPod", (1, 9))], recorded=NOW)
    store.coverage.put_endpoints((1, 33), [ImportedEndpoint("readPod", "/api")], [], recorded=NOW)
    store.coverage.append(
        CoverageRecord(
            release=(1, 34),
            table=CoverageTable.PROGRESS,
            origin=CoverageOrigin.OWN,
            recorded=NOW,
            rows=(),
        )
    )


def examined(folder: Path) -> dict[str, Examined]:
    """What was examined, by the check."""
    return {one.check: one for one in examine(folder, lambda _done, _total: None)}


def found(folder: Path) -> dict[str, list[str]]:
    """What is wrong, by the check."""
    return {
        name: [one.found for one in check.problems]
        for name, check in examined(folder).items()
        if check.problems
    }


SPOILT = {"frame": compress(b"{}"), "short": compress(bytes(999))[:9]}
"""Frames of other content, and of none."""


def change(folder: Path, *statements: str) -> None:
    """Does to the store what it would never do itself."""
    with closing(sqlite3.connect(folder / "auditsvc.db", isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement, SPOILT)


def test_a_whole_store(folder: Path) -> None:
    """Nothing is wrong; each check tells how much it looked at, and the file is not written."""
    before = (folder / "auditsvc.db").stat().st_mtime_ns
    told = {name: check.looked_at for name, check in examined(folder).items()}
    assert found(folder) == {}
    assert told.pop("pages").endswith(" pages")
    assert told == {
        "file": f"{folder / 'auditsvc.db'}, schema {SCHEMA_VERSION}",
        "runs": "1 runs",
        "swaggers": "1 documents",
        "lists": "1 documents",
        "policies": "1 documents",
        "costs": "1 documents",
        "results": "2 results",
        "inputs": "1 records",
        "coverage": "3 sources",
        "tokens": "1 tokens",
        "jobs": "0 under way",
    }
    assert (folder / "auditsvc.db").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("statement", "check", "text"),
    [
        (
            "update usage set hits = 7",
            "runs",
            "counts 1 requests, 1 of them mapped, and its rows 7 and 7",
        ),
        ("delete from usage", "runs", "run run-1 counts 1 requests, 1 of them mapped, and its rows 0 and 0"),
        (
            "update usage set tests = '{\"7\": 1}'",
            "runs",
            "run run-1 has requests of tests that it does not name",
        ),
        ("update usage set tests = '{'", "runs", "run run-1 has requests of tests that it does not name"),
        ("update samples set events = :short", "runs", "the sampled events of run run-1 cannot be trusted: "),
        ("delete from samples", "runs", "the sampled events of run run-1 cannot be trusted: "),
        ("update swaggers set document = :frame", "swaggers", "it is not the content of its hash"),
        ("update swaggers set document = :short", "swaggers", "cannot be trusted: "),
        (
            "update operations set level = 'beta' where id = 'readPod'",
            "swaggers",
            "its catalogue is not what",
        ),
        ("delete from operations where id = 'readPod'", "swaggers", "its catalogue is not what it holds"),
        ("update lists set text = '[]'", "lists", "it is not the content of its hash"),
        ("delete from list_entries where line = 1", "lists", "its rows are not what it holds"),
        ("update policies set text = '{}'", "policies", "it is not the content of its hash"),
        ("update runs set gaps = '{'", "runs", "the figures of run run-1's log cannot be trusted: "),
        ("update inputs set recorded = '{}'", "inputs", "it is not the content of its hash"),
        (
            "update input_documents set hash = 'gone' where hash in (select hash from lists)",
            "inputs",
            "is gone",
        ),
        ("update tokens set role = 'god'", "tokens", "token 4f1d2c3b9a80 cannot be trusted: 'god' is not a"),
        ("update tokens set hash = 'ab'", "tokens", "token 4f1d2c3b9a80 cannot be trusted: its hash is none"),
        ("update tokens set expires = 'soon'", "tokens", "token 4f1d2c3b9a80 cannot be trusted: "),
        (
            "delete from conformance_tests where position = 0",
            "coverage",
            "list of conformance tests of 1.34.0",
        ),
        ("update endpoint_histories set test_releases = ''", "coverage", "the history of readPod cannot"),
        ("update release_endpoints set tests = '['", "coverage", "the tests that hit readPod cannot be"),
        ("update costs set document = :frame", "costs", "it is not the content of its hash"),
        (
            "update results set status = 'Failed' where run is null",
            "results",
            "says Passed, its row Failed",
        ),
        (
            "update results set text = '{' where run is null",
            "results",
            "of swaggerTotal for 2023-01-16 cannot",
        ),
        (
            "update results set text = '{' where run is not null",
            "results",
            "of swaggerTotal for run run-1 cannot",
        ),
        ("update runs set policy = 'gone'", "pages", "a row of runs refers to one of policies that is gone"),
        ("update runs set pending = 'gone'", "pages", "a row of runs refers to one of lists that is gone"),
    ],
)
def test_what_is_not_whole(folder: Path, statement: str, check: str, text: str) -> None:
    """It is found by one check, which names what it is."""
    change(folder, statement)
    [(name, problems)] = found(folder).items()
    assert name == check
    assert len(problems) == 1
    assert text in problems[0]


def test_a_kept_table_that_was_changed(folder: Path) -> None:
    """SQLite refuses that; whoever got round it is told."""
    change(folder, "drop trigger coverage_history_unchanged", "update coverage_history set rows = ''")
    assert found(folder) == {"coverage": ["the kept table progress of 1.34.0 cannot be trusted"]}


def test_a_job_of_nobody(folder: Path) -> None:
    """An unfinished job whose process is gone is one; one of a process that lives is none."""
    with Store.open(folder) as store:
        lost = store.jobs.create("audit", "", created=NOW)
    with Store.open(folder) as store:
        store.jobs.create("audit", "", created=NOW)
        assert examined(folder)["jobs"].looked_at == "2 under way"
        assert found(folder) == {"jobs": [f"job {lost.id} is unfinished, and its process is gone"]}
        store.interrupt_lost_jobs(now=NOW)
        assert found(folder) == {}


def test_an_older_version(folder: Path) -> None:
    """It is told, and its content is not looked at: what that should be is not known."""
    change(folder, "pragma user_version = 1")
    assert list(found(folder)) == list(examined(folder)) == ["file"]


def test_a_damaged_file(folder: Path) -> None:
    """What cannot be opened is told with what to do."""
    (folder / "auditsvc.db").write_bytes(b"PK\x03\x04" * 1000)
    [check] = examined(folder).values()
    assert "is not a database" in check.problems[0].found
    assert "restore" in check.problems[0].remedy


def test_many_problems_are_told_in_part(folder: Path) -> None:
    """Whoever has a thousand rows of nothing is told of some."""
    change(
        folder,
        "pragma foreign_keys = off",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 99) "
        "insert into samples select 'r' || i, x'' from n",
    )
    assert len(found(folder)["pages"]) == MOST_TOLD


def test_no_store(tmp_path: Path) -> None:
    """A folder without a store is an error of its own, and stays empty."""
    with pytest.raises(StoreError, match="there is no store in"):
        examined(tmp_path)
    assert list(tmp_path.iterdir()) == []
