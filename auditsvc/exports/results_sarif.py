"""The results as SARIF 2.1.0, the OASIS standard that GitHub's code scanning and editors read.

GitHub refuses the whole upload for one result without a file to show it at, and takes results of one rule and
fingerprint for one; see its "SARIF support for code scanning", whose limits these are too.
"""

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from auditsvc import __version__
from auditsvc.core.results import Status
from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Document, Finding, Place, Report

MAX_RESULTS = 25_000
"""GitHub's limit of results in a run; a file with more is refused."""
SHOWN_RESULTS = 5_000
"""So many of them GitHub shows, those of the worst level."""
MAX_PACKED_BYTES = 10_000_000
"""GitHub's limit of a file, packed with gzip."""

_LONGEST_TEXT = 1000  # GitHub's is 1,024 for what describes a rule

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Status.FAILED: "error", Status.WARNING: "warning"}

_Object = dict[str, Any]


def render(report: Report) -> str:
    """A log with one run: a rule per audit type, and a result per finding, the hard ones first.

    A result is shown at its list entry, at its operation in the swagger, or at the report's document; the
    operation is a logical location, by its JSON pointer. The documents are artifacts, with their hashes.
    Results beyond ``MAX_RESULTS`` are left out, and so is what would make the file too large; notifications
    say how many, and how many GitHub will not show.
    """
    found = [(audit, finding) for audit in report.audits for finding in audit.findings]
    found.sort(key=lambda pair: pair[1].status is not Status.FAILED)
    kept = MAX_RESULTS
    text = _render(report, found, kept)
    while _is_too_large(text):
        kept = min(kept, len(found)) // 2
        text = _render(report, found, kept)
    return text


def _is_too_large(text: str) -> bool:
    # It never grows by being packed, to speak of: what is small enough as it is need not be.
    return len(text) > MAX_PACKED_BYTES and len(gzip.compress(text.encode())) > MAX_PACKED_BYTES


def _render(report: Report, found: Sequence[tuple[AuditReport, Finding]], kept: int) -> str:
    driver = {
        "name": "auditsvc",
        "semanticVersion": __version__,
        "rules": [_rule(audit) for audit in report.audits],
    }
    run: _Object = {
        "tool": {"driver": driver},
        "invocations": [_invocation(len(found), kept)],
        "results": _results(found[:kept], Place(report.document)),
    }
    if report.documents:
        run["artifacts"] = list(map(_artifact, report.documents))
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _artifact(document: Document) -> _Object:
    return {
        "location": {"uri": _uri(document.source or document.kind)},
        "description": {"text": document.kind},
        "hashes": {"sha-256": document.sha256},
    }


def _rule(audit: AuditReport) -> _Object:
    resolutions = dict.fromkeys(found.resolution for found in audit.findings if found.resolution)
    help_text = "\n".join([audit.description, *(f"- {visible(resolution)}" for resolution in resolutions)])
    return {
        "id": audit.name,
        "shortDescription": {"text": _text(audit.description)},
        "fullDescription": {"text": _text(audit.description)},
        "help": {"text": help_text},
    }


def _invocation(found: int, kept: int) -> _Object:
    said = []
    if found > kept:
        said.append(
            f"{found - kept} results are left out: GitHub refuses a file with more than {MAX_RESULTS}, or of "
            f"more than {MAX_PACKED_BYTES // 1_000_000} MB packed"
        )
    if min(found, kept) > SHOWN_RESULTS:
        said.append(f"{min(found, kept) - SHOWN_RESULTS} results are beyond the {SHOWN_RESULTS} GitHub shows")
    if not said:
        return {"executionSuccessful": True}
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}} for text in said],
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
    texts = (_text(finding.text), finding.resolution and f"→ {_text(finding.resolution)}", _seen(finding))
    return {
        "ruleId": audit.name,
        "level": _LEVELS[finding.status],
        "message": {"text": " ".join(filter(None, texts))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(place.file)},
                    "region": {"startLine": place.line},
                },
                "logicalLocations": [_logical(finding)],
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    }


def _logical(finding: Finding) -> _Object:
    """What the finding is about: the operation in the swagger, else where it stands in the result."""
    operation = finding.operation
    if operation is None:
        return {"fullyQualifiedName": visible(finding.key)}
    path = operation.path.replace("~", "~0").replace("/", "~1")
    pointer = f"/paths/{path}/{operation.method.lower()}"
    return {"name": visible(operation.id), "fullyQualifiedName": visible(pointer), "kind": "object"}


def _seen(finding: Finding) -> str:
    return f"({_text(str(finding.seen))})" if finding.seen and str(finding.seen) else ""


def _text(text: str) -> str:
    line = visible(text)
    cut = len(line) - _LONGEST_TEXT
    return line if cut <= 0 else f"{line[:_LONGEST_TEXT]} … and {cut} more characters"


def _uri(file: str) -> str:
    """A path relative to the repository's root stays one; an absolute one is a file URI, as SARIF wants."""
    if "://" in file:
        return quote(file, safe=":/?#[]@!$&'()*+,;=%", errors="replace")
    path = quote(file, errors="replace")
    return f"file://{path}" if path.startswith("/") else path
