"""The service over HTTP: the API, its description, and pages for people."""

from flask import Flask, Response
from flask_smorest import Api

from auditsvc.schemas import ErrorSchema
from auditsvc.service import Service
from auditsvc.web import audit, costs, lists, pages, runs, swagger, system
from auditsvc.web.blueprint import EXTENSION
from auditsvc.web.errors import register_error_handlers
from auditsvc.web.openapi import describe_components, read_spec, spec_options, write_yaml
from auditsvc.web.uploads import SpoolingRequest

# Pages hold nothing but text, one style sheet and an icon of their own; forms only ask for other pages.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Api(Api):  # type: ignore[misc] # flask-smorest has no types
    """flask-smorest, that describes our errors."""

    ERROR_SCHEMA = ErrorSchema


def create_app(service: Service) -> Flask:
    """The WSGI application over a service; whoever opened that closes it."""
    app, _ = _make_app()
    app.extensions[EXTENSION] = service
    app.config["MAX_CONTENT_LENGTH"] = service.config.max_upload_bytes
    return app


def openapi_document() -> str:
    """The description of the API in YAML, the same for every service."""
    _, api = _make_app()
    return write_yaml(read_spec(api.spec))


def _make_app() -> tuple[Flask, Api]:
    app = Flask(__name__)
    app.request_class = SpoolingRequest
    app.json.sort_keys = False  # type: ignore[attr-defined] # of Flask's own provider
    app.after_request(_secure)
    api = _Api(app, spec_kwargs=spec_options())
    register_error_handlers(app)  # after flask-smorest's own, which they replace
    describe_components(api.spec)
    for module in (audit, runs, swagger, lists, costs, system):
        api.register_blueprint(module.blueprint)
    app.register_blueprint(audit.blueprint, name="kubecost", url_prefix="/model/etl/audit")
    app.register_blueprint(pages.blueprint)
    return app, api


def _secure(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response
