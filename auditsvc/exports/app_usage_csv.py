"""What applications use, as CSV (RFC 4180): the four files that APISnoop's ``export-data`` wrote.

Their names, columns and order are APISnoop's; ``conformance`` counts the operations that conformance tests
are known to hit, and is empty where nothing tells. What it had from a spreadsheet of its own (``questions``)
is left out, and ``endpoint`` is added. A HEAD cannot be told from a log, so it stands in none of them unless
it was used.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence

from auditsvc.core.apps import App, count_categories, count_operations
from auditsvc.core.swagger import Operation
from auditsvc.exports.plain import no_formula

Cell = str | int | None

UNCATEGORIZED = "uncategorized"
UNUSED = "unused"


def render_summary(apps: Sequence[App], conf_tested: Container[str] | None) -> str:
    """A row for each application: how many operations it uses, by level, and conformance-tested ones."""
    counted = ((app.name, count_operations(app, conf_tested)) for app in apps)
    rows = [(name, one.stable, one.beta, one.alpha, one.total, one.conf_tested) for name, one in counted]
    return _write(("app", "stable", "beta", "alpha", "total", "conformance"), rows)


def render_categories(apps: Sequence[App], _conf_tested: Container[str] | None) -> str:
    """A row for each application, level and category: how many operations it uses, the most first."""
    rows = [
        (app.name, one.level, one.category or UNCATEGORIZED, one.operations)
        for app in apps
        for one in count_categories(app)
    ]
    return _write(("app", "level", "category", "count"), rows)


def render_endpoints(apps: Sequence[App], _conf_tested: Container[str] | None) -> str:
    """A row for each endpoint in use: by how many of the applications.

    Below them, for each level and category, how many endpoints none of the applications uses.
    """
    catalogue, users = _catalogue(apps), _users(apps)
    used = [operation for operation in catalogue.values() if users[operation.id]]
    levels = Counter(operation.level for operation in used)
    groups = Counter(map(_group, used))
    used.sort(
        key=lambda one: (-levels[one.level], -groups[_group(one)], -users[one.id], one.path, one.method)
    )
    unused = Counter(_group(one) for one in catalogue.values() if not users[one.id])
    rows: list[Sequence[Cell]] = [(*_group(one), f"{one.method} {one.path}", users[one.id]) for one in used]
    rows += [(*group, UNUSED, count) for group, count in sorted(unused.items())]
    return _write(("level", "category", "method + url", "count"), rows)


def render_spreadsheet(apps: Sequence[App], conf_tested: Container[str] | None) -> str:
    """A row for each endpoint, those of most applications first, with each application's requests."""
    users = _users(apps)
    found = sorted(
        _catalogue(apps).values(), key=lambda one: (-users[one.id], one.level, one.path, one.method)
    )
    rows: list[Sequence[Cell]] = [
        (
            *_group(one),
            one.method,
            one.path,
            one.id,
            _conforms(one, conf_tested),
            users[one.id],
            *(_requests(app, one) for app in apps),
        )
        for one in found
    ]
    columns = ("level", "category", "method", "url", "endpoint", "conforms", "apps using it")
    return _write((*columns, *(app.name for app in apps)), rows)


EXPORTS: Mapping[str, Callable[[Sequence[App], Container[str] | None], str]] = {
    "app-usage-summary": render_summary,
    "app-usage-categories": render_categories,
    "app-usage-endpoints": render_endpoints,
    "coverage-spreadsheet": render_spreadsheet,
}
"""The files by name; each is made of the applications and of the endpoints known to be conformance-tested."""


def _catalogue(apps: Iterable[App]) -> dict[str, Operation]:
    """The endpoints of all the applications' swaggers, each as the newest of these has it."""
    catalogue: dict[str, Operation] = {}
    for app in sorted(apps, key=lambda app: app.version or (0, 0)):
        used = app.used
        catalogue |= {
            name: one for name, one in app.swagger.operations.items() if one.observable or name in used
        }
    return catalogue


def _users(apps: Iterable[App]) -> Counter[str]:
    """How many of the applications use each endpoint."""
    return Counter(name for app in apps for name in app.used)


def _group(operation: Operation) -> tuple[str, str]:
    return operation.level, operation.category or UNCATEGORIZED


def _requests(app: App, operation: Operation) -> int:
    used = app.usage.operations.get(operation.id)
    return used.hits if used else 0


def _conforms(operation: Operation, conf_tested: Container[str] | None) -> str:
    if conf_tested is None:
        return ""
    return "true" if operation.id in conf_tested else "false"


def _write(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    for row in (columns, *rows):
        writer.writerow([no_formula(cell) if isinstance(cell, str) else cell for cell in row])
    return file.getvalue()
