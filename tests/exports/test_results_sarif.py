import gzip
import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import pytest
from hypothesis import given
from msgspec.structs import replace

from auditsvc.core.results import AuditResult, MissingValue
from auditsvc.exports.report import Report
from auditsvc.exports.results_sarif import MAX_PACKED_BYTES, MAX_RESULTS, SHOWN_RESULTS, render
from tests.exports.samples import HOSTILE, NOON, NOTHING, REPORT, SEEN_REPORT, WARNED, audit, reports

# Of SARIF 2.1.0's object types those in use, each member's type; a ! says that the standard requires it.
STANDARD: dict[str, dict[str, Any]] = {
    "log": {"$schema": str, "version!": ["2.1.0"], "runs!": ("run",)},
    "run": {
        "tool!": "tool",
        "invocations": ("invocation",),
        "artifacts": ("document",),
        "results": ("result",),
    },
    "document": {"location": "artifact", "description": "text", "hashes": "hashes"},
    "hashes": {"sha-256": str},
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
    "logical": {"name": str, "fullyQualifiedName": str, "kind": str},
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


def test_operations_are_logical_locations() -> None:
    """A finding about an operation names where that is in the swagger, by its JSON pointer."""
    results = read(render(SEEN_REPORT))["results"]
    found = next(one for one in results if one["message"]["text"].startswith("createFlow:"))
    assert found["locations"][0]["logicalLocations"] == [
        {
            "name": "createFlow",
            "fullyQualifiedName": "/paths/~1apis~1flow~1v1beta1~1flows/post",
            "kind": "object",
        }
    ]
    assert found["message"]["text"].endswith("2 more tests; in 5 of the last 6 CI runs)")


def test_documents_are_artifacts() -> None:
    """What was judged with is told by its hashes."""
    artifacts = read(render(SEEN_REPORT))["artifacts"]
    assert [one["hashes"] for one in artifacts] == [{"sha-256": "5" * 64}, {"sha-256": "9" * 64}]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("lists/a b.yaml", "lists/a%20b.yaml"),
        ("a:b.json", "a%3Ab.json"),
        ("/src/a.json", "file:///src/a.json"),
        ("https://example.org/a.json?b=1", "https://example.org/a.json?b=1"),
        ("gs://bucket/a é", "gs://bucket/a%20%C3%A9"),
    ],
)
def test_uris(file: str, expected: str) -> None:
    """A path from the repository's root stays relative; an absolute one and a URL are URIs."""
    result = read(render(replace(REPORT, document=file)))["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == expected


def test_published_schema(sarif_schema: dict[str, Any]) -> None:
    """The log is as OASIS' own schema wants it."""
    validator = jsonschema_rs.validator_for(sarif_schema)
    for report in (REPORT, SEEN_REPORT, NOTHING, replace(REPORT, document="/a b:c", title=HOSTILE)):
        assert [error.message for error in validator.iter_errors(json.loads(render(report)))] == []


def test_what_github_does_not_show_is_told() -> None:
    """Results beyond those that GitHub shows are there, and counted in a notification."""
    missing = tuple(MissingValue(f"operation{number}", "gone") for number in range(SHOWN_RESULTS + 7))
    found = read(render(Report(title="", audits=(audit(AuditResult(NOON, ("Runs",), missing=missing)),))))
    assert len(found["results"]) == SHOWN_RESULTS + 7
    (notification,) = found["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("7 results are beyond the 5000")


def test_long_texts() -> None:
    """What a text has beyond 1,000 characters is counted."""
    result = AuditResult(NOON, ("Runs",), missing=(MissingValue("a", "a" * 1500),))
    text = read(render(Report(title="", audits=(audit(result),))))["results"][0]["message"]["text"]
    assert text == f"{'a' * 1000} … and 500 more characters"


def test_size() -> None:
    """A file that would be too large when packed has as many results as fit, and counts the others."""
    rng = random.Random(1)  # noqa: S311 - texts that do not pack, no secrets
    missing = tuple(MissingValue(rng.randbytes(490).hex(), "x") for _ in range(24_000))
    text = render(Report(title="", audits=(audit(AuditResult(NOON, ("Runs",), missing=missing)),)))
    assert len(gzip.compress(text.encode())) <= MAX_PACKED_BYTES
    found = read(text)
    left_out = 24_000 - len(found["results"])
    assert left_out > 0
    said = [one["message"]["text"] for one in found["invocations"][0]["toolExecutionNotifications"]]
    assert said[0].startswith(f"{left_out} results are left out")


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
    cut, _ = found["invocations"][0]["toolExecutionNotifications"]
    assert cut["message"]["text"].startswith("1 results are left out")


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, the log is as the standard wants it and has every finding."""
    text = render(report)
    assert text.isascii()
    results = read(text)["results"]
    assert len(results) == sum(len(audited.findings) for audited in report.audits)
    for result in results:
        json.dumps(result, ensure_ascii=False).encode()
