"""``auditsvc doctor``: whether the store is whole."""

from collections.abc import Sequence

import click
import msgspec

from auditsvc.cli.options import store_options
from auditsvc.cli.progress import check_progress
from auditsvc.config import Config
from auditsvc.exports.plain import visible
from auditsvc.service import utc_now
from auditsvc.service.doctor import diagnose
from auditsvc.store.doctor import Examined


@click.command
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the findings are printed.",
)
@store_options
def doctor(config: Config, form: str) -> int:
    """Tell whether the store is whole, and what to do where it is not.

    It is only looked at, and may be in use meanwhile.

    Exit codes: 0 it is whole, 1 there are problems, 2 it could not be looked at.
    """
    with check_progress() as progress:
        checks = list(diagnose(config.data, now=utc_now(), progress=progress))
    whole = not any(one.problems for one in checks)
    if form == "json":
        document = msgspec.json.encode({"whole": whole, "checks": checks})
        click.echo(msgspec.json.format(document).decode())
    else:
        _show(checks)
    return 0 if whole else 1


def _show(checks: Sequence[Examined]) -> None:
    width = max(len(one.check) for one in checks)
    for one in checks:
        if not one.problems:
            click.echo(f"ok       {one.check:{width}}  {visible(one.looked_at)}")
        for problem in one.problems:
            click.echo(f"problem  {one.check:{width}}  {visible(problem.found)}: {visible(problem.remedy)}")
