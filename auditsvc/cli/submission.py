"""``auditsvc submission``: whether a conformance submission would be accepted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from auditsvc.audits import find_audit_type, judge
from auditsvc.cli.files import read_parsed
from auditsvc.cli.options import store_options, strict_option
from auditsvc.cli.outputs import ReportFile, prepare, report_option, write_reports
from auditsvc.cli.report import exit_code, format_option, show
from auditsvc.config import Config
from auditsvc.core.conformance import ConformanceTest, parse_conformance
from auditsvc.core.submission import FILES, read_submission
from auditsvc.core.swagger import minor_version
from auditsvc.exports.report import Report
from auditsvc.fetch import read
from auditsvc.service.audits import make_settings
from auditsvc.service.reports import audit_reports
from auditsvc.store import FILE_NAME, Store

_TYPE = "AuditConformanceSubmission"


@click.command
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--conformance",
    metavar="FILE|URL",
    help="The release's conformance.yaml: each of its tests must have passed.  [default: that of the store, "
    "where one was put there]",
)
@format_option
@report_option
@strict_option
@store_options
def submission(
    config: Config,
    *,
    folder: Path,
    conformance: str | None,
    form: str,
    report_files: list[ReportFile],
    strict: bool,
) -> int:
    """Audit the folder of a conformance submission.

    That is vX.Y/<product> of a pull request to cncf/k8s-conformance.

    Exit codes: 0 passed (warnings allowed), 1 it would be refused, 2 it could not work, 3 a warning under
    --strict.
    """
    for file in report_files:
        if file.is_usage:
            raise click.UsageError(f"--report {file.form} tells what a run used: a submission is none")
    prepare(report_files, config.ci)
    whole = folder.resolve()
    if conformance:
        required: Sequence[ConformanceTest] | None = read_parsed(conformance, parse_conformance)
    else:
        required = _stored_tests(config, whole.parent.name)
    # A file that is not asked for is told by its name alone.
    files = {
        path.name: read(str(path)) if path.name in FILES else b""
        for path in sorted(whole.iterdir())
        if not path.name.startswith(".")
    }
    found = read_submission(f"{whole.parent.name}/{whole.name}", files, required)
    known = find_audit_type(_TYPE)
    result = judge(
        known, known.check(submission=found), settings=make_settings(config), now=datetime.now(UTC)
    )
    report = Report(
        title="auditsvc submission",
        audits=audit_reports({known.key: result}),
        document=str(folder / "PRODUCT.yaml"),
    )
    write_reports([report], report_files, config.ci)
    show([report], form)
    return exit_code([report], strict=strict)


def _stored_tests(config: Config, version: str) -> Sequence[ConformanceTest] | None:
    """The conformance tests of that release in the store; None where there are none. No store is made."""
    release = minor_version(version)
    if release is None or not (config.data / FILE_NAME).exists():
        return None
    with Store.open(config.data) as store:
        return store.coverage.tests(release).get(release)
