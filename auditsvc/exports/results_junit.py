"""The results as JUnit XML, which Prow, TestGrid, GitLab and Jenkins show: a case an audit type and run."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence

from auditsvc.core.results import Status, worst
from auditsvc.core.runs import Run
from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Finding, Report
from auditsvc.exports.results_text import finding_lines, heading_lines


def render(report: Report) -> str:
    """A document with one test suite.

    A case is named by its audit type and, where the report has several subjects and the type judges them one
    by one, by the run's pull request: never by what was found. A case with a hard finding fails, and its
    failure holds all of its findings; soft ones alone are told in its output. What XML cannot hold is
    escaped.
    """
    suite = ET.Element("testsuite", name="auditsvc")
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="report", value="; ".join(heading_lines(report)))
    for document in report.documents:
        ET.SubElement(properties, "property", name=document.kind, value=f"sha256:{document.sha256}")
    for audit in report.audits:
        for name, findings in _cases(audit, report.subjects):
            _add_case(suite, audit, name, findings)
    root = ET.Element("testsuites")
    root.append(suite)
    for element in (root, suite):
        _count(element)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n'


def _cases(audit: AuditReport, subjects: Sequence[Run]) -> Iterator[tuple[str, Sequence[Finding]]]:
    if not audit.by_run or len(subjects) < 2:
        yield audit.name, audit.findings
        return
    for run in subjects:
        label = f"pull {run.pull}" if run.pull else str(run)
        yield (
            f"{audit.name} ({label})",
            [
                found
                for found in audit.findings
                if _is_about(found, run) or not any(_is_about(found, other) for other in subjects)
            ],
        )


def _is_about(found: Finding, run: Run) -> bool:
    """Whether the finding names the run: where it stands in a map, or in its words (``pull run X``)."""
    named = re.search(rf"{re.escape(str(run))}(?![\w.-])", found.text)
    return f"[{run.id}]" in found.key or named is not None


def _add_case(suite: ET.Element, audit: AuditReport, name: str, findings: Sequence[Finding]) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"auditsvc.{audit.key}", name=visible(name))
    status = worst(found.status for found in findings)
    told, output = finding_lines(findings), [visible(note) for note in audit.notes]
    if status is Status.FAILED:
        failure = ET.SubElement(case, "failure", type=status, message=f"findings: {len(findings)}")
        failure.text = "\n".join(told)
    elif told:
        output += [f"{status}, findings: {len(findings)}", *told]
    if output:
        ET.SubElement(case, "system-out").text = "\n".join(output)


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(list(element.iter("testcase")))))
    element.set("failures", str(len(list(element.iter("failure")))))
    element.set("errors", "0")
    element.set("skipped", "0")
