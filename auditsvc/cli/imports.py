"""``auditsvc import``: what others knew into the store."""

import click

from auditsvc.cli.files import naming
from auditsvc.cli.options import store_options
from auditsvc.config import Config
from auditsvc.core.apisnoop import parse_apisnoop
from auditsvc.fetch import read
from auditsvc.service import open_service


@click.group("import")
def import_() -> None:
    """Put what APISnoop knew, or conformance tests, into the store."""


@import_.command
@click.argument("sources", metavar="FILE|URL...", nargs=-1, required=True)
@store_options
def apisnoop(config: Config, sources: tuple[str, ...]) -> None:
    """Put APISnoop's published files into the store, all of them or none.

    <release>.json, conformance-endpoints.json, conformance-coverage-per-release.json,
    conformance-progress.json, ineligible_endpoints.json and releases.yaml, packed or plain. Which one a file
    is shows in what is in it. Prints what was stored of each.
    """
    parsed = []
    for source in sources:
        content = read(source)
        with naming(source):
            parsed.append(parse_apisnoop(content))
    with open_service(config) as service:
        told = service.coverage.import_apisnoop(parsed)
    for source, line in zip(sources, told, strict=True):
        click.echo(f"{source}: {line}")


@import_.command
@click.argument("version")
@click.argument("source", metavar="FILE|URL")
@store_options
def conformance(config: Config, version: str, source: str) -> None:
    """Put the conformance tests of a release into the store: its conformance.yaml.

    VERSION is Kubernetes' version, such as v1.34.0. They replace those of that release. Prints how many.
    """
    text = read(source)
    with open_service(config) as service, naming(source):
        click.echo(f"{service.coverage.put_tests(version, text).total} conformance tests")
