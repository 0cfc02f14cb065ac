"""Who may call what, on every route that there is."""

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace
from pytest_httpserver import HTTPServer
from werkzeug.routing import Rule

from auditsvc.config import AccessMode
from auditsvc.service import Service
from auditsvc.service.access import Access
from auditsvc.store.tokens import Role
from auditsvc.web import create_app, openapi_document
from tests.web.made import data_of, log_bytes, message_of, swagger_bytes

OPEN = {"/healthz", "/readyz", "/static/<path:filename>"}
ADMINISTRATIVE = {"/tokens", "/tokens/<token_id>"}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH")
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def tokens(service: Service) -> dict[Role, str]:
    """A token of each role; from then on one is needed."""
    return {role: service.access.create(role)[1] for role in Role}


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def configured(service: Service, **settings: Any) -> FlaskClient:
    """A client of the same store with other settings."""
    config = replace(service.config, **settings)
    access = Access(service.store, config, service.clock)
    return create_app(replace(service, config=config, access=access)).test_client()


def address(app: Flask, rule: Rule) -> str:
    """A URL of a route."""
    values = {name: next(iter(getattr(rule._converters[name], "items", ["x"]))) for name in rule.arguments}
    url: str = app.url_map.bind("localhost").build(
        rule.endpoint, values, method=next(iter(rule.methods or ()))
    )
    return url


def needed(rule: str, method: str) -> Role | None:
    """The role that the documentation promises."""
    if rule in OPEN:
        return None
    if rule in ADMINISTRATIVE:
        return Role.ADMIN
    return Role.READER if method in ("GET", "HEAD", "OPTIONS") else Role.WRITER


def test_every_route_lets_in_exactly_those_who_may(app: Flask, tokens: dict[Role, str]) -> None:
    """Each method of each route, without a token and with one of each role: nothing is forgotten."""
    client, seen = app.test_client(), 0
    for rule in app.url_map.iter_rules():
        url = address(app, rule)
        for method in METHODS:
            there = app.url_map.bind("localhost").test(url, method)
            role = needed(rule.rule if there else "", method)
            for shown in (None, *Role):
                headers = bearer(tokens[shown]) if shown else {}
                with client.open(url, method=method, headers=headers) as answer:
                    status = answer.status_code
                if role is None or (shown and shown.allows(role)):
                    assert status not in (401, 403), (method, url, shown)
                else:
                    assert status == (403 if shown else 401), (method, url, shown)
                seen += 1
    assert seen > 1000


def test_what_is_not_there_is_not_told(client: FlaskClient, tokens: dict[Role, str]) -> None:
    """A stranger cannot find out routes, parameters or runs."""
    for path in ("/nowhere", "/audit?windw=7d", "/runs/none", "/audit/"):
        assert message_of(client.get(path), 401).startswith("a token is needed")
    assert message_of(client.get("/nowhere", headers=bearer(tokens[Role.READER])), 404)


def test_without_tokens_all_is_open_but_the_tokens(app: Flask) -> None:
    """As it is on one's own machine."""
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        for method in rule.methods or ():
            with client.open(address(app, rule), method=method) as answer:
                assert (answer.status_code == 401) == (rule.rule in ADMINISTRATIVE), (method, rule)


def test_public_reads(service: Service) -> None:
    """Reading is open, metrics included, and nothing else is."""
    client = configured(service, access=AccessMode.TOKENS, public_reads=True)
    for rule in client.application.url_map.iter_rules():
        for method in rule.methods or ():
            with client.open(address(client.application, rule), method=method) as answer:
                role = needed(rule.rule, method)
                assert (answer.status_code == 401) == (role not in (None, Role.READER)), (method, rule)


def test_the_description_says_who_may(app: Flask, tokens: dict[Role, str]) -> None:
    """As OpenAPI's security, with what is answered to others; the page for people says it, too."""
    document = yaml.safe_load(openapi_document())
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, item in document["paths"].items():
        rule = path.replace("{", "<").replace("}", ">")
        for method in item.keys() & {"get", "put", "post", "delete"}:
            security, role = item[method].get("security"), needed(rule, method.upper())
            if role is None:
                assert security is None
                continue
            assert security[0] == {"bearer": [role.value]}
            assert ({} in security) == (role is not Role.ADMIN)
            answers = item[method]["responses"].keys()
            assert {"401", "403"} <= answers
            assert ("429" in answers) == (method != "get")
    page = app.test_client().get("/docs", headers=bearer(tokens[Role.READER])).text
    assert "For: <code>writer</code>" in page


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, 'Bearer realm="auditsvc"'),
        ({"Accept": "*/*"}, 'Bearer realm="auditsvc"'),
        ({"Accept": "application/json"}, 'Bearer realm="auditsvc"'),
        (BROWSER, 'Basic realm="auditsvc: a token is the password", charset="UTF-8"'),
    ],
)
def test_a_refusal_says_how_to_get_in(
    client: FlaskClient, tokens: dict[Role, str], headers: dict[str, str], scheme: str
) -> None:
    """Programs are told of the bearer token; a browser is made to ask its user."""
    assert tokens
    for path in ("/audit", "/", "/nowhere"):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == scheme


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer a=b",
        "Basic",
        "Basic %%%",
        "Basic Og==",
        "Digest x",
        "x",
    ],
)
def test_a_header_that_shows_no_token(client: FlaskClient, tokens: dict[Role, str], header: str) -> None:
    """Whatever it holds, it opens nothing and breaks nothing."""
    assert tokens
    assert message_of(client.get("/audit", headers={"Authorization": header}), 401)


def test_a_browser_reads_with_the_token_as_password(client: FlaskClient, tokens: dict[Role, str]) -> None:
    """With any user name; to write that does not do, for browsers send it wherever they are sent."""
    auth = ("anybody", tokens[Role.ADMIN])
    for path in ("/", "/pages/runs", "/audit", "/docs", "/tokens"):
        assert client.get(path, auth=auth).status_code == 200
    message = message_of(client.post("/audit?commit=true", auth=auth), 401)
    assert message == "to write, send the token as `Authorization: Bearer <token>`"
    message = message_of(client.get("/audit", headers={"Authorization": "Token x"}), 401)
    assert message == "send the token as `Authorization: Bearer <token>`"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
    ],
)
def test_another_site_s_page_cannot_write(
    client: FlaskClient, runs: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """Not even where no token is needed: a browser on this machine does what any page tells it."""
    assert runs
    assert client.post("/audit?commit=true", headers=headers).status_code == status
    assert client.get("/audit", headers=headers).status_code == 200


OTHER_NAMES = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[::1",
]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_a_name_that_another_made_lead_here(client: FlaskClient, host: str) -> None:
    """It is no way in without a token, to read or to write: DNS can make a page's own name lead here."""
    for method, path in (
        ("GET", "/audit"),
        ("GET", "/"),
        ("POST", "/audit?commit=true"),
        ("GET", "/nowhere"),
    ):
        answer = client.open(path, method=method, headers={"Host": host, "Accept": "application/json"})
        assert answer.status_code == 403, path
    assert message_of(client.get("/audit", headers={"Host": host}), 403) == (
        f"Host: {host}: without a token the server is called localhost or by its address; "
        "make a token (auditsvc token create), or start it with --insecure"
    )
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "a.localhost", "127.0.0.1:8080", "[::1]:80"])
def test_a_name_of_this_machine(client: FlaskClient, host: str) -> None:
    """Localhost, and any address, lead nowhere else."""
    assert client.get("/audit", headers={"Host": host}).status_code == 200


def test_any_name_where_it_does_no_harm(service: Service) -> None:
    """Told to be insecure, with public reads, and with a token, the name does not matter."""
    named = {"Host": "audit.example"}
    assert create_app(service, insecure=True).test_client().get("/audit", headers=named).status_code == 200
    public = configured(service, public_reads=True)
    assert public.get("/audit", headers=named).status_code == 200
    assert public.post("/audit?commit=true", headers=named).status_code == 403
    _, token = service.access.create(Role.READER)
    client = create_app(service).test_client()
    assert client.get("/audit", headers={**named, **bearer(token)}).status_code == 200
    assert client.get("/audit", headers=named).status_code == 401


def test_answers_to_a_token_stay_out_of_caches(client: FlaskClient, tokens: dict[Role, str]) -> None:
    """They are for whoever shows it; what is open to all may be kept."""
    for path in ("/", "/audit", "/nowhere"):
        assert client.get(path, headers=bearer(tokens[Role.READER])).headers["Cache-Control"] == "no-store"
    assert "no-store" not in client.get("/healthz").headers.get("Cache-Control", "")


def test_tokens_over_http(client: FlaskClient, tokens: dict[Role, str]) -> None:
    """An admin makes one, which holds at once; lists it without its secret; revokes it, at once."""
    admin = bearer(tokens[Role.ADMIN])
    answer = client.post("/tokens", data={"role": "reader", "name": "ci", "expires": "90d"}, headers=admin)
    made = data_of(answer)
    assert answer.status_code == 201
    assert (made["role"], made["name"], made["revoked"]) == ("reader", "ci", None)
    assert made["expires"] == "2026-04-18T09:30:00.000000Z"
    own = bearer(made.pop("token"))
    assert client.get("/audit", headers=own).status_code == 200

    listed = client.get("/tokens?limit=2&offset=1", headers=admin).json
    assert (listed["total"], len(listed["data"])) == (4, 2)  # type: ignore[index] # an object
    everything = data_of(client.get("/tokens", headers=admin))
    assert {**made, "last_used": made["created"]} in everything
    assert not any("hash" in one or "token" in one for one in everything)

    assert data_of(client.delete(f"/tokens/{made['id']}", headers=admin)) is None
    assert message_of(client.get("/audit", headers=own), 401) == f"the token {made['id']} is revoked"
    assert message_of(client.delete("/tokens/none", headers=admin), 404).startswith("unknown token: none")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "role: missing: a parameter or form field that says what it allows (reader, writer, admin)"),
        ("role=root", "role: Must be one of: reader, writer, admin."),
        ("role=reader&expires=soon", "expires: not a duration such as 12h, 90d or 52w"),
        ("role=reader&expires=0d", "expires: not a duration such as 12h, 90d or 52w"),
        ("role=reader&name=", "name: "),
    ],
)
def test_a_token_that_cannot_be_made(
    client: FlaskClient, service: Service, tokens: dict[Role, str], query: str, message: str
) -> None:
    """400 that names the parameter; nothing is made."""
    answer = client.post(f"/tokens?{query}", headers=bearer(tokens[Role.ADMIN]))
    assert message_of(answer, 400).startswith(message)
    assert len(service.access.tokens()) == len(tokens)


def test_rate_limit(service: Service, tokens: dict[Role, str]) -> None:
    """Writing calls over the limit are 429 with Retry-After, for each token by itself; reading is free."""
    client = configured(service, rate_limit=3)
    writer, admin = bearer(tokens[Role.WRITER]), bearer(tokens[Role.ADMIN])
    for _ in range(3):
        assert client.post("/audit", headers=writer).status_code == 400
    answer = client.post("/runs?kind=ci", data=log_bytes(), headers=writer)
    assert message_of(answer, 429) == "more than 3 writing requests a minute (rate_limit): try again in 20 s"
    assert answer.headers["Retry-After"] == "20"
    assert client.get("/audit", headers=writer).status_code == 200
    assert client.post("/audit", headers=admin).status_code == 400


def test_rate_limit_without_tokens_is_by_address(service: Service) -> None:
    """Where all is open."""
    client = configured(service, rate_limit=1)
    for host, status in (("10.0.0.1", 400), ("10.0.0.1", 429), ("10.0.0.2", 400)):
        assert client.post("/audit", environ_overrides={"REMOTE_ADDR": host}).status_code == status


def test_a_stranger_costs_nothing(service: Service) -> None:
    """Refused calls neither count against anybody's limit nor are their bodies read."""
    client = configured(service, access=AccessMode.TOKENS, rate_limit=1)
    body = io.BytesIO(log_bytes())
    assert message_of(client.post("/runs?kind=ci", input_stream=body), 401)
    assert body.tell() == 0
    assert message_of(client.post("/runs?kind=ci"), 401)


def parameters(document: Any, path: str, method: str) -> Iterator[tuple[str, str]]:
    """Where each parameter of an operation that may be a text stands, and its name."""
    item = document["paths"][path]
    for one in (*item.get("parameters", ()), *item[method].get("parameters", ())):
        if one["schema"].get("type", "string") in ("string", "array"):
            yield one["in"], one["name"]


def ask_with(client: FlaskClient, text: str) -> int:
    """Puts a text into each parameter, form field, file name and body of each operation; how many calls."""
    document, calls = yaml.safe_load(openapi_document()), 0
    for path, item in document["paths"].items():
        for method in item.keys() & {"get", "put", "post", "delete"}:
            for place, name in (*parameters(document, path, method), ("body", "")):
                filled = path.replace(f"{{{name}}}", quote(text)) if place == "path" else path
                filled = re.sub(r"\{[^}]*\}", "x", filled)
                for query in ({}, {"window": "1d"}, {"kind": "ci"}):
                    given = {**query, name: text} if place == "query" else query
                    client.open(filled, method=method, query_string=given, data=text.encode())
                    client.open(filled, method=method, data={**given, **files(text)})
                    calls += 2
    return calls


def files(text: str) -> dict[str, Any]:
    """Parts of a form that have that text and are called by it."""
    log, swagger = ((io.BytesIO(text.encode()), text) for _ in range(2))
    return {"log": log, "swagger": swagger}


def test_no_request_makes_the_server_ask_a_url(client: FlaskClient, httpserver: HTTPServer) -> None:
    """URLs are the configuration's: in no parameter, form or body does one make a request."""
    url = httpserver.url_for("/swagger.json")
    assert ask_with(client, url) > 100
    document = {**json.loads(swagger_bytes()), "$ref": url, "servers": [{"url": url}], "host": url}
    document["paths"]["/x"] = {"$ref": url}
    client.put("/swagger/v1.34.0", data=json.dumps(document))
    client.put("/lists/pending", data=f"!!python/object/apply:os.system ['curl {url}']")
    assert httpserver.log == []


def test_no_parameter_is_described_as_a_url() -> None:
    """Nor does the description offer one."""
    document = yaml.safe_load(openapi_document())
    for item in document["paths"].values():
        for method in item.keys() & {"get", "put", "post", "delete"}:
            for one in (*item.get("parameters", ()), *item[method].get("parameters", ())):
                assert one["schema"].get("format") not in ("uri", "url", "uri-reference", "iri")
                assert not re.search("url|uri|href|callback|webhook|endpoint|path|file", one["name"], re.I)


_CANARY = "canary-b1946ac92492.txt"
_reached: list[object] = []


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event.startswith(("open", "os.", "shutil.", "sqlite3.", "subprocess.")):
        _reached.extend(one for one in arguments if _CANARY in str(one))


@pytest.mark.parametrize("form", ["{}", "../../../../../../../../{}", "file://{}", "..%2f..%2f{}", "/../{}"])
def test_no_path_of_a_request_reaches_the_file_system(client: FlaskClient, tmp_path: Path, form: str) -> None:
    """Neither as a parameter nor as the name of an uploaded file; Python itself tells what is opened."""
    sys.addaudithook(_listen)
    canary = tmp_path / _CANARY
    canary.write_text("secret")
    assert _reached
    _reached.clear()
    assert ask_with(client, form.format(str(canary).removeprefix("" if form == "{}" else "/"))) > 100
    assert _reached == []
