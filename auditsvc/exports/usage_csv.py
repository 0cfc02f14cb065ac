"""What a run used, as CSV (RFC 4180): a row per operation (``auditsvc parse --format csv``)."""

import csv
import io
from datetime import datetime

from auditsvc.core.events import render_time
from auditsvc.core.swagger import Operation, Swagger
from auditsvc.core.usage import ExercisedBy, OperationUsage, Usage

COLUMNS = (
    "operation",
    "level",
    "group",
    "version",
    "kind",
    "action",
    "deprecated",
    "hits",
    "success_hits",
    "tested",
    "conf_tested",
    "first",
    "last",
)


def render(usage: Usage, swagger: Swagger) -> str:
    """A heading, and a row for each operation that the run used, by name; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for name, used in sorted(usage.operations.items()):
        writer.writerow([name, *_catalogue(swagger.get(name)), *_usage(used)])
    return file.getvalue()


def _catalogue(operation: Operation | None) -> list[str | None]:
    if operation is None:
        return [None] * 6
    return [
        operation.level,
        operation.group,
        operation.version,
        operation.kind,
        operation.action,
        _boolean(operation.deprecated),
    ]


def _usage(used: OperationUsage) -> list[str | int]:
    return [
        used.hits,
        used.success_hits,
        _boolean(used.is_exercised(ExercisedBy.TESTED)),
        _boolean(used.is_exercised(ExercisedBy.CONF_TESTED)),
        _time(used.first),
        _time(used.last),
    ]


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _time(moment: datetime | None) -> str:
    return render_time(moment) if moment else ""
