import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.report import parse_report
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.exports.endpoints_txt import render
from tests.exports.samples import EMPTY, USAGE, texts

RULE = "-" * 70


def read_as_test_infra(text: str) -> list[str]:
    """What ``kubernetes_api_analysis.py`` takes from a report, before it asks the swagger which it knows."""
    rows = [line for line in map(str.strip, text.splitlines()) if " | " in line]
    named = [row for row in rows if "Endpoint Name" not in row and "NOT FOUND" not in row]
    return [row[: row.index("|")].strip() for row in named]


def test_report() -> None:
    """Eight header lines, the title row, a rule, and the operations by name."""
    assert render(
        replace(USAGE, operations={"b": OperationUsage(8), "a": OperationUsage(2)})
    ).splitlines() == [
        "Kubernetes API Endpoints Found in Audit Log (Swagger-Enhanced)",
        "=" * 70,
        "Total unique endpoints: 2",
        "Total API calls: 10",
        "Swagger-based matches: 10",
        "Fallback matches: 0",
        "Skipped entries: 5",
        "Results sorted alphabetically",
        "",
        "Endpoint Name (OpenAPI Operation ID) | Count",
        RULE,
        "a | 2",
        "b | 8",
    ]


def test_empty() -> None:
    """A run that used nothing has a table without rows."""
    text = render(EMPTY)
    assert text.endswith(RULE)
    assert read_as_test_infra(text) == []
    assert parse_report(text).operations == {}


def test_order() -> None:
    """The case of a name does not matter for its place, and two that differ in it alone are in order too."""
    names = ["getAPIVersions", "getAdmissionAPIGroup", "b", "B", "a"]
    usage = Usage({name: OperationUsage(1) for name in names}, 5, 5)
    assert read_as_test_infra(render(usage)) == ["a", "B", "b", "getAdmissionAPIGroup", "getAPIVersions"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("readCoreV1Pod", "readCoreV1Pod"),
        ("a|b", "a%7Cb"),
        ("two\nlines | 9", "two%0Alines%20%7C%209"),
        ("NOT FOUND", "NOT%20FOUND"),
        ("Endpoint Name", "Endpoint%20Name"),
        ("é\u2028\x00", "é%E2%80%A8%00"),
    ],
)
def test_names_that_would_break_the_row(name: str, expected: str) -> None:
    """A name is percent-encoded where it would end the row, split it, or be taken for another line."""
    text = render(Usage({name: OperationUsage(1)}, 1, 1))
    assert read_as_test_infra(text) == [expected]
    assert set(parse_report(text).operations) == {expected}


def test_real_log(demo_usage: Usage) -> None:
    """A real run's report is read by both readers, with every operation and every hit."""
    text = render(demo_usage)
    assert len(demo_usage.operations) > 200
    assert set(read_as_test_infra(text)) == set(demo_usage.operations)
    read = parse_report(text)
    assert read.requests == demo_usage.mapped
    assert {name: used.hits for name, used in read.operations.items()} == {
        name: used.hits for name, used in demo_usage.operations.items()
    }


def test_read_back(demo_usage: Usage) -> None:
    """A report that was read is written as the same report, and read as the same usage."""
    text = render(demo_usage)
    usage = parse_report(text)
    assert render(usage) == text
    assert parse_report(render(usage)) == usage


@given(st.lists(texts.filter(bool), unique_by=str.lower))
def test_any_name_is_one_row(names: list[str]) -> None:
    """Whatever the names are, each is one row to test-infra's reader."""
    names = [name.encode("utf-8", "replace").decode() for name in names]
    text = render(Usage(dict.fromkeys(names, OperationUsage(1)), 0, 0))
    assert len(read_as_test_infra(text)) == len(set(names))
