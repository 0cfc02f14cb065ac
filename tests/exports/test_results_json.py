import json
from typing import Any

from hypothesis import given

from auditsvc.core.results import render_result
from auditsvc.exports.report import Report
from auditsvc.exports.results_json import render
from tests.exports.samples import FAILED, NOTHING, REPORT, SEEN_REPORT, reports


def read(text: str) -> dict[str, Any]:
    """The object, as a strict reader has it: of UTF-8, and each member once."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(members)) == len(members)
        return dict(members)

    document: dict[str, Any] = json.loads(text.encode(), object_pairs_hook=once)
    return document


def test_results() -> None:
    """Results have Kubecost's shape and bytes, by key in the order of the audits; then comes the window."""
    text = render(REPORT)
    document = read(text)
    assert list(document)[:5] == [
        "operationEquality",
        "pendingReconciliation",
        "ineligibleConsistency",
        "swaggerTotal",
        "window",
    ]
    assert f'"operationEquality":{render_result(FAILED)}' in text
    assert document["pendingReconciliation"]["Status"] == "Warning"
    assert document["window"] == {"start": "2026-03-04T00:00:00Z", "end": "2026-03-05T00:00:00Z"}


def test_findings() -> None:
    """Findings are in one list with what to do about each, and where it is."""
    document = read(render(REPORT))
    assert (document["title"], document["status"], document["subjects"]) == (
        "auditsvc check",
        "Failed",
        ["X"],
    )
    findings = document["findings"]
    assert [found["status"] for found in findings] == ["Failed"] * 2 + ["Warning"] * 4 + ["Failed"]
    assert findings[0] == {
        "type": "AuditOperationEquality",
        "status": "Failed",
        "key": "Runs[X][added]",
        "description": "Runs[X][added]: expected 1, actual 3: createFlow, readFlow",
        "resolution": "remove it",
        "file": None,
        "line": None,
        "operation": None,
        "seen": None,
    }
    assert (findings[3]["file"], findings[3]["line"]) == ("lists/pending eligible.yaml", 17)


def test_where_it_was_seen() -> None:
    """A finding has its operation, and where that was seen: event, tests, and in how many CI runs."""
    document = read(render(SEEN_REPORT))
    assert document["documents"] == [
        {"kind": "swagger", "source": "api/swagger.json", "sha256": "5" * 64},
        {"kind": "pending", "source": "", "sha256": "9" * 64},
    ]
    assert (document["findings"][0]["operation"], document["findings"][0]["seen"]) == (None, None)
    found = next(one for one in document["findings"] if one["key"] == "createFlow")
    assert found["operation"] == {"method": "POST", "path": "/apis/flow/v1beta1/flows"}
    assert found["seen"] == {
        "run": "pull run X",
        "file": "audit.log",
        "line": 17,
        "tests": [{"name": "[sig-x] flows", "hits": 4}],
        "more_tests": 2,
        "runs": 5,
        "of": 6,
    }


def test_no_results() -> None:
    """A report without results, window and subjects has all of our members."""
    assert read(render(NOTHING)) == {
        "window": None,
        "title": "auditsvc check",
        "status": "Passed",
        "subjects": [],
        "documents": [],
        "findings": [],
        "history": [],
        "waived": [],
    }


@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, it is one line of JSON with every finding."""
    text = render(report)
    assert text.index("\n") == len(text) - 1
    assert len(read(text)["findings"]) == sum(len(audit.findings) for audit in report.audits)
