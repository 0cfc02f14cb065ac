from dataclasses import dataclass
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given

from auditsvc.core.results import AuditResult, FloatResult, MissingValue
from auditsvc.core.runs import Run
from auditsvc.exports.plain import visible
from auditsvc.exports.report import Report
from auditsvc.exports.results_junit import render
from tests.exports.samples import (
    FAILED,
    NOON,
    NOTHING,
    PASSED,
    REPORT,
    SEEN_REPORT,
    WARNED,
    audit,
    reports,
    run,
)


@dataclass(frozen=True)
class Case:
    """A test case as CI tools have it."""

    name: str
    classname: str
    failure: str | None
    output: str | None


def read(text: str) -> list[Case]:
    """The cases of a document whose counts are right."""
    root: Element = fromstring(text.encode())
    (suite,) = root.findall("testsuite")
    cases = [
        Case(
            case.attrib["name"],
            case.attrib["classname"],
            case.findtext("failure"),
            case.findtext("system-out"),
        )
        for case in suite.findall("testcase")
    ]
    counts = {"tests": str(len(cases)), "failures": str(sum(case.failure is not None for case in cases))}
    for element in (root, suite):
        assert counts.items() <= element.attrib.items()
        assert (element.attrib["errors"], element.attrib["skipped"]) == ("0", "0")
    return cases


def test_cases() -> None:
    """A case an audit type: hard findings fail it, with all of its findings; soft ones and notes are told."""
    equality, pending, ineligible, total = read(render(REPORT))
    assert equality == Case(
        "AuditOperationEquality",
        "auditsvc.operationEquality",
        "- Runs[X][added]: expected 1, actual 3: createFlow, readFlow\n"
        "- createFlow: in pull run X, not in CI baseline Y\n"
        "  → remove it\n"
        "- Runs[X][cost]: expected 0.1, actual 2.5",
        "Operation count mismatch\nnet +3",
    )
    assert pending.failure is None
    assert pending.output is not None
    assert pending.output.startswith(
        "Warning, findings: 3\n- Endpoint listed found in the list but is beta\n"
    )
    assert (ineligible.failure, ineligible.output) == (None, "3 entries")
    assert total.failure == "- nothing to compare: no runs ever received"


def test_properties() -> None:
    """The suite tells what was judged."""
    (told,) = fromstring(render(REPORT)).iter("property")
    assert told.attrib["value"] == (
        "auditsvc check: Failed; "
        "window [2026-03-04T00:00:00+0000, 2026-03-05T00:00:00+0000); "
        "judged pull run X"
    )


def test_documents_are_properties() -> None:
    """What was judged with is told by its hashes."""
    properties = {
        one.attrib["name"]: one.attrib["value"] for one in fromstring(render(SEEN_REPORT)).iter("property")
    }
    assert properties["swagger"] == f"sha256:{'5' * 64}"
    assert properties["pending"] == f"sha256:{'9' * 64}"


def test_where_it_was_seen() -> None:
    """A finding is followed by where its operation was seen."""
    equality = read(render(SEEN_REPORT))[0]
    assert equality.failure is not None
    assert (
        "- createFlow: in pull run X, not in CI baseline Y\n  (seen first at audit.log:17 of"
        in equality.failure
    )


@pytest.mark.parametrize("result", [PASSED, WARNED, FAILED, AuditResult(NOON, ())])
@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], ["AuditOperationEquality", "AuditSwaggerTotal"]),
        ([run("X", pull="7")], ["AuditOperationEquality", "AuditSwaggerTotal"]),
        (
            [run("X", pull="7"), run("Y")],
            ["AuditOperationEquality (pull 7)", "AuditOperationEquality (pull run Y)", "AuditSwaggerTotal"],
        ),
    ],
)
def test_names_do_not_depend_on_findings(
    result: AuditResult, subjects: list[Run], expected: list[str]
) -> None:
    """A case is called the same whether it passes or fails; only several runs need to be told apart."""
    audits = (audit(result), audit(result, "AuditSwaggerTotal", by_run=False))
    report = Report(title="", audits=audits, subjects=tuple(subjects))
    assert [case.name for case in read(render(report))] == expected


def test_findings_of_each_run() -> None:
    """Of several runs, each case has the findings that name its run, and those that name none."""
    result = AuditResult(
        NOON,
        ("Runs",),
        floats=(FloatResult("Runs", ("X", "added"), 0, 1),),
        missing=(
            MissingValue("createFlow", "in pull run X, not in CI baseline Z"),
            MissingValue("deleteFlow", "in CI baseline Z, not in pull run X.2"),
            MissingValue("listed", "found in the list but is beta"),
        ),
    )
    subjects = tuple(run(name, pull=name) for name in ("X", "X.2"))
    first, second = read(render(Report(title="", audits=(audit(result),), subjects=subjects)))
    assert first.failure == (
        "- Runs[X][added]: expected 0, actual 1\n"
        "- createFlow: in pull run X, not in CI baseline Z\n"
        "- listed: found in the list but is beta"
    )
    assert second.failure is None
    assert second.output == (
        "Warning, findings: 2\n"
        "- deleteFlow: in CI baseline Z, not in pull run X.2\n"
        "- listed: found in the list but is beta"
    )


def test_no_results() -> None:
    """A report without results is a suite without cases."""
    assert read(render(NOTHING)) == []


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, the document is well-formed and no finding is lost."""
    cases = read(render(report))
    told = "\n".join(f"{case.failure}\n{case.output}" for case in cases).split("\n")
    for audited in report.audits:
        for found in audited.findings:
            assert f"- {visible(found.text)}" in told
