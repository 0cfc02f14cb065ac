"""Why an audit of costs finds a difference, for a terminal."""

import math
from collections.abc import Sequence

from auditsvc.core.cost_explain import Contribution, Explanation
from auditsvc.exports.plain import render_table, visible

_SHOWN = 20
"""How many rows of a side are shown."""


def render(found: Explanation) -> str:
    """The two sides and their difference, the reasons, and tables of the resources and rows that make it."""
    blocks = [_summary(found), [f"- {visible(reason)}" for reason in found.reasons]]
    if found.components:
        rows = [
            (row.resource, *map(_amount, (row.expected, row.actual, row.delta))) for row in found.components
        ]
        blocks.append(render_table([("resource", "expected", "actual", "difference"), *rows]))
    blocks += [_side("expected", found.expected), _side("actual", found.actual)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _summary(found: Explanation) -> list[str]:
    finding = found.finding
    percent = "" if found.percent is None else f" ({found.percent:.3g} %)"
    sides = f"expected {_amount(finding.expected)}, actual {_amount(finding.actual)}"
    lines = [f"{'/'.join((finding.map, *finding.path))}: {sides}, difference {_amount(found.delta)}{percent}"]
    if finding.detail:
        lines.append(f"compared is {finding.detail}")
    if finding.resolution:
        lines.append(f"→ {finding.resolution}")
    return list(map(visible, lines))


def _side(name: str, rows: Sequence[Contribution]) -> list[str]:
    if not rows:
        return [f"the {name} side has no rows"]
    cells = [
        (row.kind, row.key, *map(_amount, (row.cost, row.adjustment, row.total))) for row in rows[:_SHOWN]
    ]
    lines = [f"the {name} side:", *render_table([("kind", "key", "cost", "adjustment", "total"), *cells])]
    left = len(rows) - _SHOWN
    return [*lines, f"… and {left} smaller ones"] if left > 0 else lines


def _amount(value: float) -> str:
    """To a millionth, as assets are written: what is beyond comes from computing."""
    return "unknown" if math.isnan(value) else f"{round(value, 6) + 0.0:.10g}"
