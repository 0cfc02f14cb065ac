"""The reports that one run of the audits writes: files that are asked for, and what a CI system reads."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import click
import msgspec

from auditsvc.cli.files import write_whole
from auditsvc.cli.options import Command
from auditsvc.config import CiConfig
from auditsvc.core.usage import Usage
from auditsvc.exports import (
    endpoints_txt,
    metadata_json,
    operations_json,
    results_github,
    results_html,
    results_json,
    results_junit,
    results_markdown,
    results_sarif,
    results_text,
)
from auditsvc.exports.report import Report

RESULT_FORMATS: dict[str, Callable[[Report], str]] = {
    "text": results_text.render,
    "json": results_json.render,
    "junit": results_junit.render,
    "sarif": results_sarif.render,
    "markdown": results_markdown.render,
}
"""The results by the names of their formats, as ``--format`` prints them."""

_USAGE_FORMATS: dict[str, Callable[[Usage], str]] = {
    "endpoints": endpoints_txt.render,
    "operations-json": operations_json.render,
}
_REPORT_FORMATS = {**RESULT_FORMATS, "html": results_html.render}
_FILE_FORMATS = (*_REPORT_FORMATS, *_USAGE_FORMATS)


class ReportFile(msgspec.Struct, frozen=True):
    """A report that is asked for: its format's name, and its file."""

    form: str
    path: Path

    @property
    def is_usage(self) -> bool:
        """Whether it tells what a run used, rather than what the audits found."""
        return self.form in _USAGE_FORMATS


def report_option(command: Command) -> Command:
    """Adds ``--report``, given to the command as ``report_files``."""
    option = click.option(
        "--report",
        "report_files",
        multiple=True,
        metavar="FORMAT=PATH",
        callback=_parse_all,
        help=f"Also write a report; may repeat. FORMAT is {', '.join(_FILE_FORMATS)}.",
    )
    return option(command)


def _parse_all(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> list[ReportFile]:
    files = list(map(_parse, texts))
    paths = [file.path.absolute() for file in files]
    for file, path in zip(files, paths, strict=True):
        if paths.count(path) > 1:
            raise click.BadParameter(f"{file.path} is named twice")
    return files


def _parse(text: str) -> ReportFile:
    form, equals, path = text.partition("=")
    if form not in _FILE_FORMATS:
        raise click.BadParameter(
            f"unknown format {form!r} (FORMAT=PATH; known are {', '.join(_FILE_FORMATS)})"
        )
    if not equals or not path:
        raise click.BadParameter(f"{text!r} names no file: give {form}=PATH")
    if path == "-":
        raise click.BadParameter(f"{text!r}: standard output takes what --format {form} prints; name a file")
    return ReportFile(form, Path(path))


def prepare(files: Sequence[ReportFile], ci: CiConfig) -> None:
    """Makes the folders, and refuses what could not be written, before the work rather than after it."""
    for path in [file.path for file in files] + list(_artifacts(ci)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() or not path.exists():  # /dev/stdout and the like are written to as they are
                with TemporaryFile(dir=path.resolve().parent):  # asking who may do what is no trial
                    pass
        except OSError as error:
            raise click.FileError(str(path), error.strerror) from error
        if path.is_dir():
            raise click.FileError(str(path), "Is a directory")


def write_reports(reports: Sequence[Report], files: Sequence[ReportFile], ci: CiConfig) -> None:
    """Writes the files that were asked for, then what the CI system reads. Each file is of one report."""
    if len(reports) == 1:
        contents = [(file.path, _render(file.form, reports[0])) for file in _writable(files, reports[0])]
        contents += _artifact_contents(reports[0], ci)
        for path, content in contents:
            write_whole(path, content)
    elif files:
        raise click.UsageError(
            f"--report: a file is of one day, and {len(reports)} days were audited: name a --window"
        )
    elif ci.artifacts:
        click.echo(f"nothing is written to ARTIFACTS: {len(reports)} days were audited", err=True)
    if ci.step_summary:
        for report in reports:
            _append_summary(report, ci.step_summary)
    if ci.annotations:
        # GitHub reads both streams, and what is on standard output is the results alone.
        click.echo(results_github.render(*reports), nl=False, err=True)


def _writable(files: Sequence[ReportFile], report: Report) -> Iterator[ReportFile]:
    """The files less those of what was used where no run was judged: nothing would be taken for a run."""
    for file in files:
        if file.is_usage and not report.judged:
            click.echo(f"--report {file.form}: {file.path} is not written, as no run was judged", err=True)
        else:
            yield file


def _artifacts(ci: CiConfig) -> tuple[Path, ...]:
    """Where Prow's jobs, ours and the periodic ones, leave what others look for."""
    if ci.artifacts is None:
        return ()
    names = (
        "junit_auditsvc.xml",
        "metadata.json",
        "audit/audit-endpoints.txt",
        "audit/audit-operations.json",
    )
    return tuple(ci.artifacts / name for name in names)


def _artifact_contents(report: Report, ci: CiConfig) -> list[tuple[Path, str]]:
    if ci.artifacts is None:
        return []
    junit, metadata, endpoints, operations = _artifacts(ci)
    contents = [
        (junit, results_junit.render(report)),
        (metadata, metadata_json.render(report, _read_metadata(metadata))),
    ]
    if len(report.judged) == 1:  # of several runs none is the job's own
        usage = report.judged[0].usage
        contents += [
            (endpoints, endpoints_txt.render(usage)),
            (operations, operations_json.render(usage)),
        ]
    return contents


def _read_metadata(path: Path) -> dict[str, object]:
    """What an earlier step of the job has put there; what is no object Prow could not read either."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise click.FileError(str(path), f"not the JSON that Prow reads: {error}") from error
    return found if isinstance(found, dict) else {}


def _append_summary(report: Report, path: Path) -> None:
    """Appends the report, as long as a step's summary may be with what is there already."""
    taken = path.stat().st_size if path.exists() else 0
    room = results_markdown.SUMMARY_LIMIT - taken
    summary = results_markdown.render(report, limit=room, size=results_markdown.utf8_size)
    if results_markdown.utf8_size(summary) > room:
        click.echo(f"nothing is appended to the step summary, which is full: {taken} bytes", err=True)
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(summary)


def _render(form: str, report: Report) -> str:
    if form in _REPORT_FORMATS:
        return _REPORT_FORMATS[form](report)
    if len(report.judged) != 1:
        raise click.UsageError(f"--report {form} is of one run, and {len(report.judged)} were judged")
    return _USAGE_FORMATS[form](report.judged[0].usage)
