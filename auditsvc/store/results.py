"""What an audit found, as it is stored: for a window's AuditSet or for a single run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from sqlite_utils import Database

from auditsvc.core.results import AuditResult
from auditsvc.core.window import Window
from auditsvc.store.columns import json_text, parse_time, time_text

_SELECT = "select window_start, window_end, key, result, text, inputs, code from results"
_result = msgspec.json.Decoder(AuditResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResult:
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


def write_results(db: Database, results: Iterable[StoredResult], *, run_id: str | None = None) -> None:
    """Puts each in the place of the one with its window and key, or with its run and key."""
    db.conn.executemany(
        """
        insert or replace into results
            (window_start, window_end, run, key, status, checked, last_run, inputs, code, text, result)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
            )
            for stored in results
        ],
    )


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
