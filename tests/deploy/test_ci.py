"""The shell in ``deploy/ci`` is run as CI would run it, on the demo's files."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import html5lib
import jsonschema_rs
import pytest
from defusedxml.ElementTree import fromstring

from auditsvc import __version__
from auditsvc.config import load_config
from auditsvc.core.prow import first_build_id
from tests.deploy.reading import DEPLOY, parse_yaml, read_yaml
from tests.gcs import BUCKET, FakeGcs

CI = DEPLOY / "ci"
ACTION, GITLAB, PROW = "ci/github/action.yml", "ci/gitlab/auditsvc.gitlab-ci.yml", "ci/prow/jobs.yaml"
BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # as GitHub runs `shell: bash`

Ran = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Checkout:
    """A repository that was checked out, and what the machine of a CI job has besides."""

    folder: Path
    commands: Path

    def run(self, shell: list[str], script: str, **variables: object) -> Ran:
        """Runs a script with those variables alone, as far as CI is concerned."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        environment = {
            **kept,
            "AUDITSVC_DATA": str(self.folder / "data"),
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            **{name: str(value) for name, value in variables.items()},
        }
        return subprocess.run(
            [*shell, script],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def put(self, name: str, content: bytes) -> Path:
        """A file in the repository."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


@pytest.fixture
def checkout(tmp_path: Path, demo_data: Path) -> Checkout:
    """The demo's files where Kubernetes has its own, and an ``auditsvc`` that is this one."""
    found = Checkout(tmp_path / "repository", tmp_path / "bin")
    found.commands.mkdir()
    command = found.commands / "auditsvc"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m auditsvc "$@"\n')
    command.chmod(0o755)
    for name, source in {
        "api/openapi-spec/swagger.json": "openapi-v2.json.gz",
        "test/conformance/testdata/pending_eligible_endpoints.yaml": "demo-1.20.2-pending.yaml",
        "test/conformance/testdata/ineligible_endpoints.yaml": "demo-1.20.2-ineligible.yaml",
        "artifacts/audit/audit-1.log": "pull-audit.log.gz",
        "baseline/1/audit.log": "ci-audit.log.gz",
    }.items():
        found.put(name, (demo_data / source).read_bytes())
    return found


def test_the_version_is_ours() -> None:
    """What is installed is pinned to this version, and no registry is named."""
    for name in (ACTION, GITLAB):
        text = (DEPLOY / name).read_text()
        assert re.findall(r"install.* (\S*auditsvc\S*)", text)[-1] == f"auditsvc=={__version__}"
    for path in CI.rglob("*.y*ml"):
        assert "pypi" not in path.read_text()
        assert "index-url" not in path.read_text()
    images = re.findall(r"image: auditsvc\S*:(\S+)", (DEPLOY / PROW).read_text())
    assert images == [__version__] * 2


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with our wheel, in the place of a registry."""
    folder = tmp_path_factory.mktemp("wheels")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(DEPLOY.parent)], check=True)
    return folder


def test_installing(checkout: Checkout, wheels: Path) -> None:
    """What the action and the template run first makes the ``auditsvc`` that their next steps call."""
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "PIP_NO_DEPS": "1"}
    on_path = checkout.put("github-path", b"")
    step = read_yaml(ACTION)["runs"]["steps"][0]
    ran = checkout.run(BASH, step["run"], **offline, RUNNER_TEMP=checkout.folder, GITHUB_PATH=on_path)
    assert ran.returncode == 0, ran.stderr
    assert (Path(on_path.read_text().strip()) / "auditsvc").exists()
    lines = [*read_yaml(GITLAB)[".auditsvc"]["before_script"], "command -v auditsvc"]
    ran = checkout.run(["sh", "-ec"], "\n".join(lines), **offline)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(checkout.folder / ".auditsvc" / "bin" / "auditsvc")


@pytest.mark.parametrize(("name", "schema"), [(ACTION, "github-actions"), (GITLAB, "gitlab-ci")])
def test_published_schemas(name: str, schema: str) -> None:
    """GitHub's action and GitLab's template are as their published schemas want them."""
    text = (files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{schema}.json").read_text("utf-8")
    validator = jsonschema_rs.validator_for(json.loads(text))
    assert [error.message for error in validator.iter_errors(read_yaml(name))] == []


# ------------------------------------------------------------------------------------------- GitHub


def audit_on_github(checkout: Checkout, **inputs: str) -> tuple[Ran, dict[str, str]]:
    """The action's step with those inputs, and its outputs."""
    action = read_yaml(ACTION)
    given = {name: one.get("default", "") for name, one in action["inputs"].items()} | inputs
    step = action["runs"]["steps"][-1]
    variables = {
        name: re.sub(r"\$\{\{ inputs\.(\S+) }}", lambda found: given[found[1]], value)
        for name, value in step["env"].items()
    }
    output = checkout.put("github-output", b"")
    ran = checkout.run(
        BASH,
        step["run"],
        **variables,
        GITHUB_ACTIONS="true",
        GITHUB_OUTPUT=output,
        GITHUB_STEP_SUMMARY=checkout.folder / "summary.md",
    )
    return ran, dict(line.split("=", 1) for line in output.read_text().splitlines())


def test_github(checkout: Checkout) -> None:
    """The action writes its reports, the summary and annotations, and fails as the audits do."""
    readme = (CI / "README.md").read_text()
    example = parse_yaml(readme.split("```yaml\n")[1].partition("```")[0])
    inputs = example[0]["with"] | {"baseline-runs": "baseline/1"}
    ran, outputs = audit_on_github(checkout, **inputs)
    assert ran.returncode == 1, ran.stderr
    assert "::error " in ran.stderr
    assert (checkout.folder / "summary.md").read_text().startswith("<!-- auditsvc -->")
    sarif = json.loads((checkout.folder / outputs["sarif"]).read_text())
    uris = {
        place["physicalLocation"]["artifactLocation"]["uri"]
        for found in sarif["runs"][0]["results"]
        for place in found["locations"]
    }
    assert "test/conformance/testdata/pending_eligible_endpoints.yaml" in uris
    assert (checkout.folder / outputs["markdown"]).exists()
    assert sorted(path.name for path in (checkout.folder / "auditsvc-reports").iterdir()) == [
        "audit",
        "auditsvc.html",
        "auditsvc.md",
        "auditsvc.sarif",
        "junit_auditsvc.xml",
    ]


def test_github_outputs_are_inputs_of_the_next_step() -> None:
    """The README's next step takes an output that the action has."""
    readme = (CI / "README.md").read_text()
    named = re.findall(r"steps\.audit\.outputs\.(\w+)", readme)
    assert set(named) <= read_yaml(ACTION)["outputs"].keys()


def test_inputs_are_not_run(checkout: Checkout) -> None:
    """An input is a word, whatever it holds; no expression stands in a script."""
    for step in read_yaml(ACTION)["runs"]["steps"]:
        assert "${{" not in step["run"]
    ran, _ = audit_on_github(checkout, swagger='"; touch hurt; "', pull="artifacts/audit/audit*.log")
    assert ran.returncode == 2
    assert not (checkout.folder / "hurt").exists()


# ------------------------------------------------------------------------------------------- GitLab
def audit_on_gitlab(checkout: Checkout, **variables: str) -> Ran:
    """The template's script with its variables, some of them replaced."""
    job = read_yaml(GITLAB)[".auditsvc"]
    (script,) = job["script"]
    return checkout.run(["sh", "-ec"], script, **job["variables"] | variables)


def test_gitlab(checkout: Checkout) -> None:
    """The template's job fails where an audit does, and leaves what it names as its artifacts."""
    ran = audit_on_gitlab(
        checkout,
        AUDIT_LOGS="artifacts/audit/audit*.log",
        AUDIT_BASELINE_RUNS="baseline/1",
        AUDIT_PENDING="test/conformance/testdata/pending_eligible_endpoints.yaml",
        AUDIT_INELIGIBLE="test/conformance/testdata/ineligible_endpoints.yaml",
    )
    assert ran.returncode == 1, ran.stderr
    job = read_yaml(GITLAB)[".auditsvc"]
    junit = job["artifacts"]["reports"]["junit"].replace("$AUDIT_REPORTS", job["variables"]["AUDIT_REPORTS"])
    assert fromstring((checkout.folder / junit).read_text()).tag == "testsuites"


def test_a_warning_on_gitlab(checkout: Checkout) -> None:
    """A warning is the exit code that the template allows to fail, and nothing else is."""
    document = {"swagger": "2.0", "paths": {"/api/v1/pods": {"get": {"operationId": "listPod"}}}}
    checkout.put("swagger.json", json.dumps(document).encode())
    checkout.put("pending.yaml", b"- readNothing\n")
    ran = audit_on_gitlab(
        checkout,
        AUDIT_SWAGGER="swagger.json",
        AUDIT_LOGS="artifacts/audit/audit*.log",
        AUDIT_PENDING="pending.yaml",
    )
    assert "AuditPendingReconciliation: Warning" in ran.stdout
    assert (
        read_yaml(GITLAB)[".auditsvc"]["allow_failure"] == {"exit_codes": ran.returncode} == {"exit_codes": 3}
    )


# --------------------------------------------------------------------------------------------- Prow
def run_prow_job(checkout: Checkout, job: dict[str, Any], **variables: object) -> Ran:
    """The job's one container, after the tests that the repository brings itself."""
    tests = checkout.put(
        "hack/run-e2e-with-audit-log.sh",
        b'#!/bin/sh\nmkdir -p "$1"\ncp artifacts/audit/audit-1.log "$1"/audit.log\n',
    )
    tests.chmod(0o755)
    (container,) = job["spec"]["containers"]
    environment = {one["name"]: one["value"] for one in container.get("env", [])}
    (script,) = container["args"]
    return checkout.run(container["command"], script, **environment | variables)


def test_prow_periodic(checkout: Checkout, tmp_path: Path) -> None:
    """The periodic job leaves its log, the report of it, JUnit and the metadata in its artifacts."""
    (job,) = read_yaml(PROW)["periodics"]
    ran = run_prow_job(checkout, job, ARTIFACTS=tmp_path / "artifacts")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    left = {str(path.relative_to(tmp_path / "artifacts")) for path in (tmp_path / "artifacts").rglob("*.*")}
    assert left == {
        "audit/audit.log",
        "audit/audit-endpoints.txt",
        "audit/audit-operations.json",
        "junit_auditsvc.xml",
        "metadata.json",
    }


def test_prow_presubmit(checkout: Checkout, gcs: FakeGcs, demo_data: Path, tmp_path: Path) -> None:
    """The pull request's job fetches the newest periodic runs, and is held against what most of them did."""
    (job,) = read_yaml(PROW)["presubmits"]["kubernetes/kubernetes"]
    config = read_yaml("ci/prow/auditsvc.yaml")
    (synced,) = config["sync"]["jobs"]
    now = datetime.now(UTC)
    for hours in range(1, synced["limit"] + 1):
        at = now - timedelta(hours=hours)
        gcs.put(
            {
                "started.json": {"timestamp": int(at.timestamp()) - 60, "repo-commit": "a" * 40},
                "finished.json": {"timestamp": int(at.timestamp()), "result": "SUCCESS"},
                "artifacts/audit/audit.log": (demo_data / "ci-audit.log.gz").read_bytes(),
            },
            below=f"logs/{synced['job']}/{first_build_id(at)}/",
        )
    gcs.put({"swagger": (demo_data / "openapi-v2.json.gz").read_bytes()})
    synced["swagger"] = f"gs://{BUCKET}/swagger"
    config["sync"]["gcs_endpoint"] = gcs.url
    checkout.put("hack/auditsvc.yaml", json.dumps(config).encode())
    artifacts = tmp_path / "artifacts"
    ran = run_prow_job(
        checkout,
        job,
        ARTIFACTS=artifacts,
        AUDITSVC_DATA=tmp_path / "data",
        JOB_NAME="pull-audit",
        BUILD_ID="1960000000000000000",
        PULL_NUMBER="93063",
        PULL_PULL_SHA="b" * 40,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "what at least 2 of the 3 runs of CI baseline" in ran.stdout
    assert "in 3 of the last 3 CI runs" in ran.stdout
    html5lib.HTMLParser(strict=True).parse((artifacts / "auditsvc.html").read_text())
    assert (artifacts / "audit" / "audit-endpoints.txt").exists()
    metadata = json.loads((artifacts / "metadata.json").read_text())
    assert metadata["auditsvc"]["AuditOperationEquality"] == "Failed"


def test_prow_configuration() -> None:
    """The configuration beside the jobs is one that we read, and names the periodic job of the same file."""
    config = load_config({"AUDITSVC_CONFIG": str(CI / "prow" / "auditsvc.yaml")}, home=CI)
    (periodic,) = read_yaml(PROW)["periodics"]
    assert [job.job for job in config.sync.jobs] == [periodic["name"]]
    assert (config.baseline.runs, config.baseline.quorum, config.sync.jobs[0].limit) == (3, 2, 3)
