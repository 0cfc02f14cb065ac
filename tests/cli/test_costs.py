"""``auditsvc costs``: into the store, from OpenCost, and why an audit finds a difference."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.audits.days import Day, consistent_day, document
from tests.cli.conftest import CommandLine

WINDOW = ("--window", "2024-05-01,2024-05-02")


@pytest.fixture
def day() -> Day:
    """A day whose first pod is charged 5 too much."""
    made = consistent_day(1, nodes=1, pods=30)
    key, row = next(iter(made.allocations.items()))
    return made.changed("allocations", key, cpuCost=row["cpuCost"] + 5, totalCost=row["totalCost"] + 5)


def written(path: Path, content: bytes) -> Path:
    """The file."""
    path.write_bytes(content)
    return path


def test_documents_go_into_the_store_and_are_audited(auditsvc: CommandLine, day: Day) -> None:
    """Each prints its hash; the audit fails, and the difference is explained."""
    contents = {"allocations": document([day.allocations]), "assets": document(day.assets)}
    for kind, content in contents.items():
        ran = auditsvc("costs", kind, *WINDOW, written(auditsvc.home / kind, content))
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout == sha256(content).hexdigest() + "\n"
    ran = auditsvc("audit", *WINDOW, "--type", "AuditClusterEquality")
    assert (ran.returncode, ran.stderr) == (1, "")
    ran = auditsvc("costs", "explain", "AuditClusterEquality", "cluster-0", *WINDOW)
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("Clusters/cluster-0: expected ")
    assert ", difference 5 (" in lines[0]
    assert any(line.startswith("- CPU alone makes the difference: ") for line in lines)
    assert "… and 12 smaller ones" in lines
    assert auditsvc("explain", "AuditClusterEquality", "cluster-0", *WINDOW).stdout == ran.stdout


def test_costs_are_fetched(auditsvc: CommandLine, httpserver: HTTPServer, day: Day) -> None:
    """From the OpenCost that the configuration names; what was stored is printed."""
    content = document([day.allocations])
    httpserver.expect_request("/allocation/compute").respond_with_data(content)
    httpserver.expect_request("/assets").respond_with_data(document(day.assets))
    configured = replace(auditsvc, variables={"AUDITSVC_OPENCOST_URL": httpserver.url_for("").rstrip("/")})
    ran = configured("costs", "fetch", *WINDOW)
    assert (ran.returncode, ran.stderr) == (0, "")
    first, second = ran.stdout.splitlines()
    assert first == f"2024-05-01 allocations {len(day.allocations)} rows {sha256(content).hexdigest()}"
    assert second.startswith("2024-05-01 assets ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("costs", "assets", *WINDOW, "none.json"), "auditsvc: cannot read none.json: No such file"),
        (("costs", "assets", *WINDOW, "empty.json"), "auditsvc: empty.json: not an asset response: "),
        (("costs", "assets", "--window", "7d", "good.json"), "auditsvc: window: ["),
        (
            ("costs", "assets", "good.json"),
            "auditsvc: Missing option '--window'. (auditsvc costs assets --help",
        ),
        (("costs", "gifts", *WINDOW, "good.json"), "auditsvc: No such command 'gifts'."),
        (("costs", "fetch", *WINDOW), "auditsvc: opencost_url: missing; "),
        (
            ("costs", "explain", "swaggerTotal", "x", *WINDOW),
            "auditsvc: type: AuditSwaggerTotal is no audit of",
        ),
        (
            ("costs", "explain", "costKeys", "x", *WINDOW),
            "auditsvc: AuditCostKeys on 2024-05-01: nothing to com",
        ),
    ],
)
def test_what_cannot_be_done(auditsvc: CommandLine, arguments: tuple[str, ...], message: str) -> None:
    """One line on standard error, exit code 2, and nothing is stored."""
    written(auditsvc.home / "empty.json", b"")
    written(auditsvc.home / "good.json", document({}))
    ran = auditsvc(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(message)
    assert ran.stderr.count("\n") == 1
    assert "insert into costs" not in auditsvc.stored().lower()
