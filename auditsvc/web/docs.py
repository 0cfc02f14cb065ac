"""The description of the API as a page: what the template needs of an OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

Node = Mapping[str, Any]
Row = tuple[str, Node, str, bool]


def read_operations(document: Node, tag: str) -> Iterator[dict[str, Any]]:
    """The operations with that tag, each with its method, path and parameters, its references resolved."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "put", "post", "delete") and tag in operation["tags"]:
                yield {
                    **operation,
                    "method": method.upper(),
                    "path": path,
                    "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())],
                    "responses": {
                        status: resolve(document, response)
                        for status, response in operation["responses"].items()
                    },
                }


def parameter_rows(operation: Node) -> Iterator[Row]:
    """The parameters of an operation: name, schema, description, whether required."""
    for one in operation["parameters"]:
        yield one["name"], one["schema"], one.get("description", ""), one.get("required", False)


def property_rows(schema: Node) -> Iterator[Row]:
    """The members of an object, likewise."""
    for name, member in schema["properties"].items():
        yield name, member, member.get("description", ""), False


def resolve(document: Node, node: Node) -> Node:
    """What a node that may be a reference stands for."""
    reference: str | None = node.get("$ref")
    if reference is None:
        return node
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)


def render_type(schema: Node) -> str:
    """The type of a schema, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(map(render_type, schema[word]))
    kind = schema.get("type", "any")
    kind = kind if isinstance(kind, str) else " or ".join(kind)
    if "items" in schema:
        return f"{kind} of {render_type(schema['items'])}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def choices(schema: Node) -> list[str]:
    """The values that a schema, or that of a list's items, is limited to; none where it is not."""
    return list(schema.get("enum") or schema.get("items", {}).get("enum", ()))


def render_code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    plain, *rest = text.split("`")
    parts = [escape(plain)]
    for number, part in enumerate(rest):
        parts.append(escape(part) if number % 2 else Markup("<code>{}</code>").format(part))
    return Markup("").join(parts)
