"""``auditsvc coverage untested``, ``candidates``, ``tests``, ``endpoint``, ``new-test``, ``ticket``."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from auditsvc.cli.options import Command, OneOf, store_options
from auditsvc.cli.rows import rows_format_option, show_rows
from auditsvc.config import Config
from auditsvc.core.breakdown import OperationFilter
from auditsvc.core.endpoint_tests import E2eTestFilter, RankedEndpoint
from auditsvc.core.swagger import Level
from auditsvc.exports import ticket as markdown
from auditsvc.exports.rows import Cell
from auditsvc.service import open_service
from auditsvc.service.endpoints import EndpointDetail

_MORE = {
    "levels": click.option("--level", "levels", multiple=True, type=OneOf(Level), help="Only of this level."),
    "groups": click.option(
        "--group",
        "groups",
        multiple=True,
        metavar="GROUP",
        help='Only of this API group; "" is the core group.',
    ),
    "categories": click.option("--category", "categories", multiple=True, help="Only of this category."),
    "kinds": click.option("--kind", "kinds", multiple=True, help="Only of this kind."),
    "actions": click.option(
        "--action", "actions", multiple=True, help="Only those that do this: get, list, …"
    ),
    "text": click.option("--text", default="", help="Only those with this in their operationId."),
    "exclude_ineligible": click.option("--exclude-ineligible", is_flag=True, help="Not those on that list."),
    "exclude_pending": click.option("--exclude-pending", is_flag=True, help="Not those on that list."),
    "conformance_only": click.option(
        "--conformance-only", is_flag=True, help="Only eligible ones: stable, not deprecated, not ineligible."
    ),
}
release_option = click.option(
    "--release", metavar="RELEASE", help="The release.  [default: the newest whose operations are known]"
)


def filter_options(*names: str) -> Callable[[Command], Command]:
    """Adds the options of an OperationFilter, by those names or all."""

    def add(command: Command) -> Command:
        for name in reversed(names or tuple(_MORE)):
            command = _MORE[name](command)
        return command

    return add


_of_stable = filter_options(*(name for name in _MORE if name not in ("levels", "conformance_only")))


@click.command
@release_option
@_of_stable
@rows_format_option
@store_options
def untested(config: Config, release: str | None, form: str, **only: Any) -> None:
    """The stable endpoints without a conformance test, the most used by applications and clusters first."""
    with open_service(config) as service:
        found = service.endpoints.untested(release, only=OperationFilter(**only))
    show_rows(list(map(_ranked_row, found)), form)


@click.command
@release_option
@_of_stable
@rows_format_option
@store_options
def candidates(config: Config, release: str | None, form: str, **only: Any) -> None:
    """The untested endpoints that an e2e test hits, which might become a conformance test."""
    with open_service(config) as service:
        found = service.endpoints.candidates(release, only=OperationFilter(**only))
    rows = [{**_ranked_row(one), "test": test} for one in found for test in one.tests]
    show_rows(rows, form)


@click.command
@click.option("--test", "name", metavar="NAME", help="Only the test of this very name.")
@click.option("--text", default="", help="Only tests with this in their name, in any case.")
@click.option("--sig", help="Only tests of this special interest group: node, sig-node.")
@click.option("--tag", help="Only tests with this in brackets in their name: NodeConformance.")
@click.option("--conformance/--not-conformance", default=None, help="Only conformance tests, or only others.")
@rows_format_option
@store_options
def tests(config: Config, form: str, **only: Any) -> None:
    """The e2e tests and the endpoints that they hit."""
    with open_service(config) as service:
        found = service.endpoints.tests(E2eTestFilter(**only))
    show_rows(
        [
            {"endpoint": endpoint, "conformance": test.conformance, "test": test.name}
            for test in found
            for endpoint in test.endpoints
        ],
        form,
    )


@click.command
@click.argument("name", metavar="ENDPOINT")
@rows_format_option
@store_options
def endpoint(config: Config, name: str, form: str) -> None:
    """All that is known of an endpoint: its history, the tests that hit it, who uses it."""
    with open_service(config) as service:
        show_rows(_detail_rows(service.endpoints.get(name)), form)


@click.command("new-test")
@click.option("--agent", required=True, metavar="AGENT", help="The new test's user agent: live-test-writing.")
@click.option("--run", metavar="RUN", help="The run.  [default: the last finished one that has the agent]")
@rows_format_option
@store_options
def new_test(config: Config, agent: str, run: str | None, form: str) -> None:
    """What a test that is being written hits, and what it would add to the coverage.

    Ingest the log of a cluster that the test ran against (--kind live). What it would add is told on standard
    error.
    """
    with open_service(config) as service:
        found = service.endpoints.new_test(agent, run)
    rows: list[dict[str, Cell]] = [
        {
            "endpoint": hit.operation.id,
            "hits": hit.hits,
            "tested": hit.tested,
            "conf_tested": hit.conf_tested,
            "level": hit.operation.level,
            "eligible": hit.eligible,
            "pending": hit.pending,
            "counts": hit.counts,
        }
        for hit in found.hits
    ]
    show_rows(rows, form)
    then = found.projected
    click.echo(
        f"{found.agent} in {found.run}: {then.gained} more of {then.eligible} eligible endpoints of "
        f"{found.release} would be conformance-tested: {then.tested} ({then.percent} %) -> "
        f"{then.tested + then.gained} ({then.projected_percent} %); "
        f"{found.unmapped} requests of no operation",
        err=True,
    )


@click.command
@click.argument("names", metavar="ENDPOINT…", nargs=-1, required=True)
@store_options
def ticket(config: Config, names: Sequence[str]) -> None:
    """Write the proposal of a conformance test for endpoints, as the Markdown of an issue."""
    with open_service(config) as service:
        click.echo(markdown.render(service.endpoints.proposal(names)), nl=False)


def _ranked_row(one: RankedEndpoint) -> dict[str, Cell]:
    return {
        "endpoint": one.endpoint,
        "users": one.users,
        "requests": one.requests,
        "promotion_release": one.promotion_release,
        "age": one.age,
        "eligible": one.eligible,
        "pending": one.pending,
        "ineligible": one.ineligible,
        "reason": one.ineligible_reason,
        "reference": one.reference,
    }


def _detail_rows(found: EndpointDetail) -> list[dict[str, Cell]]:
    known, operation = found.known, found.known.operation
    facts: list[tuple[str, Cell]] = [
        ("request", f"{operation.method} {operation.path}" if operation else None),
        ("level", operation.level if operation else None),
        ("releases", ", ".join(found.releases)),
        ("stable since", known.promotion_release),
        ("conformance-tested since", known.tested_release),
        ("age of the debt", None if known.age is None else str(known.age)),
        ("deprecated", known.deprecated),
        ("pending", known.pending),
        ("ineligible", known.ineligible_reason or known.ineligible),
        ("reference", known.reference),
    ]
    facts += [("conformance test" if test.conformance else "e2e test", test.name) for test in found.tests]
    facts += [(f"used by {user.kind}", f"{user.name}: {user.requests} requests") for user in found.users]
    return [{"what": what, "value": value} for what, value in facts]
