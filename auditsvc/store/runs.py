"""Runs and what they used."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

import msgspec
from msgspec.structs import asdict

from auditsvc.core.mapper import Unmapped
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.core.swagger import Level, Operation, minor_version
from auditsvc.core.usage import DeprecatedUse, ExercisedBy, Gap, OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.store.columns import minor_text, parse_counts, time_text
from auditsvc.store.connections import Connections, Database
from auditsvc.store.days import read_days
from auditsvc.store.lists import drop_unused_list
from auditsvc.store.policies import drop_unused_policy
from auditsvc.store.swaggers import OPERATION_COLUMNS, drop_unused_swagger, read_operation
from auditsvc.store.usage import (
    USED_COLUMNS,
    add_figures,
    read_samples_of,
    read_tests,
    read_totals,
    read_usage,
    read_used,
    totals_row,
    write_usage,
)

_SELECT = """
    select id, kind, started, finished, result, cluster, job, build, pull, app, revision, version,
        swagger, pending, ineligible, policy
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

# One row holds them all: Python's threads take turns at every row that SQLite gives.
_LAST_EXERCISED = """
    with last as (
        select id from runs
        where kind = 'ci' and result = 'success' and cluster is :cluster and minor is :minor
        and finished <= :finished and id <> :run
        order by finished desc, id desc limit :last
    )
    select (select count(*) from last), coalesce(json_group_object(name, runs), '{{}}') from (
        select u.name, count(*) as runs from usage u
        where u.run in (select id from last) and u.mapped = 1 and {exercised} group by u.name
    )
"""
_EXERCISED = {
    ExercisedBy.HIT: "u.hits > 0",
    ExercisedBy.TESTED: "u.tests <> '{}'",
    ExercisedBy.CONF_TESTED: "u.conformance_hits > 0",
    ExercisedBy.SUCCESS: "u.success_hits > 0",
}


class RunFilters(TypedDict, total=False):
    """What the runs that are looked for have in common; None is anything."""

    kind: RunKind | None
    cluster: str | None
    job: str | None
    build: str | None
    pull: str | None
    app: str | None
    result: RunResult | None


class RunSummary(msgspec.Struct, frozen=True):
    """A run's usage, its operations only counted; ``unmapped`` has the requests by reason.

    The last four are None where nobody looked for them, as in :class:`~auditsvc.core.usage.Usage`.
    """

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
    backwards: int | None
    gaps: tuple[Gap, ...] | None
    never_completed: int | None
    deprecated: tuple[DeprecatedUse, ...] | None


class UsedOperation(msgspec.Struct, frozen=True):
    """One operation that a run used; ``operation`` is None where the run's swagger lacks it."""

    id: str
    used: OperationUsage
    operation: Operation | None


class RunRecords:
    """The runs."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def add(self, run: Run, usage: Usage, *, recorded: datetime) -> bool:
        """Stores a run; False where its id is there already.

        Then nothing is done but to add those figures of its log that were not counted yet when it was stored.
        The documents that it names must have been kept before, best in the same transaction.
        """
        with self._connections.transaction() as db:
            if _is_known(db, run.id):
                add_figures(db, run.id, usage)
                return False
            row = _run_row(run, usage, recorded)
            db.execute(_insert(row), row)
            write_usage(db, run.id, usage)
        return True

    def put(self, run: Run, usage: Usage, *, recorded: datetime) -> None:
        """Stores a run that grows, in place of what was stored of it; its results stay."""
        row = _run_row(run, usage, recorded)
        updates = ", ".join(f"{name} = excluded.{name}" for name in row if name not in ("id", "recorded"))
        with self._connections.transaction() as db:
            db.execute(f"{_insert(row)} on conflict (id) do update set {updates}", row)
            db.execute("delete from usage where run = ?", (run.id,))
            db.execute("delete from run_tests where run = ?", (run.id,))
            db.execute("delete from samples where run = ?", (run.id,))
            write_usage(db, run.id, usage)

    def get(self, run_id: str) -> Run:
        """The run of that id. Raises NotFoundError."""
        with self._connections.reading() as db:
            rows = db.named(f"{_SELECT} where id = :id", {"id": run_id})
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
            total = db.count("runs", where, wanted)
            rows = db.named(
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
            backwards=totals.backwards,
            gaps=totals.gaps,
            never_completed=totals.never_completed,
            deprecated=totals.deprecated,
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
            tests = read_tests(db, run_id)
        return [_read_used_operation(row, tests) for row in rows], total

    def operation(self, run_id: str, operation_id: str) -> OperationUsage:
        """What the run used of one operation, with samples. Raises NotFoundError."""
        with self._connections.reading() as db:
            require_run(db, run_id)
            row = db.execute(_OPERATION, (run_id, operation_id)).fetchone()
            if row is None:
                raise NotFoundError(f"{operation_id} is not among the operations of run {run_id}")
            return read_used(row, read_tests(db, run_id), read_samples_of(db, run_id, operation_id))

    def swagger(self, run_id: str) -> str | None:
        """The hash of the swagger that the run is classified with; None where there is none.

        That is the one that it brought, else the one that held for it. Raises NotFoundError.
        """
        with self._connections.reading() as db:
            return _applied_swagger(db, run_id)

    def last_exercised(self, run: Run, by: ExercisedBy, *, last: int) -> tuple[Mapping[str, int], int]:
        """In how many CI runs before that run each operation was exercised, and how many these are.

        They are the ``last`` successful ones of its cluster label and minor version.
        """
        named = {
            "run": run.id,
            "cluster": run.cluster,
            "minor": minor_text(minor_version(run.version)),
            "finished": time_text(run.finished),
            "last": last,
        }
        with self._connections.reading() as db:
            [(of, runs)] = db.execute(_LAST_EXERCISED.format(exercised=_EXERCISED[by]), named)
        return parse_counts(runs), of

    def days(self, window: Window | None = None) -> list[Window]:
        """The UTC days that the window overlaps (None: all) on which a run finished, in order."""
        with self._connections.reading() as db:
            return read_days(db, "runs", "finished", window)

    def delete(self, run_id: str) -> None:
        """Deletes a run with its usage and results, and what it brought unless something else refers to it.

        Raises NotFoundError.
        """
        # Few delete runs, and results are read with more than storing a run needs.
        from auditsvc.store.results import drop_unused_inputs

        with self._connections.transaction() as db:
            run = self.get(run_id)
            db.execute("delete from runs where id = ?", (run_id,))
            drop_unused_inputs(db)
            drop_unused_swagger(db, run.swagger)
            drop_unused_list(db, run.pending)
            drop_unused_list(db, run.ineligible)
            drop_unused_policy(db, run.policy)

    def known(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids that are a stored run's."""
        with self._connections.reading() as db:
            return frozenset(run_id for run_id in run_ids if _is_known(db, run_id))

    def received_log(self) -> bool:
        """Whether there is any run that was counted from a log."""
        with self._connections.reading() as db:
            row = db.execute("select exists (select 1 from runs where header is null)").fetchone()
        return bool(row[0])

    def received(self) -> bool:
        """Whether there is any run."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from runs)").fetchone()[0])


def _insert(row: Mapping[str, object]) -> str:
    """The statement that stores a run; the names are those of columns."""
    return f"insert into runs ({', '.join(row)}) values ({', '.join(f':{name}' for name in row)})"  # noqa: S608


def _is_known(db: Database, run_id: str) -> bool:
    return db.execute("select 1 from runs where id = ?", (run_id,)).fetchone() is not None


def require_run(db: Database, run_id: str) -> None:
    """Raises NotFoundError where no run has that id."""
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


def _run_row(run: Run, usage: Usage, recorded: datetime) -> dict[str, Any]:
    return {
        **asdict(run),
        "started": time_text(run.started),
        "finished": time_text(run.finished),
        "minor": minor_text(minor_version(run.version)),
        "recorded": time_text(recorded),
        **totals_row(usage),
    }


def _read_used_operation(row: Sequence[Any], tests: Mapping[int, str]) -> UsedOperation:
    name, row = row[0], row[1:]
    operation = None if row[6] is None else read_operation(row[6:])
    return UsedOperation(name, read_used(row[:6], tests), operation)
