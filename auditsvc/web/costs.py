"""Cost data over HTTP, and why an audit of it found a difference."""

from http import HTTPStatus
from typing import Any, cast

from flask import Response

from auditsvc.audits import find_audit_type
from auditsvc.core.window import Window
from auditsvc.schemas import (
    CostFiltersSchema,
    CostRecordSchema,
    ExplanationArgumentsSchema,
    ExplanationSchema,
    NullResponseSchema,
    Page,
    WindowArgumentsSchema,
    enveloped,
    paged,
)
from auditsvc.store.costs import CostKind, CostRecord
from auditsvc.web.audit import blueprint as audits
from auditsvc.web.blueprint import Blueprint, read_window, service
from auditsvc.web.uploads import read_document

blueprint = Blueprint(
    "costs", __name__, url_prefix="/costs", description="Cost data of OpenCost and Kubecost, by UTC day"
)

_PATH = f"/<any({', '.join(CostKind)}):kind>"
_KIND = {"name": "kind", "in": "path", "description": "What the document holds"}
_DOCUMENT = {
    "description": "A response of OpenCost or Kubecost as JSON: of `/allocation/compute` with "
    "`includeIdle=true&idleByNode=true`, of `/assets` or of `/cloudCost`; or the totals or aggregates that "
    "the system under audit keeps. It may be packed with gzip",
    "required": True,
    "content": {"application/json": {"schema": {"type": "object", "required": ["data"]}}},
}
_SENT = "The document as it was sent, which is an envelope too"


@blueprint.get("")
@blueprint.query(CostFiltersSchema)
@blueprint.response(200, paged(CostRecordSchema))
def list_costs(limit: int, offset: int, kind: str | None = None, window: str | None = None) -> Page:
    """What cost data there is, the newest window first"""
    asked = CostKind(kind) if kind else None
    records, total = service.costs.find(kind=asked, window=read_window(window), limit=limit, offset=offset)
    return Page(data=records, total=total, limit=limit, offset=offset)


@blueprint.put(_PATH, parameters=[_KIND])
@blueprint.doc(requestBody=_DOCUMENT)
@blueprint.query(WindowArgumentsSchema)
@blueprint.response(201, enveloped(CostRecordSchema), description="It was stored")
@blueprint.alt_response(
    200, schema=enveloped(CostRecordSchema), description="It was stored in the place of an older one"
)
@blueprint.alt_response(413, response="TOO_LARGE")
def put_costs(kind: str, window: str) -> tuple[CostRecord, int]:
    """Uploads the cost data of a UTC day, or of an hour of one

    A document that is none of its kind is refused whole. With allocations and assets auditsvc writes totals
    and aggregates of its own; those that are uploaded, from the system under audit, are what is audited.
    """
    record, new = service.costs.put(CostKind(kind), _window(window), read_document())
    return record, HTTPStatus.CREATED if new else HTTPStatus.OK


@blueprint.get(_PATH, parameters=[_KIND])
@blueprint.query(WindowArgumentsSchema)
@blueprint.response(200, {"type": "object"}, description=_SENT)
@blueprint.alt_response(404, response="NOT_FOUND")
def get_costs(kind: str, window: str) -> Response:
    """The document of exactly that window

    Where no totals or aggregates were uploaded, auditsvc's own.
    """
    return Response(service.costs.document(CostKind(kind), _window(window)), mimetype="application/json")


@blueprint.delete(_PATH, parameters=[_KIND])
@blueprint.query(WindowArgumentsSchema)
@blueprint.response(200, NullResponseSchema)
@blueprint.alt_response(404, response="NOT_FOUND")
def delete_costs(kind: str, window: str) -> None:
    """Deletes the document of exactly that window, with auditsvc's own tables of it"""
    service.costs.delete(CostKind(kind), _window(window))


@audits.get("/explain")
@audits.query(ExplanationArgumentsSchema)
@audits.response(200, enveloped(ExplanationSchema))
@audits.alt_response(404, response="NOT_FOUND")
def explain_difference(type: str, window: str, key: str, limit: int) -> dict[str, Any]:
    """Why an audit of costs finds a difference

    The rows and resources that make it, in the data that is stored now, the largest first.
    """
    known, span = find_audit_type(type), _window(window)
    explanation = service.costs.explain(known, span, key)
    return {
        "type": known.name,
        "window": Window.day(span.start),
        "explanation": explanation,
        "expected_rows": explanation.expected[:limit],
        "expected_count": len(explanation.expected),
        "actual_rows": explanation.actual[:limit],
        "actual_count": len(explanation.actual),
    }


def _window(text: str) -> Window:
    return cast(Window, read_window(text))  # None is for a window that may be left out
