from hypothesis import given

from auditsvc.exports.plain import visible
from auditsvc.exports.report import Report
from auditsvc.exports.results_text import render
from tests.exports.samples import NOTHING, REPORT, reports

EXPECTED = """\
auditsvc check: Failed
window [2026-03-04T00:00:00+0000, 2026-03-05T00:00:00+0000)
judged pull run X

type                        status   checked  findings
AuditOperationEquality      Failed         2         3
AuditPendingReconciliation  Warning        2         3
AuditIneligibleConsistency  Passed         3         0
AuditSwaggerTotal           Failed         0         1

AuditOperationEquality: Failed
  Operation count mismatch
  net +3
  - Runs[X][added]: expected 1, actual 3: createFlow, readFlow
  - createFlow: in pull run X, not in CI baseline Y
    → remove it
  - Runs[X][cost]: expected 0.1, actual 2.5

AuditPendingReconciliation: Warning
  - Endpoint listed found in the list but is beta
    → remove it
  - createFlow: in pull run X, not in CI baseline Y
  - deleteFlow: in pull run X, not in CI baseline Y
    → nothing to do

AuditIneligibleConsistency: Passed
  3 entries

AuditSwaggerTotal: Failed
  - nothing to compare: no runs ever received
"""


def test_results() -> None:
    """A table, then each audit's notes and findings, with what to do once for those that ask for the same."""
    assert render(REPORT) == EXPECTED


def test_no_results() -> None:
    """A report without results is its heading and an empty table."""
    assert render(NOTHING) == "auditsvc check: Passed\n\ntype  status  checked  findings\n"


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, each finding and each audit is one plain line, and nothing drives the terminal."""
    lines = render(report).split("\n")
    assert all(visible(line) == line for line in lines)
    findings = [found for audit in report.audits for found in audit.findings]
    assert sum(line.startswith("  - ") for line in lines) >= len(findings)
    assert all(f"  - {visible(found.text)}" in lines for found in findings)
