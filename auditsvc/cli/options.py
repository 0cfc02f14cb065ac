"""What several commands' options share."""

import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditsvc.errors import ConfigError

if TYPE_CHECKING:
    from auditsvc.config import Config

Command = Callable[..., int | None]


def parse_time(text: str) -> datetime:
    """The moment that an RFC 3339 time names, in UTC; a usage error shows the form."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter(f"{text!r} is no RFC 3339 time such as 2025-08-26T12:04:42Z")


class OneOf(click.Choice[StrEnum]):
    """The members of an enumeration by their values: click's own way is by their names."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's signature
        """The value."""
        return str(choice)


FILE = click.Path(dir_okay=False, path_type=Path)

jobs_option = click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one a CPU",
    help="Processes that count a log.",
)
types_option = click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only this audit, by type or key; may repeat."
)
strict_option = click.option("--strict", is_flag=True, help="Exit with 3 where there is a warning.")


def config_option(command: Command) -> Command:
    """Adds ``--config``, and gives the command the configuration as ``config``."""
    return _configured(command, [_CONFIG])


def store_options(command: Command) -> Command:
    """Adds ``--data`` and ``--config``, and gives the command the configuration as ``config``."""
    return _configured(command, [_CONFIG, _DATA])


_DATA = click.option(
    "--data",
    type=click.Path(file_okay=False),
    help="The data folder.  [default: AUDITSVC_DATA, else ~/.local/share/auditsvc]",
)
_CONFIG = click.option(
    "--config",
    "config_file",
    type=FILE,
    help="The configuration file.  [default: AUDITSVC_CONFIG, else auditsvc.yaml in the data folder]",
)


def _configured(command: Command, options: list[Callable[[Command], Command]]) -> Command:
    @functools.wraps(command)
    def run(*, config_file: Path | None, data: str | None = None, **arguments: Any) -> int | None:
        return command(config=_load(data, config_file), **arguments)

    decorated: Command = run
    for option in options:
        decorated = option(decorated)
    return decorated


def _load(data: str | None, file: Path | None) -> "Config":
    # What checks the configuration is slow to import, and not every command has one.
    from auditsvc.config import load_config

    given = {"AUDITSVC_DATA": data, "AUDITSVC_CONFIG": file and str(file)}
    environ = {**os.environ, **{name: value for name, value in given.items() if value}}
    try:
        home = Path.home()
    except RuntimeError as error:  # a container's user may have no home
        raise ConfigError("this user has no home folder: name the data folder with AUDITSVC_DATA") from error
    return load_config(environ, home=home)
