from datetime import timedelta

import pytest
from msgspec.structs import replace

from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from auditsvc.store.jobs import Job, JobState
from tests.store.made import NOW

LATER = NOW + timedelta(seconds=3)


def test_a_job_is_queued_first(store: Store) -> None:
    """A new job waits, with nothing done."""
    job = store.jobs.create("audit", "all audit types", created=NOW, total=4)
    assert job == Job(
        id="1", kind="audit", description="all audit types", state=JobState.QUEUED, created=NOW, total=4
    )
    assert store.jobs.get(job.id) == job


def test_only_what_is_named_changes(store: Store) -> None:
    """An update leaves the rest of the job, and other jobs, as they were."""
    job, other = (store.jobs.create("audit", "", created=NOW) for _ in range(2))
    changed = store.jobs.update(job.id, state=JobState.RUNNING, started=LATER, done=1, total=2)
    assert changed == replace(job, state=JobState.RUNNING, started=LATER, done=1, total=2)
    assert store.jobs.update(job.id) == changed
    ended = store.jobs.update(job.id, state=JobState.FAILED, finished=LATER, error="no data", link="run-1")
    assert store.jobs.get(job.id) == ended
    assert ended == replace(changed, state=JobState.FAILED, finished=LATER, error="no data", link="run-1")
    assert store.jobs.get(other.id) == other


@pytest.mark.parametrize("job_id", ["1", "x", "", "-1", "9" * 30])
def test_an_unknown_job(store: Store, job_id: str) -> None:
    """A job that is not there is named."""
    with pytest.raises(NotFoundError) as error:
        store.jobs.get(job_id)
    assert str(error.value) == f"unknown job: {job_id} (GET /audit/jobs lists them)"
    with pytest.raises(NotFoundError):
        store.jobs.update(job_id, done=1)


def test_jobs_are_paged_newest_first(store: Store) -> None:
    """A page comes with how many there are; a state narrows both."""
    jobs = [store.jobs.create("audit", "", created=NOW) for _ in range(5)]
    assert store.jobs.find(limit=2) == ([jobs[4], jobs[3]], 5)
    assert store.jobs.find(limit=2, offset=4) == ([jobs[0]], 5)
    running = store.jobs.update(jobs[2].id, state=JobState.RUNNING)
    assert store.jobs.find(state=JobState.RUNNING, limit=2) == ([running], 1)
    assert store.jobs.find(state=JobState.DONE, limit=2) == ([], 0)


def test_a_crash_interrupts_what_was_not_finished(store: Store) -> None:
    """After a crash, queued and running jobs are interrupted; those that had ended stay as they were."""
    jobs = [store.jobs.create("audit", "", created=NOW) for _ in JobState]
    before = [store.jobs.update(job.id, state=state) for job, state in zip(jobs, JobState, strict=True)]
    assert store.interrupt_lost_jobs(now=LATER) == 0
    assert store.jobs.interrupt_unfinished(LATER, living=["another"]) == 2
    after, _ = store.jobs.find(limit=9)
    for job, was in zip(reversed(after), before, strict=True):
        unfinished = was.state in (JobState.QUEUED, JobState.RUNNING)
        assert job == (replace(was, state=JobState.INTERRUPTED, finished=LATER) if unfinished else was)
    assert store.jobs.interrupt_unfinished(LATER, living=()) == 0


def test_the_newest_of_a_kind(store: Store) -> None:
    """The last one that was created, whatever became of it; none where there never was one."""
    assert store.jobs.newest("schedule") is None
    jobs = [store.jobs.create(kind, "", created=NOW) for kind in ("schedule", "schedule", "audit")]
    store.jobs.update(jobs[0].id, state=JobState.RUNNING)
    assert store.jobs.newest("schedule") == jobs[1]
