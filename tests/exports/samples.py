"""Values that the tests of several formats share."""

from datetime import UTC, datetime

from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.mapper import Unmapped
from auditsvc.core.results import AuditResult, FloatResult, MissingValue
from auditsvc.core.runs import Run, RunKind, Subject
from auditsvc.core.swagger import Level, Operation, Swagger
from auditsvc.core.usage import OperationUsage, Sample, Usage
from auditsvc.core.window import Window
from auditsvc.exports.report import AuditReport, Document, Place, Report, Seen

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 4, 12, 30, 1, 5, tzinfo=UTC)
CONFORMANCE = "[sig-node] Pods -- should be -- updated [Conformance]"

PODS = Operation(
    "listCoreV1Pod",
    "GET",
    "/api/v1/pods",
    Level.STABLE,
    deprecated=False,
    group="",
    version="v1",
    kind="Pod",
    action="list",
)
FLOWS = Operation(
    "createFlow",
    "POST",
    "/apis/flow/v1beta1/flows",
    Level.BETA,
    deprecated=True,
    group="flow",
    version="v1beta1",
)
SWAGGER = Swagger("v1.20.2", {operation.id: operation for operation in (PODS, FLOWS)})
EMPTY_SWAGGER = Swagger(None, {})

ODD_NAME = 'made,up "name"\nof | lines'
EMPTY = Usage({}, 0, 0)
USAGE = Usage(
    {
        "listCoreV1Pod": OperationUsage(
            7,
            codes={"2xx": 5, "4xx": 1, "none": 1},
            tests={CONFORMANCE: 2, "[sig-node] é": 1},
            agents={"kubectl": 4, "e2e.test": 3},
            first=NOON,
            last=LATER,
            samples=(Sample("audit.log", 3, '{"verb":"list"}'), Sample("audit.log", 9, '{"verb":"li')),
        ),
        "createFlow": OperationUsage(2, codes={"2xx": 2}),
        ODD_NAME: OperationUsage(1),
    },
    requests=13,
    mapped=10,
    unmapped={Unmapped.CUSTOM_RESOURCE: OperationUsage(1), Unmapped.NON_API: OperationUsage(2)},
    malformed=2,
    malformed_at=("audit.log:17", "audit.log:99"),
    duplicates=1,
    incomplete=4,
    events=15,
    first=NOON,
    last=LATER,
)


def run(run_id: str, *, pull: str | None = None) -> Run:
    """A pull run."""
    return Run(id=run_id, kind=RunKind.PULL, started=NOON, finished=LATER, pull=pull)


def audit(result: AuditResult, name: str = "AuditOperationEquality", *, by_run: bool = True) -> AuditReport:
    """A result of one audit type."""
    key = name.removeprefix("Audit")
    return AuditReport(
        name=name,
        key=key[:1].lower() + key[1:],
        description=f"What {name} <promises> & keeps.",
        result=result,
        by_run=by_run,
        places={"listed": Place("lists/pending eligible.yaml", 17)},
    )


PASSED = AuditResult(NOON, ("Results",), checked=3, notes=("3 entries",))
WARNED = AuditResult(
    NOON,
    ("Results",),
    checked=2,
    missing=(
        MissingValue("listed", "Endpoint listed found in the list but is beta", "remove it"),
        MissingValue("createFlow", "in pull run X, not in CI baseline Y", "nothing to do"),
        MissingValue("deleteFlow", "in pull run X, not in CI baseline Y", "nothing to do"),
    ),
)
FAILED = AuditResult(
    NOON,
    ("Runs",),
    checked=2,
    floats=(
        FloatResult("Runs", ("X", "added"), 1, 3, "createFlow, readFlow", "remove it"),
        FloatResult("Runs", ("X", "cost"), 0.1, 2.5),
    ),
    missing=(MissingValue("createFlow", "in pull run X, not in CI baseline Y", "remove it"),),
    notes=("Operation count mismatch", "net +3"),
)
STUCK = AuditResult(NOON, ("Runs",), problem="nothing to compare: no runs ever received")

REPORT = Report(
    title="auditsvc check",
    audits=(
        audit(FAILED),
        audit(WARNED, "AuditPendingReconciliation"),
        audit(PASSED, "AuditIneligibleConsistency", by_run=False),
        audit(STUCK, "AuditSwaggerTotal", by_run=False),
    ),
    window=Window.day(NOON),
    subjects=(run("X"),),
)
NOTHING = Report(title="auditsvc check")
SEEN = Seen(
    run="pull run X",
    event=Place("audit.log", 17),
    tests=(("[sig-x] flows", 4),),
    more_tests=2,
    runs=5,
    of=6,
)
SEEN_REPORT = replace(
    REPORT,
    audits=tuple(
        replace(one, operations=SWAGGER.operations, seen={"createFlow": SEEN}) for one in REPORT.audits
    ),
    documents=(Document("swagger", "api/swagger.json", "5" * 64), Document("pending", "", "9" * 64)),
    judged=(
        Subject(
            run("X"),
            USAGE,
            SWAGGER,
            EndpointLists(
                parse_endpoint_list("- listFlow\n"),
                parse_endpoint_list("- endpoint: x\n  reason: <b>\n  link: https://example.org/?a=1&b=2\n"),
            ),
        ),
    ),
)

# What a hostile log may have put into a name: nothing of it may break a document or drive a terminal.
HOSTILE = "a|b <script> `c` *d* [e](f) @admin\n\x00\x1b[31m\u202e\ud800\ufffe&amp; </details> ]]> é 日本 🎉"

texts = st.text(st.characters(), max_size=30) | st.sampled_from(["", HOSTILE, "n" * 5000])
results = st.builds(
    AuditResult,
    last_run=st.just(NOON),
    maps=st.just(("Runs",)),
    checked=st.integers(0, 10**9),
    floats=st.lists(
        st.builds(FloatResult, st.just("Runs"), st.tuples(texts), st.integers(), st.integers(), texts, texts),
        max_size=3,
    ).map(tuple),
    missing=st.lists(st.builds(MissingValue, texts, texts, texts), max_size=4).map(tuple),
    notes=st.lists(texts, max_size=2).map(tuple),
    problem=st.none() | texts,
)
AUDITS = ("AuditOperationEquality", "AuditPendingReconciliation", "AuditSwaggerTotal")
reports = st.builds(
    lambda title, outcomes, subjects, document: Report(
        title=title,
        audits=tuple(audit(result, name) for name, result in zip(AUDITS, outcomes, strict=False)),
        window=Window.day(NOON),
        subjects=tuple(run(name, pull=f"{number}") for number, name in enumerate(subjects)),
        document=document,
    ),
    texts,
    st.lists(results, max_size=len(AUDITS)),
    st.lists(texts, max_size=3, unique=True),
    texts,
)
