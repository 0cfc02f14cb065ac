"""``auditsvc compare``: what runs used, beside each other."""

from collections.abc import Sequence

import click

from auditsvc.cli.options import OneOf, store_options
from auditsvc.cli.rows import rows_format_option, show_rows
from auditsvc.config import Config
from auditsvc.core.beside import BesideRow, Difference, Only
from auditsvc.core.runs import Run
from auditsvc.core.swagger import Level
from auditsvc.exports.rows import Cell
from auditsvc.service import open_service


@click.command
@click.argument("run_ids", metavar="RUN RUN...", nargs=-1, required=True)
@click.option(
    "--only",
    type=OneOf(Only),
    help="Only operations that a run added, removed or hit otherwise than the first, or whose tests moved.",
)
@click.option("--level", type=OneOf(Level), help="Only operations of this level.")
@click.option("--group", help="Only operations of this API group; empty for the core group.")
@click.option("--text", help="Only operations with this in their operationId.")
@rows_format_option
@store_options
def compare(
    config: Config,
    *,
    run_ids: tuple[str, ...],
    only: Only | None,
    level: Level | None,
    group: str | None,
    text: str | None,
    form: str,
) -> None:
    """Tell what runs used, beside each other.

    RUN is the id of a run in the store; two or more are named. Shown are each operation's requests, run by
    run. What is added, removed or changed is so beside the first run; a test moved when it requested an
    operation in one of the runs and not in another.
    """
    if len(run_ids) < 2:
        raise click.UsageError("name two runs or more")
    with open_service(config) as service:
        runs, rows = service.runs.beside(run_ids, only, level=level, group=group, text=text)
    show_rows([_row(runs, row) for row in rows], form)


def _row(runs: Sequence[Run], row: BesideRow) -> dict[str, Cell]:
    hits: dict[str, Cell] = {run.id: count for run, count in zip(runs, row.hits, strict=True)}
    differences = dict.fromkeys(one for one in row.differences if one is not Difference.SAME)
    return {
        "operation": row.id,
        "level": row.operation.level if row.operation else None,
        **hits,
        "difference": ", ".join(differences) or Difference.SAME.value,
        "tests_moved": len(row.tests),
    }
