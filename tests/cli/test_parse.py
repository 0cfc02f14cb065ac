"""``auditsvc parse`` through its real entry point, on the demo's logs."""

import csv
import gzip
import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from auditsvc.core.report import parse_report
from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import ExercisedBy
from auditsvc.exports import endpoints_txt, usage_json
from auditsvc.fetch import read
from auditsvc.ingest import Log, count_logs
from tests.cli.conftest import CommandLine


@pytest.fixture
def swagger(demo_data: Path) -> Path:
    """The demo's swagger document."""
    return demo_data / "openapi-v2.json.gz"


@pytest.fixture
def log(demo_data: Path) -> Path:
    """The demo's CI log, packed."""
    return demo_data / "ci-audit.log.gz"


def test_json_is_the_usage(auditsvc: CommandLine, swagger: Path, log: Path) -> None:
    """``--format json`` prints the usage on standard output, and nothing on standard error."""
    ran = auditsvc("parse", log, "--swagger", swagger, "--format", "json")
    usage = count_logs([Log.at(log)], parse_swagger(read(str(swagger))))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == usage_json.render(usage)
    assert json.loads(ran.stdout)["requests"] == 3850


def test_text_and_csv(auditsvc: CommandLine, swagger: Path, log: Path) -> None:
    """Text is for people, and CSV has a row for each operation."""
    text = auditsvc("parse", log, "--swagger", swagger)
    assert text.stdout.startswith("requests")
    table = auditsvc("parse", log, "--swagger", swagger, "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(table.stdout)))) == 240


def test_the_report_is_read_back(auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path) -> None:
    """``--output`` writes an audit-endpoints.txt, ``--operations-json`` each operation's first events."""
    report, samples = tmp_path / "audit-endpoints.txt", tmp_path / "operations.json"
    ran = auditsvc("parse", log, "--swagger", swagger, "--output", report, "--operations-json", samples)
    assert ran.returncode == 0
    usage = count_logs([Log.at(log)], parse_swagger(read(str(swagger))))
    assert report.read_text() == endpoints_txt.render(usage)
    assert parse_report(report.read_text()).exercised(ExercisedBy.HIT) == usage.exercised(ExercisedBy.HIT)
    events = json.loads(samples.read_text())
    assert events.keys() == usage.operations.keys()
    assert all(1 <= len(found) <= 5 for found in events.values())
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [report.name, samples.name]


def test_files_jobs_and_standard_input_agree(
    auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path
) -> None:
    """Rotated files in any order, any number of jobs, and a stream give what the one log gives."""
    lines = gzip.decompress(log.read_bytes()).splitlines(keepends=True)
    first, second = tmp_path / "audit-1.log", tmp_path / "audit-2.log"
    first.write_bytes(b"".join(lines[:2000]))
    second.write_bytes(b"".join(lines[2000:]))
    common = "--swagger", swagger, "--format", "json"
    whole = auditsvc("parse", log, *common, "--jobs", 1).stdout
    assert auditsvc("parse", second, first, *common, "--jobs", 2).stdout == whole
    assert auditsvc("parse", "-", *common, "--jobs", 2, stdin=b"".join(lines).decode()).stdout == whole


def test_a_failure_leaves_the_old_file(
    auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path
) -> None:
    """A log that breaks off leaves the report of the last time as it was, and no other file."""
    broken, report = tmp_path / "broken.log.gz", tmp_path / "out" / "audit-endpoints.txt"
    broken.write_bytes(log.read_bytes()[:-1000])
    report.parent.mkdir()
    report.write_text("old")
    ran = auditsvc("parse", broken, "--swagger", swagger, "--output", report)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("auditsvc: cannot read broken.log.gz: ")
    assert report.read_text() == "old"
    assert list(report.parent.iterdir()) == [report]


def test_a_device_is_written_to(auditsvc: CommandLine, swagger: Path, log: Path) -> None:
    """``--output /dev/stdout`` writes there: a device is not replaced."""
    ran = auditsvc("parse", log, "--swagger", swagger, "--output", "/dev/stdout", "--format", "json")
    assert ran.returncode == 0
    assert ran.stdout.startswith("Kubernetes API Endpoints Found")
    assert ran.stdout.endswith("}\n")


def test_a_link_stays_a_link(auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path) -> None:
    """Where ``--output`` is a link, what it leads to is replaced."""
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    assert auditsvc("parse", log, "--swagger", swagger, "--output", link).returncode == 0
    assert link.is_symlink()
    assert target.read_text().startswith("Kubernetes API Endpoints Found")


def test_half_a_line_at_the_end_is_counted(
    auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path
) -> None:
    """A log that is being written ends in half a line, which is malformed and no error."""
    half = tmp_path / "audit.log"
    half.write_bytes(gzip.decompress(log.read_bytes())[:300_000])
    ran = auditsvc("parse", half, "--swagger", swagger, "--format", "json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["malformed"] == 1


def test_a_giant_line_is_counted(auditsvc: CommandLine, swagger: Path, log: Path, tmp_path: Path) -> None:
    """A line of 100 MB is one malformed line between two good halves."""
    lines = gzip.decompress(log.read_bytes()).splitlines(keepends=True)
    giant = tmp_path / "audit.log"
    with giant.open("wb") as file:
        file.writelines([*lines[:1000], b'{"kind":"'])
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.writelines([b'"}\n', *lines[1000:]])
    ran = auditsvc("parse", giant, "--swagger", swagger, "--format", "json", "--jobs", 1)
    assert ran.returncode == 0
    parsed = json.loads(ran.stdout)
    assert (parsed["requests"], parsed["malformed"]) == (3850, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "audit.log: no audit event in it (expected one audit.k8s.io/v1 Event as JSON on each line)"),
        (b"hello\n" * 9, "audit.log: no audit event in it (expected one audit.k8s.io/v1 Event as JSON "),
        (b"\xff\xfe\n", "audit.log: no audit event in it"),
        (b"[" * 200_000 + b"\n", "audit.log: no audit event in it"),
        (None, "cannot read audit.log: No such file or directory"),
    ],
)
def test_what_is_no_log_is_told(
    auditsvc: CommandLine, swagger: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    """An empty file, text, bytes that are no UTF-8, deep nesting and no file at all are one line and 2."""
    log = tmp_path / "audit.log"
    if content is not None:
        log.write_bytes(content)
    ran = auditsvc("parse", log, "--swagger", swagger)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}', "not a Swagger 2.0 or OpenAPI 3 JSON document"),
        ("swagger: 2.0", "not a Swagger 2.0 or OpenAPI 3 JSON document"),
        ("[" * 200_000, "not a Swagger 2.0 or OpenAPI 3 JSON document"),
    ],
)
def test_what_is_no_swagger_is_told(
    auditsvc: CommandLine, log: Path, tmp_path: Path, content: str, message: str
) -> None:
    """A document that is no swagger is named, in one line."""
    swagger = tmp_path / "swagger.json"
    swagger.write_text(content)
    ran = auditsvc("parse", log, "--swagger", swagger)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {swagger}: {message}")
    assert ran.stderr.count("\n") == 1


def test_standard_input_can_be_read_once(auditsvc: CommandLine, swagger: Path) -> None:
    """``-`` twice is a mistake."""
    ran = auditsvc("parse", "-", "-", "--swagger", swagger)
    assert ran.returncode == 2
    assert "standard input (-) can be read once" in ran.stderr


def test_a_folder_that_is_not_there_is_told(auditsvc: CommandLine, swagger: Path, log: Path) -> None:
    """An output that cannot be written is named as it was given."""
    ran = auditsvc("parse", log, "--swagger", swagger, "--output", "no/such/folder.txt")
    assert ran.returncode == 2
    assert ran.stderr == "auditsvc: Could not open file 'no/such/folder.txt': No such file or directory\n"


def test_progress_is_for_terminals(auditsvc: CommandLine, swagger: Path, log: Path) -> None:
    """Where standard error is a terminal there is a bar on it, and standard output is as ever."""
    leader, terminal = os.openpty()
    command = auditsvc.command("parse", log, "--swagger", swagger, "--format", "json")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=terminal, env=auditsvc.environment
    ) as process:
        os.close(terminal)
        assert process.stdout is not None
        assert json.load(process.stdout)["requests"] == 3850
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert "reading" in shown
