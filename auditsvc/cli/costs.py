"""``auditsvc costs``: cost data into the store, and why an audit finds it to differ."""

import click

from auditsvc.audits import find_audit_type
from auditsvc.cli.files import naming
from auditsvc.cli.options import store_options
from auditsvc.config import Config
from auditsvc.core.window import Window, parse_window
from auditsvc.exports import explanation_text
from auditsvc.fetch import read
from auditsvc.service import Service, open_service
from auditsvc.store.costs import CostKind

_HELP = {
    CostKind.ALLOCATIONS: "Put a response of /allocation/compute into the store.",
    CostKind.ASSETS: "Put a response of /assets into the store.",
    CostKind.CLOUD_COSTS: "Put a response of /cloudCost into the store.",
    CostKind.TOTALS: "Put the totals of the system under audit into the store.",
    CostKind.AGGREGATES: "Put the aggregates of the system under audit into the store.",
}
_DETAILS = """

The window is a UTC day, of allocations and assets also an hour of one. The document replaces the one of its
kind and window. Prints its hash.
"""

_window_option = click.option(
    "--window", required=True, metavar="W", help="2025-08-26,2025-08-27, yesterday, …"
)


@click.group
def costs() -> None:
    """Put cost data of OpenCost and Kubecost into the store, or tell why it differs."""


def _add_put(kind: CostKind) -> None:
    @costs.command(kind, help=_HELP[kind] + _DETAILS)
    @click.argument("source", metavar="FILE|URL")
    @_window_option
    @store_options
    def put(config: Config, source: str, window: str) -> None:
        content = read(source)
        with open_service(config) as service, naming(source):
            record, _ = service.costs.put(kind, _window(service, window), content)
            click.echo(record.hash)


for _kind in CostKind:
    _add_put(_kind)


@costs.command
@_window_option
@store_options
def fetch(config: Config, window: str) -> None:
    """Fetch allocations and assets from OpenCost.

    Of every UTC day that the window overlaps, from the OpenCost that the configuration names (opencost_url,
    or AUDITSVC_OPENCOST_URL). Prints what was stored.
    """
    with open_service(config) as service:
        for record in service.costs.fetch(_window(service, window)):
            click.echo(f"{record.window.start.date()} {record.kind} {record.rows} rows {record.hash}")


@costs.command
@click.argument("audit_type", metavar="TYPE")
@click.argument("key")
@_window_option
@store_options
def explain(config: Config, audit_type: str, key: str, window: str) -> None:
    """Tell why an audit of costs finds a difference.

    TYPE is the audit, by type or key. KEY is the path to the difference in its result: cluster-one, or with
    the map Clusters/cluster-one. The window lies in the day that is meant.
    """
    known = find_audit_type(audit_type)
    with open_service(config) as service:
        found = service.costs.explain(known, _window(service, window), key)
    click.echo(explanation_text.render(found), nl=False)


def _window(service: Service, text: str) -> Window:
    return parse_window(text, now=service.clock(), utc_offset=service.config.utc_offset)
