import gzip
import re
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlite_utils import Database

from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.core.mapper import Unmapped
from auditsvc.core.results import AuditResult
from auditsvc.core.runs import RunKind
from auditsvc.core.swagger import Level, Operation, Swagger, minor_version, parse_swagger
from auditsvc.core.usage import DeprecatedUse, Gap, OperationUsage, Usage
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from auditsvc.store.views import VIEWS
from tests.store.made import (
    NOW,
    hold_list,
    hold_swagger,
    keep_list,
    keep_swagger,
    looking_into,
    make_failure,
    make_result,
    make_run,
    make_stored,
    make_usage,
    on,
)

TEST, CONFORMANCE_TEST = "[sig-node] Pods work", "[sig-node] Pods run [Conformance]"
WINDOW = {
    "day": "2023-01-16",
    "window_start": "2023-01-16T00:00:00.000000Z",
    "window_end": "2023-01-17T00:00:00.000000Z",
}


def ask(store: Store, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """What a person sees who opens the file with another program."""
    uri = f"{store.path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as conn:
        return list(Database(conn).query(sql, parameters))


@pytest.mark.parametrize("view", VIEWS)
def test_views_say_what_their_columns_mean(store: Store, view: str) -> None:
    """The file itself documents each view and each of its columns."""
    [row] = ask(store, "select sql from sqlite_master where name = ?", view)
    with looking_into(store) as db:
        columns = list(db.view(view).columns_dict)
    assert re.search(r"as\s+-- The .+\.$|as\s+-- (What|How) .+\.$", row["sql"], re.IGNORECASE | re.MULTILINE)
    documented = re.findall(r"(\w+)\"?,?\s+-- \S.+$", row["sql"].split("select", 1)[1], re.MULTILINE)
    assert documented == columns


@pytest.mark.parametrize("view", VIEWS)
def test_views_cannot_be_written(store: Store, view: str) -> None:
    """A view answers questions only."""
    with closing(sqlite3.connect(store.path)) as conn, pytest.raises(sqlite3.OperationalError) as error:
        conn.execute(f"delete from {view}")  # noqa: S608 - one of ours
    assert "because it is a view" in str(error.value)


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_an_empty_store_are_empty(store: Store, view: str) -> None:
    """A view needs no data to answer."""
    assert ask(store, f"select * from {view}") == []  # noqa: S608 - one of ours


class TestRuns:
    """v_runs."""

    def test_tells_a_run(self, store: Store) -> None:
        """A run's own values, its totals, and what applies to it."""
        swagger = hold_swagger(store, "v1.34.0", "2023-01-01", "readPod")
        usage = replace(make_usage("readPod", "x"), requests=9, malformed=1, duplicates=2, incomplete=3)
        usage = replace(usage, unmapped={Unmapped.NON_API: OperationUsage(7)})
        run = make_run(kind=RunKind.PULL, pull="7", cluster="kind", version="v1.34.2")
        store.runs.add(run, usage, recorded=NOW)
        time = "2023-01-16T20:23:08.000005Z"
        unknown = dict.fromkeys(("job", "build", "app", "revision", "pending", "ineligible", "policy"))
        assert ask(store, "select * from v_runs") == [
            unknown
            | {"run": "run-1", "kind": "pull", "day": "2023-01-16", "started": time, "finished": time}
            | {"result": "success", "cluster": "kind", "pull": "7", "version": "v1.34.2", "swagger": swagger}
            | {"requests": 9, "mapped": 2, "unmapped": 7, "operations": 2, "imported": 0}
            | {"malformed": 1, "duplicates": 2, "incomplete": 3, "never_completed": None}
            | {"backwards": None, "longest_gap": None, "deprecated_requests": None}
        ]

    def test_tells_of_its_log(self, store: Store) -> None:
        """What is known of a run's log as such."""
        uses = tuple(DeprecatedUse("kubectl", name, "1.25", 2) for name in ("readPod", "listPod"))
        gaps = Gap(NOW, 90.5), Gap(NOW, 20)
        usage = replace(make_usage(), backwards=1, gaps=gaps, never_completed=3, deprecated=uses)
        store.runs.add(make_run(), usage, recorded=NOW)
        columns = "never_completed", "backwards", "longest_gap", "deprecated_requests"
        [row] = ask(store, "select * from v_runs")
        assert [{name: row[name] for name in columns}] == [
            {"never_completed": 3, "backwards": 1, "longest_gap": 90.5, "deprecated_requests": 4}
        ]

    def test_marks_an_imported_report(self, store: Store) -> None:
        """Another tool's report is told from a log."""
        store.runs.add(make_run(), replace(make_usage(), header={}), recorded=NOW)
        assert ask(store, "select imported from v_runs") == [{"imported": 1}]

    @pytest.mark.parametrize("version", [None, "v1.9.7", "v1.10.0", "1.10", "v1.11.0", "none"])
    @pytest.mark.parametrize("day", ["2022-12-01", "2023-01-01", "2023-01-15", "2023-03-01"])
    def test_what_applies_is_what_the_program_takes(
        self, store: Store, version: str | None, day: str
    ) -> None:
        """A run that brought nothing is judged with what holds when it finished."""
        for upload, since in [("v1.9.0", "2023-01-01"), ("v1.10.0", "2023-01-10"), ("v1.9.1", "2023-02-01")]:
            hold_swagger(store, upload, since, upload)
            for kind in ListKind:
                hold_list(store, kind, since, kind + since)
        store.runs.add(make_run(version=version, finished=on(day)), make_usage(), recorded=NOW)
        swagger = store.swaggers.holding(minor_version(version), on(day))
        lists = {kind.value: store.lists.holding(kind, on(day)) for kind in ListKind}
        assert ask(store, "select swagger, pending, ineligible from v_runs") == [
            {"swagger": swagger and swagger.hash} | {kind: held and held.hash for kind, held in lists.items()}
        ]

    def test_what_a_run_brought_applies(self, store: Store) -> None:
        """What holds for all is nothing to a run with documents of its own."""
        hold_swagger(store, "v1.34.0", "2023-01-01", "readPod")
        hold_list(store, ListKind.PENDING, "2023-01-01", "readPod")
        own = {
            "swagger": keep_swagger(store, "own"),
            "pending": keep_list(store, "p"),
            "ineligible": keep_list(store, "i"),
            "policy": store.policies.keep(b"kind: Policy", recorded=NOW),
        }
        store.runs.add(make_run(version="v1.34.0", **own), make_usage(), recorded=NOW)
        assert ask(store, "select swagger, pending, ineligible, policy from v_runs") == [own]


@pytest.fixture(scope="module")
def swagger(demo_data: Path) -> Swagger:
    """The recorded server's catalogue."""
    return parse_swagger(read_document(demo_data))


@pytest.fixture(scope="module")
def lists(demo_data: Path) -> dict[ListKind, EndpointList]:
    """The lists for it."""
    return {kind: parse_endpoint_list(read_list(demo_data, kind)) for kind in ListKind}


@pytest.fixture(scope="module")
def usage(swagger: Swagger) -> Usage:
    """Every second operation used, in one of four ways, and one that the swagger lacks."""
    ways = (
        OperationUsage(3, {"2xx": 2, "4xx": 1}),
        OperationUsage(2, {"4xx": 2}, tests={TEST: 2}),
        OperationUsage(4, {"2xx": 4}, tests={TEST: 1, CONFORMANCE_TEST: 3}, agents={"kubectl": 4}),
        OperationUsage(1, {"none": 1}, first=NOW, last=NOW),
    )
    used = {name: ways[number % 4] for number, name in enumerate(sorted(swagger.operations)[::2])}
    used["madeUp"] = OperationUsage(1)
    hits = sum(one.hits for one in used.values())
    return Usage(used, requests=hits, mapped=hits)


@pytest.fixture(scope="module")
def real(
    tmp_path_factory: pytest.TempPathFactory, demo_data: Path, swagger: Swagger, usage: Usage
) -> Iterator[Store]:
    """A store with all of that."""
    with Store.open(tmp_path_factory.mktemp("real")) as store:
        digest = store.swaggers.keep(read_document(demo_data), swagger, recorded=NOW)
        store.swaggers.hold("v1.20.2", digest, holds_from=NOW, recorded=NOW)
        for kind in ListKind:
            text = read_list(demo_data, kind)
            digest = store.lists.keep(text, parse_endpoint_list(text), recorded=NOW)
            store.lists.hold(kind, digest, holds_from=NOW, recorded=NOW)
        store.runs.add(make_run(version="v1.20.2"), usage, recorded=NOW)
        yield store


def read_document(demo_data: Path) -> bytes:
    """The recorded server's swagger document."""
    return gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes())


def read_list(demo_data: Path, kind: ListKind) -> bytes:
    """The text of a list for it."""
    return (demo_data / f"demo-1.20.2-{kind}.yaml").read_bytes()


class TestRealData:
    """The catalogue and lists that ship with the project, and a run over part of them."""

    def test_operations(self, real: Store, swagger: Swagger) -> None:
        """A row per operation, with everything that the catalogue knows."""
        rows = {row["operation"]: row for row in ask(real, "select * from v_operations")}
        assert rows.keys() == swagger.operations.keys()
        for name, operation in swagger.operations.items():
            row = rows[name]
            assert (row["swagger_version"], bool(row["observable"])) == (
                "v1.20.2",
                operation.method != "HEAD",
            )
            row |= {"id": name, "level": Level(row["level"]), "deprecated": bool(row["deprecated"])}
            assert Operation(**{field: row[field] for field in Operation.__struct_fields__}) == operation

    def test_usage(self, real: Store, swagger: Swagger, usage: Usage) -> None:
        """A row per operation used, beside what the swagger says of it."""
        rows = {row["operation"]: row for row in ask(real, "select * from v_usage")}
        assert rows.keys() == usage.operations.keys()
        for name, row in rows.items():
            used, operation = usage.operations[name], swagger.get(name)
            assert (row["hits"], row["success_hits"]) == (used.hits, used.success_hits)
            assert row["conformance_hits"] == used.conformance_hits
            assert row["level"] == (operation and operation.level)
            assert row["resource"] == (operation and operation.resource)

    def test_usage_opens_into_tests(self, real: Store) -> None:
        """The JSON columns can be asked, too."""
        sql = "select distinct t.key as test from v_usage u, json_each(u.tests) t order by 1"
        assert [row["test"] for row in ask(real, sql)] == sorted([TEST, CONFORMANCE_TEST])

    @pytest.mark.parametrize("level", Level)
    def test_coverage(
        self, real: Store, swagger: Swagger, lists: dict[ListKind, EndpointList], usage: Usage, level: Level
    ) -> None:
        """The eligible are the stable, not deprecated, not listed ones; each count is one of these."""
        operations = [operation for operation in swagger.operations.values() if operation.level is level]
        listed = lists[ListKind.INELIGIBLE].names
        eligible = [
            operation
            for operation in operations
            if level is Level.STABLE and not operation.deprecated and operation.id not in listed
        ]
        used = [usage.operations[one.id] for one in eligible if one.id in usage.operations]
        assert ask(real, "select * from v_coverage where run = 'run-1' and level = ?", level) == [
            {
                "run": "run-1",
                "run_kind": "ci",
                "finished": "2023-01-16T20:23:08.000005Z",
                "level": level,
                "operations": len(operations),
                "exercised": sum(one.id in usage.operations for one in operations),
                "eligible": len(eligible),
                "eligible_observable": sum(one.observable for one in eligible),
                "eligible_exercised": len(used),
                "eligible_success": sum(one.success_hits > 0 for one in used),
                "eligible_tested": sum(bool(one.tests) for one in used),
                "eligible_conf_tested": sum(one.conformance_hits > 0 for one in used),
                "eligible_pending": sum(one.id in lists[ListKind.PENDING].names for one in eligible),
            }
        ]

    def test_coverage_is_known(self, real: Store) -> None:
        """The numbers of the recorded server, from its swagger and the shipped lists."""
        sql = "select level, operations, eligible from v_coverage order by level"
        assert [tuple(row.values()) for row in ask(real, sql)] == [
            ("alpha", 125, 0),
            ("beta", 339, 0),
            ("stable", 602, 473),
        ]


@pytest.mark.parametrize(
    ("ineligible", "eligible"), [((), 2), (("readPod",), 1), (("readPod", "readPod"), 1), (("other",), 2)]
)
def test_coverage_takes_the_list_that_applies(
    store: Store, ineligible: Collection[str], eligible: int
) -> None:
    """The list that a run brought decides, and an entry on it twice counts once."""
    hold_swagger(store, "v1.34.0", "2023-01-01", "readPod", "listPod")
    hold_list(store, ListKind.INELIGIBLE, "2023-01-01", "readPod", "listPod")
    store.runs.add(
        make_run("own", ineligible=keep_list(store, *ineligible)), make_usage("readPod"), recorded=NOW
    )
    store.runs.add(make_run("held"), make_usage("readPod"), recorded=NOW)
    rows = ask(store, "select run, eligible, exercised from v_coverage order by run")
    assert [tuple(row.values()) for row in rows] == [("held", 0, 1), ("own", eligible, 1)]


def test_coverage_without_lists(store: Store) -> None:
    """Where no list was ever given, nothing is ineligible."""
    hold_swagger(store, "v1.34.0", "2023-01-01", "readPod", "listPod")
    store.runs.add(make_run(), make_usage("readPod"), recorded=NOW)
    assert [row["eligible"] for row in ask(store, "select eligible from v_coverage")] == [2]


def test_audits(store: Store) -> None:
    """A row per window and audit, and per run and audit."""
    store.runs.add(make_run(), make_usage(), recorded=NOW)
    store.run_results.put("run-1", [make_result("a")])
    store.sets.put([make_failure("b"), make_result("c", missing=["x", "y"])])
    common = WINDOW | {"checked": 1, "last_run": "2023-01-16T20:23:08.000005Z", "description": ""}
    assert ask(store, "select * from v_audits order by key") == [
        common | {"run": "run-1", "key": "a", "status": "Passed", "failures": 0, "warnings": 0},
        common | {"run": None, "key": "b", "status": "Failed", "failures": 1, "warnings": 0},
        common | {"run": None, "key": "c", "status": "Warning", "failures": 0, "warnings": 2},
    ]


def test_findings(store: Store) -> None:
    """A row per finding, hard or soft; an audit that could not judge has its reason there."""
    problem = AuditResult(NOW, ("Results",), problem="nothing to compare: no runs")
    store.sets.put(
        [make_failure("a"), make_result("b", missing=["x"]), make_result("c"), make_stored(problem, "d")]
    )
    nothing = dict.fromkeys(("run", "map", "path", "expected", "actual", "missing", "resolution")) | WINDOW
    assert ask(store, "select * from v_findings order by key") == [
        nothing
        | {"key": "a", "severity": "hard", "map": "Results", "path": '["run-1","eligible"]', "expected": 3}
        | {"actual": 2, "description": "one is untested", "resolution": "write a test"},
        nothing
        | {
            "key": "b",
            "severity": "soft",
            "missing": "x",
            "description": "x is missing",
            "resolution": "add x",
        },
        nothing | {"key": "d", "severity": "hard", "description": "nothing to compare: no runs"},
    ]
