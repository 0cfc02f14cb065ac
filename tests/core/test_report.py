import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditsvc.core.report import CALLS, ENDPOINTS, FIRST_LINE, TITLE_ROW, looks_like_report, parse_report
from auditsvc.core.usage import ExercisedBy, OperationUsage, Usage
from auditsvc.errors import NoDataError, ParseError
from auditsvc.exports.endpoints_txt import render

HEADER = [
    FIRST_LINE,
    "=" * 70,
    "Total unique endpoints: 2",
    "Total API calls: 8",
    "Swagger-based matches: 8",
    "Fallback matches: 0",
    "Skipped entries: 3",
    "Results sorted alphabetically",
    "",
]
TABLE = [TITLE_ROW, "-" * 70]
OLD_ENDING = [
    "",
    "=" * 70,
    "STABLE ENDPOINTS NOT FOUND IN AUDIT LOG",
    "=" * 70,
    "Total missing stable endpoints: 2",
    "(Filtered out 9 alpha/beta endpoints)",
    "",
    "deletePod | NOT FOUND",
    "patchPod | NOT FOUND",
]

names = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_-."), min_size=1)
hits = st.integers(1, 10**12)
pieces = st.sampled_from([*HEADER, *TABLE, "a | 1", "b"])
usages = st.dictionaries(names, hits.map(OperationUsage)).map(
    lambda operations: Usage(
        operations,
        requests=sum(used.hits for used in operations.values()),
        mapped=sum(used.hits for used in operations.values()),
    )
)


def report(*rows: str, header: list[str] = HEADER, table: list[str] = TABLE) -> str:
    """A report of those lines after the title."""
    return "\n".join([*header, *table, *rows])


def hits_of(usage: Usage) -> dict[str, int]:
    """What the operations were hit."""
    return {name: used.hits for name, used in usage.operations.items()}


def usage_or_message(text: str | bytes) -> Usage | str:
    """What a text is read as, or why it is not."""
    try:
        return parse_report(text)
    except ParseError as error:
        return str(error)


class TestParseReport:
    """A report as usage."""

    def test_real_report(self, shared_data: Path) -> None:
        """The report that test-infra's parser made of a real log: its rows and all totals of its header."""
        text = (shared_data / "kubernetes-1.20.2" / "requestresponse-audit-endpoints.txt").read_bytes()
        usage = parse_report(text)
        assert usage.imported
        assert usage.header == {
            ENDPOINTS: 865,
            CALLS: 4535,
            "Swagger-based matches": 5038,
            "Fallback matches": 14,
            "Skipped entries": 6667,
            "Deprecated endpoints filtered": 201,
            "Deprecated API calls filtered": 517,
        }
        assert (len(usage.operations), usage.requests, usage.mapped) == (865, 4535, 4535)
        assert usage.operations["connectCoreV1DeleteNamespacedPodProxy"] == OperationUsage(9)
        assert render(usage).encode() == text

    def test_only_hits_are_known(self) -> None:
        """A report records hits alone; what else may be asked for is refused, not taken for never."""
        usage = parse_report(report("readPod | 8"))
        assert usage.exercised(ExercisedBy.HIT) == {"readPod"}
        with pytest.raises(NoDataError):
            usage.exercised(ExercisedBy.TESTED)

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            ([], {}),
            (["readPod | 7", "listPod | 1"], {"readPod": 7, "listPod": 1}),
            (["readPod | 7", "listPod | NOT FOUND", "patchPod | 0"], {"readPod": 7}),
            (["readPod | 7", *OLD_ENDING], {"readPod": 7}),
            (OLD_ENDING, {}),
            (["  readPod|7\r", "\r", ""], {"readPod": 7}),
            (["a name with spaces | 1", "äöü | 2"], {"a name with spaces": 1, "äöü": 2}),
        ],
    )
    def test_rows(self, rows: list[str], expected: dict[str, int]) -> None:
        """Rows make operations; what was not found, or never hit, makes none."""
        usage = parse_report(report(*rows))
        assert hits_of(usage) == expected
        assert usage.requests == usage.mapped == sum(expected.values())

    def test_header(self) -> None:
        """Of the lines before the table those with a total are kept, by their own names, in order."""
        header = ["Title: none", "Zeta: 3", "A b (c): 0", "no total", "Too long: " + "9" * 19, "a | b: 1"]
        usage = parse_report(report("readPod | 1", header=header))
        assert list((usage.header or {}).items()) == [("Zeta", 3), ("A b (c)", 0)]

    def test_no_header(self) -> None:
        """A table alone is a report that claims no totals."""
        usage = parse_report(report("readPod | 1", header=[]))
        assert usage.header == {}
        assert usage.imported

    @pytest.mark.parametrize("start", ["\ufeff", b"\xef\xbb\xbf"])
    def test_byte_order_mark(self, start: str | bytes) -> None:
        """A byte order mark is not part of the first line."""
        text = report("readPod | 1", header=["Total API calls: 1"])
        marked = start + text if isinstance(start, str) else start + text.encode()
        assert parse_report(marked).header == {CALLS: 1}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", f"line 1: not an audit-endpoints.txt: none of its lines is {TITLE_ROW!r}"),
            ('{"kind":"Event"}\n', f"line 1: not an audit-endpoints.txt: none of its lines is {TITLE_ROW!r}"),
            (
                "\n".join(HEADER),
                f"line 1: not an audit-endpoints.txt: none of its lines is {TITLE_ROW!r}",
            ),
            (report(table=TABLE[:1]), "line 11: no table: expected a rule of dashes, found nothing"),
            (
                report("readPod | 1", table=TABLE[:1]),
                "line 11: no table: expected a rule of dashes, found 'readPod | 1'",
            ),
            (report("readPod | 1", "readPod"), "line 13: expected 'operationId | count', found 'readPod'"),
            (report("a | b | 1"), "line 12: expected 'operationId | count', found 'a | b | 1'"),
            (report("| 1"), "line 12: expected 'operationId | count', found '| 1'"),
            (report("x" * 90), f"line 12: expected 'operationId | count', found '{'x' * 80}\\u2026'"),
            (report("readPod | many"), "line 12: the count of 'readPod' is no number of requests: 'many'"),
            (report("readPod | -1"), "line 12: the count of 'readPod' is no number of requests: '-1'"),
            (report("readPod | 1.5"), "line 12: the count of 'readPod' is no number of requests: '1.5'"),
            (report("readPod | ٣"), "line 12: the count of 'readPod' is no number of requests: '\\u0663'"),
            (report("readPod |"), "line 12: the count of 'readPod' is no number of requests: nothing"),
            (
                report("readPod | " + "9" * 19),
                f"line 12: the count of 'readPod' is no number of requests: '{'9' * 19}'",
            ),
            (report("readPod | 1", "listPod | 1", "readPod | 1"), "line 14: 'readPod' a second time"),
            (report("deletePod | 1", *OLD_ENDING), "line 20: 'deletePod' a second time"),
            (report("x", header=["Total: 1", "Total: 2"]), "line 2: 'Total' a second time"),
            (b"Total: 1\nx\nTot\xe4l: 1", "line 3: not UTF-8"),
        ],
    )
    def test_not_a_report(self, text: str | bytes, message: str) -> None:
        """What is not as it should be is refused, with the line."""
        with pytest.raises(ParseError) as error:
            parse_report(text)
        assert str(error.value) == message

    @given(usages)
    def test_written_and_read(self, usage: Usage) -> None:
        """Our own report holds what the run hit; read and written again it is the same text."""
        text = render(usage)
        read = parse_report(text.encode())
        assert hits_of(read) == hits_of(usage)
        assert (read.requests, read.mapped) == (usage.mapped, usage.mapped)
        assert read.header is not None
        assert (read.header[ENDPOINTS], read.header[CALLS]) == (len(usage.operations), usage.mapped)
        assert render(read) == text
        assert parse_report(render(read)) == read

    @given(st.text() | st.binary() | st.lists(pieces).map("\n".join))
    @example(report("| |"))
    def test_anything(self, text: str | bytes) -> None:
        """Whatever is read is a usage or a ParseError in one line that names a line."""
        outcome = usage_or_message(text)
        if isinstance(outcome, Usage):
            assert outcome.requests == sum(hits_of(outcome).values())
        else:
            assert re.fullmatch(r"line [0-9]+: .*", outcome)


class TestLooksLikeReport:
    """Telling a report from an audit log."""

    @pytest.mark.parametrize(
        ("start", "expected"),
        [
            (report("readPod | 1").encode(), True),
            (FIRST_LINE.encode(), True),
            (b"\xef\xbb\xbf\n Kubernetes API Endpoints Found", True),
            (report("readPod | 1", header=["Total API calls: 1"]).encode(), True),
            (b"", False),
            (b"{", False),
            (b'\n {"kind":"Event"}\n', False),
            (b'{"user":"' + TITLE_ROW.encode(), False),
            (b'half of an event","stage":"Panic"}\n{"kind":"Event"}\n', False),
            (b"\x1f\x8b\x08", False),
        ],
    )
    def test_looks_like_report(self, start: bytes, expected: bool) -> None:
        """A report has its title first, or that of its table; an audit log may start with half a line."""
        assert looks_like_report(start) is expected
