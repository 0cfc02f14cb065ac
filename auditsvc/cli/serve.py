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

insecure_option = click.option(
    "--insecure",
    is_flag=True,
    help="Serve others than this machine, and by any name, although there is no token.",
)


@click.command
@host_option
@port_option
@insecure_option
@click.option(
    "--threads",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Requests at once, in a worker.",
)
@click.option("--workers", type=click.IntRange(1, 100), default=1, show_default=True, help="Processes.")
@store_options
def serve(config: Config, *, host: str, port: int, insecure: bool, threads: int, workers: int) -> int:
    """Serve the HTTP API and the pages.

    Until SIGTERM or Ctrl-C: what is under way then has some seconds to end. Tokens are asked for from the
    first one on that `auditsvc token create` makes, or that AUDITSVC_ADMIN_TOKEN or AUDITSVC_ADMIN_TOKEN_FILE
    hold; without one, only this machine is served.
    """
    from auditsvc.cli.logs import announce, configure_logs
    from auditsvc.cli.server import address_of, listen, recover, require_tokens, serve_forever

    with listen(host, port) as listener:
        if not insecure:
            require_tokens(config, listener)
        configure_logs(config)
        recover(config)
        announce(config, f"serving {config.data} at {address_of(listener)} (Ctrl-C ends it)")
        return serve_forever(config, listener, threads=threads, workers=workers, insecure=insecure)
