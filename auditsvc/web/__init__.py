"""The service over HTTP: the API, its description, and pages for people."""

from flask import Flask, Response
from flask_smorest import Api

from auditsvc.schemas import ErrorSchema
from auditsvc.service import Service
from auditsvc.web import (
    apps,
    audit,
    conformance_tests,
    costs,
    coverage,
    endpoints,
    events,
    lists,
    pages,
    releases,
    runs,
    swagger,
    system,
    tokens,
)
from auditsvc.web.access import allow_any_name, guard
from auditsvc.web.blueprint import EXTENSION, RunIdConverter
from auditsvc.web.errors import register_error_handlers
from auditsvc.web.openapi import describe_components, read_spec, spec_options, write_yaml
from auditsvc.web.uploads import SpoolingRequest
from auditsvc.web.watching import count_for, watch_requests

# Pages hold nothing but text, one style sheet and an icon of their own; forms only ask for other pages.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Api(Api):  # type: ignore[misc] # flask-smorest has no types
    """flask-smorest, that describes our errors."""

    ERROR_SCHEMA = ErrorSchema


def create_app(service: Service, *, insecure: bool = False) -> Flask:
    """The WSGI application over a service; whoever opened that closes it.

    ``insecure``: clients without a token may call it by any name, not by this machine's alone.
    """
    app, _ = _make_app()
    if insecure:
        allow_any_name(app)
    app.extensions[EXTENSION] = service
    count_for(app, service)
    app.config["MAX_CONTENT_LENGTH"] = service.config.max_upload_bytes
    return app


def openapi_document() -> str:
    """The description of the API in YAML, the same for every service."""
    _, api = _make_app()
    return write_yaml(read_spec(api.spec))


def _make_app() -> tuple[Flask, Api]:
    app = Flask(__name__)
    app.request_class = SpoolingRequest
    app.url_map.converters["run"] = RunIdConverter
    app.json.sort_keys = False  # type: ignore[attr-defined] # of Flask's own provider
    watch_requests(app)
    app.after_request(_secure)
    guard(app)
    api = _Api(app, spec_kwargs=spec_options())
    register_error_handlers(app)  # after flask-smorest's own, which they replace
    describe_components(api.spec)
    for module in (
        audit,
        runs,
        events,
        apps,
        swagger,
        lists,
        releases,
        conformance_tests,
        coverage,
        endpoints,
        costs,
        tokens,
        system,
    ):
        api.register_blueprint(module.blueprint)
    app.register_blueprint(audit.blueprint, name="kubecost", url_prefix="/model/etl/audit")
    app.register_blueprint(pages.blueprint)
    return app, api


def _secure(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
