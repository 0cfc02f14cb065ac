"""The results as JSON: an AuditSet with Kubecost's names, and what its shape has no room for."""

from datetime import datetime

from auditsvc.core.results import WaivedFinding, render_json, render_result
from auditsvc.core.streaks import Streak
from auditsvc.core.window import Window
from auditsvc.exports.report import AuditReport, Finding, Place, Report, Seen


def render(report: Report) -> str:
    """One object: each result by its type's key as the HTTP API serves it, ``window`` (null for files), ours.

    Ours are ``title``, ``status`` (the worst), ``subjects`` (run ids), ``documents`` (what was judged with:
    ``kind, source, sha256``) and ``findings`` (those of all audits). A finding has ``type, status, key,
    description, resolution``; ``file, line`` of the list entry or in the swagger, null where unknown;
    ``operation`` (``method, path``), null where the key names none; and ``seen``, null where it was not:
    ``run``; ``file, line`` of the first audit event, null where another tool's report tells of it; ``tests``
    (those that requested it most, ``name, hits``), ``more_tests`` (a count); ``runs`` and ``of`` (so many of
    the last so many CI runs exercised it). ``waived`` are the findings that somebody has accepted, and that
    do not count: ``type, status, key, description, owner, reason, expires, issue`` (null without one).
    ``history`` is how results stand among those before them, of a window's AuditSet alone: ``type, status,
    since`` (since when it is of this status), ``last_passed`` (the start of that window, null where none is),
    ``sets_since_passed`` (likewise; 0 where it Passed), ``sets`` (how many there are).
    """
    ours = {
        "window": _window(report.window),
        "title": report.title,
        "status": report.status,
        "subjects": [run.id for run in report.subjects],
        "documents": [
            {"kind": one.kind, "source": one.source, "sha256": one.sha256} for one in report.documents
        ],
        "findings": [_finding(audit, found) for audit in report.audits for found in audit.findings],
        "history": [_streak(audit, audit.streak) for audit in report.audits if audit.streak],
        "waived": [_waived(audit, found) for audit in report.audits for found in audit.result.waived],
    }
    members = [f"{render_json(audit.key)}:{render_result(audit.result)}" for audit in report.audits]
    members += [f"{render_json(name)}:{render_json(value)}" for name, value in ours.items()]
    text = "{" + ",".join(members) + "}\n"
    # Names that Python took from a command line may hold bytes that no JSON can.
    return text.encode("utf-8", "replace").decode()


def _window(window: Window | None) -> dict[str, str] | None:
    if window is None:
        return None
    return {"start": _time(window.start), "end": _time(window.end)}


def _finding(audit: AuditReport, found: Finding) -> dict[str, object]:
    return {
        "type": audit.name,
        "status": found.status,
        "key": found.key,
        "description": found.text,
        "resolution": found.resolution,
        **_place(found.place),
        "operation": found.operation and {"method": found.operation.method, "path": found.operation.path},
        "seen": found.seen and _seen(found.seen),
    }


def _waived(audit: AuditReport, found: WaivedFinding) -> dict[str, str | None]:
    return {
        "type": audit.name,
        "status": found.status,
        "key": found.key,
        "description": found.description,
        "owner": found.owner,
        "reason": found.reason,
        "expires": found.expires.isoformat(),
        "issue": found.issue,
    }


def _streak(audit: AuditReport, streak: Streak) -> dict[str, object]:
    passed = streak.last_passed
    return {
        "type": audit.name,
        "status": streak.status,
        "since": _time(streak.since),
        "last_passed": _time(passed.start) if passed else None,
        "sets_since_passed": streak.sets_since_passed,
        "sets": streak.sets,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _place(place: Place | None) -> dict[str, str | int | None]:
    return {"file": place.file if place else None, "line": place.line if place else None}


def _seen(seen: Seen) -> dict[str, object]:
    return {
        "run": seen.run,
        **_place(seen.event),
        "tests": [{"name": name, "hits": hits} for name, hits in seen.tests],
        "more_tests": seen.more_tests,
        "runs": seen.runs,
        "of": seen.of,
    }
