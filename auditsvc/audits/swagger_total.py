"""Adds up the stored catalogue, what runs counted, and what other tools' reports claim."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from auditsvc.audits._inputs import Catalogue, Settings
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.eligibility import Ledger, narrow
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.report import CALLS, ENDPOINTS
from auditsvc.core.runs import RecordedRun, Runs, Subject
from auditsvc.core.swagger import Operation, Swagger
from auditsvc.core.usage import ExercisedBy, Usage

_KEYS: dict[str, Callable[[Operation], str]] = {
    "TotalByGroup": lambda operation: "none" if operation.group is None else operation.group or "core",
    "TotalByLevel": lambda operation: str(operation.level),
    "TotalByMethod": lambda operation: operation.method,
}

_CATALOGUE = "upload the swagger document again: the stored catalogue is not what the document holds"
_COUNTS = "ingest the run again: its counts are not those of one log"
_REPORT = "fetch the report again: its rows are not those that its header counted"
_UNKNOWN = "record the run with the swagger of its own cluster; a name that a report made up itself can stay"
_TWO_PATHS = "give each path and method an operationId of its own in the swagger"


@audit(
    "AuditSwaggerTotal",
    key="swaggerTotal",
    maps=("TotalByGroup", "TotalByLevel", "TotalByMethod", "TotalByRun"),
    optional=("runs", "lists"),
)
def swagger_total(
    swagger: Swagger, catalogue: Catalogue, runs: Runs, lists: EndpointLists, settings: Settings
) -> Iterator[Observation]:
    """The totals add up.

    ``TotalByGroup``, ``TotalByLevel`` and ``TotalByMethod`` hold the swagger document against the stored
    catalogue. ``TotalByRun[run]["mapped"]`` holds the hits over all operations against the run's mapped
    requests, ``["requests"]`` mapped and unmapped ones against all. Of the totals in the header of
    test-infra's report two are by its format those of its rows: ``Total unique endpoints`` counts them,
    ``Total API calls`` is the sum of their counts; the others speak of what it left out.
    """
    for name, key in _KEYS.items():
        expected, actual = _totals(swagger.operations.values(), key), _totals(catalogue.operations, key)
        for total in sorted(expected | actual):
            yield Compared(name, (total,), expected[total], actual[total], resolution=_CATALOGUE)
    for recorded in _judged(runs):
        yield from _run_totals(recorded.run.id, recorded.usage)
    for subject in runs.subjects:
        yield Note(f"{subject.run}: {_ledger(subject, settings.exercised_by)}")
    if not runs.subjects:
        yield Note(_steps(narrow(swagger, lists, imported=False)))
    yield from _missing(swagger, runs)


def _totals(operations: Iterable[Operation], key: Callable[[Operation], str]) -> Counter[str]:
    return Counter(key(operation) for operation in operations)


def _judged(runs: Runs) -> Iterable[RecordedRun]:
    """The subjects and the runs of their baselines, each once."""
    recorded = [RecordedRun(subject.run, subject.usage) for subject in runs.subjects]
    for subject in runs.subjects:
        recorded += subject.baseline.runs if subject.baseline else ()
    return {found.run.id: found for found in recorded}.values()


def _run_totals(run: str, usage: Usage) -> Iterator[Compared]:
    hits = sum(used.hits for used in usage.operations.values())
    unmapped = sum(used.hits for used in usage.unmapped.values())
    yield _total(run, "mapped", hits, usage.mapped, _COUNTS)
    yield _total(run, "requests", usage.mapped + unmapped, usage.requests, _COUNTS)
    header = usage.header or {}
    for name, label, rows in (("endpoints", ENDPOINTS, len(usage.operations)), ("calls", CALLS, hits)):
        if label in header:
            yield _total(run, name, rows, header[label], _REPORT)


def _total(run: str, name: str, expected: int, actual: int, resolution: str) -> Compared:
    return Compared("TotalByRun", (run, name), expected, actual, resolution=resolution)


def _ledger(subject: Subject, by: ExercisedBy) -> str:
    """How the operations narrow down to the eligible, and what became of these."""
    ledger = narrow(subject.swagger, subject.lists, imported=subject.usage.imported)
    used = {name for name, operation in subject.usage.operations.items() if operation.is_exercised(by)}
    exercised = ledger.eligible & used
    pending = ledger.eligible & subject.lists.pending.names - used
    return (
        f"{_steps(ledger)} = {len(exercised)} exercised + {len(pending)} pending only + "
        f"{len(ledger.eligible - exercised - pending)} untested"
    )


def _steps(ledger: Ledger) -> str:
    return (
        f"{len(ledger.operations)} operations → {len(ledger.observable)} observable → "
        f"{len(ledger.current)} not deprecated → {len(ledger.stable)} stable → "
        f"{len(ledger.eligible)} eligible"
    )


def _missing(swagger: Swagger, runs: Runs) -> Iterator[Missing]:
    for subject in runs.subjects:
        for name in sorted(subject.usage.operations.keys() - subject.swagger.operations.keys()):
            yield Missing(name, f"exercised in {subject.run}, not in its swagger", _UNKNOWN)
    for other in swagger.duplicates:
        first = swagger.operations[other.id]
        found = f"operationId of both {first.method} {first.path} and {other.method} {other.path}"
        yield Missing(other.id, found, _TWO_PATHS)
