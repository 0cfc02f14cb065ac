"""The resource that an operation belongs to, the life of its objects, and where Kubernetes documents it."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from auditsvc.core.releases import parse_release
from auditsvc.core.swagger import Operation, segments

_REFERENCE = "https://kubernetes.io/docs/reference/generated/kubernetes-api"
_OWN_GROUP = re.compile(r"[a-z]*|([a-z]+|rbac\.authorization|[a-z]+\.apiserver)\.k8s\.io")
_COLLECTION = {"POST": "create", "GET": "list", "DELETE": "deletecollection"}
_OBJECT = {"GET": "read", "PATCH": "patch", "PUT": "replace", "DELETE": "delete"}
_SUBRESOURCE = {**_OBJECT, "POST": "create"}
_ORDER = ("create", "read", "patch", "replace", "", "list", "watch", "delete", "deletecollection")
"""Of an object's life; subresources, status first, are the empty word."""


class Resource(msgspec.Struct, frozen=True, order=True):
    """A resource of an API group and version: ``/apis/apps/v1`` and ``deployments``."""

    prefix: str
    name: str


class Step(msgspec.Struct, frozen=True):
    """A step of an object's life, in words, and the operation that takes it."""

    word: str
    operation: Operation


def resource_of(operation: Operation) -> Resource | None:
    """What the operation is of; None for what is of no resource, such as discovery."""
    if operation.resource is None:
        return None
    parts = segments(operation.path)
    return Resource("/" + "/".join(parts[: 2 if parts[0] == "api" else 3]), operation.resource)


def lifecycle(resource: Resource, operations: Iterable[Operation], also: Iterable[str] = ()) -> list[Step]:
    """The steps of a resource's life that its operations allow, in the order in which a test takes them.

    The deprecated ``/watch/`` operations are none: a watch is a list with ``watch=true``. Of the subresources
    status is one of them, and others are where their operations are named in ``also``.
    """
    own = [one for one in operations if not one.deprecated and resource_of(one) == resource]
    namespaced = any("{namespace}" in one.path for one in own)
    wanted = set(also)
    steps = []
    for one in own:
        rest = _below(resource, one)
        if (len(rest) < 2 and one.method in _SUBRESOURCE) or rest[1:] == ["status"] or one.id in wanted:
            steps.append(Step(_word(one, rest, namespaced=namespaced), one))
    steps += [Step(step.word.replace("list", "watch", 1), step.operation) for step in steps if _is_list(step)]
    return sorted(steps, key=_place)


def reference_urls(version: str, operations: Mapping[str, Operation]) -> dict[str, str]:
    """By operation where Kubernetes documents it in the API reference of a release.

    The anchor of a resource is its kind, version and group; that of an operation on its own is not of one
    form. Subresources are documented with their resource. What Kubernetes does not serve itself is not
    there: a group with another domain, or a project's of its own such as ``gateway.networking.k8s.io``.
    """
    major, minor = parse_release(version)
    page = f"{_REFERENCE}/v{major}.{minor}/"
    kinds = _kinds(operations.values())
    found = {}
    for one in operations.values():
        parts = segments(one.path)
        group = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
        if _OWN_GROUP.fullmatch(group):
            found[one.id] = page + _anchor(parts, group or "core", kinds.get(resource_of(one)))
    return found


def _kinds(operations: Iterable[Operation]) -> dict[Resource | None, str]:
    """By resource the kind of its objects."""
    kinds: dict[Resource | None, str] = {}
    for one in operations:
        resource = resource_of(one)
        if resource is not None and one.kind and len(_below(resource, one)) < 2:
            kinds[resource] = one.kind
    return kinds


def _anchor(parts: Sequence[str], group: str, kind: str | None) -> str:
    if kind is not None:
        version = parts[1] if parts[0] == "api" else parts[2]
        return f"#{kind.lower()}-{version}-{group.replace('.', '-')}"
    return "#api-groups" if parts[0] in ("api", "apis") else ""


def _below(resource: Resource, operation: Operation) -> list[str]:
    """What follows the resource's name in the operation's path."""
    path = operation.path.removeprefix(resource.prefix)
    path = path.removeprefix("/watch").removeprefix("/namespaces/{namespace}")
    return segments(path)[1:]


def _word(operation: Operation, rest: Sequence[str], *, namespaced: bool) -> str:
    match rest:
        case []:
            word = _COLLECTION.get(operation.method, operation.method)
            everywhere = namespaced and word == "list" and "{namespace}" not in operation.path
            return "list in all namespaces" if everywhere else word
        case [_]:
            return _OBJECT.get(operation.method, operation.method)
    word = operation.method if operation.action == "connect" else _SUBRESOURCE.get(operation.method, "")
    return f"{word} {'/'.join(rest[1:])}"


def _is_list(step: Step) -> bool:
    return step.word.startswith("list")


def _place(step: Step) -> tuple[int, bool, str, int, str]:
    word, _, more = step.word.partition(" ")
    is_subresource = bool(more) and word not in ("list", "watch")
    at = _ORDER.index("" if is_subresource or word not in _ORDER else word)
    verbs = list(_OBJECT.values())
    order = verbs.index(word) if word in verbs else len(verbs)
    return at, is_subresource and more != "status", more, order, step.operation.id
