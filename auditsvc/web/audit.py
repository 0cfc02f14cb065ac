"""Audits over HTTP, at ``/audit`` and where Kubecost had them, ``/model/etl/audit``."""

from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response, jsonify, url_for
from marshmallow import fields, validate

from auditsvc.audits import AuditType, audit_types, find_audit_type
from auditsvc.core.results import AuditSet, Status, render_set
from auditsvc.core.window import Window
from auditsvc.errors import WorkerError
from auditsvc.schemas import (
    ArgumentsSchema,
    AuditHistorySchema,
    AuditTypeSchema,
    FindingSchema,
    JobFiltersSchema,
    JobSchema,
    JobsPage,
    Page,
    PageArgumentsSchema,
    PlannedRunSchema,
    enveloped,
    listed,
    paged,
    types_field,
    window_field,
)
from auditsvc.store.jobs import Job, JobState
from auditsvc.web.blueprint import URLENCODED, Blueprint, read_window, service

blueprint = Blueprint(
    "audit", __name__, url_prefix="/audit", description="The audits: what they found, and running them"
)

_NAMES = [name for known in audit_types() for name in (known.name, known.key)]
_JOB_ID = {
    "name": "job_id",
    "in": "path",
    "description": "A job's id",
    "schema": {"type": "string", "examples": ["17"]},
}
_NEXT = fields.List(
    fields.Nested(PlannedRunSchema),
    metadata={"description": "The scheduled runs to come, the next first; none where nothing is scheduled"},
)


class AuditSetArgumentsSchema(ArgumentsSchema):
    """Which AuditSets are asked for."""

    window = window_field()
    type = types_field(_NAMES)


class HistoryArgumentsSchema(PageArgumentsSchema):
    """Which results are asked for."""

    window = window_field()
    type = types_field(_NAMES)


class FindingFiltersSchema(HistoryArgumentsSchema):
    """Which findings are asked for."""

    run = fields.String(
        metadata={
            "description": "Those of this run, judged alone, in place of a window's",
            "examples": ["pull-1b4f0e985197"],
        },
    )
    status = fields.String(
        validate=validate.OneOf([Status.FAILED, Status.WARNING]),
        metadata={"description": "Only findings that make a result this"},
    )
    key = fields.String(
        metadata={"description": "Only findings with this in their key, in any case", "examples": ["Pod"]}
    )


class AuditOrderSchema(AuditSetArgumentsSchema):
    """Which audits are to be run."""

    forms = frozenset({URLENCODED})

    commit = fields.Boolean(
        load_default=False,
        metadata={"description": "Without a window, `true` confirms that every day with data is audited"},
    )
    run = fields.String(
        metadata={
            "description": "Judges this run alone; its results are kept with it, never in an AuditSet",
            "examples": ["pull-1b4f0e985197"],
        },
    )
    wait = fields.Boolean(
        load_default=False, metadata={"description": "`true` answers when it is done, with the AuditSets"}
    )


@blueprint.get("")
@blueprint.query(AuditSetArgumentsSchema)
@blueprint.response(
    200, "AuditSets", description="The AuditSets in time order; audits that never ran are null"
)
def get_audit_sets(type: list[str], window: str | None = None) -> Response:
    """The newest result of each audit, by day

    Every day that the window overlaps and that has results or data; without a window, all of them.
    """
    return answer_sets(service.audits.sets(read_window(window), _types(type)))


@blueprint.post("")
@blueprint.query(AuditOrderSchema)
@blueprint.response(
    200,
    "AuditStarted",
    description="The audits were started, or with `wait=true` are done",
    headers={"Location": {"description": "The job", "schema": {"type": "string"}}},
)
@blueprint.alt_response(404, response="NOT_FOUND")
def run_audits(
    type: list[str], commit: bool, wait: bool, window: str | None = None, run: str | None = None
) -> Any:
    """Runs audits

    Over every day with data that the window overlaps; over the last day of the window where none has; over
    every day with data where there is no window, which needs `commit=true`; or over one run. The parameters
    may also be sent as a form. Audits of the same window run one after the other.
    """
    span, types = read_window(window), _types(type)
    job = service.audits.submit(span, types, commit=commit, run_id=run)
    location = {"Location": url_for("audit.get_job", job_id=job.id)}
    if not wait:
        return jsonify(code=200, data=job.description), location
    _wait(job)
    return answer_sets(sets_of_run(run, types) if run else service.audits.sets(span, types)), location


@blueprint.get("/types")
@blueprint.response(200, listed(AuditTypeSchema))
def list_audit_types() -> list[AuditType]:
    """The audits that there are"""
    return list(audit_types())


@blueprint.get("/history")
@blueprint.query(HistoryArgumentsSchema)
@blueprint.response(200, paged(AuditHistorySchema))
def list_audit_history(type: list[str], limit: int, offset: int, window: str | None = None) -> Page:
    """How the audits ended, newest window first: since when so, and how many sets ago they Passed"""
    rows, total = service.reports.history(read_window(window), _types(type), limit=limit, offset=offset)
    return Page(data=rows, total=total, limit=limit, offset=offset)


@blueprint.get("/findings")
@blueprint.query(FindingFiltersSchema)
@blueprint.response(200, paged(FindingSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_findings(
    type: list[str], limit: int, offset: int, window: str | None = None, **filters: Any
) -> Page:
    """What the audits found: with what to do about it, and where it was seen

    Of every day that the window overlaps, of all without one, in time order; or of one run. In a result the
    hard findings come first.
    """
    rows, total = service.reports.findings(
        read_window(window), _types(type), **_filters(**filters), limit=limit, offset=offset
    )
    return Page(data=rows, total=total, limit=limit, offset=offset)


@blueprint.get("/jobs")
@blueprint.query(JobFiltersSchema)
@blueprint.response(200, paged(JobSchema, next=_NEXT))
def list_jobs(limit: int, offset: int, state: str | None = None) -> JobsPage:
    """The jobs, newest first, and the scheduled runs to come"""
    jobs, total = service.jobs.find(state=JobState(state) if state else None, limit=limit, offset=offset)
    next_runs = service.schedule.next_runs()
    return JobsPage(data=jobs, total=total, limit=limit, offset=offset, next=next_runs)


@blueprint.get("/jobs/<job_id>", parameters=[_JOB_ID])
@blueprint.response(200, enveloped(JobSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_job(job_id: str) -> Job:
    """A job: how far it is, and how it ended"""
    return service.jobs.get(job_id)


def answer_sets(audit_sets: Iterable[AuditSet]) -> Response:
    """AuditSets in their envelope, as the bytes that they are stored in."""
    body = b"".join((b'{"code":200,"data":[', b",".join(map(render_set, audit_sets)), b"]}\n"))
    return Response(body, mimetype="application/json")


def sets_of_run(run_id: str, types: Sequence[AuditType] = ()) -> list[AuditSet]:
    """What was found when a run was judged alone, as one AuditSet of its day. Raises NotFoundError."""
    texts = {stored.key: stored.text.encode() for stored in service.runs.results(run_id)}
    window = Window.day(service.runs.get(run_id).finished)
    return [AuditSet(window, {known.key: texts.get(known.key) for known in types or audit_types()})]


def _filters(run: str | None = None, status: str | None = None, key: str | None = None) -> dict[str, Any]:
    """Which findings are asked for, as the service calls it."""
    return {"run_id": run, "status": Status(status) if status else None, "text": key}


def _types(names: Iterable[str]) -> list[AuditType]:
    """The named audits, once each and in the order of the registry. Raises RequestError."""
    asked = set(map(find_audit_type, names))
    return [known for known in audit_types() if known in asked]


def _wait(job: Job) -> None:
    ended = service.jobs.wait(job)
    if ended.state is not JobState.DONE:
        raise WorkerError(f"the audits did not finish: {ended.error or ended.state}")
