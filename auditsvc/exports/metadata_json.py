"""``metadata.json``, which Prow merges into the ``metadata`` of a build's ``finished.json``.

Prow's page of a build shows the texts in it, those of nested objects by dotted names (``auditsvc.status``),
and no other values; see its "Pod utilities" and its metadata lens.
"""

import json
from collections.abc import Mapping

from auditsvc import __version__
from auditsvc.exports.report import Report

JOB_VERSION = "job-version"
"""The version under test, by the name that Kubernetes' own jobs give it, and our ``sync`` reads."""


def render(report: Report, earlier: Mapping[str, object]) -> str:
    """What an earlier step of the job has put there and, under ``auditsvc``, how the audits ended."""
    ours = {
        "version": __version__,
        "status": str(report.status),
        **{audit.name: str(audit.result.status) for audit in report.audits},
        **{document.kind: f"sha256:{document.sha256}" for document in report.documents},
    }
    versions = [subject.swagger.version for subject in report.judged if subject.swagger.version]
    known = {JOB_VERSION: versions[-1]} if versions else {}
    return json.dumps({**known, **earlier, "auditsvc": ours}, indent=2) + "\n"
