"""On which lines of a swagger document its operations are, for those who are sent there by a report."""

import json
import re

_OPERATION_ID = re.compile(rb'[ \t]*"operationId"[ \t]*:[ \t]*("(?:[^"\\]|\\.)*")')


def parse_operation_lines(document: bytes) -> dict[str, int]:
    """The line, from 1, of each ``operationId`` that begins one; the first where an id is there twice.

    A document all in one line has none. JSON has no line ends in strings, so what begins a line is a member.
    """
    lines: dict[str, int] = {}
    for number, line in enumerate(document.split(b"\n"), 1):
        if found := _OPERATION_ID.match(line):
            lines.setdefault(json.loads(found[1]), number)
    return lines
