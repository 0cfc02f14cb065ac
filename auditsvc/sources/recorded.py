"""What audits looked at when a result was stored, found again to repeat it."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cached_property

from auditsvc.audits import Classification, RecordedCosts, RecordedInputs
from auditsvc.core.releases import Minor, parse_release
from auditsvc.core.runs import Run
from auditsvc.core.swagger import minor_version
from auditsvc.core.window import Window
from auditsvc.sources.costs import StoredCosts
from auditsvc.sources.coverage import StoredCoverage
from auditsvc.sources.inputs import StoreInputs
from auditsvc.store import Store
from auditsvc.store.swaggers import SwaggerRecord


class RecordedStoreInputs(StoreInputs):
    """Inputs from the store as they were recorded, whatever came to it since.

    ``run`` is the one that was judged alone. :func:`find_gone` tells before what is no longer there.
    """

    def __init__(
        self, store: Store, window: Window, recorded: RecordedInputs, *, run: Run | None = None
    ) -> None:
        super().__init__(
            store, window, settings=recorded.settings, rule=recorded.rule, now=recorded.now, run=run
        )
        self._coverage = RecordedCoverage(store, recorded, at=window.end)
        self._recorded = recorded
        self._recorded_subjects = {subject.run: subject for subject in recorded.subjects}
        self._documents = {subject.run: subject.documents for subject in recorded.subjects}
        self._documents |= {app.run: app.documents for app in recorded.apps}

    def received(self, source: str) -> bool:
        """Whether the store had been given that kind of source."""
        return source in self._recorded.received

    @cached_property
    def _subjects(self) -> tuple[Run, ...]:
        return tuple(map(self._store.runs.get, self._recorded_subjects))

    @cached_property
    def _app_runs(self) -> tuple[Run, ...]:
        return tuple(self._store.runs.get(one.run) for one in self._recorded.apps)

    @cached_property
    def _classification(self) -> Classification:
        return self._recorded.documents

    @cached_property
    def _gated_releases(self) -> dict[Minor, Run | None]:
        named = {minor: run for run in self._subjects if (minor := minor_version(run.version))}
        used = self._recorded.documents.swagger
        held = [parse_release(version) for version, digest in self._recorded.swaggers if digest == used]
        return {**named, **({} if named else dict.fromkeys(held[-1:]))}

    def _classify(self, run: Run) -> Classification:
        return self._documents[run.id]

    def _baseline_runs(self, run: Run) -> tuple[Run, ...]:
        return tuple(map(self._store.runs.get, self._recorded_subjects[run.id].baseline))

    def _no_baseline(self, run: Run) -> str:
        return self._recorded_subjects[run.id].no_baseline

    def _ci_runs(self, release: Minor) -> list[Run]:
        return [self._store.runs.get(run_id) for known, run_id in self._recorded.ci_runs if known == release]


class RecordedCoverage(StoredCoverage):
    """What was known of the coverage of releases when it was recorded."""

    def __init__(self, store: Store, recorded: RecordedInputs, *, at: datetime) -> None:
        super().__init__(store, at=at)
        self._recorded = recorded

    @cached_property
    def known(self) -> tuple[Minor, ...]:
        """The releases that anything was known of."""
        return self._recorded.releases

    @cached_property
    def _held(self) -> Mapping[Minor, SwaggerRecord]:
        return {
            parse_release(version): SwaggerRecord(version, digest, self._at, self._at, 0)
            for version, digest in self._recorded.swaggers
        }


def find_gone(
    store: Store, window: Window, recorded: RecordedInputs, sources: Collection[str]
) -> tuple[str, ...]:
    """What an audit with those sources looked at then and could not find now, each named in a line."""
    asked = frozenset(sources)
    apps = recorded.apps if "apps" in asked else ()
    gone = [f"run {one.run} was deleted" for one in apps if not store.runs.known([one.run])]
    if asked & {"runs", "logs", "coverage"}:
        gate = [run_id for _, run_id in recorded.ci_runs] if "coverage" in asked else []
        runs = dict.fromkeys([*recorded.runs, *gate])
        kept = store.runs.known(runs)
        gone += [f"run {run_id} was deleted" for run_id in runs if run_id not in kept]
    if asked & {"runs", "logs", "swagger", "catalogue", "lists", "releases", "coverage"}:
        hashes = recorded.hashes.union(one.documents.swagger for one in apps if one.documents.swagger)
        gone += [f"document {digest} was deleted" for digest in sorted(hashes - store.documents(hashes))]
    if "coverage" in asked:
        gone += _changed(dict(recorded.coverage), dict(store.coverage.sources()))
    if asked & {"costs", "cloud_costs", "cost_hours"}:
        now = StoredCosts(store, window, now=recorded.now).recorded()
        gone += _changed(_by_name(recorded.costs), _by_name(now))
    return tuple(gone)


def _by_name(costs: Iterable[RecordedCosts]) -> dict[str, str]:
    """The documents' hashes by what to call them."""
    return {
        f"{one.kind} of {Window(one.start, one.end)}"
        + ("" if one.kind == one.source else f", made from the {one.source}"): one.hash
        for one in costs
    }


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How documents that are replaced in place differ from those that were recorded."""
    told = [
        f"{name} changed since" if name in now else f"{name} was deleted"
        for name, digest in before.items()
        if now.get(name) != digest
    ]
    return told + [f"{name} came since" for name in now if name not in before]
