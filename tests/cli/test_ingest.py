"""``auditsvc ingest``, ``swagger`` and ``lists``: into the store, or not at all."""

import gzip
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from auditsvc.config import Config
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.service import open_service
from tests.cli.conftest import CommandLine

RECIPE = Path(__file__).resolve().parents[2] / "deploy" / "audit" / "audit-policy.yaml"


def test_ingest_prints_the_id_alone(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """Standard output is the run's id and nothing else, so that a script can use it."""
    auditsvc = auditsvc_with_runs
    ran = auditsvc("ingest", "--kind", "app", "--app", "shop", demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stderr) == (0, "")
    run_id = ran.stdout.removesuffix("\n")
    with open_service(Config(data=auditsvc.data)) as service:
        run = service.runs.get(run_id)
        assert (run.kind, run.app, run.version) == (RunKind.APP, "shop", "v1.20.2")
        assert service.runs.summary(run_id).requests == 3850


def test_the_same_content_is_the_same_run(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """A log that is there already, packed otherwise, changes nothing, and that is said beside the id."""
    auditsvc = auditsvc_with_runs
    plain = auditsvc.home / "audit.log"
    plain.write_bytes(gzip.decompress((demo_data / "ci-audit.log.gz").read_bytes()))
    before = auditsvc.stored()
    ran = auditsvc("ingest", "--kind", "ci", "--cluster", "demo", plain)
    assert (ran.returncode, ran.stderr) == (0, "the same content was there already, as:\n")
    assert ran.stdout.startswith("ci-")
    assert auditsvc.stored() == before


def test_a_run_brings_its_documents_and_origin(auditsvc: CommandLine, demo_data: Path) -> None:
    """Every option reaches the run; the documents it brings hold for it alone."""
    ran = auditsvc(
        *("ingest", "--kind", "pull", "--cluster", "c", "--job", "j", "--build", "17", "--pull", "5"),
        *("--revision", "abc", "--version", "v1.20.7", "--result", "failure"),
        *("--started", "2026-11-20T10:00:00+02:00", "--finished", "2026-11-21T00:00:00Z"),
        *("--swagger", demo_data / "openapi-v2.json.gz"),
        *("--pending", demo_data / "demo-1.20.2-pending.yaml"),
        *("--ineligible", demo_data / "demo-1.20.2-ineligible.yaml"),
        *("--policy", RECIPE, "--jobs", 2, demo_data / "pull-audit.log.gz"),
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    with open_service(Config(data=auditsvc.data)) as service:
        run = service.runs.get(ran.stdout.strip())
        assert (run.cluster, run.job, run.build, run.pull) == ("c", "j", "17", "5")
        assert (run.revision, run.version, run.result) == ("abc", "v1.20.7", RunResult.FAILURE)
        assert run.started.isoformat() == "2026-11-20T08:00:00+00:00"
        assert run.finished.isoformat() == "2026-11-21T00:00:00+00:00"
        assert run.swagger
        assert run.pending
        assert run.ineligible
        assert run.policy
        assert service.store.policies.text(run.policy) == RECIPE.read_text()
        assert service.documents.swaggers() == []


def test_a_policy_that_is_none_leaves_nothing(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """It is refused with its line, before the log is read, and the store is as it was."""
    auditsvc = auditsvc_with_runs
    (auditsvc.home / "policy.yaml").write_text("rules:\n- }\n")
    before = auditsvc.stored()
    ran = auditsvc("ingest", "--kind", "ci", "--policy", "policy.yaml", demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: policy: line 2, column 3: not YAML")
    assert auditsvc.stored() == before


def test_the_data_folder_is_an_option(auditsvc: CommandLine, demo_data: Path, tmp_path: Path) -> None:
    """--data wins over AUDITSVC_DATA."""
    other = tmp_path / "other"
    words = "--data", other, demo_data / "openapi-v2.json.gz"
    assert auditsvc("swagger", "v1.20.2", *words).returncode == 0
    assert (other / "auditsvc.db").exists()
    assert not auditsvc.data.exists()


def test_documents_from_urls(auditsvc: CommandLine, demo_data: Path, httpserver: HTTPServer) -> None:
    """A swagger and a list are taken from URLs, from the time that is given; their hashes are printed."""
    swagger = (demo_data / "openapi-v2.json.gz").read_bytes()
    pending = (demo_data / "demo-1.20.2-pending.yaml").read_bytes()
    httpserver.expect_request("/swagger.json.gz").respond_with_data(swagger)
    httpserver.expect_request("/pending.yaml").respond_with_data(pending)
    since = "--from", "2026-01-31T12:00:00+01:00"
    for words in (("swagger", "v1.20.2", "/swagger.json.gz"), ("lists", "pending", "/pending.yaml")):
        ran = auditsvc(*words[:-1], httpserver.url_for(words[-1]), *since)
        assert (ran.returncode, ran.stderr, len(ran.stdout)) == (0, "", 65)
    with open_service(Config(data=auditsvc.data)) as service:
        [record] = service.documents.swaggers()
        assert (record.version, record.operations) == ("v1.20.2", 1066)
        assert record.holds_from.isoformat() == "2026-01-31T11:00:00+00:00"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cluster", ""], "Invalid value for '--cluster': expected 1 to 250 characters, found 0"),
        (
            ["--started", "yesterday"],
            "Invalid value for '--started': 'yesterday' is no RFC 3339 time such as",
        ),
        (["--started", "2026-01-01T00:00:00"], "Invalid value for '--started': '2026-01-01T00:00:00' is no"),
        (["--finished", "2020-01-01T00:00:00Z"], "finished: before started; check the two times"),
        (["--version", "latest"], "version: latest is none (expected one like v1.34.0)"),
        (["--version", "v1.34.0"], "no swagger of that version is stored, so the log cannot be mapped"),
        (["--swagger", "no.json"], "cannot read no.json: No such file or directory"),
        (
            ["--kind", "nightly"],
            "Invalid value for '--kind': 'nightly' is not one of 'ci', 'pull', 'app', 'live'",
        ),
    ],
)
def test_what_cannot_be_a_run_is_told(
    auditsvc_with_runs: CommandLine, demo_data: Path, words: list[str], message: str
) -> None:
    """A mistake in the origin is one line and 2, and the store is as it was."""
    auditsvc = auditsvc_with_runs
    before = auditsvc.stored()
    ran = auditsvc("ingest", "--kind", "ci", *words, demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == before


@pytest.mark.parametrize("name", ["truncated.log.gz", "empty.log", "text.log"])
def test_a_broken_log_leaves_nothing(auditsvc_with_runs: CommandLine, demo_data: Path, name: str) -> None:
    """A log that cannot be read to its end leaves no run, nor the documents that it brought."""
    auditsvc = auditsvc_with_runs
    log = auditsvc.home / name
    packed = (demo_data / "ci-audit.log.gz").read_bytes()
    log.write_bytes({"truncated.log.gz": packed[:-2000], "empty.log": b"", "text.log": b"hello\n"}[name])
    pending = auditsvc.home / "pending.yaml"
    pending.write_text("- onlyHere\n")
    before = auditsvc.stored()
    ran = auditsvc("ingest", "--kind", "ci", "--pending", pending, log)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert name in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"paths": 1}', "not a Swagger 2.0 or OpenAPI 3 JSON document"),
        (b"- a\n", "not a Swagger 2.0 or OpenAPI 3 JSON document"),
    ],
)
def test_a_document_that_is_none_is_refused(
    auditsvc_with_runs: CommandLine, content: bytes, message: str
) -> None:
    """What is no swagger, as a swagger of its own or of a run, leaves the store as it was."""
    auditsvc = auditsvc_with_runs
    document = auditsvc.home / "swagger.json"
    document.write_bytes(content)
    before = auditsvc.stored()
    for words in (
        ("swagger", "v1.34.0", document),
        ("ingest", "--kind", "ci", "--swagger", document, "a.log"),
    ):
        ran = auditsvc(*words)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert message in ran.stderr
        assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("swagger", "newest", "swagger"), "not a version of Kubernetes: newest: write it like v1.34.0"),
        (
            ("lists", "pending", "map.yaml"),
            "map.yaml: line 1, column 1: expected a list of endpoints, found a",
        ),
        (("lists", "other", "map.yaml"), "Invalid value for '{pending|ineligible}': 'other' is not one of"),
        (
            ("lists", "pending", "map.yaml", "--from", "now"),
            "Invalid value for '--from': 'now' is no RFC 3339",
        ),
        (
            ("lists", "pending", "http://127.0.0.1:1/x"),
            "cannot read http://127.0.0.1:1/x: Connection refused",
        ),
    ],
)
def test_wrong_documents_are_told(
    auditsvc_with_runs: CommandLine, demo_data: Path, words: tuple[str, ...], message: str
) -> None:
    """A wrong version, list, kind, time or URL is one line and 2, and the store is as it was."""
    auditsvc = auditsvc_with_runs
    shutil.copy(demo_data / "openapi-v2.json.gz", auditsvc.home / "swagger")
    (auditsvc.home / "map.yaml").write_text("a: 1\n")
    before = auditsvc.stored()
    ran = auditsvc(*words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1
    assert auditsvc.stored() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_ingest_that_is_ended_leaves_nothing(
    auditsvc_with_runs: CommandLine, demo_data: Path, how: signal.Signals
) -> None:
    """However an ingest ends before its log does, no part of a run is stored."""
    auditsvc = auditsvc_with_runs
    pipe = auditsvc.home / "audit.log"
    os.mkfifo(pipe)
    before = auditsvc.stored()
    process = auditsvc.start("ingest", "--kind", "ci", pipe)
    with pipe.open("wb") as writer:
        writer.write(gzip.decompress((demo_data / "pull-audit.log.gz").read_bytes())[:3_000_000])
        writer.flush()
        process.send_signal(how)
        out, said = process.communicate(timeout=10)
    assert process.returncode != 0
    assert (out, said.strip()) == ("", "")
    assert auditsvc.stored() == before


def newer(database: Path) -> None:
    """A store of a version to come."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma user_version = 999")


def spoilt(database: Path) -> None:
    """A file that is no database."""
    database.write_bytes(b"hello\n" * 1000)


@pytest.mark.parametrize(
    ("spoil", "message"), [(newer, "was written by a newer auditsvc"), (spoilt, "is not a database")]
)
@pytest.mark.parametrize("command", ["lists", "audit", "serve"])
def test_a_store_that_cannot_be_used_is_left_alone(
    auditsvc_with_runs: CommandLine, spoil: Callable[[Path], None], message: str, command: str
) -> None:
    """A database of a newer version, or none at all, is one line that names it, and stays as it is."""
    auditsvc = auditsvc_with_runs
    (auditsvc.home / "list.yaml").write_text("- a\n")
    words = {"lists": ("pending", "list.yaml"), "audit": ("--commit",), "serve": ("--port", 0)}
    database = auditsvc.data / "auditsvc.db"
    spoil(database)
    before = database.read_bytes()
    ran = auditsvc(command, *words[command])
    assert (ran.returncode, ran.stdout) == (2, "")
    told = ran.stderr.splitlines()[-1]
    assert told.startswith("auditsvc: ")
    assert str(database) in told
    assert message in told
    assert database.read_bytes() == before


def test_a_data_folder_that_cannot_be_made_is_told(auditsvc: CommandLine) -> None:
    """A data folder where none can be is one line, and 2."""
    ran = auditsvc("audit", "--commit", "--data", "/proc/auditsvc")
    assert ran.returncode == 2
    assert ran.stderr.startswith("auditsvc: the data folder /proc/auditsvc cannot be used: ")


def test_an_application_out_of_a_log(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """An app run may be one user agent's part of a log."""
    auditsvc = auditsvc_with_runs
    words = "--kind", "app", "--app", "kubectl", "--agent", "kubectl/"
    ran = auditsvc("ingest", *words, demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stderr) == (0, "")
    with open_service(Config(data=auditsvc.data)) as service:
        used, _ = service.runs.operations(ran.stdout.strip(), limit=1000)
        assert {agent for one in used for agent in one.used.agents} == {"kubectl"}


def test_all_applications_of_a_log(auditsvc_with_runs: CommandLine, demo_data: Path) -> None:
    """--split-by makes a run of each, and prints its id and the application."""
    auditsvc = auditsvc_with_runs
    words = "ingest", "--kind", "app", "--split-by", "agent", "--at-least", "1000"
    ran = auditsvc(*words, demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = [line.split(" ") for line in ran.stdout.splitlines()]
    with open_service(Config(data=auditsvc.data)) as service:
        for run_id, app in lines:
            assert service.runs.get(run_id).app == app
            assert service.runs.summary(run_id).requests >= 1000
    assert lines == sorted(lines, key=lambda line: line[1])


def test_a_ci_run_is_no_part_of_a_log(auditsvc: CommandLine, demo_data: Path) -> None:
    """Parts of a log are applications."""
    words = "--kind", "ci", "--namespace", "kube-system", "--swagger", demo_data / "openapi-v2.json.gz"
    ran = auditsvc("ingest", *words, demo_data / "ci-audit.log.gz")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "auditsvc: namespace kube-system: only a run of kind app is a part of a log\n"
