"""The history and the findings over HTTP, and on the result's page."""

import re

import pytest
from flask.testing import FlaskClient

from auditsvc.service import Service
from tests.web.made import CI, NOON, data_of, message_of, upload

TYPE = "AuditIneligibleConsistency"


def test_history(client: FlaskClient, runs: dict[str, str]) -> None:
    """Newest first, with since when and how many sets ago it Passed."""
    assert runs
    upload(client, CI, kind="ci", finished="2026-01-18T02:00:00Z")
    assert client.post("/audit?commit=true&wait=true").status_code == 200
    answer = client.get("/audit/history?type=swaggerTotal&type=ineligibleConsistency&limit=3")
    rows = data_of(answer)
    assert answer.json is not None
    assert (answer.json["total"], len(rows)) == (4, 3)
    assert rows[0] == {
        "window": {"start": "2026-01-18T00:00:00.000000Z", "end": "2026-01-19T00:00:00.000000Z"},
        "type": TYPE,
        "status": "Failed",
        "checked": 3,
        "last_run": "2026-01-18T09:30:00.000000Z",
        "since": "2026-01-17T00:00:00.000000Z",
        "last_passed": None,
        "sets_since_passed": None,
        "sets": 2,
    }
    passed = rows[1]
    assert (passed["status"], passed["sets_since_passed"]) == ("Passed", 0)
    assert passed["last_passed"] == passed["window"]
    assert [row["window"]["start"][:10] for row in rows] == ["2026-01-18", "2026-01-18", "2026-01-17"]
    [row] = data_of(client.get("/audit/history?type=swaggerTotal&window=2026-01-17,2026-01-18"))
    assert row["window"]["start"] == "2026-01-17T00:00:00.000000Z"


def test_findings(client: FlaskClient, runs: dict[str, str]) -> None:
    """What Kubecost's JSON has no room for: what to do, the operation, where it was seen."""
    rows = data_of(client.get("/model/etl/audit/findings?type=operationEquality"))
    [row] = rows
    assert row["operation"]["path"] == "/api/v1/namespaces/{namespace}/pods/{name}"
    seen = row.pop("seen")
    assert seen == {
        "run": f"pull run {runs['pull']}",
        "event": {"file": "request body", "line": 3},
        "tests": [],
        "more_tests": 0,
        "runs": 0,
        "of": 1,
    }
    assert row["resolution"]
    assert {name: row[name] for name in ("window", "type", "status", "key", "description", "detail")} == {
        "window": {"start": "2026-01-17T00:00:00.000000Z", "end": "2026-01-18T00:00:00.000000Z"},
        "type": "AuditOperationEquality",
        "status": "Warning",
        "key": "readPod",
        "description": f"readPod: in pull run {runs['pull']}, not in CI baseline {runs['ci']}",
        "detail": "",
    }


def test_findings_are_filtered(client: FlaskClient, runs: dict[str, str]) -> None:
    """By status and key, or of a run alone, which is in no window."""
    every = data_of(client.get("/audit/findings"))
    failed = data_of(client.get("/audit/findings?status=Failed"))
    assert failed == [row for row in every if row["status"] == "Failed"]
    assert 0 < len(failed) < len(every)
    named = data_of(client.get("/audit/findings?key=READ&window=2026-01-17,2026-01-18"))
    assert {row["key"] for row in named} == {"readPod"}
    of_run = f"/audit/findings?run={runs['ci']}"
    assert data_of(client.get(of_run)) == []
    client.post(f"/audit?run={runs['ci']}&wait=true")
    assert TYPE in {row["type"] for row in data_of(client.get(of_run))}
    message = message_of(client.get(f"{of_run}&window=1d"), 400)
    assert message == "window: a run's findings are its own, so give run or window, not both"


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("status=Passed", 400, "status: "),
        ("run=x", 404, "unknown run: x "),
        ("window=fortnight", 400, "illegal window: fortnight"),
        ("type=x", 400, "unknown audit type: x "),
        ("limit=0", 400, "limit: "),
    ],
)
def test_wrong_questions_are_refused(client: FlaskClient, query: str, status: int, message: str) -> None:
    """Each names the parameter."""
    assert message_of(client.get(f"/audit/findings?{query}"), status).startswith(message)


def test_page_of_a_result(client: FlaskClient, runs: dict[str, str], service: Service) -> None:
    """It tells since when, and where what was found was seen, with a way there."""
    day = NOON.date().isoformat()
    page = client.get(f"/pages/sets/{day}/ineligibleConsistency").text
    assert f"Failed since {day}; never Passed in 1 set" in page
    page = client.get(f"/pages/sets/{day}/operationEquality").text
    [(href, said)] = re.findall(r'<a href="(/runs/[^"]+)">([^<]+)</a>', page)
    assert said == f"seen first at request body:3 of pull run {runs['pull']}"
    assert client.get(href).status_code == 200
    service.audits.run(run_id=runs["pull"])
    page = client.get(f"/pages/runs/{runs['pull']}/operationEquality").text
    assert said in page
    assert "Since" not in page
