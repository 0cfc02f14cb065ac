"""Reads ``audit-endpoints.txt``, the report that test-infra's audit log parser makes of an audit log.

Header lines, some of them ``Name: number``, come before the table of ``operationId | count`` rows. What an
older parser wrote after the table is prose, and ``operationId | NOT FOUND`` rows of what the log lacked.
"""

import re
from collections.abc import Iterator, Sequence

from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.errors import ParseError

FIRST_LINE = "Kubernetes API Endpoints Found in Audit Log (Swagger-Enhanced)"
TITLE_ROW = "Endpoint Name (OpenAPI Operation ID) | Count"
ENDPOINTS = "Total unique endpoints"
CALLS = "Total API calls"

_NOT_FOUND = "NOT FOUND"
# At most 18 digits: what a database holds as an integer.
_TOTAL = re.compile(r"([^:|]*[^:|\s]): ([0-9]{1,18})")
_COUNT = re.compile(r"[0-9]{1,18}")

_Line = tuple[int, str]


def looks_like_report(first_bytes: bytes) -> bool:
    """Whether a file that starts so is a report; an audit log starts with ``{``. A kilobyte tells."""
    start = first_bytes.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return False
    return start.startswith(b"Kubernetes API Endpoints") or TITLE_ROW.encode() in start


def parse_report(text: str | bytes) -> Usage:
    """The usage that a report records: the hits per operation, and the header's totals by their own names.

    It is `imported`. Its requests are the sum of the rows: what else the log held, the header tells in its
    own way. An operation that was not found, or zero times, was not exercised and is left out.

    Raises ParseError, which names the line, for bytes that are not UTF-8, for a text without the title row of
    the table or a title row without a rule of dashes, for a row that is none, for a count that is no number
    of requests, and for a name given twice.
    """
    lines = [line.strip() for line in _decode(text).split("\n")]
    title = next((number for number, line in enumerate(lines) if _is_title_row(line)), None)
    if title is None:
        raise _error(1, f"not an audit-endpoints.txt: none of its lines is {TITLE_ROW!r}")
    _check_rule(lines, title + 1)
    header = _read_header(lines[:title])
    operations = _read_rows(_rows(list(enumerate(lines, 1))[title + 2 :]))
    requests = sum(used.hits for used in operations.values())
    return Usage(operations, requests, requests, header=header)


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(error.object[: error.start].count(b"\n") + 1, "not UTF-8") from None


def _is_title_row(line: str) -> bool:
    return line.startswith("Endpoint Name") and line.endswith("| Count")


def _check_rule(lines: Sequence[str], index: int) -> None:
    found = lines[index] if index < len(lines) else ""
    if not found or found.strip("-"):
        raise _error(index + 1, f"no table: expected a rule of dashes, found {_shown(found)}")


def _read_header(lines: Sequence[str]) -> dict[str, int]:
    header: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if match := _TOTAL.fullmatch(line):
            if match[1] in header:
                raise _error(number, f"{_shown(match[1])} a second time")
            header[match[1]] = int(match[2])
    return header


def _rows(lines: Sequence[_Line]) -> Iterator[_Line]:
    """The table up to its first empty line, and whatever has the form of a row after that."""
    in_table = True
    for number, line in lines:
        in_table = in_table and bool(line)
        if in_table or " | " in line:
            yield number, line


def _read_rows(rows: Iterator[_Line]) -> dict[str, OperationUsage]:
    hits: dict[str, int] = {}
    for number, row in rows:
        name, _, count = map(str.strip, row.rpartition("|"))
        if not name or "|" in name:
            raise _error(number, f"expected 'operationId | count', found {_shown(row)}")
        if name in hits:
            raise _error(number, f"{_shown(name)} a second time")
        if count != _NOT_FOUND and not _COUNT.fullmatch(count):
            raise _error(number, f"the count of {_shown(name)} is no number of requests: {_shown(count)}")
        hits[name] = 0 if count == _NOT_FOUND else int(count)
    return {name: OperationUsage(count) for name, count in hits.items() if count}


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:80]}…") if text else "nothing"


def _error(line: int, problem: str) -> ParseError:
    return ParseError(f"line {line}: {problem}")
