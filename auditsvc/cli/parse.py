"""``auditsvc parse``: what audit logs used."""

from collections.abc import Callable
from pathlib import Path

import click

from auditsvc.cli.files import open_logs, read_parsed, write_whole
from auditsvc.cli.options import FILE, jobs_option
from auditsvc.cli.progress import log_progress, spare_the_garbage_collector
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage
from auditsvc.exports import endpoints_txt, operations_json, usage_csv, usage_json, usage_text
from auditsvc.ingest import read_usage

_FORMATS: dict[str, Callable[[Usage, Swagger], str]] = {
    "text": usage_text.render,
    "json": lambda usage, _: usage_json.render(usage),
    "csv": usage_csv.render,
}


@click.command
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option("--swagger", required=True, metavar="FILE|URL", help="The API's swagger document.")
@click.option("--output", type=FILE, help="Also write an audit-endpoints.txt.")
@click.option("--operations-json", type=FILE, help="Also write the first audit events of each operation.")
@click.option("--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True)
@jobs_option
def parse(
    logs: tuple[str, ...],
    swagger: str,
    output: Path | None,
    operations_json: Path | None,
    form: str,
    jobs: int,
) -> None:
    """Tell what audit logs used.

    LOG is an audit log, plain or packed, or - for standard input; several are the rotated files of one log.
    """
    spare_the_garbage_collector()
    opened = open_logs(logs)
    known = read_parsed(swagger, parse_swagger)
    with log_progress(opened) as progress:
        usage = read_usage(opened, known, jobs=jobs, sampled=operations_json is not None, progress=progress)
    _write(usage, output, operations_json)
    click.echo(_FORMATS[form](usage, known), nl=False)


def _write(usage: Usage, output: Path | None, samples: Path | None) -> None:
    if output is not None:
        write_whole(output, endpoints_txt.render(usage))
    if samples is not None:
        write_whole(samples, operations_json.render(usage))
