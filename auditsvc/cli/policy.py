"""``auditsvc policy``: an audit policy's mistakes."""

import json
from collections.abc import Collection

import click

from auditsvc.cli.files import naming, read_parsed
from auditsvc.cli.options import strict_option
from auditsvc.cli.report import FAILED, WARNED
from auditsvc.core.policy import PolicyFinding, Severity, lint_policy
from auditsvc.core.swagger import parse_swagger
from auditsvc.exports import policy_text
from auditsvc.fetch import read


@click.command
@click.argument("file", metavar="FILE|URL")
@click.option("--swagger", metavar="FILE|URL", help="Whose resources the rules should name.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@strict_option
def policy(*, file: str, swagger: str | None, form: str, strict: bool) -> int:
    """Find what is wrong with a Kubernetes audit policy.

    Unknown keys, rules that never decide, levels that leave out what an audit needs or write credentials to
    the log.

    Exit codes: 0 nothing wrong (warnings allowed), 1 an error, 2 it could not work, 3 a warning under
    --strict.
    """
    known = read_parsed(swagger, parse_swagger) if swagger else None
    with naming(file):
        findings = lint_policy(read(file), known)
    click.echo(_json(file, findings) if form == "json" else policy_text.render(file, findings), nl=False)
    severities = {one.severity for one in findings}
    if Severity.ERROR in severities:
        return FAILED
    return WARNED if severities and strict else 0


def _json(file: str, findings: Collection[PolicyFinding]) -> str:
    """An object: ``file`` and ``findings``, each ``line, severity, text, resolution``."""
    rows = [
        {"line": one.line, "severity": one.severity, "text": one.text, "resolution": one.resolution}
        for one in findings
    ]
    return json.dumps({"file": file, "findings": rows}, ensure_ascii=False) + "\n"
