"""``auditsvc ingest``: a run into the store."""

from typing import Any

import click
from msgspec.structs import replace

from auditsvc.cli.files import open_logs
from auditsvc.cli.options import OneOf, store_options
from auditsvc.cli.origin import origin_options, read_documents
from auditsvc.cli.progress import log_progress, spare_the_garbage_collector
from auditsvc.config import Config
from auditsvc.core.requesters import SplitBy
from auditsvc.service import utc_now
from auditsvc.service.runs import RunService, RunUpload
from auditsvc.store import Store


@click.command
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@origin_options(required=True)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that count a log.  [default: as configured, else 1]"
)
@click.option(
    "--split-by", type=OneOf(SplitBy), help="Make an app run of each one's requests, and print id and app."
)
@click.option(
    "--at-least",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Of --split-by: leave out those with fewer requests.",
)
@store_options
def ingest(
    config: Config,
    *,
    logs: tuple[str, ...],
    origin: dict[str, Any],
    jobs: int | None,
    split_by: SplitBy | None,
    at_least: int,
) -> None:
    """Put a run into the store and print its id.

    LOG is an audit log, plain or packed, - for standard input, or another tool's audit-endpoints.txt; several
    are the rotated files of one log. --agent, --namespace, --service-account and --split-by take applications
    out of one log: requests of an impersonated user are that user's.
    """
    spare_the_garbage_collector()
    opened = open_logs(logs)
    upload = RunUpload(logs=opened, **(origin | read_documents(origin)))
    with Store.open(config.data) as store, log_progress(opened) as progress:
        runs = RunService(store, replace(config, jobs=jobs or config.jobs), utc_now)
        if split_by:
            taken = runs.add_split(upload, split_by, at_least=at_least, progress=progress)
        else:
            taken = [runs.add(upload, progress=progress)]
    for run, new in taken:
        if not new:
            click.echo("the same content was there already, as:", err=True)
        click.echo(f"{run.id} {run.app}" if split_by else run.id)
