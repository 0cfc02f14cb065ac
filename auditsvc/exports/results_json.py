"""The results as JSON: an AuditSet with Kubecost's names, and what its shape has no room for."""

from auditsvc.core.results import render_json, render_result
from auditsvc.core.window import Window
from auditsvc.exports.report import AuditReport, Finding, Report


def render(report: Report) -> str:
    """One object: each result by its type's key as the HTTP API serves it, ``window`` (null for files), ours.

    Ours are ``title``, ``status`` (the worst), ``subjects`` (run ids) and ``findings`` (those of all audits,
    each ``type, status, key, description, resolution, file, line``, the last two null where unknown).
    """
    ours = {
        "window": _window(report.window),
        "title": report.title,
        "status": report.status,
        "subjects": [run.id for run in report.subjects],
        "findings": [_finding(audit, found) for audit in report.audits for found in audit.findings],
    }
    members = [f"{render_json(audit.key)}:{render_result(audit.result)}" for audit in report.audits]
    members += [f"{render_json(name)}:{render_json(value)}" for name, value in ours.items()]
    text = "{" + ",".join(members) + "}\n"
    # Names that Python took from a command line may hold bytes that no JSON can.
    return text.encode("utf-8", "replace").decode()


def _window(window: Window | None) -> dict[str, str] | None:
    if window is None:
        return None
    return {
        name: moment.isoformat().replace("+00:00", "Z")
        for name, moment in (("start", window.start), ("end", window.end))
    }


def _finding(audit: AuditReport, found: Finding) -> dict[str, str | int | None]:
    return {
        "type": audit.name,
        "status": found.status,
        "key": found.key,
        "description": found.text,
        "resolution": found.resolution,
        "file": found.place.file if found.place else None,
        "line": found.place.line if found.place else None,
    }
