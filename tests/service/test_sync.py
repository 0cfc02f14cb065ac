"""Builds of Prow jobs as runs: from a bucket with everything in it that goes wrong in buckets."""

import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditsvc.config import SyncConfig, SyncJob
from auditsvc.core.prow import first_build_id
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.errors import StoreError
from auditsvc.service import Service
from auditsvc.service.sync import Synced
from tests.gcs import BUCKET, FakeGcs, cut, refuse
from tests.logs import NOON
from tests.service.made import document, listing, log_text, report_of, service_at

CI = SyncJob(job="ci-audit", cluster="kind", version="v1.34")
PULL = SyncJob(job="pull-audit", cluster="kind", version="v1.34", kind=RunKind.PULL, prefix="pr-logs/pull/")
LOG = "audit/audit.log"
COMMIT = "5a529aa3a0dd3a050c5302329681e871ef6c162e"

Sync = Callable[..., Synced]


def put_build(
    gcs: FakeGcs,
    hours: float = 0.0,
    *,
    below: str = "logs/ci-audit/",
    started: dict[str, Any] | None = None,
    finished: dict[str, Any] | None = None,
    artifacts: dict[str, bytes] | None = None,
) -> str:
    """A successful build that was made so many hours after noon, and finished an hour later; returns its id.

    What is not said is as it should be; its artifacts are an audit log then.
    """
    made = NOON + timedelta(hours=hours)
    build = first_build_id(made)
    at = int(made.timestamp())
    stages = {
        "started.json": {"timestamp": at + 60, "repo-commit": COMMIT} | (started or {}),
        "finished.json": {"timestamp": at + 3600, "passed": True, "result": "SUCCESS"} | (finished or {}),
    }
    log = {LOG: log_text("listPod", "createPod", at=hours * 3600)}
    gcs.put(stages, below=f"{below}{build}/")
    gcs.put({"junit.xml": b"<x/>", **(artifacts or log)}, below=f"{below}{build}/artifacts/")
    return build


@pytest.fixture
def synced(gcs: FakeGcs, tmp_path: Path) -> Iterator[Service]:
    """A service that is configured for the bucket, with the small API's swagger stored."""
    with opened(gcs, tmp_path, CI) as service:
        yield service


@contextmanager
def opened(gcs: FakeGcs, folder: Path, *jobs: SyncJob) -> Iterator[Service]:
    """A service that syncs those jobs from the bucket."""
    gcs.page_size = 3
    with service_at(folder / "data", sync=SyncConfig(jobs=jobs, gcs_endpoint=gcs.url)) as service:
        service.documents.put_swagger("v1.34.0", document())
        yield service


def runs_of(service: Service) -> list[Run]:
    """All that are stored."""
    return service.runs.find(limit=99)[0]


def test_the_newest_build(synced: Service, gcs: FakeGcs) -> None:
    """The newest build that finished is taken in as a run, with its origin and its own times."""
    for hours in (-30, -20, -10):
        build = put_build(gcs, hours)
    gcs.put(
        {"started.json": {"timestamp": int(NOON.timestamp())}}, below=f"logs/ci-audit/{first_build_id(NOON)}/"
    )
    gcs.put({"logs/ci-audit/latest-build.txt": first_build_id(NOON).encode()})
    result = synced.sync.run()
    assert (result.skipped, result.failed) == ([], [])
    [run] = runs_of(synced)
    assert result.runs == [run]
    made = NOON - timedelta(hours=10)
    assert run == Run(
        id=run.id,
        kind=RunKind.CI,
        started=made + timedelta(minutes=1),
        finished=made + timedelta(hours=1),
        result=RunResult.SUCCESS,
        cluster="kind",
        job="ci-audit",
        build=build,
        revision=COMMIT,
        version="v1.34",
    )
    assert synced.runs.summary(run.id).requests == 2
    assert not list(synced.spool.iterdir())


def test_once(synced: Service, gcs: FakeGcs) -> None:
    """A build that is there is not fetched again; a newer one is."""
    put_build(gcs, -10)
    assert len(synced.sync.run().runs) == 1
    gcs.requests.clear()
    assert synced.sync.run() == Synced()
    assert all(name.endswith("*") for name in gcs.asked)
    newer = put_build(gcs, -5)
    assert [run.build for run in synced.sync.run().runs] == [newer]
    assert len(runs_of(synced)) == 2


def test_the_window(synced: Service, gcs: FakeGcs) -> None:
    """Builds of long ago are not even listed; folders that are no builds are passed over."""
    put_build(gcs, -24 * 40)
    gcs.put({"logs/ci-audit/17/finished.json": b"", "logs/ci-audit/zz/finished.json": b""})
    [failed] = synced.sync.run().failed
    assert failed == f"ci-audit: no build in gs://{BUCKET}/logs/ci-audit/ was successful and can be used"
    assert gcs.asked == ["logs/ci-audit/*"]
    offset = gcs.requests[0].args["startOffset"].removeprefix("logs/ci-audit/")
    assert offset == first_build_id(synced.clock() - timedelta(days=30))


@pytest.mark.parametrize(
    "finished",
    [{"result": "FAILURE", "passed": False}, {"result": "ABORTED"}, {"result": None, "passed": None}],
)
def test_only_success(synced: Service, gcs: FakeGcs, finished: dict[str, Any]) -> None:
    """A build that failed or was aborted is passed over without a word, and nothing else of it is read."""
    good = put_build(gcs, -20)
    bad = put_build(gcs, -10, finished=finished)
    result = synced.sync.run()
    assert ([run.build for run in result.runs], result.skipped, result.failed) == ([good], [], [])
    assert [name for name in gcs.asked if bad in name] == [f"logs/ci-audit/{bad}/finished.json"]


def test_several(synced: Service, gcs: FakeGcs) -> None:
    """As many of the newest builds as are wanted, those that are there counted."""
    builds = [put_build(gcs, hours) for hours in (-40, -30, -20, -10)]
    wanted = replace(CI, limit=3)
    assert [run.build for run in synced.sync.run([CI]).runs] == [builds[3]]
    assert [run.build for run in synced.sync.run([wanted]).runs] == [builds[2], builds[1]]
    assert synced.sync.run([wanted]) == Synced()
    assert [run.build for run in synced.sync.run([replace(CI, limit=9)]).runs] == [builds[0]]


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"finished": {"timestamp": None}}, "finished.json: its timestamp is no time in Unix seconds"),
    ({"started": {"timestamp": "x"}}, "started.json: its timestamp is no time in Unix seconds"),
    (
        {"finished": {"timestamp": 1}},
        "finished.json: it finished at 1970-01-01 00:00:01+00:00, before it started",
    ),
    (
        {"finished": {"timestamp": 4102444800}},
        "finished.json: it will have finished at 2100-01-01 00:00:00+00:00",
    ),
    (
        {"artifacts": {"build-log.txt": b""}},
        "there is neither artifacts/audit/audit*.log* nor audit-endpoints.txt in it",
    ),
    (
        {"artifacts": {"audit/policy.log": b"", "audit/deep/audit.log": b""}},
        "there is neither artifacts/audit/audit*.log*",
    ),
    ({"artifacts": {"audit/audit.log": b""}}, "audit.log: no audit event in it"),
    ({"artifacts": {"audit/audit.log": b"<html>\n"}}, "audit.log: no audit event in it"),
    (
        {"artifacts": {"audit/audit.log.gz": gzip.compress(log_text("listPod"))[:-9]}},
        "cannot read audit.log.gz: ",
    ),
    ({"artifacts": {"audit/audit-endpoints.txt": b"Kubernetes API Endpoints\n"}}, "audit-endpoints.txt: "),
]


@pytest.mark.parametrize(("build", "message"), BROKEN)
def test_a_broken_build(synced: Service, gcs: FakeGcs, build: dict[str, Any], message: str) -> None:
    """It is named with the reason and skipped, nothing of it is left, and the next one is taken."""
    good = put_build(gcs, -20)
    bad = put_build(gcs, -10, **build)
    result = synced.sync.run()
    assert [run.build for run in result.runs] == [good]
    [skipped] = result.skipped
    assert skipped.startswith(f"gs://{BUCKET}/logs/ci-audit/{bad}/: ")
    assert message in skipped
    assert "\n" not in skipped
    assert result.failed == []
    assert len(runs_of(synced)) == 1
    assert not list(synced.spool.iterdir())


def test_a_build_without_a_start(synced: Service, gcs: FakeGcs) -> None:
    """A build that finished and never started is broken."""
    bad = put_build(gcs, -10)
    del gcs.objects[f"logs/ci-audit/{bad}/started.json"]
    result = synced.sync.run()
    assert f"{bad}/started.json: 404" in result.skipped[0]
    assert len(result.failed) == 1


def test_many_broken_builds(synced: Service, gcs: FakeGcs) -> None:
    """After some broken builds a job is given up: it is not the builds that are broken."""
    for hours in range(-60, 0, 10):
        put_build(gcs, hours, artifacts={LOG: b""})
    result = synced.sync.run()
    assert len(result.skipped) == 3
    assert len(result.failed) == 1


def test_one_job_does_not_hinder_another(gcs: FakeGcs, tmp_path: Path) -> None:
    """A job whose bucket cannot be read is named; the next one is taken in."""
    put_build(gcs, -10)
    with opened(gcs, tmp_path, replace(CI, job="gone", bucket="nowhere"), CI) as service:
        result = service.sync.run()
    assert len(result.runs) == 1
    assert result.failed == ["gone: cannot read gs://nowhere/logs/gone/: 404 NOT FOUND"]


def test_a_bad_day(synced: Service, gcs: FakeGcs) -> None:
    """Refusals and cuts on the way do not show in what is stored."""
    build = put_build(gcs, -10)
    folder = f"logs/ci-audit/{build}/"
    gcs.faults["*"] = [refuse(503)]
    gcs.faults[f"{folder}finished.json"] = [refuse(500)]
    gcs.faults[f"{folder}artifacts/audit/audit.log"] = [cut(100), refuse(503), cut(200)]
    result = synced.sync.run()
    assert (len(result.runs), result.skipped, result.failed) == (1, [], [])
    assert synced.runs.summary(result.runs[0].id).requests == 2
    assert not any(gcs.faults.values())


def test_rotated_and_packed_logs(synced: Service, gcs: FakeGcs) -> None:
    """All files of an audit log are one log, in the order of their events; the report beside them is left."""
    artifacts = {
        LOG: log_text("listPod", at=200),
        "audit/audit-2026-01-16.log.gz": gzip.compress(log_text("createPod", at=100)),
        "audit/audit.log.1": log_text("readPod", at=0),
        "audit/audit-endpoints.txt": report_of("deletePod"),
    }
    put_build(gcs, -10, artifacts=artifacts)
    [run] = synced.sync.run().runs
    operations, _ = synced.runs.operations(run.id, limit=9)
    assert [used.id for used in operations] == ["createPod", "listPod", "readPod"]


@pytest.mark.parametrize("name", ["audit/audit-endpoints.txt", "audit-endpoints.txt"])
def test_a_report(synced: Service, gcs: FakeGcs, name: str) -> None:
    """Where no log was kept the report of it is taken in, from either place."""
    put_build(gcs, -10, artifacts={name: report_of("listPod", "readPod")})
    [run] = synced.sync.run().runs
    summary = synced.runs.summary(run.id)
    assert (summary.imported, summary.requests) == (True, 2)


def test_a_log_over_the_limit(gcs: FakeGcs, tmp_path: Path) -> None:
    """A log that is larger than an upload may be is not taken in."""
    put_build(gcs, -10)
    sync = SyncConfig(jobs=(CI,), gcs_endpoint=gcs.url)
    with service_at(tmp_path / "data", sync=sync, max_upload_bytes=100) as service:
        [skipped] = service.sync.run().skipped
    assert skipped.endswith("/artifacts/audit/audit.log: it is larger than 100 bytes")


def test_many_logs_over_the_limit(gcs: FakeGcs, tmp_path: Path) -> None:
    """The logs of a build are bounded together, as the parts of an upload are."""
    logs = {f"audit/audit-{n}.log": log_text("listPod") for n in range(3)}
    put_build(gcs, -10, artifacts=logs)
    size = len(logs["audit/audit-0.log"])
    sync = SyncConfig(jobs=(CI,), gcs_endpoint=gcs.url)
    with service_at(tmp_path / "data", sync=sync, max_upload_bytes=2 * size + 1) as service:
        [skipped] = service.sync.run().skipped
    assert skipped.endswith("/artifacts/audit/audit-2.log: it is larger than 1 bytes")


def test_a_log_that_unpacks_to_more_than_the_limit(gcs: FakeGcs, tmp_path: Path) -> None:
    """A small log that holds more than any disk is not read to its end."""
    put_build(gcs, -10, artifacts={"audit/audit.log.gz": gzip.compress(log_text("listPod") * 100)})
    sync = SyncConfig(jobs=(CI,), gcs_endpoint=gcs.url)
    with service_at(tmp_path / "data", sync=sync, max_unpacked_bytes=1000) as service:
        service.documents.put_swagger("v1.34.0", document())
        [skipped] = service.sync.run().skipped
    assert skipped.endswith(": audit.log.gz: unpacks to more than 1000 bytes (max_unpacked_bytes)")


def test_documents(gcs: FakeGcs, tmp_path: Path) -> None:
    """A run brings the swagger and lists of its own commit and version, each fetched once."""
    put_build(gcs, -10, started={"repo-version": "v1.35.0-alpha.1+abc"})
    put_build(gcs, -5, started={"repo-version": "v1.35.0-alpha.1+abc"})
    gcs.put({f"docs/{COMMIT}/swagger.json": gzip.compress(document())})
    gcs.put(
        {f"docs/{COMMIT}/v1.35.0-alpha.1%2Babc/pending.yaml": listing("readPod"), "docs/ineligible.yaml": b""}
    )
    docs = f"{gcs.url}/{BUCKET}/docs"
    job = replace(
        CI,
        limit=2,
        swagger=f"gs://{BUCKET}/docs/{{commit}}/swagger.json",
        pending=f"{docs}/{{commit}}/{{version}}/pending.yaml",
        ineligible=f"{docs}/ineligible.yaml",
    )
    gcs.objects = {name.replace("%2B", "+"): content for name, content in gcs.objects.items()}
    with opened(gcs, tmp_path, job) as service:
        result = service.sync.run()
        assert result.skipped == []
        runs = runs_of(service)
        assert len(runs) == 2
        for run in runs:
            assert (run.version, run.revision) == ("v1.35.0-alpha.1+abc", COMMIT)
            assert run.swagger is not None
            assert service.store.swaggers.document(run.swagger) == document()
            assert run.pending is not None
            assert service.store.lists.get(run.pending).names == {"readPod"}
            assert run.ineligible is not None
            assert len(service.store.lists.get(run.ineligible)) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"swagger": "gs://b/{commit}/x"}, "the build does not name the commit for gs://b/{commit}/x"),
        (
            {"pending": "gs://b/{version}", "version": None},
            "the build does not name the version for gs://b/{version}",
        ),
        ({"swagger": f"gs://{BUCKET}/none"}, f"cannot read gs://{BUCKET}/none: 404 NOT FOUND"),
        (
            {"swagger": f"gs://{BUCKET}/text"},
            f"gs://{BUCKET}/text: not a Swagger 2.0 or OpenAPI 3 JSON document",
        ),
        ({"ineligible": f"gs://{BUCKET}/text"}, f"gs://{BUCKET}/text: line 1, column 1: expected a list"),
    ],
)
def test_documents_that_are_not_there(
    gcs: FakeGcs, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """Without the documents that it should bring no run is taken in, and no log is fetched in vain."""
    put_build(gcs, -10, started={"repo-commit": ""})
    gcs.put({"text": b"not a swagger"})
    with opened(gcs, tmp_path, replace(CI, **changes)) as service:
        result = service.sync.run()
        assert runs_of(service) == []
    assert message in result.skipped[0]
    assert not any(name.endswith(".log") for name in gcs.asked)


def test_pull_requests(gcs: FakeGcs, tmp_path: Path) -> None:
    """The newest successful build of each pull request, however old it is; none of others."""
    folder = "pr-logs/pull/{}/pull-audit/"
    old = put_build(gcs, -24 * 100, below=folder.format(7))
    put_build(gcs, -20, below=folder.format(8))
    newest = put_build(gcs, -10, below=folder.format(8))
    put_build(gcs, -10, below=folder.format(9))
    with opened(gcs, tmp_path, replace(PULL, pulls=("7", "8", "10"))) as service:
        result = service.sync.run()
        assert {(run.pull, run.build, run.kind) for run in result.runs} == {
            ("7", old, RunKind.PULL),
            ("8", newest, RunKind.PULL),
        }
        [failed] = result.failed
        assert failed.startswith(f"pull-audit: no build in gs://{BUCKET}/pr-logs/pull/10/pull-audit/ was ")
        assert service.sync.run().runs == []


def test_a_named_build(gcs: FakeGcs, tmp_path: Path) -> None:
    """One build of a pull request, of another repository too, without a look at the others."""
    below = "pr-logs/pull/org_repo/8/pull-audit/"
    named = put_build(gcs, -20, below=below)
    put_build(gcs, -10, below=below)
    job = replace(PULL, prefix="pr-logs/pull/org_repo/", pulls=(f"8/{named}", "8/17"))
    with opened(gcs, tmp_path, job) as service:
        result = service.sync.run()
    assert [(run.pull, run.build) for run in result.runs] == [("8", named)]
    assert len(result.failed) == 1
    assert not any(name == f"{below}*" for name in gcs.asked)


def test_no_pull_requests(gcs: FakeGcs, tmp_path: Path) -> None:
    """A job of pull requests of which none is named is nothing to do."""
    with opened(gcs, tmp_path, PULL) as service:
        assert service.sync.run() == Synced()
    assert gcs.requests == []


def test_cut_off(synced: Service, gcs: FakeGcs) -> None:
    """A sync that is cut off leaves whole runs and nothing half, and the next one goes on where it was."""
    builds = [put_build(gcs, hours) for hours in (-30, -20, -10)]
    wanted = [replace(CI, limit=3)]

    def stop_at_the_second(what: str, done: int, _total: int | None) -> None:
        if builds[1] in what and done:
            raise CancelledError

    with pytest.raises(CancelledError):
        synced.sync.run(wanted, progress=stop_at_the_second)
    assert [run.build for run in runs_of(synced)] == [builds[2]]
    assert not list(synced.spool.iterdir())
    gcs.requests.clear()
    assert [run.build for run in synced.sync.run(wanted).runs] == [builds[1], builds[0]]
    assert not any(builds[2] in name for name in gcs.asked)


def test_progress(synced: Service, gcs: FakeGcs) -> None:
    """Who watches sees the build, then its log as it comes, then as it is read."""
    build = put_build(gcs, -10)
    told: list[tuple[str, int, int | None]] = []
    synced.sync.run(progress=lambda *news: told.append(news))
    url = f"gs://{BUCKET}/logs/ci-audit/{build}/"
    size = len(gcs.objects[f"logs/ci-audit/{build}/artifacts/audit/audit.log"])
    assert told == [(url, 0, None), (f"{url}artifacts/audit/audit.log", size, size), (url, size, None)]


def test_a_store_that_cannot_be_written(synced: Service, gcs: FakeGcs) -> None:
    """What is wrong with the data folder is no build's fault."""
    put_build(gcs, -10)
    synced.spool.rmdir()
    with pytest.raises(StoreError, match=r"^cannot write to .+/spool/.+: No such file or directory$"):
        synced.sync.run()


def test_a_clock_that_is_behind(synced: Service, gcs: FakeGcs) -> None:
    """A build that seems to come from the next minutes is taken: our own clock may be wrong."""
    build = put_build(gcs, 23.5)
    assert [run.build for run in synced.sync.run().runs] == [build]


def test_a_token(gcs: FakeGcs, tmp_path: Path) -> None:
    """The bucket is shown its token, the swagger's server another, and the lists' none."""
    put_build(gcs, -10)
    gcs.put({"swagger": document(), "list": b"[]"})
    (tmp_path / "bucket").write_text("b")
    (tmp_path / "cluster").write_text("c")
    docs = f"{gcs.url}/{BUCKET}"
    job = replace(
        CI, swagger=f"{docs}/swagger", swagger_token_file=tmp_path / "cluster", pending=f"{docs}/list"
    )
    sync = SyncConfig(jobs=(job,), gcs_endpoint=gcs.url, gcs_token_file=tmp_path / "bucket")
    with service_at(tmp_path / "data", sync=sync) as service:
        assert len(service.sync.run().runs) == 1
    shown = {
        name: request.headers.get("Authorization")
        for name, request in zip(gcs.asked, gcs.requests, strict=True)
    }
    assert shown.pop("swagger") == "Bearer c"
    assert shown.pop("list") is None
    assert set(shown.values()) == {"Bearer b"}


def test_json_is_what_the_files_hold(gcs: FakeGcs) -> None:
    """The bucket of these tests is as Prow leaves it."""
    build = put_build(gcs, 0)
    text = gcs.objects[f"logs/ci-audit/{build}/finished.json"]
    assert json.loads(text) == {"timestamp": 1768568400, "passed": True, "result": "SUCCESS"}
