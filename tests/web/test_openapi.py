import difflib
import re
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from auditsvc.audits import audit_types
from auditsvc.service import Service
from auditsvc.store.tokens import Role
from auditsvc.web import openapi_document
from tests.conftest import REPOSITORY
from tests.web.made import message_of

METHODS = ("get", "put", "post", "delete")


@pytest.fixture(scope="module")
def document() -> Any:
    """The description, read back."""
    return yaml.safe_load(openapi_document())


def operations(document: Any) -> list[tuple[str, str, Any]]:
    """Method, path and operation of each."""
    return [
        (method, path, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def test_committed_description_is_the_generated_one() -> None:
    """`auditsvc openapi > openapi.yaml` was run after the last change of a route or schema."""
    committed = (REPOSITORY / "openapi.yaml").read_text(encoding="utf-8")
    difference = difflib.unified_diff(
        committed.splitlines(), openapi_document().splitlines(), "openapi.yaml", "generated", lineterm=""
    )
    assert not list(difference), "run `auditsvc openapi > openapi.yaml`"


def test_served_description_is_the_generated_one(client: FlaskClient) -> None:
    """Whatever the service's configuration."""
    answer = client.get("/openapi.yaml")
    assert answer.content_type == "application/yaml"
    assert answer.text == openapi_document()


def test_every_route_of_the_api_is_described(app: Flask, document: Any) -> None:
    """All but the pages, the static files and the second home of the audits."""
    described = {
        (method.upper(), path.replace("{", "<").replace("}", ">")) for method, path, _ in operations(document)
    }
    routes = {
        (method, re.sub(r"<\w+(\(.*?\))?:", "<", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith(("pages.", "static", "kubecost."))
    }
    assert described == routes


def test_audits_are_at_home_where_kubecost_had_them(app: Flask, document: Any) -> None:
    """Each path below /audit is served under /model/etl too, and says so."""
    rules = {(rule.rule, frozenset(rule.methods or ())) for rule in app.url_map.iter_rules()}
    audit = {(rule, methods) for rule, methods in rules if rule.split("/")[1] == "audit"}
    assert {(f"/model/etl{rule}", methods) for rule, methods in audit} <= rules
    for path, item in document["paths"].items():
        servers = [server["url"] for server in item.get("servers", ())]
        assert servers == (["/", "/model/etl"] if path.startswith("/audit") else [])


def test_operations_have_names_texts_and_errors(document: Any) -> None:
    """One operationId each; every answer is described, what can go wrong with it included."""
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for _, _, operation in operations(document):
        assert operation["summary"]
        assert operation["responses"].keys() & {"200", "201"}
        assert {"400", "default"} <= operation["responses"].keys()
        assert all(parameter["description"] for parameter in operation.get("parameters", ()))


def test_audit_types_are_those_of_the_registry(document: Any) -> None:
    """As values of the parameter, as keys of an AuditSet, as results."""
    parameters = {one["name"]: one for one in document["paths"]["/audit"]["get"]["parameters"]}
    named = parameters["type"]["schema"]["items"]["enum"]
    assert named == [name for known in audit_types() for name in (known.name, known.key)]
    audit_set = document["components"]["schemas"]["AuditSet"]
    assert list(audit_set["properties"]) == [*(known.key for known in audit_types()), "window"]
    assert {f"{known.name}Result" for known in audit_types()} <= document["components"]["schemas"].keys()


def test_no_route_takes_what_it_does_not_know(client: FlaskClient, service: Service, document: Any) -> None:
    """A misspelt parameter never means its default, on any route of the API."""
    _, token = service.access.create(Role.ADMIN)
    headers = {"Authorization": f"Bearer {token}"}
    for method, path, _ in operations(document):
        named = {one["name"]: one["schema"] for one in document["paths"][path].get("parameters", ())}
        values = {name: schema.get("enum", ["v1"])[0] for name, schema in named.items()}
        answer = client.open(f"{path.format(**values)}?misspelt=1", method=method.upper(), headers=headers)
        assert message_of(answer, 400).startswith("misspelt: unknown parameter")
