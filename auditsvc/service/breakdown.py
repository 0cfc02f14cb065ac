"""How much of the API a release's tests, or one run, reached, group by group."""

from collections.abc import Sequence

import msgspec

from auditsvc.core.breakdown import (
    CoverageCounts,
    Evidence,
    GroupedBy,
    OperationFilter,
    break_down,
    evidence_of_tests,
    evidence_of_usage,
)
from auditsvc.core.endpoints import EndpointList, EndpointLists
from auditsvc.core.releases import Minor, parse_release, release_name
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.core.swagger import Operation, minor_version
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.service.coverage import Coverage
from auditsvc.sources import StoredCoverage
from auditsvc.store import Store
from auditsvc.store.lists import ListKind


class CoverageBreakdown(msgspec.Struct, frozen=True):
    """The coverage of a release or a run: its rows, all of it in one, and who knows what was reached."""

    release: str | None
    run: str | None
    sources: tuple[str, ...]
    totals: CoverageCounts
    rows: tuple[CoverageCounts, ...]


class _Subject(msgspec.Struct, frozen=True):
    operations: Sequence[Operation]
    lists: EndpointLists
    evidence: Evidence
    release: str | None
    run: str | None = None


class Breakdowns:
    """Coverage by what operations have in common."""

    def __init__(self, store: Store, coverage: Coverage) -> None:
        self._store = store
        self._coverage = coverage

    def get(
        self,
        *,
        release: str | None = None,
        run: str | None = None,
        by: Sequence[GroupedBy] = (GroupedBy.LEVEL,),
        metric: ExercisedBy = ExercisedBy.CONF_TESTED,
        only: OperationFilter | None = None,
    ) -> CoverageBreakdown:
        """The coverage of a run; or of a release, without both of the newest whose operations are known.

        What reached a release is known from its newest successful ci run that was counted from a log, and
        from what was imported. Raises NotFoundError, and RequestError where both are named.
        """
        if release and run:
            raise RequestError("release: a run is of its own release; give one of run and release")
        subject = self._run(self._store.runs.get(run)) if run else self._release(release)
        known = (only or OperationFilter()).select(subject.operations, subject.lists)
        ineligible = subject.lists.ineligible.names
        [totals] = break_down(known, subject.evidence, ineligible=ineligible, metric=metric)
        rows = break_down(known, subject.evidence, ineligible=ineligible, by=by, metric=metric)
        return CoverageBreakdown(subject.release, subject.run, subject.evidence.sources, totals, tuple(rows))

    def _run(self, run: Run) -> _Subject:
        """The run with the swagger and lists that it brought, else those that held when it finished."""
        minor = minor_version(run.version)
        held = self._store.swaggers.holding(minor, run.finished)
        digest = run.swagger or (held.hash if held else None)
        if digest is None:
            raise NotFoundError(f"no swagger is stored for {run} (PUT /swagger/<version>)")
        return _Subject(
            operations=self._store.swaggers.catalogue(digest),
            lists=EndpointLists(
                self._list(ListKind.PENDING, run.pending, run),
                self._list(ListKind.INELIGIBLE, run.ineligible, run),
            ),
            evidence=evidence_of_usage(self._store.runs.usage(run.id), str(run)),
            release=minor and release_name(minor),
            run=run.id,
        )

    def _release(self, version: str | None) -> _Subject:
        known = self._coverage.known()
        found = self._coverage.release(known, version)
        minor = parse_release(found.version)
        return _Subject(
            operations=list(found.operations.values()),
            lists=self._coverage.lists(),
            evidence=self._of_ci(minor) | self._imported(known, minor),
            release=release_name(minor),
        )

    def _of_ci(self, release: Minor) -> Evidence:
        runs, _ = self._store.runs.find(kind=RunKind.CI, result=RunResult.SUCCESS)
        for run in runs:  # the newest first
            if minor_version(run.version) == release:
                usage = self._store.runs.usage(run.id)
                if not usage.imported:
                    return evidence_of_usage(usage, str(run))
        return Evidence()

    def _imported(self, known: StoredCoverage, release: Minor) -> Evidence:
        told = known.imported_tested(release)
        endpoints = self._store.coverage.endpoints(release)
        if told is None and not endpoints:
            return Evidence()
        tested = frozenset(one.endpoint for one in endpoints if one.tested)
        return evidence_of_tests(tested, told.endpoints if told else frozenset(), "APISnoop's import")

    def _list(self, kind: ListKind, brought: str | None, run: Run) -> EndpointList:
        held = self._store.lists.holding(kind, run.finished)
        digest = brought or (held.hash if held else None)
        return self._store.lists.get(digest) if digest else EndpointList()
