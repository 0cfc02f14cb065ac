"""The cost data that the audits look at, from the store."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from msgspec.structs import replace

from auditsvc.audits import RecordedCosts
from auditsvc.core.cost_json import (
    UploadedTotals,
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
)
from auditsvc.core.costs import Aggregates, Allocation, Asset, CloudCost, CostHours, Costs, Origin, split_rows
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError
from auditsvc.store import Store
from auditsvc.store.costs import CostKind, CostRecord

NO_COSTS = "no cost data is stored for this window"

_Row = TypeVar("_Row", Allocation, Asset)


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
            raise NoDataError(NO_COSTS)
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

    def recorded(self) -> tuple[RecordedCosts, ...]:
        """All of it by its names and hashes."""
        return tuple(
            RecordedCosts(
                start=one.window.start, end=one.window.end, source=one.source, kind=one.kind, hash=one.hash
            )
            for one in self._records
        )

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
