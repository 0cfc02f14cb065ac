import json
import re
import sqlite3
import threading
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auditsvc.audits import audit_types
from auditsvc.service import Service
from tests.web.made import CI, data_of, fill, message_of, upload

OURS = "type=operationEquality&type=swaggerTotal&type=pendingReconciliation&type=ineligibleConsistency"

GOLDEN = """{"code":200,"data":[{\
"assetTotal":null,\
"ineligibleConsistency":{"Status":"Failed",\
"Description":"2 entries in ineligible_endpoints.yaml; listed twice: createPod (line 4)",\
"LastRun":"2026-01-18T09:30:00.000000000Z",\
"Results":{"list":{"duplicate":{"Expected":0,"Actual":1}}},\
"MissingValues":null,"Checked":3},\
"operationEquality":{"Status":"Warning",\
"Description":"pull run {pull} is held against CI baseline {ci}, which finished 2 s before it; \
pull run {pull}: 5 operations in swagger, 2 in CI baseline, 3 in pull run, 1 added, 0 removed, net +1",\
"LastRun":"2026-01-18T09:30:00.000000000Z","Runs":{},\
"MissingValues":[{"Description":"in pull run {pull}, not in CI baseline {ci}","Key":"readPod"}],\
"Checked":2},\
"swaggerTotal":{"Status":"Passed",\
"Description":"pull run {pull}: 5 operations → 5 observable → 5 not deprecated → 4 stable → 3 eligible \
= 2 exercised + 1 pending only + 0 untested",\
"LastRun":"2026-01-18T09:30:00.000000000Z",\
"TotalByGroup":{},"TotalByLevel":{},"TotalByMethod":{},"TotalByRun":{},\
"MissingValues":null,"Checked":10},\
"window":{"start":"2026-01-17T00:00:00Z","end":"2026-01-18T00:00:00Z"}}]}
"""


@pytest.mark.parametrize("path", ["/audit", "/model/etl/audit"])
def test_audit_sets_are_the_golden_bytes(client: FlaskClient, runs: dict[str, str], path: str) -> None:
    """A clean, a warned, a failed and a never-run audit, whole, in Kubecost's shape and order."""
    asked = "type=swaggerTotal&type=AuditOperationEquality&type=ineligibleConsistency&type=assetTotal"
    answer = client.get(f"{path}?window=2026-01-17,2026-01-18&{asked}")
    golden = GOLDEN
    for kind, run_id in runs.items():
        golden = golden.replace(f"{{{kind}}}", run_id)
    assert answer.text == golden
    assert answer.content_type == "application/json"


def test_audit_sets_are_the_stored_bytes(client: FlaskClient, runs: dict[str, str], service: Service) -> None:
    """What was stored is joined, not written anew."""
    assert runs
    body = client.get("/audit").text
    stored = service.audits.stored()
    assert len(stored) == 6
    assert all(f'"{one.key}":{one.text}' in body for one in stored)


def test_audit_set_has_a_key_for_each_audit(client: FlaskClient, runs: dict[str, str]) -> None:
    """Without a type every key is there, in the registry's order, and the window last."""
    assert runs
    [audit_set] = data_of(client.get("/audit"))
    assert list(audit_set) == [*(known.key for known in audit_types()), "window"]


@pytest.mark.parametrize(
    ("window", "days"), [("2d", 1), ("2026-01-17T23:59:59Z,2026-01-18T00:00:00Z", 1), ("today", 0)]
)
def test_window_touches_the_days_that_it_overlaps(
    client: FlaskClient, runs: dict[str, str], window: str, days: int
) -> None:
    """The AuditSets are those of whole days; where there is nothing the list is empty."""
    assert runs
    assert len(data_of(client.get("/audit", query_string={"window": window}))) == days


def test_empty_store_has_no_audit_sets(client: FlaskClient) -> None:
    """No data is no error."""
    assert client.get("/audit").text == '{"code":200,"data":[]}\n'


def test_empty_store_has_nothing_to_audit(client: FlaskClient) -> None:
    """That is said at once, and no job is started."""
    assert message_of(client.post("/audit?commit=true"), 400).startswith("nothing to audit: ")
    assert data_of(client.get("/audit/jobs")) == []


def test_audits_that_break_are_a_bug(client: FlaskClient, runs: dict[str, str], service: Service) -> None:
    """Who waits is told, and the job says the same: here the store lost a table."""
    with closing(sqlite3.connect(service.store.path)) as db:
        db.execute("drop table usage")
    message = message_of(client.post(f"/audit?run={runs['pull']}&wait=true"), 500)
    assert message.startswith("the audits did not finish: an internal error")
    [job] = data_of(client.get("/audit/jobs?state=failed"))
    assert message.endswith(job["error"])


def test_audits_are_started_at_once(client: FlaskClient, runs: dict[str, str]) -> None:
    """The answer is Kubecost's sentence, and Location leads to the job."""
    assert runs
    answer = client.post("/audit?window=2026-01-16T20:23:08Z,2026-01-19T20:23:08Z")
    window = "[2026-01-16T20:23:08+0000, 2026-01-19T20:23:08+0000)"
    assert data_of(answer) == f"Running audit over window: {window} for all audit types"
    job = data_of(client.get(answer.location))
    assert (job["kind"], job["description"]) == ("audit", data_of(answer))
    assert re.fullmatch(r"/audit/jobs/[0-9]+", answer.location)


def test_audits_that_were_named_are_named(client: FlaskClient, runs: dict[str, str]) -> None:
    """By type or by key; the sentence has the types."""
    assert runs
    answer = client.post("/model/etl/audit?window=2d&type=swaggerTotal&type=AuditOperationEquality")
    assert data_of(answer).endswith(" for audit types AuditOperationEquality, AuditSwaggerTotal")
    assert answer.location.startswith("/audit/jobs/")


def test_waiting_answers_with_the_audit_sets(client: FlaskClient, runs: dict[str, str]) -> None:
    """`wait=true` gives the sets of the window and the audits asked for."""
    assert runs
    answer = client.post("/audit?window=2d&type=swaggerTotal&wait=true")
    assert answer.text == client.get("/audit?window=2d&type=swaggerTotal").text
    assert data_of(client.get(answer.location))["state"] == "done"


def test_commit_without_a_window_audits_every_day(client: FlaskClient, service: Service) -> None:
    """Every day with data gets its AuditSet."""
    fill(client)
    upload(client, CI, kind="ci", finished="2026-01-18T02:00:00Z")
    sets = data_of(client.post("/audit?commit=true&wait=true"))
    assert [one["window"]["start"] for one in sets] == ["2026-01-17T00:00:00Z", "2026-01-18T00:00:00Z"]
    assert service.audits.windows(limit=9)[1] == 2


def test_parameters_may_be_a_form(client: FlaskClient, runs: dict[str, str]) -> None:
    """As `curl -d` sends them."""
    assert runs
    fields = {"window": "2d", "type": ["swaggerTotal", "operationEquality"]}
    answer = client.post("/audit", data=fields)
    assert data_of(answer).endswith("for audit types AuditOperationEquality, AuditSwaggerTotal")
    assert message_of(client.post("/audit", data={"window": "2d", "typ": "x"}), 400).startswith(
        "typ: unknown"
    )
    assert message_of(client.post("/audit?window=1d", data=fields), 400).startswith("window: given 2 times")


def test_run_alone_is_judged_apart(client: FlaskClient, runs: dict[str, str]) -> None:
    """Its results are kept with the run and change no AuditSet."""
    before = client.get("/audit").text
    pull = runs["pull"]
    never = data_of(client.get(f"/runs/{pull}/audit"))[0]
    assert {value for key, value in never.items() if key != "window"} == {None}
    answer = client.post(f"/audit?run={pull}&type=operationEquality&wait=true")
    [judged] = data_of(answer)
    assert list(judged) == ["operationEquality", "window"]
    assert judged["operationEquality"]["Status"] == "Warning"
    [kept] = data_of(client.get(f"/runs/{pull}/audit"))
    assert kept["operationEquality"] == judged["operationEquality"]
    assert client.get("/audit").text == before
    assert message_of(client.post(f"/audit?run={pull}&window=2d"), 400).startswith("window: ")


def test_types_are_those_of_the_registry(client: FlaskClient) -> None:
    """Type, key, description and sources of each."""
    types = data_of(client.get("/audit/types"))
    assert [one["type"] for one in types] == [known.name for known in audit_types()]
    assert types[-1] == {
        "type": "AuditSwaggerTotal",
        "key": "swaggerTotal",
        "description": "The totals add up.",
        "sources": types[-1]["sources"],
    }
    assert "swagger" in types[-1]["sources"]


def test_jobs_are_paged_newest_first(client: FlaskClient, runs: dict[str, str]) -> None:
    """With limit, offset and total; a state keeps those in it."""
    assert runs
    before = len(data_of(client.get("/audit/jobs")))
    for _ in range(2):
        client.post("/audit?window=2d&wait=true")
    page = client.get("/audit/jobs?limit=2").json
    assert page is not None
    assert [job["id"] for job in page["data"]] == [str(before + 2), str(before + 1)]
    assert (page["limit"], page["offset"], page["total"]) == (2, 0, before + 2)
    assert data_of(client.get("/audit/jobs?state=failed")) == []


def test_audits_may_be_asked_for_by_many_at_once(app: Flask, runs: dict[str, str]) -> None:
    """Jobs run one after the other: each ends, and the AuditSet is whole."""
    assert runs
    statuses = []

    def ask() -> None:
        statuses.append(app.test_client().post("/audit?window=2d&wait=true").status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    [audit_set] = json.loads(app.test_client().get("/audit").text)["data"]
    assert audit_set["swaggerTotal"]["Status"] == "Passed"
