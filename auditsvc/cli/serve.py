"""``auditsvc serve``: the HTTP API and the pages."""

import click

from auditsvc.cli.options import store_options
from auditsvc.config import Config

host_option = click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 is every one."
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port; 0 takes a free one, which is printed.",
)


@click.command
@host_option
@port_option
@click.option(
    "--threads",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Requests at once, in a worker.",
)
@click.option("--workers", type=click.IntRange(1, 100), default=1, show_default=True, help="Processes.")
@store_options
def serve(config: Config, host: str, port: int, threads: int, workers: int) -> int:
    """Serve the HTTP API and the pages.

    Until SIGTERM or Ctrl-C: what is under way then has some seconds to end.
    """
    from auditsvc.cli.server import address_of, listen, serve_forever

    with listen(host, port) as listener:
        click.echo(f"auditsvc: serving {config.data} at {address_of(listener)} (Ctrl-C ends it)", err=True)
        return serve_forever(config, listener, threads=threads, workers=workers)
