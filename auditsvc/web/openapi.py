"""The description of the API, made from the routes, the schemas and the registered audits."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import yaml
from apispec import APISpec

from auditsvc import __version__
from auditsvc.audits import AuditType, audit_types
from auditsvc.core.results import AuditResult, AuditSet, MissingValue, Status, render_result, render_set
from auditsvc.core.window import Window
from auditsvc.schemas import ErrorSchema
from auditsvc.store.tokens import Role
from auditsvc.web.access import READING, needed_role

_DESCRIPTION = """\
auditsvc keeps a Kubernetes API's promises honest. It reads audit logs, swagger documents and the community's
endpoint lists, and runs typed audits over them: invariants that must hold whatever else changes.

Every answer is an envelope `{"code": 200, "data": …}`. An error has the same HTTP status and
`{"code": 4xx, "data": null, "message": "…"}`, whose message names the parameter. Unknown parameters are
refused. Lists are paged with `limit` and `offset`, and say their `total`. Times are RFC 3339, in answers in
UTC.

A server with tokens wants one of them as `Authorization: Bearer <token>`: a `reader`'s to read, a `writer`'s
for whatever changes something, an `admin`'s for the tokens themselves. What a call needs stands with it.
Without any token, a server that only its own machine can reach asks for none. Browsers may send the token as
the password of HTTP Basic, with any user name, to read.

Audits are served at `/audit` and, the same, at `/model/etl/audit`, where Kubecost had them.
"""
_SERVERS = [{"url": "/", "description": "This server"}]
_AUDIT_SERVERS = [*_SERVERS, {"url": "/model/etl", "description": "Where Kubecost's Audit API was"}]

_ERRORS = {
    "BAD_REQUEST": (400, "A parameter or the body is not what it should be", "illegal window: fortnight"),
    "UNAUTHORIZED": (401, "A token is needed, or the one shown does not hold", "no such token"),
    "FORBIDDEN": (
        403,
        "The token does not allow it",
        "this needs a token of the role writer, and 4f1d2c3b9a80 is a reader's",
    ),
    "TOO_SLOW": (408, "The body took too long", "body: did not arrive within 1800 s (max_upload_time)"),
    "TOO_MANY": (
        429,
        "More requests than `rate_limit` allows; `Retry-After` says when to try again",
        "more than 600 writing requests a minute (rate_limit): try again in 3 s",
    ),
    "NOT_FOUND": (404, "What was named is not there", "unknown run: pull-1 (GET /runs lists them)"),
    "TOO_LARGE": (
        413,
        "The body is over a limit",
        "body: larger than 2147483648 bytes, or of too many parts",
    ),
    "SERVICE_UNAVAILABLE": (503, "The store cannot be used", "auditsvc.db cannot grow: the disk is full"),
    "DEFAULT_ERROR": (500, "Any other error", "an internal error, which is a bug in auditsvc"),
}

_BEARER = "bearer"
_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `auditsvc token create` or `POST /tokens`",
}

_REFUSALS = {"401": "UNAUTHORIZED", "403": "FORBIDDEN", "408": "TOO_SLOW", "429": "TOO_MANY"}

_EXAMPLE = AuditSet(
    Window.day(date(2026, 1, 31)),
    {
        "operationEquality": render_result(
            AuditResult(
                datetime(2026, 1, 31, 12, tzinfo=UTC),
                ("Runs",),
                checked=2,
                missing=(
                    MissingValue(
                        "createCoreV1NamespacedPodEviction",
                        "in pull run pull-1b4f0e985197, not in CI baseline ci-c0d4f0e98519",
                    ),
                ),
            )
        ).encode(),
        "swaggerTotal": None,
    },
)
_CODE = {"type": "integer", "description": "The HTTP status", "examples": [200]}
_TIME = {"type": "string", "format": "date-time"}


def spec_options() -> dict[str, Any]:
    """What apispec is told of the API as a whole."""
    return {
        "title": "auditsvc",
        "version": __version__,
        "openapi_version": "3.1.0",
        "info": {
            "summary": "Typed audits over a Kubernetes API",
            "description": _DESCRIPTION,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": _SERVERS,
    }


def describe_components(spec: APISpec) -> None:
    """Adds what no marshmallow schema describes: the AuditSets, made from the registry, and the errors."""
    spec.components.security_scheme(_BEARER, _SCHEME)
    spec.components.schema(
        "MissingValue", _object({"Description": {"type": "string"}, "Key": {"type": "string"}})
    )
    for known in audit_types():
        spec.components.schema(_result_name(known), _result_schema(known))
    spec.components.schema("AuditSet", _set_schema(audit_types()))
    sets = {"type": "array", "items": _reference("AuditSet")}
    window = "[2026-01-30T00:00:00+0000, 2026-02-01T00:00:00+0000)"
    message = {"type": "string", "examples": [f"Running audit over window: {window} for all audit types"]}
    answer = {"code": 200, "data": [json.loads(render_set(_EXAMPLE))]}
    spec.components.schema("AuditSets", {**_envelope(sets), "examples": [answer]})
    spec.components.schema("AuditStarted", _envelope({"oneOf": [message, sets]}))
    for name, (code, description, example) in _ERRORS.items():
        body = {"schema": ErrorSchema, "example": {"code": code, "data": None, "message": example}}
        answer = {"description": description, "content": {"application/json": body}}
        # What the guard answers is named by no view, and is added to them when the document is read.
        spec.components.response(name, answer, lazy=name not in _REFUSALS.values())


def read_spec(spec: APISpec) -> dict[str, Any]:
    """The document, in an order that does not change and that is good to read."""
    document = json.loads(json.dumps(spec.to_dict()))
    for path, item in document["paths"].items():
        document["paths"][path] = {name: _ordered(_guarded(name, part)) for name, part in item.items()}
        if path.startswith("/audit"):
            document["paths"][path]["servers"] = _AUDIT_SERVERS
    document["components"] = {
        kind: dict(sorted(named.items())) for kind, named in document["components"].items()
    }
    document["info"] = _pick(document["info"], "title", "version", "summary", "description", "license")
    return _pick(document, "openapi", "info", "servers", "tags", "paths", "components")


def write_yaml(document: dict[str, Any]) -> str:
    """The document as YAML."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes everything out where it belongs, and texts of several lines as such."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)


def _guarded(method: str, part: Any) -> Any:
    """An operation with who may call it, and what it answers to others; other parts of a path as they are."""
    if "responses" not in part:
        return part
    role = needed_role(f"{part['tags'][0]}.{part['operationId']}", method.upper())
    if role is None:
        return part
    limited = {"408": "requestBody" in part, "429": method.upper() not in READING}
    answers = {
        status: {"$ref": f"#/components/responses/{name}"}
        for status, name in _REFUSALS.items()
        if limited.get(status, True)
    }
    security: list[dict[str, list[str]]] = [{_BEARER: [role.value]}]
    if role is not Role.ADMIN:
        security.append({})  # a server without tokens asks for none, but never lets just anybody make them
    return {**part, "security": security, "responses": {**answers, **part["responses"]}}


def _ordered(part: Any) -> Any:
    """An operation from its name to its responses, those in the order of their status; others as they are."""
    if "responses" not in part:
        return part
    part["responses"] = dict(sorted(part["responses"].items()))
    return _pick(
        part,
        *("operationId", "summary", "description", "tags", "security"),
        *("parameters", "requestBody", "responses"),
    )


def _pick(node: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: node[name] for name in names if node.get(name)}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Mapping[str, Any], *, required: Iterable[str] | None = None) -> dict[str, Any]:
    names = list(properties if required is None else required)
    return {"type": "object", "properties": dict(properties), "required": names}


def _envelope(data: Mapping[str, Any]) -> dict[str, Any]:
    return _object({"code": _CODE, "data": data})


def _result_name(known: AuditType) -> str:
    return f"{known.name}Result"


def _result_schema(known: AuditType) -> dict[str, Any]:
    """The JSON of :func:`auditsvc.core.results.render_result` for one type."""
    found = {"type": "object", "description": "The values that differ, by path: `{Expected, Actual}`"}
    members = {
        "Status": {"type": "string", "enum": [status.value for status in Status]},
        "Description": {"type": "string"},
        "LastRun": _TIME,
        **dict.fromkeys(known.maps, found),
        "MissingValues": {"type": ["array", "null"], "items": _reference("MissingValue")},
        "Checked": {"type": "integer", "minimum": 0, "description": "Comparisons made"},
    }
    tolerance = {"Tolerance": {"type": "object", "description": "What was allowed, by name"}}
    optional = tolerance if "costs" in known.sources else {}
    return {"description": known.description, **_object({**members, **optional}, required=members)}


def _set_schema(types: Iterable[AuditType]) -> dict[str, Any]:
    """The JSON of :func:`auditsvc.core.results.render_set`."""
    results = {known.key: {"anyOf": [_reference(_result_name(known)), {"type": "null"}]} for known in types}
    window = _object({"start": _TIME, "end": _TIME})
    return {
        "description": "The newest result of each audit in a window, null where it never ran",
        **_object({**results, "window": window}, required=["window"]),
    }
