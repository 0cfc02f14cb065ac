import json

import pytest

from auditsvc.core.swagger_lines import parse_operation_lines

OPERATIONS = {
    "paths": {"/a": {"get": {"operationId": "readA"}, "put": {"tags": ["operationId"], "operationId": 'é"b'}}}
}


def test_lines() -> None:
    """Each operation is at the line that its id begins, however the document is indented."""
    for indent in (1, 4, "\t"):
        text = json.dumps(OPERATIONS, indent=indent)
        lines = text.split("\n")
        found = parse_operation_lines(text.encode())
        assert found.keys() == {"readA", 'é"b'}
        assert '"readA"' in lines[found["readA"] - 1]
        assert "\\u00e9" in lines[found['é"b'] - 1]


@pytest.mark.parametrize("document", [b"", b"no JSON", json.dumps(OPERATIONS).encode()])
def test_no_lines(document: bytes) -> None:
    """A document in one line, or none at all, has no lines to be sent to."""
    assert parse_operation_lines(document) == {}


def test_an_id_twice() -> None:
    """An id that is there twice is at its first line."""
    assert parse_operation_lines(b'\n"operationId": "a",\n"operationId" : "a"') == {"a": 2}
