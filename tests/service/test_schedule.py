"""When the scheduled runs are due, and what one does."""

import logging
from concurrent.futures import CancelledError
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from auditsvc.config import RetentionConfig, ScheduleConfig, SyncConfig, SyncJob
from auditsvc.core.runs import RunKind
from auditsvc.errors import AuditsvcError, ConfigError
from auditsvc.service import Service
from auditsvc.service.schedule import KIND, PlannedRun
from auditsvc.store.jobs import Job, JobState
from tests.gcs import FakeGcs
from tests.logs import NOON
from tests.service.made import add_run, move_clock, put_documents, service_at
from tests.service.test_sync import put_build

EVERY_6H = ScheduleConfig(every=timedelta(hours=6))
START = NOON + timedelta(days=1)  # where the clock of these services stands
HOUR = timedelta(hours=1)


def times(service: Service, count: int = 3) -> list[str]:
    """The next runs."""
    return [f"{planned.at:%d %H:%M}" for planned in service.schedule.next_runs(count)]


def record(service: Service) -> Job:
    """Records that a run was made now."""
    with service.jobs.recorded(KIND, "a run") as job:
        return job


def last(service: Service) -> Job:
    """The newest run."""
    job = service.store.jobs.newest(KIND)
    assert job is not None
    return job


def test_nothing_scheduled(empty: Service) -> None:
    """Without a schedule nothing is due, ever."""
    assert empty.schedule.due() is None
    assert empty.schedule.next_runs() == []


def test_an_interval(tmp_path: Path) -> None:
    """The first run is due at once, each other one so long after the one before."""
    with service_at(tmp_path, schedule=EVERY_6H) as service:
        assert service.schedule.due() == START
        assert times(service) == ["17 12:00", "17 18:00", "18 00:00"]
        assert service.schedule.next_runs(1) == [PlannedRun(START)]
        move_clock(service, HOUR)
        record(service)
        assert service.schedule.due() == START + 7 * HOUR
        move_clock(service, HOUR)
        assert times(service) == ["17 19:00", "18 01:00", "18 07:00"]


def test_cron(tmp_path: Path) -> None:
    """The first run is due at the next of the times, which are those of the configured offset."""
    cron = ScheduleConfig(cron="30 6 * * *")
    with service_at(tmp_path, schedule=cron, utc_offset=timezone(2 * HOUR)) as service:
        assert times(service) == ["18 04:30", "19 04:30", "20 04:30"]
        move_clock(service, timedelta(hours=16, minutes=31))
        due = service.schedule.due()
        assert due == datetime.fromisoformat("2026-01-18T04:30Z")
        assert due < service.clock()
        record(service)
        assert times(service, 1) == ["19 04:30"]


def test_missed_runs_are_one(tmp_path: Path) -> None:
    """After a long silence one run is due at once, and the next at its time after that."""
    with service_at(tmp_path, schedule=EVERY_6H) as service:
        record(service)
        move_clock(service, timedelta(days=5))
        due = service.schedule.due()
        assert due is not None
        assert due < service.clock()
        assert times(service) == ["22 12:00", "22 18:00", "23 00:00"]
        record(service)
        assert times(service, 1) == ["22 18:00"]


@pytest.mark.parametrize(
    ("plan", "due"), [(EVERY_6H, "17 02:00"), (ScheduleConfig(cron="0 3 * * *"), "17 03:00")]
)
def test_a_clock_that_was_set_back(plan: ScheduleConfig, due: str, tmp_path: Path) -> None:
    """A run of the future says nothing about the next one: it does not have to be waited for."""
    with service_at(tmp_path, schedule=plan) as service:
        record(service)
        move_clock(service, -10 * HOUR)
        assert times(service, 1) == [due]
        move_clock(service, HOUR + timedelta(minutes=1))
        assert service.schedule.due() == datetime.fromisoformat(f"2026-01-{due.replace(' ', 'T')}Z")
        record(service)
        assert times(service, 1) != [due]


def test_a_run_syncs_audits_and_lets_go(gcs: FakeGcs, tmp_path: Path) -> None:
    """A run takes in what is new, audits each day that changed, deletes what is old, and is a job."""
    put_build(gcs, -10)
    configured = {
        "sync": SyncConfig(jobs=(SyncJob(job="ci-audit", version="v1.34"),), gcs_endpoint=gcs.url),
        "schedule": ScheduleConfig(every=HOUR, audits=("pendingReconciliation", "AuditSwaggerTotal")),
        "retention": RetentionConfig(runs=timedelta(days=10)),
    }
    with service_at(tmp_path, **configured) as service:
        put_documents(service)
        old = add_run(service, RunKind.PULL, "listPod", hours=-24 * 30)
        service.schedule.run()
        job = last(service)
        assert (job.state, job.done, job.total, job.error) == (JobState.DONE, 4, 4, None)
        [run] = service.runs.find(limit=9)[0]
        assert run.id != old.id
        assert [stored.key for stored in service.audits.stored()] == ["pendingReconciliation", "swaggerTotal"]
        assert [one.kind for one in service.jobs.find(limit=9)[0]] == ["audit", "schedule"]


def test_what_goes_wrong_is_told_in_the_end(
    gcs: FakeGcs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A sync that finds nothing does not keep the audits from what is there; the job says what was wrong."""
    broken = put_build(gcs, -10, artifacts={"audit/audit.log": b""})
    jobs = (SyncJob(job="ci-audit", version="v1.34"), SyncJob(job="gone", bucket="nowhere"))
    sync = SyncConfig(jobs=jobs, gcs_endpoint=gcs.url)
    with service_at(tmp_path, sync=sync, schedule=EVERY_6H) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")
        with pytest.raises(AuditsvcError), caplog.at_level(logging.WARNING):
            service.schedule.run()
        job = last(service)
        assert job.state is JobState.FAILED
        assert job.error is not None
        first, second = job.error.split("; ")
        assert first.startswith("sync: ci-audit: no build in ")
        assert second == "sync: gone: cannot read gs://nowhere/logs/gone/: 404 NOT FOUND"
        assert service.audits.stored()
        assert [text for text in caplog.messages if text.startswith("sync: skipped ") and broken in text]


def test_nothing_to_audit(tmp_path: Path) -> None:
    """A store that holds nothing is a failure that says so."""
    with service_at(tmp_path, schedule=EVERY_6H) as service:
        with pytest.raises(AuditsvcError, match=r"^audits: nothing to audit"):
            service.schedule.run()
        assert last(service).state is JobState.FAILED


def test_audits_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the audits is told as one."""
    with service_at(tmp_path, schedule=EVERY_6H) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")

        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("auditsvc.service.audits.run_audit", fail)
        with pytest.raises(AuditsvcError, match=r"^audits: an internal error, which is a bug in auditsvc"):
            service.schedule.run()


def test_a_run_is_cut_off(gcs: FakeGcs, tmp_path: Path) -> None:
    """When the server ends, a run ends too, is interrupted, and leaves nothing half."""
    put_build(gcs, -10)
    sync = SyncConfig(jobs=(SyncJob(job="ci-audit", version="v1.34"),), gcs_endpoint=gcs.url)
    with service_at(tmp_path, sync=sync, schedule=EVERY_6H) as service:
        put_documents(service)
        with pytest.raises(CancelledError):
            service.schedule.run(stopped=lambda: True)
        job = last(service)
        assert (job.state, job.finished) == (JobState.INTERRUPTED, service.clock())
        assert service.runs.find(limit=9)[1] == 0


def test_a_run_whose_process_was_killed(tmp_path: Path) -> None:
    """It does not stay under way for ever: the next run marks it."""
    with service_at(tmp_path, schedule=EVERY_6H) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod")
        left = service.store.jobs.create(KIND, "left", created=service.clock())
        service.store.jobs.update(left.id, state=JobState.RUNNING)
        move_clock(service, 6 * HOUR)
        service.schedule.run()
        assert service.jobs.get(left.id).state is JobState.INTERRUPTED
        assert last(service).state is JobState.DONE


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"audits": ("swaggerTotal", "nonsense")}, "audits: unknown audit type: nonsense (known are "),
        (
            {"schedule": ScheduleConfig(every=HOUR, audits=("x",))},
            "schedule.audits: unknown audit type: x (known are ",
        ),
    ],
)
def test_unknown_audits(configured: dict[str, Any], message: str, tmp_path: Path) -> None:
    """An audit that there is none of is told when the service opens, not in the night."""
    with pytest.raises(ConfigError) as told, service_at(tmp_path, **configured):
        pass
    assert str(told.value).startswith(message)


def test_which_audits_run_is_a_setting(tmp_path: Path) -> None:
    """Where all are asked for, those that are configured run; any other can be asked for by name."""
    with service_at(tmp_path, audits=("AuditSwaggerTotal", "pendingReconciliation")) as service:
        put_documents(service)
        run = add_run(service, RunKind.CI, "listPod")
        results = service.audits.run(commit=True)
        assert [stored.key for stored in results] == ["pendingReconciliation", "swaggerTotal"]
        alone = service.audits.run(run_id=run.id)
        assert sorted(stored.key for stored in alone) == ["pendingReconciliation", "swaggerTotal"]
