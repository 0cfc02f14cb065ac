"""Audit event -> operation, exactly: a tree over path segments, literal before parameter, with backtracking.

The path picks the endpoint and the verb only the method. Nothing is decided by what a name looks like:
a namespace called ``pods``, ``proxy`` or ``status`` is a name.
"""

import re
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from auditsvc.core.swagger import Operation, Swagger, segments

METHOD_OF_VERB = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "post": "POST",
    "update": "PUT",
    "put": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
    "options": "OPTIONS",
    "": "OPTIONS",
    "head": "HEAD",
}
"""The API server's verbs (and, for URLs that are no resource, lower-case methods) as methods.

Methods that the server does not know are logged with an empty verb, as OPTIONS is. A HEAD on a resource
is logged as ``get`` or ``list`` and so counts as GET; ``head`` is what it is on other URLs.
"""

_VERBS_OF_METHOD = {
    wanted: [verb for verb, method in METHOD_OF_VERB.items() if method == wanted]
    for wanted in set(METHOD_OF_VERB.values())
}

REST_OF_PATH = frozenset({"{path}", "{logpath}"})

# Keys of a tree node that no segment can equal, for a segment holds no slash.
_PARAMETER = "/{}"
_REST = "/*"
_HERE = "/"

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")

_Node = dict[str, Any]


class Unmapped(StrEnum):
    """Why a request is no operation of the swagger."""

    CUSTOM_RESOURCE = "custom-resource"
    UNKNOWN_RESOURCE = "unknown-resource"
    METHOD = "method"
    NON_API = "non-api"
    MALFORMED = "malformed"


class Endpoint(dict[str, Operation | Unmapped]):
    """What is at one path: by verb the operation; Unmapped.METHOD for any verb that it has not."""

    __slots__ = ()

    def __missing__(self, verb: str) -> Unmapped:
        return Unmapped.METHOD


class _Nowhere(Endpoint):
    """What is at a path that no template matches: the same reason for every verb."""

    __slots__ = ("_reason",)

    def __init__(self, reason: Unmapped) -> None:
        super().__init__()
        self._reason = reason

    def __missing__(self, verb: str) -> Unmapped:
        return self._reason


_NOWHERE = {reason: _Nowhere(reason) for reason in Unmapped}


class OperationMapper:
    """Finds the operation of a request in one swagger. Immutable once made, and without a cache.

    Nearly all paths have one of few shapes, whose endpoints are known by their literal segments:
    ``/api/v1/pods``, ``…/pods/{name}``, ``…/pods/{name}/status``, and the same below a namespace. They are
    looked up first; all others are searched for in the tree. Both find the same.
    """

    def __init__(self, swagger: Swagger) -> None:
        self._groups = swagger.groups
        self._root: _Node = {}
        for operation in swagger.operations.values():
            _add(self._root, operation)
        _open_rests(self._root)
        self._shapes = _Shapes()
        self._namespaced: dict[str, _Shapes] = {}
        self._add_shapes(self._root, "")

    def map(self, verb: str, uri: str) -> Operation | Unmapped:
        """The operation that a request with this audit verb and request URI is, or why it is none."""
        return self.endpoint(uri.partition("?")[0] if "?" in uri else uri)[verb]

    def endpoint(self, path: str) -> Endpoint:
        """What is at a path, which is still percent-encoded and has no query."""
        if "%" in path:
            return self._search(path)
        before, _, after = path.partition("/namespaces/")
        try:
            if before not in self._namespaced or "/" not in after:
                return self._shapes.find(path)
            shapes = self._namespaced[before]
            parts = after.split("/")
            match len(parts):
                case 3 if parts[2]:
                    return shapes.named[parts[1]]
                case 2:
                    return shapes.literal[parts[1]]
                case 4:
                    return shapes.below[parts[1], parts[3]]
        except KeyError:
            pass  # to be searched for, as what has none of the shapes
        return self._search(path)

    def _add_shapes(self, node: _Node, path: str) -> None:
        """Adds the shapes that begin with a literal path, which leads to the node."""
        self._shapes.add(node, path)
        for part, below in node.items():
            if part.startswith("/"):
                continue
            self._add_shapes(below, f"{path}/{part}")
            # A literal beside the namespace would have to be looked for first.
            if part == "namespaces" and below.keys() <= {_HERE, _PARAMETER}:
                self._namespaced[path] = _namespaced_shapes(below.get(_PARAMETER, {}))

    def _search(self, path: str) -> Endpoint:
        """The endpoint of any path, by the tree."""
        decoded = _decoded(path) if "%" in path else path
        if decoded is None:
            return _NOWHERE[Unmapped.MALFORMED]
        parts = decoded.rstrip("/").split("/")
        # The empty text before a path's first slash leads to the root.
        start: _Node = {"": self._root}
        return _walk(start, parts) or _first_match(start, parts) or _NOWHERE[self._reason(parts)]

    def _reason(self, parts: list[str]) -> Unmapped:
        match parts:
            case [start, *rest] if start or "" in rest:
                return Unmapped.MALFORMED
            case [_, "apis", group, *_] if group not in self._groups:
                return Unmapped.CUSTOM_RESOURCE
            case [_, "api" | "apis", *_]:
                return Unmapped.UNKNOWN_RESOURCE
        return Unmapped.NON_API


def _decoded(path: str) -> str | None:
    """A percent-encoded path decoded, None where an escape is none."""
    return None if _BAD_ESCAPE.search(path) else unquote(path)


def _add(root: _Node, operation: Operation) -> None:
    """Puts an operation where its path ends, under every verb that its method is logged with."""
    node = root
    for part in segments(operation.path):
        if part in REST_OF_PATH:
            node = node.setdefault(_REST, {})
            node[_PARAMETER] = node
        else:
            node = node.setdefault(_PARAMETER if part.startswith("{") else part, {})
    verbs = _VERBS_OF_METHOD[operation.method]
    node.setdefault(_HERE, Endpoint()).update(dict.fromkeys(verbs, operation))


def _open_rests(node: _Node) -> None:
    """Lets the walk enter a rest of path as it would a parameter, where there is none beside it."""
    for part, below in list(node.items()):
        if part == _REST:
            node.setdefault(_PARAMETER, below)
        elif part != _HERE:
            _open_rests(below)


class _Shapes:
    """Endpoints by the literal segments of their paths: of all, of those before a name, of those around one.

    What is found is the first match: a path that goes on with literals for longer is looked up first.
    """

    def __init__(self) -> None:
        self.literal: dict[str, Endpoint] = {}
        self.named: dict[str, Endpoint] = {}
        self.below: dict[tuple[str, str], Endpoint] = {}

    def add(self, node: _Node, path: str) -> None:
        """Adds what is at a literal path, which leads to the node, and at a name below it."""
        if _HERE in node:
            self.literal[path] = self.literal[f"{path}/"] = node[_HERE]
        named = node.get(_PARAMETER, {})
        for name in (node.get(_REST, {}), named):  # a parameter goes before a rest of the path
            if _HERE in name:
                self.named[path] = name[_HERE]
        for part, below in named.items():
            if not part.startswith("/") and _HERE in below:
                self.below[path, part] = below[_HERE]

    def find(self, path: str) -> Endpoint:
        """The endpoint of a path that has one of the shapes; KeyError where it has none."""
        if path in self.literal:
            return self.literal[path]
        before, slash, last = path.rpartition("/")
        if before in self.named and slash and last:
            return self.named[before]
        before, slash, _ = before.rpartition("/")
        if slash:
            return self.below[before, last]
        raise KeyError(path)


def _namespaced_shapes(node: _Node) -> _Shapes:
    """The shapes below a namespace, by the resource, where no other literal stands beside a name."""
    shapes = _Shapes()
    for part, below in node.items():
        if not part.startswith("/") and below.keys() <= {_HERE, _PARAMETER}:
            shapes.add(below, part)
    return shapes


def _walk(node: _Node, parts: list[str]) -> Endpoint | None:
    """Where always taking the literal leads: if anywhere, then to the first match."""
    for part in parts:
        if part in node:
            node = node[part]
        elif _PARAMETER in node:
            node = node[_PARAMETER]
        else:
            return None
    found: Endpoint | None = node.get(_HERE)
    return found


def _first_match(root: _Node, parts: list[str]) -> Endpoint | None:
    """What is at the first match in the order literal, parameter, rest of the path."""
    paths = [(root, 0)]
    while paths:
        node, depth = paths.pop()
        if depth < len(parts):
            # The last one put on the stack is the first one taken off it.
            below = (node.get(key) for key in (_REST, _PARAMETER, parts[depth]))
            paths += [(child, depth + 1) for child in below if child is not None]
        elif _HERE in node:
            endpoint: Endpoint = node[_HERE]
            return endpoint
    return None
