"""``auditsvc check`` through its real entry point, on the demo's files."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from tests.cli.conftest import CommandLine

JUDGED = [
    "AuditDeprecatedUse",
    "AuditIneligibleConsistency",
    "AuditLogIntegrity",
    "AuditOperationEquality",
    "AuditPendingReconciliation",
    "AuditSwaggerTotal",
]


@pytest.fixture
def options(demo_data: Path) -> dict[str, Path]:
    """Every file that check takes."""
    return {
        "--swagger": demo_data / "openapi-v2.json.gz",
        "--pending": demo_data / "demo-1.20.2-pending.yaml",
        "--ineligible": demo_data / "demo-1.20.2-ineligible.yaml",
        "--baseline": demo_data / "ci-audit.log.gz",
        "--pull": demo_data / "pull-audit.log.gz",
    }


def given(options: dict[str, Path], *names: str) -> list[object]:
    """The options of those names as words."""
    return [word for name in names or options for word in (name, options[name])]


def test_the_demo_fails_in_three_audits(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """Every audit judges the files that it can, and the exit code is 1 as three of them fail."""
    ran = auditsvc("check", *given(options), "--format", "json")
    assert (ran.returncode, ran.stderr) == (1, "")
    report = json.loads(ran.stdout)
    assert report["status"] == "Failed"
    assert report["subjects"] == ["pull-audit.log.gz"]
    statuses = {
        key: found["Status"] for key, found in report.items() if isinstance(found, dict) and "Status" in found
    }
    assert statuses == {
        "deprecatedUse": "Warning",
        "ineligibleConsistency": "Failed",
        "logIntegrity": "Passed",
        "operationEquality": "Failed",
        "pendingReconciliation": "Failed",
        "swaggerTotal": "Passed",
    }
    assert not auditsvc.data.exists()


def test_findings_say_where_they_are(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """A finding about an entry of a list has its file, as it was named, and its line."""
    ran = auditsvc("check", *given(options), "--format", "json")
    findings = json.loads(ran.stdout)["findings"]
    found = next(one for one in findings if one["key"] == "patchCoreV1NamespacedPodResize")
    assert (found["file"], found["line"]) == (str(options["--pending"]), 283)
    assert found["resolution"]


POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  stages: [Panic]\n"


def test_the_policy_is_linted(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """What is wrong with the audit policy of the run are warnings, each with its file and line."""
    (auditsvc.home / "policy.yaml").write_text(POLICY)
    words = *given(options, "--swagger", "--pull"), "--policy", "policy.yaml", "--type", "logIntegrity"
    ran = auditsvc("check", *words, "--format", "json")
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    [document] = [one for one in report["documents"] if one["kind"] == "policy"]
    assert (document["source"], document["sha256"]) == ("policy.yaml", sha256(POLICY.encode()).hexdigest())
    assert f"2 mistakes in its audit policy, sha256:{document['sha256']}" in ran.stdout
    assert [(one["file"], one["line"], one["key"]) for one in report["findings"]] == [
        ("policy.yaml", line, f"pull-audit.log.gz/policy:{line}") for line in (4, 5)
    ]
    assert "unknown key stages in a rule" in report["findings"][1]["description"]
    assert auditsvc("check", *words, "--strict").returncode == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "policy.yaml: line 1, column 1: expected a policy: a mapping"),
        (None, "cannot read policy.yaml: "),
    ],
)
def test_a_policy_that_is_none_is_refused(
    auditsvc: CommandLine, options: dict[str, Path], text: str | None, message: str
) -> None:
    """It is told in one line, with 2."""
    if text:
        (auditsvc.home / "policy.yaml").write_text(text)
    ran = auditsvc("check", *given(options, "--swagger", "--pull"), "--policy", "policy.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_type_alone_passes(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """One audit by name or key, and the exit code is of that one."""
    for name in ("AuditSwaggerTotal", "swaggerTotal"):
        ran = auditsvc("check", *given(options), "--type", name)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert [name for name in JUDGED if name in ran.stdout] == ["AuditSwaggerTotal"]


def test_strict_makes_warnings_count(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """A warning is 0, and 3 under --strict."""
    pending = tmp_path / "pending.yaml"
    pending.write_text("")
    ineligible = tmp_path / "ineligible.yaml"
    ineligible.write_text("- endpoint: readNothing\n  reason: unstable\n  link: https://example.org/1\n")
    words = "--swagger", options["--swagger"], "--pending", pending, "--ineligible", ineligible
    assert auditsvc("check", *words).returncode == 0
    assert auditsvc("check", *words, "--strict").returncode == 3


def test_without_a_pull_only_what_needs_no_run(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """Audits whose files are not given are left out, and that is said."""
    ran = auditsvc("check", *given(options, "--swagger", "--pending", "--ineligible"))
    assert ran.returncode == 1
    assert ran.stderr == (
        "left out, as their files are not given: AuditDeprecatedUse, AuditLogIntegrity, "
        "AuditOperationEquality, AuditPendingReconciliation\n"
    )
    assert [name for name in JUDGED if name in ran.stdout] == [
        "AuditIneligibleConsistency",
        "AuditSwaggerTotal",
    ]


def test_without_a_baseline_runs_are_not_compared(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """The comparison with CI is left out where there is nothing to compare with."""
    ran = auditsvc("check", *given(options, "--swagger", "--pull"))
    assert ran.returncode == 0
    assert ran.stderr == (
        "left out, as their files are not given: AuditIneligibleConsistency, AuditOperationEquality, "
        "AuditPendingReconciliation\n"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("AuditPendingReconciliation", "no lists ever received"),
        ("AuditOperationEquality", "no --baseline is given"),
    ],
)
def test_asked_by_name_nothing_is_left_out(
    auditsvc: CommandLine, options: dict[str, Path], name: str, reason: str
) -> None:
    """An audit that is named and lacks its files is Failed, and says why."""
    ran = auditsvc("check", *given(options, "--swagger", "--pull"), "--type", name)
    assert ran.returncode == 1
    assert f"nothing to compare: {reason}" in ran.stdout


def test_reports_of_the_same_name_are_told_apart(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path
) -> None:
    """Where CI's and the pull request's files are both called audit-endpoints.txt their paths name them."""
    reports = {}
    for side in ("baseline", "pull"):
        reports[side] = tmp_path / side / "audit-endpoints.txt"
        reports[side].parent.mkdir()
        log = options[f"--{side}"]
        auditsvc("parse", log, "--swagger", options["--swagger"], "--output", reports[side])
    words = "--baseline", reports["baseline"], "--pull", reports["pull"]
    ran = auditsvc(
        "check", *given(options, "--swagger"), *words, "--type", "operationEquality", "--format", "json"
    )
    report = json.loads(ran.stdout)
    assert report["subjects"] == [str(reports["pull"])]
    assert str(reports["baseline"]) in report["operationEquality"]["MissingValues"][0]["Description"]


def test_rotated_files_are_one_run(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """Several --pull are one run, named by the first."""
    second = shutil.copy(options["--baseline"], tmp_path / "audit-2.log.gz")
    words = *given(options, "--swagger", "--pull"), "--pull", second, "--format", "json"
    ran = auditsvc("check", *words)
    report = json.loads(ran.stdout)
    assert report["subjects"] == ["pull-audit.log.gz"]
    assert report["swaggerTotal"]["Status"] == "Passed"


def test_a_report_must_be_alone(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """An audit-endpoints.txt among rotated logs is refused: it is no part of a log."""
    report = tmp_path / "audit-endpoints.txt"
    auditsvc("parse", options["--pull"], "--swagger", options["--swagger"], "--output", report)
    ran = auditsvc("check", *given(options, "--swagger", "--pull"), "--pull", report)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: audit-endpoints.txt: ")


@pytest.mark.parametrize(("form", "start"), [("sarif", "{"), ("markdown", "<!-- auditsvc -->")])
def test_formats(auditsvc: CommandLine, options: dict[str, Path], form: str, start: str) -> None:
    """The other formats are on standard output, and the exit code does not depend on them."""
    ran = auditsvc("check", *given(options), "--format", form)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.startswith(start)


def test_junit(auditsvc: CommandLine, options: dict[str, Path]) -> None:
    """JUnit has a case for each audit."""
    ran = auditsvc("check", *given(options), "--format", "junit")
    names = [case.get("name") for case in fromstring(ran.stdout).iter("testcase")]
    assert names == JUDGED


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\n", "line 1, column 1: expected a list of endpoints, found a mapping"),
        (b"\xff\n", "line 1, column 1: not UTF-8"),
        (b"- " * 5000, "line 1, column 41: nested deeper than 20 levels"),
        (b"\x1f\x8b\x08\x00", "Compressed file ended before the end-of-stream marker was reached"),
    ],
)
def test_a_list_that_is_none_is_refused(
    auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path, content: bytes, message: str
) -> None:
    """A list that does not parse is named with the place of the mistake, and nothing is judged."""
    pending = tmp_path / "pending.yaml"
    pending.write_bytes(content)
    ran = auditsvc("check", *given(options, "--swagger"), "--pending", pending)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr in (
        f"auditsvc: {pending}: {message}\n",
        f"auditsvc: cannot read {pending}: {message}\n",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--type", "nope"], "unknown audit type: nope (known are Audit"),
        (["--baseline", "ci.log"], "--baseline is what a --pull is compared with: give that too"),
        (["--policy", "p.yaml"], "--policy is what the log of a --pull was written by: give that too"),
        (["--pull", "no.log"], "cannot read no.log: No such file or directory"),
        (["--pull", "."], "cannot read .: Is a directory"),
        (["--config", "no.yaml"], "cannot read the configuration file no.yaml: No such file or directory"),
    ],
)
def test_wrong_options(
    auditsvc: CommandLine, options: dict[str, Path], words: list[str], message: str
) -> None:
    """What cannot be done is told in a line."""
    ran = auditsvc("check", *given(options, "--swagger"), *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1


def test_settings_are_heeded(auditsvc: CommandLine, options: dict[str, Path], tmp_path: Path) -> None:
    """What the configuration says about the audits holds here too."""
    config = tmp_path / "auditsvc.yaml"
    config.write_text("exercised_by: conf_tested\n")
    words = *given(options), "--type", "pendingReconciliation", "--format", "json"
    default = json.loads(auditsvc("check", *words).stdout)["pendingReconciliation"]
    strict = json.loads(auditsvc("check", *words, "--config", config).stdout)["pendingReconciliation"]
    assert len(strict["MissingValues"]) > len(default["MissingValues"])
