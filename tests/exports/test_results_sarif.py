import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import given

from auditsvc.core.results import AuditResult, MissingValue
from auditsvc.exports.report import Report
from auditsvc.exports.results_sarif import MAX_RESULTS, render
from tests.exports.samples import NOON, NOTHING, REPORT, WARNED, audit, reports

# Of SARIF 2.1.0's object types those in use, each member's type; a ! says that the standard requires it.
STANDARD: dict[str, dict[str, Any]] = {
    "log": {"$schema": str, "version!": ["2.1.0"], "runs!": ("run",)},
    "run": {"tool!": "tool", "invocations": ("invocation",), "results": ("result",)},
    "tool": {"driver!": "component"},
    "component": {"name!": str, "semanticVersion": str, "rules": ("rule",)},
    "rule": {"id!": str, "shortDescription": "text", "fullDescription": "text", "help": "text"},
    "text": {"text!": str},
    "invocation": {"executionSuccessful!": bool, "toolExecutionNotifications": ("notification",)},
    "notification": {"level": ["none", "note", "warning", "error"], "message!": "text"},
    "result": {
        "ruleId": str,
        "level": ["none", "note", "warning", "error"],
        "message!": "text",
        "locations": ("location",),
        "partialFingerprints": "fingerprints",
    },
    "location": {"physicalLocation": "physical", "logicalLocations": ("logical",)},
    "physical": {"artifactLocation": "artifact", "region": "region"},
    "artifact": {"uri": str},
    "region": {"startLine": int},
    "logical": {"fullyQualifiedName": str},
    "fingerprints": {"primaryLocationLineHash": str},
}


def problems(value: Any, expected: Any, path: str = "$") -> Iterator[str]:
    """Where a value is not what the standard says."""
    if isinstance(expected, tuple):
        for index, item in enumerate(value):
            yield from problems(item, expected[0], f"{path}[{index}]")
    elif isinstance(expected, list):
        if value not in expected:
            yield f"{path}: {value}"
    elif not isinstance(expected, str):
        if type(value) is not expected:
            yield f"{path}: {value}"
    else:
        members = {name.removesuffix("!"): known for name, known in STANDARD[expected].items()}
        yield from (f"{path}.{name}: unknown" for name in value.keys() - members.keys())
        required = {name.removesuffix("!") for name in STANDARD[expected] if name.endswith("!")}
        yield from (f"{path}.{name}: missing" for name in required - value.keys())
        for name in value.keys() & members.keys():
            yield from problems(value[name], members[name], f"{path}.{name}")


def read(text: str) -> dict[str, Any]:
    """The one run of a log that is as the standard, and GitHub, want it."""
    log = json.loads(text)
    assert list(problems(log, "log")) == []
    found: dict[str, Any]
    (found,) = log["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    identities = set()
    for result in found["results"]:
        assert result["ruleId"] in rules
        (location,) = result["locations"]
        assert location["physicalLocation"]["region"]["startLine"] >= 1
        identities.add((result["ruleId"], result["partialFingerprints"]["primaryLocationLineHash"]))
    assert len(identities) == len(found["results"]) <= MAX_RESULTS
    return found


def test_rules() -> None:
    """Each audit type is a rule, with what it is for and what to do about its findings."""
    driver = read(render(REPORT))["tool"]["driver"]
    assert driver["name"] == "auditsvc"
    assert [rule["id"] for rule in driver["rules"]] == [audited.name for audited in REPORT.audits]
    description = "What AuditPendingReconciliation <promises> & keeps."
    assert driver["rules"][1] == {
        "id": "AuditPendingReconciliation",
        "shortDescription": {"text": description},
        "fullDescription": {"text": description},
        "help": {"text": f"{description}\n- remove it\n- nothing to do"},
    }


def test_results() -> None:
    """Each finding is a result, an error where it is hard; these come first."""
    results = read(render(REPORT))["results"]
    assert [result["level"] for result in results] == ["error"] * 3 + ["warning"] * 4
    assert results[0]["ruleId"] == "AuditOperationEquality"
    assert results[0]["message"]["text"] == (
        "Runs[X][added]: expected 1, actual 3: createFlow, readFlow → remove it"
    )


def test_locations() -> None:
    """A finding about a list entry is shown at its line, any other at the report's document."""
    results = read(render(replace(REPORT, document="api/swagger é.json")))["results"]
    shown = {
        (
            unquote(urlsplit(location["physicalLocation"]["artifactLocation"]["uri"]).path),
            location["physicalLocation"]["region"]["startLine"],
            location["logicalLocations"][0]["fullyQualifiedName"],
        )
        for result in results
        for location in result["locations"]
    }
    assert ("lists/pending eligible.yaml", 17, "listed") in shown
    assert ("api/swagger é.json", 1, "createFlow") in shown
    assert ("api/swagger é.json", 1, "Runs[X][added]") in shown


def test_fingerprints() -> None:
    """The same finding is the same alert when its line, its words or the others change."""
    moved = replace(
        WARNED, missing=(*WARNED.missing[1:], MissingValue("listed", "Endpoint listed found again (line 9)"))
    )

    def identities(result: AuditResult) -> set[str]:
        results = read(render(Report(title="", audits=(audit(result),))))["results"]
        return {found["partialFingerprints"]["primaryLocationLineHash"] for found in results}

    assert identities(moved) == identities(WARNED)


def test_no_results() -> None:
    """A report without results is a run without results, so that the alerts of an earlier one are closed."""
    found = read(render(NOTHING))
    assert found["results"] == []
    assert found["invocations"] == [{"executionSuccessful": True}]


def test_limit() -> None:
    """Results beyond GitHub's limit are left out, the soft ones first, and counted in a notification."""
    missing = tuple(MissingValue(f"operation{number}", "gone") for number in range(MAX_RESULTS))
    many = AuditResult(NOON, ("Runs",), missing=missing)
    stuck = AuditResult(NOON, ("Runs",), problem="nothing to compare")
    report = Report(title="", audits=(audit(many), audit(stuck, "AuditSwaggerTotal")))
    found = read(render(report))
    assert len(found["results"]) == MAX_RESULTS
    assert found["results"][0]["ruleId"] == "AuditSwaggerTotal"
    (notification,) = found["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("1 results are left out")


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, the log is as the standard wants it and has every finding."""
    text = render(report)
    assert text.isascii()
    results = read(text)["results"]
    assert len(results) == sum(len(audited.findings) for audited in report.audits)
    for result in results:
        json.dumps(result, ensure_ascii=False).encode()
