"""Runs: taken in from logs and reports, looked at, compared."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

import msgspec
from msgspec.structs import replace

from auditsvc.config import Config
from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.core.requesters import Requester, RequestFilter, SplitBy, split_value
from auditsvc.core.runs import Run, RunKind, RunResult, choose_baseline, explain_no_baseline
from auditsvc.core.swagger import Level, Operation, Swagger, minor_version, parse_swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, ParseError, RequestError, TooLargeError
from auditsvc.ingest import Log, Progress, no_progress, read_usage, require_swagger
from auditsvc.store import Store
from auditsvc.store.runs import RunFilters, RunSummary, UsedOperation

if TYPE_CHECKING:  # what compares and audits runs is not needed where one is taken in
    from auditsvc.core.beside import BesideRow, Only
    from auditsvc.core.comparison import Comparison
    from auditsvc.store.results import StoredResult

LONGEST_APP = 250
"""Characters of an application's name, which may come from anybody's user agent."""

MAX_POLICY_BYTES = 64 << 10
"""Many times what any has; linting takes time with the square of it."""

_Parsed = TypeVar("_Parsed")


class RunUpload(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made from: its logs (or one report), its origin, the documents that it brings.

    ``swagger``, ``pending``, ``ineligible`` and ``policy`` are a document's bytes or a stored one's hash.
    What is None is taken from the log (``started``, ``finished``) or from the swagger (``version``).

    An app run may be a part of its log, the requests that fit all that is given: ``agent`` is how the user
    agent starts, ``namespace`` that of the object, ``service_account`` (``NS:NAME``) whose rights were used.
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
    policy: bytes | str | None = None
    agent: str | None = None
    namespace: str | None = None
    service_account: str | None = None

    @property
    def part(self) -> RequestFilter:
        """Which of the log's requests are the run's; false where all are."""
        return RequestFilter(self.agent, self.namespace, self.service_account)


class OperationFilters(TypedDict, total=False):
    """Which operations are looked for; None is any."""

    level: Level | None
    group: str | None
    text: str | None


class _Documents(msgspec.Struct, frozen=True):
    """What an upload is mapped and classified with."""

    version: str | None
    swagger: Swagger | None
    pending: EndpointList | None
    ineligible: EndpointList | None


def uncounted(_kind: RunKind, _bytes: int, _events: int) -> None:
    """What was ingested, that nobody counts."""


class RunService:
    """The runs of the store. ``ingested`` is told of each log that was read: unpacked bytes, events."""

    def __init__(self, store: Store, config: Config, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self.ingested: Callable[[RunKind, int, int], None] = uncounted

    def add(self, upload: RunUpload, *, progress: Progress = no_progress) -> tuple[Run, bool]:
        """Takes a run in; the run, and whether it is new: the same content is the same run.

        All of it is stored, documents included, or nothing. InputError and ParseError say what is wrong
        with the log or a document, RequestError what the upload lacks.
        """
        documents = self._documents(upload)
        usage = self._read(upload, documents.swagger, progress)
        [kept] = self._keep([(upload, usage)], documents)
        return kept

    def add_split(
        self, upload: RunUpload, by: SplitBy, *, at_least: int = 1, progress: Progress = no_progress
    ) -> list[tuple[Run, bool]]:
        """Takes in an app run for each agent family, namespace or service account of a log, by name.

        Each run's application is called by that name. Left out are those with fewer requests than
        ``at_least``, and requests of none. Errors are those of :meth:`add`.
        """
        if upload.kind is not RunKind.APP or upload.app or upload.part:
            raise RequestError("a log is split into app runs called by what it is split by: give no app")
        documents = self._documents(upload)
        usages = self._read_parts(upload, documents.swagger, partial(split_value, by=by), progress)
        runs = [
            (replace(upload, app=name[:LONGEST_APP]), usage)
            for name, usage in usages.items()
            if usage.requests >= at_least
        ]
        return self._keep(runs, documents)

    def _documents(self, upload: RunUpload) -> _Documents:
        version, swagger = self._swagger(upload)
        lists = self._list("pending", upload.pending), self._list("ineligible", upload.ineligible)
        self._check_policy(upload.policy)
        return _Documents(version, swagger, *lists)

    def _keep(
        self, counted: Sequence[tuple[RunUpload, Usage]], documents: _Documents
    ) -> list[tuple[Run, bool]]:
        """Stores runs and the documents that they bring, all or none."""
        now = self._clock()
        kept = []
        with self._store.transaction():
            for upload, usage in counted:
                run = _make_run(
                    upload,
                    usage,
                    now=now,
                    version=documents.version,
                    swagger=self._keep_swagger(upload.swagger, documents.swagger, now),
                    pending=self._keep_list(upload.pending, documents.pending, now),
                    ineligible=self._keep_list(upload.ineligible, documents.ineligible, now),
                    policy=self._keep_policy(upload.policy, now),
                )
                kept.append((run, self._store.runs.add(run, usage, recorded=now)))
        if any(added for _, added in kept) and self._store.coverage.received():
            # What computes the tables is slow to import, and without conformance tests there are none.
            from auditsvc.service.coverage import record_coverage

            record_coverage(self._store, now=now)
        return kept

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

    def results(self, run_id: str) -> "list[StoredResult]":
        """The results of auditing the run alone. Raises NotFoundError."""
        return self._store.run_results.find(run_id)

    def compare(self, run_id: str, baseline_id: str | None = None) -> "tuple[Run, Comparison]":
        """A run beside another one, or beside its baseline; that other run, and what differs.

        Raises NotFoundError, also where no CI run can be the baseline.
        """
        from auditsvc.core.comparison import compare

        run = self.get(run_id)
        baseline = self.get(baseline_id) if baseline_id else self._baseline(run)
        held = self._store.swaggers.holding(minor_version(run.version), run.finished)
        digest = run.swagger or (held.hash if held else None)
        swagger = self._store.swaggers.get(digest) if digest else Swagger(None, {})
        usage, other = self._store.runs.usage(run.id), self._store.runs.usage(baseline.id)
        return baseline, compare(usage, other, swagger)

    def beside(
        self, run_ids: Sequence[str], only: "Only | None" = None, **filters: Unpack[OperationFilters]
    ) -> "tuple[list[Run], list[BesideRow]]":
        """Two runs or more beside each other: the runs, and what they used, by operationId.

        An operation is told of as the first of the runs knows it. Raises NotFoundError.
        """
        from auditsvc.core.beside import put_beside

        if len(run_ids) < 2:
            raise RequestError("run: name two runs or more, each in a parameter of its own")
        runs = list(map(self.get, run_ids))
        operations: dict[str, Operation] = {}
        for digest in map(self._store.runs.swagger, reversed(run_ids)):
            operations |= self._store.swaggers.get(digest).operations if digest else {}
        rows = put_beside([self._store.runs.usage(run.id) for run in runs], operations)
        return runs, [row for row in rows if row.is_any(only) and _fits(row, **filters)]

    def delete(self, run_id: str) -> None:
        """Deletes a run, its usage and its results. Raises NotFoundError."""
        self._store.runs.delete(run_id)

    def _read_parts(
        self,
        upload: RunUpload,
        swagger: Swagger | None,
        choose: Callable[[Requester], str | None],
        progress: Progress,
    ) -> dict[str, Usage]:
        from auditsvc.ingest.split import count_split  # few logs are split

        usages = count_split(upload.logs, require_swagger(swagger), choose, sampled=True, progress=progress)
        self.ingested(upload.kind, 0, sum(usage.events for usage in usages.values()))
        return usages

    def _read(self, upload: RunUpload, swagger: Swagger | None, progress: Progress) -> Usage:
        if upload.part:
            return self._read_part(upload, swagger, progress)
        read = 0

        def counting(more: int, events: int) -> None:
            nonlocal read
            read += more
            progress(more, events)

        usage = read_usage(upload.logs, swagger, jobs=self._config.jobs, sampled=True, progress=counting)
        self.ingested(upload.kind, read, usage.events)
        return usage

    def _read_part(self, upload: RunUpload, swagger: Swagger | None, progress: Progress) -> Usage:
        if upload.kind is not RunKind.APP:
            raise RequestError(f"{upload.part}: only a run of kind app is a part of a log")
        fits = upload.part.fits
        usages = self._read_parts(upload, swagger, lambda one: "" if fits(one) else None, progress)
        if not usages:
            raise RequestError(f"{upload.part}: the log has no request of it")
        return usages[""]

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

    def _check_policy(self, brought: bytes | str | None) -> None:
        """Refuses what is no policy, and a hash of none; one with mistakes is none the less one."""
        match brought:
            case bytes() as text:
                if len(text) > MAX_POLICY_BYTES:
                    raise TooLargeError(f"policy: larger than {MAX_POLICY_BYTES} bytes: no audit policy is")
                from auditsvc.core.policy import lint_policy  # slow to import, and few runs bring one

                _parsed("policy", text, lint_policy)
            case str() as digest:
                self._store.policies.text(digest)

    def _keep_policy(self, brought: bytes | str | None, now: datetime) -> str | None:
        return self._store.policies.keep(brought, recorded=now) if isinstance(brought, bytes) else brought


def _fits(
    row: "BesideRow", *, level: Level | None = None, group: str | None = None, text: str | None = None
) -> bool:
    operation = row.operation
    return (
        (level is None or (operation is not None and operation.level is level))
        and (group is None or (operation is not None and operation.group == group))
        and (text is None or text.lower() in row.id.lower())
    )


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
    origin = {name: getattr(upload, name) for name in Run.__struct_fields__ if hasattr(upload, name)}
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


class _Identity(msgspec.Struct):
    """The figures of a usage that its run's id follows from; a later one here would change every id."""

    operations: Any
    requests: Any
    mapped: Any
    unmapped: Any
    malformed: Any
    malformed_at: Any
    duplicates: Any
    incomplete: Any
    events: Any
    first: Any
    last: Any
    header: Any


class _Used(msgspec.Struct):
    """Likewise of one operation; ``samples`` tell file names, and are always none."""

    hits: Any
    codes: Any
    tests: Any
    agents: Any
    first: Any
    last: Any
    samples: Any = ()


def _identity_of(used: OperationUsage) -> _Used:
    return _Used(used.hits, used.codes, used.tests, used.agents, used.first, used.last)


def _digest(origin: dict[str, Any], usage: Usage) -> str:
    """A hash of the content: neither how a log was packed or cut nor its file names count."""
    operations = {name: _identity_of(used) for name, used in usage.operations.items()}
    unmapped = {reason.value: _identity_of(used) for reason, used in usage.unmapped.items()}
    identity = msgspec.convert(usage, _Identity, from_attributes=True)
    # A run without a policy is the one that it was before runs could bring one.
    told = {name: value for name, value in origin.items() if name != "policy" or value}
    counted = msgspec.structs.replace(identity, operations=operations, unmapped={}, malformed_at=())
    return hashlib.sha256(msgspec.json.encode((told, counted, unmapped), order="deterministic")).hexdigest()
