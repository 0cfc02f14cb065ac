"""``auditsvc audit``: over the store, and on a server that really runs."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from auditsvc.config import Config
from auditsvc.service import open_service
from tests.cli.conftest import CommandLine, Server

DAY = "2026-11-20,2026-11-21"
RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "audit" / "audit-policy.yaml"
STATUSES = {
    "deprecatedUse": "Warning",
    "ineligibleConsistency": "Failed",
    "logIntegrity": "Passed",
    "operationEquality": "Failed",
    "pendingReconciliation": "Failed",
    "swaggerTotal": "Passed",
}


def statuses(report: dict[str, object]) -> dict[str, str]:
    """The statuses in a report in JSON, by key."""
    return {
        key: result["Status"]
        for key, result in report.items()
        if isinstance(result, dict) and "Status" in result
    }


def test_every_day_with_data(auditsvc_with_runs: CommandLine) -> None:
    """--commit audits the days with data: a line of JSON each, kept in the store."""
    auditsvc = auditsvc_with_runs
    ran = auditsvc("audit", "--commit", "--format", "json")
    assert (ran.returncode, ran.stderr) == (1, "")
    [report] = map(json.loads, ran.stdout.splitlines())
    assert statuses(report) == STATUSES
    assert report["window"] == {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}
    assert [subject[:5] for subject in report["subjects"]] == ["pull-"]
    with open_service(Config(data=auditsvc.data)) as service:
        assert {stored.key for stored in service.audits.stored()} == STATUSES.keys()


def test_text_says_what_to_do(auditsvc_with_runs: CommandLine) -> None:
    """The text has a table, every finding, and what to do about it."""
    ran = auditsvc_with_runs("audit", "--window", DAY)
    assert ran.returncode == 1
    assert re.search(r"AuditOperationEquality +Failed +2 +24\n", ran.stdout)
    assert "→ remove the endpoint from the pending list: it is exercised now" in ran.stdout


def test_one_type(auditsvc_with_runs: CommandLine) -> None:
    """--type runs that one alone, and the exit code is its."""
    ran = auditsvc_with_runs("audit", "--window", DAY, "--type", "swaggerTotal", "--format", "json")
    assert ran.returncode == 0
    assert statuses(json.loads(ran.stdout)) == {"swaggerTotal": "Passed"}


def test_one_run(auditsvc_with_runs: CommandLine) -> None:
    """--run judges that run alone, and its result is in no AuditSet."""
    auditsvc = auditsvc_with_runs
    with open_service(Config(data=auditsvc.data)) as service:
        [ci] = service.runs.find(job=None, pull=None, limit=10)[0][:1]
    ran = auditsvc("audit", "--run", ci.id, "--format", "junit")
    assert ran.returncode == 1
    assert fromstring(ran.stdout).get("tests") == str(len(STATUSES))
    with open_service(Config(data=auditsvc.data)) as service:
        assert len(service.runs.results(ci.id)) == len(STATUSES)
        assert service.audits.stored() == []


def test_several_days(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """Each day is a report of its own: one after the other, or refused where the format is one document."""
    auditsvc = auditsvc_with_runs
    words = "--kind", "ci", "--cluster", "demo", "--finished", "2026-11-22T00:00:00Z"
    assert auditsvc("ingest", *words, demo_data / "ci-audit.log.gz").returncode == 0
    ran = auditsvc("audit", "--commit", "--format", "json")
    reports = list(map(json.loads, ran.stdout.splitlines()))
    assert [report["window"]["start"][:10] for report in reports] == ["2026-11-20", "2026-11-22"]
    ran = auditsvc("audit", "--commit", "--format", "sarif")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: sarif is one document, and 2 days were audited: name a --window")


def test_an_empty_window_fails_in_the_open(auditsvc_with_runs: CommandLine) -> None:
    """A window without data is audited at its last day: nothing to compare is no pass."""
    ran = auditsvc_with_runs("audit", "--window", "2020-01-01,2020-01-03", "--format", "json")
    assert ran.returncode == 1
    report = json.loads(ran.stdout)
    assert report["window"]["start"] == "2020-01-02T00:00:00Z"
    assert report["operationEquality"]["Status"] == "Failed"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [],
            "name a --window or a --run; or confirm by --commit that every day with data is to be audited (",
        ),
        (["--window", "fortnight"], "illegal window: fortnight\n"),
        (["--window", "2026-11-21,2026-11-20"], "illegal window: 2026-11-21,2026-11-20\n"),
        (["--run", "pull-1"], "unknown run: pull-1 ("),
        (
            ["--run", "pull-1", "--window", "7d"],
            "a run is audited alone: give a --window or a --run, not both",
        ),
        (
            ["--commit", "--type", "nope"],
            "unknown audit type: nope (known are AuditAllocationReconciliation, ",
        ),
        (["--commit", "--server", "localhost"], "--server: localhost is no http:// or https:// URL ("),
        (
            ["--commit", "--server", "http://127.0.0.1:1"],
            "cannot reach http://127.0.0.1:1: Connection refused",
        ),
        (["--commit", "--kind", "ci"], "--kind describes an --upload, and there is none ("),
        (
            ["--upload", "/dev/null", "--kind", "ci"],
            "--upload sends to a --server; `auditsvc ingest` takes a",
        ),
        (["--upload", "/dev/null", "--server", "http://a"], "--upload needs --kind ("),
        (["--upload", "no.log"], "Invalid value for '--upload': File 'no.log' does not exist."),
    ],
)
def test_what_cannot_be_audited_is_told(
    auditsvc_with_runs: CommandLine, words: list[str], message: str
) -> None:
    """Options that make no sense, unknown windows, types, runs and servers: one line, 2, nothing stored."""
    auditsvc = auditsvc_with_runs
    before = auditsvc.stored()
    ran = auditsvc("audit", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == before


def test_an_empty_store_is_no_pass(auditsvc: CommandLine) -> None:
    """Where nothing was ever received nothing can be audited, and that is 2."""
    for words in (["--commit"], ["--window", "7d"]):
        ran = auditsvc("audit", *words)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "nothing" in ran.stderr


def test_on_a_server(auditsvc_with_runs: CommandLine, serve: Callable[..., Server], tmp_path: Path) -> None:
    """--server runs the audits there, and prints and exits as if they had run here."""
    server = serve(auditsvc_with_runs, "serve", "--port", 0)
    client = CommandLine(tmp_path, tmp_path / "none")
    ran = client("audit", "--server", server.url, "--window", DAY, "--format", "json")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert statuses(json.loads(ran.stdout)) == STATUSES
    ran = client("audit", "--server", f"{server.url}/", "--window", DAY, "--type", "swaggerTotal")
    assert ran.returncode == 0
    assert not client.data.exists()


def test_upload_and_audit_is_one_line_of_ci(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], demo_data: Path, tmp_path: Path
) -> None:
    """--upload sends a log in rotated files with its documents, audits that run alone, prints and exits."""
    server = serve(auditsvc_with_runs, "serve", "--port", 0)
    client = CommandLine(tmp_path, tmp_path / "none")
    name = 'audit "1"\n.log.gz'
    (tmp_path / name).write_bytes((demo_data / "pull-audit.log.gz").read_bytes())
    ran = client(
        *("audit", "--server", server.url, "--upload", name, "--upload", demo_data / "ci-audit.log.gz"),
        *("--kind", "pull", "--pull", "8", "--cluster", "demo", "--finished", "2026-11-21T01:00:00+01:00"),
        *("--swagger", demo_data / "openapi-v2.json.gz"),
        *("--pending", demo_data / "demo-1.20.2-pending.yaml"),
        *("--ineligible", demo_data / "demo-1.20.2-ineligible.yaml"),
        *("--policy", RECIPE, "--format", "json"),
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    report = json.loads(ran.stdout)
    assert statuses(report) == STATUSES
    with open_service(Config(data=auditsvc_with_runs.data)) as service:
        [run] = service.runs.find(pull="8", limit=10)[0]
        assert (run.cluster, run.finished.isoformat()) == ("demo", "2026-11-21T00:00:00+00:00")
        assert run.swagger
        assert run.policy == sha256(RECIPE.read_bytes()).hexdigest()
        assert f"0 mistakes in its audit policy, sha256:{run.policy}" in ran.stdout
        assert report["title"] == f"audit of run {run.id}"
        assert service.runs.summary(run.id).requests > 3850


def test_a_refusal_of_the_server_is_told(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """What the server refuses is told in its words, with 2."""
    server = serve(auditsvc_with_runs, "serve", "--port", 0)
    client = CommandLine(tmp_path, tmp_path / "none")
    (tmp_path / "audit.log").write_text("hello\n")
    for words, message in (
        (["--run", "pull-1"], "404: unknown run: pull-1"),
        (["--window", "fortnight"], "400: illegal window: fortnight"),
        (["--upload", "audit.log", "--kind", "ci"], "400: audit.log: no audit event in it"),
    ):
        ran = client("audit", "--server", server.url, *words)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"auditsvc: {server.url} answered {message}")
        assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Response("<html>", status=502), "is no auditsvc: it answered 502 BAD GATEWAY"),
        (Response("[]"), "is no auditsvc: it answered 200 OK"),
        (Response('{"code": 200, "data": [{"x": 1}]}'), "did not answer with AuditSets"),
        (Response(status=301, headers={"Location": "https://b/audit"}), "has moved: use https://b/audit"),
    ],
)
def test_what_is_no_auditsvc_is_told(
    auditsvc: CommandLine, httpserver: HTTPServer, answer: Response, message: str
) -> None:
    """A proxy's page, another program and a redirect, which would make a GET of the POST, are told."""
    httpserver.expect_request("/audit", method="POST").respond_with_response(answer)
    url = httpserver.url_for("/").rstrip("/")
    ran = auditsvc("audit", "--server", url, "--commit")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {url} {message}")


def test_the_token_is_shown_to_the_server(auditsvc: CommandLine, httpserver: HTTPServer) -> None:
    """AUDITSVC_TOKEN is the bearer token, whatever a .netrc says."""
    tokens = []

    def answer(request: Request) -> Response:
        tokens.append(request.headers["Authorization"])
        return Response('{"code": 401, "data": null, "message": "no such token"}', status=401)

    httpserver.expect_request("/audit").respond_with_handler(answer)
    (auditsvc.home / ".netrc").write_text("default login a password b\n")
    auditsvc.variables["AUDITSVC_TOKEN"] = "secret"
    url = httpserver.url_for("/").rstrip("/")
    ran = auditsvc("audit", "--server", url, "--commit")
    assert tokens == ["Bearer secret"]
    assert (ran.returncode, ran.stderr) == (2, f"auditsvc: {url} answered 401: no such token\n")
