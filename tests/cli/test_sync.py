"""``auditsvc sync``, as a user runs it."""

import json
import time
from typing import Any

import pytest

from auditsvc.cli.progress import sync_progress
from auditsvc.core.prow import first_build_id
from tests.cli.conftest import CommandLine
from tests.cli.test_progress import shown, terminal
from tests.gcs import BUCKET, FakeGcs
from tests.logs import NOON
from tests.service.made import document, report_of

PULL = "pr-logs/pull/{}/pull-audit/"


def put_build(gcs: FakeGcs, below: str, *, minutes: int = 0, **finished: object) -> str:
    """A successful build of that folder with a report; returns its id."""
    at = int(NOON.timestamp()) + minutes * 60
    build = f"{int(first_build_id(NOON)) + (minutes << 40)}"
    stages: dict[str, bytes | dict[str, Any]] = {
        "started.json": {"timestamp": at},
        "finished.json": {"timestamp": at + 60, "result": "SUCCESS", **finished},
        "artifacts/audit/audit-endpoints.txt": report_of("listPod"),
    }
    gcs.put(stages, below=f"{below}{build}/")
    return build


@pytest.fixture
def configured(auditsvc: CommandLine, gcs: FakeGcs) -> CommandLine:
    """A command line that is configured for the bucket: pull requests, for any clock will do for these."""
    gcs.put({"swagger": document()})
    jobs = [
        {
            "job": "pull-audit",
            "kind": "pull",
            "pulls": ["7", "8"],
            "swagger": f"gs://{BUCKET}/swagger",
        },
        {"job": "ci-audit"},
    ]
    auditsvc.data.mkdir()
    sync = {"sync": {"gcs_endpoint": gcs.url, "jobs": jobs}}
    (auditsvc.data / "auditsvc.yaml").write_text(json.dumps(sync))
    return auditsvc


def test_sync(configured: CommandLine, gcs: FakeGcs) -> None:
    """New runs are printed by their ids alone; the rest is told. A job without a usable build gives 2."""
    put_build(gcs, PULL.format(7))
    put_build(gcs, PULL.format(8), minutes=1)
    broken = put_build(gcs, PULL.format(8), minutes=9, timestamp=None)
    ran = configured("sync")
    assert ran.returncode == 2
    assert len(ran.stdout.split()) == 2
    assert all(line.startswith("pull-") for line in ran.stdout.split())
    skipped, failed = ran.stderr.splitlines()
    assert skipped.startswith(f"auditsvc: skipped gs://{BUCKET}/{PULL.format(8)}{broken}/: finished.json: ")
    assert failed.startswith(f"auditsvc: ci-audit: no build in gs://{BUCKET}/logs/ci-audit/ was successful")
    again = configured("sync", "--job", "pull-audit")
    assert (again.returncode, again.stdout) == (0, "")


def test_a_pull_request(configured: CommandLine, gcs: FakeGcs) -> None:
    """A pull request, or one build of it, in place of those that are configured."""
    older = put_build(gcs, PULL.format(9))
    newer = put_build(gcs, PULL.format(9), minutes=9)
    put_build(gcs, PULL.format(7))
    for pull, build in (("9", newer), (f"9/{older}", older)):
        ran = configured("sync", "--pull", pull)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert f"'{build}','9'" in configured.stored()
    assert "'7'" not in configured.stored()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--job", "x"], "unknown job: x (configured are pull-audit, ci-audit)"),
        (["--pull", "x"], "'x' is no number such as 131234, nor number/build"),
        (
            ["--job", "ci-audit", "--pull", "7"],
            "no job of the kind pull is configured: name it under sync.jobs in ",
        ),
    ],
)
def test_nothing_to_do(configured: CommandLine, arguments: list[str], message: str) -> None:
    """What is asked for must be there to be fetched."""
    ran = configured("sync", *arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert message in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal: how many bytes there are of what is fetched."""
    with terminal(monkeypatch) as screen:
        with sync_progress() as progress:
            time.sleep(0.11)  # it is drawn ten times a second at most
            progress("audit.log", 250, 900)
        assert "250/900 bytes" in shown(screen)


def test_not_configured(auditsvc: CommandLine) -> None:
    """Where nothing is configured it is told where to do so."""
    ran = auditsvc("sync")
    file = auditsvc.data / "auditsvc.yaml"
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"auditsvc: no job is configured: name it under sync.jobs in {file}\n"
