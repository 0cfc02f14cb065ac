"""The one place where what went wrong becomes an answer: JSON always, but HTML on a page for people."""

import logging
from http import HTTPStatus

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from auditsvc.errors import (
    AuditsvcError,
    ConflictError,
    FetchError,
    ForbiddenError,
    InputError,
    NotFoundError,
    RequestError,
    StoreError,
    TooLargeError,
    TooManyError,
    TooSlowError,
    UnauthorizedError,
)
from auditsvc.web.access import challenge
from auditsvc.web.pages import blueprint as pages

log = logging.getLogger(__name__)

# The first that fits; whatever else auditsvc raises on purpose is a 500.
_STATUSES: dict[type[AuditsvcError], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooSlowError: HTTPStatus.REQUEST_TIMEOUT,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    TooManyError: HTTPStatus.TOO_MANY_REQUESTS,
    RequestError: HTTPStatus.BAD_REQUEST,
    InputError: HTTPStatus.BAD_REQUEST,
    FetchError: HTTPStatus.BAD_GATEWAY,
    StoreError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def register_error_handlers(app: Flask) -> None:
    """Makes every error of the app an answer. What is unexpected is logged by Flask, with its traceback."""
    app.register_error_handler(AuditsvcError, _answer_own)
    app.register_error_handler(HTTPException, _answer_http)


def _answer_own(error: AuditsvcError) -> Response:
    status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None)
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s %s: %s", request.method, request.path, error)
    answer = _answer(status or HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    match error:
        case UnauthorizedError():
            answer.headers["WWW-Authenticate"] = challenge()
        case TooManyError():
            answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _answer_http(error: HTTPException) -> Response:
    answer = _answer(error.code or HTTPStatus.INTERNAL_SERVER_ERROR, _message(error))
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    answer.headers.update(headers)  # such as Allow
    return answer


def _answer(status: int, message: str) -> Response:
    if request.blueprint == pages.name:
        return make_response(
            render_template("error.html", status=HTTPStatus(status), message=message), status
        )
    return make_response(jsonify(code=int(status), data=None, message=message), status)


def _message(error: HTTPException) -> str:
    match error:
        case NotFound():
            return f"nothing at {request.path} (GET /docs lists what there is)"
        case MethodNotAllowed():
            known = ", ".join(sorted(error.valid_methods or ()))
            return f"{request.path} knows no {request.method}, only {known}"
        case RequestEntityTooLarge():
            return f"body: larger than {request.max_content_length} bytes, or of too many parts"
        case InternalServerError():
            return "an internal error, which is a bug in auditsvc: the server's log has the traceback"
    return error.description or error.name
