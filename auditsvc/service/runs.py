"""Runs: taken in from logs and reports, looked at, compared."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar, Unpack

import msgspec

from auditsvc.config import Config
from auditsvc.core.comparison import Comparison, compare
from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.core.runs import Run, RunKind, RunResult, choose_baseline, explain_no_baseline
from auditsvc.core.swagger import Level, Swagger, minor_version, parse_swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, ParseError, RequestError
from auditsvc.ingest import Log, Progress, no_progress, read_usage
from auditsvc.store import RunSummary, Store, StoredResult, UsedOperation
from auditsvc.store.runs import RunFilters

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpload:
    """What a run is made from: its logs (or one report), its origin, the documents that it brings.

    ``swagger``, ``pending`` and ``ineligible`` are a document's bytes, or the hash of one that is stored.
    What is None is taken from the log (``started``, ``finished``) or from the swagger (``version``).
    """

    kind: RunKind
    logs: Sequence[Log]
    result: RunResult = RunResult.SUCCESS
    cluster: str | None = None
    job: str | None = None
    build: str | None = None
    pull: str | None = None
    app: str | None = None
    revision: str | None = None
    version: str | None = None
    started: datetime | None = None
    finished: datetime | None = None
    swagger: bytes | str | None = None
    pending: bytes | str | None = None
    ineligible: bytes | str | None = None


class RunService:
    """The runs of the store."""

    def __init__(self, store: Store, config: Config, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._config = config
        self._clock = clock

    def add(self, upload: RunUpload, *, progress: Progress = no_progress) -> tuple[Run, bool]:
        """Takes a run in; the run, and whether it is new: the same content is the same run.

        All of it is stored, documents included, or nothing. InputError and ParseError say what is wrong
        with the log or a document, RequestError what the upload lacks.
        """
        version, swagger = self._swagger(upload)
        lists = [self._list("pending", upload.pending), self._list("ineligible", upload.ineligible)]
        usage = read_usage(upload.logs, swagger, jobs=self._config.jobs, sampled=True, progress=progress)
        now = self._clock()
        with self._store.transaction():
            run = _make_run(
                upload,
                usage,
                now=now,
                version=version,
                swagger=self._keep_swagger(upload.swagger, swagger, now),
                pending=self._keep_list(upload.pending, lists[0], now),
                ineligible=self._keep_list(upload.ineligible, lists[1], now),
            )
            return run, self._store.runs.add(run, usage, recorded=now)

    def get(self, run_id: str) -> Run:
        """The run of that id. Raises NotFoundError."""
        return self._store.runs.get(run_id)

    def find(
        self,
        *,
        finished_in: Window | None = None,
        limit: int,
        offset: int = 0,
        **filters: Unpack[RunFilters],
    ) -> tuple[list[Run], int]:
        """Runs, the last finished first, and how many there are."""
        return self._store.runs.find(finished_in=finished_in, limit=limit, offset=offset, **filters)

    def summary(self, run_id: str) -> RunSummary:
        """A run's totals. Raises NotFoundError."""
        return self._store.runs.summary(run_id)

    def operations(
        self,
        run_id: str,
        *,
        level: Level | None = None,
        group: str | None = None,
        text: str | None = None,
        limit: int,
        offset: int = 0,
    ) -> tuple[list[UsedOperation], int]:
        """The operations that a run used, by id, and how many there are. Raises NotFoundError."""
        return self._store.runs.operations(
            run_id, level=level, group=group, text=text, limit=limit, offset=offset
        )

    def operation(self, run_id: str, operation_id: str) -> OperationUsage:
        """What a run used of one operation, with samples. Raises NotFoundError."""
        return self._store.runs.operation(run_id, operation_id)

    def results(self, run_id: str) -> list[StoredResult]:
        """The results of auditing the run alone. Raises NotFoundError."""
        return self._store.runs.results(run_id)

    def compare(self, run_id: str, baseline_id: str | None = None) -> tuple[Run, Comparison]:
        """A run beside another one, or beside its baseline; that other run, and what differs.

        Raises NotFoundError, also where no CI run can be the baseline.
        """
        run = self.get(run_id)
        baseline = self.get(baseline_id) if baseline_id else self._baseline(run)
        held = self._store.swaggers.holding(minor_version(run.version), run.finished)
        digest = run.swagger or (held.hash if held else None)
        swagger = self._store.swaggers.get(digest) if digest else Swagger(None, {})
        usage, other = self._store.runs.usage(run.id), self._store.runs.usage(baseline.id)
        return baseline, compare(usage, other, swagger)

    def delete(self, run_id: str) -> None:
        """Deletes a run, its usage and its results. Raises NotFoundError."""
        self._store.runs.delete(run_id)

    def _baseline(self, run: Run) -> Run:
        candidates, _ = self._store.runs.find(kind=RunKind.CI)
        chosen = choose_baseline(run, candidates, self._config.baseline)
        if not chosen:
            raise NotFoundError(explain_no_baseline(run, candidates, self._config.baseline))
        return chosen[0]

    def _swagger(self, upload: RunUpload) -> tuple[str | None, Swagger | None]:
        """The run's version, and the swagger that it brings, else the one that holds for that version."""
        minor = minor_version(upload.version)
        if upload.version and minor is None:
            raise RequestError(f"version: {upload.version} is none (expected one like v1.34.0)")
        match upload.swagger:
            case bytes() as document:
                swagger = _parsed("swagger", document, parse_swagger)
            case str() as digest:
                swagger = self._store.swaggers.get(digest)
            case None:
                held = self._store.swaggers.holding(minor, upload.finished or self._clock())
                if held is None:
                    return upload.version, None
                # A release's document names no version of its own: it was uploaded as that of one.
                return upload.version or held.version, self._store.swaggers.get(held.hash)
        return upload.version or swagger.version, swagger

    def _list(self, name: str, brought: bytes | str | None) -> EndpointList | None:
        match brought:
            case bytes() as text:
                return _parsed(name, text, parse_endpoint_list)
            case str() as digest:
                return self._store.lists.get(digest)
        return None

    def _keep_swagger(
        self, brought: bytes | str | None, swagger: Swagger | None, now: datetime
    ) -> str | None:
        if isinstance(brought, bytes) and swagger is not None:
            return self._store.swaggers.keep(brought, swagger, recorded=now)
        return brought if isinstance(brought, str) else None

    def _keep_list(
        self, brought: bytes | str | None, entries: EndpointList | None, now: datetime
    ) -> str | None:
        if isinstance(brought, bytes) and entries is not None:
            return self._store.lists.keep(brought, entries, recorded=now)
        return brought if isinstance(brought, str) else None


def _parsed(name: str, document: bytes, parse: Callable[[bytes], _Parsed]) -> _Parsed:
    """A document that an upload brings; a ParseError names it."""
    try:
        return parse(document)
    except ParseError as error:
        raise ParseError(f"{name}: {error}") from error


def _make_run(upload: RunUpload, usage: Usage, *, now: datetime, **documents: str | None) -> Run:
    """The run of an upload; its id follows from its origin, its documents and what it used.

    A report tells no times: without any given, it is of the time of its upload.
    """
    origin = {field.name: getattr(upload, field.name) for field in fields(Run) if hasattr(upload, field.name)}
    origin |= documents
    origin["started"] = origin["started"] or usage.first
    origin["finished"] = origin["finished"] or usage.last
    digest = _digest(origin, usage)
    if usage.imported:
        origin["finished"] = origin["finished"] or max(now, origin["started"] or now)
        origin["started"] = origin["started"] or origin["finished"]
    for name in ("started", "finished"):
        if origin[name] is None:
            raise RequestError(f"{name}: missing, and no event of the log tells it; give an RFC 3339 time")
    if origin["finished"] < origin["started"]:
        raise RequestError("finished: before started; check the two times")
    Window.day(origin["finished"])  # which the calendar must have: the run belongs to its AuditSet
    return Run(id=f"{upload.kind}-{digest[:12]}", **origin)


def _digest(origin: dict[str, Any], usage: Usage) -> str:
    """A hash of the content: neither how a log was packed or cut nor its file names count."""
    operations = {name: replace(used, samples=()) for name, used in usage.operations.items()}
    unmapped = {reason.value: replace(used, samples=()) for reason, used in usage.unmapped.items()}
    counted = replace(usage, operations=operations, unmapped={}, malformed_at=())
    return hashlib.sha256(msgspec.json.encode((origin, counted, unmapped), order="deterministic")).hexdigest()
