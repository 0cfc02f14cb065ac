"""Rows of the same columns: as a table for people, as JSON, as CSV (RFC 4180)."""

import csv
import io
from collections.abc import Mapping, Sequence

import msgspec

from auditsvc.exports.plain import no_formula, render_table

Cell = str | int | float | bool | None
"""What stands in a column; None is not known."""


def render_text(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A heading and a line for each row; what is not known, and what does not hold, is empty."""
    if not rows:
        return ""
    table: list[list[str | int | float]] = [list(rows[0])]
    table += [[_plain(cell) for cell in row.values()] for row in rows]
    return "\n".join(render_table(table)) + "\n"


def render_json(rows: Sequence[Mapping[str, Cell]]) -> str:
    """One array, an object for each row."""
    return msgspec.json.encode(rows).decode() + "\n"


def render_csv(rows: Sequence[Mapping[str, Cell]]) -> str:
    """A heading and a record for each row; what is not known is empty. Nothing for no rows."""
    file = io.StringIO()
    if rows:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _written(cell) for name, cell in row.items()} for row in rows)
    return file.getvalue()


def _plain(cell: Cell) -> str | int | float:
    if isinstance(cell, bool):
        return "yes" if cell else ""
    return "" if cell is None else cell


def _written(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    return no_formula(cell) if isinstance(cell, str) else cell
