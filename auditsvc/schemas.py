"""Our JSON on the wire: what a request may say, and the shape of every answer but the AuditSets.

Those are bytes of Kubecost's shape, made in :mod:`auditsvc.core.results`. Each field's metadata is its
documentation in openapi.yaml. Times are RFC 3339, in UTC with ``Z`` when written.
"""

import math
import types
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields, validate

from auditsvc.core.events import render_time
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.core.swagger import METHODS, Level
from auditsvc.core.usage import ExercisedBy

MAX_PAGE = 1000
"""The most items that one answer lists."""

JOB_STATES = ("queued", "running", "done", "failed", "interrupted")
LIST_KINDS = ("pending", "ineligible")
COST_KINDS = ("allocations", "assets", "cloudcosts", "totals", "aggregates")
COST_ORIGINS = ("uploaded", "fetched", "own")
"""As the store has them; a test holds the two together."""

VERSION = r"^v?[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4}([.+-][0-9A-Za-z.+-]{1,50})?)?$"
"""What a version of Kubernetes looks like: v1.34.0, 1.34, v1.35.0-rc.1."""

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


class CompareArgumentsSchema(ArgumentsSchema):
    """What a run is compared with."""

    baseline = _optional("The other run; by default the run's own CI baseline", "ci-c0d4f0e98519")


class HoldArgumentsSchema(ArgumentsSchema):
    """From when on an uploaded document holds."""

    holds_from = _optional_time(
        "From when on the document holds, until the next one does; by default now", "from"
    )


class AtArgumentsSchema(ArgumentsSchema):
    """At which time is asked."""

    at = _optional_time("The list that held at this time; by default now")


class JobFiltersSchema(PageArgumentsSchema):
    """Which jobs are asked for."""

    state = fields.String(validate=validate.OneOf(JOB_STATES), metadata=_about("Only jobs in this state"))


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


def _count(description: str, *examples: object) -> fields.Integer:
    return fields.Integer(metadata=_about(description, *examples, minimum=0))


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


class AuditTypeSchema(AnswerSchema):
    """A kind of audit."""

    type = _text("Its name", "AuditOperationEquality", attribute="name")
    key = _text("Its key in an AuditSet", "operationEquality")
    description = _text(
        "What it holds the cluster to", "A pull run exercises what the CI baseline exercises."
    )
    sources = fields.List(fields.String(), metadata=_about("What it looks at", ["runs"]))


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


class WindowSchema(AnswerSchema):
    """The time from a start until just before an end."""

    start = _time("The start")
    end = _time("The end")


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


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing in its envelope."""

    code: int
    data: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of a list, in its envelope: `limit` items at most, from `offset` on, of `total`."""

    data: Sequence[object]
    total: int
    limit: int
    offset: int
    code: int = 200


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
def paged(schema: type[Schema]) -> type[Schema]:
    """The schema of an answer that holds a page of a list."""
    return _envelope(
        schema,
        "Page",
        "A page of a list. Each item: {}",
        data=fields.List(fields.Nested(schema)),
        limit=_count("The most items that were asked for", 100),
        offset=_count("How many items come before these", 0),
        total=_count("How many items there are", 1),
    )


def _envelope(schema: type[Schema], suffix: str, about: str, **members: fields.Field[Any]) -> type[Schema]:
    name = schema.__name__.removesuffix("Schema") + suffix
    body = {"__doc__": about.format(schema.__doc__), **members}
    return types.new_class(name, (EnvelopeSchema,), exec_body=lambda namespace: namespace.update(body))
