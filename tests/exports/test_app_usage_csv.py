import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.apps import App
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import Level, Operation, Swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.exports.app_usage_csv import EXPORTS

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
PODS = "/api/v1/pods"


def operation(name: str, path: str = PODS, *, method: str = "GET", **known: str) -> Operation:
    """An operation of the core category unless told otherwise."""
    level = Level(known.pop("level", "stable"))
    return Operation(name, method, path, level, deprecated=False, category=known.get("category", "core"))


OPERATIONS = (
    operation("listPod"),
    operation("createPod", method="POST"),
    operation("headPodProxy", "/api/v1/pods/proxy", method="HEAD"),
    operation("listCron", "/apis/batch/v1beta1/cronjobs", level="beta", category="batch"),
    Operation("getVersion", "GET", "/version/", Level.STABLE, deprecated=False),
)


def app(name: str, version: str = "v1.34.0", swagger: Sequence[Operation] = OPERATIONS, **hits: int) -> App:
    """An application with so many requests of each operation."""
    run = Run(id=f"app-{name}", kind=RunKind.APP, app=name, version=version, started=NOON, finished=NOON)
    usage = Usage({one: OperationUsage(count) for one, count in hits.items()}, 0, 0)
    return App(run, usage, Swagger(version, {one.id: one for one in swagger}))


ARGO, FLUX = app("argo", listPod=5, createPod=2, listCron=1), app("flux", listPod=1, made_up=3)


def read(name: str, *apps: App, conf_tested: frozenset[str] | None = None) -> list[list[str]]:
    """The records of a file."""
    return list(csv.reader(io.StringIO(EXPORTS[name](apps, conf_tested), newline="")))


def test_summary() -> None:
    """APISnoop's columns: operations by level, and how many of them conformance tests hit."""
    conf_tested = frozenset({"listPod", "createPod"})
    assert read("app-usage-summary", ARGO, FLUX, app("idle"), conf_tested=conf_tested) == [
        ["app", "stable", "beta", "alpha", "total", "conformance"],
        ["argo", "2", "1", "0", "3", "2"],
        ["flux", "1", "0", "0", "2", "1"],
        ["idle", "0", "0", "0", "0", "0"],
    ]


def test_summary_without_conformance_tests() -> None:
    """Where nothing tells what they hit, nothing is counted."""
    assert read("app-usage-summary", FLUX)[1] == ["flux", "1", "0", "0", "2", ""]


def test_categories() -> None:
    """A row for each level and category of each application, the most used first."""
    assert read("app-usage-categories", ARGO, app("curl", getVersion=1)) == [
        ["app", "level", "category", "count"],
        ["argo", "stable", "core", "2"],
        ["argo", "beta", "batch", "1"],
        ["curl", "stable", "uncategorized", "1"],
    ]


def test_endpoints() -> None:
    """Used endpoints with how many applications use them, then how many of each kind none uses."""
    assert read("app-usage-endpoints", ARGO, FLUX) == [
        ["level", "category", "method + url", "count"],
        ["stable", "core", "GET /api/v1/pods", "2"],
        ["stable", "core", "POST /api/v1/pods", "1"],
        ["beta", "batch", "GET /apis/batch/v1beta1/cronjobs", "1"],
        ["stable", "uncategorized", "unused", "1"],
    ]
    assert read("app-usage-endpoints", FLUX)[2:] == [
        ["beta", "batch", "unused", "1"],
        ["stable", "core", "unused", "1"],
        ["stable", "uncategorized", "unused", "1"],
    ]


def test_spreadsheet() -> None:
    """A row for each endpoint, a column of requests for each application."""
    rows = read("coverage-spreadsheet", ARGO, FLUX, conf_tested=frozenset({"listPod"}))
    columns = ["level", "category", "method", "url", "endpoint", "conforms", "apps using it"]
    assert rows == [
        [*columns, "argo", "flux"],
        ["stable", "core", "GET", PODS, "listPod", "true", "2", "5", "1"],
        ["beta", "batch", "GET", "/apis/batch/v1beta1/cronjobs", "listCron", "false", "1", "1", "0"],
        ["stable", "core", "POST", PODS, "createPod", "false", "1", "2", "0"],
        ["stable", "uncategorized", "GET", "/version/", "getVersion", "false", "0", "0", "0"],
    ]


def test_nothing_tells_what_conforms() -> None:
    """Then the column is empty."""
    assert {row[5] for row in read("coverage-spreadsheet", ARGO)[1:]} == {""}


def test_endpoints_of_several_versions() -> None:
    """All of them, each as the newest swagger has it, whatever order the applications come in."""
    newer = app("new", "v1.35.0", [operation("listCron", "/apis/batch/v1/cronjobs")])
    for apps in ((ARGO, newer), (newer, ARGO)):
        rows = read("coverage-spreadsheet", *apps)
        assert [row[3] for row in rows if row[4] == "listCron"] == ["/apis/batch/v1/cronjobs"]
        assert len(rows) == 1 + 4


def test_a_head_that_was_used_is_there() -> None:
    """Only another tool's report can tell one."""
    assert read("app-usage-endpoints", app("old", headPodProxy=1))[1][2] == "HEAD /api/v1/pods/proxy"


@pytest.mark.parametrize("name", EXPORTS)
def test_no_applications(name: str) -> None:
    """A heading alone."""
    assert len(read(name)) == 1


@pytest.mark.parametrize("name", EXPORTS)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_cell_is_a_formula(name: str, text: str) -> None:
    """Whatever an application calls itself stands in one cell, and is no formula for a spreadsheet."""
    rows = read(name, app(text, listPod=1))
    assert len({len(row) for row in rows}) == 1
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in rows for cell in row)
