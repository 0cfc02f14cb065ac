"""The program itself over HTTP: whether it works, and what it can do."""

from flask import Response, render_template
from flask_smorest import current_api

from auditsvc.schemas import TextResponseSchema
from auditsvc.web import docs
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.openapi import read_spec, write_yaml

blueprint = Blueprint("system", __name__, description="Whether the server works, and what it can do")
blueprint.add_app_template_filter(docs.render_code, "code")


@blueprint.get("/healthz")
@blueprint.response(200, TextResponseSchema)
def check_health() -> str:
    """Whether the process is up"""
    return "ok"


@blueprint.get("/readyz")
@blueprint.response(200, TextResponseSchema)
@blueprint.alt_response(503, response="SERVICE_UNAVAILABLE")
def check_readiness() -> str:
    """Whether requests can be answered: the store can be read"""
    service.ready()
    return "ready"


@blueprint.get("/openapi.yaml")
@blueprint.response(200, {"type": "object"}, content_type="application/yaml", description="OpenAPI 3.1")
def get_openapi() -> Response:
    """This description of the API"""
    return Response(write_yaml(read_spec(current_api.spec)), mimetype="application/yaml")


@blueprint.get("/docs")
@blueprint.response(200, {"type": "string"}, content_type="text/html", description="A page")
def get_docs() -> Response:
    """This description of the API as a page"""
    return Response(render_template("docs.html", document=read_spec(current_api.spec), docs=docs))
