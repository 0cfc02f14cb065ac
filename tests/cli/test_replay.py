"""``auditsvc replay``: stored results once more, with what differs and what is gone."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.cli.conftest import CommandLine, Server

DAY = "2026-11-20,2026-11-21"


def test_replay(auditsvc_with_runs: CommandLine) -> None:
    """Real results are the same (0), then others (1), then their inputs are gone (2): each is said."""
    auditsvc = auditsvc_with_runs
    assert auditsvc("audit", "--window", DAY).returncode == 1
    before = auditsvc.stored()
    ran = auditsvc("replay", "--window", DAY)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "2026-11-20 AuditOperationEquality: same\n" in ran.stdout
    assert ran.stdout.count(": same\n") == len(ran.stdout.splitlines()) == 6
    assert auditsvc.stored() == before
    with closing(sqlite3.connect(auditsvc.data / "auditsvc.db")) as db, db:
        db.execute("""update results set text = replace(text, '"Checked":2', '"Checked":3'), code = 'old'""")
    ran = auditsvc("replay", "--window", DAY, "--type", "operationEquality")
    assert ran.returncode == 1
    assert '-  "Checked": 3\n+  "Checked": 2\n' in ran.stdout
    assert "  computed by other code then (old) than now (" in ran.stdout
    with closing(sqlite3.connect(auditsvc.data / "auditsvc.db")) as db, db:
        db.execute("pragma foreign_keys = on")
        [(run,)] = db.execute("delete from runs where kind = 'ci' returning id").fetchall()
    ran = auditsvc("replay", "--window", DAY, "--format", "json")
    assert ran.returncode == 2
    ended = {one["type"]: one for one in json.loads(ran.stdout)}
    assert ended["AuditOperationEquality"]["gone"] == [f"run {run} was deleted"]
    assert ended["AuditIneligibleConsistency"]["ended"] == "impossible"


def test_replay_of_a_run(auditsvc_with_runs: CommandLine) -> None:
    """--run repeats what was found in it alone."""
    auditsvc = auditsvc_with_runs
    ran = auditsvc("audit", "--window", DAY, "--format", "json")
    [run] = json.loads(ran.stdout)["subjects"]
    ran = auditsvc("replay", "--run", run)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"auditsvc: run {run} was never judged alone: auditsvc audit --run {run}\n"
    auditsvc("audit", "--run", run)
    ran = auditsvc("replay", "--run", run, "--type", "swaggerTotal")
    assert (ran.returncode, ran.stdout) == (0, f"pull run {run} AuditSwaggerTotal: same\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name a --window or a --run ("),
        (["--window", "1d", "--run", "x"], "name a --window or a --run ("),
        (["--run", "x"], "unknown run: x ("),
        (["--window", "1990-01-01,1990-01-02"], "no result is stored for [1990-01-01T00:00:00+0000, "),
        (["--window", "fortnight"], "illegal window: fortnight"),
        (["--window", "1d", "--type", "x"], "unknown audit type: x "),
    ],
)
def test_what_cannot_be_replayed_is_told(auditsvc: CommandLine, words: list[str], message: str) -> None:
    """One line, and 2."""
    ran = auditsvc("replay", *words)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith(f"auditsvc: {message}")


def test_a_server_tells_what_to_do(
    auditsvc_with_runs: CommandLine, serve: Callable[..., Server], tmp_path: Path
) -> None:
    """With --server the findings are those that are told here: details, resolutions, places, since when."""
    auditsvc = auditsvc_with_runs
    here = json.loads(auditsvc("audit", "--window", DAY, "--format", "json").stdout)
    server = serve(auditsvc, "serve", "--port", 0)
    client = CommandLine(tmp_path, tmp_path / "none")
    there = json.loads(client("audit", "--server", server.url, "--window", DAY, "--format", "json").stdout)
    assert there["history"] == here["history"]
    assert len(there["findings"]) == len(here["findings"]) > 20
    # The JSON of an AuditSet sorts its values, so those are told in another order.
    assert sorted(there["findings"], key=json.dumps) == sorted(here["findings"], key=json.dumps)
    [run] = here["subjects"]
    ran = client("audit", "--server", server.url, "--run", run)
    assert "→ remove the endpoint from the pending list: it is exercised now" in ran.stdout


def test_an_older_server_tells_less(auditsvc: CommandLine, httpserver: HTTPServer) -> None:
    """One that knows neither findings nor history still gives its results."""
    result = {"Status": "Passed", "Description": "", "LastRun": "2026-11-20T00:00:00.000000000Z"}
    window = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}
    audit_set = {"swaggerTotal": {**result, "MissingValues": None, "Checked": 3}, "window": window}
    httpserver.expect_request("/audit", method="POST").respond_with_json({"code": 200, "data": [audit_set]})
    for path in ("/audit/findings", "/audit/history"):
        answer = {"code": 404, "data": None, "message": "no such page"}
        httpserver.expect_request(path).respond_with_json(answer, status=404)
    ran = auditsvc("audit", "--server", httpserver.url_for(""), "--window", DAY, "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert (told["swaggerTotal"]["Status"], told["findings"], told["history"]) == ("Passed", [], [])
