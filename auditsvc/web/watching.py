"""Each request counted and logged, under an id that its answer names too."""

import logging
import re
import time
import uuid
from typing import cast

from flask import Flask, Response, current_app, g, request
from werkzeug.local import LocalProxy

from auditsvc.service import Service
from auditsvc.service.log_fields import add_log_fields, reset_log_fields
from auditsvc.service.metrics import Metrics

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"

_EXTENSION = "auditsvc-metrics"
_VALID_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})

# Asked for every few seconds by machines, or beside every page: well answered, they are no news.
_QUIET = frozenset({"system.check_health", "system.check_readiness", "system.get_metrics", "static"})

metrics = cast(Metrics, LocalProxy(lambda: current_app.extensions[_EXTENSION]))
"""The metrics of the app that handles the request."""


def watch_requests(app: Flask) -> None:
    """Watches the requests of an app; to be called before anything is registered that may answer one."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def count_for(app: Flask, service: Service) -> None:
    """Counts what the app and its service do from here on."""
    app.extensions[_EXTENSION] = Metrics(service)


def _begin() -> None:
    given = request.headers.get(REQUEST_ID, "")
    g.began = time.perf_counter()
    g.request_id = given if _VALID_ID.fullmatch(given) else uuid.uuid4().hex
    g.added = add_log_fields(request_id=g.request_id)


def _end(response: Response) -> Response:
    seconds, status = time.perf_counter() - g.began, response.status_code
    # Names of our own, for what a client makes up would be a series each.
    method = request.method if request.method in _METHODS else "other"
    route = request.endpoint or "none"
    metrics.answered(method, route, status, seconds)
    told = {"method": method, "route": route, "status": status, "duration": round(seconds, 6)}
    log.log(_level(route, status), "request", extra=told)
    response.headers[REQUEST_ID] = g.request_id
    return response


def _forget(_error: BaseException | None) -> None:
    if "added" in g:  # a context that was only pushed handled no request
        reset_log_fields(g.added)


def _level(route: str, status: int) -> int:
    if status >= 500:
        return logging.ERROR
    return logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
