"""Swagger documents over HTTP."""

from datetime import datetime
from typing import Any

from auditsvc.schemas import (
    VERSION,
    HoldArgumentsSchema,
    OperationFiltersSchema,
    OperationSchema,
    Page,
    PageArgumentsSchema,
    SwaggerRecordSchema,
    enveloped,
    paged,
)
from auditsvc.store.swaggers import SwaggerRecord
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.uploads import read_document

blueprint = Blueprint(
    "swagger",
    __name__,
    url_prefix="/swagger",
    description="Swagger documents: what operations a version of Kubernetes has",
)

VERSION_PARAMETER = {
    "name": "version",
    "in": "path",
    "description": "A version of Kubernetes",
    "schema": {"type": "string", "pattern": VERSION, "examples": ["v1.34.0"]},
}
_DOCUMENT = {
    "description": "A Swagger 2.0 or OpenAPI 3 document as JSON, such as Kubernetes' swagger.json or a "
    "cluster's own /openapi/v2; it may be packed with gzip",
    "required": True,
    "content": {"application/json": {"schema": {"type": "object", "required": ["paths"]}}},
}


@blueprint.put("/<version>", parameters=[VERSION_PARAMETER])
@blueprint.doc(requestBody=_DOCUMENT)
@blueprint.query(HoldArgumentsSchema)
@blueprint.response(200, enveloped(SwaggerRecordSchema))
@blueprint.alt_response(413, response="TOO_LARGE")
def put_swagger(version: str, holds_from: datetime | None = None) -> SwaggerRecord:
    """Uploads the swagger document of a version

    It is the one of its minor version until the next upload. Other versions stay as they are.
    """
    return service.documents.put_swagger(version, read_document(), holds_from=holds_from)


@blueprint.get("")
@blueprint.query(PageArgumentsSchema)
@blueprint.response(200, paged(SwaggerRecordSchema))
def list_swaggers(limit: int, offset: int) -> Page:
    """The uploaded documents, the highest version first"""
    records = service.documents.swaggers()
    return Page(data=records[offset : offset + limit], total=len(records), limit=limit, offset=offset)


@blueprint.get("/<version>/operations", parameters=[VERSION_PARAMETER])
@blueprint.query(OperationFiltersSchema)
@blueprint.response(200, paged(OperationSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_swagger_operations(version: str, limit: int, offset: int, **filters: Any) -> Page:
    """The operations of a version, by operationId"""
    operations, total = service.documents.operations(version, limit=limit, offset=offset, **filters)
    return Page(data=operations, total=total, limit=limit, offset=offset)
