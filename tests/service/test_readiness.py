"""What the service needs to do its work, on a real store and disk."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from auditsvc.config import ScheduleConfig
from auditsvc.service import Service, readiness
from auditsvc.service.readiness import Check, check_readiness
from auditsvc.service.schedule import LEASE, LEASE_SECONDS
from tests.service.made import move_clock, service_at

HOURLY = ScheduleConfig(every=timedelta(hours=1))


def wrong(service: Service) -> list[Check]:
    """What is not as it must be, each told in one line."""
    found = [check for check in check_readiness(service) if not check.ok]
    assert not any("\n" in check.message for check in found)
    return found


def test_all_is_well(empty: Service) -> None:
    """The store and the disk are looked at; the lease only where something is scheduled."""
    assert [(check.name, check.ok) for check in check_readiness(empty)] == [("store", True), ("disk", True)]


def test_store_that_another_writes_to_for_long(empty: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy for a moment is ready, busy for longer is not."""
    monkeypatch.setattr(readiness, "PATIENCE_SECONDS", 0.05)
    with closing(sqlite3.connect(empty.store.path, isolation_level=None)) as other:
        other.execute("begin immediate")
        [check] = wrong(empty)
        assert check.name == "store"
        assert "is being written by another process" in check.message
        other.execute("rollback")
    assert not wrong(empty)


def test_store_that_was_removed(empty: Service) -> None:
    """Open connections still read and write what has no name any more; the check sees that it is gone."""
    empty.store.runs.received()
    empty.store.path.unlink()
    [check] = wrong(empty)
    assert (check.name, "cannot be opened" in check.message) == ("store", True)


def test_store_that_is_damaged(empty: Service) -> None:
    """What is no database any more is told."""
    for file in empty.store.path.parent.glob(f"{empty.store.path.name}*"):
        if file != empty.store.path:
            file.unlink()
    empty.store.path.write_bytes(b"no database" * 1000)
    [check] = wrong(empty)
    assert (check.name, "is not a database" in check.message) == ("store", True)


def test_store_that_was_closed(empty: Service) -> None:
    """A process on its way out is not ready."""
    empty.store.close()
    assert "was closed by this process" in wrong(empty)[0].message


def test_checking_leaves_the_store_as_it_is(empty: Service) -> None:
    """Nothing is written, and no lock is left behind."""
    before = empty.store.path.read_bytes()
    assert not wrong(empty)
    assert empty.store.path.read_bytes() == before
    with empty.store.transaction():
        assert not empty.store.runs.received()


def test_disk_that_is_nearly_full(tmp_path: Path) -> None:
    """Less than min_free_bytes is too little; the message has both figures."""
    with service_at(tmp_path, min_free_bytes=1 << 60) as service:
        [check] = wrong(service)
        assert check.name == "disk"
        assert f"fewer than min_free_bytes ({1 << 60}): make room" in check.message


def test_lease_that_nobody_holds(tmp_path: Path) -> None:
    """Where something is scheduled, somebody must hold the lease, with a heartbeat of the last minute."""
    with service_at(tmp_path, schedule=HOURLY) as service:
        [check] = wrong(service)
        assert (check.name, "no process has held the schedule" in check.message) == ("lease", True)
        service.store.leases.claim(LEASE, "somebody", now=service.clock())
        assert not wrong(service)
        move_clock(service, timedelta(seconds=LEASE_SECONDS))
        assert not wrong(service)
        move_clock(service, timedelta(seconds=1))
        assert [one.name for one in wrong(service)] == ["lease"]


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    """One trouble does not hide another: without its store the lease cannot be known either."""
    with service_at(tmp_path, schedule=HOURLY, min_free_bytes=1 << 60) as service:
        service.store.close()
        assert [one.name for one in wrong(service)] == ["store", "disk", "lease"]
