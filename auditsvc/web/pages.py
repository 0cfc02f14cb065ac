"""The pages: what the API tells, for people. They work without JavaScript."""

from datetime import date
from typing import Any

from flask import Blueprint, render_template, request

from auditsvc import __version__
from auditsvc.audits import AuditType, audit_types, find_audit_type
from auditsvc.core.beside import Only
from auditsvc.core.results import render_number
from auditsvc.core.swagger import Level
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, RequestError, WindowError
from auditsvc.schemas import MAX_BESIDE
from auditsvc.store.results import StoredResult
from auditsvc.web.blueprint import service

blueprint = Blueprint("pages", __name__)
blueprint.add_app_template_filter(render_number, "number")

DAYS = 30
ROWS = 50


@blueprint.app_context_processor
def _about_the_program() -> dict[str, Any]:
    return {"version": __version__}


@blueprint.get("/")
def show_sets() -> str:
    """The AuditSets, newest first: a row for a day, a column for an audit that ran in any of them."""
    offset = _offset()
    windows, total = service.audits.windows(limit=DAYS, offset=offset)
    span = Window(windows[-1].start, windows[0].end) if windows else None
    stored = service.audits.stored(span) if span else []
    results = {(one.window, one.key): one.result for one in stored}
    types = [known for known in audit_types() if any(known.key == key for _, key in results)]
    pager = {"limit": DAYS, "offset": offset, "total": total}
    return render_template("sets.html", windows=windows, types=types, results=results, pager=pager)


@blueprint.get("/pages/sets/<day>/<key>")
def show_result(day: str, key: str) -> str:
    """What an audit found on a day."""
    known = _audit_type(key)
    found = service.audits.stored(_day(day), [known])
    return _result_page(known, found, f"the day {day}", None)


@blueprint.get("/pages/sets/<day>/<key>/explain")
def show_explanation(day: str, key: str) -> str:
    """Why an audit of costs finds a difference on a day."""
    known, finding = _audit_type(key), request.args.get("finding", "")
    explanation = service.costs.explain(known, _day(day), finding)
    return render_template(
        "explanation.html", known=known, day=day, finding=finding, found=explanation, limit=ROWS
    )


@blueprint.get("/pages/runs")
def show_runs() -> str:
    """The runs, the last finished first."""
    offset = _offset()
    runs, total = service.runs.find(limit=ROWS, offset=offset)
    return render_template("runs.html", runs=runs, pager={"limit": ROWS, "offset": offset, "total": total})


@blueprint.get("/pages/jobs")
def show_jobs() -> str:
    """The scheduled runs to come, and the jobs that there were, newest first."""
    offset = _offset()
    jobs, total = service.jobs.find(limit=ROWS, offset=offset)
    pager = {"limit": ROWS, "offset": offset, "total": total}
    return render_template("jobs.html", jobs=jobs, next_runs=service.schedule.next_runs(), pager=pager)


@blueprint.get("/pages/beside")
def show_beside() -> str:
    """Runs beside each other: the first one named, and what the others used that it did not."""
    offset, only, level, text = _offset(), _only(), _level(), request.args.get("text") or None
    named = request.args.getlist("run")[:MAX_BESIDE]
    if len(named) < 2:
        return render_template("beside.html", runs=[])
    runs, rows = service.runs.beside(named, only, level=level, text=text)
    return render_template(
        "beside.html",
        runs=runs,
        rows=rows[offset : offset + ROWS],
        levels=list(Level),
        choices=list(Only),
        filters={"level": level, "text": text, "only": only},
        pager={"limit": ROWS, "offset": offset, "total": len(rows)},
    )


@blueprint.get("/pages/runs/<run_id>")
def show_run(run_id: str) -> str:
    """A run: its origin and totals, what was found in it alone, the operations that it requested."""
    offset, level, text = _offset(), _level(), request.args.get("text") or None
    used, total = service.runs.operations(run_id, level=level, text=text, limit=ROWS, offset=offset)
    return render_template(
        "run.html",
        run=service.runs.get(run_id),
        summary=service.runs.summary(run_id),
        results=service.runs.results(run_id),
        used=used,
        levels=list(Level),
        filters={"level": level, "text": text},
        pager={"limit": ROWS, "offset": offset, "total": total},
    )


@blueprint.get("/pages/runs/<run_id>/<key>")
def show_run_result(run_id: str, key: str) -> str:
    """What an audit found in a run alone."""
    known = _audit_type(key)
    found = [one for one in service.runs.results(run_id) if one.key == key]
    return _result_page(known, found, f"run {run_id}", run_id)


def _result_page(known: AuditType, found: list[StoredResult], where: str, run_id: str | None) -> str:
    if not found:
        raise NotFoundError(f"{known.name} never ran for {where}")
    report = service.reports.report(found[0].window, {known.key: found[0].result}, run_id=run_id)
    [audit] = report.audits
    return render_template(
        "result.html",
        known=known,
        result=audit.result,
        streak=audit.streak,
        findings={one.key: one for one in audit.findings},
        where=where,
    )


def _audit_type(key: str) -> AuditType:
    try:
        return find_audit_type(key)
    except RequestError as error:
        raise NotFoundError(str(error)) from error


def _day(text: str) -> Window:
    try:
        return Window.day(date.fromisoformat(text))
    except (ValueError, WindowError) as error:
        raise NotFoundError(f"no day: {text} (write it like 2026-01-31)") from error


def _level() -> Level | None:
    level = request.args.get("level")
    return Level(level) if level in list(Level) else None


def _only() -> Only | None:
    only = request.args.get("only")
    return Only(only) if only in list(Only) else None


def _offset() -> int:
    return min(max(request.args.get("offset", 0, type=int), 0), 1_000_000_000)
