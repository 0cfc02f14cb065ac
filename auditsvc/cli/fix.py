"""``check --fix``: the lists' files as they should be, and the patch."""

from pathlib import Path

import click
from msgspec.structs import replace

from auditsvc.cli.files import naming, write_whole
from auditsvc.cli.given import GivenDocuments
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.list_fix import ListFix, fix_list, plan_ineligible, plan_pending
from auditsvc.core.runs import Runs
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import InputError
from auditsvc.exports import patch


def require_files(pending: str | None, ineligible: str | None) -> None:
    """Refuses ``--fix`` where there is no pending list, or one of the lists may not be written."""
    if not pending or not _is_file(pending):
        raise click.UsageError("--fix writes the pending list: name its file with --pending")
    for source in filter(None, (pending, ineligible)):
        # Asked of the file's mode: a new file takes its place, which its folder allows, and root anything.
        if Path(source).is_file() and not Path(source).stat().st_mode & 0o222:
            raise click.UsageError(f"--fix writes {source}, which is read-only: name a copy of it")


def fix_lists(
    runs: Runs,
    documents: GivenDocuments,
    *,
    pending: str,
    ineligible: str | None,
    by: ExercisedBy,
    to_stderr: bool,
) -> Runs:
    """Writes the lists' files, prints the patches, and returns the runs as they are to be judged with them.

    Both are planned before either is written. A list that came from a URL stays as it is.
    """
    swagger, lists = documents.swagger, documents.lists
    plans = {pending: plan_pending(runs, swagger, lists, by=by)}
    if ineligible and _is_file(ineligible):
        plans[ineligible] = plan_ineligible(swagger, lists)
    texts = {source: _fixed(source, plan) for source, plan in plans.items()}
    for source, (before, after) in texts.items():
        if after != before:
            write_whole(Path(source), after)
            click.echo(patch.render(source, before, after), nl=False, err=to_stderr)
    fixed = {source: parse_endpoint_list(after) for source, (_, after) in texts.items()}
    now = EndpointLists(fixed[pending], fixed.get(ineligible or "", lists.ineligible))
    return replace(runs, subjects=tuple(replace(one, lists=now) for one in runs.subjects))


def _fixed(source: str, fix: ListFix) -> tuple[str, str]:
    """The text of a list, and what it should be."""
    try:
        before = Path(source).read_bytes().decode()
    except UnicodeDecodeError as error:  # it was read before, so it is packed
        raise InputError(f"{source}: --fix cannot write a packed list; unpack it first") from error
    with naming(source):
        return before, fix_list(before, fix)


def _is_file(source: str) -> bool:
    return "://" not in source
