"""``auditsvc replay``: stored results once more."""

import click

from auditsvc.audits import find_audit_type
from auditsvc.cli.options import store_options, types_option
from auditsvc.cli.progress import audit_progress
from auditsvc.config import Config
from auditsvc.core.replay import Repeated
from auditsvc.core.window import parse_window
from auditsvc.exports.replays import render_json, render_text
from auditsvc.service import open_service

_EXIT_CODES = {Repeated.IMPOSSIBLE: 2, Repeated.DIFFERENT: 1, Repeated.SAME: 0}
"""The first of these that a replay ended with."""


@click.command
@click.option("--window", help="The results of the days that it overlaps: 7d, 2025-08-26,2025-08-27, …")
@click.option("--run", "run_id", metavar="ID", help="The results of judging this run alone.")
@types_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@store_options
def replay(
    config: Config, *, window: str | None, run_id: str | None, types: tuple[str, ...], form: str
) -> int:
    """Repeat stored results from what they were computed from.

    That is the usage of the same runs and baselines, the same swagger and lists by their content, the same
    settings and waivers, as of the same time. Nothing is stored.

    Exit codes: 0 the same bytes, 1 others, 2 it is not possible: the inputs that are gone are named.
    """
    if (window is None) == (run_id is None):
        raise click.UsageError("name a --window or a --run")
    named = [find_audit_type(text) for text in types]
    with open_service(config) as service, audit_progress() as progress:
        if run_id is not None:
            replays = service.replays.of_run(run_id, named)
        else:
            span = parse_window(window or "", now=service.clock(), utc_offset=config.utc_offset)
            replays = service.replays.of_window(span, named, steps=progress)
    click.echo((render_json if form == "json" else render_text)(replays), nl=False)
    ended = {one.ended for one in replays}
    return next(code for how, code in _EXIT_CODES.items() if how in ended)
