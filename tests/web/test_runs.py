import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard
from flask.testing import FlaskClient

from auditsvc.service import Service
from tests.web.made import (
    CI,
    INELIGIBLE,
    NOON,
    PENDING,
    PULL,
    data_of,
    event,
    log_bytes,
    message_of,
    swagger_bytes,
    upload,
)

POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  stages: [Panic]\n"
GOLDEN_RUN = """{"code":201,"data":{\
"id":"{id}","kind":"pull","result":"failure","cluster":"kind","job":"e2e","build":"7","pull":"17","app":null,\
"revision":"4f6ad1c","version":"v1.34.0","started":"2026-01-17T11:00:00.000000Z",\
"finished":"2026-01-17T12:00:03.000000Z","swagger":null,"pending":null,"ineligible":null,"policy":null,\
"summary":{"requests":4,"mapped":3,"unmapped":{"non-api":1},"operations":3,"malformed":0,"duplicates":0,\
"incomplete":0,"events":4,"first":"2026-01-17T12:00:00.000000Z","last":"2026-01-17T12:00:03.000000Z",\
"imported":false,"backwards":0,"gaps":[],"never_completed":0,"deprecated":[]}}}
"""


def test_uploaded_run_is_the_golden_body(client: FlaskClient, runs: dict[str, str]) -> None:
    """201 with the run and its totals, whole, times in UTC; Location leads to it."""
    assert runs
    origin = "result=failure&cluster=kind&job=e2e&build=7&pull=17&revision=4f6ad1c"
    started = "started=2026-01-17T13:00:00%2B02:00"
    answer = client.post(f"/runs?kind=pull&{origin}&{started}", data=log_bytes(PULL))
    run_id = answer.location.removeprefix("/runs/")
    assert answer.text == GOLDEN_RUN.replace("{id}", run_id)
    assert data_of(client.get(answer.location)) == data_of(answer)


def test_same_content_is_the_same_run(client: FlaskClient, runs: dict[str, str]) -> None:
    """However it is packed: 200, and nothing new."""
    for packed in (log_bytes(), gzip.compress(log_bytes()), zstandard.compress(log_bytes())):
        answer = client.post("/runs?kind=ci", data=packed)
        assert answer.status_code == 200
        assert answer.location == f"/runs/{runs['ci']}"
    assert client.get("/runs?kind=ci").json["total"] == 1  # type: ignore[index] # a page, as the schema says


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/gzip", "text/plain; charset=utf-8", ""]
)
def test_body_is_the_log_whatever_it_is_called(
    client: FlaskClient, runs: dict[str, str], content_type: str
) -> None:
    """curl calls every body a form; only multipart/form-data is one."""
    answer = client.post("/runs?kind=ci", data=gzip.compress(log_bytes()), content_type=content_type)
    assert data_of(answer)["id"] == runs["ci"]


def test_content_encoding_is_packing(client: FlaskClient, runs: dict[str, str]) -> None:
    """`Content-Encoding: gzip` says what the log's first bytes say too."""
    body, headers = gzip.compress(log_bytes()), {"Content-Encoding": "gzip"}
    assert data_of(client.post("/runs?kind=ci", data=body, headers=headers))["id"] == runs["ci"]


def test_form_brings_logs_and_documents(client: FlaskClient, service: Service) -> None:
    """A store without any swagger: the run brings all of it, its log in two files, its swagger packed."""
    lines = log_bytes(PULL).splitlines(keepends=True)
    form = {
        "kind": "pull",
        "log": [(io.BytesIO(b"".join(lines[2:])), "2.log"), (io.BytesIO(b"".join(lines[:2])), "1.log")],
        "swagger": (io.BytesIO(gzip.compress(swagger_bytes())), "swagger.json.gz"),
        "pending": (io.BytesIO(PENDING.encode()), "pending.yaml"),
        "ineligible": (io.BytesIO(INELIGIBLE.encode()), "ineligible.yaml"),
        "policy": (io.BytesIO(gzip.compress(POLICY.encode())), "audit-policy.yaml.gz"),
    }
    run = data_of(client.post("/runs", data=form))
    assert run["summary"]["mapped"] == 3
    assert service.store.swaggers.document(run["swagger"]) == swagger_bytes()
    assert service.store.lists.text(run["pending"]) == PENDING.encode()
    assert service.store.policies.text(run["policy"]) == POLICY
    assert data_of(client.get(f"/runs/{run['id']}"))["policy"] == run["policy"]
    again = {name: run[name] for name in ("swagger", "pending", "ineligible", "policy")}
    with_hashes = {"kind": "pull", "log": (io.BytesIO(log_bytes(PULL)), "audit.log"), **again}
    answer = client.post("/runs", data=with_hashes)
    assert (answer.status_code, data_of(answer)["id"]) == (200, run["id"])
    assert not list(service.spool.iterdir())


def test_policy_is_linted_with_the_log(client: FlaskClient) -> None:
    """What is wrong with the policy that a run brought are warnings of the audit of its log."""
    form = {
        "log": (io.BytesIO(log_bytes(PULL)), "audit.log"),
        "swagger": (io.BytesIO(swagger_bytes()), "swagger.json"),
        "policy": (io.BytesIO(POLICY.encode()), "audit-policy.yaml"),
    }
    run = data_of(client.post("/runs?kind=pull", data=form))
    [found] = data_of(client.post(f"/audit?run={run['id']}&type=logIntegrity&wait=true"))
    result = found["logIntegrity"]
    assert (result["Status"], result["Checked"]) == ("Warning", 3)
    assert f"audit policy, sha256:{run['policy']}" in result["Description"]
    told = {one["Key"]: one["Description"] for one in result["MissingValues"]}
    assert list(told) == [f"{run['id']}/policy:{line}" for line in (4, 5)]
    assert "unknown key stages in a rule" in told[f"{run['id']}/policy:5"]


def test_form_and_query_say_the_origin_together(client: FlaskClient, runs: dict[str, str]) -> None:
    """What is in neither is unknown, what is in both is refused."""
    assert runs
    form = {"pull": "18", "log": (io.BytesIO(log_bytes()), "audit.log")}
    run = data_of(client.post("/runs?kind=pull&job=e2e", data=form))
    assert (run["kind"], run["job"], run["pull"]) == ("pull", "e2e", "18")
    form = {"pull": "18", "log": (io.BytesIO(log_bytes()), "audit.log")}
    assert message_of(client.post("/runs?kind=pull&pull=19", data=form), 400) == (
        "pull: given 2 times, and once is enough"
    )


@pytest.mark.parametrize(
    ("broken", "lines"),
    [
        (b'{"kind":"Event","audi', 1),
        (b"\xff\xfe\n", 1),
        (b"[" * 200_000, 1),
        (b'{"kind":"Event"}\n\n[]\n', 2),
    ],
    ids=["half", "not-utf8", "deep", "none"],
)
def test_lines_that_are_none_are_counted(
    client: FlaskClient, runs: dict[str, str], broken: bytes, lines: int
) -> None:
    """A log that was cut off or damaged is taken, and the run says so."""
    assert runs
    run = data_of(client.post("/runs?kind=app&app=shop", data=log_bytes() + broken))
    assert (run["summary"]["requests"], run["summary"]["malformed"]) == (2, lines)


def test_report_of_another_tool_is_a_run(
    client: FlaskClient, runs: dict[str, str], shared_data: Path
) -> None:
    """An audit-endpoints.txt tells no times: without any said, it is of the time of its upload."""
    assert runs
    report = (shared_data / "kubernetes-1.20.2" / "requestresponse-audit-endpoints.txt").read_bytes()
    sent = client.post("/runs?kind=ci", data=report)
    again = client.post("/runs?kind=ci", data=report)
    assert (sent.status_code, again.status_code) == (201, 200)
    assert data_of(sent)["finished"] == data_of(again)["finished"]
    times = "started=2026-01-17T11:00:00Z&finished=2026-01-17T12:00:00Z"
    assert data_of(client.post(f"/runs?kind=ci&{times}", data=report))["summary"]["imported"] is True


def test_runs_are_filtered_and_paged(client: FlaskClient, runs: dict[str, str]) -> None:
    """The last finished first; each filter alone keeps what it says."""
    later = upload(client, PULL, kind="app", app="shop", cluster="kind", finished="2026-01-18T00:00:00Z")

    def ids(query: str) -> list[str]:
        return [run["id"] for run in data_of(client.get(f"/runs?{query}"))]

    assert ids("") == [later, runs["pull"], runs["ci"]]
    assert ids("limit=1&offset=1") == [runs["pull"]]
    assert ids("kind=ci") == [runs["ci"]]
    assert ids("pull=17") == [runs["pull"]]
    assert ids("app=shop") == ids("cluster=kind") == ids("window=2026-01-18,2026-01-19") == [later]
    assert ids("result=failure") == ids("job=none") == []
    page = client.get("/runs?limit=1&offset=1").json
    assert page is not None
    assert (page["limit"], page["offset"], page["total"]) == (1, 1, 3)
    assert list(page) == ["code", "data", "limit", "offset", "total"]


def test_operations_of_a_run(client: FlaskClient, runs: dict[str, str]) -> None:
    """By name, each beside what the swagger says; filtered and paged."""
    path = f"/runs/{runs['pull']}/operations"
    operations = data_of(client.get(path))
    assert [one["id"] for one in operations] == ["createPod", "listPod", "readPod"]
    assert operations[1]["hits"] == operations[1]["success_hits"] == 1
    assert operations[1]["codes"] == {"2xx": 1}
    assert operations[1]["agents"] == {"kubectl": 1}
    assert (operations[1]["tested"], operations[1]["conf_tested"]) == (False, False)
    assert operations[1]["operation"]["path"] == "/api/v1/namespaces/{namespace}/pods"
    assert [one["id"] for one in data_of(client.get(f"{path}?text=POD&limit=1&offset=2"))] == ["readPod"]
    assert data_of(client.get(f"{path}?level=beta")) == []


def test_operation_of_a_run_has_its_tests_and_samples(client: FlaskClient, runs: dict[str, str]) -> None:
    """Who requested it, and the audit events as they were logged."""
    assert runs
    test = "[sig-node] Pods should run [Conformance]"
    logged = event("list", "/api/v1/namespaces/a/pods", userAgent=f"e2e.test/v1.34.0 -- {test}")
    run = data_of(client.post("/runs?kind=ci", data=json.dumps(logged).encode()))
    path = f"/runs/{run['id']}/operations"
    used = data_of(client.get(f"{path}/listPod"))
    assert used["tests"] == {test: 1}
    assert used["conformance_hits"] == 1
    assert used["first"] == used["last"] == NOON.isoformat().replace("+00:00", ".000000Z")
    [sample] = used["samples"]
    assert (sample["file"], sample["line"], json.loads(sample["event"])) == ("request body", 1, logged)
    [listed] = data_of(client.get(path))
    assert (listed["tested"], listed["conf_tested"]) == (True, True)
    assert "deletePod" in message_of(client.get(f"{path}/deletePod"), 404)


def test_comparison_with_the_baseline_and_with_any_run(client: FlaskClient, runs: dict[str, str]) -> None:
    """What was added, removed and requested more often; the run's own baseline by default."""
    twice = upload(client, (*CI, CI[0]), kind="ci", cluster="other")
    comparison = data_of(client.get(f"/runs/{runs['pull']}/compare"))
    assert (comparison["run"], comparison["baseline"]["id"]) == (runs["pull"], runs["ci"])
    assert [change["id"] for change in comparison["added"]] == ["readPod"]
    assert comparison["added"][0]["operation"]["level"] == "stable"
    assert (comparison["removed"], comparison["changed"], comparison["unchanged"]) == ([], [], 2)
    other = data_of(client.get(f"/runs/{runs['pull']}/compare?baseline={twice}"))
    [change] = other["changed"]
    assert (change["id"], change["hits"], change["baseline_hits"]) == ("listPod", 1, 2)
    assert "no baseline for " in message_of(client.get(f"/runs/{twice}/compare"), 404)


def test_deleted_run_is_gone(client: FlaskClient, runs: dict[str, str]) -> None:
    """With its usage; a second time it is unknown."""
    path = f"/runs/{runs['pull']}"
    assert client.delete(path).text == '{"code":200,"data":null}\n'
    unknown = f"unknown run: {runs['pull']} (GET /runs lists them)"
    assert message_of(client.delete(path), 404) == unknown
    for rest in ("", "/audit", "/operations", "/operations/listPod", "/compare"):
        assert message_of(client.get(path + rest), 404) == unknown


def test_an_upload_that_takes_long_is_a_job(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its progress can be looked at, and at its end it names the run; a refused one says why."""
    monkeypatch.setattr("auditsvc.service.jobs.TOLD_EVERY_SECONDS", 0)
    client.put("/swagger/v1.20.2", data=swagger_bytes())
    made = client.post("/runs?kind=ci", data=log_bytes())
    refused = client.post("/runs?kind=ci", data=b"x\n")
    assert (made.status_code, refused.status_code) == (201, 400)
    failed, done = client.get("/audit/jobs").json["data"]  # type: ignore[index]
    assert (done["kind"], done["state"], done["done"]) == ("run upload", "done", len(log_bytes()))
    assert done["link"] == made.json["data"]["id"]  # type: ignore[index]
    assert (failed["state"], failed["error"]) == ("failed", refused.json["message"])  # type: ignore[index]


def test_app_run_may_be_a_part_of_a_log(client: FlaskClient, runs: dict[str, str]) -> None:
    """Only the requests of one user agent, namespace or service account; only of an app run."""
    assert runs
    answer = client.post("/runs?kind=app&app=x&namespace=a&agent=kubectl", data=log_bytes(PULL))
    assert data_of(answer)["summary"]["requests"] == 3
    told = message_of(client.post("/runs?kind=app&app=x&service_account=a:b", data=log_bytes(PULL)), 400)
    assert told == "service account a:b: the log has no request of it"
    told = message_of(client.post("/runs?kind=ci&agent=kubectl", data=log_bytes(PULL)), 400)
    assert told == "agent kubectl: only a run of kind app is a part of a log"
