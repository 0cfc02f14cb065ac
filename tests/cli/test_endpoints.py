import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.logs import E2E, event


def rows(auditsvc: CommandLine, *arguments: str) -> list[dict[str, str]]:
    """What a command prints as CSV."""
    ran = auditsvc("coverage", *arguments, "--format", "csv")
    assert ran.returncode == 0, ran.stderr
    return list(csv.DictReader(io.StringIO(ran.stdout)))


def test_coverage_of_a_run(filled: CommandLine) -> None:
    """Without a command by level; of what was reached it is told who knows."""
    ran = filled("coverage")
    assert ran.stdout.splitlines()[0].split() == (
        ["level", "operations", "eligible", "hit", "tested", "conf_tested", "success", "percent"]
    )
    assert ran.stderr.startswith("1.20.0: known from ci run ci-")
    found = rows(
        filled, "show", "--by", "category", "--metric", "hit", "--conformance-only", "--level", "stable"
    )
    assert (found[0]["category"], found[0]["operations"]) == ("core", found[0]["eligible"])
    assert filled("coverage", "show", "--by", "colour").returncode == 2


def test_untested_and_candidates(filled: CommandLine) -> None:
    """A row for each endpoint; for each test that might become a conformance test."""
    found = rows(filled, "untested", "--group", "apps", "--exclude-ineligible")
    assert {row["ineligible"] for row in found} == {"false"}
    assert all("AppsV1" in row["endpoint"] or "AppsAPI" in row["endpoint"] for row in found)
    for row in rows(filled, "candidates"):
        assert "[Conformance]" not in row["test"]


def test_tests_and_an_endpoint(filled: CommandLine) -> None:
    """From test to endpoint and back."""
    found = rows(filled, "tests", "--conformance")
    assert {row["conformance"] for row in found} == {"true"}
    detail = rows(filled, "endpoint", found[0]["endpoint"])
    assert ("conformance test", found[0]["test"]) in [(row["what"], row["value"]) for row in detail]
    ran = filled("coverage", "endpoint", "listCoreV1NamespacedPods")
    assert ran.returncode == 2
    assert "did you mean listCoreV1NamespacedPod" in ran.stderr


def test_writing_a_test(auditsvc_with_runs: CommandLine, tmp_path: Path) -> None:
    """Its log is ingested, what it adds is told, and a proposal written."""
    log = tmp_path / "audit.log"
    uri = "/api/v1/namespaces/a/podtemplates"
    agent = "live-podtemplates/v1.20.2"
    log.write_bytes(
        event("a", uri=uri, agent=agent)
        + event("b", uri=uri, agent=agent, received=1)
        + event("c", agent=E2E + "x")
    )
    run = auditsvc_with_runs("ingest", "--kind", "live", log).stdout.strip()
    ran = auditsvc_with_runs("coverage", "new-test", "--agent", agent, "--format", "json")
    [hit] = json.loads(ran.stdout)
    assert (hit["endpoint"], hit["hits"]) == ("listCoreV1NamespacedPodTemplate", 2)
    assert ran.stderr.startswith(f"live-podtemplates in {run}: ")
    ticket = auditsvc_with_runs("coverage", "ticket", hit["endpoint"])
    assert ticket.stdout.startswith("# Conformance test for podtemplates: 1 endpoint\n")
    assert f"list: `{hit['endpoint']}` **(this proposal)**" in ticket.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("untested",), "the operations of any release are not known"),
        (("show", "--run", "x"), "unknown run: x"),
        (("new-test", "--agent", "live-x"), "no stored run has a request of live-x"),
        (("ticket", "listPod"), "the operations of any release are not known"),
        (("ticket",), "Missing argument"),
    ],
)
def test_an_empty_store_knows_nothing(
    auditsvc: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    """One line that says what to do."""
    ran = auditsvc("coverage", *arguments)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert message in ran.stderr
