"""Results as reports: with what their findings are about, where that was seen, and since when they are so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from auditsvc.audits import AuditType, audit_types
from auditsvc.config import Config
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.runs import Run, Subject, choose_subjects
from auditsvc.core.streaks import Streak, find_streaks
from auditsvc.core.swagger import Operation, minor_version
from auditsvc.core.window import Window
from auditsvc.errors import RequestError
from auditsvc.exports.report import AuditReport, Document, Finding, Place, Report, Seen, find_seen
from auditsvc.service.audits import Audits
from auditsvc.store import Store
from auditsvc.store.results import StoredResult
from auditsvc.store.sets import Ran

CI_RUNS = 6
"""In how many of so many CI runs an operation was exercised is told."""

_LISTS = {"pending": "pending_eligible_endpoints.yaml", "ineligible": "ineligible_endpoints.yaml"}
_DOCUMENTS = ("swagger", "pending", "ineligible")


class HistoryRow(msgspec.Struct, frozen=True):
    """How an audit ended in a window, and how that stands among the windows before it."""

    ran: Ran
    type: str
    streak: Streak


class FoundRow(msgspec.Struct, frozen=True):
    """A finding, of which audit, and of which window."""

    window: Window
    audit: AuditReport
    finding: Finding


class Reports:
    """The reports of stored results."""

    def __init__(self, store: Store, config: Config, audits: Audits) -> None:
        self._store = store
        self._by = config.exercised_by
        self._audits = audits

    def report(self, day: Window, results: Mapping[str, AuditResult], *, run_id: str | None = None) -> Report:
        """The report of a day's results by key, or of a run's that was judged alone."""
        judged = self._audits.subjects(day, run_id=run_id)
        operations = {name: one for subject in judged for name, one in subject.swagger.operations.items()}
        return Report(
            title=f"audit of run {run_id}" if run_id else "audit",
            audits=audit_reports(
                results,
                _places(self._audits.lists(day, run_id=run_id)),
                operations=operations,
                seen=self._seen(judged),
                streaks={} if run_id else self.streaks(day, results),
            ),
            window=None if run_id else day,
            subjects=self._subjects(day, run_id),
            documents=_documents(judged),
            judged=judged,
            exercised_by=self._by,
        )

    def streaks(self, day: Window, keys: Iterable[str]) -> dict[str, Streak]:
        """By key how the day's result stands among those before it."""
        found = self._store.sets.statuses(list(keys), until=day)
        return {key: find_streaks(ended)[-1] for key, ended in found.items() if ended[-1][0] == day}

    def history(
        self, window: Window | None, types: Sequence[AuditType] = (), *, limit: int, offset: int = 0
    ) -> tuple[list[HistoryRow], int]:
        """How the audits ended in the days that the window overlaps, newest first, and how many results."""
        names = {known.key: known.name for known in audit_types()}
        keys = [known.key for known in types] or None
        ran, total = self._store.sets.history(window, keys, limit=limit, offset=offset)
        ended = self._store.sets.statuses({one.key for one in ran})
        streaks = {
            (window, key): streak
            for key, results in ended.items()
            for (window, _), streak in zip(results, find_streaks(results), strict=True)
        }
        rows = [HistoryRow(one, names.get(one.key, one.key), streaks[one.window, one.key]) for one in ran]
        return rows, total

    def findings(  # noqa: PLR0913 - filters, by keyword
        self,
        window: Window | None,
        types: Sequence[AuditType] = (),
        *,
        run_id: str | None = None,
        status: Status | None = None,
        text: str | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[FoundRow], int]:
        """Findings in the order of their windows and audits, and how many there are.

        Those of a run that was judged alone, else of the days that the window overlaps; of that status, with
        ``text`` in their key in any case. Where they were seen is looked up for the page alone. Raises
        NotFoundError, and RequestError for a run in a window.
        """
        wanted = (text or "").lower()
        found = [
            (one, number)
            for one in self._stored(window, types, run_id)
            for number, finding in enumerate(audit_reports({one.key: one.result})[0].findings)
            if (status is None or finding.status is status) and wanted in finding.key.lower()
        ]
        page = found[offset : offset + limit]
        results: dict[Window, dict[str, AuditResult]] = {}
        for one, _ in page:
            results.setdefault(one.window, {})[one.key] = one.result
        audits = {
            (day, audit.key): audit
            for day, of_day in results.items()
            for audit in self.report(day, of_day, run_id=run_id).audits
        }
        rows = [(one.window, audits[one.window, one.key], number) for one, number in page]
        return [FoundRow(day, audit, audit.findings[number]) for day, audit, number in rows], len(found)

    def _stored(
        self, window: Window | None, types: Sequence[AuditType], run_id: str | None
    ) -> list[StoredResult]:
        if run_id is None:
            return self._audits.stored(window, types)
        results, keys = self._store.run_results.find(run_id), [known.key for known in types or audit_types()]
        if window is not None:
            raise RequestError("window: a run's findings are its own, so give run or window, not both")
        return [one for one in results if one.key in keys]

    def _subjects(self, day: Window, run_id: str | None) -> tuple[Run, ...]:
        if run_id is not None:
            return (self._store.runs.get(run_id),)
        return choose_subjects(self._store.runs.find(finished_in=day)[0])

    def _seen(self, judged: Sequence[Subject]) -> Mapping[str, Seen]:
        """Where operations were seen; of clusters and versions that differ the first subject's counts."""
        alike: dict[object, list[Subject]] = {}
        for subject in judged:
            group = subject.run.cluster, minor_version(subject.run.version)
            alike.setdefault(group, []).append(subject)
        seen: dict[str, Seen] = {}
        for subjects in alike.values():
            seen = {**self._seen_in(subjects), **seen}
        return seen

    def _seen_in(self, subjects: Sequence[Subject]) -> dict[str, Seen]:
        runs, of = self._store.runs.last_exercised(subjects[-1].run, self._by, last=CI_RUNS)
        seen = {**dict.fromkeys(runs, Seen()), **find_seen(subjects, self._by)}
        return {name: replace(one, runs=runs.get(name, 0), of=of) for name, one in seen.items()}


def audit_reports(
    results: Mapping[str, AuditResult],
    places: Mapping[str, Place] | None = None,
    *,
    operations: Mapping[str, Operation] | None = None,
    seen: Mapping[str, Seen] | None = None,
    streaks: Mapping[str, Streak] | None = None,
) -> tuple[AuditReport, ...]:
    """The results by their types' keys, in the order of an AuditSet; a newer server's own come last.

    What findings are about is told by their keys: their places, the operations, where these were seen. How
    a result stands among those before it is told by the key of its type.
    """
    known = {audit_type.key: audit_type for audit_type in audit_types()}
    keys = [key for key in known if key in results] + [key for key in results if key not in known]
    return tuple(
        AuditReport(
            key=key,
            result=results[key],
            **_described(key, known.get(key)),
            places=places or {},
            operations=operations or {},
            seen=seen or {},
            streak=(streaks or {}).get(key),
        )
        for key in keys
    )


def _described(key: str, known: AuditType | None) -> dict[str, Any]:
    if known is None:
        return {"name": key, "description": ""}
    return {
        "name": known.name,
        "description": known.description,
        "by_run": "runs" in known.required,
    }


def _places(lists: EndpointLists) -> dict[str, Place]:
    """The line of each entry of the lists, the first of several; a pending one hides an ineligible one."""
    return {
        entry.endpoint: Place(_LISTS[kind], entry.line)
        for kind in ("ineligible", "pending")
        for entry in reversed(getattr(lists, kind).entries)
    }


def _documents(judged: Iterable[Subject]) -> tuple[Document, ...]:
    """What the runs were judged with, each told once."""
    named = [(kind, getattr(subject.run, kind)) for subject in judged for kind in _DOCUMENTS]
    return tuple(Document(kind, "", digest) for kind, digest in dict.fromkeys(named) if digest)
