"""``auditsvc submission`` through its real entry point."""

import json
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring

from tests.cli.conftest import CommandLine
from tests.submissions import CONFORMANCE, NAMES, files, junit


@pytest.fixture
def folder(auditsvc: CommandLine) -> Path:
    """A submission that is right, and the release's conformance.yaml above it."""
    folder = auditsvc.home / "v1.34" / "product"
    folder.mkdir(parents=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)
    (auditsvc.home / "conformance.yaml").write_text(CONFORMANCE)
    return folder


def test_a_good_one_passes(auditsvc: CommandLine, folder: Path) -> None:
    """Even strictly; no store is made."""
    ran = auditsvc("submission", "v1.34/product", "--conformance", "conformance.yaml", "--strict")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "AuditConformanceSubmission: Passed" in ran.stdout
    assert not auditsvc.data.exists()
    assert folder.is_dir()


def test_without_the_release_s_tests_it_warns(auditsvc: CommandLine, folder: Path) -> None:
    """Whether all of them passed is then not known: 0, and 3 under --strict."""
    assert auditsvc("submission", folder).returncode == 0
    assert auditsvc("submission", folder, "--strict").returncode == 3


def test_the_tests_of_the_store(auditsvc: CommandLine, folder: Path) -> None:
    """What was imported for the folder's release is asked for, and nothing of another release."""
    assert auditsvc("import", "conformance", "v1.33.0", "conformance.yaml").returncode == 0
    assert auditsvc("submission", folder, "--strict").returncode == 3
    assert auditsvc("import", "conformance", "v1.34.0", "conformance.yaml").returncode == 0
    assert auditsvc("submission", folder, "--strict").returncode == 0
    (folder / "junit_01.xml").write_bytes(junit(NAMES[1:]))
    ran = auditsvc("submission", folder)
    assert ran.returncode == 1
    assert NAMES[0] in ran.stdout


def test_all_findings_in_any_format(auditsvc: CommandLine, folder: Path) -> None:
    """A missing test, a bad address and a missing file, in one run and every report."""
    (folder / "junit_01.xml").write_bytes(junit(NAMES[1:]))
    (folder / "README.md").unlink()
    (folder / "PRODUCT.yaml").write_text("vendor: Example\n")
    words = "submission", ".", "--conformance", "../../conformance.yaml", "--report", "html=report.html"
    auditsvc = CommandLine(folder, auditsvc.data)
    ran = auditsvc(*words, "--format", "json")
    assert ran.returncode == 1
    report = json.loads(ran.stdout)
    assert {found["key"] for found in report["findings"]} >= {
        "Results[files]",
        "Results[product][fields]",
        "Results[tests]",
    }
    assert NAMES[0] in (folder / "report.html").read_text()
    suite = fromstring(auditsvc(*words, "--format", "junit").stdout)
    assert [case.get("name") for case in suite.iter("testcase")] == ["AuditConformanceSubmission"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "Invalid value for 'DIR': Directory 'nowhere' does not exist."),
        (["v1.34/product", "--conformance", "v1.34/product/e2e.log"], "v1.34/product/e2e.log: line "),
        (["v1.34/product", "--report", "endpoints=x"], "--report endpoints tells what a run used: "),
    ],
)
def test_mistakes(auditsvc: CommandLine, folder: Path, words: list[str], message: str) -> None:
    """One line."""
    ran = auditsvc("submission", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert folder.is_dir()
