"""Rows on standard output, in the format that is asked for."""

from collections.abc import Mapping, Sequence

import click

from auditsvc.cli.options import Command
from auditsvc.exports import rows as exported

_FORMATS = {"table": exported.render_text, "json": exported.render_json, "csv": exported.render_csv}


def rows_format_option(command: Command) -> Command:
    """Adds ``--format``, given to the command as ``form``; :func:`show_rows` takes it."""
    option = click.option(
        "--format", "form", type=click.Choice(list(_FORMATS)), default="table", show_default=True
    )
    return option(command)


def show_rows(rows: Sequence[Mapping[str, exported.Cell]], form: str) -> None:
    """Prints rows that all have the same columns."""
    click.echo(_FORMATS[form](rows), nl=False)
