"""The results as SARIF 2.1.0, the OASIS standard that GitHub's code scanning and editors read.

GitHub refuses the whole upload for one result without a file to show it at, and takes results of one rule and
fingerprint for one; see its "SARIF support for code scanning".
"""

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from auditsvc import __version__
from auditsvc.core.results import Status
from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Finding, Place, Report

MAX_RESULTS = 25_000
"""GitHub's limit of results in a run; a file with more is refused."""

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Status.FAILED: "error", Status.WARNING: "warning"}

_Object = dict[str, Any]


def render(report: Report) -> str:
    """A log with one run: a rule per audit type, and a result per finding, the hard ones first.

    A result is shown at its list entry, or at the report's document; its operation is a logical location.
    Results beyond ``MAX_RESULTS`` are left out, and a notification says how many.
    """
    found = [(audit, finding) for audit in report.audits for finding in audit.findings]
    found.sort(key=lambda pair: pair[1].status is not Status.FAILED)
    driver = {
        "name": "auditsvc",
        "semanticVersion": __version__,
        "rules": [_rule(audit) for audit in report.audits],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [_invocation(len(found) - MAX_RESULTS)],
        "results": _results(found[:MAX_RESULTS], Place(report.document)),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(audit: AuditReport) -> _Object:
    resolutions = dict.fromkeys(found.resolution for found in audit.findings if found.resolution)
    help_text = "\n".join([audit.description, *(f"- {visible(resolution)}" for resolution in resolutions)])
    return {
        "id": audit.name,
        "shortDescription": {"text": audit.description},
        "fullDescription": {"text": audit.description},
        "help": {"text": help_text},
    }


def _invocation(left_out: int) -> _Object:
    if left_out <= 0:
        return {"executionSuccessful": True}
    text = f"{left_out} results are left out: a file with more than {MAX_RESULTS} would be refused"
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}}],
    }


def _results(found: Sequence[tuple[AuditReport, Finding]], document: Place) -> list[_Object]:
    seen: Counter[str] = Counter()
    results = []
    for audit, finding in found:
        identity = sha256(f"{audit.name} {finding.key}".encode("utf-8", "replace")).hexdigest()[:16]
        seen[identity] += 1
        results.append(_result(audit, finding, document, fingerprint=f"{identity}:{seen[identity]}"))
    return results


def _result(audit: AuditReport, finding: Finding, document: Place, *, fingerprint: str) -> _Object:
    place = finding.place or document
    text = f"{finding.text} → {finding.resolution}" if finding.resolution else finding.text
    return {
        "ruleId": audit.name,
        "level": _LEVELS[finding.status],
        "message": {"text": visible(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place.file, errors="replace")},
                    "region": {"startLine": place.line},
                },
                "logicalLocations": [{"fullyQualifiedName": visible(finding.key)}],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    }
