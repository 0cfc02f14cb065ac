import re

from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.exports.plain import visible
from auditsvc.exports.usage_text import render
from tests.exports.samples import EMPTY, EMPTY_SWAGGER, SWAGGER, USAGE, texts


def read(text: str) -> list[list[list[str]]]:
    """The tables as rows of cells, which are at least two spaces apart."""
    tables = text.removesuffix("\n").split("\n\n")
    return [[re.split(r" {2,}", line.strip()) for line in table.split("\n")] for table in tables]


def test_usage() -> None:
    """The totals with what was unmapped and why, the levels, the busiest operations and agents."""
    totals, levels, operations, agents = read(render(USAGE, SWAGGER))
    assert totals == [
        ["requests", "13", "from 2026-03-04T12:00:00.000000Z to 2026-03-04T12:30:01.000005Z"],
        ["mapped", "10", "to 3 operations"],
        ["unmapped", "3"],
        ["custom-resource", "1"],
        ["non-api", "2"],
        ["malformed lines", "2", "audit.log:17, audit.log:99"],
        ["repeated completions", "1"],
        ["requests left open", "4"],
    ]
    assert levels == [
        ["level", "operations", "used", "hits"],
        ["stable", "1", "1", "7"],
        ["beta", "1", "1", "2"],
        ["alpha", "0", "0", "0"],
        ["not in swagger", "0", "1", "1"],
    ]
    assert operations == [
        ["hits", "success", "tests", "operation (3 of 3)"],
        ["7", "5", "2", "listCoreV1Pod"],
        ["2", "2", "0", "createFlow"],
        ["1", "0", "0", 'made,up "name"\\nof | lines'],
    ]
    assert agents == [["hits", "user agent (2 of 2)"], ["4", "kubectl"], ["3", "e2e.test"]]


def test_top() -> None:
    """Only so many operations and agents are listed, the busiest, and it is told of how many."""
    _, _, operations, agents = read(render(USAGE, SWAGGER, top=1))
    assert operations == [
        ["hits", "success", "tests", "operation (1 of 3)"],
        ["7", "5", "2", "listCoreV1Pod"],
    ]
    assert agents == [["hits", "user agent (1 of 2)"], ["4", "kubectl"]]


def test_empty() -> None:
    """A run that used nothing has totals and levels of zero, and no list."""
    totals, levels = read(render(EMPTY, EMPTY_SWAGGER))
    assert totals[0] == ["requests", "0"]
    assert levels[1:] == [[level, "0", "0", "0"] for level in ("stable", "beta", "alpha")]


def test_real_log(demo_usage: Usage, demo_swagger: Swagger) -> None:
    """Of a real run, the levels add up to its mapped requests and to the swagger's operations."""
    totals, levels, operations, _ = read(render(demo_usage, demo_swagger))
    assert totals[1][:2] == ["mapped", str(demo_usage.mapped)]
    counts = [[int(cell) for cell in row[1:]] for row in levels[1:]]
    assert [sum(column) for column in zip(*counts, strict=True)] == [
        len(demo_swagger.operations),
        len(demo_usage.operations),
        demo_usage.mapped,
    ]
    assert len(operations) == 21


@given(
    st.dictionaries(texts, st.integers(1, 9).map(lambda hits: OperationUsage(hits, agents={"\x1b[2J": hits})))
)
def test_nothing_drives_the_terminal(operations: dict[str, OperationUsage]) -> None:
    """Whatever was logged, the text is plain lines."""
    text = render(Usage(operations, 0, 0), EMPTY_SWAGGER)
    assert all(visible(line) == line for line in text.split("\n"))
