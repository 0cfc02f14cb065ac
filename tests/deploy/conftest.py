import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditsvc.core.swagger import Swagger, parse_swagger


@pytest.fixture(scope="session")
def newest_document(shared_data: Path) -> bytes:
    """Kubernetes' swagger document of 1.36."""
    return gzip.decompress((shared_data / "swagger" / "v1.36.json.gz").read_bytes())


@pytest.fixture(scope="session")
def definitions(newest_document: bytes) -> dict[str, Any]:
    """Its definitions of objects, by name."""
    found: dict[str, Any] = json.loads(newest_document)["definitions"]
    return found


@pytest.fixture(scope="session")
def newest_swagger(newest_document: bytes) -> Swagger:
    """Its operations."""
    return parse_swagger(newest_document)
