import json

import pytest
from flask.testing import FlaskClient

from auditsvc.schemas import COVERAGE_ORIGINS, COVERAGE_TABLES
from auditsvc.store.coverage import CoverageOrigin, CoverageTable
from tests.web.made import SWAGGER, data_of, message_of, swagger_bytes

YAML = """
- testname: Pods, run
  codename: '[sig-node] Pods run [NodeConformance] [Conformance]'
  release: v1.9, v1.34
  file: test/e2e/common/node/pods.go
- testname: Jobs
  codename: '[sig-apps] Jobs complete [Conformance]'
  release: v1.35
  file: test/e2e/apps/job.go
"""
JOBS = {"/apis/batch/v1/jobs": {"get": {"operationId": "listJob"}}}


@pytest.fixture
def filled(client: FlaskClient) -> FlaskClient:
    """A store with 1.34, and with 1.35 that adds listJob."""
    client.put("/swagger/v1.34.0", data=swagger_bytes())
    newer = {**SWAGGER, "info": {"version": "v1.35.0"}, "paths": {**SWAGGER["paths"], **JOBS}}
    client.put("/swagger/v1.35.0", data=json.dumps(newer))
    return client


def test_kinds_are_the_stores() -> None:
    """The description names what the store has."""
    assert list(CoverageTable) == list(COVERAGE_TABLES)
    assert list(CoverageOrigin) == list(COVERAGE_ORIGINS)


def test_coverage_by_release(filled: FlaskClient) -> None:
    """A row for each release, in their order; paged like every list."""
    page = filled.get("/coverage/releases?limit=1&offset=1").json
    assert page == {
        "code": 200,
        "data": [
            {
                "release": "1.35.0",
                "new": 1,
                "tested": 0,
                "untested": 1,
                "total": 5,
                "total_tested": 0,
                "total_untested": 5,
            }
        ],
        "limit": 1,
        "offset": 1,
        "total": 2,
    }


def test_progress(filled: FlaskClient) -> None:
    """The second table."""
    assert data_of(filled.get("/coverage/progress"))[1] == {
        "release": "1.35.0",
        "endpoints": 5,
        "tested": 0,
        "new": 1,
        "new_tested": 0,
        "old_tested": 0,
        "new_with_tests": 0,
        "still_untested": 1,
    }


def test_new_endpoints(filled: FlaskClient) -> None:
    """Of the newest release, or the one that is named."""
    [found] = data_of(filled.get("/coverage/new"))
    operation = found.pop("operation")
    assert operation["path"] == "/apis/batch/v1/jobs"
    assert found == {
        "endpoint": "listJob",
        "promotion_release": "1.35.0",
        "first_conformance_test": None,
        "tested_release": None,
        "age": 0,
        "eligible": True,
        "deprecated": False,
        "ineligible": False,
        "pending": False,
    }
    assert "no release older than 1.34.0" in message_of(filled.get("/coverage/new?release=v1.34"), 404)
    assert "unknown release: 1.30.0" in message_of(filled.get("/coverage/new?release=1.30.0"), 404)
    assert (
        message_of(filled.get("/coverage/new?release=soon"), 400) == "release: not a version such as v1.34.0"
    )


def test_what_was_said_then(filled: FlaskClient) -> None:
    """As of a release the tables are as they were; the history has every one that was kept."""
    then = data_of(filled.get("/coverage/releases"))
    filled.put("/releases/v1.36.0?date=2026-04-22")
    assert len(data_of(filled.get("/coverage/releases"))) == 3
    assert data_of(filled.get("/coverage/releases?as_of=v1.35.0")) == then
    assert data_of(filled.get("/coverage/progress?as_of=1.36"))[2]["release"] == "1.36.0"
    assert "nothing was kept as of 1.30" in message_of(filled.get("/coverage/releases?as_of=1.30"), 404)
    page = filled.get("/coverage/history?release=1.35.0").json
    assert page is not None
    assert page["total"] == 2
    assert page["data"][1] == {
        "release": "1.35.0",
        "table": "releases",
        "origin": "own",
        "recorded": "2026-01-18T09:30:00.000000Z",
        "rows": then,
    }


def test_releases(filled: FlaskClient) -> None:
    """Newest first; one with a date alone is known too."""
    assert data_of(filled.put("/releases/v1.36.0?date=2026-04-22")) == {
        "release": "1.36.0",
        "date": "2026-04-22",
        "swagger": None,
        "imported": False,
        "operations": 0,
        "eligible": 0,
        "conformance_tests": 0,
    }
    assert data_of(filled.put("/releases/v1.36.0"))["date"] is None
    found = data_of(filled.get("/releases"))
    assert [(one["release"], one["swagger"], one["eligible"]) for one in found] == [
        ("1.36.0", None, 0),
        ("1.35.0", "v1.35.0", 5),
        ("1.34.0", "v1.34.0", 4),
    ]
    assert message_of(filled.put("/releases/v1.36.0?date=spring"), 400) == (
        "date: not a date such as 2025-08-27"
    )
    assert "not a version of Kubernetes: soon" in message_of(filled.put("/releases/soon"), 400)


def test_conformance_tests(client: FlaskClient) -> None:
    """Uploaded for a release, searched by text, SIG and tag."""
    assert "no conformance tests are stored" in message_of(client.get("/conformance-tests"), 404)
    assert data_of(client.put("/conformance-tests/v1.35.0", data=YAML)) == {"release": "1.35.0", "tests": 2}
    assert data_of(client.get("/conformance-tests?sig=node")) == [
        {
            "version": "1.35.0",
            "testname": "Pods, run",
            "codename": "[sig-node] Pods run [NodeConformance] [Conformance]",
            "file": "test/e2e/common/node/pods.go",
            "release": "1.34.0",
            "sigs": ["sig-node"],
            "tags": ["NodeConformance", "Conformance"],
        }
    ]
    assert [one["testname"] for one in data_of(client.get("/conformance-tests?text=complete"))] == ["Jobs"]
    assert data_of(client.get("/conformance-tests?tag=LinuxOnly&version=1.35")) == []
    page = client.get("/conformance-tests?limit=1").json
    assert page is not None
    assert (len(page["data"]), page["total"]) == (1, 2)
    assert "of 1.34 are stored" in message_of(client.get("/conformance-tests?version=1.34"), 404)


def test_conformance_tests_are_refused_whole(client: FlaskClient) -> None:
    """The message says where the mistake is."""
    assert message_of(client.put("/conformance-tests/v1.35.0", data="- codename: 4"), 400) == (
        "line 1, column 13: expected a string as codename, found an integer"
    )
    assert "body: empty" in message_of(client.put("/conformance-tests/v1.35.0"), 400)
