"""``auditsvc comment``: a report as the one comment of ours on a pull request."""

import re
from typing import TextIO

import click

from auditsvc.cli.options import config_option
from auditsvc.config import Config
from auditsvc.errors import ConfigError, InputError
from auditsvc.exports import comment as comment_export
from auditsvc.exports.results_markdown import MARKER

_TOKEN = re.compile(r"[!-~]+")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", re.ASCII)


@click.command
@click.option("--github", "repository", required=True, metavar="OWNER/REPO", help="The repository.")
@click.option("--pull", required=True, type=click.IntRange(min=1), help="The pull request's number.")
@click.option(
    "--report",
    type=click.File(encoding="utf-8"),
    default="-",
    metavar="FILE",
    help="Markdown, as --format markdown writes it.  [default: standard input]",
)
@click.option(
    "--api-url", metavar="URL", help="GitHub's API.  [default: GITHUB_API_URL, else api.github.com]"
)
@config_option
def comment(config: Config, *, repository: str, pull: int, report: TextIO, api_url: str | None) -> int:
    """Put a report on a GitHub pull request, as one comment that is kept up to date.

    The comment is found again by a marker. The token comes from GITHUB_TOKEN. Prints the comment's address.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise click.UsageError(f"--github {repository}: it is OWNER/REPO, such as kubernetes/kubernetes")
    token = config.ci.github_token
    if token is None:
        raise ConfigError("GITHUB_TOKEN is not set: give this step a token that may write to pull requests")
    if not _TOKEN.fullmatch(token):
        raise ConfigError("GITHUB_TOKEN: a token is one word of ASCII; this is something else")
    body, cut = comment_export.render(_read(report))
    from auditsvc.fetch.github import GitHub

    hub = GitHub(repository, token, api=api_url or config.ci.github_api)
    written = hub.put_comment(pull, body, marker=MARKER)
    if cut:
        click.echo(f"cut: the comment has no room for {cut} characters of the report", err=True)
    if written.others:
        click.echo(f"older comments of ours stay as they are: {', '.join(written.others)}", err=True)
    click.echo(f"{'created' if written.created else 'updated'} the comment", err=True)
    click.echo(written.url)
    return 0


def _read(report: TextIO) -> str:
    try:
        text = report.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{report.name}: not UTF-8 at byte {error.start}") from error
    if not text.strip():
        raise InputError(f"{report.name}: there is nothing in it to comment")
    return text
