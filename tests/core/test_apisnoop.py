import json
from datetime import date

import pytest

from auditsvc.core.apisnoop import (
    ImportedCoverage,
    ImportedDates,
    ImportedEndpoint,
    ImportedHistories,
    ImportedIneligible,
    ImportedProgress,
    ImportedRelease,
    imported_operations,
    parse_apisnoop,
)
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import CoverageRow, EndpointHistory, ProgressRow
from auditsvc.core.swagger import Level
from auditsvc.errors import ParseError

POD = {"endpoint": "readPod", "path": "/api/v1/pods/{name}", "tests": [None, "", "a [Conformance]"]}
TEST = {"test": "a [Conformance]", "testname": "A", "file": "a.go", "conformance_test": True}


def packed(value: object) -> bytes:
    """As a file."""
    return json.dumps(value).encode()


def test_a_release() -> None:
    """Its endpoints with their tests, its conformance tests, and the day it came out."""
    tests = [
        {**TEST, "promotion_release": "1.16.0"},
        {**TEST, "test": "b", "conformance_test": False},
        {"test": "", "conformance_test": True},
        {"test": "c [Conformance]", "conformance_test": True},
    ]
    content = {
        "release": "1.34.0",
        "release_date": "2025-08-27T00:00:00",
        "tests": tests,
        "endpoints": [POD],
    }
    assert parse_apisnoop(packed(content)) == ImportedRelease(
        (1, 34),
        date(2025, 8, 27),
        (ImportedEndpoint("readPod", "/api/v1/pods/{name}", (None, "", "a [Conformance]")),),
        (
            ConformanceTest("A", "a [Conformance]", "a.go", (1, 16)),
            ConformanceTest("", "c [Conformance]", "", (1, 9)),
        ),
    )


def test_histories() -> None:
    """Promotion and the releases of the tests; a test that is null is none."""
    rows = [
        {"endpoint": "a", "promotion_release": "1.5.0", "tests": [{"release": "1.9.0"}, None]},
        {"endpoint": "b", "promotion_release": "1.6.0", "tests": None},
    ]
    assert parse_apisnoop(packed(rows)) == ImportedHistories(
        (EndpointHistory("a", (1, 5), frozenset({(1, 9)})), EndpointHistory("b", (1, 6)))
    )


def test_tables() -> None:
    """Coverage and progress, in our words."""
    coverage = {
        "release": "1.6.0",
        "tested": 13,
        "untested": 1,
        "new endpoints": 14,
        "total endpoints": 202,
        "total tested": 201,
        "total untested": 1,
    }
    assert parse_apisnoop(packed([coverage])) == ImportedCoverage(
        (CoverageRow("1.6.0", 14, 13, 1, 202, 201, 1),)
    )
    names = ("endpoints", "tested", "new", "new_tested", "old_tested", "new_with_tests", "still_untested")
    progress = {"release": "1.9.0", "total": {name: number for number, name in enumerate(names)}}
    assert parse_apisnoop(packed([progress])) == ImportedProgress(
        (ProgressRow("1.9.0", 0, 1, 2, 3, 4, 5, 6),)
    )


def test_ineligible_list() -> None:
    """The list, and the text that it stands in."""
    content = packed([{"endpoint": "a", "reason": "debug", "link": "https://example.org"}])
    found = parse_apisnoop(content)
    assert isinstance(found, ImportedIneligible)
    assert set(found.entries.names) == {"a"}
    assert found.text == content


@pytest.mark.parametrize(
    "content",
    [
        b'- release_date: ""\n  version: 1.37.0\n- release_date: "2026-04-22"\n  version: 1.36.0\n',
        b"- version: v1.37.0\n- version: v1.36.0\n  release_date: 2026-04-22\n",
        b'[{"version": "1.37.0", "release_date": ""}, {"version": "1.36.0", "release_date": "2026-04-22"}]',
    ],
)
def test_dates(content: bytes) -> None:
    """YAML or JSON, a date with quotes or without, or none yet."""
    assert parse_apisnoop(content) == ImportedDates({(1, 37): None, (1, 36): date(2026, 4, 22)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "none of APISnoop's files: "),
        (b"[]", "none of APISnoop's files: "),
        (b"{}", "none of APISnoop's files: "),
        (b"42", "none of APISnoop's files: "),
        (b'{"swagger": "2.0", "paths": {}}', "none of APISnoop's files: "),
        (b"a: [", "none of APISnoop's files: .*: line 2, column 1: not YAML"),
        (b"\xff\xfe", "none of APISnoop's files: .*: line 1, column 1: not UTF-8"),
        (b"- a\n", "line 1, column 3: expected a release: a mapping with version and release_date"),
        (b"- version: soon\n", "line 1, column 3: none of .*: not a version of Kubernetes: soon"),
        (b"- version: 1.36.0\n  release_date: spring\n", "line 1, column 3: none of .*: not a date: spring"),
        (b'{"release": "1.34.0", "endpoints": 4}', r"Expected `array`, got `int` - at `\$.endpoints`"),
        (b'{"release": "new", "endpoints": []}', "not a version of Kubernetes: new"),
    ],
)
def test_refuses_what_is_none_of_them(content: bytes, message: str) -> None:
    """The message says which files there are, and where something is wrong."""
    with pytest.raises(ParseError, match=message):
        parse_apisnoop(content)


@pytest.mark.parametrize(
    ("tests", "tested", "conf_tested"),
    [
        ((), False, False),
        ((None,), False, False),
        (("",), True, False),
        (("a", None), True, False),
        (("a [Conformance]",), True, True),
    ],
)
def test_what_tested_means(tests: tuple[str | None, ...], tested: bool, conf_tested: bool) -> None:
    """Some test that is not null, be it without a name; one that says Conformance."""
    found = ImportedEndpoint("a", "/a", tests)
    assert (found.tested, found.conf_tested) == (tested, conf_tested)


def test_operations_get_our_levels() -> None:
    """The method comes from the action, or the name where that says connect; the level from the path."""
    node = "/api/v1/nodes/{name}/proxy"
    endpoints = [
        ImportedEndpoint("listJob", "/apis/batch/v1beta1/jobs", action="list", kind="Job", category="batch"),
        ImportedEndpoint("connectCoreV1HeadNodeProxy", node, action="connect"),
        ImportedEndpoint("connectCoreV1GetNodeProxy", node, action="connect"),
        ImportedEndpoint("deleteCollectionNode", "/api/v1/nodes", action="deletecollection"),
        ImportedEndpoint("getBatchAPIGroup", "/apis/batch/", description="deprecated"),
    ]
    found = imported_operations(endpoints)
    assert {name: (one.method, one.level) for name, one in found.items()} == {
        "listJob": ("GET", Level.BETA),
        "connectCoreV1HeadNodeProxy": ("HEAD", Level.STABLE),
        "connectCoreV1GetNodeProxy": ("GET", Level.STABLE),
        "deleteCollectionNode": ("DELETE", Level.STABLE),
        "getBatchAPIGroup": ("GET", Level.BETA),
    }
    assert (found["listJob"].kind, found["listJob"].category, found["listJob"].action) == (
        "Job",
        "batch",
        "list",
    )
    assert found["getBatchAPIGroup"].deprecated
