"""``auditsvc policy`` through its real entry point."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

RECIPES = Path(__file__).resolve().parents[2] / "deploy" / "audit"
BAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  stages: [Panic]\n"


@pytest.mark.parametrize("name", ["audit-policy.yaml", "audit-policy-production.yaml"])
def test_our_recipes_are_clean(auditsvc: CommandLine, demo_data: Path, name: str) -> None:
    """Even strictly, and with a swagger (an old one, which has all that they name)."""
    ran = auditsvc("policy", RECIPES / name, "--strict")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{RECIPES / name}: nothing found\n", "")
    assert auditsvc("policy", RECIPES / name, "--swagger", demo_data / "openapi-v2.json.gz").returncode == 0


def test_an_error(auditsvc: CommandLine) -> None:
    """Findings are told by line, errors exit with 1."""
    (auditsvc.home / "policy.yaml").write_text(BAD)
    ran = auditsvc("policy", "policy.yaml")
    assert (ran.returncode, ran.stderr) == (1, "")
    first, second = ran.stdout.splitlines()
    assert first.startswith("policy.yaml:4: warning: the stage RequestReceived is logged too: ")
    assert first.endswith(" → write `omitStages: [RequestReceived]` at the top of the policy")
    assert second == (
        "policy.yaml:5: error: unknown key stages in a rule: the API server overlooks it → "
        "did you mean omitStages?"
    )
    found = json.loads(auditsvc("policy", "policy.yaml", "--format", "json").stdout)
    assert found["file"] == "policy.yaml"
    assert [(one["line"], one["severity"]) for one in found["findings"]] == [(4, "warning"), (5, "error")]


def test_a_warning_counts_strictly(auditsvc: CommandLine) -> None:
    """0, and 3 under --strict."""
    (auditsvc.home / "policy.yaml").write_text(BAD.replace("stages", "omitStages"))
    assert auditsvc("policy", "policy.yaml").returncode == 0
    assert auditsvc("policy", "policy.yaml", "--strict").returncode == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "- a",
            "policy.yaml: line 1, column 1: expected a policy: a mapping with apiVersion, kind and rules",
        ),
        ("", "policy.yaml: line 1: an empty document: "),
    ],
)
def test_no_policy(auditsvc: CommandLine, text: str, message: str) -> None:
    """What is none is refused in one line."""
    (auditsvc.home / "policy.yaml").write_text(text)
    ran = auditsvc("policy", "policy.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"auditsvc: {message}")
