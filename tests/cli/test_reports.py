"""What one run of the audits writes: the reports that are asked for, and what a CI system reads."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import html5lib
import pytest
from defusedxml.ElementTree import fromstring

from auditsvc.core.report import parse_report
from tests.cli.conftest import CommandLine, Server
from tests.cli.test_check import given, options

__all__ = ["options"]

DAY = "2026-11-20,2026-11-21"
ALL = ("text", "json", "junit", "sarif", "markdown", "html", "endpoints", "operations-json")


def asked(folder: Path, *forms: str) -> list[str]:
    """The options that ask for those reports, each in a file of its name."""
    return [word for form in forms for word in ("--report", f"{form}={folder / form}")]


def test_every_format_of_one_run(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """All reports come from one run of the audits, folders are made, and each is as --format prints it."""
    folder = tmp_path / "not" / "there"
    ran = auditsvc("check", *given(options), "--format", "json", *asked(folder, *ALL))
    assert (ran.returncode, ran.stderr) == (1, "")
    assert sorted(path.name for path in folder.iterdir()) == sorted(ALL)
    assert (folder / "json").read_text() == ran.stdout
    report = json.loads(ran.stdout)
    cases = fromstring((folder / "junit").read_text()).findall(".//testcase")
    assert len(cases) == sum(isinstance(one, dict) and "Status" in one for one in report.values())
    sarif = json.loads((folder / "sarif").read_text())["runs"][0]
    assert len(sarif["results"]) == len(report["findings"])
    html5lib.HTMLParser(strict=True).parse((folder / "html").read_text())
    assert (folder / "markdown").read_text().startswith("<!-- auditsvc -->\n")
    usage = parse_report((folder / "endpoints").read_bytes())
    assert usage.operations.keys() == json.loads((folder / "operations-json").read_text()).keys()
    assert len(usage.operations) == 250


def test_findings_say_where_they_were_seen(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """A finding has the line of its operation's first audit event, and the tests that made it."""
    report = json.loads(auditsvc("check", *given(options), "--format", "json").stdout)
    found = {one["key"]: one for one in report["findings"]}
    added = found["connectCoreV1GetNodeProxyWithPath"]["seen"]
    assert (added["run"], added["file"]) == ("pull run pull-audit.log.gz", "pull-audit.log.gz")
    assert added["line"] == 1378
    assert (len(added["tests"]), added["more_tests"]) == (3, 3)
    assert found["patchAppsV1NamespacedStatefulSet"]["seen"]["run"] == "ci run ci-audit.log.gz"


def test_documents_are_named_by_hash(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """The swagger and the lists that both sides were judged with are told by what sha256sum says of them."""
    report = json.loads(auditsvc("check", *given(options), "--format", "json").stdout)
    told = {one["kind"]: (one["source"], one["sha256"][:8]) for one in report["documents"]}
    assert told == {
        "swagger": (str(options["--swagger"]), "afa9b204"),
        "pending": (str(options["--pending"]), "b95885b6"),
        "ineligible": (str(options["--ineligible"]), "745b3d6f"),
    }


def test_findings_lead_to_the_swagger(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """Where the swagger has lines, a finding about an operation that is on no list is shown at its own."""
    text = auditsvc.home / "api" / "swagger.json"
    text.parent.mkdir()
    document = {
        "swagger": "2.0",
        "info": {"version": "v1.20.2"},
        "paths": {
            "/api/v1/pods": {"get": {"operationId": "listPod"}},
            "/api/v1/never": {"get": {"operationId": "listNever"}},
        },
    }
    text.write_text(json.dumps(document, indent=1))
    words = "--swagger", text, *given(options, "--baseline", "--pull"), "--pending", "/dev/null"
    ran = auditsvc("check", *words, "--report", "sarif=out.sarif", "--type", "pendingReconciliation")
    assert ran.returncode == 1, ran.stderr
    results = json.loads((auditsvc.home / "out.sarif").read_text())["runs"][0]["results"]
    [shown] = [one["locations"][0] for one in results if one["level"] == "warning"]
    place = shown["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "api/swagger.json"
    assert "listNever" in text.read_text().splitlines()[place["region"]["startLine"] - 1]
    assert shown["logicalLocations"][0]["fullyQualifiedName"] == "/paths/~1api~1v1~1never/get"


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("yaml=a", "unknown format 'yaml' (FORMAT=PATH; known are text, json, junit, sarif, markdown, html"),
        ("out.xml", "unknown format 'out.xml' (FORMAT=PATH; known are "),
        ("json", "'json' names no file: give json=PATH"),
        ("json=", "'json=' names no file: give json=PATH"),
        ("json=-", "'json=-': standard output takes what --format json prints; name a file"),
        ("json=.", "Could not open file '.': Is a directory"),
        ("json=/dev/null/a/b", "Could not open file '/dev/null/a/b': Not a directory"),
        ("json=/proc/a", "Could not open file '/proc/a': "),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(
    auditsvc: CommandLine, options: dict[str, Path], report: str, message: str
) -> None:
    """An unknown format, and a file that cannot be, are 2 before any log is read."""
    words = *given(options, "--swagger", "--pull"), "--pull", "no.log"
    ran = auditsvc("check", *words, "--report", report)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_file_is_of_one_report(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """Two reports in one file would be one of them."""
    ran = auditsvc("check", *given(options), "--report", "json=a", "--report", "html=./a")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "a is named twice" in ran.stderr


def test_usage_needs_a_run(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """What a run used cannot be told without one."""
    ran = auditsvc("check", *given(options, "--swagger", "--pending"), "--report", "endpoints=a")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--report endpoints tells what a --pull used: give that too" in ran.stderr
    assert not (auditsvc.home / "a").exists()


def test_a_failing_write_keeps_the_old_file(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path
) -> None:
    """Where nothing can be judged, an earlier report stays as it was."""
    (tmp_path / "json").write_text("old")
    ran = auditsvc("check", *given(options, "--swagger"), "--pull", "/proc/stat", *asked(tmp_path, "json"))
    assert ran.returncode == 2
    assert (tmp_path / "json").read_text() == "old"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_artifacts(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """With Prow's ARTIFACTS set the run leaves what Prow shows, and what makes it a later run's baseline."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "metadata.json").write_text('{"revision": "v1.20.2+5"}')
    auditsvc = replace(auditsvc, variables={"ARTIFACTS": str(folder)})
    ran = auditsvc("check", *given(options), "--format", "json")
    assert (ran.returncode, ran.stderr) == (1, "")
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == [
        "audit/audit-endpoints.txt",
        "audit/audit-operations.json",
        "junit_auditsvc.xml",
        "metadata.json",
    ]
    metadata = json.loads((folder / "metadata.json").read_text())
    assert (metadata["revision"], metadata["job-version"]) == ("v1.20.2+5", "v1.20.2")
    assert metadata["auditsvc"]["AuditSwaggerTotal"] == "Passed"
    assert int(fromstring((folder / "junit_auditsvc.xml").read_text()).attrib["failures"]) >= 3


@pytest.mark.parametrize("words", [("--baseline", "audit/audit-endpoints.txt"), ("--baseline-run", "")])
def test_artifacts_are_a_baseline(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path, words: tuple[str, str]
) -> None:
    """The run that left its artifacts, held against itself, has neither more nor less; that is told apart."""
    folder = tmp_path / "artifacts"
    with_prow = replace(auditsvc, variables={"ARTIFACTS": str(folder)})
    with_prow("check", *given(options, "--swagger", "--pull"))
    ran = auditsvc(
        "check",
        *given(options, "--swagger", "--pending", "--ineligible", "--pull"),
        words[0],
        folder / words[1],
        "--type",
        "operationEquality",
        "--format",
        "json",
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.endswith(" tells no time, so how old this baseline is cannot be judged\n")
    result = json.loads(ran.stdout)["operationEquality"]
    assert (result["Status"], result["MissingValues"]) == ("Passed", None)


def test_a_broken_metadata_is_not_overwritten(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path
) -> None:
    """What another step has written and nobody can read stays, and that is told."""
    (tmp_path / "metadata.json").write_text("{")
    auditsvc = replace(auditsvc, variables={"ARTIFACTS": str(tmp_path)})
    ran = auditsvc("check", *given(options, "--swagger", "--pull"))
    assert ran.returncode == 2
    assert "metadata.json': not the JSON that Prow reads: " in ran.stderr
    assert (tmp_path / "metadata.json").read_text() == "{"


def test_github(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """On GitHub the summary is appended, annotations are on standard error: the results stay parseable."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    auditsvc = replace(auditsvc, variables={"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"})
    ran = auditsvc("check", *given(options), "--format", "json", "--type", "pendingReconciliation")
    assert ran.returncode == 1
    assert json.loads(ran.stdout)["status"] == "Failed"
    commands = [line.split("::")[1].split(" ")[0] for line in ran.stderr.splitlines()]
    assert commands == ["error"] * 2 + ["warning"] * 10
    assert re.search(r"::warning file=\S+-pending.yaml,line=283,", ran.stderr)
    assert summary.read_text().startswith("before\n<!-- auditsvc -->\n## auditsvc check: Failed\n")


@pytest.mark.parametrize(("taken", "appended"), [((1 << 20) - 6000, True), ((1 << 20) - 100, False)])
def test_a_summary_has_a_limit(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path, taken: int, appended: bool
) -> None:
    """A step's summary stays within GitHub's 1 MiB: what is cut is counted, and so is all of it."""
    summary = tmp_path / "summary.md"
    summary.write_text("x" * taken)
    auditsvc = replace(auditsvc, variables={"GITHUB_STEP_SUMMARY": str(summary)})
    ran = auditsvc("check", *given(options))
    assert ran.returncode == 1
    assert taken <= summary.stat().st_size <= 1 << 20
    assert ("more that are left out here" in summary.read_text()) is appended
    assert ("nothing is appended to the step summary, which is full" in ran.stderr) is not appended


def test_of_the_store(auditsvc_with_runs: CommandLine, tmp_path: Path) -> None:
    """`audit` writes the same reports, of the run that its day is judged by."""
    artifacts = tmp_path / "artifacts"
    auditsvc = replace(auditsvc_with_runs, variables={"ARTIFACTS": str(artifacts)})
    ran = auditsvc("audit", "--window", DAY, "--format", "json", *asked(tmp_path / "r", *ALL))
    assert (ran.returncode, ran.stderr) == (1, "")
    assert (tmp_path / "r" / "json").read_text() == ran.stdout
    documents = {one["kind"]: one["sha256"][:8] for one in json.loads(ran.stdout)["documents"]}
    assert documents == {"swagger": "afa9b204", "pending": "b95885b6", "ineligible": "745b3d6f"}
    usage = parse_report((tmp_path / "r" / "endpoints").read_bytes())
    assert len(usage.operations) == 250
    assert (artifacts / "audit" / "audit-endpoints.txt").read_bytes() == (
        tmp_path / "r" / "endpoints"
    ).read_bytes()
    seen = [one["seen"] for one in json.loads(ran.stdout)["findings"] if one["seen"]]
    assert any((one["file"], one["line"]) == ("pull-audit.log.gz", 1378) for one in seen)
    html5lib.HTMLParser(strict=True).parse((tmp_path / "r" / "html").read_text())


def test_of_several_days(auditsvc_with_runs: CommandLine, demo_data: Path, tmp_path: Path) -> None:
    """A file is of one day; what CI would have read is left out, and that is told."""
    auditsvc = auditsvc_with_runs
    words = "--kind", "ci", "--cluster", "demo", "--finished", "2026-11-22T00:00:00Z"
    assert auditsvc("ingest", *words, demo_data / "ci-audit.log.gz").returncode == 0
    ran = auditsvc("audit", "--commit", *asked(tmp_path / "r", "html"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--report: a file is of one day, and 2 days were audited: name a --window" in ran.stderr
    in_prow = replace(auditsvc, variables={"ARTIFACTS": str(tmp_path / "artifacts")})
    ran = in_prow("audit", "--window", "2026-11-20,2026-11-23")
    assert ran.returncode == 1
    assert ran.stderr == "nothing is written to ARTIFACTS: 2 days were audited\n"


def test_of_a_server(auditsvc_with_runs: CommandLine, serve: Callable[..., Server], tmp_path: Path) -> None:
    """A server's results make all reports but those of a usage, which are refused before it is asked."""
    server = serve(auditsvc_with_runs, "serve", "--port", "0")
    words = "audit", "--server", server.url, "--window", DAY
    ran = auditsvc_with_runs(*words, "--format", "json", *asked(tmp_path, "html", "sarif", "junit"))
    assert (ran.returncode, ran.stderr) == (1, "")
    html5lib.HTMLParser(strict=True).parse((tmp_path / "html").read_text())
    refused = auditsvc_with_runs(
        "audit", "--server", "http://127.0.0.1:1", "--commit", "--report", "endpoints=a"
    )
    assert refused.returncode == 2
    assert "--report endpoints tells what a run used, and that is on the server" in refused.stderr
