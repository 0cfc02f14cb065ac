import json

from auditsvc.core.usage import OperationUsage, Sample, Usage
from auditsvc.exports.operations_json import render
from tests.exports.samples import EMPTY, ODD_NAME, USAGE


def test_samples() -> None:
    """Each operation, by name, has its first events as they were logged; a cut one is told as text."""
    read = json.loads(render(USAGE))
    assert list(read) == ["createFlow", "listCoreV1Pod", ODD_NAME]
    assert read["listCoreV1Pod"] == [{"verb": "list"}, {"text": '{"verb":"li'}]
    assert read["createFlow"] == []


def test_as_logged() -> None:
    """An event's numbers and letters are written as they were, also a number that no float holds."""
    event = '{"a":1e999,"b":1.50,"c":"é"}'
    usage = Usage({"a": OperationUsage(1, samples=(Sample("f", 1, event),))}, 1, 1)
    assert all(f"{member}\n" in render(usage) for member in ('"a": 1e999,', '"b": 1.50,', '"c": "é"'))


def test_empty() -> None:
    """A run that used nothing is an empty object."""
    assert json.loads(render(EMPTY)) == {}


def test_nested_beyond_the_parser() -> None:
    """An event that no parser can follow is told as text."""
    deep = "[" * 8000
    usage = Usage({"a": OperationUsage(1, samples=(Sample("f", 1, deep),))}, 1, 1)
    assert json.loads(render(usage)) == {"a": [{"text": deep}]}


def test_real_log(demo_usage: Usage) -> None:
    """Of a real run, every operation has up to five audit events with their request."""
    read = json.loads(render(demo_usage))
    assert read.keys() == demo_usage.operations.keys()
    assert all(1 <= len(events) <= 5 for events in read.values())
    assert all(event["requestURI"].startswith("/") for events in read.values() for event in events)
