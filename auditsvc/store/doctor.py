"""Whether what the store holds is whole. It is only looked at, and may be in use meanwhile."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from auditsvc.core.cost_json import (
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
)
from auditsvc.core.endpoints import parse_endpoint_list
from auditsvc.core.policy import lint_policy
from auditsvc.core.swagger import parse_swagger
from auditsvc.errors import AuditsvcError, StoreError
from auditsvc.store import FILE_NAME
from auditsvc.store.columns import ZstdError, decompress, json_text
from auditsvc.store.connections import Database, look_into, reported
from auditsvc.store.costs import CostKind
from auditsvc.store.jobs import LOST
from auditsvc.store.processes import alone, living
from auditsvc.store.swaggers import OPERATION_COLUMNS, read_operation
from auditsvc.store.tokens import SELECT_TOKENS, read_token
from auditsvc.store.usage import read_samples_of, read_totals
from auditsvc.store.version import SCHEMA_VERSION, is_current

MOST_TOLD = 20
"""So many problems of a kind are told; who has more has one reason for all of them."""

RESTORE = "restore a backup (`auditsvc restore FILE`)"

_COST_PARSERS: dict[CostKind, Callable[[bytes], object]] = {
    CostKind.ALLOCATIONS: parse_allocations,
    CostKind.ASSETS: parse_assets,
    CostKind.CLOUD_COSTS: parse_cloud_costs,
    CostKind.TOTALS: parse_totals,
    CostKind.AGGREGATES: parse_aggregates,
}

# Whether some requests of a run are of tests that it does not name.
_NAMELESS = """
    select 1 from usage u where u.run = ? and case when json_valid(u.tests) then exists (
        select 1 from json_each(u.tests) t where not exists (
            select 1 from run_tests n where n.run = u.run and n.number = t.key
        )
    ) else true end limit 1
"""

Progress = Callable[[int, int], None]
"""Told how many of how many things are looked at; of 0 where that is unknown."""


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it should be, and what to do about it."""

    found: str
    remedy: str


class Examined(msgspec.Struct, frozen=True):
    """What a check looked at, in some words, and what it found wrong; nothing, where all is well."""

    check: str
    looked_at: str
    problems: Sequence[Problem] = ()


def examine(folder: Path, progress: Progress) -> Iterator[Examined]:
    """Looks at the database of a data folder. Raises StoreError where there is none or it cannot be opened.

    Where its pages are damaged or its schema is not of this version, nothing else of it is looked at that
    would then say little.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise StoreError(f"there is no store in {folder}: name its folder with --data or AUDITSVC_DATA")
    opened = _examine_file(path)
    yield opened
    if opened.problems:
        return
    with reported(path), closing(look_into(path)) as db:
        db.set_progress_handler(lambda: progress(0, 0), 1_000_000)
        for name, check in _CHECKS.items():
            yield _guarded(path, name, check, db, progress)
        yield _examine_jobs(db, folder)


def damage(db: Database, *, quick: bool = False) -> list[str]:
    """What SQLite finds wrong with its file, in some lines; none where it is whole."""
    check = "quick_check" if quick else "integrity_check"
    try:
        lines = [row[0] for row in db.execute(f"pragma {check}({MOST_TOLD})")]
        strays = [] if quick else db.execute("pragma foreign_key_check").fetchall()[:MOST_TOLD]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    found = [line for text in lines for line in text.splitlines() if line != "ok" and line[:3] != "***"]
    return found + [
        f"a row of {table} refers to one of {parent} that is gone" for table, _, parent, _ in strays
    ]


def _examine_file(path: Path) -> Examined:
    try:
        with reported(path):
            current = is_current(path)
    except StoreError as error:
        return Examined("file", str(path), [Problem(str(error), RESTORE)])
    older = Problem(
        f"{path} is of an older version than schema {SCHEMA_VERSION}, or was copied",
        "any command that writes, such as `auditsvc serve`, brings it up to date",
    )
    return Examined("file", f"{path}, schema {SCHEMA_VERSION}", [] if current else [older])


_Check = Callable[[Database, Progress], tuple[str, list[Problem]]]


def _guarded(path: Path, name: str, check: _Check, db: Database, progress: Progress) -> Examined:
    """A check; where the file is too damaged for it, that is what it found."""
    try:
        with reported(path):
            return Examined(name, *check(db, progress))
    except StoreError as error:
        return Examined(name, "not to be read", [Problem(str(error), RESTORE)])


def _check_pages(db: Database, _progress: Progress) -> tuple[str, list[Problem]]:
    [(pages,)] = db.execute("pragma page_count")
    return f"{pages} pages", [Problem(found, RESTORE) for found in damage(db)]


def _check_runs(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """A run's totals are the sums of its rows; its log's figures and its samples can be read."""
    again = "delete the run and ingest its log again"
    rows = db.execute("""
        select r.id, r.requests, r.mapped, total(u.hits), total(u.hits) filter (where u.mapped)
        from runs r left join usage u on u.run = r.id group by r.id
    """).fetchall()
    problems = []
    for done, (run, requests, mapped, all_hits, mapped_hits) in enumerate(rows):
        progress(done, len(rows))
        if (requests, mapped) != (all_hits, mapped_hits):
            problems.append(
                Problem(
                    f"run {run} counts {requests} requests, {mapped} of them mapped, "
                    f"and its rows {all_hits:.0f} and {mapped_hits:.0f}",
                    again,
                )
            )
        problems += _broken(f"the figures of run {run}'s log", again, read_totals, db, run)
        if db.execute(_NAMELESS, (run,)).fetchone():
            problems.append(Problem(f"run {run} has requests of tests that it does not name", again))
        problems += _broken(f"the sampled events of run {run}", again, read_samples_of, db, run, "")
    return f"{len(rows)} runs", problems


def _check_swaggers(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """Each document is the one of its hash, and its rows are its operations."""
    return _check_each(db, progress, "swaggers", "swagger", _check_swagger, "upload it again")


def _check_swagger(db: Database, digest: str) -> None:
    [(frame,)] = db.execute("select document from swaggers where hash = ?", (digest,))
    parsed = parse_swagger(_content(decompress(frame), digest))
    rows = db.execute(
        f"select {OPERATION_COLUMNS} from operations o where o.swagger = ?",  # noqa: S608 - a constant
        (digest,),
    )
    if {row[0]: read_operation(row) for row in rows} != dict(parsed.operations):
        raise StoreError("its catalogue is not what it holds")


def _check_lists(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """Each text is the one of its hash, and its rows are its entries."""
    return _check_each(db, progress, "lists", "list", _check_list, "upload it again")


def _check_list(db: Database, digest: str) -> None:
    [(text,)] = db.execute("select text from lists where hash = ?", (digest,))
    parsed = parse_endpoint_list(_content(text.encode(), digest))
    rows = db.execute("select line, endpoint, reason, link from list_entries where list = ?", (digest,))
    if sorted(rows, key=str) != sorted(
        ((e.line, e.endpoint, e.reason, e.link) for e in parsed.entries), key=str
    ):
        raise StoreError("its rows are not what it holds")


def _check_policies(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """Each text is the one of its hash, and can be read."""
    again = "delete the runs that brought it and ingest their logs again"
    return _check_each(db, progress, "policies", "policy", _check_policy, again)


def _check_policy(db: Database, digest: str) -> None:
    [(text,)] = db.execute("select text from policies where hash = ?", (digest,))
    lint_policy(_content(text.encode(), digest))


def _check_costs(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """Each document is the one of its hash, and can be read."""
    keys = db.execute("select rowid, kind, window_start, window_end from costs").fetchall()
    problems = []
    for done, (row, kind, start, end) in enumerate(keys):
        progress(done, len(keys))
        problems += _broken(
            f"the {kind} of {start} to {end}", "upload them again", _check_cost, db, row, kind
        )
    return f"{len(keys)} documents", problems


def _check_cost(db: Database, row: int, kind: str) -> None:
    [(frame, digest)] = db.execute("select document, hash from costs where rowid = ?", (row,))
    _COST_PARSERS[CostKind(kind)](_content(decompress(frame), digest))


def _check_results(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """Each result's JSON can be read, and says the status that its row has."""
    rows = db.execute("select rowid, key, window_start, coalesce(run, '') from results").fetchall()
    problems = []
    for done, (row, key, start, run) in enumerate(rows):
        progress(done, len(rows))
        name = f"the result of {key} for {f'run {run}' if run else start[:10]}"
        problems += _broken(name, "run that audit again", _check_result, db, row)
    return f"{len(rows)} results", problems


def _check_result(db: Database, row: int) -> None:
    [(status, text, result)] = db.execute("select status, text, result from results where rowid = ?", (row,))
    msgspec.json.decode(result)
    said = msgspec.json.decode(text)["Status"]
    if said != status:
        raise StoreError(f"its JSON says {said}, its row {status}")


def _check_inputs(db: Database, progress: Progress) -> tuple[str, list[Problem]]:
    """What results were computed from is the text of its hash, and its documents are there."""
    again = "run these audits again: until then they cannot be replayed"
    digests = [digest for (digest,) in db.execute("select hash from inputs")]
    problems = []
    for done, digest in enumerate(digests):
        progress(done, len(digests))
        problems += _broken(f"the record of inputs {digest}", again, _check_input, db, digest)
    return f"{len(digests)} records", problems


def _check_input(db: Database, digest: str) -> None:
    [(text,)] = db.execute("select recorded from inputs where hash = ?", (digest,))
    _content(text.encode(), digest)
    missing = db.execute(
        """
        select hash from input_documents where inputs = ?
            and hash not in (select hash from swaggers) and hash not in (select hash from lists)
        """,
        (digest,),
    ).fetchone()
    if missing:
        raise StoreError(f"the document {missing[0]} is gone")


def _check_tokens(db: Database, _progress: Progress) -> tuple[str, list[Problem]]:
    """Each can be judged: its role is one, its hash may be one, its times are times."""
    rows = db.execute(SELECT_TOKENS).fetchall()
    problems = []
    for row in rows:
        problems += _broken(f"token {row[0]}", RESTORE, _check_token, row)
    return f"{len(rows)} tokens", problems


def _check_token(row: tuple[Any, ...]) -> None:
    if len(bytes.fromhex(read_token(row).hash)) != hashlib.sha256().digest_size:
        raise StoreError("its hash is none")


def _check_coverage(db: Database, _progress: Progress) -> tuple[str, list[Problem]]:
    """No conformance test of a release is missing, and what is JSON can be read."""
    problems = [
        Problem(f"{found} cannot be trusted", RESTORE)
        for statement in _NOT_WHOLE
        for (found,) in db.execute(f"{statement} limit {MOST_TOLD}")
    ]
    [(sources,)] = db.execute("select count(*) from coverage_sources")
    return f"{sources} sources", problems


_NOT_WHOLE = (
    """
    select 'the list of conformance tests of ' || version from conformance_tests
    group by version having max(position) + 1 <> count(*)
    """,
    "select 'the history of ' || endpoint from endpoint_histories where not json_valid(test_releases)",
    "select 'the tests that hit ' || endpoint from release_endpoints where not json_valid(tests)",
    """
    select 'the kept table ' || "table" || ' of ' || release from coverage_history where not json_valid(rows)
    """,
)


def _examine_jobs(db: Database, folder: Path) -> Examined:
    [(unfinished,)] = db.execute("select count(*) from jobs where state in ('queued', 'running')")
    with alone(folder):  # whoever made a job has entered, and so is among the living if it does live
        names = json_text(sorted(living(folder)))
        lost = db.execute(f"select id from jobs where {LOST}", (names,)).fetchall()  # noqa: S608 - a constant
    problems = [
        Problem(
            f"job {job} is unfinished, and its process is gone",
            "start the server, which marks it as interrupted; then ask for it again",
        )
        for (job,) in lost
    ]
    return Examined("jobs", f"{unfinished} under way", problems)


_CHECKS: dict[str, _Check] = {
    "pages": _check_pages,
    "runs": _check_runs,
    "swaggers": _check_swaggers,
    "lists": _check_lists,
    "policies": _check_policies,
    "costs": _check_costs,
    "results": _check_results,
    "inputs": _check_inputs,
    "coverage": _check_coverage,
    "tokens": _check_tokens,
}


def _check_each(
    db: Database,
    progress: Progress,
    table: str,
    what: str,
    check: Callable[[Database, str], None],
    remedy: str,
) -> tuple[str, list[Problem]]:
    digests = [digest for (digest,) in db.execute(f"select hash from {table}")]  # noqa: S608 - a constant
    problems = []
    for done, digest in enumerate(digests):
        progress(done, len(digests))
        problems += _broken(f"{what} {digest}", remedy, check, db, digest)
    return f"{len(digests)} documents", problems


def _broken(what: str, remedy: str, check: Callable[..., object], *arguments: Any) -> list[Problem]:
    """The problem that a check of one thing raises."""
    try:
        check(*arguments)
    except (AuditsvcError, ZstdError, ValueError, KeyError, TypeError) as error:
        return [Problem(f"{what} cannot be trusted: {error}", remedy)]
    return []


def _content(content: bytes, digest: str) -> bytes:
    if hashlib.sha256(content).hexdigest() != digest:
        raise StoreError("it is not the content of its hash")
    return content
