"""The options that say where a run comes from and which documents it brings."""

import functools
from collections.abc import Callable
from typing import Any

import click

from auditsvc.cli.options import Command, OneOf, parse_time
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.fetch import read

DOCUMENTS = ("swagger", "pending", "ineligible", "policy")

_LONGEST = 250

_TEXTS = {
    "cluster": "A label of the cluster; runs are compared within one label.",
    "job": "The CI job.",
    "build": "The job's build number.",
    "pull": "The pull request's number.",
    "app": "The application.",
    "revision": "The revision under test.",
    "version": "Kubernetes' version.  [default: the swagger's]",
    "agent": "Of an app run: only the requests whose user agent starts so.",
    "namespace": "Of an app run: only the requests in that namespace.",
    "service_account": "Of an app run: only the requests with the rights of that one, as NS:NAME.",
}
_TIMES = {
    "started": "RFC 3339.  [default: the first event]",
    "finished": "RFC 3339.  [default: the last event]",
}
_FILES = {
    "swagger": "The swagger document that the run brings.",
    "pending": "The pending list that the run brings.",
    "ineligible": "The ineligible list that the run brings.",
    "policy": "The audit policy that its log was written by.",
}


def parse_label(text: str) -> str:
    """The text, where it is one: a variable that a CI job forgot to set is told, not stored."""
    if not text.strip() or len(text) > _LONGEST:
        raise click.BadParameter(f"expected 1 to {_LONGEST} characters, found {len(text)}")
    return text


def origin_options(*, required: bool) -> Callable[[Command], Command]:
    """Adds the options, and gives the command those that were used as ``origin``, by name."""
    options = [
        click.option("--kind", type=OneOf(RunKind), required=required, help="Where the run comes from."),
        *(
            click.option(f"--{name.replace('_', '-')}", type=parse_label, metavar="TEXT", help=text)
            for name, text in _TEXTS.items()
        ),
        click.option(
            "--result", type=OneOf(RunResult), help="How the job behind it ended.  [default: success]"
        ),
        *(
            click.option(f"--{name}", type=parse_time, metavar="TIME", help=text)
            for name, text in _TIMES.items()
        ),
        *(click.option(f"--{name}", metavar="FILE|URL", help=text) for name, text in _FILES.items()),
    ]
    names = ("kind", *_TEXTS, "result", *_TIMES, *_FILES)

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**arguments: Any) -> int | None:
            given = {name: arguments.pop(name) for name in names}
            origin = {name: value for name, value in given.items() if value is not None}
            return command(origin=origin, **arguments)

        decorated: Command = run
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def read_documents(origin: dict[str, Any]) -> dict[str, bytes]:
    """The contents of the documents that an origin names."""
    return {name: read(origin[name]) for name in DOCUMENTS if name in origin}
