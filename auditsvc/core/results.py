"""What an audit found, and its JSON in the shape of Kubecost's Audit API.

Kubecost's Go structs fix the names, their order and how numbers print: a status, a description, the
time of the run, one or more maps of expected and actual values, the missing values. ``Checked`` and,
for costs, ``Tolerance`` after ``MissingValues`` are ours.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from auditsvc.core.window import Window


class Status(StrEnum):
    """The outcome of an audit."""

    PASSED = "Passed"
    WARNING = "Warning"
    FAILED = "Failed"


class MissingValue(msgspec.Struct, frozen=True):
    """Something that one side holds and the other lacks; a soft finding."""

    key: str
    description: str
    resolution: str = ""


class FloatResult(msgspec.Struct, frozen=True):
    """A comparison beyond its tolerance; a hard finding.

    ``path`` leads into the map named ``map``: ``("added",)`` or ``("pull-1", "added")``. ``expected`` is
    what the audit computed, ``actual`` what the audited source holds. ``detail`` says what makes the
    difference, in reports and pages.
    """

    map: str
    path: tuple[str, ...]
    expected: float
    actual: float
    detail: str = ""
    resolution: str = ""


class WaivedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that somebody has accepted, and so does not count; ``status`` is what it would have made.

    It is accepted by ``owner`` for a ``reason``, the last time on the day ``expires``; ``issue`` is a link.
    """

    status: Status
    key: str
    description: str
    owner: str
    reason: str
    expires: date
    issue: str | None = None


class AuditResult(msgspec.Struct, frozen=True):
    """The outcome of one run of one audit.

    ``maps`` are the audit's map names in order, ``sections`` the first-level keys that a map shows even
    when empty. ``problem`` says why nothing could be judged: the result is then Failed.
    ``tolerance`` is what a cost audit allowed, by name. What is ``waived`` is in none of the others.
    """

    last_run: datetime
    maps: tuple[str, ...]
    checked: int = 0
    floats: tuple[FloatResult, ...] = ()
    missing: tuple[MissingValue, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str | None = None
    sections: tuple[tuple[str, str], ...] = ()
    tolerance: Mapping[str, float] | None = None
    waived: tuple[WaivedFinding, ...] = ()

    @property
    def status(self) -> Status:
        """Failed for any problem or FloatResult, else Warning for any MissingValue, else Passed."""
        if self.problem is not None or self.floats:
            return Status.FAILED
        return Status.WARNING if self.missing else Status.PASSED

    @property
    def description(self) -> str:
        """The problem and the notes, joined."""
        problem = () if self.problem is None else (self.problem,)
        return "; ".join((*problem, *self.notes))


class AuditSet(msgspec.Struct, frozen=True):
    """One window and the newest result of each audit type in it, as stored bytes (None: never ran)."""

    window: Window
    results: Mapping[str, bytes | None]


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of some statuses; Passed for none."""
    order = list(Status)
    return max(statuses, key=order.index, default=Status.PASSED)


def render_result(result: AuditResult) -> str:
    """One audit's JSON object, as Go would print Kubecost's struct."""
    fields: dict[str, Any] = {
        "Status": result.status,
        "Description": result.description,
        "LastRun": render_time(result.last_run),
        **{name: _float_map(result, name) for name in result.maps},
        "MissingValues": [{"Description": m.description, "Key": m.key} for m in result.missing] or None,
        "Checked": result.checked,
    }
    if result.tolerance is not None:
        fields["Tolerance"] = result.tolerance
    return render_json(fields)


def render_set(audit_set: AuditSet) -> bytes:
    """One AuditSet's JSON: the audits in the given order, `window` last; stored bytes are not parsed."""
    start, end = _seconds(audit_set.window.start), _seconds(audit_set.window.end)
    parts = [b"{"]
    for key, stored in audit_set.results.items():
        parts += (_render_name(key), stored or b"null", b",")
    parts.append(f'"window":{{"start":"{start}","end":"{end}"}}}}'.encode())
    return b"".join(parts)


def render_time(moment: datetime) -> str:
    """RFC 3339 in UTC with nine digits of a second and ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}000Z"


def render_json(value: object) -> str:
    """Compact JSON with Go's habits: its numbers, ``<>&`` escaped, other text as UTF-8."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return render_number(value)
        case str():
            return _render_text(value)
        case Mapping():
            members = (f"{_render_text(str(key))}:{render_json(member)}" for key, member in value.items())
            return "{" + ",".join(members) + "}"
        case Sequence():
            return "[" + ",".join(render_json(item) for item in value) + "]"
        case _:
            raise TypeError(f"no JSON for {type(value).__name__}")


def render_number(value: float) -> str:
    """A number as Go's encoding/json prints a float64: ``508``, ``0.1``, ``1e-7``, ``1e+21``.

    Raises ValueError for NaN and the infinities, which JSON cannot hold.
    """
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError(f"no JSON for {value}")
    # repr is the shortest text that reads back as the value, as Go's is; only the notation differs.
    shortest = Decimal(repr(value)).normalize()
    return format(shortest, "f" if value == 0 or 1e-6 <= abs(value) < 1e21 else "e")


def _render_text(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        quoted = quoted.replace(character, f"\\u{ord(character):04x}")
    return quoted


@lru_cache(maxsize=1024)  # an answer has the same few names in each of its sets
def _render_name(name: str) -> bytes:
    return f"{_render_text(name)}:".encode()


def _seconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _float_map(result: AuditResult, name: str) -> dict[str, Any]:
    """The tree of one map's findings, its keys sorted at every level as Go prints a map."""
    leaves: dict[tuple[str, ...], dict[str, Any]] = {
        (section,): {} for owner, section in result.sections if owner == name
    }
    for found in result.floats:
        if found.map == name:
            leaves[found.path] = {"Expected": found.expected, "Actual": found.actual}
    tree: dict[str, Any] = {}
    for path in sorted(leaves):
        branch = tree
        for step in path[:-1]:
            branch = branch.setdefault(step, {})
        branch[path[-1]] = leaves[path]
    return tree
