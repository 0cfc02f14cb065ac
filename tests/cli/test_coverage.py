import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

YAML = "- testname: Pods\n  codename: '[sig-node] Pods run [Conformance]'\n  release: v1.9\n"


@pytest.fixture
def files(shared_data: Path) -> list[Path]:
    """All that is published."""
    return sorted((shared_data / "apisnoop").iterdir())


def test_imports_what_apisnoop_published(auditsvc: CommandLine, files: list[Path]) -> None:
    """Says of each file what it is; the tables are there at once, and again changes nothing."""
    ran = auditsvc("import", "apisnoop", *files)
    assert ran.returncode == 0, ran.stderr
    assert [line.partition(": ")[2] for line in ran.stdout.splitlines()] == [
        "release 1.34.0: 859 endpoints",
        "release 1.36.0: 908 endpoints",
        "coverage of 33 releases, as it was then",
        "histories of 563 endpoints",
        "progress of 30 releases, as it was then",
        "ineligible list of 101 entries",
        "dates of 38 releases",
    ]
    stored = auditsvc.stored()
    assert auditsvc("import", "apisnoop", *reversed(files)).returncode == 0
    assert auditsvc.stored() == stored

    rows = list(csv.DictReader(io.StringIO(auditsvc("coverage", "releases", "--format", "csv").stdout)))
    assert rows[-2]["release"] == "1.36.0"
    assert (rows[-2]["new"], rows[-2]["total"], rows[-2]["total_untested"]) == ("14", "563", "0")
    progress = json.loads(auditsvc("coverage", "progress", "--format", "json").stdout)
    assert (progress[0]["release"], progress[-2]["tested"], len(progress)) == ("1.8.0", 563, 30)
    then = json.loads(auditsvc("coverage", "progress", "--as-of", "1.37", "--format", "json").stdout)
    assert then == progress
    new = auditsvc("coverage", "new", "--release", "1.36").stdout.splitlines()
    assert new[0].split() == [
        "endpoint",
        "promotion_release",
        "tested_release",
        "age",
        "eligible",
        "pending",
        "ineligible",
    ]
    assert len(new) == 1 + 14


def test_a_file_that_is_none_of_them_imports_nothing(
    auditsvc: CommandLine, files: list[Path], shared_data: Path
) -> None:
    """The message names the file, and what could have been imported; the others are not stored either."""
    ran = auditsvc("import", "apisnoop", files[0], shared_data / "swagger/v1.34.json.gz")
    assert ran.returncode == 2
    assert "v1.34.json.gz: none of APISnoop's files: <release>.json, conformance-endpoints.json" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == ""


def test_imports_conformance_tests(auditsvc: CommandLine, tmp_path: Path) -> None:
    """A release's conformance.yaml, or one line that says what is wrong with it."""
    file = tmp_path / "conformance.yaml"
    file.write_text(YAML)
    assert auditsvc("import", "conformance", "v1.34.0", file).stdout == "1 conformance tests\n"
    file.write_text("- testname: Pods\n")
    ran = auditsvc("import", "conformance", "v1.34.0", file)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"auditsvc: {file}: line 1, column 3: a test without codename\n"


def test_an_empty_store_covers_nothing(auditsvc: CommandLine) -> None:
    """No rows; what has an answer says so."""
    assert auditsvc("coverage", "releases", "--format", "json").stdout == "[]\n"
    ran = auditsvc("coverage", "new")
    assert ran.returncode == 2
    assert ran.stderr == (
        "auditsvc: no release is known (PUT /swagger/<version>, or auditsvc import apisnoop FILE)\n"
    )
