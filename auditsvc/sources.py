"""What the audits look at, from the store for a window or a run, and from files for ``check``.

Each thing is read at most once for each window.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from auditsvc.audits import Catalogue, Settings
from auditsvc.core.cost_json import (
    UploadedTotals,
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
)
from auditsvc.core.costs import (
    Aggregates,
    Allocation,
    Asset,
    CloudCost,
    CostHours,
    Costs,
    Origin,
    split_rows,
)
from auditsvc.core.endpoints import EndpointList, EndpointLists
from auditsvc.core.runs import (
    Baseline,
    BaselineRule,
    RecordedRun,
    Run,
    RunKind,
    Runs,
    Subject,
    choose_baseline,
    choose_subjects,
    explain_no_baseline,
)
from auditsvc.core.swagger import Swagger, minor_version
from auditsvc.core.usage import Usage
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError
from auditsvc.store import CostKind, CostRecord, ListKind, Store

_NO_COSTS = "no cost data is stored for this window"

_Row = TypeVar("_Row", Allocation, Asset)


@dataclass(frozen=True, slots=True)
class Classification:
    """The hashes of the swagger and lists that a run or window is classified with; None where there is none.

    ``version`` is the one that the swagger was looked for by, None for the highest.
    """

    version: str | None
    swagger: str | None
    pending: str | None
    ineligible: str | None


class StoreInputs:
    """Inputs from the store: of a window, or of one run alone (``window`` is then that run's day)."""

    def __init__(
        self,
        store: Store,
        window: Window,
        *,
        settings: Settings,
        rule: BaselineRule,
        now: datetime,
        run: Run | None = None,
    ) -> None:
        self.window = window
        self.settings = settings
        self._costs = StoredCosts(store, window, now=now)
        self._store = store
        self._rule = rule
        self._run = run
        self._usages: dict[str, Usage] = {}

    @cached_property
    def runs(self) -> Runs:
        """The window's subjects, or the one run."""
        if not self._subjects:
            return Runs(reason=f"no pull run and no successful ci run finished in {self.window}")
        return Runs(tuple(map(self._subject, self._subjects)))

    @cached_property
    def swagger(self) -> Swagger:
        """The newest subject's swagger, else that of the highest version that holds at the window's end."""
        return self._swagger(self._classification)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The stored operations of that swagger."""
        return Catalogue(self._store.swaggers.catalogue(_swagger_of(self._classification)))

    @cached_property
    def lists(self) -> EndpointLists:
        """The newest subject's lists, else those that hold at the window's end."""
        return self._lists(self._classification)

    @property
    def costs(self) -> Costs:
        """The window's cost data."""
        return self._costs.costs

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """What the cloud provider billed for the window."""
        return self._costs.cloud_costs

    @property
    def cost_hours(self) -> CostHours:
        """The window's hours."""
        return self._costs.hours

    def received(self, source: str) -> bool:
        """Whether the store was ever given that kind of source; costs are no matter of a single run."""
        match source:
            case "runs":
                return self._store.runs.received()
            case "swagger" | "catalogue":
                return self._store.swaggers.received()
            case "lists":
                return self._store.lists.received()
            case "costs" | "cloud_costs" | "cost_hours":
                return self._run is None and self._costs.received(source)
        return source in ("window", "settings")

    def fingerprint(self) -> str:
        """A hash of all that the audits of this window look at, without reading it."""
        parts = [
            (run.id, [other.id for other in self._baseline_runs(run)], self._classify(run))
            for run in self._subjects
        ]
        return _digest(parts, self._classification, self.settings, self._rule, self._costs.fingerprint())

    @cached_property
    def _subjects(self) -> tuple[Run, ...]:
        if self._run is not None:
            return (self._run,)
        return choose_subjects(self._store.runs.find(finished_in=self.window)[0])

    @cached_property
    def _candidates(self) -> list[Run]:
        """Every CI run: what a baseline is chosen from."""
        return self._store.runs.find(kind=RunKind.CI)[0]

    @cached_property
    def _classification(self) -> Classification:
        if self._subjects:
            return self._classify(self._subjects[-1])
        held = self._store.swaggers.holding(None, self.window.end)
        return Classification(
            None,
            held.hash if held else None,
            self._held_list(ListKind.PENDING),
            self._held_list(ListKind.INELIGIBLE),
        )

    def _classify(self, run: Run) -> Classification:
        """What the run brought, else what held when it finished."""
        held = self._store.swaggers.holding(minor_version(run.version), run.finished)
        return Classification(
            run.version,
            run.swagger or (held.hash if held else None),
            run.pending or self._held_list(ListKind.PENDING, run),
            run.ineligible or self._held_list(ListKind.INELIGIBLE, run),
        )

    def _held_list(self, kind: ListKind, run: Run | None = None) -> str | None:
        held = self._store.lists.holding(kind, run.finished if run else self.window.end)
        return held.hash if held else None

    def _swagger(self, classification: Classification) -> Swagger:
        return self._store.swaggers.get(_swagger_of(classification))

    def _lists(self, classification: Classification) -> EndpointLists:
        pending, ineligible = (
            self._store.lists.get(digest) if digest else EndpointList()
            for digest in (classification.pending, classification.ineligible)
        )
        return EndpointLists(pending, ineligible)

    def _baseline_runs(self, run: Run) -> tuple[Run, ...]:
        return choose_baseline(run, self._candidates, self._rule)

    def _subject(self, run: Run) -> Subject:
        classification = self._classify(run)
        chosen = self._baseline_runs(run)
        recorded = tuple(RecordedRun(other, self._usage(other)) for other in chosen)
        return Subject(
            run=run,
            usage=self._usage(run),
            swagger=self._swagger(classification),
            lists=self._lists(classification),
            baseline=Baseline(recorded, min(self._rule.quorum, len(recorded))) if recorded else None,
            no_baseline="" if recorded else explain_no_baseline(run, self._candidates, self._rule),
        )

    def _usage(self, run: Run) -> Usage:
        if run.id not in self._usages:
            self._usages[run.id] = self._store.runs.usage(run.id)
        return self._usages[run.id]


class StoredCosts:
    """The cost data of a UTC day in the store, as of ``now``."""

    def __init__(self, store: Store, day: Window, *, now: datetime) -> None:
        self._store = store.costs
        self._day = day
        self._now = now

    @cached_property
    def costs(self) -> Costs:
        """The day's rows with the tables that are held against them: uploaded ones, else auditsvc's own."""
        if not self._records:
            raise NoDataError(_NO_COSTS)
        uploaded = self._totals(CostKind.TOTALS)
        return Costs(
            window=self._day,
            now=self._now,
            allocations=self._allocations[0],
            assets=self._assets[0],
            allocation_totals=uploaded.allocations or self._totals(CostKind.ALLOCATIONS).allocations,
            asset_totals=uploaded.assets or self._totals(CostKind.ASSETS).assets,
            aggregates=self._aggregates(CostKind.AGGREGATES) or self._aggregates(CostKind.ALLOCATIONS),
            only_steps=[
                str(kind)
                for kind, (own, steps) in (
                    (CostKind.ALLOCATIONS, self._allocations),
                    (CostKind.ASSETS, self._assets),
                )
                if steps and not own
            ],
        )

    @cached_property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """What the cloud provider billed for the day."""
        document = self._store.get(CostKind.CLOUD_COSTS, self._day)
        if document is None:
            raise NoDataError("no cloud costs are stored for this window")
        return parse_cloud_costs(document)

    @cached_property
    def hours(self) -> CostHours:
        """The day's hours: those in its own documents (its steps), else those that came one by one."""
        return CostHours(
            allocations=self._allocations[1] or self._of_hours(CostKind.ALLOCATIONS, parse_allocations),
            assets=self._assets[1] or self._of_hours(CostKind.ASSETS, parse_assets),
        )

    def received(self, source: str) -> bool:
        """Whether the store was ever given that kind of cost data."""
        match source:
            case "cloud_costs":
                return self._store.received(CostKind.CLOUD_COSTS)
            case "cost_hours":
                return self._store.received_hours()
        return self._store.received(CostKind.ALLOCATIONS, CostKind.ASSETS)

    def fingerprint(self) -> tuple[object, ...]:
        """All of it without reading it, and whether billing had its time, which the results say."""
        known = [(one.source, one.kind, one.window, one.hash) for one in self._records]
        return (known, Costs(window=self._day, now=self._now).reconciled) if known else ()

    @cached_property
    def _records(self) -> list[CostRecord]:
        return self._store.find(window=self._day)[0]

    @cached_property
    def _allocations(self) -> tuple[tuple[Allocation, ...], tuple[Allocation, ...]]:
        document = self._store.get(CostKind.ALLOCATIONS, self._day)
        return split_rows(parse_allocations(document) if document else (), self._day)

    @cached_property
    def _assets(self) -> tuple[tuple[Asset, ...], tuple[Asset, ...]]:
        document = self._store.get(CostKind.ASSETS, self._day)
        return split_rows(parse_assets(document) if document else (), self._day)

    def _totals(self, source: CostKind) -> UploadedTotals:
        document = self._store.get(CostKind.TOTALS, self._day, source=source)
        origin = Origin.UPLOADED if source is CostKind.TOTALS else Origin.OWN
        return parse_totals(document, origin=origin) if document else UploadedTotals(None, None)

    def _aggregates(self, source: CostKind) -> Aggregates | None:
        document = self._store.get(CostKind.AGGREGATES, self._day, source=source)
        origin = Origin.UPLOADED if source is CostKind.AGGREGATES else Origin.OWN
        return parse_aggregates(document, origin=origin) if document else None

    def _of_hours(self, kind: CostKind, parse: Callable[[bytes], tuple[_Row, ...]]) -> tuple[_Row, ...]:
        hours = [one.window for one in self._records if one.kind is kind and one.window != self._day]
        documents = [(hour, self._store.get(kind, hour)) for hour in hours]
        return tuple(
            replace(row, window=row.window or hour)
            for hour, document in documents
            if document
            for row in parse(document)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenInputs:
    """Inputs as they are given, for ``check``: no store, one subject or none."""

    window: Window
    settings: Settings
    swagger: Swagger
    lists: EndpointLists
    runs: Runs
    given: frozenset[str]
    """The sources that were given, by name."""

    @property
    def catalogue(self) -> Catalogue:
        """The document's own operations: without a store there is no other catalogue."""
        return Catalogue(tuple(self.swagger.operations.values()))

    @property
    def costs(self) -> Costs:
        """There are none."""
        raise NoDataError(_NO_COSTS)

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """There are none."""
        raise NoDataError(_NO_COSTS)

    @property
    def cost_hours(self) -> CostHours:
        """There are none."""
        raise NoDataError(_NO_COSTS)

    def received(self, source: str) -> bool:
        """Whether the source was given."""
        return source in self.given


def _swagger_of(classification: Classification) -> str:
    """The hash of the swagger. Raises NoDataError where there is none."""
    if classification.swagger is None:
        which = f"swagger of version {classification.version}" if classification.version else "swagger"
        raise NoDataError(f"no {which} is stored (PUT /swagger/<version>, or auditsvc swagger VERSION FILE)")
    return classification.swagger


def _digest(*parts: object) -> str:
    """A hash of values whose repr says all that matters: frozen dataclasses, texts, numbers."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
