"""Audit logs -> what they used, in this process or over executors.

A plain file is cut into byte ranges at line ends, a packed one is read whole, a stream in one pass;
rotated files are taken in the order of their first events. The result is the same whatever the jobs
and the parts.
"""

from collections.abc import Sequence

from auditsvc.core.counting import Counting
from auditsvc.core.events import decode
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.report import looks_like_report, parse_report
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import Usage
from auditsvc.errors import ParseError, RequestError, TooLargeError
from auditsvc.ingest.logs import MAX_LINE_BYTES, Log, Range, no_event
from auditsvc.ingest.progress import Progress, count_range, no_progress

__all__ = ["Log", "Progress", "count_logs", "in_order", "no_progress", "read_usage", "require_swagger"]

REPORT_START_BYTES = 4096
REPORT_BYTES = 16 << 20


def read_usage(
    logs: Sequence[Log],
    swagger: Swagger | None,
    *,
    jobs: int = 1,
    sampled: bool = False,
    progress: Progress = no_progress,
) -> Usage:
    """What a run used: counted from its logs, or read from the one report that it is.

    InputError where a log cannot be read or holds no audit event, ParseError where a report does not
    parse, RequestError where a log comes without a swagger to map it with.
    """
    if not logs:
        raise RequestError("no log is given")
    if len(logs) == 1 and (report := _report_text(logs[0])) is not None:
        return parse_report(report)
    return count_logs(logs, require_swagger(swagger), jobs=jobs, sampled=sampled, progress=progress)


def require_swagger(swagger: Swagger | None) -> Swagger:
    """The swagger that a log is mapped with; RequestError where there is none."""
    if swagger is None:
        raise RequestError(
            "no swagger of that version is stored, so the log cannot be mapped; bring one with the run, "
            "or store it first (PUT /swagger/<version>, auditsvc swagger VERSION FILE)"
        )
    return swagger


def _report_text(log: Log) -> bytes | None:
    """The text of a log that is another tool's report, None for any other."""
    if log.path is None or not log.path.is_file():
        return None
    with log.opened() as stream:
        start = stream.read(REPORT_START_BYTES)
        if not looks_like_report(start):
            return None
        text = start + stream.read(REPORT_BYTES)
    if len(text) > REPORT_BYTES:
        raise TooLargeError(f"{log.name}: a report of over {REPORT_BYTES >> 20} MB is none")
    return text


def count_logs(
    logs: Sequence[Log],
    swagger: Swagger,
    *,
    jobs: int = 1,
    sampled: bool = False,
    progress: Progress = no_progress,
) -> Usage:
    """What the logs used together, as one log in the order of their first events.

    InputError where one cannot be read or unpacked, or holds no audit event; WorkerError where a
    worker process dies.
    """
    ordered = in_order(logs)
    if jobs > 1:
        # Processes and executors are slow to import, and one job needs none.
        from auditsvc.ingest.parts import count_parts

        return count_parts(ordered, swagger, jobs=jobs, sampled=sampled, progress=progress).usage()
    counting = Counting(OperationMapper(swagger), sampled=sampled)
    for log in ordered:
        count_range(Range(log), counting, progress)
    return counting.usage()


def in_order(logs: Sequence[Log]) -> list[Log]:
    """Rotated files by their first events; what cannot be looked into before it is read comes last."""
    return sorted(logs, key=_first_time) if len(logs) > 1 else list(logs)


def _first_time(log: Log) -> str:
    if log.path is None or not log.path.is_file():
        return "~"
    with log.opened() as stream:
        while line := stream.readline(MAX_LINE_BYTES):
            try:
                return decode(line).staged
            except ParseError:
                continue
    raise no_event(log)
