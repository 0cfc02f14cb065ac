from contextlib import suppress
from datetime import UTC
from pathlib import Path

import pytest

from auditsvc.config import Config
from auditsvc.errors import StoreError
from auditsvc.service import open_service, utc_now
from tests.service.made import put_documents, service_at


def test_open(tmp_path: Path) -> None:
    """The service lives in the data folder, which is made; what was put in is there the next time."""
    folder = tmp_path / "new" / "data"
    with service_at(folder) as service:
        put_documents(service)
        service.store.runs.received()
        assert service.spool.parent == folder / "spool"
        assert service.spool.is_dir()
    assert not list((folder / "spool").iterdir())
    with service_at(folder) as service:
        assert [record.version for record in service.documents.swaggers()] == ["v1.34.0"]


def test_closed(tmp_path: Path) -> None:
    """After its block the service is closed, also where the block failed."""
    with suppress(ZeroDivisionError), open_service(Config(data=tmp_path)) as service:
        raise ZeroDivisionError
    with pytest.raises(StoreError, match="was closed by this process"):
        service.store.runs.received()


def test_unusable_folder(tmp_path: Path) -> None:
    """A data folder that cannot be one is told."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the data folder .* cannot be used"), service_at(tmp_path / "file"):
        pytest.fail("it was opened")


def test_clock() -> None:
    """Times are aware, and in UTC."""
    assert utc_now().tzinfo is UTC
