"""Runs over HTTP."""

from http import HTTPStatus
from typing import Any

from flask import Response, url_for
from marshmallow import fields

from auditsvc.core.beside import Only
from auditsvc.core.runs import Run
from auditsvc.schemas import (
    BesideArgumentsSchema,
    BesidePage,
    BesideRowSchema,
    CompareArgumentsSchema,
    ComparisonSchema,
    NullResponseSchema,
    OperationFiltersSchema,
    OperationUsageSchema,
    Page,
    RunDetailSchema,
    RunFiltersSchema,
    RunSchema,
    RunUploadSchema,
    UsedOperationSchema,
    enveloped,
    paged,
)
from auditsvc.store.runs import UsedOperation
from auditsvc.web.audit import answer_sets, sets_of_run
from auditsvc.web.blueprint import Blueprint, read_window, service
from auditsvc.web.uploads import MULTIPART, read_upload

blueprint = Blueprint("runs", __name__, url_prefix="/runs", description="Runs: recorded uses of a cluster")

_RUN_ID = {
    "name": "run_id",
    "in": "path",
    "description": "A run's id",
    "schema": {"type": "string", "minLength": 1, "examples": ["pull-1b4f0e985197"]},
}
_OPERATION_ID = {
    "name": "operation_id",
    "in": "path",
    "description": "An operationId",
    "schema": {"type": "string", "minLength": 1, "examples": ["listCoreV1NamespacedPod"]},
}
_LOCATION = {"Location": {"description": "The run", "schema": {"type": "string"}}}
_FILE = {"type": "string", "format": "binary"}
_RUNS = fields.List(
    fields.Nested(RunSchema), metadata={"description": "The runs, in the order in which they were named"}
)
_UPLOAD = {
    "description": "An audit log (plain, or packed with gzip, zstandard, xz or bzip2) or an "
    "audit-endpoints.txt, as the whole body or as part `log` of a form; a log cut into several files is "
    "several such parts. The form's other parts are the documents that the run brings.",
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _FILE},
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["log"],
                "additionalProperties": False,
                "properties": {
                    "log": {"type": "array", "items": _FILE, "minItems": 1},
                    **dict.fromkeys(("swagger", "pending", "ineligible", "policy"), _FILE),
                },
            },
        },
    },
}


@blueprint.post("")
@blueprint.doc(requestBody=_UPLOAD)
@blueprint.query(RunUploadSchema)
@blueprint.response(201, enveloped(RunDetailSchema), description="The run was stored", headers=_LOCATION)
@blueprint.alt_response(
    200, schema=enveloped(RunDetailSchema), description="The same content was there", headers=_LOCATION
)
@blueprint.alt_response(404, response="NOT_FOUND")
@blueprint.alt_response(413, response="TOO_LARGE")
def upload_run(**origin: Any) -> Any:
    """Uploads a run

    Where it comes from is said in the query or in the form. All of the run is stored, or nothing.
    """
    upload = read_upload(origin)
    with service.jobs.tracked("run upload", f"{upload.kind} run from {upload.logs[0].name}") as job:
        run, new = service.runs.add(upload, progress=job.progress)
        job.made(run.id)
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    return _detail(run), status.value, {"Location": url_for("runs.get_run", run_id=run.id)}


@blueprint.get("")
@blueprint.query(RunFiltersSchema)
@blueprint.response(200, paged(RunSchema))
def list_runs(limit: int, offset: int, window: str | None = None, **filters: Any) -> Page:
    """The runs, the last finished first"""
    finished_in = read_window(window)
    runs, total = service.runs.find(finished_in=finished_in, limit=limit, offset=offset, **filters)
    return Page(data=runs, total=total, limit=limit, offset=offset)


@blueprint.get("/compare")
@blueprint.query(BesideArgumentsSchema)
@blueprint.response(200, paged(BesideRowSchema, runs=_RUNS))
@blueprint.alt_response(404, response="NOT_FOUND")
def compare_runs(
    run: list[str], limit: int, offset: int, differing: Only | None = None, **filters: Any
) -> BesidePage:
    """Runs beside each other

    All operations that any of them requested, by name. The others are held against the first.
    """
    runs, rows = service.runs.beside(run, differing, **filters)
    shown = rows[offset : offset + limit]
    return BesidePage(data=shown, total=len(rows), limit=limit, offset=offset, runs=runs)


@blueprint.get("/<run:run_id>", parameters=[_RUN_ID])
@blueprint.response(200, enveloped(RunDetailSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_run(run_id: str) -> dict[str, Any]:
    """A run with its totals"""
    return _detail(service.runs.get(run_id))


@blueprint.delete("/<run:run_id>", parameters=[_RUN_ID])
@blueprint.response(200, NullResponseSchema)
@blueprint.alt_response(404, response="NOT_FOUND")
def delete_run(run_id: str) -> None:
    """Deletes a run, its usage and its results"""
    service.runs.delete(run_id)


@blueprint.get("/<run_id>/audit", parameters=[_RUN_ID])
@blueprint.response(200, "AuditSets", description="One AuditSet: what was found in this run alone")
@blueprint.alt_response(404, response="NOT_FOUND")
def get_run_audit(run_id: str) -> Response:
    """The audits of a run alone

    They are run by `POST /audit?run=`.
    """
    return answer_sets(sets_of_run(run_id))


@blueprint.get("/<run_id>/operations", parameters=[_RUN_ID])
@blueprint.query(OperationFiltersSchema)
@blueprint.response(200, paged(UsedOperationSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_run_operations(run_id: str, limit: int, offset: int, **filters: Any) -> Page:
    """The operations that a run requested, by name"""
    used, total = service.runs.operations(run_id, limit=limit, offset=offset, **filters)
    return Page(data=used, total=total, limit=limit, offset=offset)


@blueprint.get("/<run_id>/operations/<operation_id>", parameters=[_RUN_ID, _OPERATION_ID])
@blueprint.response(200, enveloped(OperationUsageSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_run_operation(run_id: str, operation_id: str) -> UsedOperation:
    """A run's use of an operation, with its tests and the first audit events"""
    return UsedOperation(operation_id, service.runs.operation(run_id, operation_id), None)


@blueprint.get("/<run_id>/compare", parameters=[_RUN_ID])
@blueprint.query(CompareArgumentsSchema)
@blueprint.response(200, enveloped(ComparisonSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def compare_run(run_id: str, baseline: str | None = None) -> dict[str, Any]:
    """A run beside another one, or beside its own CI baseline"""
    other, comparison = service.runs.compare(run_id, baseline)
    return {"run": run_id, "baseline": other, "comparison": comparison}


def _detail(run: Run) -> dict[str, Any]:
    shown = {field: getattr(run, field) for field in RunSchema().fields}
    return {**shown, "summary": service.runs.summary(run.id)}
