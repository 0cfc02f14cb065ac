"""Costs: taken in, fetched from OpenCost, and why an audit found them to differ."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from auditsvc.audits import AuditType, run_audit
from auditsvc.config import Config
from auditsvc.core.cost_explain import Explanation, explain
from auditsvc.core.cost_json import (
    parse_aggregates,
    parse_allocations,
    parse_assets,
    parse_cloud_costs,
    parse_totals,
    render_aggregates,
    render_totals,
)
from auditsvc.core.costs import (
    Aggregates,
    Allocation,
    Asset,
    Totals,
    compute_aggregates,
    compute_allocation_totals,
    compute_asset_totals,
    split_rows,
)
from auditsvc.core.results import AuditResult, FloatResult
from auditsvc.core.window import Window
from auditsvc.errors import ConfigError, NotFoundError, ParseError, RequestError
from auditsvc.fetch import read
from auditsvc.service.audits import make_settings
from auditsvc.sources import StoreInputs
from auditsvc.store import Store
from auditsvc.store.costs import CostDocument, CostKind, CostOrigin, CostRecord

_HOUR = timedelta(hours=1)
_ROWS = (CostKind.ALLOCATIONS, CostKind.ASSETS)

# Only with idle cost by node (both default to false there) and without an aggregation do the allocations add
# up to the nodes.
_QUERIES = {
    CostKind.ALLOCATIONS: "/allocation/compute?window={window}&includeIdle=true&idleByNode=true",
    CostKind.ASSETS: "/assets?window={window}",
}
_NAMED = 5
"""So many findings are named where none is the one asked for."""

_Row = TypeVar("_Row", Allocation, Asset)
_Read = tuple[CostDocument, tuple[CostDocument, ...]]


class CostService:
    """The cost data of the store."""

    def __init__(self, store: Store, config: Config, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._config = config
        self._clock = clock

    def put(self, kind: CostKind, window: Window, content: bytes) -> tuple[CostRecord, bool]:
        """Stores a document, and the tables made from it; its record, and whether it replaced no older one.

        The window is a UTC day, of allocations and assets also an hour of one. RequestError where it is not,
        ParseError where the document is none of its kind; nothing is stored then.
        """
        _check_window(kind, window)
        received, made = _read(kind, content, window)
        return self._store.costs.put(
            window, received, made, origin=CostOrigin.UPLOADED, recorded=self._clock()
        )

    def fetch(self, window: Window) -> list[CostRecord]:
        """Fetches the allocations and assets of every UTC day that the window overlaps.

        They come from the configured OpenCost. A day is stored whole or not at all. Raises ConfigError where
        no OpenCost is configured, FetchError and ParseError, with the URL, where its answer cannot be used.
        """
        url = self._config.opencost_url
        if url is None:
            raise ConfigError("opencost_url: missing; set it to OpenCost's API, such as http://opencost:9003")
        return [record for day in window.days() for record in self._fetch_day(url.rstrip("/"), day)]

    def find(
        self,
        *,
        kind: CostKind | None = None,
        window: Window | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[CostRecord], int]:
        """What is stored of that kind for windows that overlap that one, newest first, and how much it is."""
        return self._store.costs.find(kind=kind, window=window, limit=limit, offset=offset)

    def document(self, kind: CostKind, window: Window) -> bytes:
        """The document of exactly that window, else auditsvc's own table. Raises NotFoundError."""
        document = self._store.costs.get(kind, window) or self._own_table(kind, window)
        if document is None:
            raise NotFoundError(f"no {kind} of {window} are stored (GET /costs lists what is)")
        return document

    def delete(self, kind: CostKind, window: Window) -> None:
        """Deletes a document and the tables made from it. Raises NotFoundError."""
        self._store.costs.delete(kind, window)

    def explain(self, audit_type: AuditType, window: Window, key: str) -> Explanation:
        """Why a cost audit finds a difference at a key, in the data that is stored now.

        The key is the path to the finding, its parts joined by ``/``, with or without the map before it.
        Raises RequestError where the type is no cost audit or the window is of several days, NotFoundError
        where the audit finds nothing at the key.
        """
        if "costs" not in audit_type.sources:
            raise RequestError(f"type: {audit_type.name} is no audit of costs: its result explains itself")
        day = Window.day(window.start)
        if window.end > day.end:
            raise RequestError(f"window: {window} is of several days, and one is explained at a time")
        inputs = self._inputs(day)
        finding = _find(audit_type, run_audit(audit_type, inputs, now=self._clock()), day, key)
        return explain(
            audit_type.key,
            finding,
            inputs.costs,
            cloud_costs=inputs.cloud_costs if "cloud_costs" in audit_type.sources else (),
            cost_hours=inputs.cost_hours if "cost_hours" in audit_type.sources else None,
        )

    def _inputs(self, day: Window) -> StoreInputs:
        settings = make_settings(self._config)
        return StoreInputs(self._store, day, settings=settings, rule=self._config.baseline, now=self._clock())

    def _fetch_day(self, url: str, day: Window) -> list[CostRecord]:
        window = ",".join(time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in (day.start, day.end))
        asked = {kind: url + query.format(window=window) for kind, query in _QUERIES.items()}
        answers = [_read_named(kind, source, day) for kind, source in asked.items()]
        now = self._clock()
        with self._store.transaction():
            return [
                self._store.costs.put(day, received, made, origin=CostOrigin.FETCHED, recorded=now)[0]
                for received, made in answers
            ]

    def _own_table(self, kind: CostKind, window: Window) -> bytes | None:
        made = [self._store.costs.get(kind, window, source=source) for source in _ROWS]
        tables = [table for table in made if table]
        if len(tables) < 2:
            return next(iter(tables), None)
        # Totals of the allocations and of the assets: one document, as an uploaded one is.
        halves = [parse_totals(table) for table in tables]
        return render_totals(halves[0].allocations, halves[1].assets)


def _check_window(kind: CostKind, window: Window) -> None:
    hourly = kind in _ROWS
    if _is_day(window) or (hourly and _is_hour(window)):
        return
    raise RequestError(
        f"window: {window} is no UTC day{' and no hour of one' if hourly else ''}: AuditSets are UTC days, "
        f"so send the {kind} day by day"
    )


def _is_day(window: Window) -> bool:
    return window == Window.day(window.start)


def _is_hour(window: Window) -> bool:
    return (
        window.end - window.start == _HOUR
        and window.start.replace(minute=0, second=0, microsecond=0) == window.start
    )


def _read_named(kind: CostKind, source: str, day: Window) -> _Read:
    try:
        return _read(kind, read(source), day)
    except ParseError as error:
        raise ParseError(f"{source}: {error}") from error


def _read(kind: CostKind, content: bytes, window: Window) -> _Read:
    """The document, and the tables made from it. Raises ParseError."""
    match kind:
        case CostKind.ALLOCATIONS:
            return _read_rows(kind, content, window, parse_allocations, _allocation_tables)
        case CostKind.ASSETS:
            return _read_rows(kind, content, window, parse_assets, _asset_tables)
        case CostKind.CLOUD_COSTS:
            received = CostDocument(kind=kind, content=content, rows=len(parse_cloud_costs(content)))
        case CostKind.TOTALS:
            received = _totals_document(content, *parse_totals(content))
        case CostKind.AGGREGATES:
            received = _aggregates_document(content, parse_aggregates(content))
    return received, ()


def _read_rows(
    kind: CostKind,
    content: bytes,
    window: Window,
    parse: Callable[[bytes], tuple[_Row, ...]],
    make_tables: Callable[[tuple[_Row, ...]], tuple[CostDocument, ...]],
) -> _Read:
    rows = parse(content)
    own, hours = split_rows(rows, window) if _is_day(window) else ((), rows)
    received = CostDocument(kind=kind, content=content, rows=len(rows), hours=len(hours))
    return received, make_tables(own) if _is_day(window) else ()


def _allocation_tables(rows: tuple[Allocation, ...]) -> tuple[CostDocument, ...]:
    totals, aggregates = compute_allocation_totals(rows), compute_aggregates(rows)
    return (
        _totals_document(render_totals(totals, None), totals),
        _aggregates_document(render_aggregates(aggregates), aggregates),
    )


def _asset_tables(rows: tuple[Asset, ...]) -> tuple[CostDocument, ...]:
    totals = compute_asset_totals(rows)
    return (_totals_document(render_totals(None, totals), totals),)


def _totals_document(content: bytes, *halves: Totals | None) -> CostDocument:
    rows = sum(len(half.by_cluster) + len(half.by_node) for half in halves if half)
    return CostDocument(kind=CostKind.TOTALS, content=content, rows=rows)


def _aggregates_document(content: bytes, aggregates: Aggregates) -> CostDocument:
    rows = sum(map(len, aggregates.tables.values()))
    return CostDocument(kind=CostKind.AGGREGATES, content=content, rows=rows)


def _find(audit_type: AuditType, result: AuditResult, day: Window, key: str) -> FloatResult:
    """The finding at a key. Raises NotFoundError, and RequestError where there are several."""
    findings = {"/".join((one.map, *one.path)): one for one in result.floats}
    at_key = [key] if key in findings else [name for name in findings if name.partition("/")[2] == key]
    if len(at_key) == 1:
        return findings[at_key[0]]
    if at_key:
        raise RequestError(f"key: {key} is that of several findings: {', '.join(at_key)}")
    if result.problem:
        raise NotFoundError(f"{audit_type.name} on {day.start.date()}: {result.problem}")
    known = ", ".join(list(findings)[:_NAMED]) or "none"
    raise NotFoundError(
        f"key: {audit_type.name} finds no difference at {key} on {day.start.date()} "
        f"(of {len(findings)} that it finds: {known})"
    )
