import inspect
import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auditsvc import errors
from auditsvc.errors import AuditsvcError
from auditsvc.service import Service
from auditsvc.web.errors import register_error_handlers
from tests.web.made import message_of

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, AuditsvcError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_status_is_the_one_in_the_tree(app: Flask, kind: type[AuditsvcError]) -> None:
    """Each error has the HTTP status that the docstring of auditsvc.errors draws, 500 where it draws none."""

    def fail() -> str:
        raise kind("what was wrong: do this")

    app.add_url_rule("/fail", view_func=fail)
    drawn = re.search(rf"\b{kind.__name__} +([0-9]{{3}})", errors.__doc__ or "")
    status = int(drawn[1]) if drawn else 500
    assert message_of(app.test_client().get("/fail"), status) == "what was wrong: do this"


def test_bug_is_logged_and_not_shown(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """500 says that it is a bug; the traceback is in the log and nowhere else."""

    def fail() -> str:
        raise KeyError("a secret")

    app.add_url_rule("/fail", view_func=fail)
    answer = app.test_client().get("/fail")
    assert "bug" in message_of(answer, 500)
    assert "secret" not in answer.text
    assert "KeyError: 'a secret'" in caplog.text


def test_store_that_is_gone_is_503_and_logged(
    client: FlaskClient, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever needs it says so; the process is up all the same."""
    service.store.close()
    assert client.get("/healthz").text == '{"code":200,"data":"ok"}\n'
    with caplog.at_level(logging.ERROR):
        message = message_of(client.get("/runs"), 503)
    assert str(service.store.path) in message
    assert f"GET /runs: {message}" in caplog.text


def test_unknown_route_is_json(client: FlaskClient) -> None:
    """404 in the envelope."""
    assert message_of(client.get("/nowhere"), 404) == "nothing at /nowhere (GET /docs lists what there is)"
    assert message_of(client.get("/lists/finished"), 404).startswith("nothing at /lists/finished")


def test_wrong_method_keeps_allow(client: FlaskClient) -> None:
    """405 in the envelope, with the header that says what would do."""
    answer = client.patch("/audit")
    assert message_of(answer, 405) == "/audit knows no PATCH, only GET, HEAD, OPTIONS, POST"
    assert set(answer.allow) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_page_for_people_has_errors_for_people(client: FlaskClient) -> None:
    """Where a browser asked for a page it gets one, with the same status."""
    answer = client.get("/pages/runs/<b>")
    assert answer.status_code == 404
    assert answer.content_type == "text/html; charset=utf-8"
    assert "unknown run: &lt;b&gt; (GET /runs lists them)" in answer.text


def test_every_answer_has_the_security_headers(client: FlaskClient) -> None:
    """Pages, JSON and errors alike: no script, no frame, no guessing of types."""
    for path in ("/", "/audit", "/static/style.css", "/nowhere"):
        with client.get(path) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_errors_are_registered_once_for_an_app() -> None:
    """The boundary is one place: an app has exactly these two handlers."""
    app = Flask(__name__)
    register_error_handlers(app)
    handlers = [kind.__name__ for by_code in app.error_handler_spec[None].values() for kind in by_code]
    assert handlers == ["AuditsvcError", "HTTPException"]
