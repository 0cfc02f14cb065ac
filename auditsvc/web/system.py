"""The program itself over HTTP: whether it works, and what it can do."""

import logging
from typing import Any

from flask import Response, make_response, render_template
from flask_smorest import current_api

from auditsvc.schemas import CheckSchema, NotReadySchema, TextResponseSchema, listed
from auditsvc.service import readiness
from auditsvc.service.metrics import CONTENT_TYPE
from auditsvc.web import docs
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.openapi import read_spec, write_yaml
from auditsvc.web.watching import metrics

log = logging.getLogger(__name__)

blueprint = Blueprint("system", __name__, description="Whether the server works, and what it can do")
blueprint.add_app_template_filter(docs.render_code, "code")


@blueprint.get("/healthz")
@blueprint.response(200, TextResponseSchema)
def check_health() -> str:
    """Whether the process is up"""
    return "ok"


@blueprint.get("/readyz")
@blueprint.response(200, listed(CheckSchema))
@blueprint.alt_response(503, schema=NotReadySchema, description="Something is not as it must be")
def check_readiness() -> Any:
    """Whether the server can do its work: store, disk, and the schedule's lease where there is a schedule"""
    checks = readiness.check_readiness(service)
    wrong = [f"{check.name}: {check.message}" for check in checks if not check.ok]
    if not wrong:
        return checks
    log.error("not ready: %s", "; ".join(wrong))
    return make_response(
        NotReadySchema().dump({"code": 503, "data": checks, "message": "; ".join(wrong)}), 503
    )


@blueprint.get("/metrics")
@blueprint.response(200, {"type": "string"}, content_type="text/plain", description="Prometheus' text format")
def get_metrics() -> Response:
    """What the server did and holds, for Prometheus"""
    return Response(metrics.render(), content_type=CONTENT_TYPE)


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
