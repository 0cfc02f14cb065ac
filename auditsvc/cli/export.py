"""``auditsvc export``: what applications use, as CSV."""

from pathlib import Path

import click

from auditsvc.cli.files import write_whole
from auditsvc.cli.options import FILE, store_options
from auditsvc.config import Config
from auditsvc.exports.app_usage_csv import EXPORTS
from auditsvc.service import open_service


@click.command
@click.argument("name", type=click.Choice(list(EXPORTS)))
@click.option(
    "--app", "apps", multiple=True, metavar="NAME", help="Only this application; may repeat.  [default: all]"
)
@click.option("--output", type=FILE, help="Write it to this file.  [default: standard output]")
@store_options
def export(config: Config, *, name: str, apps: tuple[str, ...], output: Path | None) -> None:
    """Write what applications use as CSV.

    They are those of the store, each by the newest of its runs.

    app-usage-summary: how many operations of each level. app-usage-categories: of each level and category.
    app-usage-endpoints: which endpoints, and how many are unused. coverage-spreadsheet: every endpoint with
    the requests of each application. The columns are those of APISnoop's files of these names.
    """
    with open_service(config) as service:
        text = service.apps.export(name, apps)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_whole(output, text)
