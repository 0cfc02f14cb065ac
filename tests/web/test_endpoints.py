import json

import pytest
from flask.testing import FlaskClient

from tests.web.made import CI, NOON, SWAGGER, data_of, event, message_of, swagger_bytes, upload

TEST = "[sig-node] Pods: a/b should run [NodeConformance] [Conformance]"
OTHER = "[sig-node] Pods should stay [Slow]"
REFERENCE = "https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#api-groups"


def lines(*requests: tuple[str, str, str]) -> bytes:
    """A log of requests, each by an agent."""
    events = [
        event(verb, uri, number=number, userAgent=agent) for number, (verb, uri, agent) in enumerate(requests)
    ]
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


@pytest.fixture
def filled(client: FlaskClient) -> FlaskClient:
    """A release, a ci run of two tests, an application's run, and one of a test that is being written."""
    pods = "/api/v1/namespaces/a/pods"
    client.put("/swagger/v1.34.0?from=2026-01-01T00:00:00Z", data=swagger_bytes())
    agents = {name: f"e2e.test/v1 -- {name}" for name in (TEST, OTHER)}
    ci = lines(("list", pods, agents[TEST]), ("get", f"{pods}/b", agents[OTHER]))
    assert client.post("/runs?kind=ci&version=v1.34.0", data=ci).status_code == 201
    upload(client, CI, kind="app", app="argo")
    new = lines(
        ("create", pods, "live-test-writing/v1"),
        ("list", "/apis/batch/v1beta1/cronjobs", "live-test-writing/v1"),
    )
    assert client.post("/runs?kind=live", data=new).status_code == 201
    return client


def test_coverage(filled: FlaskClient) -> None:
    """Of the newest release, by level; all of it beside the rows."""
    page = filled.get("/coverage").json
    assert page is not None
    assert page["data"][0] == {
        "level": "stable",
        "group": None,
        "category": None,
        "kind": None,
        "action": None,
        "agent": None,
        "operations": 4,
        "eligible": 4,
        "hit": 2,
        "tested": 2,
        "conf_tested": 1,
        "success": 2,
        "percent": 25.0,
    }
    assert (page["total"], page["release"], page["run"], len(page["sources"])) == (2, "1.34.0", None, 1)
    assert page["totals"]["operations"] == 5


def test_coverage_of_a_run(filled: FlaskClient) -> None:
    """By agent and more; filtered; paged."""
    [run] = data_of(filled.get("/runs?kind=app"))
    asked = f"/coverage?run={run['id']}&by=agent&by=level&metric=hit&level=stable"
    page = filled.get(asked).json
    assert page is not None
    [row] = page["data"]
    assert (row["agent"], row["level"], row["hit"], row["percent"], row["tested"]) == (
        "kubectl",
        "stable",
        2,
        50.0,
        None,
    )
    assert data_of(filled.get(f"{asked}&offset=1")) == []
    none = filled.get("/coverage?group=apps&kind=Pod&category=core&action=list&exclude_pending=true").json
    assert none is not None
    assert (none["data"], none["totals"]["percent"]) == ([], None)


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        ("?by=colour", 400, "by: "),
        ("?metric=missed", 400, "metric: "),
        ("?run=x", 404, "unknown run: x"),
        ("?run=x&release=1.34", 400, "release: a run is of its own release"),
        ("?release=1.20", 404, "the operations of release 1.20 are not known"),
        ("?release=soon", 400, "release: not a version"),
        ("/untested?colour=red", 400, "colour: unknown parameter"),
        ("/untested?release=1.20", 404, "the operations of release 1.20 are not known"),
        ("/tests?conformance=perhaps", 400, "conformance: "),
        ("/endpoints/listPods", 404, "did you mean listPod"),
        ("/new-test", 400, "agent: missing"),
        ("/new-test?agent=live-x", 404, "agent: no stored run has a request of live-x"),
    ],
)
def test_what_cannot_be_answered(filled: FlaskClient, asked: str, status: int, message: str) -> None:
    """The message names the parameter."""
    assert message in message_of(filled.get(f"/coverage{asked}"), status)


def test_untested(filled: FlaskClient) -> None:
    """The most used first, with all that is known of each."""
    page = filled.get("/coverage/untested?limit=1").json
    assert page is not None
    assert page["total"] == 3
    [found] = page["data"]
    assert found.pop("operation")["path"] == "/api/v1/namespaces/{namespace}/pods"
    assert found == {
        "endpoint": "createPod",
        "promotion_release": "1.34.0",
        "first_conformance_test": None,
        "tested_release": None,
        "age": 0,
        "eligible": True,
        "deprecated": False,
        "ineligible": False,
        "pending": False,
        "ineligible_reason": None,
        "requests": 2,
        "users": 2,
        "tests": [],
        "reference": REFERENCE,
    }
    assert [one["endpoint"] for one in data_of(filled.get("/coverage/untested?text=read"))] == ["readPod"]
    assert [one["endpoint"] for one in data_of(filled.get("/coverage/candidates"))] == ["readPod"]


def test_tests(filled: FlaskClient) -> None:
    """Searched by the whole name, text, SIG and tag."""
    filled.put(
        "/conformance-tests/v1.34.0",
        data=json.dumps([{"testname": "a", "codename": TEST, "release": "v1.9", "file": "pods.go"}]),
    )
    [found] = data_of(filled.get("/coverage/tests", query_string={"test": TEST}))
    assert found == {
        "name": TEST,
        "conformance": True,
        "sigs": ["sig-node"],
        "tags": ["NodeConformance", "Conformance"],
        "release": "1.9.0",
        "file": "pods.go",
        "endpoints": ["listPod"],
    }
    [other] = data_of(filled.get("/coverage/tests?conformance=false&sig=node&tag=Slow&text=STAY"))
    assert (other["name"], other["release"], other["file"]) == (OTHER, None, None)
    assert data_of(filled.get("/coverage/tests?sig=apps")) == []


def test_endpoint(filled: FlaskClient) -> None:
    """What is known of one."""
    found = data_of(filled.get("/coverage/endpoints/listPod"))
    assert found["known"]["endpoint"] == "listPod"
    assert found["releases"] == ["1.34.0"]
    assert [test["name"] for test in found["tests"]] == [TEST]
    assert found["users"] == [{"kind": "app", "name": "argo", "requests": 1, "runs": 1}]


def test_new_test(filled: FlaskClient) -> None:
    """What it hits, and what it would add."""
    page = filled.get("/coverage/new-test?agent=live-test-writing").json
    assert page is not None
    assert [(one["operation"]["id"], one["hits"], one["counts"]) for one in page["data"]] == [
        ("createPod", 1, True),
        ("listCronJob", 1, False),
    ]
    assert page["projected"] == {
        "eligible": 4,
        "tested": 1,
        "gained": 1,
        "percent": 25.0,
        "projected_percent": 50.0,
    }
    assert (page["agent"], page["release"], page["unmapped"]) == ("live-test-writing", "1.34.0", 0)
    assert page["run"].startswith("live-")


def test_the_small_api_is_what_it_was() -> None:
    """The figures above are of these operations."""
    assert sum(map(len, SWAGGER["paths"].values())) == 5
    assert NOON.hour == 12
