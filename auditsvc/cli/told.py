"""What a server tells of its results beside the AuditSets, whose JSON has no room for it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from auditsvc.cli.client import Client
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.streaks import Streak
from auditsvc.core.swagger import Operation
from auditsvc.core.window import Window
from auditsvc.exports.report import AuditReport, Place, Seen
from auditsvc.service.reports import audit_reports

_Found = dict[str, Any]


class Told(msgspec.Struct):
    """Of the results of a day or run: what its findings are about, by key, and since when audits end so.

    ``resolutions`` has what makes a difference and what to do, by a finding's type, key and text.
    """

    places: dict[str, Place] = {}
    operations: dict[str, Operation] = {}
    seen: dict[str, Seen] = {}
    resolutions: dict[tuple[str, str, str], tuple[str, str]] = {}
    streaks: dict[str, Streak] = {}

    def reports(self, results: Mapping[str, AuditResult]) -> tuple[AuditReport, ...]:
        """The results by key, as they would be reported where they were made."""
        bare = audit_reports(results)
        names = {audit.key: audit.name for audit in bare}
        return audit_reports(
            {audit.key: self._completed(audit) for audit in bare},
            self.places,
            operations=self.operations,
            seen=self.seen,
            streaks={key: self.streaks[name] for key, name in names.items() if name in self.streaks},
        )

    def add(self, found: _Found) -> None:
        """Takes in a finding."""
        # An agent's use of an operation is keyed agent/operation.
        about = found["key"].rpartition("/")[2]
        if found["place"]:
            self.places[about] = Place(**found["place"])
        if found["operation"]:
            self.operations[about] = msgspec.convert(found["operation"], Operation)
        if found["seen"]:
            self.seen[about] = _seen(found["seen"])
        detail = found["detail"]
        text = found["description"].removesuffix(f": {detail}") if detail else found["description"]
        self.resolutions[found["type"], found["key"], text] = detail, found["resolution"]

    def _completed(self, audit: AuditReport) -> AuditResult:
        result = audit.result
        told = [
            self.resolutions.get((audit.name, found.key, found.text), ("", "")) for found in audit.findings
        ]
        told = told[result.problem is not None :]  # which is its own explanation
        hard = zip(result.floats, told, strict=False)
        soft = zip(result.missing, told[len(result.floats) :], strict=True)
        return replace(
            result,
            floats=tuple(replace(one, detail=detail, resolution=what) for one, (detail, what) in hard),
            missing=tuple(replace(one, resolution=what) for one, (_, what) in soft),
        )


def ask(
    client: Client, days: Iterable[Window], *, run_id: str | None, types: Iterable[str]
) -> dict[Window, Told]:
    """What the server tells of the results of those days, or of a run. An older server tells nothing."""
    told = {day: Told() for day in days}
    if not told:
        return {}
    span = f"{min(told).start.isoformat()},{max(told).end.isoformat()}"
    of = {"run": run_id} if run_id else {"window": span}
    for found in client.pages("/audit/findings", **of, type=tuple(types)):
        if (day := _window(found["window"])) in told:
            told[day].add(found)
    for row in () if run_id else client.pages("/audit/history", window=span, type=tuple(types)):
        if (day := _window(row["window"])) in told:
            told[day].streaks[row["type"]] = _streak(row)
    return told


def _window(bounds: Mapping[str, str]) -> Window:
    return Window(datetime.fromisoformat(bounds["start"]), datetime.fromisoformat(bounds["end"]))


def _seen(told: _Found) -> Seen:
    return Seen(
        run=told["run"],
        event=told["event"] and Place(**told["event"]),
        tests=tuple((test["name"], test["hits"]) for test in told["tests"]),
        more_tests=told["more_tests"],
        runs=told["runs"],
        of=told["of"],
    )


def _streak(row: _Found) -> Streak:
    return Streak(
        status=Status(row["status"]),
        since=datetime.fromisoformat(row["since"]),
        last_passed=row["last_passed"] and _window(row["last_passed"]),
        sets_since_passed=row["sets_since_passed"],
        sets=row["sets"],
    )
