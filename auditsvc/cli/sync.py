"""``auditsvc sync``: the newest CI runs into the store."""

from collections.abc import Collection

import click
from msgspec.structs import replace

from auditsvc.cli.options import store_options
from auditsvc.cli.progress import sync_progress
from auditsvc.config import FILE_NAME, PULL, Config, SyncJob
from auditsvc.core.runs import RunKind
from auditsvc.errors import ConfigError, RequestError
from auditsvc.exports.plain import visible
from auditsvc.service import open_service


def _parse_pulls(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        if not PULL.fullmatch(text):
            raise click.BadParameter(f"{text!r} is no number such as 131234, nor number/build")
    return given


@click.command
@click.option("--job", "names", multiple=True, metavar="NAME", help="Only this job; may repeat.")
@click.option(
    "--pull",
    "pulls",
    multiple=True,
    metavar="NUMBER[/BUILD]",
    callback=_parse_pulls,
    help="This pull request in place of the configured ones, or one build of it; may repeat.",
)
@store_options
def sync(config: Config, names: tuple[str, ...], pulls: tuple[str, ...]) -> int:
    """Fetch the newest CI runs that the configuration names.

    Of each job under sync.jobs, the newest successful builds that are not in the store yet. Prints the ids of
    the new runs; a broken build is named and skipped.

    Exit codes: 0 when every job has a usable build, 2 otherwise.
    """
    jobs = _choose_jobs(config, names, pulls)
    with open_service(config) as service, sync_progress() as progress:
        synced = service.sync.run(jobs, progress=progress)
    for run in synced.runs:
        click.echo(run.id)
    for line in synced.skipped:
        click.echo(f"auditsvc: skipped {visible(line)}", err=True)
    for line in synced.failed:
        click.echo(f"auditsvc: {visible(line)}", err=True)
    return 2 if synced.failed else 0


def _choose_jobs(config: Config, names: Collection[str], pulls: tuple[str, ...]) -> list[SyncJob]:
    """The configured jobs of those names, else all; with pull requests, only those that are of these."""
    configured = config.sync.jobs
    known = [job.job for job in configured]
    for name in names:
        if name not in known:
            raise RequestError(f"unknown job: {name} (configured are {', '.join(known) or 'none'})")
    jobs = [job for job in configured if not names or job.job in names]
    if pulls:
        jobs = [replace(job, pulls=pulls) for job in jobs if job.kind is RunKind.PULL]
    if not jobs:
        kind = "job of the kind pull" if pulls else "job"
        raise ConfigError(f"no {kind} is configured: name it under sync.jobs in {config.data / FILE_NAME}")
    return jobs
