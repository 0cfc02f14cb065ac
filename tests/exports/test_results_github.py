import re

from hypothesis import given
from msgspec.structs import replace

from auditsvc.core.results import AuditResult, FloatResult, MissingValue, Status
from auditsvc.exports.report import Place, Report
from auditsvc.exports.results_github import MOST_ANNOTATIONS, render
from tests.exports.samples import NOON, NOTHING, REPORT, audit, reports

Annotation = tuple[str, dict[str, str], str]


def unescaped(text: str) -> str:
    """As GitHub's runner undoes the escapes: of a property's too, the percent sign last."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def read(text: str) -> list[Annotation]:
    """The commands, read as the runner reads them: ``::command name=value,…::data`` in a line."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
        assert match is not None
        properties = dict(part.split("=", 1) for part in match[2].split(","))
        told = {name: unescaped(value) for name, value in properties.items()}
        found.append((match[1], told, unescaped(match[3])))
    return found


def test_annotations() -> None:
    """Hard findings are errors, soft ones warnings, at their places, with what to do."""
    first, *_, last = read(render(REPORT))
    assert first == (
        "error",
        {"title": "AuditOperationEquality: Failed"},
        "Runs[X][added]: expected 1, actual 3: createFlow, readFlow → remove it",
    )
    assert ("warning", "lists/pending eligible.yaml", "17") in [
        (command, told.get("file"), told.get("line")) for command, told, _ in read(render(REPORT))
    ]
    assert last[0] == "warning"


def test_limits() -> None:
    """Of each type as many as GitHub shows; a notice counts the others."""
    result = AuditResult(
        NOON,
        ("Runs",),
        floats=tuple(FloatResult("Runs", (f"{number}",), 0, 1) for number in range(12)),
        missing=tuple(MissingValue(f"{number}", "gone") for number in range(10)),
    )
    found = read(render(Report(title="", audits=(audit(result),))))
    commands = [command for command, _, _ in found]
    assert commands == ["error"] * MOST_ANNOTATIONS + ["warning"] * MOST_ANNOTATIONS + ["notice"]
    assert found[-1][2] == "2 more of type error are not annotated: GitHub shows 10 of a type a step"


def test_escapes() -> None:
    """What would end a property or the command is escaped, and comes back."""
    odd = "50 %, a:b,c\n::error::"
    result = AuditResult(NOON, ("Runs",), missing=(MissingValue("k", odd),))
    audited = replace(audit(result), places={"k": Place("a,b:c%0A.yaml", 3)})
    [(_, told, text)] = read(render(Report(title="", audits=(audited,))))
    assert told["file"] == "a,b:c%0A.yaml"
    assert text == "k: 50 %, a:b,c\\n::error::"


def test_long_texts() -> None:
    """What a text has beyond 1,000 characters is counted."""
    result = AuditResult(NOON, ("Runs",), missing=(MissingValue("a", "a" * 1500),))
    [(_, _, text)] = read(render(Report(title="", audits=(audit(result),))))
    assert text == f"{'a' * 1000} … and 500 more characters"


def test_no_results() -> None:
    """Without findings there is nothing to annotate."""
    assert render(NOTHING) == ""


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, each line is a command, and no name begins one of its own."""
    found = read(render(report))
    for status, command in ((Status.FAILED, "error"), (Status.WARNING, "warning")):
        findings = [one for audited in report.audits for one in audited.findings if one.status is status]
        assert [name for name, _, _ in found].count(command) == min(len(findings), MOST_ANNOTATIONS)
