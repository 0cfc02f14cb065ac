"""Notifications: to a webhook that listens here, with its bad days."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from auditsvc.config import NotifyConfig, NotifyFormat
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind
from auditsvc.service import Service
from auditsvc.service.notify import Notifier, StatusChange, render_changes
from auditsvc.store.lists import ListKind
from tests.service.made import DAY, PENDING, TOTAL, add_run, listing, put_documents, service_at

CHANGE = StatusChange(
    window=DAY,
    type="AuditSwaggerTotal",
    before=Status.PASSED,
    after=Status.FAILED,
    description="3 < 4 & more",
)
BODY = {
    "window": {"start": "2026-01-16T00:00:00Z", "end": "2026-01-17T00:00:00Z"},
    "type": "AuditSwaggerTotal",
    "before": "Passed",
    "after": "Failed",
    "description": "3 < 4 & more",
}


class Webhook:
    """Keeps what it is told, and answers as it is told."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/services/hush")
        self.told: list[Any] = []
        self.answers: list[Response] = []
        server.expect_request("/services/hush", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.told.append(request.get_json())
        return self.answers.pop(0) if self.answers else Response("ok")


@pytest.fixture
def webhook(httpserver: HTTPServer) -> Webhook:
    """A webhook that listens here."""
    return Webhook(httpserver)


@pytest.fixture
def service(webhook: Webhook, tmp_path: Path) -> Iterator[Service]:
    """A service that notifies it, with the small API and a run in its store."""
    with service_at(tmp_path / "data", notify=NotifyConfig(url=webhook.url)) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod", "createPod", "readPod", "listJob")
        yield service


def told_of(notified: Webhook, work: Callable[[], object], *, expected: int) -> list[Any]:
    """What the webhook is told because of that work: so many notifications and no more."""
    notified.told.clear()
    work()
    deadline = time.monotonic() + (5 if expected else 0.2)
    while len(notified.told) < (expected or 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(notified.told) == expected
    return notified.told


def test_a_change_is_told(service: Service, webhook: Webhook) -> None:
    """When an audit of a day ends otherwise than the last time, the webhook is told what, and told once."""

    def audit() -> None:
        service.audits.run(DAY, [PENDING, TOTAL])

    told_of(webhook, audit, expected=0)
    told_of(webhook, audit, expected=0)
    service.documents.put_list(ListKind.PENDING, listing(), holds_from=service.clock() - timedelta(days=99))
    [told] = told_of(webhook, audit, expected=1)
    [change] = told["changes"]
    assert (change["type"], change["before"], change["after"]) == (
        "AuditPendingReconciliation",
        "Passed",
        "Failed",
    )
    assert change["window"] == BODY["window"]
    told_of(webhook, audit, expected=0)
    service.documents.put_list(
        ListKind.PENDING, listing("deletePod"), holds_from=service.clock() - timedelta(days=98)
    )
    [told] = told_of(webhook, audit, expected=1)
    assert told["changes"][0]["after"] == "Passed"


def test_a_new_day_is_compared_with_the_one_before(service: Service, webhook: Webhook) -> None:
    """The first results of a day are changes where the day before ended otherwise; all are told at once."""
    told_of(webhook, lambda: service.audits.run(types=[PENDING], commit=True), expected=0)
    add_run(service, RunKind.CI, "listPod", hours=24)
    add_run(service, RunKind.CI, "listPod", hours=48)
    add_run(service, RunKind.CI, "listPod", "createPod", "readPod", "listJob", hours=72)
    [told] = told_of(webhook, lambda: service.audits.run(types=[PENDING], commit=True), expected=1)
    assert [
        (change["window"]["start"][:10], change["before"], change["after"]) for change in told["changes"]
    ] == [
        ("2026-01-17", "Passed", "Failed"),
        ("2026-01-19", "Failed", "Passed"),
    ]


def test_a_run_that_is_judged_alone_is_no_change(service: Service, webhook: Webhook) -> None:
    """What is found in a single run is for who asked."""
    service.audits.run(DAY, [PENDING])
    run = add_run(service, RunKind.PULL, "listPod")
    told_of(webhook, lambda: service.audits.run(types=[PENDING], run_id=run.id), expected=0)


def test_slack(webhook: Webhook) -> None:
    """Slack takes one text, in which its own characters are written otherwise; a long list is cut."""
    notifier = Notifier(NotifyConfig(url=webhook.url, format=NotifyFormat.SLACK))
    notifier.tell([CHANGE])
    notifier.close()
    assert webhook.told == [
        {"text": "AuditSwaggerTotal of 2026-01-16: Passed → *Failed* – 3 &lt; 4 &amp; more"}
    ]
    lines = render_changes([CHANGE] * 23, NotifyFormat.SLACK)["text"].splitlines()
    assert (len(lines), lines[-1]) == (21, "… and 3 more")


def test_a_long_description_is_cut_for_slack() -> None:
    """A message is no report."""
    change = StatusChange(
        window=DAY, type="AuditX", before=Status.FAILED, after=Status.PASSED, description="&" * 999
    )
    text = render_changes([change], NotifyFormat.SLACK)["text"]
    assert text.endswith("&amp;…")
    assert len(text) < 2000
    assert render_changes([change], NotifyFormat.JSON)["changes"][0]["description"] == "&" * 999


def test_json(webhook: Webhook) -> None:
    """Our own shape names the window, the type, both statuses, and what was found."""
    notifier = Notifier(NotifyConfig(url=webhook.url))
    notifier.tell([CHANGE, CHANGE])
    notifier.close()
    assert webhook.told == [{"changes": [BODY, BODY]}]


def test_nothing_to_tell(webhook: Webhook) -> None:
    """No change is no notification; without a webhook nobody is told."""
    for notifier in (Notifier(NotifyConfig(url=webhook.url)), Notifier(None)):
        notifier.tell([])
        notifier.close()
    silent = Notifier(None)
    silent.tell([CHANGE])
    silent.close()
    assert webhook.told == []


def test_it_is_tried_again(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """A webhook that refuses is told again, some times; each refusal is logged."""
    webhook.answers = [Response("no", 503), Response("no", 429)]
    notifier = Notifier(NotifyConfig(url=webhook.url), pauses=(0, 0.01, 0.01))
    with caplog.at_level(logging.WARNING, "auditsvc"):
        notifier.tell([CHANGE])
        notifier.close()
    assert len(webhook.told) == 3
    assert [record.getMessage() for record in caplog.records] == [
        "notification to localhost: 503 SERVICE UNAVAILABLE",
        "notification to localhost: 429 TOO MANY REQUESTS",
    ]


@pytest.mark.parametrize("path", ["/services/hush", "/", ""])
def test_nobody_there(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A webhook that is away is given up; that is logged, and harms nobody."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    notifier = Notifier(NotifyConfig(url=f"http://127.0.0.1:{port}{path}"), pauses=(0, 0, 0))
    with caplog.at_level(logging.WARNING, "auditsvc"):
        notifier.tell([CHANGE])
        notifier.close()
    told = [record.getMessage() for record in caplog.records]
    assert "hush" not in caplog.text
    assert told == [
        *["notification to 127.0.0.1: Connection refused"] * 3,
        "notification to 127.0.0.1: given up",
    ]


def test_a_failed_notification_does_not_fail_the_audit(service: Service, webhook: Webhook) -> None:
    """The audit's results are stored, and its answer does not wait for the webhook."""
    service.audits.run(DAY, [PENDING])
    service.documents.put_list(ListKind.PENDING, listing(), holds_from=service.clock() - timedelta(days=99))
    webhook.answers = [Response("no", 500)] * 9
    start = time.monotonic()
    [stored] = service.audits.run(DAY, [PENDING])
    assert time.monotonic() - start < 0.9
    assert stored.result.status is Status.FAILED


def test_a_bug_is_seen(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in the background leaves its traceback in the log."""
    notifier = Notifier(NotifyConfig(url=webhook.url), pauses=("soon",))  # type: ignore[arg-type] # a bug
    notifier.tell([CHANGE])
    notifier.close()
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is TypeError


def test_a_redirect_is_refused(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    """A POST that is sent elsewhere would arrive as something else."""
    httpserver.expect_request("/hook").respond_with_data("", 302, {"Location": "/elsewhere"})
    notifier = Notifier(NotifyConfig(url=httpserver.url_for("/hook")), pauses=(0,))
    notifier.tell([CHANGE])
    notifier.close()
    assert "notification to localhost: 302 FOUND" in caplog.text
