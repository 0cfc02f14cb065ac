"""Kubernetes objects held against a swagger document's definitions, as ``kubectl --validate=strict`` does."""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "string": str,
}


def find_problems(manifest: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object, a line each: unknown and missing fields, and wrong types."""
    schema = _find_definition(manifest, definitions)
    if schema is None:
        return [f"{manifest.get('apiVersion')} {manifest.get('kind')}: no such kind"]
    return list(_problems(manifest, schema, definitions, str(manifest["kind"])))


def _find_definition(manifest: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    group, _, version = str(manifest.get("apiVersion", "")).rpartition("/")
    wanted = {"group": group, "version": version, "kind": manifest.get("kind")}
    for schema in definitions.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", ()):
            return schema
    return None


def _problems(value: Any, schema: Any, definitions: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/definitions/")]
    if not _is_typed(value, schema):
        yield f"{path}: {value!r} is no {schema['type']}"
    elif isinstance(value, dict):
        yield from _field_problems(value, schema, definitions, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, schema["items"], definitions, f"{path}[{index}]")


def _is_typed(value: Any, schema: Any) -> bool:
    if schema.get("format") == "int-or-string":  # the document calls it a string
        return isinstance(value, int | str) and not isinstance(value, bool)
    if isinstance(value, bool) and schema.get("type") != "boolean":  # to Python it is an integer
        return False
    return "type" not in schema or isinstance(value, _TYPES[schema["type"]])


def _field_problems(
    value: dict[str, Any], schema: Any, definitions: Mapping[str, Any], path: str
) -> Iterator[str]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}: {name} is missing"
    for name, field in value.items():
        known = fields.get(name, others)
        if known is not None:
            yield from _problems(field, known, definitions, f"{path}.{name}")
        elif fields:
            yield f"{path}: {name} is unknown"
