import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

ALL = ("app-usage-summary", "app-usage-categories", "app-usage-endpoints", "coverage-spreadsheet")


def read(text: str) -> list[dict[str, str]]:
    """The records of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory, demo_data: Path) -> CommandLine:
    """A store with an app run for each agent family of the demo's ci log."""
    folder = tmp_path_factory.mktemp("split")
    auditsvc = CommandLine(folder, folder / "data")
    swagger = "--swagger", demo_data / "openapi-v2.json.gz"
    ran = auditsvc("ingest", "--kind", "app", "--split-by", "agent", *swagger, demo_data / "ci-audit.log.gz")
    assert ran.returncode == 0, ran.stderr
    return auditsvc


def test_export_of_real_clients(split: CommandLine) -> None:
    """All four files agree with each other on what the recorded clients used."""
    files = {name: split("export", name) for name in ALL}
    assert {ran.returncode for ran in files.values()} == {0}
    summary, categories, endpoints, spreadsheet = (read(files[name].stdout) for name in ALL)
    apps = {row["app"]: row for row in summary}
    assert list(apps) == sorted(apps)
    assert apps["kubectl"]["conformance"] == "22"
    for name, row in apps.items():
        assert int(row["conformance"]) <= int(row["stable"])
        assert int(row["stable"]) + int(row["beta"]) + int(row["alpha"]) == int(row["total"])
        assert sum(int(one["count"]) for one in categories if one["app"] == name) == int(row["total"])
        assert sum(one[name] != "0" for one in spreadsheet) == int(row["total"])
    unused = sum(int(row["count"]) for row in endpoints if row["method + url"] == "unused")
    used = [row for row in endpoints if row["method + url"] != "unused"]
    assert len(used) + unused == len(spreadsheet) == 1060  # the observable operations of 1.20.2
    assert len(used) == sum(row["apps using it"] != "0" for row in spreadsheet)


def test_export_to_a_file(split: CommandLine, tmp_path: Path) -> None:
    """Of the applications that are named alone; nothing is printed."""
    output = tmp_path / "summary.csv"
    ran = split("export", "app-usage-summary", "--app", "kubectl", "--output", output)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert [row["app"] for row in read(output.read_text())] == ["kubectl"]


def test_export_of_nobody(split: CommandLine) -> None:
    """An application must be there, and a file must be one of the four."""
    ran = split("export", "app-usage-summary", "--app", "nobody")
    assert (ran.returncode, ran.stderr) == (2, "auditsvc: unknown app: nobody (GET /apps lists them)\n")
    assert split("export", "everything").returncode == 2


def test_portability_of_real_clients(split: CommandLine) -> None:
    """kubectl asks for beta versions and uses none; the controller manager uses several."""
    ran = split("audit", "--type", "appPortability", "--commit", "--format", "json")
    assert ran.returncode == 1, ran.stderr
    missing = json.loads(ran.stdout)["appPortability"]["MissingValues"]
    keys = {one["Key"] for one in missing}
    assert not any(key.startswith("kubectl/") for key in keys)
    assert "kube-controller-manager/listBatchV1beta1CronJobForAllNamespaces" in keys
    assert "e2e.test/watchCoreV1NamespacedPodList" in keys  # deprecated


def test_compare(filled: CommandLine) -> None:
    """The demo's two runs: the pull run adds and removes operations, and tests move."""
    runs = runs_of(filled)
    ran = filled("compare", runs["ci"], runs["pull"], "--format", "json")
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)
    assert list(rows[0]) == ["operation", "level", runs["ci"], runs["pull"], "difference", "tests_moved"]
    added = read(filled("compare", runs["ci"], runs["pull"], "--only", "added", "--format", "csv").stdout)
    assert [row["operation"] for row in added] == [
        row["operation"] for row in rows if row[runs["pull"]] and not row[runs["ci"]]
    ]
    moved = filled("compare", runs["ci"], runs["pull"], "--only", "tests", "--text", "pod").stdout
    assert moved.splitlines()[0].split()[-1] == "tests_moved"
    assert all("pod" in line.lower() for line in moved.splitlines()[1:])


def test_compare_needs_two(filled: CommandLine) -> None:
    """One run is beside nothing."""
    ran = filled("compare", "ci-1")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: name two runs or more")
    assert "unknown run: ci-1" in filled("compare", "ci-1", "ci-2").stderr


def runs_of(auditsvc: CommandLine) -> dict[str, str]:
    """The stored runs by kind."""
    with closing(sqlite3.connect(auditsvc.data / "auditsvc.db")) as connection:
        return dict(connection.execute("select kind, run from v_runs").fetchall())
