"""Jobs: long work that was asked for, how far it is, and how it ended."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict, Unpack

import msgspec

from auditsvc.errors import NotFoundError
from auditsvc.store.columns import json_text, parse_optional_time, parse_time, time_text
from auditsvc.store.connections import Connections, Database

_SELECT = """
    select id, kind, description, state, created, started, finished, done, total, error, link from jobs
"""

LOST = """
    state in ('queued', 'running')
    and (process is null or process not in (select value from json_each(?)))
"""
"""The condition for jobs that nobody works on; its parameter is a JSON list of the living processes."""


class JobState(StrEnum):
    """How far a job is. An interrupted one was cut off by the end of its process."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of long work.

    ``kind`` is ``audit``, ``run upload`` or ``schedule``, ``description`` a sentence. ``done`` of ``total``
    steps are done (0 of 0 where that is unknown). ``error`` is why it failed, ``link`` what it made: a run's
    id.
    """

    id: str
    kind: str
    description: str
    state: JobState
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    done: int = 0
    total: int = 0
    error: str | None = None
    link: str | None = None


class JobChanges(TypedDict, total=False):
    """What may change about a job."""

    state: JobState
    started: datetime
    finished: datetime
    done: int
    total: int
    error: str
    link: str


class JobRecords:
    """The jobs. Their ids count up."""

    def __init__(self, connections: Connections, process: str) -> None:
        """``process`` is the name of this one, which owns the jobs that are created here."""
        self._connections = connections
        self._process = process

    def create(self, kind: str, description: str, *, created: datetime, total: int = 0) -> Job:
        """Records a queued job."""
        with self._connections.transaction() as db:
            cursor = db.execute(
                """
                insert into jobs (kind, description, state, created, done, total, process)
                values (?, ?, ?, ?, 0, ?, ?)
                """,
                (kind, description, JobState.QUEUED, time_text(created), total, self._process),
            )
            return _job(db, str(cursor.lastrowid))

    def update(self, job_id: str, **changes: Unpack[JobChanges]) -> Job:
        """Changes a job; each call is a commit, so progress is to be told in steps. Raises NotFoundError."""
        row = {name: time_text(v) if isinstance(v, datetime) else v for name, v in changes.items()}
        with self._connections.transaction() as db:
            job = _job(db, job_id)
            if row:
                assigned = ", ".join(f"{name} = :{name}" for name in row)
                db.execute(f"update jobs set {assigned} where id = :id", {**row, "id": job.id})  # noqa: S608 - columns
            return _job(db, job_id)

    def get(self, job_id: str) -> Job:
        """The job of that id. Raises NotFoundError."""
        with self._connections.reading() as db:
            return _job(db, job_id)

    def find(self, *, state: JobState | None = None, limit: int, offset: int = 0) -> tuple[list[Job], int]:
        """Jobs, newest first: `limit` of them from `offset` on, and how many there are."""
        where, named = ":state is null or state = :state", {"state": state}
        with self._connections.reading() as db:
            total = db.count("jobs", where, named)
            rows = db.execute(
                f"{_SELECT} where {where} order by id desc limit :limit offset :offset",
                {**named, "limit": limit, "offset": offset},
            ).fetchall()
        return list(map(_read_job, rows)), total

    def newest(self, kind: str) -> Job | None:
        """The last one of a kind that was created; None where there is none."""
        with self._connections.reading() as db:
            row = db.execute(f"{_SELECT} where kind = ? order by id desc limit 1", (kind,)).fetchone()
        return row and _read_job(row)

    def interrupt_unfinished(self, now: datetime, *, living: Collection[str]) -> int:
        """Marks what is queued or running as interrupted, and returns how many jobs that were.

        Those of the ``living`` processes are left alone.
        """
        with self._connections.transaction() as db:
            return db.execute(
                f"update jobs set state = ?, finished = ? where {LOST}",  # noqa: S608 - a constant
                (JobState.INTERRUPTED, time_text(now), json_text(sorted(living))),
            ).rowcount


def _job(db: Database, job_id: str) -> Job:
    row = db.execute(f"{_SELECT} where id = ?", (job_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"unknown job: {job_id} (GET /audit/jobs lists them)")
    return _read_job(row)


def _read_job(row: tuple[Any, ...]) -> Job:
    number, kind, description, state, created, started, finished, done, total, error, link = row
    return Job(
        id=str(number),
        kind=kind,
        description=description,
        state=JobState(state),
        created=parse_time(created),
        started=parse_optional_time(started),
        finished=parse_optional_time(finished),
        done=done,
        total=total,
        error=error,
        link=link,
    )
