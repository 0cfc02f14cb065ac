"""``auditsvc parse``: what audit logs used."""

from pathlib import Path

import click

from auditsvc.cli.files import open_logs, read_parsed, write_whole
from auditsvc.cli.options import FILE, jobs_option
from auditsvc.cli.progress import log_progress, spare_the_garbage_collector
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage
from auditsvc.ingest import read_usage

FORMATS = ("text", "json", "csv")


@click.command
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option("--swagger", required=True, metavar="FILE|URL", help="The API's swagger document.")
@click.option("--output", type=FILE, help="Also write an audit-endpoints.txt.")
@click.option("--operations-json", type=FILE, help="Also write the first audit events of each operation.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
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
    click.echo(_rendered(form, usage, known), nl=False)


def _write(usage: Usage, output: Path | None, samples: Path | None) -> None:
    # The formats are imported when they are asked for: few are, and a short log is soon counted.
    if output is not None:
        from auditsvc.exports import endpoints_txt

        write_whole(output, endpoints_txt.render(usage))
    if samples is not None:
        from auditsvc.exports import operations_json

        write_whole(samples, operations_json.render(usage))


def _rendered(form: str, usage: Usage, swagger: Swagger) -> str:
    match form:
        case "json":
            from auditsvc.exports import usage_json

            return usage_json.render(usage)
        case "csv":
            from auditsvc.exports import usage_csv

            return usage_csv.render(usage, swagger)
    from auditsvc.exports import usage_text

    return usage_text.render(usage, swagger)
