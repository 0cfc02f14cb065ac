"""The command line and the servers of tests/cli, for what goes wrong with them."""

from tests.cli.conftest import auditsvc, auditsvc_with_runs, filled, serve

__all__ = ["auditsvc", "auditsvc_with_runs", "filled", "serve"]
