"""What the blueprints are made of: flask-smorest's, with our envelope and without its leniency."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, cast

import flask_smorest
from flask import Request, Response, current_app
from flask_smorest.utils import unpack_tuple_response
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.local import LocalProxy
from werkzeug.routing import BaseConverter

from auditsvc.core.window import Window, parse_window
from auditsvc.errors import RequestError
from auditsvc.schemas import ArgumentsSchema, Page, Reply
from auditsvc.service import Service

EXTENSION = "auditsvc"
URLENCODED = "application/x-www-form-urlencoded"

_MAX_FORM_BYTES = 64 << 10
"""The most that a form may have that is parsed in memory."""

View = Callable[..., Any]

service = cast(Service, LocalProxy(lambda: current_app.extensions[EXTENSION]))
"""The service of the app that handles the request."""


class RunIdConverter(BaseConverter):
    """A run's id in a path, ``<run:run_id>``: ``/runs/compare`` is no run, and cannot be deleted like one."""

    regex = "(?!compare$)[^/]+"
    part_isolating = True


def read_window(text: str | None) -> Window | None:
    """The window that a request names, None where it names none. Raises WindowError."""
    if text is None:
        return None
    return parse_window(text, now=service.clock(), utc_offset=service.config.utc_offset)


class Parser(FlaskParser):
    """Reads arguments. What is unknown, given twice or wrong is refused with one line that names it."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = {"query": RAISE}  # noqa: RUF012 - webargs declares no ClassVar

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The parameters of the query and, where the schema takes them, the fields of a form."""
        given = MultiDict(req.args)
        if isinstance(schema, ArgumentsSchema) and req.mimetype in schema.forms:
            if req.mimetype == URLENCODED:
                req.max_content_length = _MAX_FORM_BYTES
            given.update(req.form)
        proxy = MultiDictProxy(given, schema)
        for name, values in given.lists():
            if len(values) > 1 and name not in proxy.multiple_keys:
                raise RequestError(f"{name}: given {len(values)} times, and once is enough")
        return proxy

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> NoReturn:  # noqa: ARG002 - webargs' hook
        """Raises RequestError with one of the problems, an unknown name first: it may be a missing one."""
        problems = cast(dict[str, dict[str, Any]], error.messages)["query"]
        names = [field.data_key or name for name, field in schema.fields.items()]
        name = min(problems, key=lambda name: (name in names, name))
        hint = "" if name in names else f" ({'known are ' if names else 'it takes none'}{', '.join(names)})"
        raise RequestError(f"{name}: {' '.join(_sentences(problems[name]))}{hint}") from error


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc] # flask-smorest has no types
    """A blueprint whose answers are in the envelope and whose operationIds are its views' names."""

    ARGUMENTS_PARSER = Parser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """As flask-smorest's. A view that declares no parameters takes none."""
        route = super().route

        def register(view: View) -> View:
            if "arguments" not in getattr(view, "_apidoc", {}):
                view = self.query(ArgumentsSchema)(view)
            registered: View = route(rule, **options)(self.doc(operationId=view.__name__)(view))
            return registered

        return register

    def query(self, schema: type[ArgumentsSchema]) -> Callable[[View], View]:
        """Declares the parameters of a view, which is given them by name."""
        declare: Callable[[View], View] = self.arguments(schema, location="query", as_kwargs=True)
        return declare

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """As flask-smorest's, for a view that returns what is in the envelope, or the whole Page."""
        options.setdefault("description", getattr(schema, "__doc__", None))
        respond = super().response(status_code, schema, **options)

        def decorate(view: View) -> View:
            @wraps(view)
            def enveloping(*args: Any, **kwargs: Any) -> Any:
                data, status, headers = unpack_tuple_response(view(*args, **kwargs))
                if not isinstance(data, Response | Page):
                    data = Reply(status or status_code, data)
                return data, status, headers

            decorated: View = respond(enveloping)
            return decorated

        return decorate


def _sentences(problem: Any) -> list[str]:
    """The sentences of one field's problems, which for a list are nested by position."""
    if isinstance(problem, dict):
        return [sentence for inner in problem.values() for sentence in _sentences(inner)]
    return list(problem)
