"""``auditsvc check``: the conformance audits over files."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import click
from msgspec.structs import replace

from auditsvc.audits import (
    AuditType,
    Settings,
    audit_names,
    audit_types,
    find_audit_type,
    run_audit,
    runnable,
)
from auditsvc.cli.files import read_parsed
from auditsvc.cli.fix import fix_lists, require_files
from auditsvc.cli.given import GivenDocuments, RunFiles, read_documents, read_runs, run_files
from auditsvc.cli.options import config_option, jobs_option, strict_option, types_option
from auditsvc.cli.outputs import ReportFile, prepare, report_option, write_reports
from auditsvc.cli.report import exit_code, format_option, show
from auditsvc.config import Config
from auditsvc.core.runs import Runs
from auditsvc.core.waivers import Waiver, parse_waivers
from auditsvc.core.window import Window
from auditsvc.errors import EmptyLogError
from auditsvc.exports.report import Report, find_seen
from auditsvc.service.audits import make_settings
from auditsvc.service.reports import audit_reports
from auditsvc.service.waivers import read_waivers
from auditsvc.sources import GivenInputs

_COMPARES_RUNS = "AuditOperationEquality"
"""The audit that holds a run against another one."""
_RUN_SOURCES = {"runs", "logs"}


@click.command
@click.option("--swagger", required=True, metavar="FILE|URL", help="The API's swagger document.")
@click.option("--pending", metavar="FILE|URL", help="pending_eligible_endpoints.yaml")
@click.option("--ineligible", metavar="FILE|URL", help="ineligible_endpoints.yaml")
@click.option(
    "--baseline",
    multiple=True,
    metavar="LOG|TXT",
    help="CI's audit log (repeat it for rotated files) or audit-endpoints.txt.",
)
@click.option(
    "--baseline-run",
    "baseline_runs",
    multiple=True,
    metavar="FOLDER|LOG|TXT",
    help="One CI run of several (repeat it for each): an operation that baseline_quorum of them hit is in "
    "the baseline. A folder holds audit*.log* or audit-endpoints.txt, or is Prow's of a build.",
)
@click.option("--pull", multiple=True, metavar="LOG|TXT", help="The pull request's, likewise.")
@click.option("--policy", metavar="FILE|URL", help="The audit policy that its log was written by.")
@click.option(
    "--fix",
    is_flag=True,
    help="Write the lists as they should be, print the patch, and judge what is left to do: what only the "
    "baseline tests is not listed, for that test was lost.",
)
@click.option(
    "--waivers",
    metavar="FILE|URL",
    help="Findings that are accepted.  [default: waivers of the configuration]",
)
@types_option
@format_option
@report_option
@strict_option
@jobs_option
@config_option
def check(
    config: Config,
    *,
    swagger: str,
    pending: str | None,
    ineligible: str | None,
    baseline: tuple[str, ...],
    baseline_runs: tuple[str, ...],
    pull: tuple[str, ...],
    policy: str | None,
    fix: bool,
    waivers: str | None,
    types: tuple[str, ...],
    form: str,
    report_files: list[ReportFile],
    strict: bool,
    jobs: int,
) -> int:
    """Audit files: no store, no server.

    Audits whose files are not given are left out, unless they are named by --type.

    Exit codes: 0 passed (warnings allowed), 1 an audit failed, 2 it could not work, 3 a warning under
    --strict.
    """
    _check_runs(pull, (*baseline, *baseline_runs), policy, report_files)
    if fix:
        require_files(pending, ineligible)
    named = [find_audit_type(text) for text in types]
    accepted = _accepted(waivers) if waivers else read_waivers(config.waivers)
    prepare(report_files, config.ci)
    now = datetime.now(UTC)
    documents = read_documents(swagger, pending, ineligible, policy)
    baselines = [*([RunFiles(baseline[0], baseline)] if baseline else ()), *map(run_files, baseline_runs)]
    runs = read_runs(pull, baselines, documents, rule=config.baseline, now=now, jobs=jobs)
    empty = bool(pull) and not runs.subjects
    if fix and pending and not empty:  # by an empty log nothing is tested, which is no reason to list it
        by, to_stderr = config.exercised_by, form != "text"
        runs = fix_lists(runs, documents, pending=pending, ineligible=ineligible, by=by, to_stderr=to_stderr)
        documents = read_documents(swagger, pending, ineligible, policy)
    settings = replace(make_settings(config), waivers=accepted)
    sources = _sources(runs, lists=bool(pending or ineligible), pull=bool(pull))
    inputs = _inputs(documents, runs, settings, sources, now=now)
    asked = named or _judgeable(inputs, compared=bool(baselines) or empty)
    if empty and not any(_RUN_SOURCES & set(one.required) for one in asked):
        raise EmptyLogError(runs.reason)  # what is asked for could pass without it
    report = _report(inputs, asked, documents, now=now)
    write_reports([report], report_files, config.ci)
    show([report], form)
    return exit_code([report], strict=strict)


def _check_runs(
    pull: Sequence[str], baselines: Sequence[str], policy: str | None, files: Sequence[ReportFile]
) -> None:
    """Refuses what needs a run to be judged where there is none."""
    if baselines and not pull:
        raise click.UsageError("--baseline is what a --pull is compared with: give that too")
    if policy and not pull:
        raise click.UsageError("--policy is what the log of a --pull was written by: give that too")
    for file in files:
        if file.is_usage and not pull:
            raise click.UsageError(f"--report {file.form} tells what a --pull used: give that too")


def _accepted(source: str) -> tuple[Waiver, ...]:
    return read_parsed(source, partial(parse_waivers, types=audit_names()))


def _inputs(
    documents: GivenDocuments, runs: Runs, settings: Settings, sources: frozenset[str], *, now: datetime
) -> GivenInputs:
    return GivenInputs(
        window=Window.day(runs.subjects[0].run.finished if runs.subjects else now),
        settings=settings,
        swagger=documents.swagger,
        lists=documents.lists,
        runs=runs,
        given=sources,
    )


def _report(
    inputs: GivenInputs, asked: Sequence[AuditType], documents: GivenDocuments, *, now: datetime
) -> Report:
    subjects, by = inputs.runs.subjects, inputs.settings.exercised_by
    in_policy = documents.policy.places(subjects[0].run.id) if documents.policy else {}
    return Report(
        title="auditsvc check",
        audits=audit_reports(
            {one.key: run_audit(one, inputs, now=now) for one in asked},
            {**documents.places, **in_policy},
            operations=inputs.swagger.operations,
            seen=find_seen(subjects, by),
        ),
        subjects=tuple(subject.run for subject in subjects),
        document=documents.documents[0].source,
        documents=documents.documents,
        judged=subjects,
        exercised_by=by,
    )


def _sources(runs: Runs, *, lists: bool, pull: bool) -> frozenset[str]:
    """What was given, by name. An empty pull is given, though it is no run: what judges runs is Failed."""
    logs = pull and not any(subject.usage.imported for subject in runs.subjects)
    given = {"lists": lists, "runs": pull, "logs": logs}
    return frozenset({"swagger", "catalogue", *(name for name, there in given.items() if there)})


def _judgeable(inputs: GivenInputs, *, compared: bool) -> list[AuditType]:
    """The audits whose files are given. What is left out is told, but for costs, which are no files here."""
    judged = [known for known in runnable(audit_types(), inputs) if compared or known.name != _COMPARES_RUNS]
    left_out = [
        known.name
        for known in audit_types()
        if known not in judged and {"lists", *_RUN_SOURCES} & set(known.required)
    ]
    if left_out:
        click.echo(f"left out, as their files are not given: {', '.join(left_out)}", err=True)
    return judged
