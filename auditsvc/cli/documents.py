"""``auditsvc swagger`` and ``auditsvc lists``: documents into the store."""

from datetime import datetime

import click

from auditsvc.cli.files import naming
from auditsvc.cli.options import OneOf, parse_time, store_options
from auditsvc.config import Config
from auditsvc.fetch import read
from auditsvc.service import open_service
from auditsvc.store.lists import ListKind

_from_option = click.option(
    "--from",
    "holds_from",
    type=parse_time,
    metavar="TIME",
    help="When it starts to hold, as an RFC 3339 time.  [default: now]",
)


@click.command
@click.argument("version")
@click.argument("source", metavar="FILE|URL")
@_from_option
@store_options
def swagger(config: Config, version: str, source: str, holds_from: datetime | None) -> None:
    """Put a swagger document into the store.

    VERSION is Kubernetes' version, such as v1.34.0. The document holds for runs of that minor version until
    the next one does. Prints its hash.
    """
    document = read(source)
    with open_service(config) as service, naming(source):
        click.echo(service.documents.put_swagger(version, document, holds_from=holds_from).hash)


@click.command
@click.argument("kind", type=OneOf(ListKind))
@click.argument("source", metavar="FILE|URL")
@_from_option
@store_options
def lists(config: Config, kind: ListKind, source: str, holds_from: datetime | None) -> None:
    """Put the pending or the ineligible list into the store.

    The list holds until the next one of its kind does. Prints its hash.
    """
    text = read(source)
    with open_service(config) as service, naming(source):
        click.echo(service.documents.put_list(kind, text, holds_from=holds_from).hash)
