"""The command line: the commands by name, and the one place where what went wrong becomes a line and a code.

Each command's module is imported when the command runs, so that ``--help`` answers at once.
"""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any, NoReturn

import click

from auditsvc import __version__
from auditsvc.errors import AuditsvcError

COULD_NOT_WORK = 2
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM
CUT_OFF = 128 + signal.SIGPIPE

COMMANDS = {
    "demo": ("demo", "Audit the shipped data, print the results and serve them."),
    "parse": ("parse", "Tell what audit logs used."),
    "check": ("check", "Audit files: no store, no server."),
    "ingest": ("ingest", "Put a run into the store and print its id."),
    "swagger": ("documents", "Put a swagger document into the store."),
    "lists": ("documents", "Put the pending or the ineligible list into the store."),
    "sync": ("sync", "Fetch the newest CI runs that the configuration names."),
    "costs": ("costs", "Put cost data of OpenCost and Kubecost into the store, or tell why it differs."),
    "import": ("imports", "Put what APISnoop knew, or conformance tests, into the store."),
    "coverage": ("coverage", "Tell how much of the API conformance tests cover, by release."),
    "compare": ("compare", "Tell what runs used, beside each other."),
    "export": ("export", "Write what applications use as CSV."),
    "explain": ("costs", "Tell why an audit of costs finds a difference."),
    "audit": ("audit", "Run audits over the store, or on a server."),
    "replay": ("replay", "Repeat stored results from what they were computed from."),
    "policy": ("policy", "Find what is wrong with a Kubernetes audit policy."),
    "submission": ("submission", "Audit the folder of a conformance submission."),
    "comment": ("comment", "Put a report on a GitHub pull request, as one comment that is kept up to date."),
    "serve": ("serve", "Serve the HTTP API and the pages."),
    "doctor": ("doctor", "Tell whether the store is whole, and what to do where it is not."),
    "backup": ("backup", "Copy the store to a file, also while a server is at work on it."),
    "restore": ("backup", "Make the store anew from a backup."),
    "token": ("token", "Make, list and revoke access tokens."),
    "openapi": ("openapi", "Print the description of the HTTP API."),
}
"""By name: the module in this package, and what ``--help`` says without importing it."""


class Commands(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Their names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the import's time
        try:
            module = importlib.import_module(f"{__name__}.{COMMANDS[cmd_name][0]}")
        finally:
            gc.enable()
        # A keyword cannot be a function's name, so that one has an underscore.
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Lists them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command to the last byte of its output."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader, head or less, has seen enough. What is still buffered goes nowhere, quietly.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CUT_OFF
        return code


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="auditsvc %(version)s")
def cli() -> None:
    """Typed audits over Kubernetes audit logs, swagger documents and endpoint lists.

    Exit codes: 0 passed (warnings allowed), 1 an audit failed, 2 it could not work, 3 a warning under
    --strict.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the process's exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        # Results are UTF-8 whatever the locale says; a file's name may hold what no encoding can.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr] # they are text files
    try:
        return cli.main(arguments, "auditsvc", standalone_mode=False) or 0
    except click.Abort:
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
    except (AuditsvcError, click.ClickException, OSError, MemoryError) as error:
        _tell(_message(error))
    except Exception:  # noqa: BLE001 - a bug keeps its traceback, but its code must not be the 1 of a failed audit
        import traceback

        traceback.print_exc()
    return COULD_NOT_WORK


def _terminate(_signal: int, _frame: object) -> NoReturn:
    """Ends as Ctrl-C would: temporary files and worker processes go."""
    raise SystemExit(TERMINATED)


def _message(error: Exception) -> str:
    match error:
        case click.UsageError(ctx=click.Context() as ctx):
            told = " ".join(error.format_message().split())
            return f"{told} ({ctx.command_path} --help tells more)"
        case click.ClickException():
            return error.format_message()
        case MemoryError():
            return "out of memory; for a log, a lower --jobs needs less"
        case OSError(strerror=str() as reason, filename=str() as name):
            return f"{name}: {reason}"
        case OSError(strerror=str() as reason):
            return reason
    return str(error)


def _tell(message: str) -> None:
    from auditsvc.exports.plain import visible

    click.echo(f"auditsvc: {visible(message)}", err=True)
