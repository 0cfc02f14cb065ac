from collections.abc import Iterator
from pathlib import Path

import pytest

from auditsvc.service import Service
from tests.service.made import put_documents, service_at


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Service]:
    """The service over a store that holds nothing."""
    with service_at(tmp_path / "data") as service:
        yield service


@pytest.fixture
def service(empty: Service) -> Service:
    """The service over a store that holds the small API and its lists."""
    put_documents(empty)
    return empty
