"""``auditsvc check`` against one CI run and several: what a baseline is, and what never passes."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.exports import endpoints_txt
from tests.cli.conftest import CommandLine, Ran
from tests.logs import NOON, event

SWAGGER = {
    "swagger": "2.0",
    "info": {"version": "v1.30.0"},
    "paths": {
        f"/api/v1/{name}": {"get": {"operationId": f"list{name}", "description": "list"}}
        for name in ("a", "b", "c")
    },
}


def log_of(*names: str, days: float = 0) -> bytes:
    """A packed log that requests those operations, so many days after noon."""
    first = days * 86400
    return gzip.compress(
        b"".join(
            event(f"id-{number}", uri=f"/api/v1/{name}", received=first + number)
            for number, name in enumerate(names)
        )
    )


def report_of(*names: str) -> bytes:
    """An audit-endpoints.txt of those operations."""
    used = {f"list{name}": OperationUsage(1) for name in names}
    return endpoints_txt.render(Usage(used, len(used), len(used))).encode()


@pytest.fixture
def folder(auditsvc: CommandLine) -> Path:
    """Where the command runs: a swagger of three operations, lists, a pull request that used two of them."""
    (auditsvc.home / "swagger.json").write_text(json.dumps(SWAGGER))
    for name in ("pending", "ineligible"):
        (auditsvc.home / f"{name}.yaml").write_text("")
    (auditsvc.home / "pull.log.gz").write_bytes(log_of("a", "b"))
    return auditsvc.home


def put(path: Path, content: bytes) -> Path:
    """A file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def compare(auditsvc: CommandLine, *words: object, pull: str = "pull.log.gz") -> Ran:
    """Judges the pull request's equality with its baseline."""
    given = "--swagger", "swagger.json", "--pull", pull, *words
    return auditsvc("check", *given, "--type", "operationEquality", "--format", "json")


def result(ran: Ran) -> dict[str, Any]:
    """The result of the comparison."""
    found: dict[str, Any] = json.loads(ran.stdout)["operationEquality"]
    return found


def test_flakes(auditsvc: CommandLine, folder: Path) -> None:
    """Of several CI runs, what a quorum of them exercised is the baseline; findings say in how many."""
    runs = [
        put(folder / "1001" / "audit.log.gz", log_of("a", "b")).parent,
        put(folder / "1002" / "artifacts" / "audit" / "audit-1.log.gz", log_of("a", "c")).parents[2],
        put(folder / "1003.log.gz", log_of("a", "b")),
    ]
    words = [word for run in runs for word in ("--baseline-run", run)]
    any_run = result(compare(auditsvc, *words))
    assert any_run["Status"] == "Failed"
    assert [one["Key"] for one in any_run["MissingValues"]] == ["listc"]
    auditsvc.variables.update(AUDITSVC_BASELINE_RUNS="3", AUDITSVC_BASELINE_QUORUM="2")
    ran = compare(auditsvc, *words)
    assert (ran.returncode, result(ran)["Status"]) == (0, "Passed")
    assert "at least 2 of the 3 runs" in result(ran)["Description"]
    auditsvc.variables.update(AUDITSVC_BASELINE_QUORUM="3")
    ran = compare(auditsvc, *words)
    [found] = json.loads(ran.stdout)["findings"]
    assert (found["key"], found["seen"]["runs"], found["seen"]["of"]) == ("listb", 2, 3)
    told = auditsvc("check", "--swagger", "swagger.json", "--pull", "pull.log.gz", *words).stdout
    assert "in 2 of the last 3 CI runs" in told


def test_rotated_files_and_runs(auditsvc: CommandLine, folder: Path) -> None:
    """--baseline is one run however often, and each --baseline-run one more; a folder's logs are one run."""
    put(folder / "old" / "audit-1.log.gz", log_of("a"))
    put(folder / "old" / "audit.log.gz", log_of("b", days=0.1))
    put(folder / "new-1.gz", log_of("a"))
    put(folder / "new-2.gz", log_of("b", days=0.1))
    auditsvc.variables.update(AUDITSVC_BASELINE_RUNS="2", AUDITSVC_BASELINE_QUORUM="2")
    ran = compare(auditsvc, "--baseline", "new-1.gz", "--baseline", "new-2.gz", "--baseline-run", "old")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert result(ran)["MissingValues"] is None


@pytest.mark.parametrize(
    ("days", "quorum", "status", "said"),
    [
        ((0, 3), "1", "Passed", ""),
        ((6.9, -6.9), "2", "Passed", ""),
        (
            (8,),
            "1",
            "Failed",
            "1.log.gz is 8 d away from pull run pull.log.gz: more than 7 d (baseline_max_age)",
        ),
        ((-400,), "1", "Failed", "0 CI runs can be the baseline, and 1 must agree; 1.log.gz is 400 d away"),
        ((0, 8), "2", "Failed", "1 CI runs can be the baseline, and 2 must agree; 2.log.gz is 8 d away from"),
        ((0,), "2", "Failed", "1 CI runs can be the baseline, and 2 must agree"),
    ],
)
def test_a_stale_baseline_never_passes(
    auditsvc: CommandLine, folder: Path, days: tuple[float, ...], quorum: str, status: str, said: str
) -> None:
    """A CI run that is too far from the pull request's, or too few of them: Failed, which says so."""
    words: list[object] = []
    for number, after in enumerate(days, 1):
        words += ["--baseline-run", put(folder / f"{number}.log.gz", log_of("a", "b", days=after))]
    auditsvc.variables.update(AUDITSVC_BASELINE_RUNS="2", AUDITSVC_BASELINE_QUORUM=quorum)
    ran = compare(auditsvc, *words)
    assert ran.returncode == (status == "Failed")
    assert result(ran)["Status"] == status
    assert said in result(ran)["Description"]


def test_stale_runs_among_others_are_left_out(auditsvc: CommandLine, folder: Path) -> None:
    """A stale run is no part of the baseline, and that is told."""
    put(folder / "new.log.gz", log_of("a", "b"))
    put(folder / "old.log.gz", log_of("a", "b", "c", days=-30))
    ran = compare(auditsvc, "--baseline-run", "old.log.gz", "--baseline-run", "new.log.gz")
    assert (ran.returncode, result(ran)["MissingValues"]) == (0, None)
    assert ran.stderr.startswith("left out of the baseline: old.log.gz is 29 d 23 h away from pull run")


@pytest.mark.parametrize(
    ("days", "result_of_build", "code", "said"),
    [
        (0, "SUCCESS", 0, "which finished 3 min 20 s before it"),
        (30, "SUCCESS", 1, "build is 30 d away from pull run pull.log.gz: more than 7 d"),
        (0, "FAILURE", 2, "build/finished.json: this build did not succeed, so it is no baseline"),
    ],
)
def test_a_build_of_prow(
    auditsvc: CommandLine, folder: Path, days: int, result_of_build: str, code: int, said: str
) -> None:
    """The folder of a whole build tells when it finished, also of a report; a failed one is no baseline."""
    put(folder / "build" / "artifacts" / "audit" / "audit-endpoints.txt", report_of("a", "b"))
    at = NOON - timedelta(days=days, seconds=199)
    stage = {"timestamp": int(at.timestamp()), "result": result_of_build}
    put(folder / "build" / "finished.json", json.dumps(stage).encode())
    ran = compare(auditsvc, "--baseline-run", "build")
    assert ran.returncode == code
    assert said in ran.stdout + ran.stderr
    assert "tells no time" not in ran.stderr


def test_a_report_tells_no_time(auditsvc: CommandLine, folder: Path) -> None:
    """Whether an audit-endpoints.txt is stale cannot be judged, and that is told."""
    put(folder / "1001" / "audit-endpoints.txt", report_of("a", "b"))
    ran = compare(auditsvc, "--baseline-run", "1001")
    assert (ran.returncode, result(ran)["Status"]) == (0, "Passed")
    assert ran.stderr == "1001 tells no time, so how old this baseline is cannot be judged\n"
    assert "CI baseline 1001, which is of unknown age: a report tells no time" in result(ran)["Description"]


def test_the_report_of_a_pull_tells_no_time(auditsvc: CommandLine, folder: Path) -> None:
    """How far a CI run is from it is not known either, and no age is made up."""
    put(folder / "ci.log.gz", log_of("a", "b"))
    put(folder / "pull.txt", report_of("a", "b"))
    ran = compare(auditsvc, "--baseline", "ci.log.gz", pull="pull.txt")
    assert (ran.returncode, result(ran)["Status"]) == (0, "Passed")
    assert "CI baseline ci.log.gz, which is of unknown age" in result(ran)["Description"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.log", b"", "x.log: no audit event in it"),
        ("x.log", b" \n\n", "x.log: no audit event in it"),
        (
            "x.log",
            gzip.decompress(log_of("nothing")),
            "x.log: no request in it is of an operation of the swagger",
        ),
        ("x.txt", report_of(), "x.txt: no request in it is of an operation of the swagger"),
    ],
)
@pytest.mark.parametrize("side", ["--pull", "--baseline", "--baseline-run"])
def test_an_empty_log_never_passes(
    auditsvc: CommandLine, folder: Path, name: str, content: bytes, said: str, side: str
) -> None:
    """An empty log or report is no run, on either side: the result is Failed and says so, in each report."""
    put(folder / name, content)
    other = ["--pull", "pull.log.gz"] if side != "--pull" else []
    words = "--swagger", "swagger.json", side, name, *other, "--report", "json=report.json"
    ran = auditsvc("check", *words)
    assert ran.returncode == 1
    found = json.loads((folder / "report.json").read_text())["operationEquality"]
    assert found["Status"] == "Failed"
    assert said in found["Description"]


@pytest.mark.parametrize("side", ["--pull", "--baseline", "--baseline-run"])
def test_what_is_no_log_is_an_error(auditsvc: CommandLine, folder: Path, side: str) -> None:
    """A file that holds something else than audit events is not judged: 2, one line, no report."""
    put(folder / "x.log", b"no event\n")
    other = ["--pull", "pull.log.gz"] if side != "--pull" else []
    words = "--swagger", "swagger.json", side, "x.log", *other, "--report", "json=report.json"
    ran = auditsvc("check", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[-1].startswith("auditsvc: x.log: no audit event in it")
    assert not (folder / "report.json").exists()


def test_an_empty_log_does_not_pass_for_what_needs_no_run(auditsvc: CommandLine, folder: Path) -> None:
    """An audit of the swagger alone would pass whatever the log holds: 2, and no report."""
    put(folder / "x.log", b"")
    ran = auditsvc("check", "--swagger", "swagger.json", "--pull", "x.log", "--type", "swaggerTotal")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: x.log: no audit event in it")


def test_an_empty_run_leaves_nothing_for_others(auditsvc: CommandLine, folder: Path) -> None:
    """Reports of what it used are not written and --fix lists nothing; the results are in every other."""
    put(folder / "x.log.gz", gzip.compress(b"\n"))
    put(folder / "pending.yaml", b"- listgone\n")
    auditsvc.variables.update(ARTIFACTS="artifacts")
    words = "--pull", "x.log.gz", "--pending", "pending.yaml", "--fix", "--report", "endpoints=used.txt"
    ran = auditsvc("check", "--swagger", "swagger.json", *words, "--report", "junit=out.xml")
    assert ran.returncode == 1
    assert "--report endpoints: used.txt is not written, as no run was judged" in ran.stderr
    assert not (folder / "used.txt").exists()
    assert "x.log.gz: no audit event in it" in (folder / "out.xml").read_text()
    assert not list((folder / "artifacts" / "audit").iterdir())
    assert json.loads((folder / "artifacts" / "metadata.json").read_text())["auditsvc"]["status"] == "Failed"
    assert (folder / "pending.yaml").read_text() == "- listgone\n"


def test_an_empty_run_among_others_is_left_out(auditsvc: CommandLine, folder: Path) -> None:
    """Of several CI runs an empty one is no part of the baseline, and that is told."""
    put(folder / "ci.log.gz", log_of("a", "b"))
    put(folder / "x.log", b"")
    ran = compare(auditsvc, "--baseline-run", "ci.log.gz", "--baseline-run", "x.log")
    assert (ran.returncode, result(ran)["Status"]) == (0, "Passed")
    assert ran.stderr.startswith("left out of the baseline: x.log: no audit event in it")


@pytest.mark.usefixtures("folder")
def test_no_run_never_passes(auditsvc: CommandLine) -> None:
    """Without a run, what judges runs is left out, and that is told; by name it is Failed."""
    lists = "--pending", "pending.yaml", "--ineligible", "ineligible.yaml"
    left_out = auditsvc("check", "--swagger", "swagger.json", *lists)
    assert "left out, as their files are not given: " in left_out.stderr
    assert "AuditPendingReconciliation" in left_out.stderr
    named = auditsvc("check", "--swagger", "swagger.json", *lists, "--type", "pendingReconciliation")
    assert named.returncode == 1
    assert "nothing to compare: no runs ever received" in named.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--baseline-run", "empty"], "empty: neither audit*.log* nor audit-endpoints.txt in this folder"),
        (["--baseline-run", "pull.log.gz"], "a run is given twice: each --baseline-run is another"),
        (["--baseline-run", "no"], "cannot read no: No such file or directory"),
    ],
)
def test_what_is_no_run(auditsvc: CommandLine, folder: Path, words: list[str], said: str) -> None:
    """A folder without a run, the pull request's own log, a file that is not there: one line, 2."""
    (folder / "empty").mkdir()
    ran = compare(auditsvc, *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {said}")


@pytest.mark.usefixtures("folder")
def test_baseline_runs_need_a_pull(auditsvc: CommandLine) -> None:
    """A baseline is what a pull request is compared with."""
    ran = auditsvc("check", "--swagger", "swagger.json", "--baseline-run", "pull.log.gz")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--baseline is what a --pull is compared with: give that too" in ran.stderr
