"""The README cannot rot: what it shows is run, and what it lists is compared with the code."""

import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditsvc.audits import _registry as registry
from auditsvc.audits import audit_types, find_audit_type, run_audit
from auditsvc.config import PREFIX
from auditsvc.config.schema import ConfigSchema
from auditsvc.core.mapper import Unmapped
from auditsvc.core.results import Status
from auditsvc.core.runs import Runs
from auditsvc.store import Store
from auditsvc.store.views import VIEWS
from tests.audits.given import Given, subject, used
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def block(name: str) -> str:
    """The fenced block, or the table, that follows the comment of that name."""
    found = re.search(rf"<!-- {name} -->\n(?:```\w*\n(.*?)\n```|((?:\|[^\n]*\n)+))", README, re.DOTALL)
    assert found is not None, f"the README has no block after <!-- {name} -->"
    return found[1] or found[2]


def test_the_picture_of_the_layers_is_the_contract() -> None:
    """The layers in the README are those that import-linter holds, in the same order."""
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contract = pyproject["tool"]["importlinter"]["contracts"][0]["layers"]
    rows = [re.split(r" {2,}", line)[0] for line in block("layers").splitlines()]
    assert [set(re.findall(r"\w+", row)) for row in rows] == [
        set(re.findall(r"\w+", row)) for row in contract
    ]


def test_the_audits_are_described_as_the_registry_describes_them() -> None:
    """Each audit in the first table has the description that users see."""
    for name, description in re.findall(r"^\| `(Audit\w+)` \| (.+) \|$", README, re.MULTILINE):
        assert find_audit_type(name).description == description


def test_every_view_is_listed() -> None:
    """The table of the views names each of them, and no other."""
    assert re.findall(r"^\| `(v_\w+)` \|", README, re.MULTILINE) == list(VIEWS)


def test_every_key_of_the_configuration_is_listed() -> None:
    """The configuration table has a row for each key, with its variable and what it is for."""
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in block("configuration").splitlines()
    ]
    listed = {row[0]: (row[1], row[3]) for row in rows[2:]}
    fields = ConfigSchema().fields
    assert set(fields) <= set(listed)
    for key, field in fields.items():
        assert listed[key] == (PREFIX + key.upper(), field.metadata["description"].strip("`"))


def test_every_reason_for_an_unmapped_request_is_named() -> None:
    """The README names the reasons that results use."""
    assert all(f"`{reason}`" in README for reason in Unmapped)


@pytest.fixture
def example() -> Iterator[None]:
    """The README's audit, registered for one test."""
    before = dict(registry._registered)
    exec(compile(block("example audit"), "unmapped_requests.py", "exec"), {})  # noqa: S102 - the README's own code
    yield
    registry._registered.clear()
    registry._registered.update(before)


@pytest.mark.usefixtures("example")
def test_the_example_audit_runs() -> None:
    """The worked example registers, is described by its docstring, and judges a run."""
    audit_type = find_audit_type("unmappedRequests")
    assert audit_type.description == "Every request is of an operation that the swagger has."
    assert audit_type in audit_types()
    inputs = Given(runs=Runs((subject(used("readPod")),)))
    result = run_audit(audit_type, inputs, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (result.status, result.checked) == (Status.PASSED, 1)


def test_the_session_is_what_the_demo_prints(tmp_path: Path) -> None:
    """Each line of the session is printed by the demo, in that order."""
    printed = subprocess.run(
        [sys.executable, "-m", "auditsvc", "demo", "--once"],
        env={**os.environ, "HOME": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.splitlines()
    shown = [line for line in block("demo").splitlines()[1:] if line != "…"]
    positions = [printed.index(line) for line in shown if line]
    assert positions == sorted(positions)
    assert len(shown) > 10


def test_the_statement_over_the_store_runs(tmp_path: Path) -> None:
    """What the README asks of the store with sqlite3 can be asked."""
    found = re.search(r"auditsvc\.db '(select .+)'", README)
    assert found is not None
    with Store.open(tmp_path) as store, closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute(found[1]).fetchall() == []
