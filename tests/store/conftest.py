from collections.abc import Iterator
from pathlib import Path

import pytest

from auditsvc.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store on a real file."""
    with Store.open(tmp_path / "data") as store:
        yield store


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all examples of a property; each leaves it empty (see `undone`) or does not mind."""
    with Store.open(tmp_path_factory.mktemp("shared")) as store:
        yield store
