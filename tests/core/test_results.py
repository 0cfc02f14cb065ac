import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.results import (
    AuditResult,
    AuditSet,
    FloatResult,
    MissingValue,
    Status,
    render_json,
    render_number,
    render_result,
    render_set,
    render_time,
    worst,
)
from auditsvc.core.window import Window

NOW = datetime(2026, 1, 17, 4, 5, 6, 789, tzinfo=UTC)
FOUND = FloatResult("Runs", ("p1", "added"), 9, 10)
MISSING = MissingValue("readPod", "in pull run p1, not in CI baseline c1", "nothing to do")
GO_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?(e[+-][1-9][0-9]*)?")

numbers = st.floats(allow_nan=False, allow_infinity=False)


class TestAuditResult:
    """A result's status and description are computed."""

    @pytest.mark.parametrize(
        ("result", "status"),
        [
            (AuditResult(NOW, ("Runs",)), Status.PASSED),
            (AuditResult(NOW, ("Runs",), missing=(MISSING,)), Status.WARNING),
            (AuditResult(NOW, ("Runs",), floats=(FOUND,)), Status.FAILED),
            (AuditResult(NOW, ("Runs",), floats=(FOUND,), missing=(MISSING,)), Status.FAILED),
            (AuditResult(NOW, ("Runs",), problem="nothing to compare"), Status.FAILED),
        ],
    )
    def test_status(self, result: AuditResult, status: Status) -> None:
        """A problem or a hard finding fails, a soft one warns."""
        assert result.status is status

    @pytest.mark.parametrize(
        ("problem", "notes", "description"),
        [
            (None, (), ""),
            (None, ("one", "two"), "one; two"),
            ("nothing to compare", (), "nothing to compare"),
            ("nothing to compare", ("one",), "nothing to compare; one"),
        ],
    )
    def test_description(self, problem: str | None, notes: tuple[str, ...], description: str) -> None:
        """The problem comes first, then the notes."""
        assert AuditResult(NOW, (), notes=notes, problem=problem).description == description

    def test_worst(self) -> None:
        """Of several statuses the worst counts; none is passed."""
        assert worst([]) is Status.PASSED
        assert worst([Status.PASSED, Status.WARNING]) is Status.WARNING
        assert worst([Status.FAILED, Status.WARNING, Status.PASSED]) is Status.FAILED


class TestRenderResult:
    """One audit's JSON."""

    def test_fields(self) -> None:
        """Kubecost's fields in its order, the maps before the missing values, ours last."""
        result = AuditResult(NOW, ("B", "A"), checked=3, notes=("a note",), tolerance={"relative": 1e-06})
        assert list(json.loads(render_result(result))) == [
            *("Status", "Description", "LastRun", "B", "A", "MissingValues", "Checked", "Tolerance")
        ]

    def test_clean(self) -> None:
        """A clean result has empty maps, and null for missing values."""
        assert render_result(AuditResult(NOW, ("Runs",), checked=2)) == (
            '{"Status":"Passed","Description":"","LastRun":"2026-01-17T04:05:06.000789000Z",'
            '"Runs":{},"MissingValues":null,"Checked":2}'
        )

    def test_maps(self) -> None:
        """Findings go into their own maps by their paths, keys sorted as Go does; sections stay empty."""
        found = (
            FloatResult("One", ("b",), 1, 2),
            FloatResult("Two", ("z", "y"), 3, 4),
            FloatResult("Two", ("a", "x"), 5, 6),
            FloatResult("Two", ("z", "b"), 7, 8),
            FloatResult("One", ("a",), 9, 10),
        )
        sections = (("Two", "m"), ("Two", "a"), ("One", "c"))
        result = AuditResult(NOW, ("One", "Two"), floats=found, sections=sections)
        one = '"One":{"a":{"Expected":9,"Actual":10},"b":{"Expected":1,"Actual":2},"c":{}}'
        inner = '"z":{"b":{"Expected":7,"Actual":8},"y":{"Expected":3,"Actual":4}}'
        two = '"Two":{"a":{"x":{"Expected":5,"Actual":6}},"m":{},' + inner + "}"
        assert f',{one},{two},"MissingValues":null' in render_result(result)

    def test_hard_findings_keep_detail_and_resolution_to_themselves(self) -> None:
        """What the reports add to a finding is not in Kubecost's JSON."""
        found = FloatResult("Runs", ("p1",), 1, 2, "detail", "resolution")
        rendered = render_result(AuditResult(NOW, ("Runs",), floats=(found,), missing=(MISSING,)))
        assert not re.search("detail|resolution|nothing to do", rendered)


class TestRenderSet:
    """One AuditSet's JSON."""

    def test_stored_bytes(self) -> None:
        """Stored results are joined as they are, in the given order; one that never ran is null."""
        window = Window(datetime(2026, 1, 16, tzinfo=UTC), datetime(2026, 1, 17, tzinfo=UTC))
        assert render_set(AuditSet(window, {"b": b'{"Status" : 1}', "a": None})) == (
            b'{"b":{"Status" : 1},"a":null,'
            b'"window":{"start":"2026-01-16T00:00:00Z","end":"2026-01-17T00:00:00Z"}}'
        )

    def test_empty(self) -> None:
        """A set without audits is its window alone."""
        window = Window(
            datetime(2026, 1, 16, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 16, 1, 2, 3, 500, tzinfo=UTC)
        )
        assert render_set(AuditSet(window, {})) == (
            b'{"window":{"start":"2026-01-16T01:02:03Z","end":"2026-01-16T01:02:03.000500Z"}}'
        )


class TestRenderTime:
    """Times."""

    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (datetime(2023, 1, 16, 20, 23, 8, tzinfo=UTC), "2023-01-16T20:23:08.000000000Z"),
            (datetime(2023, 1, 16, 20, 23, 8, 123456, tzinfo=UTC), "2023-01-16T20:23:08.123456000Z"),
            (
                datetime(2023, 1, 16, 1, 0, tzinfo=timezone(timedelta(hours=2))),
                "2023-01-15T23:00:00.000000000Z",
            ),
        ],
    )
    def test_nanoseconds(self, moment: datetime, text: str) -> None:
        """Nine digits of a second, in UTC."""
        assert render_time(moment) == text


class TestRenderJson:
    """Go's habits."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "null"),
            (True, "true"),
            (0, "0"),
            (1.5, "1.5"),
            ("plain", '"plain"'),
            (Status.PASSED, '"Passed"'),
            ("<a & b>", r'"\u003ca \u0026 b\u003e"'),
            ("\u2028\u2029", r'"\u2028\u2029"'),
            ('"\\\n', r'"\"\\\n"'),
            ("é → 𝄞", '"é → 𝄞"'),
            ([], "[]"),
            ((1, "a", None), '[1,"a",null]'),
            ({"b": {}, "a<": [1]}, r'{"b":{},"a\u003c":[1]}'),
        ],
    )
    def test_values(self, value: object, text: str) -> None:
        """Compact, in the given order, with what HTML could trip over escaped."""
        assert render_json(value) == text
        assert json.loads(text) == (list(value) if isinstance(value, tuple) else value)

    def test_no_json(self) -> None:
        """What JSON does not know is a bug, and told by its type."""
        with pytest.raises(TypeError, match="no JSON for set"):
            render_json({1})


class TestRenderNumber:
    """Numbers as Go's encoding/json prints a float64."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (508, "508"),
            (508.0, "508"),
            (-3, "-3"),
            (0, "0"),
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (100.5, "100.5"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-7"),
            (1e-7, "1e-7"),
            (-1.5e-10, "-1.5e-10"),
            (1e20, "100000000000000000000"),
            (123456789012345680000.0, "123456789012345680000"),
            (1e21, "1e+21"),
            (-1e21, "-1e+21"),
            (1.25e100, "1.25e+100"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
            (2.0**-44, "5.684341886080802e-14"),  # 16 digits, though not the ones nearest to it
            (2.0**53, "9007199254740992"),
        ],
    )
    def test_table(self, value: float, text: str) -> None:
        """Without an exponent from 1e-6 up to 1e21, with the fewest digits that read back as the value."""
        assert render_number(value) == text

    @given(numbers)
    def test_reads_back(self, value: float) -> None:
        """Whatever the number, its text is of Go's shape and reads back as the very same."""
        text = render_number(value)
        assert GO_NUMBER.fullmatch(text)
        assert ("e" in text) == (value != 0 and not 1e-6 <= abs(value) < 1e21)
        assert float(text) == value
        assert math.copysign(1, float(text)) == math.copysign(1, value)
        assert len(re.sub(r"e.*|[-.]", "", text).strip("0")) <= 17

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_not_finite(self, value: float) -> None:
        """JSON has no NaN and no infinity."""
        with pytest.raises(ValueError, match="no JSON for"):
            render_number(value)
