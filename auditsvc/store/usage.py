"""What a run used, as rows: a total, one row per operation and reason, and the sampled events apart.

A test's name is long, and stands with nearly every operation: a run's are stored once, and named by number.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from msgspec.structs import replace

from auditsvc.core.mapper import Unmapped
from auditsvc.core.usage import DeprecatedUse, Gap, OperationUsage, Sample, Usage, is_conformance
from auditsvc.store.columns import (
    compress,
    decompress,
    json_text,
    optional_time_text,
    parse_counts,
    parse_optional_time,
)
from auditsvc.store.connections import Database

USED_COLUMNS = "u.hits, u.codes, u.tests, u.agents, u.first, u.last"
"""What :func:`read_used` reads, of the table usage named u."""

_FIGURES = ("backwards", "gaps", "never_completed", "deprecated")
_gaps = msgspec.json.Decoder(tuple[Gap, ...])
_deprecated = msgspec.json.Decoder(tuple[DeprecatedUse, ...])
_positions = msgspec.json.Decoder(tuple[str, ...])
_numbered = msgspec.json.Decoder(dict[int, int])


class _Samples(msgspec.Struct):
    """The sampled events of a run, by operationId and by the reason why a request is of none."""

    operations: dict[str, tuple[Sample, ...]] = {}
    unmapped: dict[str, tuple[Sample, ...]] = {}


_samples = msgspec.msgpack.Decoder(_Samples)
_older_samples = msgspec.json.Decoder(_Samples)


def totals_row(usage: Usage) -> dict[str, int | str | None]:
    """The columns of a run that hold its usage as a whole."""
    return {
        "requests": usage.requests,
        "mapped": usage.mapped,
        "malformed": usage.malformed,
        "malformed_at": json_text(usage.malformed_at),
        "duplicates": usage.duplicates,
        "incomplete": usage.incomplete,
        "events": usage.events,
        "first": optional_time_text(usage.first),
        "last": optional_time_text(usage.last),
        "header": None if usage.header is None else json_text(usage.header),
        "backwards": usage.backwards,
        "gaps": None if usage.gaps is None else json_text(usage.gaps),
        "never_completed": usage.never_completed,
        "deprecated": None if usage.deprecated is None else json_text(usage.deprecated),
    }


def read_totals(db: Database, run_id: str) -> Usage | None:
    """A run's usage without its operations; None where there is no such run."""
    row = db.execute(
        """
        select requests, mapped, malformed, malformed_at, duplicates, incomplete, events, first, last, header,
            backwards, gaps, never_completed, deprecated
        from runs where id = ?
        """,
        (run_id,),
    ).fetchone()
    if row is None:
        return None
    requests, mapped, malformed, malformed_at, duplicates, incomplete, events, first, last, header = row[:10]
    backwards, gaps, never_completed, deprecated = row[10:]
    return Usage(
        operations={},
        requests=requests,
        mapped=mapped,
        malformed=malformed,
        malformed_at=_positions.decode(malformed_at),
        duplicates=duplicates,
        incomplete=incomplete,
        events=events,
        first=parse_optional_time(first),
        last=parse_optional_time(last),
        header=None if header is None else parse_counts(header),
        backwards=backwards,
        gaps=None if gaps is None else _gaps.decode(gaps),
        never_completed=never_completed,
        deprecated=None if deprecated is None else _deprecated.decode(deprecated),
    )


def add_figures(db: Database, run_id: str, usage: Usage) -> None:
    """Completes a run that was stored when these figures of a log were not counted yet."""
    row = totals_row(usage)
    db.execute(
        """
        update runs set backwards = :backwards, gaps = :gaps, never_completed = :never_completed,
            deprecated = :deprecated
        where id = :run and deprecated is null
        """,
        {"run": run_id, **{name: row[name] for name in _FIGURES}},
    )


def write_usage(db: Database, run_id: str, usage: Usage) -> None:
    """Writes the rows below a run's own."""
    used = [(1, name, one) for name, one in usage.operations.items()]
    used += [(0, reason.value, one) for reason, one in usage.unmapped.items()]
    # Few tests stand with many operations: each name is looked into once.
    names = dict.fromkeys(chain.from_iterable(one.tests for _, _, one in used))
    numbers = {test: number for number, test in enumerate(names)}
    conformance = frozenset(filter(is_conformance, names))
    db.executemany(
        """
        insert into usage
            (run, mapped, name, hits, success_hits, conformance_hits, codes, tests, agents, first, last)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [(run_id, mapped, name, *_used_row(one, numbers, conformance)) for mapped, name, one in used],
    )
    db.executemany(
        "insert into run_tests (run, number, name) values (?, ?, ?)",
        [(run_id, number, test) for test, number in numbers.items()],
    )
    samples = _Samples(_sampled(usage.operations), _sampled(usage.unmapped))
    db.execute(
        "insert into samples (run, events) values (?, ?)", (run_id, compress(msgspec.msgpack.encode(samples)))
    )


def read_usage(db: Database, run_id: str, totals: Usage, *, samples: bool) -> Usage:
    """A run's `totals` completed with its operations, and with their sampled events where asked for."""
    events = _read_samples(db, run_id) if samples else _Samples()
    tests = read_tests(db, run_id)
    rows = db.execute(
        f"select u.mapped, u.name, {USED_COLUMNS} from usage u where u.run = ?",  # noqa: S608 - constants
        (run_id,),
    )
    operations: dict[str, OperationUsage] = {}
    unmapped: dict[Unmapped, OperationUsage] = {}
    for mapped, name, *row in rows:
        if mapped:
            operations[name] = read_used(row, tests, events.operations.get(name, ()))
        else:
            unmapped[Unmapped(name)] = read_used(row, tests, events.unmapped.get(name, ()))
    return replace(totals, operations=operations, unmapped=unmapped)


def read_samples_of(db: Database, run_id: str, operation_id: str) -> tuple[Sample, ...]:
    """The sampled events of one operation."""
    return _read_samples(db, run_id).operations.get(operation_id, ())


def read_tests(db: Database, run_id: str) -> Mapping[int, str]:
    """The names of the e2e tests of a run, by their numbers in its rows."""
    return dict(db.execute("select number, name from run_tests where run = ?", (run_id,)))


def read_used(
    row: Sequence[Any], names: Mapping[int, str], samples: tuple[Sample, ...] = ()
) -> OperationUsage:
    """The usage of one operation from its USED_COLUMNS, with its samples where they are wanted.

    ``names`` are those of its run's tests.
    """
    hits, codes, tests, agents, first, last = row
    return OperationUsage(
        hits=hits,
        codes=parse_counts(codes),
        tests=named_tests(tests, names),
        agents=parse_counts(agents),
        first=parse_optional_time(first),
        last=parse_optional_time(last),
        samples=samples,
    )


def named_tests(numbered: str, names: Mapping[int, str]) -> dict[str, int]:
    """The requests by e2e test of a column `tests`, and the names of its run's tests."""
    return {names[number]: requests for number, requests in _numbered.decode(numbered).items()}


def _used_row(
    used: OperationUsage, numbers: Mapping[str, int], conformance: frozenset[str]
) -> tuple[int | str | None, ...]:
    return (
        used.hits,
        used.success_hits,
        sum([requests for test, requests in used.tests.items() if test in conformance]),
        json_text(used.codes),
        json_text({numbers[test]: requests for test, requests in used.tests.items()}),
        json_text(used.agents),
        optional_time_text(used.first),
        optional_time_text(used.last),
    )


def _sampled(usages: Mapping[Any, OperationUsage]) -> dict[str, tuple[Sample, ...]]:
    return {name: used.samples for name, used in usages.items() if used.samples}


def _read_samples(db: Database, run_id: str) -> _Samples:
    [(frame,)] = db.execute("select events from samples where run = ?", (run_id,))
    events = decompress(frame)
    # A run stored before step m012 has them as JSON.
    return (_older_samples if events.startswith(b"{") else _samples).decode(events)
