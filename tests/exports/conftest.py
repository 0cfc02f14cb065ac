"""A real run: what the demo's pull log used."""

import gzip
from pathlib import Path

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
