"""What an audit found, as it is stored: for a window's AuditSet or for a single run."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from auditsvc.core.results import AuditResult
from auditsvc.core.window import Window
from auditsvc.store.columns import json_text, parse_time, time_text
from auditsvc.store.connections import Database
from auditsvc.store.lists import drop_unused_list
from auditsvc.store.swaggers import drop_unused_swagger

if TYPE_CHECKING:
    from auditsvc.audits import RecordedInputs

_SELECT = "select window_start, window_end, key, result, text, inputs, code from results"
_result = msgspec.json.Decoder(AuditResult)


class StoredResult(msgspec.Struct, frozen=True, kw_only=True):
    """The newest result of one audit in one window, or of one run (then `window` is the run's day).

    ``key`` is the audit's in an AuditSet. ``text`` is the result's JSON, made once and served as it is.
    ``inputs`` is a hash of all that it was computed from, ``code`` the version of the audit's code.
    """

    window: Window
    key: str
    result: AuditResult
    text: str
    inputs: str
    code: str


def write_results(
    db: Database,
    results: Iterable[StoredResult],
    *,
    run_id: str | None = None,
    recorded: "RecordedInputs | None" = None,
) -> None:
    """Puts each in the place of the one with its window and key, or with its run and key.

    All were computed from what is ``recorded``, None where nobody noted it.
    """
    inputs = None if recorded is None else _write_inputs(db, recorded)
    db.executemany(
        """
        insert or replace into results
            (window_start, window_end, run, key, status, checked, last_run, inputs, code, text, result,
            recorded)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
            (
                time_text(stored.window.start),
                time_text(stored.window.end),
                run_id,
                stored.key,
                stored.result.status,
                stored.result.checked,
                time_text(stored.result.last_run),
                stored.inputs,
                stored.code,
                stored.text,
                json_text(stored.result),
                inputs,
            )
            for stored in results
        ],
    )
    drop_unused_inputs(db)


def read_results(db: Database, where: str, parameters: Sequence[str]) -> list[StoredResult]:
    """The results that an SQL condition names, by window and key."""
    rows = db.execute(f"{_SELECT} where {where} order by window_start, window_end, key", parameters)
    return [
        StoredResult(
            window=Window(parse_time(start), parse_time(end)),
            key=key,
            result=_result.decode(result),
            text=text,
            inputs=inputs,
            code=code,
        )
        for start, end, key, result, text, inputs, code in rows
    ]


def read_inputs(db: Database, where: str, parameters: Sequence[str]) -> "dict[str, RecordedInputs]":
    """By key what the results that an SQL condition names were computed from, where that was noted."""
    rows = db.execute(
        f"select r.key, i.recorded from results r join inputs i on i.hash = r.recorded where {where}",  # noqa: S608 - a constant
        parameters,
    )
    return {key: _inputs_decoder().decode(recorded) for key, recorded in rows}


def drop_unused_inputs(db: Database) -> None:
    """Deletes inputs that no result was computed from any more, and documents that were kept for them."""
    unused = "not exists (select 1 from results where results.recorded = i.hash)"
    documents = db.execute(
        f"select distinct d.hash from inputs i join input_documents d on d.inputs = i.hash where {unused}"  # noqa: S608
    ).fetchall()
    db.execute(f"delete from inputs as i where {unused}")  # noqa: S608 - the constant above
    for (digest,) in documents:
        drop_unused_swagger(db, digest)
        drop_unused_list(db, digest)


@cache
def _inputs_decoder() -> "msgspec.json.Decoder[RecordedInputs]":
    # All audits would be imported with it, by whoever only stores a run.
    from auditsvc.audits import RecordedInputs

    return msgspec.json.Decoder(RecordedInputs)


def _write_inputs(db: Database, recorded: "RecordedInputs") -> str:
    text = json_text(recorded)
    digest = hashlib.sha256(text.encode()).hexdigest()
    db.execute("insert or ignore into inputs (hash, recorded) values (?, ?)", (digest, text))
    db.executemany(
        "insert or ignore into input_documents (inputs, hash) values (?, ?)",
        [(digest, document) for document in sorted(recorded.hashes)],
    )
    return digest
