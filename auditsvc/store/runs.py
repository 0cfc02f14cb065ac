"""Runs and what they used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypedDict, Unpack

import msgspec
from sqlite_utils import Database

from auditsvc.core.mapper import Unmapped
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.core.swagger import Level, Operation, minor_version
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.store.columns import minor_text, time_text
from auditsvc.store.connections import Connections
from auditsvc.store.lists import drop_unused_list
from auditsvc.store.results import StoredResult, read_results, write_results
from auditsvc.store.swaggers import OPERATION_COLUMNS, drop_unused_swagger, read_operation
from auditsvc.store.usage import (
    USED_COLUMNS,
    read_samples_of,
    read_totals,
    read_usage,
    read_used,
    totals_row,
    write_usage,
)

_SELECT = """
    select id, kind, started, finished, result, cluster, job, build, pull, app, revision, version,
        swagger, pending, ineligible
    from runs
"""
_USED = """
    from usage u left join operations o on o.swagger = :swagger and o.id = u.name
    where u.run = :run and u.mapped = 1
    and (:level is null or o.level = :level)
    and (:group is null or o."group" = :group)
    and (:text is null or instr(lower(u.name), lower(:text)))
"""
_OPERATION = f"""
    select {USED_COLUMNS} from usage u where u.run = ? and u.mapped = 1 and u.name = ?
"""  # noqa: S608 - of constants


class RunFilters(TypedDict, total=False):
    """What the runs that are looked for have in common; None is anything."""

    kind: RunKind | None
    cluster: str | None
    job: str | None
    build: str | None
    pull: str | None
    app: str | None
    result: RunResult | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run's usage, its operations only counted; ``unmapped`` has the requests by reason."""

    requests: int
    mapped: int
    unmapped: Mapping[Unmapped, int]
    operations: int
    malformed: int
    duplicates: int
    incomplete: int
    events: int
    first: datetime | None
    last: datetime | None
    imported: bool


@dataclass(frozen=True, slots=True)
class UsedOperation:
    """One operation that a run used; ``operation`` is None where the run's swagger lacks it."""

    id: str
    used: OperationUsage
    operation: Operation | None


class RunRecords:
    """The runs."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def add(self, run: Run, usage: Usage, *, recorded: datetime) -> bool:
        """Stores a run; False, and nothing done, where its id is there already.

        The swagger and lists that it names must have been kept before, best in the same transaction.
        """
        with self._connections.transaction() as db:
            if _is_known(db, run.id):
                return False
            _write_run(db, run, usage, recorded)
            write_usage(db, run.id, usage)
        return True

    def get(self, run_id: str) -> Run:
        """The run of that id. Raises NotFoundError."""
        with self._connections.reading() as db:
            rows = list(db.query(f"{_SELECT} where id = ?", (run_id,)))
        if not rows:
            raise _unknown(run_id)
        return msgspec.convert(rows[0], Run)

    def find(
        self,
        *,
        finished_in: Window | None = None,
        limit: int | None = None,
        offset: int = 0,
        **filters: Unpack[RunFilters],
    ) -> tuple[list[Run], int]:
        """Runs, the last finished first: `limit` of them (None: all) from `offset` on, and their number."""
        wanted = {name: value for name, value in filters.items() if value is not None}
        conditions = ["true", *(f"{name} = :{name}" for name in wanted)]
        if finished_in is not None:
            conditions.append("finished >= :start and finished < :end")
            wanted |= {"start": time_text(finished_in.start), "end": time_text(finished_in.end)}
        where = " and ".join(conditions)  # the names are those of RunFilters, and all values are parameters
        with self._connections.reading() as db:
            total = db.table("runs").count_where(where, wanted)
            rows = db.query(
                f"{_SELECT} where {where} order by finished desc, id desc limit :limit offset :offset",
                {**wanted, "limit": -1 if limit is None else limit, "offset": offset},
            )
            return [msgspec.convert(row, Run) for row in rows], total

    def summary(self, run_id: str) -> RunSummary:
        """The run's totals; its operations are only counted. Raises NotFoundError."""
        with self._connections.reading() as db:
            totals = _totals(db, run_id)
            unmapped = db.execute(
                "select name, hits from usage where run = ? and mapped = 0", (run_id,)
            ).fetchall()
            [(operations,)] = db.execute("select count(*) from usage where run = ? and mapped = 1", (run_id,))
        return RunSummary(
            requests=totals.requests,
            mapped=totals.mapped,
            unmapped={Unmapped(reason): hits for reason, hits in unmapped},
            operations=operations,
            malformed=totals.malformed,
            duplicates=totals.duplicates,
            incomplete=totals.incomplete,
            events=totals.events,
            first=totals.first,
            last=totals.last,
            imported=totals.imported,
        )

    def usage(self, run_id: str, *, samples: bool = False) -> Usage:
        """What the run used, with the sampled events only where asked for. Raises NotFoundError."""
        with self._connections.reading() as db:
            return read_usage(db, run_id, _totals(db, run_id), samples=samples)

    def operations(
        self,
        run_id: str,
        *,
        level: Level | None = None,
        group: str | None = None,
        text: str | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[UsedOperation], int]:
        """Operations that the run used, by operationId, without samples, with what its swagger says of them.

        Those of that level and API group (``""``: core), with `text` in the operationId in any case: `limit`
        of them from `offset` on, and their number. Raises NotFoundError.
        """
        named = {"run": run_id, "level": level, "group": group, "text": text}
        with self._connections.reading() as db:
            named["swagger"] = _applied_swagger(db, run_id)
            [(total,)] = db.execute(f"select count(*) {_USED}", named)
            rows = db.execute(
                f"select u.name, {USED_COLUMNS}, {OPERATION_COLUMNS} {_USED} "
                "order by u.name limit :limit offset :offset",
                {**named, "limit": limit, "offset": offset},
            ).fetchall()
        return list(map(_read_used_operation, rows)), total

    def operation(self, run_id: str, operation_id: str) -> OperationUsage:
        """What the run used of one operation, with samples. Raises NotFoundError."""
        with self._connections.reading() as db:
            _require(db, run_id)
            row = db.execute(_OPERATION, (run_id, operation_id)).fetchone()
            if row is None:
                raise NotFoundError(f"{operation_id} is not among the operations of run {run_id}")
            return read_used(row, read_samples_of(db, run_id, operation_id))

    def days(self) -> list[Window]:
        """The UTC days on which a run finished, in order."""
        with self._connections.reading() as db:
            rows = db.execute("select distinct substr(finished, 1, 10) from runs order by 1").fetchall()
        return [Window.day(date.fromisoformat(day)) for (day,) in rows]

    def delete(self, run_id: str) -> None:
        """Deletes a run with its usage and results, and what it brought unless something else refers to it.

        Raises NotFoundError.
        """
        with self._connections.transaction() as db:
            run = self.get(run_id)
            db.execute("delete from runs where id = ?", (run_id,))
            drop_unused_swagger(db, run.swagger)
            drop_unused_list(db, run.pending)
            drop_unused_list(db, run.ineligible)

    def put_results(self, run_id: str, results: Iterable[StoredResult]) -> None:
        """Stores the results of auditing this run alone, each in the place of its audit's older one.

        Raises NotFoundError.
        """
        with self._connections.transaction() as db:
            _require(db, run_id)
            write_results(db, results, run_id=run_id)

    def results(self, run_id: str) -> list[StoredResult]:
        """The results of auditing this run alone, by key. Raises NotFoundError."""
        with self._connections.reading() as db:
            _require(db, run_id)
            return read_results(db, "run = ?", [run_id])

    def received(self) -> bool:
        """Whether there is any run."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from runs)").fetchone()[0])


def _is_known(db: Database, run_id: str) -> bool:
    return db.execute("select 1 from runs where id = ?", (run_id,)).fetchone() is not None


def _require(db: Database, run_id: str) -> None:
    if not _is_known(db, run_id):
        raise _unknown(run_id)


def _unknown(run_id: str) -> NotFoundError:
    return NotFoundError(f"unknown run: {run_id} (GET /runs lists them)")


def _totals(db: Database, run_id: str) -> Usage:
    totals = read_totals(db, run_id)
    if totals is None:
        raise _unknown(run_id)
    return totals


def _applied_swagger(db: Database, run_id: str) -> str | None:
    row = db.execute("select swagger from v_runs where run = ?", (run_id,)).fetchone()
    if row is None:
        raise _unknown(run_id)
    digest: str | None = row[0]
    return digest


def _write_run(db: Database, run: Run, usage: Usage, recorded: datetime) -> None:
    row = {
        **asdict(run),
        "started": time_text(run.started),
        "finished": time_text(run.finished),
        "minor": minor_text(minor_version(run.version)),
        "recorded": time_text(recorded),
        **totals_row(usage),
    }
    db.table("runs").insert(row)


def _read_used_operation(row: Sequence[Any]) -> UsedOperation:
    name, row = row[0], row[1:]
    operation = None if row[6] is None else read_operation(row[6:])
    return UsedOperation(name, read_used(row[:6]), operation)
