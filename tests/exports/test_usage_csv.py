import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.exports.usage_csv import COLUMNS, render
from tests.exports.samples import EMPTY, EMPTY_SWAGGER, ODD_NAME, SWAGGER, USAGE


def read(text: str) -> list[dict[str, str]]:
    """The rows, as any CSV reader has them."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_rows() -> None:
    """Each operation is a row with its place in the API and its use; what is not known is empty."""
    flow, pods, odd = read(render(USAGE, SWAGGER))
    assert pods == {
        "operation": "listCoreV1Pod",
        "level": "stable",
        "group": "",
        "version": "v1",
        "kind": "Pod",
        "action": "list",
        "deprecated": "false",
        "hits": "7",
        "success_hits": "5",
        "tested": "true",
        "conf_tested": "true",
        "first": "2026-03-04T12:00:00.000000Z",
        "last": "2026-03-04T12:30:01.000005Z",
    }
    assert (flow["operation"], flow["level"], flow["deprecated"]) == ("createFlow", "beta", "true")
    assert (flow["kind"], flow["tested"], flow["conf_tested"], flow["first"]) == ("", "false", "false", "")
    assert (odd["operation"], odd["level"], odd["deprecated"], odd["hits"]) == (ODD_NAME, "", "", "1")


def test_empty() -> None:
    """A run that used nothing has a heading alone."""
    assert render(EMPTY, EMPTY_SWAGGER) == ",".join(COLUMNS) + "\r\n"


def test_real_log(demo_usage: Usage, demo_swagger: Swagger) -> None:
    """Of a real run, every operation is known and every hit is there."""
    rows = read(render(demo_usage, demo_swagger))
    assert [row["operation"] for row in rows] == sorted(demo_usage.operations)
    assert sum(int(row["hits"]) for row in rows) == demo_usage.mapped
    assert all(row["level"] in ("stable", "beta", "alpha") for row in rows)


@given(st.lists(st.text(min_size=1), unique=True))
def test_any_name(names: list[str]) -> None:
    """Any name is read back as it was."""
    usage = Usage(dict.fromkeys(names, OperationUsage(1)), len(names), len(names))
    assert [row["operation"] for row in read(render(usage, EMPTY_SWAGGER))] == sorted(names)
