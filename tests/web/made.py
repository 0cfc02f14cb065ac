"""A small API, logs of requests to it, and what a client needs to talk about them."""

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

NOW = datetime(2026, 1, 18, 9, 30, tzinfo=UTC)
NOON = datetime(2026, 1, 17, 12, tzinfo=UTC)

PODS = "/api/v1/namespaces/{namespace}/pods"
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"version": "v1.34.0"},
    "paths": {
        PODS: {"get": {"operationId": "listPod"}, "post": {"operationId": "createPod"}},
        f"{PODS}/{{name}}": {"get": {"operationId": "readPod"}, "delete": {"operationId": "deletePod"}},
        "/apis/batch/v1beta1/cronjobs": {"get": {"operationId": "listCronJob"}},
    },
}
PENDING = "- deletePod\n"
# The same entry twice: a finding.
INELIGIBLE = "- endpoint: createPod\n  reason: optional feature\n  link: https://example.org/why\n" * 2

CI = (("list", "/api/v1/namespaces/a/pods"), ("create", "/api/v1/namespaces/a/pods"))
PULL = (*CI, ("get", "/api/v1/namespaces/a/pods/b"), ("get", "/healthz"))


def swagger_bytes() -> bytes:
    """The small API's document."""
    return json.dumps(SWAGGER).encode()


def event(verb: str, uri: str, *, at: datetime = NOON, number: int = 0, **more: Any) -> dict[str, Any]:
    """An audit event of a request that was answered 200."""
    time = at.isoformat().replace("+00:00", "Z")
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"{verb}-{uri}-{number}",
        "stage": "ResponseComplete",
        "requestURI": uri,
        "verb": verb,
        "user": {"username": "admin"},
        "userAgent": "kubectl/v1.34.0",
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        **more,
    }


def log_bytes(requests: tuple[tuple[str, str], ...] = CI, *, at: datetime = NOON) -> bytes:
    """An audit log of requests, one a second from a time on."""
    events = [event(verb, uri, at=at + timedelta(seconds=n)) for n, (verb, uri) in enumerate(requests)]
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


def upload(client: FlaskClient, requests: tuple[tuple[str, str], ...], **origin: str) -> str:
    """Uploads a log of requests and returns the run's id."""
    answer = client.post("/runs", query_string=origin, data=gzip.compress(log_bytes(requests)))
    run_id: str = data_of(answer)["id"]
    return run_id


def fill(client: FlaskClient) -> dict[str, str]:
    """Uploads the small API, its lists, a CI and a pull run, and runs the audits; the runs' ids by kind."""
    client.put("/swagger/v1.34.0?from=2026-01-01T00:00:00Z", data=swagger_bytes())
    client.put("/lists/pending?from=2026-01-01T00:00:00Z", data=PENDING)
    client.put("/lists/ineligible?from=2026-01-01T00:00:00Z", data=INELIGIBLE)
    runs = {"ci": upload(client, CI, kind="ci"), "pull": upload(client, PULL, kind="pull", pull="17")}
    assert client.post("/audit?commit=true&wait=true").status_code == 200
    return runs


def data_of(answer: TestResponse) -> Any:
    """What is in the envelope of an answer that is no error."""
    body = answer.json
    assert isinstance(body, Mapping), answer.text
    assert body["code"] == answer.status_code < 400, body
    return body["data"]


def message_of(answer: TestResponse, status: int) -> str:
    """The message of an error in its envelope."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/json"
    body = answer.json
    assert isinstance(body, Mapping)
    assert list(body) == ["code", "data", "message"]
    assert body["code"] == status
    assert body["data"] is None
    message: str = body["message"]
    assert "\n" not in message
    return message
