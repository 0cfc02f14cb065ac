"""Applications: what they use of the API, and where else they would work."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from auditsvc.core.apps import (
    App,
    AppCounts,
    CategoryCount,
    Portability,
    app_name,
    count_categories,
    count_operations,
    portability,
)
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import Operation, Swagger
from auditsvc.errors import NotFoundError
from auditsvc.exports.app_usage_csv import EXPORTS
from auditsvc.sources import StoredCoverage
from auditsvc.store import Store
from auditsvc.store.apps import AppRecord


class AppOperation(msgspec.Struct, frozen=True):
    """One operation that an application used; ``operation`` is None where its swagger lacks it.

    ``conf_tested`` is None where nothing tells what conformance tests hit.
    """

    id: str
    hits: int
    conf_tested: bool | None
    operation: Operation | None


class AppUse(msgspec.Struct, frozen=True):
    """An application and what one of its runs used, beside the stored releases."""

    record: AppRecord
    app: App
    counts: AppCounts
    portability: Portability
    conf_tested: frozenset[str] | None

    @property
    def categories(self) -> tuple[CategoryCount, ...]:
        """The levels and categories of what it used."""
        return count_categories(self.app)

    @property
    def operations(self) -> list[AppOperation]:
        """What it used, by operationId."""
        return [
            AppOperation(
                name,
                self.app.usage.operations[name].hits,
                None if self.conf_tested is None else name in self.conf_tested,
                self.app.swagger.get(name),
            )
            for name in sorted(self.app.used)
        ]


class AppService:
    """The applications of the store. One is told of by its newest run, unless another one is named."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def find(
        self, *, text: str | None = None, limit: int | None = None, offset: int = 0
    ) -> tuple[list[AppUse], int]:
        """Applications with ``text`` in their name, by name, and how many there are."""
        records, total = self._store.apps.find(text=text, limit=limit, offset=offset)
        known = self._known()
        return [self._use(record, record.newest, known) for record in records], total

    def get(self, name: str, *, run_id: str | None = None) -> AppUse:
        """An application, by its newest run or the one named. Raises NotFoundError."""
        record = self._store.apps.get(name)
        if run_id is not None and not _is_of(self._store.runs.get(run_id), name):
            raise NotFoundError(f"run: {run_id} is no run of the app {name} (GET /runs?app= lists them)")
        return self._use(record, run_id or record.newest, self._known())

    def export(self, name: str, apps: Sequence[str] = ()) -> str:
        """One of the files of what applications use, as CSV, of these (none: all). Raises NotFoundError."""
        if name not in EXPORTS:
            raise NotFoundError(f"unknown export: {name} (known are {', '.join(EXPORTS)})")
        records = [self._store.apps.get(app) for app in sorted(set(apps))]
        known = self._known()
        found = [self._app(one.newest) for one in records or self._store.apps.find()[0]]
        return EXPORTS[name](found, self._conf_tested(known))

    def _known(self) -> StoredCoverage:
        return StoredCoverage(self._store, at=self._clock())

    def _use(self, record: AppRecord, run_id: str, known: StoredCoverage) -> AppUse:
        app, conf_tested = self._app(run_id), self._conf_tested(known)
        counts = count_operations(app, conf_tested)
        return AppUse(record, app, counts, portability(app, known.uploaded), conf_tested)

    def _app(self, run_id: str) -> App:
        digest = self._store.runs.swagger(run_id)
        swagger = self._store.swaggers.get(digest) if digest else Swagger(None, {})
        return App(self._store.runs.get(run_id), self._store.runs.usage(run_id), swagger)

    def _conf_tested(self, known: StoredCoverage) -> frozenset[str] | None:
        """The endpoints that conformance tests are known to hit; None where nothing tells."""
        return known.conf_tested if known.conf_tested or self._store.coverage.received() else None


def _is_of(run: Run, name: str) -> bool:
    return run.kind is RunKind.APP and app_name(run) == name
