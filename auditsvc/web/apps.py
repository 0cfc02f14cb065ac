"""Applications over HTTP."""

from typing import Any

from flask import Response

from auditsvc.exports.app_usage_csv import EXPORTS
from auditsvc.schemas import (
    AppArgumentsSchema,
    AppDetailSchema,
    AppFiltersSchema,
    AppSchema,
    ExportArgumentsSchema,
    Page,
    enveloped,
    paged,
)
from auditsvc.service.apps import AppUse
from auditsvc.web.blueprint import Blueprint, service

blueprint = Blueprint(
    "apps",
    __name__,
    url_prefix="/apps",
    description="Applications: the operations that they use, and the releases that they would work on",
)

_APP = {
    "name": "app",
    "in": "path",
    "description": "An application's name",
    "schema": {"type": "string", "minLength": 1, "examples": ["argo-cd"]},
}
_NAME = {
    "name": "name",
    "in": "path",
    "description": "Which file: `app-usage-summary` (how many operations of each level an application uses), "
    "`app-usage-categories` (of each level and category), `app-usage-endpoints` (which endpoints the "
    "applications use, and how many none of them does) or `coverage-spreadsheet` (each endpoint with each "
    "application's requests)",
    "schema": {"type": "string", "enum": list(EXPORTS)},
}


@blueprint.get("")
@blueprint.query(AppFiltersSchema)
@blueprint.response(200, paged(AppSchema))
def list_apps(limit: int, offset: int, text: str | None = None) -> Page:
    """The applications, by name

    They are those that runs of kind `app` are of. Each is told of by what the newest of its runs used.
    """
    apps, total = service.apps.find(text=text, limit=limit, offset=offset)
    return Page(data=apps, total=total, limit=limit, offset=offset)


@blueprint.get("/export/<name>", parameters=[_NAME])
@blueprint.query(ExportArgumentsSchema)
@blueprint.response(200, {"type": "string"}, content_type="text/csv", description="The file")
@blueprint.alt_response(404, response="NOT_FOUND")
def export_apps(name: str, **arguments: Any) -> Response:
    """What applications use, as CSV

    In the columns of APISnoop's files of that name. What a spreadsheet would take for a formula has an
    apostrophe before it.
    """
    return Response(service.apps.export(name, arguments["app"]), mimetype="text/csv")


@blueprint.get("/<path:app>", parameters=[_APP])
@blueprint.query(AppArgumentsSchema)
@blueprint.response(200, enveloped(AppDetailSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_app(app: str, run: str | None = None) -> AppUse:
    """An application: its operations, levels and categories, and what each stored release lacks of them

    What only tells what a server has (discovery) is counted among its operations, but nothing depends on it.
    """
    return service.apps.get(app, run_id=run)
