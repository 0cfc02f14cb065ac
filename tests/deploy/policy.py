"""A Kubernetes audit policy applied to requests, by the rules of the audit.k8s.io/v1 documentation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a policy sees of a request; one without a ``resource`` is for a URL that is none."""

    path: str
    verb: str = "get"
    user: str = "alice"
    groups: tuple[str, ...] = ("system:authenticated",)
    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""


def find_rule(policy: Mapping[str, Any], request: Request) -> Rule | None:
    """The first rule that matches; without one the request is not logged."""
    return next((rule for rule in policy["rules"] if _matches(rule, request)), None)


def find_level(policy: Mapping[str, Any], request: Request) -> str:
    """The level that a request is logged at, ``None`` where it is not."""
    rule = find_rule(policy, request)
    return "None" if rule is None else str(rule["level"])


def request_of(path: str, method: str, **who: Any) -> Request:
    """The request of an operation, its path's parameters taken as names."""
    parts = path.strip("/").split("/")
    start = {"api": 2, "apis": 3}.get(parts[0], len(parts))
    if len(parts) <= start:
        return Request(path=path, verb=method.lower(), **who)
    verb, rest = _verb(method), parts[start:]
    if rest[0] == "watch":
        verb, rest = "watch", rest[1:]
    namespace = ""
    # namespaces/{name}, and its own status and finalize, are resources of no namespace's.
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    if verb == "get" and len(rest) == 1:
        verb = "list"
    resource, name, subresource, *_ = [*rest, "", "", ""]
    group = parts[1] if parts[0] == "apis" else ""
    return Request(
        path=path,
        verb=verb,
        group=group,
        resource=resource,
        subresource=subresource,
        name=name,
        namespace=namespace,
        **who,
    )


def _verb(method: str) -> str:
    return {"POST": "create", "PUT": "update", "HEAD": "get"}.get(method.upper(), method.lower())


def _matches(rule: Rule, request: Request) -> bool:
    return (
        _names(rule, "users", request.user)
        and _names(rule, "userGroups", *request.groups)
        and _names(rule, "verbs", request.verb)
        and (_is_for_resource(rule, request) if request.resource else _is_for_url(rule, request.path))
    )


def _names(rule: Rule, key: str, *values: str) -> bool:
    """Whether a rule names one of them; one that names none means all."""
    return not rule.get(key) or not set(values).isdisjoint(rule[key])


def _is_for_resource(rule: Rule, request: Request) -> bool:
    return (
        not rule.get("nonResourceURLs")
        and _names(rule, "namespaces", request.namespace)
        and (not rule.get("resources") or _is_among(request, rule["resources"]))
    )


def _is_for_url(rule: Rule, path: str) -> bool:
    if urls := rule.get("nonResourceURLs"):
        return any(path == url or (url.endswith("*") and path.startswith(url[:-1])) for url in urls)
    return not rule.get("resources") and not rule.get("namespaces")


def _is_among(request: Request, resources: Iterable[Mapping[str, Any]]) -> bool:
    whole = "/".join(filter(None, (request.resource, request.subresource)))
    spellings = {whole, "*", f"{request.resource}/*"}
    if request.subresource:
        spellings.add(f"*/{request.subresource}")
    return any(
        served.get("group", "") == request.group
        and (not served.get("resources") or not spellings.isdisjoint(served["resources"]))
        and (not served.get("resourceNames") or request.name in served["resourceNames"])
        for served in resources
    )
