"""``auditsvc openapi``: the description of the HTTP API."""

import click

from auditsvc.web import openapi_document


@click.command
def openapi() -> None:
    """Print the description of the HTTP API.

    It is OpenAPI 3.1, in YAML.
    """
    click.echo(openapi_document(), nl=False)
