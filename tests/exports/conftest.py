"""A real run: what the demo's pull log used; and SARIF's schema, where it is at hand."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from auditsvc.core.counting import Counting
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage


@pytest.fixture(scope="session")
def demo_swagger(demo_data: Path) -> Swagger:
    """The operations of the recorded server."""
    return parse_swagger(gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes()))


@pytest.fixture(scope="session")
def demo_usage(demo_data: Path, demo_swagger: Swagger) -> Usage:
    """What the demo's pull log used, with samples."""
    log = gzip.decompress((demo_data / "pull-audit.log.gz").read_bytes())
    counting = Counting(OperationMapper(demo_swagger), file="pull-audit.log", sampled=True)
    counting.count(log)
    return counting.usage()


@pytest.fixture(scope="session")
def sarif_schema() -> dict[str, Any]:
    """The published schema of SARIF 2.1.0, which is not ours to ship; skips where no file of it is named."""
    named = os.environ.get("AUDITSVC_TEST_SARIF_SCHEMA")
    if not named:
        pytest.skip(
            "AUDITSVC_TEST_SARIF_SCHEMA names no sarif-2.1.0.json (npm's package "
            "@microsoft/sarif-multitool-linux has it)"
        )
    schema: dict[str, Any] = json.loads(Path(named).read_text(encoding="utf-8-sig"))
    return schema
