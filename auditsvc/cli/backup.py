"""``auditsvc backup`` and ``auditsvc restore``: the store as one file, and back."""

from pathlib import Path

import click

from auditsvc.cli.options import FILE, store_options
from auditsvc.cli.progress import copy_progress
from auditsvc.config import Config
from auditsvc.service import utc_now


@click.command
@click.argument("file", metavar="FILE", type=FILE)
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@store_options
def backup(config: Config, file: Path, *, force: bool) -> None:
    """Copy the store to a file, also while a server is at work on it.

    FILE is there when it is whole and was checked. It holds all that was stored when the copy began.
    """
    from auditsvc.store.backup import back_up

    with copy_progress() as progress:
        back_up(config.data, file, force=force, progress=progress)


@click.command
@click.argument("file", metavar="FILE", type=FILE)
@store_options
def restore(config: Config, file: Path) -> None:
    """Make the store anew from a backup.

    FILE, which `auditsvc backup` wrote, is checked first, and stays as it is; one of an older version is
    migrated. A store that is there is kept beside the new one. No server may be at work on the data folder.
    """
    from auditsvc.store.backup import restore

    with copy_progress() as progress:
        kept = restore(file, config.data, now=utc_now(), progress=progress)
    if kept:
        click.echo(f"auditsvc: the store that was there is kept as {kept}", err=True)
