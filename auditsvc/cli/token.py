"""``auditsvc token``: access tokens."""

from datetime import datetime, timedelta

import click

from auditsvc.cli.options import OneOf, store_options
from auditsvc.config import Config
from auditsvc.errors import RequestError
from auditsvc.exports.plain import render_table
from auditsvc.service import open_service
from auditsvc.service.access import parse_lifetime
from auditsvc.store.tokens import Role, Token


@click.group
def token() -> None:
    """Make, list and revoke access tokens.

    What changes here holds at once, also for a server that runs. From the first token on every request needs
    one, and revoking the last one does not change that.
    """


def _lifetime(_ctx: click.Context, _option: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return parse_lifetime(text) if text is not None else None
    except RequestError as error:
        raise click.BadParameter(str(error)) from error


@token.command
@click.option(
    "--role", type=OneOf(Role), required=True, help="To read; to write, too; or all, tokens included."
)
@click.option("--name", metavar="N", help="Whose it is, for people.")
@click.option(
    "--expires",
    "lifetime",
    callback=_lifetime,
    metavar="12h|90d|52w",
    help="For how long it holds.  [default: until it is revoked]",
)
@store_options
def create(config: Config, role: Role, name: str | None, lifetime: timedelta | None) -> None:
    """Make a token and print it, this once.

    It alone goes to standard output: AUDITSVC_TOKEN=$(auditsvc token create --role writer)
    """
    with open_service(config) as service:
        made, text = service.access.create(role, name=name, lifetime=lifetime)
    until = f"until {_time(made.expires)}" if made.expires else "until it is revoked"
    click.echo(f"auditsvc: {made.id} is a {role}'s token {until}; it is not shown again", err=True)
    click.echo(text)


@token.command("list")
@store_options
def list_tokens(config: Config) -> None:
    """List the tokens, the newest first. Their secrets are kept nowhere."""
    with open_service(config) as service:
        now = service.clock()
        rows = [_row(known, now) for known in service.access.tokens()]
    heading = ("ID", "ROLE", "STATE", "NAME", "CREATED", "LAST USED", "EXPIRES")
    click.echo("\n".join(render_table([heading, *rows])))


@token.command
@click.argument("token_id", metavar="ID")
@store_options
def revoke(config: Config, token_id: str) -> None:
    """Revoke a token, at once and for good."""
    with open_service(config) as service:
        service.access.revoke(token_id)
        now = service.clock()
        left = any(known.why_not(now) is None for known in service.access.tokens())
    hint = "" if left else "; no other token holds, and requests still need one"
    click.echo(f"auditsvc: {token_id} is revoked{hint}", err=True)


def _row(known: Token, now: datetime) -> tuple[str, ...]:
    times = map(_time, (known.created, known.last_used, known.expires))
    return known.id, known.role, known.why_not(now) or "holds", known.name or "", *times


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z" if moment else ""
