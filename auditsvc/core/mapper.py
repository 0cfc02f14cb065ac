"""Audit event -> operation, exactly: a tree over path segments, literal before parameter, with backtracking.

The path picks the endpoint and the verb only the method. Nothing is decided by what a name looks like:
a namespace called ``pods``, ``proxy`` or ``status`` is a name.
"""

import re
from collections.abc import Iterator
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


class Endpoint(dict[str, str | Unmapped]):
    """What is at one path: by verb the operation's id; Unmapped.METHOD for any verb that it has not."""

    def __missing__(self, verb: str) -> Unmapped:
        return Unmapped.METHOD


class _Nowhere(Endpoint):
    """What is at a path that no template matches: the same reason for every verb."""

    def __init__(self, reason: Unmapped) -> None:
        super().__init__()
        self._reason = reason

    def __missing__(self, verb: str) -> Unmapped:
        return self._reason


_NOWHERE = {reason: _Nowhere(reason) for reason in Unmapped}


class OperationMapper:
    """Finds the operation of a request in one swagger. Immutable once made, and without a cache."""

    def __init__(self, swagger: Swagger) -> None:
        self._operations = swagger.operations
        self._groups = swagger.groups
        self._root: _Node = {}
        for operation in swagger.operations.values():
            _add(self._root, operation)
        _open_rests(self._root)
        # The empty text before a path's first slash leads to the root.
        self._start: _Node = {"": self._root}
        self._below_namespaces = dict(_below_namespaces(self._root, ""))

    def map(self, verb: str, uri: str) -> Operation | Unmapped:
        """The operation that a request with this audit verb and request URI is, or why it is none."""
        found = self.endpoint(uri.partition("?")[0])[verb]
        return found if isinstance(found, Unmapped) else self._operations[found]

    def endpoint(self, path: str) -> Endpoint:
        """What is at a path, which is still percent-encoded and has no query."""
        if "%" in path:
            if _BAD_ESCAPE.search(path):
                return _NOWHERE[Unmapped.MALFORMED]
            path = unquote(path)
        path = path.rstrip("/")
        # Most paths name a namespace: what stands before it is one of few texts, so one look-up
        # leads where a walk over its segments would.
        before, _, after = path.partition("/namespaces/")
        node: _Node | None = self._below_namespaces.get(before) if after else None
        if node is None:
            node, after = self._start, path
        # A walk that always takes the literal is, where it arrives, the first match of a search.
        for part in after.split("/"):
            if part in node:
                node = node[part]
            elif (node := node.get(_PARAMETER)) is None:
                return self._search(path)
        found: Endpoint | None = node.get(_HERE)
        return self._search(path) if found is None else found

    def _search(self, path: str) -> Endpoint:
        parts = path.split("/")
        return _first_match(self._start, parts) or _NOWHERE[self._reason(parts)]

    def _reason(self, parts: list[str]) -> Unmapped:
        match parts:
            case [start, *rest] if start or "" in rest:
                return Unmapped.MALFORMED
            case [_, "apis", group, *_] if group not in self._groups:
                return Unmapped.CUSTOM_RESOURCE
            case [_, "api" | "apis", *_]:
                return Unmapped.UNKNOWN_RESOURCE
        return Unmapped.NON_API


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
    node.setdefault(_HERE, Endpoint()).update(dict.fromkeys(verbs, operation.id))


def _open_rests(node: _Node) -> None:
    """Lets the walk enter a rest of path as it would a parameter, where there is none beside it."""
    for part, below in list(node.items()):
        if part == _REST:
            node.setdefault(_PARAMETER, below)
        elif part != _HERE:
            _open_rests(below)


def _below_namespaces(node: _Node, path: str) -> Iterator[tuple[str, _Node]]:
    """The nodes right below a literal ``namespaces``, by the literal path before it."""
    for part, below in node.items():
        if part == "namespaces":
            yield path, below
        elif not part.startswith("/"):
            yield from _below_namespaces(below, f"{path}/{part}")


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
