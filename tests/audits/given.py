"""What the tests of the audits are given: a small API, runs over it, and the inputs, all in memory."""

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from auditsvc.audits import Catalogue, Settings, find_audit_type, run_audit
from auditsvc.core.apps import Apps
from auditsvc.core.costs import CloudCost, CostHours, Costs
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.gate import GatedRelease
from auditsvc.core.releases import Releases
from auditsvc.core.report import CALLS, ENDPOINTS
from auditsvc.core.results import AuditResult
from auditsvc.core.runs import Baseline, RecordedRun, Run, RunKind, Runs, Subject
from auditsvc.core.submission import Submission
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
NOW = datetime(2026, 1, 17, tzinfo=UTC)
LINK = "https://example.org/why"
CONFORMANCE = "[sig-node] Pods should run [Conformance]"

# operationId: method, path, description
POD = "/api/v1/namespaces/{namespace}/pods/{name}"
API = {
    "createPod": ("post", "/api/v1/namespaces/{namespace}/pods", ""),
    "readPod": ("get", POD, ""),
    "deletePod": ("delete", POD, ""),
    "headPodProxy": ("head", f"{POD}/proxy", ""),
    "optionsPodProxy": ("options", f"{POD}/proxy", ""),
    "watchPod": ("get", "/api/v1/watch/namespaces/{namespace}/pods/{name}", "deprecated: use watch=true"),
    "listJob": ("get", "/apis/batch/v1/jobs", ""),
    "listCron": ("get", "/apis/batch/v1beta1/cronjobs", ""),
    "getVersion": ("get", "/version/", ""),
}
STABLE = ("createPod", "readPod", "deletePod", "listJob", "getVersion")


def swagger_of(api: Mapping[str, tuple[str, str, str]]) -> Swagger:
    """The swagger of some operations: method, path and description by operationId."""
    paths: dict[str, dict[str, object]] = {}
    for operation_id, (method, path, description) in api.items():
        group, version = _group_version(path)
        operation: dict[str, object] = {"operationId": operation_id, "description": description}
        if version:
            operation["x-kubernetes-group-version-kind"] = {
                "group": group,
                "version": version,
                "kind": "Kind",
            }
        paths.setdefault(path, {})[method] = operation
    return parse_swagger(json.dumps({"swagger": "2.0", "paths": paths}).encode())


def _group_version(path: str) -> tuple[str, str | None]:
    match path.strip("/").split("/"):
        case ["api", version, *_]:
            return "", version
        case ["apis", group, version, *_]:
            return group, version
    return "", None


SWAGGER = swagger_of(API)
CATALOGUE = Catalogue(tuple(SWAGGER.operations.values()))
NO_RUNS = Runs()
NO_RELEASES = Releases()
NO_APPS = Apps()
NO_LISTS = EndpointLists()
DEFAULTS = Settings()
DAY = Window.day(NOON)


def used(*operations: str, tests: Collection[str] = ()) -> Usage:
    """The usage of a log with one request of each operation, all of them made by the tests."""
    operation = OperationUsage(hits=1, codes={"2xx": 1}, tests=dict.fromkeys(tests, 1))
    return Usage(dict.fromkeys(operations, operation), requests=len(operations), mapped=len(operations))


def reported(*operations: str) -> Usage:
    """The same, as another tool's report has it."""
    header = {ENDPOINTS: len(operations), CALLS: len(operations)}
    rows = {name: OperationUsage(hits=1) for name in operations}
    return Usage(rows, requests=len(operations), mapped=len(operations), header=header)


def run(name: str = "p1", kind: RunKind = RunKind.PULL, *, before: timedelta = timedelta()) -> Run:
    """A run that finished that long before noon."""
    finished = NOON - before
    return Run(id=name, kind=kind, started=finished - timedelta(hours=1), finished=finished)


def held_against(*usages: Usage, quorum: int = 1) -> Baseline:
    """A baseline of ci runs ``c1``, ``c2``, …, each an hour older than the one before."""
    runs = (
        run(f"c{hours}", RunKind.CI, before=timedelta(hours=hours)) for hours in range(1, len(usages) + 1)
    )
    return Baseline(tuple(map(RecordedRun, runs, usages)), quorum)


def listing(*, pending: Collection[str] = (), ineligible: Collection[str] = ()) -> EndpointLists:
    """The two lists, with what an ineligible entry needs."""
    reasons = [{"endpoint": name, "reason": "a debug feature", "link": LINK} for name in ineligible]
    return EndpointLists(
        parse_endpoint_list(json.dumps(list(pending), indent=0)),
        parse_endpoint_list(json.dumps(reasons, indent=0)),
    )


def subject(
    usage: Usage,
    baseline: Baseline | None = None,
    *,
    of: Run | None = None,
    swagger: Swagger = SWAGGER,
    lists: EndpointLists | None = None,
    no_baseline: str = "",
) -> Subject:
    """A run under audit; pull run ``p1`` unless told otherwise."""
    return Subject(of or run(), usage, swagger, lists or listing(), baseline, no_baseline)


class Given(msgspec.Struct, frozen=True):
    """The inputs of a window; ``absent`` are the sources that were never received."""

    runs: Runs = NO_RUNS
    swagger: Swagger = SWAGGER
    catalogue: Catalogue = CATALOGUE
    lists: EndpointLists = NO_LISTS
    settings: Settings = DEFAULTS
    window: Window = DAY
    absent: frozenset[str] = frozenset()
    submitted: Submission | None = None
    logs: Runs = NO_RUNS
    releases: Releases = NO_RELEASES
    apps: Apps = NO_APPS

    @property
    def coverage(self) -> tuple[GatedRelease, ...]:
        """There is none: tests of the conformance gate give their own."""
        raise NoDataError("no coverage")

    @property
    def costs(self) -> Costs:
        """There are none: tests of the cost audits have inputs of their own."""
        raise NoDataError("no costs")

    @property
    def cloud_costs(self) -> tuple[CloudCost, ...]:
        """Nor any of these."""
        raise NoDataError("no cloud costs")

    @property
    def cost_hours(self) -> CostHours:
        """Nor these."""
        raise NoDataError("no hours")

    @property
    def submission(self) -> Submission:
        """Nor this one, unless a test is about it."""
        if self.submitted is None:
            raise NoDataError("no submission")
        return self.submitted

    def received(self, source: str) -> bool:
        """Whether the source was ever received."""
        return source not in self.absent and (source != "submission" or self.submitted is not None)


def judging(*subjects: Subject, settings: Settings = DEFAULTS) -> Given:
    """The inputs of a window with these subjects: the last one's swagger and lists hold for it."""
    last = subjects[-1]
    catalogue = Catalogue(tuple(last.swagger.operations.values()))
    runs = Runs(subjects)
    return Given(runs, last.swagger, catalogue, last.lists, settings, logs=runs)


def outcome(audit_type: str, inputs: Given) -> AuditResult:
    """The result of one audit."""
    return run_audit(find_audit_type(audit_type), inputs, now=NOW)


def floats(result: AuditResult) -> dict[tuple[str, ...], tuple[float, float]]:
    """The hard findings: expected and actual by path, the map first."""
    return {(found.map, *found.path): (found.expected, found.actual) for found in result.floats}


def missing(result: AuditResult) -> list[tuple[str, str]]:
    """The soft findings: key and description."""
    return [(found.key, found.description) for found in result.missing]
