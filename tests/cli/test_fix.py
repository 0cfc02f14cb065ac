"""``auditsvc check --fix`` through its real entry point, on the demo's files."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from auditsvc.core.endpoints import parse_endpoint_list
from tests.cli.conftest import CommandLine

PENDING, INELIGIBLE = "demo-1.20.2-pending.yaml", "demo-1.20.2-ineligible.yaml"


@pytest.fixture
def words(auditsvc: CommandLine, demo_data: Path) -> list[object]:
    """The demo's swagger and pull run, and copies of its lists in the folder where the command runs."""
    for name in (PENDING, INELIGIBLE):
        shutil.copyfile(demo_data / name, auditsvc.home / name)
    logs = "--pull", demo_data / "pull-audit.log.gz"
    lists = "--pending", PENDING, "--ineligible", INELIGIBLE
    return ["--swagger", demo_data / "openapi-v2.json.gz", *logs, *lists]


def test_the_lists_are_fixed_and_the_audit_passes(
    auditsvc: CommandLine, words: list[object], demo_data: Path
) -> None:
    """The patch makes the old lists the new ones, comments are kept, and another fix changes nothing."""
    ran = auditsvc("check", *words, "--type", "pendingReconciliation", "--fix")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "AuditPendingReconciliation: Passed" in ran.stdout
    lists = {name: (auditsvc.home / name).read_text() for name in (PENDING, INELIGIBLE)}
    assert all(lists[name] != (demo_data / name).read_text() for name in lists)
    assert "# one mistake of each kind" in lists[PENDING]
    assert not parse_endpoint_list(lists[PENDING]).duplicates
    again = auditsvc("check", *words, "--type", "pendingReconciliation", "--fix")
    assert (again.returncode, "---" in again.stdout) == (0, False)
    for name in lists:
        shutil.copyfile(demo_data / name, auditsvc.home / name)
    written = ran.stdout[: ran.stdout.index("auditsvc check: ")]
    subprocess.run(["git", "apply", "-p1", "-"], input=written, text=True, cwd=auditsvc.home, check=True)
    assert lists == {name: (auditsvc.home / name).read_text() for name in lists}


def test_what_was_lost_stays_a_finding(auditsvc: CommandLine, words: list[object], demo_data: Path) -> None:
    """What CI's run exercises and the pull request's does not is not put on the pending list."""
    kinds = "--type", "pendingReconciliation", "--type", "operationEquality", "--format", "json"
    baseline = "--baseline", demo_data / "ci-audit.log.gz"
    ran = auditsvc("check", *words, *baseline, *kinds, "--fix")
    found = {one["key"] for one in json.loads(ran.stdout)["findings"] if "expected" in one["description"]}
    left = auditsvc("check", *words, *baseline, *kinds, "--fix")
    assert (ran.returncode, left.stderr) == (1, "")
    assert ran.stderr.startswith(f"--- a/{PENDING}\n+++ b/{PENDING}\n")
    assert "Results[pull-audit.log.gz][eligible]" in found
    assert "Results[pull-audit.log.gz][pending]" not in found


def test_modes_and_links_stay(auditsvc: CommandLine, words: list[object]) -> None:
    """A file keeps its mode, a link stays one, and nothing is left beside them."""
    pending, kept = auditsvc.home / PENDING, auditsvc.home / "kept.yaml"
    pending.rename(kept)
    kept.chmod(0o640)
    pending.symlink_to(kept.name)
    auditsvc("check", *words, "--fix")
    assert (pending.is_symlink(), kept.stat().st_mode & 0o777) == (True, 0o640)
    assert {path.name for path in auditsvc.home.iterdir()} == {PENDING, INELIGIBLE, "kept.yaml"}


@pytest.mark.parametrize("name", [PENDING, INELIGIBLE])
def test_a_list_that_is_read_only_is_refused(auditsvc: CommandLine, words: list[object], name: str) -> None:
    """A file that nobody may write stays as it is, though a new one could take its place."""
    (auditsvc.home / name).chmod(0o444)
    ran = auditsvc("check", *words, "--fix")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"--fix writes {name}, which is read-only: name a copy of it" in ran.stderr


def test_a_list_that_cannot_be_fixed_is_refused(auditsvc: CommandLine, words: list[object]) -> None:
    """Neither list is written when one of them cannot be."""
    (auditsvc.home / PENDING).write_text("[readNothing]\n")
    before = (auditsvc.home / INELIGIBLE).read_text()
    ran = auditsvc("check", *words, "--fix")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {PENDING}: line 1: an entry that has no line of its own: ")
    assert (auditsvc.home / INELIGIBLE).read_text() == before


def test_a_packed_list_is_refused(auditsvc: CommandLine, words: list[object]) -> None:
    """What was read packed would be written plain."""
    (auditsvc.home / PENDING).write_bytes(gzip.compress(b"- readNothing\n"))
    ran = auditsvc("check", *words, "--fix")
    assert ran.returncode == 2
    assert ran.stderr == f"auditsvc: {PENDING}: --fix cannot write a packed list; unpack it first\n"


@pytest.mark.parametrize("pending", [[], ["--pending", "https://example.org/pending.yaml"]])
def test_without_a_file_there_is_nothing_to_write(
    auditsvc: CommandLine, demo_data: Path, pending: list[str]
) -> None:
    """A usage error, before anything is read."""
    ran = auditsvc("check", "--swagger", demo_data / "openapi-v2.json.gz", *pending, "--fix")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: --fix writes the pending list: name its file with --pending")
