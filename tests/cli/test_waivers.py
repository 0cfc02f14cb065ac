"""Accepted findings through the real entry points, on the demo's data."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

DAY = "expires: 2999-12-31\n"
LIST = f"- type: ineligibleConsistency\n  key: '*'\n  owner: sig-arch\n  reason: known\n  {DAY}"


@pytest.fixture
def lists(demo_data: Path) -> list[object]:
    """The words that have the demo's lists judged."""
    return [
        *("--swagger", demo_data / "openapi-v2.json.gz", "--pending", demo_data / "demo-1.20.2-pending.yaml"),
        *("--ineligible", demo_data / "demo-1.20.2-ineligible.yaml", "--type", "ineligibleConsistency"),
    ]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (
            "text",
            "waived: Results[list][duplicate]: logFileListHandler (line 57) (by sig-arch until 2999-12-31",
        ),
        ("markdown", "waived: "),
        ("junit", "waived: "),
    ],
)
def test_waived_findings_are_shown_and_do_not_count(
    auditsvc: CommandLine, lists: list[object], form: str, said: str
) -> None:
    """What failed passes, and every report tells what was accepted, by whom and until when."""
    assert auditsvc("check", *lists).returncode == 1
    (auditsvc.home / "waivers.yaml").write_text(LIST)
    ran = auditsvc("check", *lists, "--waivers", "waivers.yaml", "--format", form, "--strict")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert said in ran.stdout


def test_waived_findings_in_json(auditsvc: CommandLine, lists: list[object]) -> None:
    """They are beside the findings, with all that the waiver says."""
    (auditsvc.home / "waivers.yaml").write_text(LIST + "  issue: https://example.org/1\n")
    ran = auditsvc("check", *lists, "--waivers", "waivers.yaml", "--format", "json")
    report = json.loads(ran.stdout)
    assert (report["status"], report["findings"]) == ("Passed", [])
    assert report["waived"][0] == {
        "type": "AuditIneligibleConsistency",
        "status": "Failed",
        "key": "Results[list][duplicate]",
        "description": "logFileListHandler (line 57)",
        "owner": "sig-arch",
        "reason": "known",
        "expires": "2999-12-31",
        "issue": "https://example.org/1",
    }
    assert set(report["ineligibleConsistency"]) == {
        *("Status", "Description", "LastRun", "Results", "MissingValues", "Checked")
    }


def test_an_expired_waiver_warns(auditsvc: CommandLine, lists: list[object]) -> None:
    """It accepts nothing any more."""
    (auditsvc.home / "waivers.yaml").write_text(LIST.replace("2999", "2020"))
    ran = auditsvc("check", *lists, "--waivers", "waivers.yaml")
    assert ran.returncode == 1
    assert "the waiver on line 1 (owner sig-arch) expired on 2020-12-31" in ran.stdout


def test_waivers_that_do_not_parse_are_refused(auditsvc: CommandLine, lists: list[object]) -> None:
    """From the option and from the configuration, with file and line."""
    (auditsvc.home / "waivers.yaml").write_text(LIST + "  until: never\n")
    known = "a waiver has type, key, owner, reason, expires, issue"
    mistake = f"waivers.yaml: line 6, column 3: unknown key until: {known}"
    ran = auditsvc("check", *lists, "--waivers", "waivers.yaml")
    assert (ran.returncode, ran.stderr) == (2, f"auditsvc: {mistake}\n")
    (auditsvc.home / "auditsvc.yaml").write_text("waivers: waivers.yaml\n")
    ran = auditsvc("check", *lists, "--config", "auditsvc.yaml")
    assert (ran.returncode, ran.stderr) == (2, f"auditsvc: waivers: {mistake}\n")


def test_the_store_is_audited_with_them(auditsvc_with_runs: CommandLine) -> None:
    """By the key of the configuration; the day is audited again when the file changes, and only then."""
    auditsvc = auditsvc_with_runs
    words = "audit", "--commit", "--type", "ineligibleConsistency", "--format", "json"
    assert auditsvc(*words).returncode == 1
    (auditsvc.home / "waivers.yaml").write_text(LIST)
    auditsvc.variables["AUDITSVC_WAIVERS"] = str(auditsvc.home / "waivers.yaml")
    ran = auditsvc(*words)
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert len(report["waived"]) > 3
    assert json.loads(auditsvc(*words).stdout) == report
    (auditsvc.home / "waivers.yaml").write_text(LIST.replace("2999", "2020"))
    assert auditsvc(*words).returncode == 1
