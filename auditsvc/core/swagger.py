"""A swagger document turned into the catalogue of its operations.

Read are Swagger 2.0 (Kubernetes' ``swagger.json``, a cluster's ``/openapi/v2``) and OpenAPI 3 JSON
(``/openapi/v3/…``). The rules for ``level``, ``deprecated`` and ``category`` are the Kubernetes
community's (APISnoop, test-infra), less two of their mistakes; see :func:`_with_discovery_levels`.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property

import msgspec
from msgspec.structs import replace

from auditsvc.errors import ParseError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


class Level(StrEnum):
    """How much of a promise an operation is."""

    STABLE = "stable"
    BETA = "beta"
    ALPHA = "alpha"


class Operation(msgspec.Struct, frozen=True):
    """One (path, method) of the API, named by its ``operationId``; what the document lacks is None.

    ``group`` is ``""`` for the core group. ``resource`` is the last literal segment of the path before a
    subresource.
    """

    id: str
    method: str
    path: str
    level: Level
    deprecated: bool
    category: str | None = None
    group: str | None = None
    version: str | None = None
    kind: str | None = None
    action: str | None = None
    resource: str | None = None
    description: str = ""

    @property
    def observable(self) -> bool:
        """Whether an audit log can tell its requests: the API server logs a HEAD as a get or a list."""
        return self.method != "HEAD"


class Swagger(msgspec.Struct, frozen=True, dict=True):
    """The operations of one document by id, and the ids that it gives to more than one (path, method).

    ``version`` is the document's own (``v1.20.2``), None where it names none (``unversioned``).
    """

    version: str | None
    operations: Mapping[str, Operation]
    duplicates: tuple[Operation, ...] = ()

    def __contains__(self, operation_id: object) -> bool:
        return operation_id in self.operations

    def get(self, operation_id: str) -> Operation | None:
        """The operation of that id, or None."""
        return self.operations.get(operation_id)

    @cached_property
    def groups(self) -> frozenset[str]:
        """The named API groups that the document's paths serve (the core group has no name)."""
        split = (segments(operation.path) for operation in self.operations.values())
        return frozenset(parts[1] for parts in split if parts[0] == "apis" and len(parts) > 1)


class _GroupVersionKind(msgspec.Struct):
    group: str | None = None
    version: str | None = None
    kind: str | None = None


class _Operation(msgspec.Struct):
    id: str | None = msgspec.field(default=None, name="operationId")
    description: str = ""
    tags: list[str] = []
    gvk: _GroupVersionKind = msgspec.field(
        default_factory=_GroupVersionKind, name="x-kubernetes-group-version-kind"
    )
    action: str | None = msgspec.field(default=None, name="x-kubernetes-action")


class _PathItem(msgspec.Struct):
    get: _Operation | None = None
    put: _Operation | None = None
    post: _Operation | None = None
    delete: _Operation | None = None
    options: _Operation | None = None
    head: _Operation | None = None
    patch: _Operation | None = None


class _Info(msgspec.Struct):
    version: str = ""


class _Document(msgspec.Struct):
    paths: dict[str, _PathItem]
    swagger: str = ""
    openapi: str = ""
    info: _Info = msgspec.field(default_factory=_Info)


# A cloud provider's server may call itself 1.30+; the bounds keep int() from refusing endless digits.
_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\+?(?:\..*)?")
_NOT_ONE = "not a Swagger 2.0 or OpenAPI 3 JSON document"
_decoder = msgspec.json.Decoder(_Document)


def parse_swagger(document: bytes) -> Swagger:
    """The catalogue of a Swagger 2.0 or OpenAPI 3 JSON document.

    Raises ParseError with the byte or the JSON path where the document is not one, and where it
    describes no operation at all.
    """
    try:
        decoded = _decoder.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseError(f"{_NOT_ONE}: {error}") from error
    if decoded.swagger != "2.0" and not decoded.openapi.startswith("3."):
        raise ParseError(f'{_NOT_ONE}: at `$`: neither "swagger": "2.0" nor "openapi": "3.…"')
    operations: dict[str, Operation] = {}
    duplicates = []
    for operation in _with_discovery_levels(list(_operations(decoded.paths))):
        if operation.id in operations:
            duplicates.append(operation)
        else:
            operations[operation.id] = operation
    if not operations:
        raise ParseError("a swagger without operations: at `$.paths`: no method has an operationId")
    return Swagger(_named_version(decoded.info.version), operations, tuple(duplicates))


def segments(path: str) -> list[str]:
    """The segments of a path template; leading and trailing slashes make none."""
    return path.strip("/").split("/")


def minor_version(version: str | None) -> tuple[int, int] | None:
    """``v1.20.2`` and ``1.20`` as ``(1, 20)``; None where the text names no such version."""
    match = _VERSION.fullmatch(version or "")
    return (int(match[1]), int(match[2])) if match else None


def _named_version(version: str) -> str | None:
    return version if minor_version(version) else None


def _operations(paths: Mapping[str, _PathItem]) -> Iterator[Operation]:
    for path, item in paths.items():
        version, rest = _after_version(path)
        level, resource = _level(version or ""), _resource(rest)
        for method in METHODS:
            found: _Operation | None = getattr(item, method)
            if found is not None and found.id:
                yield Operation(
                    id=found.id,
                    method=method.upper(),
                    path=path,
                    level=level,
                    deprecated="deprecated" in found.description.lower(),
                    category=found.tags[0].partition("_")[0] if found.tags else None,
                    group=found.gvk.group,
                    version=found.gvk.version,
                    kind=found.gvk.kind,
                    action=found.action,
                    resource=resource,
                    description=found.description,
                )


def _after_version(path: str) -> tuple[str | None, list[str]]:
    """The version segment of a resource path, and what follows it."""
    match segments(path):
        case ["api", version, *rest] | ["apis", _, version, *rest]:
            return version, rest
    return None, []


def _level(version: str) -> Level:
    return next((level for level in (Level.ALPHA, Level.BETA) if level in version), Level.STABLE)


def _resource(after_version: list[str]) -> str | None:
    match after_version:
        case ["watch", *rest] | rest:
            pass
    match rest:
        case ["namespaces", "{namespace}", resource, *_] | [resource, *_]:
            return resource
    return None


def _with_discovery_levels(operations: list[Operation]) -> list[Operation]:
    """Gives ``/apis/<group>/``, whose path names no version, the best level of the versions served.

    APISnoop and test-infra called it stable until August 2026, and their gate broke on every group
    that was alpha only.
    """
    served: dict[str, list[Level]] = defaultdict(list)
    for operation in operations:
        match segments(operation.path):
            case ["apis", group, _, *_]:
                served[group].append(operation.level)
    best = {group: min(levels, key=list(Level).index) for group, levels in served.items()}
    groups = (_discovered_group(operation.path) for operation in operations)
    return [
        replace(operation, level=best[group]) if group in best else operation
        for operation, group in zip(operations, groups, strict=True)
    ]


def _discovered_group(path: str) -> str:
    match segments(path):
        case ["apis", group]:
            return group
    return ""
