"""Our JSON on the wire: what a request may say, and the shape of every answer but the AuditSets.

Those are bytes of Kubecost's shape, made in :mod:`auditsvc.core.results`. Each field's metadata is its
documentation in openapi.yaml. Times are RFC 3339, in UTC with ``Z`` when written.
"""

import math
import types
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

import msgspec
from marshmallow import EXCLUDE, Schema, fields, validate

from auditsvc.core.beside import Difference, Only
from auditsvc.core.breakdown import GroupedBy
from auditsvc.core.events import render_time
from auditsvc.core.releases import release_name
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.core.swagger import METHODS, Level
from auditsvc.core.usage import ExercisedBy

MAX_PAGE = 1000
"""The most items that one answer lists."""

MAX_BESIDE = 20
"""The most runs that one answer puts beside each other."""

JOB_STATES = ("queued", "running", "done", "failed", "interrupted")
LIST_KINDS = ("pending", "ineligible")
COST_KINDS = ("allocations", "assets", "cloudcosts", "totals", "aggregates")
COST_ORIGINS = ("uploaded", "fetched", "own")
COVERAGE_TABLES = ("releases", "progress")
COVERAGE_ORIGINS = ("own", "apisnoop")
TOKEN_ROLES = ("reader", "writer", "admin")
"""As the store has them; a test holds the two together."""

VERSION = r"^v?[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4}([.+-][0-9A-Za-z.+-]{1,50})?)?$"
"""What a version of Kubernetes looks like: v1.34.0, 1.34, v1.35.0-rc.1."""

LIFETIME = r"^([1-9][0-9]{0,3})([hdw])$"
"""For how long a token holds: 12h, 90d, 52w."""

_MAX_OFFSET = 1_000_000_000
_HASH_EXAMPLE = "6b51d431df5d7f141cbececcf79edf3dd861c3b4069f0b11661a3eefacbba918"
_TIME_EXAMPLE = "2026-01-31T12:00:00.000000Z"
_RUN_EXAMPLE = "pull-1b4f0e985197"
_OPERATION_EXAMPLE = "listCoreV1NamespacedPod"


def _about(description: str, *examples: object, **more: object) -> dict[str, Any]:
    """A field's metadata: what it means, and what it looks like."""
    return {"description": description, **({"examples": list(examples)} if examples else {}), **more}


def _parse_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError:  # in UTC it is before the first or after the last hour of the calendar
        pass
    raise ValueError(text)


class Time(fields.DateTime):
    """A moment: read with any offset, written in UTC with ``Z``."""

    # Not ClassVars, as marshmallow does not declare them so.
    SERIALIZATION_FUNCS = {"iso": render_time}  # noqa: RUF012
    DESERIALIZATION_FUNCS = {"iso": _parse_time}  # noqa: RUF012
    default_error_messages = {"invalid": "not an RFC 3339 time such as 2026-01-31T12:00:00Z"}  # noqa: RUF012


# ------------------------------------------------------------------------------------------- requests


class ArgumentsSchema(Schema):
    """What a request may say; anything else is refused by name.

    ``forms`` are the media types of bodies whose fields are read like those of the query.
    """

    forms: ClassVar[frozenset[str]] = frozenset()
    error_messages = {"unknown": "unknown parameter"}  # noqa: RUF012 - marshmallow declares no ClassVar


def _optional(description: str, *examples: object) -> fields.String:
    """A text that may be left out, but not be empty: an unset variable of a CI job is a mistake."""
    return fields.String(validate=validate.Length(1, 250), metadata=_about(description, *examples))


def _optional_time(description: str, name: str | None = None) -> Time:
    return Time(data_key=name, metadata=_about(description, _TIME_EXAMPLE))


def _optional_hash(document: str) -> fields.String:
    return fields.String(
        validate=validate.Regexp("^[0-9a-f]{64}$", error="not the hash of a stored document"),
        metadata=_about(
            f"The hash of a stored {document}, where the run does not bring its own", _HASH_EXAMPLE
        ),
    )


def window_field(*, required: bool = False) -> fields.String:
    """A window in the grammar of :func:`auditsvc.core.window.parse_window`, which reads it."""
    return fields.String(
        required=required,
        error_messages={"required": "missing: say which time range is meant"},
        metadata=_about(
            "A time range: `today`, `yesterday`, `week`, `month`, `lastweek`, `lastmonth`; `7d`, `12h`, "
            "`7d offset 1w`; or two Unix times, RFC 3339 times or dates with a comma between",
            *("7d", "2026-01-30,2026-01-31", "2026-01-30T00:00:00Z,2026-01-31T00:00:00Z"),
            format="window",
        ),
    )


class PageArgumentsSchema(ArgumentsSchema):
    """Which part of a list is asked for."""

    limit = fields.Integer(
        load_default=100,
        validate=validate.Range(1, MAX_PAGE),
        metadata=_about("The most items to list"),
    )
    offset = fields.Integer(
        load_default=0,
        validate=validate.Range(0, _MAX_OFFSET),
        metadata=_about("How many items to leave out before them"),
    )


class OperationFiltersSchema(PageArgumentsSchema):
    """Which operations are asked for."""

    level = fields.Enum(Level, by_value=fields.String, metadata=_about("Only operations of this level"))
    group = fields.String(
        metadata=_about("Only operations of this API group; empty for the core group", "apps"),
    )
    text = _optional("Only operations whose operationId contains this, in any case", "pod")


class RunFiltersSchema(PageArgumentsSchema):
    """Which runs are asked for."""

    kind = fields.Enum(RunKind, by_value=fields.String, metadata=_about("Only runs of this kind"))
    cluster = _optional("Only runs of the cluster with this label")
    job = _optional("Only runs of this CI job")
    pull = _optional("Only runs of this pull request", "123456")
    app = _optional("Only runs of this application")
    result = fields.Enum(RunResult, by_value=fields.String, metadata=_about("Only runs that ended so"))
    window = window_field()


class RunUploadSchema(ArgumentsSchema):
    """Where an uploaded run comes from, in the query or as fields of a multipart form."""

    forms = frozenset({"multipart/form-data"})

    kind = fields.Enum(
        RunKind,
        by_value=fields.String,
        required=True,
        error_messages={"required": "missing: say which kind of run it is (ci, pull, app or live)"},
        metadata=_about(
            "`ci` (the periodic baseline), `pull` (a pull request), `app` (an application's use), `live`"
        ),
    )
    result = fields.Enum(
        RunResult,
        by_value=fields.String,
        load_default=RunResult.SUCCESS,
        metadata=_about("How the job behind the run ended; only a successful `ci` run can be a baseline"),
    )
    cluster = _optional("A label of the cluster; runs are compared within one label", "kind-conformance")
    job = _optional("The CI job", "pull-kubernetes-e2e-kind")
    build = _optional("The job's build number", "1874")
    pull = _optional("The pull request's number", "123456")
    app = _optional("The application", "argo-cd")
    revision = _optional("The revision under test", "4f6ad1c")
    version = fields.String(
        validate=validate.Regexp(VERSION, error="not a version such as v1.34.0"),
        metadata=_about("Kubernetes' version; by default that of its swagger", "v1.34.0"),
    )
    started = _optional_time("When the run started; by default its first event")
    finished = _optional_time("When it finished, which is the day it counts for; by default its last event")
    swagger = _optional_hash("swagger document")
    pending = _optional_hash("pending list")
    ineligible = _optional_hash("ineligible list")
    policy = _optional_hash("audit policy")
    agent = _optional("Of an app run: only the requests whose user agent starts so", "argocd-server/")
    namespace = _optional("Of an app run: only the requests in that namespace", "argocd")
    service_account = _optional(
        "Of an app run: only the requests with the rights of that service account, as NS:NAME; where a user "
        "is impersonated, with that one's",
        "argocd:argocd-server",
    )


class CompareArgumentsSchema(ArgumentsSchema):
    """What a run is compared with."""

    baseline = _optional("The other run; by default the run's own CI baseline", "ci-c0d4f0e98519")


class BesideArgumentsSchema(OperationFiltersSchema):
    """Which runs are put beside each other, and which operations are asked for."""

    run = fields.List(
        fields.String(validate=validate.Length(1, 250)),
        required=True,
        validate=validate.Length(2, MAX_BESIDE, error="name from 2 to {max} runs, each in its own `run`"),
        error_messages={"required": "missing: name two runs or more, each in a `run` of its own"},
        metadata=_about("The runs; the others are held against the first. To be repeated"),
    )
    differing = fields.Enum(
        Only,
        by_value=fields.String,
        data_key="only",
        metadata=_about(
            "Only operations that any run `added`, `removed` or hit more or less often (`changed`) than the "
            "first, or whose `tests` are not the same in all runs"
        ),
    )


class AppFiltersSchema(PageArgumentsSchema):
    """Which applications are asked for."""

    text = _optional("Only applications with this in their name, in any case", "argo")


class AppArgumentsSchema(ArgumentsSchema):
    """By which of its runs an application is told of."""

    run = _optional("One of its runs; by default the newest", "app-1b4f0e985197")


class ExportArgumentsSchema(ArgumentsSchema):
    """Of which applications a file is asked for."""

    app = fields.List(
        fields.String(validate=validate.Length(1, 250)),
        load_default=[],
        metadata=_about("Only of this application; may be repeated. By default of all"),
    )


class HoldArgumentsSchema(ArgumentsSchema):
    """From when on an uploaded document holds."""

    holds_from = _optional_time(
        "From when on the document holds, until the next one does; by default now", "from"
    )


class AtArgumentsSchema(ArgumentsSchema):
    """At which time is asked."""

    at = _optional_time("The list that held at this time; by default now")


def _release_field(description: str, name: str | None = None) -> fields.String:
    return fields.String(
        data_key=name,
        validate=validate.Regexp(VERSION, error="not a version such as v1.34.0"),
        metadata=_about(description, "1.34.0"),
    )


class CoverageArgumentsSchema(PageArgumentsSchema):
    """As of which release coverage is asked for."""

    as_of = _release_field("As it was computed when this release was the newest; by default as known now")


class CoverageHistoryArgumentsSchema(PageArgumentsSchema):
    """Of which release what was kept is asked for."""

    release = _release_field("Only what was computed when this release was the newest")


class NewArgumentsSchema(PageArgumentsSchema):
    """Of which release new endpoints are asked for."""

    release = _release_field("The release; by default the newest of which the operations are known")


def _several(field: fields.Field[Any], description: str, **more: object) -> fields.List[Any]:
    """A parameter that may be repeated; without it, no limit."""
    return fields.List(field, load_default=[], metadata=_about(f"{description}; may be repeated", **more))


class EndpointFiltersSchema(PageArgumentsSchema):
    """Which endpoints of which release are asked for."""

    release = _release_field("The release; by default the newest of which the operations are known")
    group = _several(
        fields.String(metadata=_about("An API group; empty for the core group", "apps")),
        "Only endpoints of this API group, where empty is the core group",
    )
    category = _several(_optional("A category", "core"), "Only endpoints of this category")
    kind = _several(_optional("A kind", "Pod"), "Only endpoints of this kind")
    action = _several(_optional("Kubernetes' word for it", "list"), "Only endpoints that do this")
    exclude_ineligible = fields.Boolean(
        load_default=False, metadata=_about("Leaves out what is on the ineligible list")
    )
    exclude_pending = fields.Boolean(
        load_default=False, metadata=_about("Leaves out what is on the pending list")
    )
    text = _optional("Only endpoints whose operationId contains this, in any case", "pod")


class BreakdownArgumentsSchema(EndpointFiltersSchema):
    """Of what coverage is asked for, and how it is grouped."""

    run = _optional("The coverage of this run, rather than of a release", _RUN_EXAMPLE)
    by = fields.List(
        fields.Enum(GroupedBy, by_value=fields.String),
        load_default=[GroupedBy.LEVEL],
        validate=validate.Length(min=1),
        metadata=_about(
            "What the endpoints of a row have in common; may be repeated, and rows are then nested in that "
            "order. By `agent` there is a row for each user agent family that hit one of the endpoints, over "
            "all of them: only its hits are known"
        ),
    )
    metric = fields.Enum(
        ExercisedBy,
        by_value=fields.String,
        load_default=ExercisedBy.CONF_TESTED,
        metadata=_about("What `percent` is of, and what the rows with the most of come first"),
    )
    level = _several(
        fields.Enum(Level, by_value=fields.String, metadata=_about("A level")), "Only endpoints of this level"
    )
    conformance_only = fields.Boolean(
        load_default=False,
        metadata=_about("Only what conformance is about: stable, not deprecated, not on the ineligible list"),
    )


class E2eTestFiltersSchema(PageArgumentsSchema):
    """Which e2e tests are asked for."""

    test = fields.String(
        validate=validate.Length(1, 2000), metadata=_about("Only the test of this very name")
    )
    text = _optional("Only tests with this in their name, in any case", "pods")
    sig = _optional("Only tests of this special interest group", "sig-node")
    tag = _optional("Only tests with this in brackets in their name", "NodeConformance")
    conformance = fields.Boolean(metadata=_about("Only conformance tests, or only others"))


class NewTestArgumentsSchema(PageArgumentsSchema):
    """Which test is being written."""

    agent = fields.String(
        required=True,
        validate=validate.Length(1, 250),
        error_messages={"required": "missing: say by which user agent the new test calls the API"},
        metadata=_about(
            "Its user agent; all that are alike up to the first `/` or space count", "live-test-writing"
        ),
    )
    run = _optional("In this run; by default in the last finished one that has the agent", _RUN_EXAMPLE)


class WebhookArgumentsSchema(ArgumentsSchema):
    """What an API server adds to the URL that it is given."""

    timeout = _optional("How long it waits for the answer", "30s")


class EventsArgumentsSchema(WebhookArgumentsSchema):
    """Which cluster's events are sent."""

    cluster = _optional("A label of the cluster", "production")
    version = fields.String(
        validate=validate.Regexp(VERSION, error="not a version such as v1.34.0"),
        metadata=_about("The cluster's version; by default the highest that is stored", "v1.34.0"),
    )


class ReleaseArgumentsSchema(ArgumentsSchema):
    """When a release came out."""

    day = fields.Date(
        data_key="date",
        error_messages={"invalid": "not a date such as 2025-08-27"},
        metadata=_about("The day on which it came out; without it, it is not out yet", "2025-08-27"),
    )


class ConformanceTestFiltersSchema(PageArgumentsSchema):
    """Which conformance tests are asked for."""

    version = _release_field("Those of this release; by default of the newest that has some")
    text = _optional("Only tests with this in their name or title, in any case", "pods")
    sig = _optional("Only tests of this special interest group", "sig-node")
    tag = _optional("Only tests with this in brackets in their name", "NodeConformance")


class JobFiltersSchema(PageArgumentsSchema):
    """Which jobs are asked for."""

    state = fields.String(validate=validate.OneOf(JOB_STATES), metadata=_about("Only jobs in this state"))


def types_field(names: Sequence[str]) -> fields.List[Any]:
    """Audits by type or key, out of those names."""
    return fields.List(
        fields.String(metadata={"enum": names}),
        load_default=[],
        metadata={"description": "Only these audits, by type or key; may be repeated. By default all"},
    )


class TokenOrderSchema(ArgumentsSchema):
    """What a new token is for."""

    role = fields.String(
        required=True,
        validate=validate.OneOf(TOKEN_ROLES),
        error_messages={
            "required": "missing: a parameter or form field that says what it allows (reader, writer, admin)"
        },
        metadata=_about("What it allows: to read, to write too, or all"),
    )
    name = _optional("Whose it is, for people", "ci")
    expires = fields.String(
        validate=validate.Regexp(LIFETIME, error="not a duration such as 12h, 90d or 52w"),
        metadata=_about("After how long it expires; without it, never", "90d"),
    )


class WindowArgumentsSchema(ArgumentsSchema):
    """Which window is meant."""

    window = window_field(required=True)


class CostFiltersSchema(PageArgumentsSchema):
    """Which cost data is asked for."""

    kind = fields.String(validate=validate.OneOf(COST_KINDS), metadata=_about("Only documents of this kind"))
    window = window_field()


class ExplanationArgumentsSchema(WindowArgumentsSchema):
    """Which difference is to be explained."""

    type = fields.String(
        required=True,
        error_messages={"required": "missing: say which audit found it"},
        metadata=_about("The audit, by type or key", "AuditClusterEquality"),
    )
    key = fields.String(
        required=True,
        error_messages={"required": "missing: say which of its differences is meant"},
        metadata=_about(
            "The path to the difference in the audit's result, with or without the map before it",
            "cluster-one",
            "Clusters/cluster-one",
        ),
    )
    limit = fields.Integer(
        load_default=100,
        validate=validate.Range(1, MAX_PAGE),
        metadata=_about("The most rows to list of either side"),
    )


# -------------------------------------------------------------------------------------------- answers


class AnswerSchema(Schema):
    """What the API gives: every field is always there, null where nothing is known."""

    class Meta:
        """A newer auditsvc may add fields, so a client must not count on there being no others."""

        unknown = EXCLUDE

    def __init_subclass__(cls) -> None:
        """Makes the docstring the description in openapi.yaml."""
        cls.Meta = type("Meta", (cls.Meta,), {"description": cls.__doc__})  # type: ignore[assignment, misc]

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:  # noqa: ARG002 - marshmallow's hook
        """Documents the field as always there."""
        field_obj.required = True


def _text(description: str, *examples: object, **more: Any) -> fields.String:
    return fields.String(metadata=_about(description, *examples), **more)


def _perhaps(description: str, *examples: object) -> fields.String:
    return _text(description, *examples, allow_none=True)


def _count(description: str, *examples: object, **more: Any) -> fields.Integer:
    return fields.Integer(metadata=_about(description, *examples, minimum=0), **more)


def _counts(description: str, **example: int) -> fields.Dict:
    number = fields.Integer(metadata={"minimum": 0})
    return fields.Dict(keys=fields.String(), values=number, metadata=_about(description, example))


def _flag(description: str) -> fields.Boolean:
    return fields.Boolean(metadata=_about(description))


def _time(description: str, **more: Any) -> Time:
    return Time(metadata=_about(description, _TIME_EXAMPLE), **more)


class RunSchema(AnswerSchema):
    """A run: one recorded use of a cluster."""

    id = _text("Its name; it follows from the content, so the same content is the same run", _RUN_EXAMPLE)
    kind = fields.Enum(RunKind, by_value=fields.String, metadata=_about("Where it comes from"))
    result = fields.Enum(RunResult, by_value=fields.String, metadata=_about("How the job behind it ended"))
    cluster = _perhaps("The cluster's label", "kind-conformance")
    job = _perhaps("The CI job", "pull-kubernetes-e2e-kind")
    build = _perhaps("The job's build number", "1874")
    pull = _perhaps("The pull request's number", "123456")
    app = _perhaps("The application")
    revision = _perhaps("The revision under test", "4f6ad1c")
    version = _perhaps("Kubernetes' version", "v1.20.2")
    started = _time("When it started")
    finished = _time("When it finished; it belongs to this UTC day")
    swagger = _perhaps("The hash of the swagger document that it brought", _HASH_EXAMPLE)
    pending = _perhaps("The hash of the pending list that it brought")
    ineligible = _perhaps("The hash of the ineligible list that it brought")
    policy = _perhaps("The hash of the audit policy that it brought", _HASH_EXAMPLE)


class GapSchema(AnswerSchema):
    """A pause of an audit log."""

    start = _time("The last event before it")
    seconds = fields.Float(metadata=_about("How long nothing was logged", 12.5))


class DeprecatedUseSchema(AnswerSchema):
    """Requests of one client that the API server marked as deprecated."""

    agent = _text("The user agent's family", "kube-controller-manager")
    name = _text("Its operationId, else group/version/resource", "listPolicyV1beta1PodSecurityPolicy")
    removed_release = _text("The release that no longer serves it; empty where the server named none", "1.22")
    requests = _count("Requests, each counted once", 3)


class RunSummarySchema(AnswerSchema):
    """A run's totals."""

    requests = _count("Requests, each counted once whatever stages were logged", 5303)
    mapped = _count("Requests of an operation of the swagger", 5230)
    unmapped = _counts("Requests of no operation, by reason", **{"custom-resource": 12, "non-api": 61})
    operations = _count("Operations that were requested", 508)
    malformed = _count("Lines that are no audit event", 0)
    duplicates = _count("Completions that were logged again", 0)
    incomplete = _count("Requests that were still open when the log ended", 2)
    events = _count("Audit events", 5303)
    first = _time("The first request", allow_none=True)
    last = _time("The last request", allow_none=True)
    imported = _flag("Whether another tool mapped the requests: the run is that tool's report")
    backwards = fields.Integer(
        allow_none=True,
        metadata=_about("Events more than 2 s older than the one before them in the log; null: unknown", 0),
    )
    gaps = fields.List(
        fields.Nested(GapSchema),
        allow_none=True,
        metadata=_about("The longest pauses of the log, of 10 s and more, longest first; null: unknown"),
    )
    never_completed = fields.Integer(
        allow_none=True,
        metadata=_about(
            "Requests open for more than 60 s that the API server should have ended: no watches and the "
            "like; null: unknown",
            0,
        ),
    )
    deprecated = fields.List(
        fields.Nested(DeprecatedUseSchema),
        allow_none=True,
        metadata=_about("Requests that the API server marked as deprecated, by client; null: unknown"),
    )


class RunDetailSchema(RunSchema):
    """A run with its totals."""

    summary = fields.Nested(RunSummarySchema, metadata=_about("Its totals"))


class OperationSchema(AnswerSchema):
    """An operation of a swagger document."""

    id = _text("Its operationId", _OPERATION_EXAMPLE)
    method = fields.String(
        metadata=_about("The HTTP method", "GET", enum=[method.upper() for method in METHODS])
    )
    path = _text("The path as the swagger has it", "/api/v1/namespaces/{namespace}/pods")
    level = fields.Enum(Level, by_value=fields.String, metadata=_about("How much of a promise it is"))
    deprecated = _flag("Whether its description says that it is deprecated")
    category = _perhaps("The first tag up to its first `_`", "core")
    group = _perhaps("The API group; empty for the core group", "apps")
    version = _perhaps("The API version", "v1")
    kind = _perhaps("The kind", "Pod")
    action = _perhaps("Kubernetes' word for what it does", "list")
    resource = _perhaps("The resource", "pods")
    description = _text("Its description in the swagger", "list or watch objects of kind Pod")


class _UsageSchema(AnswerSchema):
    """How often and by whom a run requested an operation; made from a UsedOperation."""

    id = _text("Its operationId", _OPERATION_EXAMPLE)
    hits = _count("Requests", 34)
    success_hits = _count("Requests answered 1xx to 3xx", 31)
    conformance_hits = _count("Requests by conformance tests", 12)
    codes = _counts("Requests by class of response code", **{"2xx": 31, "4xx": 3})
    agents = _counts("Requests by user agent family", **{"e2e.test": 30, "kubectl": 4})
    first = _time("The first request", allow_none=True)
    last = _time("The last request", allow_none=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """From the usage, but what is the operation's own."""
        owner = obj if attr in ("id", "operation") else obj.used
        return super().get_attribute(owner, attr, default)


def _exercised(description: str, by: ExercisedBy) -> fields.Function:
    about = _about(description, type="boolean")
    return fields.Function(lambda one: one.used.is_exercised(by), metadata=about)


class UsedOperationSchema(_UsageSchema):
    """An operation that a run requested, beside what the run's swagger says of it."""

    tested = _exercised("Whether an e2e test requested it", ExercisedBy.TESTED)
    conf_tested = _exercised("Whether a conformance test requested it", ExercisedBy.CONF_TESTED)
    operation = fields.Nested(
        OperationSchema, allow_none=True, metadata=_about("The operation; null where the swagger lacks it")
    )


class SampleSchema(AnswerSchema):
    """An audit event as it was logged, without request and response objects."""

    file = _text("The file's name", "audit.log")
    line = _count("The line in it, from 1", 17)
    event = _text("The event's JSON, at most 8 KB of it")


class OperationUsageSchema(_UsageSchema):
    """All that is known of a run's use of an operation."""

    tests = _counts("Requests by e2e test", **{"[sig-node] Pods should be updated [Conformance]": 12})
    samples = fields.List(
        fields.Nested(SampleSchema), metadata=_about("The first audit events, five at most")
    )


class ChangeSchema(AnswerSchema):
    """An operation's hits in a run and in the run that it is compared with."""

    id = _text("Its operationId", _OPERATION_EXAMPLE)
    hits = _count("Requests in the run", 34)
    baseline_hits = _count("Requests in the baseline", 0)
    operation = fields.Nested(
        OperationSchema, allow_none=True, metadata=_about("The operation; null where the swagger lacks it")
    )


def _changes(description: str, name: str) -> fields.List[Any]:
    changes = fields.Nested(ChangeSchema)
    return fields.List(changes, attribute=f"comparison.{name}", metadata=_about(description))


class ComparisonSchema(AnswerSchema):
    """What a run used beside what another one did."""

    run = _text("The run", _RUN_EXAMPLE)
    baseline = fields.Nested(RunSchema, metadata=_about("The run that it is compared with"))
    added = _changes("Operations that only the run requested", "added")
    removed = _changes("Operations that only the baseline requested", "removed")
    changed = _changes("Operations that both requested, more or less often", "changed")
    unchanged = fields.Integer(
        attribute="comparison.unchanged",
        metadata=_about("How many operations both requested as often", minimum=0),
    )


class MovedTestSchema(AnswerSchema):
    """A test that requested an operation in one run and not in another."""

    test = _text("The test's name", "[sig-node] Pods should be updated [Conformance]")
    hits = fields.List(
        fields.Integer(allow_none=True, metadata={"minimum": 0}),
        metadata=_about("Its requests in each run; null in another tool's report", [12, 0]),
    )


class BesideRowSchema(AnswerSchema):
    """An operation in several runs, in the order of `runs`; what follows the first is held against it."""

    id = _text("Its operationId", _OPERATION_EXAMPLE)
    hits = fields.List(
        fields.Integer(metadata={"minimum": 0}), metadata=_about("Requests in each run", [34, 0, 36])
    )
    differences = fields.List(
        fields.Enum(Difference, by_value=fields.String),
        metadata=_about("What it is in each run but the first, beside that", ["removed", "changed"]),
    )
    deltas = fields.List(
        fields.Integer(), metadata=_about("How many requests more than in the first there are", [-34, 2])
    )
    tests = fields.List(
        fields.Nested(MovedTestSchema),
        metadata=_about("The tests that requested it in one of the runs and not in another"),
    )
    operation = fields.Nested(
        OperationSchema, allow_none=True, metadata=_about("The operation; null where no swagger has it")
    )


class AppSchema(AnswerSchema):
    """An application, and what one of its runs used."""

    app = _text("Its name; the run's id where that names none", "argo-cd", attribute="record.name")
    runs = fields.Integer(attribute="record.runs", metadata=_about("Its runs", 3, minimum=1))
    first = _time("When the first of them started", attribute="record.first")
    last = _time("When the last of them finished", attribute="record.last")
    run = _text("The run that is told of", "app-1b4f0e985197", attribute="app.run.id")
    version = _text("Kubernetes' version there", "v1.34.0", attribute="app.run.version", allow_none=True)
    stable = _count("Stable operations that it used", 31, attribute="counts.stable")
    beta = _count("Beta operations", 2, attribute="counts.beta")
    alpha = _count("Alpha operations", 0, attribute="counts.alpha")
    not_in_swagger = _count(
        "Operations that the swagger of its run lacks", 0, attribute="counts.not_in_swagger"
    )
    total = _count("All of them", 33, attribute="counts.total")
    deprecated = _count("Those that are deprecated, whatever their level", 0, attribute="counts.deprecated")
    conf_tested = fields.Integer(
        attribute="counts.conf_tested",
        allow_none=True,
        metadata=_about(
            "Those that conformance tests are known to hit; null where nothing tells", 29, minimum=0
        ),
    )
    level = fields.Enum(
        Level,
        by_value=fields.String,
        attribute="counts.level",
        allow_none=True,
        metadata=_about("The least level of them; null where none is known"),
    )
    portable = fields.Boolean(
        attribute="portability.portable",
        metadata=_about(
            "Whether it depends on stable operations only that are not deprecated and that each newer stored "
            "release serves"
        ),
    )


class CategoryCountSchema(AnswerSchema):
    """How many operations of a level and category an application used."""

    level = fields.Enum(Level, by_value=fields.String, metadata=_about("The level"))
    category = _perhaps("The category", "core")
    operations = _count("How many", 14)


class ServedSchema(AnswerSchema):
    """What a release lacks of what an application depends on."""

    release = _text("The release", "1.34.0")
    newer = _flag("Whether it is newer than the one that the application ran on")
    lacks = fields.List(fields.String(), metadata=_about("The operations that it does not serve"))


class AppOperationSchema(AnswerSchema):
    """An operation that an application used."""

    id = _text("Its operationId", _OPERATION_EXAMPLE)
    hits = _count("Requests", 34)
    conf_tested = fields.Boolean(
        allow_none=True,
        metadata=_about("Whether conformance tests are known to hit it; null where nothing tells"),
    )
    operation = fields.Nested(
        OperationSchema, allow_none=True, metadata=_about("The operation; null where the swagger lacks it")
    )


class AppDetailSchema(AppSchema):
    """An application: what it used in detail, and where else it would work."""

    oldest_release = _text(
        "The oldest stored release that serves all that it depends on; null: none does",
        "1.28.0",
        attribute="portability.oldest",
        allow_none=True,
    )
    newest_release = _text("The newest one", "1.36.0", attribute="portability.newest", allow_none=True)
    releases = fields.List(
        fields.Nested(ServedSchema),
        attribute="portability.releases",
        metadata=_about("The stored releases in their order, with what each lacks"),
    )
    unstable = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        attribute="portability.unstable",
        metadata=_about(
            "What it depends on and cannot rely on, with the reason", {"listBatchV1beta1CronJob": "beta"}
        ),
    )
    categories = fields.List(
        fields.Nested(CategoryCountSchema), metadata=_about("By level and category, the most used first")
    )
    operations = fields.List(fields.Nested(AppOperationSchema), metadata=_about("All that it used, by name"))


class AuditTypeSchema(AnswerSchema):
    """A kind of audit."""

    type = _text("Its name", "AuditOperationEquality", attribute="name")
    key = _text("Its key in an AuditSet", "operationEquality")
    description = _text(
        "What it holds the cluster to", "A pull run exercises what the CI baseline exercises."
    )
    sources = fields.List(fields.String(), metadata=_about("What it looks at", ["runs"]))


class WindowSchema(AnswerSchema):
    """The time from a start until just before an end."""

    start = _time("The start")
    end = _time("The end")


class AuditHistorySchema(AnswerSchema):
    """How an audit ended in a window, and how that stands among its results in the windows before it."""

    window = fields.Nested(WindowSchema, attribute="ran.window", metadata=_about("The window: a UTC day"))
    type = _text("The audit's type", "AuditOperationEquality")
    status = fields.Enum(
        Status, by_value=fields.String, attribute="ran.status", metadata=_about("How it ended")
    )
    checked = fields.Integer(attribute="ran.checked", metadata=_about("Comparisons made", 2, minimum=0))
    last_run = Time(attribute="ran.last_run", metadata=_about("When it ran", _TIME_EXAMPLE))
    since = Time(
        attribute="streak.since",
        metadata=_about(
            "The start of the first window in a row, up to this one, that ended with this very status; "
            "windows without a result do not count",
            _TIME_EXAMPLE,
        ),
    )
    last_passed = fields.Nested(
        WindowSchema,
        attribute="streak.last_passed",
        allow_none=True,
        metadata=_about("The newest window up to this one that Passed; null where none did"),
    )
    sets_since_passed = fields.Integer(
        attribute="streak.sets_since_passed",
        allow_none=True,
        metadata=_about("How many sets ago that was: 0 for this one; null where none Passed", 3),
    )
    sets = fields.Integer(
        attribute="streak.sets",
        metadata=_about("How many results of this audit there are up to this one", 12, minimum=1),
    )


class PlaceSchema(AnswerSchema):
    """A line of a file."""

    file = _text("The file's name", "pending_eligible_endpoints.yaml")
    line = _count("The line in it, from 1", 17)


class SeenTestSchema(AnswerSchema):
    """A test that requested an operation."""

    name = fields.Function(lambda test: test[0], metadata=_about("Its name", type="string"))
    hits = fields.Function(lambda test: test[1], metadata=_about("Requests", 12, type="integer"))


class SeenSchema(AnswerSchema):
    """Where an operation was seen."""

    run = _perhaps("The run of its first audit event; null where only older CI runs are known to have it")
    event = fields.Nested(
        PlaceSchema,
        allow_none=True,
        metadata=_about("That event; null where another tool's report tells of the operation"),
    )
    tests = fields.List(
        fields.Nested(SeenTestSchema), metadata=_about("The tests that requested it most, three at most")
    )
    more_tests = _count("How many tests more there are", 0)
    runs = _count("How many of those CI runs exercised it", 5)
    of = _count("How many of the last CI runs of its cluster and minor version are known, six at most", 6)


class FindingSchema(AnswerSchema):
    """One thing that an audit found, with what to do about it."""

    window = fields.Nested(WindowSchema, metadata=_about("The window: a UTC day"))
    type = fields.String(
        attribute="audit.name", metadata=_about("The audit's type", "AuditPendingReconciliation")
    )
    status = fields.Enum(
        Status,
        by_value=fields.String,
        attribute="finding.status",
        metadata=_about("What it makes of the result: Failed, or Warning"),
    )
    key = fields.String(
        attribute="finding.key",
        metadata=_about(
            "What it is about: an operation, or for a comparison where it stands in the result's maps",
            _OPERATION_EXAMPLE,
        ),
    )
    description = fields.String(attribute="finding.text", metadata=_about("What was found, in a line"))
    detail = fields.String(
        attribute="finding.detail", metadata=_about("For a comparison, what makes the difference")
    )
    resolution = fields.String(
        attribute="finding.resolution", metadata=_about("What to do about it; empty where that is plain")
    )
    place = fields.Nested(
        PlaceSchema,
        attribute="finding.place",
        allow_none=True,
        metadata=_about("The list entry that it is about; null where it is on no list"),
    )
    operation = fields.Nested(
        OperationSchema,
        attribute="finding.operation",
        allow_none=True,
        metadata=_about("The operation that it is about; null where it is about none of the swagger's"),
    )
    seen = fields.Nested(
        SeenSchema,
        attribute="finding.seen",
        allow_none=True,
        metadata=_about("Where that was seen; null where it was not"),
    )


class JobSchema(AnswerSchema):
    """Long work that was asked for."""

    id = _text("Its name", "17")
    kind = _text("What is done", "audit")
    description = _text(
        "What is done, in a sentence", "Running audit over run pull-1b4f0e985197 for all audit types"
    )
    state = fields.String(
        metadata=_about("How far it is; `interrupted` by the end of its process", enum=JOB_STATES)
    )
    created = _time("When it was asked for")
    started = _time("When it started", allow_none=True)
    finished = _time("When it ended", allow_none=True)
    done = _count("How many steps are done", 2)
    total = _count("How many steps there are; 0 where that is unknown", 3)
    error = _perhaps("Why it failed")
    link = _perhaps("What it made: a run's id")


class TokenSchema(AnswerSchema):
    """An access token, without its secret."""

    id = _text("Its name, which is no secret", "4f1d2c3b9a80")
    name = _perhaps("Whose it is")
    role = fields.String(metadata=_about("What it allows", enum=TOKEN_ROLES))
    created = _time("When it was made")
    expires = _time("When it expires", allow_none=True)
    last_used = _time("When it was last used, to the minute", allow_none=True)
    revoked = _time("When it was revoked", allow_none=True)


class NewTokenSchema(TokenSchema):
    """An access token, with its secret: it is told this once."""

    token = _text("What to send as `Authorization: Bearer`")


class PlannedRunSchema(AnswerSchema):
    """A scheduled run that is yet to come."""

    at = _time("When it is due")
    description = _text("What is done, in a sentence", "Scheduled sync, audits and retention")


class CheckSchema(AnswerSchema):
    """One of the things that the server needs."""

    name = fields.String(metadata=_about("What is looked at", enum=("store", "disk", "lease")))
    ok = _flag("Whether it is as it must be")
    message = _text("How it is, in a line", "52428800 bytes are free")


class SwaggerRecordSchema(AnswerSchema):
    """An uploaded swagger document."""

    version = _text("The version that it is of", "v1.34.0")
    hash = _text("The hash of its content", _HASH_EXAMPLE)
    holds_from = _time("From when on it is the one of its minor version, until the next one")
    recorded = _time("When it was uploaded")
    operations = _count("How many operations are in it", 1062)


class ListRecordSchema(AnswerSchema):
    """An uploaded endpoint list."""

    kind = fields.String(metadata=_about("Which list", enum=LIST_KINDS))
    hash = _text("The hash of its content", _HASH_EXAMPLE)
    holds_from = _time("From when on it is the list of its kind, until the next one")
    recorded = _time("When it was uploaded")
    entries = _count("How many entries are in it", 29)


class EndpointEntrySchema(AnswerSchema):
    """An entry of an endpoint list."""

    endpoint = _text("The operationId; empty where the entry names none", "createCoreV1NamespacedPodEviction")
    reason = _perhaps("Why it is on the list", "optional feature")
    link = _perhaps("Where that was decided", "https://github.com/kubernetes/kubernetes/issues/100")
    line = _count("The line of the list on which it starts, from 1", 12)


class ListDetailSchema(ListRecordSchema):
    """An endpoint list with its entries."""

    endpoints = fields.List(
        fields.Nested(EndpointEntrySchema), metadata=_about("The entries in their order, mistakes included")
    )


class ReleaseSchema(AnswerSchema):
    """A release of Kubernetes: a minor version."""

    release = _text("The release", "1.34.0")
    date = fields.Date(
        allow_none=True, metadata=_about("When it came out; null: not yet, or not known", "2025-08-27")
    )
    swagger = _perhaps("The version of its newest swagger document", "v1.34.1")
    imported = _flag("Whether its endpoints were imported from APISnoop")
    operations = _count("Its operations; without a swagger those imported, which are not deprecated", 1062)
    eligible = _count("Those that are stable, not deprecated and not on the ineligible list", 551)
    conformance_tests = _count("Its conformance tests", 424)


class ConformanceTestsSchema(AnswerSchema):
    """The conformance tests of a release, counted."""

    release = _text("The release", "1.34.0")
    tests = _count("How many tests it has", 424)


class ConformanceTestSchema(AnswerSchema):
    """A conformance test."""

    version = _text("The release that has it", "1.34.0")
    testname = _text("Its title", "Pods, update")
    codename = _text(
        "What it calls itself in its user agent", "[sig-node] Pods should be updated [Conformance]"
    )
    file = _text("Where it stands in Kubernetes' source", "test/e2e/common/node/pods.go")
    release = _text("Since when it is a conformance test", "1.9.0")
    sigs = fields.List(fields.String(), metadata=_about("Its special interest groups", ["sig-node"]))
    tags = fields.List(
        fields.String(), metadata=_about("What else stands in brackets in its name", ["Conformance"])
    )


class CoverageRowSchema(AnswerSchema):
    """How much of the endpoints that a release added is conformance-tested."""

    release = _text("The release", "1.29.0")
    new = _count("Endpoints that became stable in it", 21)
    tested = _count("Those that are conformance-tested by now", 21)
    untested = _count("Those that are not", 0)
    total = _count("Endpoints that were stable by then", 478)
    total_tested = _count("Those that are conformance-tested by now", 478)
    total_untested = _count("Those that are not", 0)


class ProgressRowSchema(AnswerSchema):
    """How far a release had come."""

    release = _text("The release", "1.29.0")
    endpoints = _count("Endpoints that were stable by then", 478)
    tested = _count("Those that were conformance-tested by then", 458)
    new = _count("Endpoints that became stable in it", 21)
    new_tested = _count("Those that were conformance-tested at once", 21)
    old_tested = _count("Older endpoints that were first conformance-tested in it: debt paid", 26)
    new_with_tests = _count("New endpoints that are hit by a conformance test of that release", 21)
    still_untested = _count("New endpoints that never were conformance-tested", 0)


class CoverageRecordSchema(AnswerSchema):
    """A table as it was computed while a release was the newest."""

    release = fields.Function(
        lambda one: release_name(one.release),
        metadata=_about("The newest release then", "1.36.0", type="string"),
    )
    table = fields.String(metadata=_about("Which table", enum=COVERAGE_TABLES))
    origin = fields.String(metadata=_about("Who computed it", enum=COVERAGE_ORIGINS))
    recorded = _time("When it was kept")
    rows = fields.List(
        fields.Dict(keys=fields.String()),
        metadata=_about("Its rows, as those of /coverage/releases or /coverage/progress"),
    )


class EndpointCoverageSchema(AnswerSchema):
    """What is known of the coverage of an endpoint."""

    endpoint = _text("Its operationId", _OPERATION_EXAMPLE)
    promotion_release = _perhaps("The first release that has it as stable", "1.5.0")
    first_conformance_test = _perhaps("The release of the first conformance test that hits it", "1.9.0")
    tested_release = _perhaps("Since when it is stable and conformance-tested", "1.9.0")
    age = fields.Integer(
        allow_none=True,
        metadata=_about("For how many releases it has been stable without such a test", 0, minimum=0),
    )
    eligible = _flag("Whether it is stable, not deprecated and not on the ineligible list")
    deprecated = _flag("Whether it is deprecated now")
    ineligible = _flag("Whether it is on the ineligible list")
    pending = _flag("Whether it is on the pending list")
    operation = fields.Nested(
        OperationSchema, allow_none=True, metadata=_about("The operation; null where no known release has it")
    )


class RankedEndpointSchema(EndpointCoverageSchema):
    """What is known of the coverage of an endpoint, and how much it is used."""

    ineligible_reason = _perhaps("Why it is on the ineligible list", "feature is optional")
    requests = _count("Requests of applications and live clusters", 1204)
    users = _count("How many applications and live clusters requested it", 7)
    tests = fields.List(fields.String(), metadata=_about("The e2e tests that hit it, by name"))
    reference = _perhaps(
        "Where Kubernetes documents it",
        "https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#pod-v1-core",
    )


def _percentage(description: str) -> fields.Float:
    return fields.Float(
        allow_none=True,
        metadata=_about(
            f"{description}, in percent, rounded down to a tenth; null of none", minimum=0, maximum=100
        ),
    )


def _known_count(description: str) -> fields.Integer:
    return fields.Integer(
        allow_none=True, metadata=_about(f"{description}; null where nobody knows", minimum=0)
    )


class ReceivedSchema(AnswerSchema):
    """Audit events that arrived."""

    events = _count("Those that were not stored before", 400)
    runs = fields.List(
        fields.String(), metadata=_about("The runs that they are of, one a day", ["live-1b4f0e985197"])
    )


class CoverageCountsSchema(AnswerSchema):
    """How much of some endpoints was reached."""

    operations = _count("The endpoints", 1062)
    eligible = _count("Those that are eligible", 551)
    hit = _known_count("Those that were requested")
    tested = _known_count("Those that a test requested")
    conf_tested = _known_count("Those that a conformance test requested")
    success = _known_count("Those that answered with success")
    percent = _percentage("The share of the endpoints that the asked metric reached")


def _common(by: GroupedBy, description: str) -> fields.Function:
    return fields.Function(
        lambda one: one.key.get(by),
        metadata=_about(f"{description}; null where it is not asked for", type=["string", "null"]),
    )


class CoverageGroupSchema(CoverageCountsSchema):
    """How much of the endpoints that have something in common was reached."""

    level = _common(GroupedBy.LEVEL, "Their level")
    group = _common(GroupedBy.GROUP, "Their API group, empty for core; null too where they have none")
    category = _common(GroupedBy.CATEGORY, "Their category; null too where they have none")
    kind = _common(GroupedBy.KIND, "Their kind; null too where they have none")
    action = _common(GroupedBy.ACTION, "What they do; null too where they name nothing")
    agent = _common(GroupedBy.AGENT, "The user agent family that hit some of them")


class E2eTestSchema(AnswerSchema):
    """An e2e test, and the endpoints that it is known to hit."""

    name = _text("Its name", "[sig-node] Pods should be updated [Conformance]")
    conformance = _flag("Whether it is a conformance test")
    sigs = fields.List(fields.String(), metadata=_about("Its special interest groups", ["sig-node"]))
    tags = fields.List(
        fields.String(), metadata=_about("What else stands in brackets in its name", ["Conformance"])
    )
    release = fields.Function(
        lambda one: one.known and release_name(one.known.release),
        metadata=_about(
            "Since when it is a conformance test; null where no stored conformance.yaml has it",
            "1.9.0",
            type=["string", "null"],
        ),
    )
    file = fields.String(
        attribute="known.file",
        dump_default=None,
        allow_none=True,
        metadata=_about("Where it stands in Kubernetes' source", "test/e2e/common/node/pods.go"),
    )
    endpoints = fields.List(
        fields.String(), metadata=_about("The endpoints that it hits, by name", [_OPERATION_EXAMPLE])
    )


class EndpointUserSchema(AnswerSchema):
    """An application or a live cluster that requests an endpoint."""

    kind = fields.Enum(RunKind, by_value=fields.String, metadata=_about("`app` or `live`"))
    name = _text("Its name, else its run's id", "argo-cd")
    requests = _count("Its requests", 1204)
    runs = _count("In how many runs", 3)


class EndpointDetailSchema(AnswerSchema):
    """All that is known of an endpoint."""

    known = fields.Nested(RankedEndpointSchema, metadata=_about("Its history, its use, its operation"))
    releases = fields.List(fields.String(), metadata=_about("The known releases that have it", ["1.34.0"]))
    tests = fields.List(fields.Nested(E2eTestSchema), metadata=_about("The e2e tests that hit it"))
    users = fields.List(fields.Nested(EndpointUserSchema), metadata=_about("Who requests it"))


class NewTestHitSchema(AnswerSchema):
    """An endpoint that a new test hits."""

    operation = fields.Nested(OperationSchema, metadata=_about("The endpoint"))
    hits = _count("Its requests", 3)
    tested = _flag("Whether an e2e test hits the endpoint already")
    conf_tested = _flag("Whether a conformance test does")
    eligible = _flag("Whether it is eligible: stable, not deprecated, not on the ineligible list")
    pending = _flag("Whether it is on the pending list")
    counts = _flag("Whether the new test would add it to the coverage")


class ProjectedCoverageSchema(AnswerSchema):
    """What a new test would add to the coverage."""

    eligible = _count("The eligible endpoints of the release", 551)
    tested = _count("Those that are conformance-tested", 540)
    gained = _count("How many more the new test hits; unmapped, beta and ineligible requests never count", 2)
    percent = _percentage("What is conformance-tested")
    projected_percent = _percentage("What would be")


class CostRecordSchema(AnswerSchema):
    """A document of costs, or a table that auditsvc made from one."""

    kind = fields.String(metadata=_about("What it holds", enum=COST_KINDS))
    window = fields.Nested(WindowSchema, metadata=_about("Its window: a UTC day, or an hour of one"))
    source = fields.String(
        metadata=_about("The kind that it was made from; its own where it is no own table", enum=COST_KINDS)
    )
    origin = fields.String(
        metadata=_about("Where it comes from; `own` are tables that auditsvc makes", enum=COST_ORIGINS)
    )
    hash = _text("The hash of its content", _HASH_EXAMPLE)
    rows = _count("How many rows it has", 10000)
    hours = _count("How many of them are of a single hour", 0)
    recorded = _time("When it arrived")


_FINDING = "explanation.finding."


class Amount(fields.Float):
    """A number that may be unknown: a NaN is written as null."""

    def _serialize(self, value: float | None, *args: Any, **kwargs: Any) -> Any:
        return None if value is None or math.isnan(value) else super()._serialize(value, *args, **kwargs)


def _amount(description: str, *examples: float, **more: Any) -> Amount:
    return Amount(allow_none=True, metadata=_about(description, *examples), **more)


class ContributionSchema(AnswerSchema):
    """A row behind a difference, with those of its costs that were compared."""

    kind = _text(
        "`allocation`, `idle`, `unmounted`, `stored` (of a table), `bill`, or an asset's type", "Node"
    )
    key = _text("Its key", "cluster-one/node-a/shop/web-0/web")
    cost = _amount("What it costs before adjustment", 4.0)
    adjustment = _amount("What cloud billing added to that", -0.4)
    total = _amount("What it costs", 3.6)


class ComponentSchema(AnswerSchema):
    """One resource on both sides of a difference."""

    resource = _text("The resource", "CPU")
    expected = _amount("On the expected side", 7.2)
    actual = _amount("On the actual side", 7.7)
    delta = _amount("What the actual side has more", 0.5)


class ExplanationSchema(AnswerSchema):
    """Why an audit of costs finds a difference."""

    type = _text("The audit", "AuditClusterEquality")
    window = fields.Nested(WindowSchema, metadata=_about("The UTC day"))
    map = _text(
        "The map of the result in which the difference stands", "Clusters", attribute=_FINDING + "map"
    )
    path = fields.List(
        fields.String(),
        attribute=_FINDING + "path",
        metadata=_about("What leads to it there", ["cluster-one"]),
    )
    expected = _amount("What the audit computed", 62.02, attribute=_FINDING + "expected")
    actual = _amount("What the audited source holds", 62.52, attribute=_FINDING + "actual")
    delta = _amount("What the actual side has more", 0.5, attribute="explanation.delta")
    percent = _amount(
        "That in percent of the expected; null where nothing was", 0.8, attribute="explanation.percent"
    )
    reasons = fields.List(
        fields.String(),
        attribute="explanation.reasons",
        metadata=_about("What the difference equals, and what else is known to make one"),
    )
    components = fields.List(
        fields.Nested(ComponentSchema),
        attribute="explanation.components",
        metadata=_about("The resources, the largest difference first; none where only one side has rows"),
    )
    expected_rows = fields.List(
        fields.Nested(ContributionSchema), metadata=_about("The rows of the expected side, the largest first")
    )
    expected_count = _count("How many these are in all", 1)
    actual_rows = fields.List(
        fields.Nested(ContributionSchema), metadata=_about("Those of the actual side, likewise")
    )
    actual_count = _count("How many these are in all", 3)


# ------------------------------------------------------------------------------------------ envelopes


class Reply(msgspec.Struct, frozen=True):
    """One thing in its envelope."""

    code: int
    data: object


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a list, in its envelope: `limit` items at most, from `offset` on, of `total`."""

    data: Sequence[object]
    total: int
    limit: int
    offset: int
    code: int = 200


class JobsPage(Page, frozen=True, kw_only=True):
    """The jobs, and beside them the scheduled runs to come."""

    next: Sequence[object]


class BesidePage(Page, frozen=True, kw_only=True):
    """Operations of several runs, and beside them the runs."""

    runs: Sequence[object]


class BreakdownPage(Page, frozen=True, kw_only=True):
    """The rows of a coverage, and beside them what it is of."""

    release: str | None
    run: str | None
    sources: Sequence[str]
    totals: object


class NewTestPage(Page, frozen=True, kw_only=True):
    """What a new test hits, and beside it what that would add."""

    agent: str
    run: str
    release: str
    unmapped: int
    projected: object


def _null() -> fields.Raw:
    return fields.Raw(metadata={"type": "null"})


class EnvelopeSchema(AnswerSchema):
    """What every answer has."""

    code = fields.Integer(metadata=_about("The HTTP status", 200))


class TextResponseSchema(EnvelopeSchema):
    """A sentence."""

    data = _text("The sentence", "ok")


class NullResponseSchema(EnvelopeSchema):
    """Done; there is nothing to give."""

    data = _null()


class NotReadySchema(EnvelopeSchema):
    """Why the server cannot do its work."""

    code = fields.Integer(metadata=_about("The HTTP status", 503))
    data = fields.List(fields.Nested(CheckSchema), metadata=_about("All that it needs, with its state"))
    message = _text("What is not as it must be, in a line", "disk: 4096 bytes are free, fewer than …")


class ErrorSchema(EnvelopeSchema):
    """What went wrong."""

    code = fields.Integer(metadata=_about("The HTTP status", 404))
    data = _null()
    message = _text(
        "What went wrong and what to do, in a line that names the parameter",
        "unknown run: pull-1 (GET /runs lists them)",
    )


@cache
def enveloped(schema: type[Schema]) -> type[Schema]:
    """The schema of an answer that holds one thing."""
    return _envelope(schema, "Response", "{}", data=fields.Nested(schema))


@cache
def listed(schema: type[Schema]) -> type[Schema]:
    """The schema of an answer that holds all of a short list."""
    return _envelope(schema, "List", "A list. Each item: {}", data=fields.List(fields.Nested(schema)))


@cache
def paged(schema: type[Schema], **beside: fields.Field[Any]) -> type[Schema]:
    """The schema of an answer that holds a page of a list, and more fields beside it."""
    return _envelope(
        schema,
        "Page",
        "A page of a list. Each item: {}",
        data=fields.List(fields.Nested(schema)),
        limit=_count("The most items that were asked for", 100),
        offset=_count("How many items come before these", 0),
        total=_count("How many items there are", 1),
        **beside,
    )


def _envelope(schema: type[Schema], suffix: str, about: str, **members: fields.Field[Any]) -> type[Schema]:
    name = schema.__name__.removesuffix("Schema") + suffix
    body = {"__doc__": about.format(schema.__doc__), **members}
    return types.new_class(name, (EnvelopeSchema,), exec_body=lambda namespace: namespace.update(body))
