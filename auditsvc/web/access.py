"""Who may call what: the one map of it, and the guard before every request.

Programs send a token as ``Authorization: Bearer``. A browser has no place for it, so it may send it as the
password of HTTP Basic, for which browsers ask by themselves; but only to read, because a browser sends that
along with whatever another site's page makes it do. There are no cookies and no sessions.

Where no token is asked for, being on this machine is what lets in, and a browser is: a page of a site whose
name its owner lets lead to 127.0.0.1 would be this server's own to it. So the name is looked at, too.
"""

from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request

from auditsvc.errors import ForbiddenError, UnauthorizedError
from auditsvc.store.tokens import Role
from auditsvc.web.blueprint import service

READING = frozenset({"GET", "HEAD", "OPTIONS"})

_ALWAYS_OPEN = frozenset({"system.check_health", "system.check_readiness", "static"})
"""Probes have no token, and a page that asks for one has a style."""

_ADMINISTRATIVE = frozenset({"tokens"})
"""Blueprints that need an admin, even to read."""


_ANY_NAME = "AUDITSVC_ANY_NAME"


def needed_role(endpoint: str | None, method: str) -> Role | None:
    """The role that a call needs, None where it is open to everybody.

    By Flask's name of the route, ``runs.get_run``, or None where there is no such route: it is not told what
    there is to those who may not read it.
    """
    if endpoint in _ALWAYS_OPEN:
        return None
    if endpoint is not None and endpoint.partition(".")[0] in _ADMINISTRATIVE:
        return Role.ADMIN
    return Role.READER if method in READING else Role.WRITER


def guard(app: Flask) -> None:
    """Lets nobody in who may not, whatever the route; to be called before anything else is registered."""
    app.config[_ANY_NAME] = False
    app.before_request(_admit)
    app.after_request(_keep_from_caches)


def allow_any_name(app: Flask) -> None:
    """Lets clients call the server by any name although it asks for no token."""
    app.config[_ANY_NAME] = True


def challenge() -> str:
    """How a client may say who it is: a browser then asks for a user name, which is any, and a password."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return 'Basic realm="auditsvc: a token is the password", charset="UTF-8"'
    return 'Bearer realm="auditsvc"'


def _admit() -> None:
    role = needed_role(request.endpoint, request.method)
    if role is None:
        return
    _refuse_other_sites()
    g.token = service.access.admit(_shown_token(), role)
    if g.token is None and not (role is Role.READER and service.config.public_reads):
        _refuse_other_names()
    if request.method not in READING:  # these count logs and run audits
        service.access.take_turn(g.token or f"address {request.remote_addr}")


def _shown_token() -> str | None:
    """The token that the request shows. Raises UnauthorizedError for one that is shown in a wrong way."""
    shown = request.authorization
    if shown is None:
        return None
    if shown.type == "bearer":
        return shown.token
    if shown.type == "basic" and request.method in READING:
        return shown.password
    to_write = "to write, " if shown.type == "basic" else ""
    raise UnauthorizedError(f"{to_write}send the token as `Authorization: Bearer <token>`")


def _refuse_other_sites() -> None:
    """ForbiddenError where another site's page makes a browser write here, which may be open to this machine.

    Browsers tell by Sec-Fetch-Site, older ones by Origin; a client that sends neither is no browser.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = site in ("same-origin", "none") if site else not origin or urlsplit(origin).netloc == request.host
    if request.method not in READING and not own:
        raise ForbiddenError("a page of another site may not write here")


def _refuse_other_names() -> None:
    """ForbiddenError where the server is called by a name that another may have made lead here.

    An address leads to nobody else, and localhost to this machine by RFC 6761.
    """
    if not current_app.config[_ANY_NAME] and not _is_own_name(request.host):
        host = request.headers.get("Host", "missing")
        raise ForbiddenError(
            f"Host: {host}: without a token the server is called localhost or by its address; "
            "make a token (auditsvc token create), or start it with --insecure"
        )


def _is_own_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or name.endswith(".localhost") or bool(ip_address(name))
    except ValueError:
        return False


def _keep_from_caches(response: Response) -> Response:
    """Whatever was answered to somebody with a token is for them alone."""
    if cast(Any, g).get("token"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
