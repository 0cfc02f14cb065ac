import gzip
import json
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from tests.web.made import NOON, data_of, event, message_of, swagger_bytes

PODS = "/api/v1/namespaces/a/pods"
BATCH = json.dumps(
    {
        "kind": "EventList",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {},
        "items": [event("list", PODS, at=NOON + timedelta(seconds=second)) for second in range(2)],
    }
).encode()


@pytest.fixture
def known(client: FlaskClient) -> FlaskClient:
    """A store with the small API."""
    client.put("/swagger/v1.34.0?from=2026-01-01T00:00:00Z", data=swagger_bytes())
    return client


def test_events_become_a_run(known: FlaskClient) -> None:
    """As the API server sends them; a batch that is sent again counts for nothing."""
    sent = known.post("/events/production?timeout=30s", data=BATCH, content_type="application/json")
    received = data_of(sent)
    [run_id] = received["runs"]
    assert received["events"] == 2
    again = known.post("/events/production?timeout=30s", data=gzip.compress(BATCH))
    assert data_of(again) == {"events": 0, "runs": [run_id]}
    run = data_of(known.get(f"/runs/{run_id}"))
    assert (run["kind"], run["cluster"], run["version"]) == ("live", "production", "v1.34.0")
    assert (run["started"], run["finished"]) == ("2026-01-17T12:00:00.000000Z", "2026-01-17T12:00:01.000000Z")
    assert run["summary"]["requests"] == 2


def test_each_cluster_has_its_run(known: FlaskClient) -> None:
    """By path, or by query; without a name there is one of none."""
    runs = [
        data_of(known.post(f"/events{rest}", data=BATCH))["runs"][0]
        for rest in ("/a", "/b", "?cluster=a", "", "/a/v1.34", "?cluster=b&version=v1.34.0")
    ]
    assert runs[0] == runs[2] == runs[4] != runs[3]
    assert runs[1] == runs[5]
    assert len(set(runs)) == 3


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/events", b"", "body: empty"),
        ("/events", b"{}", "body: not an audit.k8s.io/v1 EventList"),
        (
            "/events/a",
            BATCH.replace(b'"stage": "ResponseComplete"', b'"stage": 7'),
            "items[0]: not an audit event",
        ),
        ("/events/a?cluster=b", BATCH, "cluster: unknown parameter"),
        ("/events?version=soon", BATCH, "version: not a version"),
        ("/events/a/soon", BATCH, "version: soon is none"),
        ("/events/a/v1.20", BATCH, "no swagger of that version is stored"),
    ],
)
def test_what_is_not_taken(known: FlaskClient, path: str, body: bytes, message: str) -> None:
    """Nothing of it is stored."""
    assert message in message_of(known.post(path, data=body), 400)
    assert data_of(known.get("/runs")) == []
