from datetime import timedelta
from pathlib import Path

import pytest

from auditsvc.service import doctor
from auditsvc.service.doctor import diagnose
from auditsvc.store import Store
from tests.logs import NOON


def found(folder: Path, *, now: timedelta = timedelta()) -> dict[str, list[str]]:
    """What is wrong, by the check."""
    checks = diagnose(folder, now=NOON + now, progress=lambda _done, _total: None)
    return {check.check: [one.found for one in check.problems] for check in checks if check.problems}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a store that holds nothing."""
    Store.open(tmp_path / "data").close()
    return tmp_path / "data"


def test_a_whole_folder(folder: Path) -> None:
    """Nothing is wrong, also while somebody is at work in it, and nothing is changed."""
    assert found(folder) == {}
    with Store.open(folder):
        assert found(folder) == {}


def test_a_file_for_everybody(folder: Path) -> None:
    """What every user may read is told; where the folder keeps them out, the file's own mode is nothing."""
    (folder / "auditsvc.db").chmod(0o644)
    assert found(folder) == {}
    folder.chmod(0o755)
    assert "is open to every user of the machine" in found(folder)["folder"][0]
    (folder / "auditsvc.db").chmod(0o600)
    assert found(folder) == {}


def test_what_was_left_behind(folder: Path) -> None:
    """Files of a killed process are told, an empty folder of one is nothing."""
    (folder / "spool" / "host:1:a").mkdir()
    assert found(folder) == {}
    left = folder / "spool" / "host:1:a" / "upload"
    left.touch()
    assert list(found(folder)) == ["processes"]
    Store.open(folder).close()
    assert not left.exists()
    assert found(folder) == {}


def test_a_disk_that_is_nearly_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than an upload needs is told."""
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    assert list(found(folder)) == ["disk"]


def test_a_log_that_cannot_shrink(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is larger than any write is told."""
    monkeypatch.setattr(doctor, "LOG_BYTES", 0)
    with Store.open(folder) as store:
        store.jobs.create("audit", "", created=NOON)
        assert list(found(folder)) == ["log"]


def test_a_schedule_that_stands_still(folder: Path) -> None:
    """A living holder of the lease that gives no beat is told; one that is gone is nobody."""
    with Store.open(folder) as store:
        store.leases.claim("schedule", store.process.name, now=NOON)
        assert found(folder) == {}
        assert list(found(folder, now=timedelta(minutes=6))) == ["schedule"]
    assert found(folder, now=timedelta(minutes=6)) == {}
