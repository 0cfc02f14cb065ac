"""What a run used, for people (``auditsvc parse --format text``)."""

from collections import Counter

from auditsvc.core.events import render_time
from auditsvc.core.swagger import Level, Swagger
from auditsvc.core.usage import Usage
from auditsvc.exports.plain import render_table

_Row = tuple[str | int, ...]

_UNKNOWN = "not in swagger"


def render(usage: Usage, swagger: Swagger, *, top: int = 20) -> str:
    """The totals, the unmapped by reason, the levels, and the ``top`` operations and user agents."""
    tables = (_totals(usage), _levels(usage, swagger), _operations(usage, top), _agents(usage, top))
    return "\n\n".join("\n".join(render_table(table)) for table in tables if table) + "\n"


def _totals(usage: Usage) -> list[_Row]:
    rows: list[_Row] = [
        ("requests", usage.requests, _span(usage)),
        ("mapped", usage.mapped, f"to {len(usage.operations)} operations"),
        ("unmapped", usage.requests - usage.mapped, ""),
        *((f"  {reason}", used.hits, "") for reason, used in usage.unmapped.items()),
        ("malformed lines", usage.malformed, ", ".join(usage.malformed_at)),
        ("repeated completions", usage.duplicates, ""),
        ("requests left open", usage.incomplete, ""),
    ]
    return rows


def _span(usage: Usage) -> str:
    if usage.first is None or usage.last is None:
        return ""
    return f"from {render_time(usage.first)} to {render_time(usage.last)}"


def _levels(usage: Usage, swagger: Swagger) -> list[_Row]:
    """How many operations of each level there are, how many of them the run used, and how often."""
    there = Counter[str](operation.level for operation in swagger.operations.values())
    used, hits = Counter[str](), Counter[str]()
    for name, found in usage.operations.items():
        operation = swagger.get(name)
        level = _UNKNOWN if operation is None else operation.level
        used[level] += 1
        hits[level] += found.hits
    levels = [*Level, _UNKNOWN] if used[_UNKNOWN] else list(Level)
    rows = [(level, there[level], used[level], hits[level]) for level in levels]
    return [("level", "operations", "used", "hits"), *rows]


def _operations(usage: Usage, top: int) -> list[_Row]:
    busiest = sorted(usage.operations.items(), key=lambda row: (-row[1].hits, row[0]))
    rows = [(used.hits, used.success_hits, len(used.tests), name) for name, used in busiest[:top]]
    title = f"operation ({len(rows)} of {len(busiest)})"
    return [("hits", "success", "tests", title), *rows] if rows else []


def _agents(usage: Usage, top: int) -> list[_Row]:
    hits: Counter[str] = Counter()
    for used in usage.operations.values():
        hits.update(used.agents)
    busiest = sorted(hits.items(), key=lambda row: (-row[1], row[0]))
    rows = [(count, agent) for agent, count in busiest[:top]]
    return [("hits", f"user agent ({len(rows)} of {len(busiest)})"), *rows] if rows else []
