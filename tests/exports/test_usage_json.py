import json
from datetime import datetime

from auditsvc.core.usage import Usage
from auditsvc.exports.usage_json import render
from tests.exports.samples import CONFORMANCE, EMPTY, ODD_NAME, USAGE


def test_usage() -> None:
    """One object with the totals, and each operation's hits, codes, tests, agents and times."""
    read = json.loads(render(USAGE))
    operations = read.pop("operations")
    assert read == {
        "requests": 13,
        "mapped": 10,
        "unmapped": {"custom-resource": 1, "non-api": 2},
        "malformed": 2,
    }
    assert list(operations) == ["createFlow", "listCoreV1Pod", ODD_NAME]
    assert operations["listCoreV1Pod"] == {
        "hits": 7,
        "success_hits": 5,
        "codes": {"2xx": 5, "4xx": 1, "none": 1},
        "tests": {
            CONFORMANCE: {"hits": 2, "conformance": True},
            "[sig-node] é": {"hits": 1, "conformance": False},
        },
        "agents": {"kubectl": 4, "e2e.test": 3},
        "first": "2026-03-04T12:00:00.000000Z",
        "last": "2026-03-04T12:30:01.000005Z",
    }


def test_member_order() -> None:
    """The members are in the order in which they are documented."""
    read = json.loads(render(USAGE))
    assert list(read) == ["requests", "mapped", "unmapped", "malformed", "operations"]
    members = ["hits", "success_hits", "codes", "tests", "agents", "first", "last"]
    assert all(list(operation) == members for operation in read["operations"].values())


def test_indented() -> None:
    """The text is what Python's json writes with two spaces a level: in ASCII, whatever the names hold."""
    text = render(USAGE)
    assert text == json.dumps(json.loads(text), indent=2) + "\n"
    assert text.isascii()


def test_unknown_times() -> None:
    """A time that is not known is null."""
    flow = json.loads(render(USAGE))["operations"]["createFlow"]
    assert (flow["first"], flow["last"]) == (None, None)


def test_empty() -> None:
    """A run that used nothing has all members, empty."""
    assert json.loads(render(EMPTY)) == {
        "requests": 0,
        "mapped": 0,
        "unmapped": {},
        "malformed": 0,
        "operations": {},
    }


def test_real_log(demo_usage: Usage) -> None:
    """Of a real run, the requests add up and the times read back."""
    read = json.loads(render(demo_usage))
    operations = read["operations"].values()
    assert sum(operation["hits"] for operation in operations) == read["mapped"]
    assert read["mapped"] + sum(read["unmapped"].values()) == read["requests"]
    assert all(sum(operation["codes"].values()) == operation["hits"] for operation in operations)
    for name, used in demo_usage.operations.items():
        assert datetime.fromisoformat(read["operations"][name]["last"]) == used.last
