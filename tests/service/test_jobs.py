import logging
import threading
from datetime import timedelta
from functools import partial

import pytest

from auditsvc.errors import NotFoundError, RequestError
from auditsvc.service import Service
from auditsvc.service.jobs import Jobs, Steps
from auditsvc.store import Store
from auditsvc.store.jobs import Job, JobState
from tests.service.made import move_clock


def test_done(empty: Service) -> None:
    """A job is queued, runs, and is done; its record says when, and how far it came."""
    started = threading.Event()
    go_on = threading.Event()
    seen: list[Job] = []

    def work(steps: Steps) -> None:
        started.set()
        assert go_on.wait(10)
        steps(1, 2)
        seen.append(empty.jobs.get("1"))
        steps(2, 2)

    created = empty.clock()
    job = empty.jobs.start("audit", "an audit", work)
    assert (job.state, job.kind, job.description, job.created) == (
        JobState.QUEUED,
        "audit",
        "an audit",
        created,
    )
    assert started.wait(10)
    assert empty.jobs.get(job.id).state is JobState.RUNNING
    finished = move_clock(empty)
    go_on.set()
    ended = empty.jobs.wait(job)
    assert (seen[0].done, seen[0].total) == (1, 2)
    assert (ended.state, ended.done, ended.total, ended.error) == (JobState.DONE, 2, 2, None)
    assert (ended.started, ended.finished) == (created, finished)
    assert empty.jobs.wait(job) == ended


def test_failed(empty: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A job that cannot work fails with the reason; that is no news for the log."""

    def work(_: Steps) -> None:
        raise RequestError("nothing there")

    ended = empty.jobs.wait(empty.jobs.start("audit", "an audit", work))
    assert (ended.state, ended.error, ended.finished) == (JobState.FAILED, "nothing there", empty.clock())
    assert not caplog.records


def test_bug(empty: Service, caplog: pytest.LogCaptureFixture) -> None:
    """A bug is logged with its traceback, and the job says that it was one and no more."""

    def work(_: Steps) -> None:
        raise ZeroDivisionError("secret")

    with caplog.at_level(logging.ERROR):
        ended = empty.jobs.wait(empty.jobs.start("audit", "an audit", work))
    assert ended.state is JobState.FAILED
    assert ended.error is not None
    assert ended.error.startswith("an internal error, which is a bug in auditsvc")
    assert "secret" not in ended.error
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert empty.jobs.wait(empty.jobs.start("audit", "the next one", lambda _: None)).state is JobState.DONE


def test_one_after_the_other(empty: Service) -> None:
    """Jobs never run at the same time, and keep their order."""
    running, order = threading.Lock(), []

    def work(number: int, _: Steps) -> None:
        assert running.acquire(blocking=False)
        order.append(number)
        running.release()

    jobs = [empty.jobs.start("audit", str(number), partial(work, number)) for number in range(9)]
    assert {empty.jobs.wait(job).state for job in jobs} == {JobState.DONE}
    assert order == list(range(9))


def test_close(empty: Service) -> None:
    """When the service closes, what runs is finished and what waits is interrupted; nobody waits for ever."""
    jobs = Jobs(empty.store, empty.clock)
    started, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def work(_: Steps) -> None:
        started.set()
        assert go_on.wait(10)
        done.append("first")

    first = jobs.start("audit", "first", work)
    second = jobs.start("audit", "second", lambda _: done.append("second"))
    assert started.wait(10)
    waiter = threading.Thread(target=jobs.wait, args=(second,))
    waiter.start()
    closer = threading.Thread(target=jobs.close)
    closer.start()
    waiter.join(10)
    go_on.set()
    closer.join(10)
    assert not waiter.is_alive()
    assert not closer.is_alive()
    assert done == ["first"]
    assert [jobs.wait(job).state for job in (first, second)] == [JobState.DONE, JobState.INTERRUPTED]
    assert jobs.get(second.id).finished == empty.clock()


def test_an_end_that_the_disk_had_no_room_for(empty: Service, caplog: pytest.LogCaptureFixture) -> None:
    """It is recorded when there is room again: no job seems to run for ever."""

    def fail(_steps: Steps) -> None:
        with empty.store._connections.reading() as db:  # the worker's own: for it the disk is full now
            db.execute("pragma max_page_count = 1")
        raise RequestError("x" * 100_000)

    job = empty.jobs.wait(empty.jobs.start("audit", "fails", fail))
    assert "is not recorded yet" in caplog.text
    assert (job.state, job.error) == (JobState.FAILED, "x" * 100_000)


def test_interrupt_unfinished(empty: Service) -> None:
    """What a crashed process left behind is interrupted, what had ended stays."""
    done = empty.jobs.wait(empty.jobs.start("audit", "done", lambda _: None))
    queued = empty.store.jobs.create("audit", "of a process that lives", created=empty.clock())
    with Store.open(empty.config.data) as other:
        left = [other.jobs.create("audit", "left", created=empty.clock()) for _ in range(2)]
        other.jobs.update(left[0].id, state=JobState.RUNNING)
    move_clock(empty, timedelta(hours=1))
    empty.jobs.interrupt_unfinished()
    assert [empty.jobs.get(job.id) for job in (done, queued)] == [done, queued]
    for job in left:
        found = empty.jobs.wait(job)
        assert (found.state, found.finished) == (JobState.INTERRUPTED, empty.clock())


def test_find(empty: Service) -> None:
    """The record of all jobs, the newest first, in pages and by state."""
    for number in range(3):
        empty.jobs.wait(empty.jobs.start("audit", str(number), lambda _: None))
    jobs, total = empty.jobs.find(limit=2)
    assert ([job.description for job in jobs], total) == (["2", "1"], 3)
    assert [job.description for job in empty.jobs.find(limit=2, offset=2)[0]] == ["0"]
    assert empty.jobs.find(limit=9, state=JobState.FAILED) == ([], 0)


def test_unknown(empty: Service) -> None:
    """A job that nobody started is unknown."""
    with pytest.raises(NotFoundError, match=r"^unknown job: 7 "):
        empty.jobs.get("7")
