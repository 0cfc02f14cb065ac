"""``auditsvc coverage``: how much of the API conformance tests cover, by release."""

from typing import Any

import click

from auditsvc.cli import endpoints
from auditsvc.cli.endpoints import filter_options, release_option
from auditsvc.cli.options import OneOf, store_options
from auditsvc.cli.rows import rows_format_option, show_rows
from auditsvc.config import Config
from auditsvc.core.breakdown import CoverageCounts, GroupedBy, OperationFilter
from auditsvc.core.coverage import EndpointCoverage
from auditsvc.core.usage import ExercisedBy
from auditsvc.exports.rows import Cell
from auditsvc.service import open_service

_as_of_option = click.option(
    "--as-of", metavar="RELEASE", help="As it was computed when this release was the newest."
)


@click.group(invoke_without_command=True)
@click.pass_context
def coverage(ctx: click.Context) -> None:
    """Tell how much of the API conformance tests cover, by release.

    Without a command, that of the newest release, as `auditsvc coverage show` does.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@coverage.command
@release_option
@click.option("--run", metavar="RUN", help="The coverage of this run, rather than of a release.")
@click.option(
    "--by",
    multiple=True,
    type=OneOf(GroupedBy),
    default=[GroupedBy.LEVEL],
    show_default=True,
    help="What the endpoints of a row have in common; may repeat. By agent: which user agents hit them.",
)
@click.option(
    "--metric",
    type=OneOf(ExercisedBy),
    default=ExercisedBy.CONF_TESTED.value,
    show_default=True,
    help="What the percentage is of, and what the rows with the most of come first.",
)
@filter_options()
@rows_format_option
@store_options
def show(
    config: Config,
    *,
    release: str | None,
    run: str | None,
    by: tuple[GroupedBy, ...],
    metric: ExercisedBy,
    form: str,
    **only: Any,
) -> None:
    """Coverage of a release or a run, group by group: by level unless asked otherwise."""
    with open_service(config) as service:
        found = service.breakdowns.get(
            release=release, run=run, by=by, metric=metric, only=OperationFilter(**only)
        )
    show_rows(list(map(_breakdown_row, found.rows)), form)
    known = ", ".join(found.sources) or "nobody: there is no successful ci run of it, and no import"
    click.echo(f"{found.run or found.release}: known from {known}", err=True)


for _command in (endpoints.untested, endpoints.candidates, endpoints.tests, endpoints.endpoint):
    coverage.add_command(_command)
coverage.add_command(endpoints.new_test)
coverage.add_command(endpoints.ticket)


@coverage.command
@_as_of_option
@rows_format_option
@store_options
def releases(config: Config, as_of: str | None, form: str) -> None:
    """Coverage by release: its new endpoints, those tested by now, and the running totals."""
    with open_service(config) as service:
        show_rows(service.coverage.releases(as_of=as_of), form)


@coverage.command
@_as_of_option
@rows_format_option
@store_options
def progress(config: Config, as_of: str | None, form: str) -> None:
    """How far each release had come."""
    with open_service(config) as service:
        show_rows(service.coverage.progress(as_of=as_of), form)


@coverage.command
@click.option("--release", metavar="RELEASE", help="The release.  [default: the newest that has a swagger]")
@rows_format_option
@store_options
def new(config: Config, release: str | None, form: str) -> None:
    """The endpoints that became stable in a release."""
    with open_service(config) as service:
        _, endpoints = service.coverage.new(release)
    show_rows(list(map(_endpoint_row, endpoints)), form)


def _breakdown_row(one: CoverageCounts) -> dict[str, Cell]:
    return {
        **{by.value: value for by, value in one.key.items()},
        "operations": one.operations,
        "eligible": one.eligible,
        "hit": one.hit,
        "tested": one.tested,
        "conf_tested": one.conf_tested,
        "success": one.success,
        "percent": one.percent,
    }


def _endpoint_row(one: EndpointCoverage) -> dict[str, Cell]:
    return {
        "endpoint": one.endpoint,
        "promotion_release": one.promotion_release,
        "tested_release": one.tested_release,
        "age": one.age,
        "eligible": one.eligible,
        "pending": one.pending,
        "ineligible": one.ineligible,
    }
