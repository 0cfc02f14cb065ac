import pytest

from auditsvc.core.results import AuditResult, FloatResult, MissingValue, Status
from auditsvc.exports.report import Finding, Place, Report
from tests.exports.samples import FAILED, NOON, NOTHING, PASSED, REPORT, STUCK, WARNED, audit


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PASSED, []),
        (
            WARNED,
            [
                Finding(
                    Status.WARNING,
                    "listed",
                    "Endpoint listed found in the list but is beta",
                    "remove it",
                    Place("lists/pending eligible.yaml", 17),
                ),
                Finding(
                    Status.WARNING,
                    "createFlow",
                    "createFlow: in pull run X, not in CI baseline Y",
                    "nothing to do",
                ),
                Finding(
                    Status.WARNING,
                    "deleteFlow",
                    "deleteFlow: in pull run X, not in CI baseline Y",
                    "nothing to do",
                ),
            ],
        ),
        (
            FAILED,
            [
                Finding(
                    Status.FAILED,
                    "Runs[X][added]",
                    "Runs[X][added]: expected 1, actual 3: createFlow, readFlow",
                    "remove it",
                ),
                Finding(Status.FAILED, "Runs[X][cost]", "Runs[X][cost]: expected 0.1, actual 2.5"),
                Finding(
                    Status.WARNING,
                    "createFlow",
                    "createFlow: in pull run X, not in CI baseline Y",
                    "remove it",
                ),
            ],
        ),
        (STUCK, [Finding(Status.FAILED, "operationEquality", "nothing to compare: no runs ever received")]),
    ],
)
def test_findings(result: AuditResult, expected: list[Finding]) -> None:
    """A problem, comparisons and missing values are told alike, the hard ones first."""
    assert list(audit(result).findings) == expected


def test_findings_agree_with_the_status() -> None:
    """A result's status is the worst of its findings."""
    both = AuditResult(
        NOON,
        ("Runs",),
        floats=(FloatResult("Runs", ("X",), 0, 1),),
        missing=(MissingValue("a", "b"),),
        problem="c",
    )
    assert [found.status for found in audit(both).findings] == ["Failed", "Failed", "Warning"]


def test_status() -> None:
    """A report is as bad as its worst result; one without results has passed."""
    assert REPORT.status is Status.FAILED
    assert NOTHING.status is Status.PASSED
    assert Report(title="", audits=(audit(PASSED), audit(WARNED))).status is Status.WARNING
