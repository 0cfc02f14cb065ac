"""One process makes the scheduled runs, whatever happens to the others: real processes over one store."""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from auditsvc.config import ScheduleConfig
from auditsvc.core.runs import RunKind
from auditsvc.errors import StoreError
from auditsvc.scheduler import start_scheduler
from auditsvc.service import Service
from auditsvc.service.schedule import KIND, LEASE
from auditsvc.store import Store
from auditsvc.store.jobs import Job, JobState
from tests.conftest import REPOSITORY
from tests.service.made import add_run, move_clock, put_documents, service_at

BEAT = 0.1
HOURLY = ScheduleConfig(every=timedelta(hours=1))

Process = subprocess.Popen[str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with a run to audit; the processes are told its folder."""
    with service_at(tmp_path) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")
        yield service.store


@pytest.fixture
def start(store: Store) -> Iterator[Callable[..., Process]]:
    """Starts processes that make a run every so many seconds, and ends those that are left."""
    processes: list[Process] = []

    def start(every: float) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.scheduling", str(store.path.parent), str(every), str(BEAT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            text=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def runs(store: Store) -> list[Job]:
    """The scheduled runs, the newest first."""
    return [job for job in store.jobs.find(limit=999)[0] if job.kind == KIND]


def holder(store: Store) -> str | None:
    """The process that holds the lease."""
    lease = store.leases.get(LEASE)
    return lease.holder.split(":")[1] if lease else None


def test_one_of_several_processes_makes_the_runs(store: Store, start: Callable[..., Process]) -> None:
    """With three processes there is a run each half second, as with one, and never two at a time."""
    processes = [start(0.5) for _ in range(3)]
    until(lambda: len(runs(store)) >= 6)
    made = list(reversed(runs(store)[1:]))
    for earlier, later in pairwise(made):
        assert earlier.state is JobState.DONE
        assert earlier.finished is not None
        assert later.created >= earlier.finished
        assert timedelta(seconds=0.45) < later.created - earlier.created
    assert holder(store) in {str(process.pid) for process in processes}


def test_a_killed_holder_is_replaced(store: Store, start: Callable[..., Process]) -> None:
    """When the process that makes the runs is killed, another goes on with them, soon."""
    processes = {str(process.pid): process for process in (start(0.5), start(0.5))}
    until(lambda: len(runs(store)) >= 2)
    killed = holder(store)
    assert killed is not None
    processes.pop(killed).kill()
    [other] = processes
    until(lambda: holder(store) == other, seconds=BEAT * 3 + 1)
    before = len(runs(store))
    until(lambda: len(runs(store)) >= before + 2)


def test_a_frozen_holder_is_replaced(store: Store, start: Callable[..., Process]) -> None:
    """A holder that stands still loses the lease, and does not take it back when it goes on."""
    processes = {str(process.pid): process for process in (start(0.5), start(0.5))}
    until(lambda: len(runs(store)) >= 1)
    frozen = holder(store)
    assert frozen is not None
    processes[frozen].send_signal(signal.SIGSTOP)
    until(lambda: holder(store) not in (frozen, None), seconds=BEAT * 3 + 1)
    other = holder(store)
    processes[frozen].send_signal(signal.SIGCONT)
    before = len(runs(store))
    until(lambda: len(runs(store)) >= before + 2)
    assert holder(store) == other
    made = list(reversed(runs(store)))
    assert all(later.created - earlier.created > timedelta(seconds=0.45) for earlier, later in pairwise(made))


def test_a_holder_that_ends_gives_the_lease_back(store: Store, start: Callable[..., Process]) -> None:
    """With SIGTERM the process ends at once and the next one need not wait for its silence."""
    process = start(3600)
    until(lambda: holder(store) == str(process.pid))
    process.terminate()
    assert process.wait(5) == 0
    assert holder(store) is None


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[Service]:
    """A service with an hourly schedule and a clock that stands still; not started yet."""
    with service_at(tmp_path / "data", schedule=HOURLY) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")
        yield service


def finished(service: Service) -> int:
    """How many scheduled runs have ended."""
    return sum(job.finished is not None for job in runs(service.store))


def test_nothing_scheduled(tmp_path: Path) -> None:
    """Without a schedule there is no thread, no lease, no run."""
    with service_at(tmp_path) as service:
        before = threading.active_count()
        with start_scheduler(service):
            assert threading.active_count() == before
        assert service.store.leases.get(LEASE) is None


def test_clocks_that_jump(scheduled: Service) -> None:
    """After a jump forward the missed runs are one; after a jump back the next is not waited for."""
    with start_scheduler(scheduled, beat_seconds=BEAT):
        until(lambda: finished(scheduled) == 1)
        move_clock(scheduled, timedelta(days=5))
        until(lambda: finished(scheduled) == 2)
        move_clock(scheduled, -timedelta(days=30))
        until(lambda: finished(scheduled) == 3)
        time.sleep(BEAT * 5)
        assert finished(scheduled) == 3
        move_clock(scheduled, timedelta(hours=1))
        until(lambda: finished(scheduled) == 4)


def test_a_lease_that_another_holds(scheduled: Service) -> None:
    """While another gives signs of life nothing is run; when it falls silent the lease changes hands."""
    leases = scheduled.store.leases
    leases.claim(LEASE, "host:1:x", now=scheduled.clock())
    with start_scheduler(scheduled, beat_seconds=BEAT):
        for _ in range(10):
            time.sleep(BEAT)
            assert leases.claim(LEASE, "host:1:x", now=scheduled.clock())
        assert runs(scheduled.store) == []
        until(lambda: finished(scheduled) == 1)
        assert not leases.claim(LEASE, "host:1:x", now=scheduled.clock())


def test_a_store_in_trouble(
    scheduled: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong with a beat is logged, and the next one is made all the same."""
    troubles: list[Exception] = [StoreError("the disk is full"), ZeroDivisionError()]
    claim = scheduled.store.leases.claim

    def claim_later(*arguments: str, **more: object) -> bool:
        if troubles:
            raise troubles.pop(0)
        return claim(*arguments, **more)  # type: ignore[arg-type] # handed on

    monkeypatch.setattr(scheduled.store.leases, "claim", claim_later)
    with caplog.at_level(logging.WARNING, "auditsvc"), start_scheduler(scheduled, beat_seconds=BEAT):
        until(lambda: finished(scheduled) == 1)
    assert "schedule: the disk is full" in caplog.messages
    assert any(record.exc_info for record in caplog.records)


def test_a_failed_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that fails is logged, and the next one is made when it is due."""
    with service_at(tmp_path, schedule=HOURLY) as service, caplog.at_level(logging.WARNING, "auditsvc"):
        with start_scheduler(service, beat_seconds=BEAT):
            until(lambda: finished(service) == 1)
            move_clock(service, timedelta(hours=1))
            until(lambda: finished(service) == 2)
        assert [text for text in caplog.messages if text.startswith("schedule: audits: nothing to audit")]


def test_the_end_cuts_a_run_off(scheduled: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends the server does not wait for a long sync."""

    def endless(*, progress: Callable[..., None]) -> None:
        while True:
            progress("log", 1, None)
            time.sleep(0.01)

    monkeypatch.setattr(scheduled.sync, "run", endless)
    with ExitStack() as stack:
        stack.enter_context(start_scheduler(scheduled, beat_seconds=BEAT))
        until(lambda: len(runs(scheduled.store)) == 1)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    [job] = runs(scheduled.store)
    assert job.state is JobState.INTERRUPTED
    assert scheduled.store.leases.get(LEASE) is None
