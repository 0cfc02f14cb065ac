"""How the configuration's keys are checked; their metadata say what they are for.

Imported only where something is configured: marshmallow and YAML are slow to import.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from string import Formatter
from typing import Any, Literal

import yaml
from marshmallow import Schema, ValidationError, fields, post_load, validate

from auditsvc.config import (
    PREFIX,
    PULL,
    AccessMode,
    LogFormat,
    LogLevel,
    NotifyConfig,
    NotifyFormat,
    RetentionConfig,
    ScheduleConfig,
    SyncConfig,
    SyncJob,
    unreadable,
)
from auditsvc.core.runs import RunKind
from auditsvc.core.usage import ExercisedBy
from auditsvc.core.window import parse_utc_offset
from auditsvc.errors import AuditsvcError, ConfigError

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MINOR = re.compile(r"v?[0-9]{1,4}\.[0-9]{1,4}\Z", re.ASCII)
_YEARS = re.compile(r"([0-9]{1,3})y", re.ASCII)
_AGES = (timedelta(days=1), timedelta(days=999 * 365))
_PREFIXES = {RunKind.CI: "logs/", RunKind.PULL: "pr-logs/pull/"}
_PLACEHOLDERS = {"commit", "version"}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY_RANGE = re.compile(r"(?:([0-7])(?:-([0-7]))?|\*)(?:/([1-7]))?", re.ASCII)


class _Parsed(fields.String):
    """A text as what a function makes of it, which raises ValidationError where it is no such thing."""

    def __init__(self, parse: Callable[[str], Any], **more: Any) -> None:
        super().__init__(**more)
        self._parse = parse

    def _deserialize(self, *given: Any, **more: Any) -> Any:
        return self._parse(super()._deserialize(*given, **more))


class _Several(fields.List[Any]):
    """A list as a tuple, for a frozen Struct."""

    def _deserialize(self, *given: Any, **more: Any) -> Any:
        return tuple(super()._deserialize(*given, **more))


def _parse_duration(text: str) -> timedelta:
    """A number and a unit, as in windows: ``7d``."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValidationError("Not a duration such as 90m, 12h, 7d or 2w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _parse_age(text: str) -> timedelta:
    """A duration that may be in years, of 365 days: ``2y``."""
    years = _YEARS.fullmatch(text)
    return int(years[1]) * timedelta(days=365) if years else _parse_duration(text)


def _parse_cron(text: str) -> str:
    """Five fields as in crontab(5), in the way of APScheduler, to which day 0 is a Monday."""
    from apscheduler.triggers.cron import CronTrigger

    try:
        minute, hour, day, month, weekday = text.split()
        expression = f"{minute} {hour} {day} {month} {_named_weekdays(weekday)}"
        trigger = CronTrigger.from_crontab(expression, timezone=UTC)
    except ValueError as error:
        raise ValidationError("Not five fields as in crontab(5), such as 30 */6 * * 1-5.") from error
    if "*" not in (day, weekday):  # cron takes the days that are either, APScheduler those that are both
        raise ValidationError("Give days of the month or days of the week, not both.")
    if trigger.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValidationError("There is no such day.")
    return expression


def _named_weekdays(text: str) -> str:
    """The days of the week of a crontab by name: ``1-5`` is mon,tue,wed,thu,fri; names stay as they are."""
    return ",".join(map(_named_days, text.split(",")))


def _named_days(part: str) -> str:
    found = _WEEKDAY_RANGE.fullmatch(part)
    if found is None or part == "*":
        return part
    first, last, step = ("0", "6", found[3]) if part.startswith("*") else found.groups()
    days = range(int(first), int(last or first) + 1, int(step or 1))
    return ",".join(_WEEKDAYS[day] for day in days)


def _parse_path(text: str) -> Path:
    if not text:
        raise ValidationError("Not the path of a file.")
    return Path(text)


def _parse_offset(text: str) -> timezone:
    try:
        return parse_utc_offset(text)
    except AuditsvcError as error:
        raise ValidationError(str(error)) from error


class ConfigSchema(Schema):
    """The keys of the configuration file; each field's metadata says what it is for."""

    utc_offset = _Parsed(
        _parse_offset, metadata={"description": "what `today`, `week` and the like mean, as ±HH:MM"}
    )
    exercised_by = fields.Enum(
        ExercisedBy, by_value=True, metadata={"description": "what an audit asks of an operation"}
    )
    rel_tol = fields.Float(
        validate=validate.Range(0), metadata={"description": "relative tolerance of floats that are no costs"}
    )
    abs_tol = fields.Float(validate=validate.Range(0), metadata={"description": "their absolute tolerance"})
    max_gap = _Parsed(
        _parse_duration, metadata={"description": "for how long an audit log may be silent without a warning"}
    )
    target_release = fields.String(
        validate=validate.Regexp(_MINOR, error="Not a release such as v1.36."),
        metadata={"description": "the release to upgrade to: use of what it removes fails at once"},
    )
    waivers = _Parsed(
        _parse_path, metadata={"description": "YAML file of findings that are accepted until a day"}
    )
    cost_relative = fields.Float(
        validate=validate.Range(0), metadata={"description": "tolerance of costs, relative to the larger sum"}
    )
    cost_per_allocation = fields.Float(
        validate=validate.Range(0), metadata={"description": "and for each allocation row"}
    )
    cost_per_asset = fields.Float(
        validate=validate.Range(0), metadata={"description": "and for each asset row"}
    )
    opencost_url = fields.Url(
        schemes={"http", "https"},
        require_tld=False,
        metadata={"description": "OpenCost's API, from which costs are fetched: http://opencost:9003"},
    )
    baseline_max_age = _Parsed(
        _parse_duration, metadata={"description": "how far a baseline may be from its run"}
    )
    baseline_runs = fields.Integer(
        validate=validate.Range(1), metadata={"description": "how many CI runs make a baseline"}
    )
    baseline_quorum = fields.Integer(
        validate=validate.Range(1), metadata={"description": "how many of them must have hit an operation"}
    )
    max_upload_bytes = fields.Integer(
        validate=validate.Range(1), metadata={"description": "limit of a request's body"}
    )
    max_unpacked_bytes = fields.Integer(
        validate=validate.Range(1), metadata={"description": "what each packed file in it may unpack to"}
    )
    max_upload_time = _Parsed(
        _parse_duration,
        validate=validate.Range(timedelta(seconds=1), timedelta(days=1), error="Not from 1s to 1d."),
        metadata={"description": "how long it may take to arrive"},
    )
    access = fields.Enum(
        AccessMode,
        by_value=True,
        metadata={"description": "`auto`: tokens are needed once there is one; `tokens`: always"},
    )
    public_reads = fields.Boolean(metadata={"description": "whether reading needs no token all the same"})
    rate_limit = fields.Integer(
        validate=validate.Range(1),
        metadata={"description": "writing requests a minute, for each token (or address) and worker"},
    )
    jobs = fields.Integer(validate=validate.Range(1), metadata={"description": "processes that count a log"})
    min_free_bytes = fields.Integer(
        validate=validate.Range(0), metadata={"description": "free disk space below which `/readyz` says no"}
    )
    log_format = fields.Enum(
        LogFormat,
        by_value=True,
        metadata={"description": "the server's log: `json`, `text`, or `auto`: text on a terminal"},
    )
    log_level = fields.Enum(
        LogLevel, by_value=True, metadata={"description": "`debug`, `info`, `warning` or `error`, and worse"}
    )


def _told(description: str) -> dict[str, str]:
    return {"description": description}


def _name(description: str) -> fields.String:
    return fields.String(validate=validate.Length(1, 250), metadata=_told(description))


def _url(description: str, *schemes: str) -> fields.Url:
    return fields.Url(schemes=set(schemes), require_tld=False, metadata=_told(description))


def _check_template(url: str) -> None:
    """Refuses what is neither a URL nor a placeholder that a build fills in."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(url) if name is not None}
    except ValueError as error:
        raise ValidationError(f"Not a URL with {{commit}} or {{version}} in it: {error}.") from error
    if unknown := names - _PLACEHOLDERS:
        raise ValidationError(
            f"Unknown placeholder {{{min(unknown)}}}; there are {{commit}} and {{version}}."
        )
    if not url.startswith(("http://", "https://", "gs://")):
        raise ValidationError("Not an http://, https:// or gs:// URL.")


def _template(description: str) -> fields.String:
    return fields.String(validate=_check_template, metadata=_told(description))


def _types(description: str) -> fields.List[str]:
    return _Several(fields.String(), metadata=_told(description))


class SyncJobSchema(Schema):
    """A Prow job whose builds are taken in."""

    job = fields.String(
        required=True, validate=validate.Length(1, 250), metadata=_told("the Prow job's name")
    )
    kind = fields.Enum(
        RunKind,
        by_value=True,
        validate=validate.OneOf(list(_PREFIXES), error="Must be ci or pull."),
        metadata=_told("what its builds are: `ci`, the periodic baseline, or `pull`"),
    )
    cluster = _name("the label of the cluster; runs are compared within one label")
    bucket = _name("the bucket that holds the builds")
    prefix = fields.String(
        validate=validate.Regexp(r"([^/]+/)*\Z", error="Not folders, each with a / after it."),
        metadata=_told("the folders above the job's, for a pull request above its number"),
    )
    pulls = _Several(
        fields.String(validate=validate.Regexp(PULL, error="Not a number such as 131234, or number/build.")),
        metadata=_told("the pull requests: numbers, or number/build"),
    )
    limit = fields.Integer(
        validate=validate.Range(1, 1000),
        metadata=_told("how many of the newest successful builds are wanted"),
    )
    version = fields.String(
        validate=validate.Regexp(r"v?[0-9]+\.[0-9]+", error="Not a version such as v1.34.0."),
        metadata=_told("Kubernetes' version, for builds that name none"),
    )
    swagger = _template("URL of the swagger document, with `{commit}` or `{version}` of the build")
    swagger_token_file = _Parsed(
        _parse_path, metadata=_told("file with the bearer token that the swagger's server is shown")
    )
    swagger_ca_file = _Parsed(
        _parse_path, metadata=_told("file with the certificate authority of the swagger's server")
    )
    pending = _template("URL of the pending list, likewise")
    ineligible = _template("URL of the ineligible list, likewise")

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> SyncJob:
        kind = values.get("kind", RunKind.CI)
        if values.get("pulls") and kind is not RunKind.PULL:
            raise ValidationError("Only a job of the kind pull has pull requests.", "pulls")
        return SyncJob(**{"prefix": _PREFIXES[kind], **values})


class SyncSchema(Schema):
    """What is fetched."""

    jobs = _Several(fields.Nested(SyncJobSchema), metadata=_told("the Prow jobs"))
    gcs_endpoint = _url("where gs:// leads, for a mirror or an emulator", "http", "https")
    gcs_token_file = _Parsed(
        _parse_path, metadata=_told("file with the bearer token for Google Cloud Storage")
    )

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> SyncConfig:
        return SyncConfig(**values)


class ScheduleSchema(Schema):
    """When sync and audits are run."""

    every = _Parsed(
        _parse_duration,
        validate=validate.Range(timedelta(minutes=1), timedelta(days=366), error="Not from 1m to 366d."),
        metadata=_told("how much time is between two runs"),
    )
    cron = _Parsed(_parse_cron, metadata=_told("or when, as in crontab(5), in the time of `utc_offset`"))
    audits = _types("the audits, by type or key; without it, all of them")

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> ScheduleConfig:
        if ("every" in values) == ("cron" in values):
            raise ValidationError("Give either every or cron.")
        return ScheduleConfig(**values)


class RetentionSchema(Schema):
    """How long things are kept."""

    runs = _Parsed(
        _parse_age,
        validate=validate.Range(*_AGES, error="Not from 1d to 999y."),
        metadata=_told("how long runs are kept; baselines in use stay"),
    )
    sets = _Parsed(
        _parse_age,
        validate=validate.Range(*_AGES, error="Not from 1d to 999y."),
        metadata=_told("how long AuditSets are kept"),
    )

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> RetentionConfig:
        return RetentionConfig(**values)


class NotifySchema(Schema):
    """Who is told of changes."""

    url = fields.Url(
        required=True, schemes={"http", "https"}, require_tld=False, metadata=_told("the webhook")
    )
    format = fields.Enum(
        NotifyFormat, by_value=True, metadata=_told("`json`, or `slack` for a Slack webhook")
    )

    @post_load
    def _make(self, values: dict[str, Any], **_: Any) -> NotifyConfig:
        return NotifyConfig(**values)


class ConfigFileSchema(ConfigSchema):
    """The keys of the file: those of the variables, and those that hold several values."""

    audits = _types("the audits that are run where all are asked for, by type or key")
    sync = fields.Nested(SyncSchema, metadata=_told("what `auditsvc sync` fetches"))
    schedule = fields.Nested(ScheduleSchema, metadata=_told("when the server syncs and audits by itself"))
    retention = fields.Nested(RetentionSchema, metadata=_told("for how long things are kept"))
    notify = fields.Nested(NotifySchema, metadata=_told("the webhook that is told when a status changes"))


def read_keys(text: str, file: Path) -> dict[str, Any]:
    """The keys of a configuration file's text; ConfigError names the one that is wrong."""
    try:
        # Every scalar as the text that it is: a value means the same in a file as in a variable. YAML's own
        # types would make 600 of the offset +10:00.
        document = yaml.load(text, yaml.BaseLoader) or {}  # noqa: S506 - text alone
    except yaml.YAMLError as error:
        raise unreadable(file, error) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: expected a mapping of keys, found a {type(document).__name__}")
    return _load(ConfigFileSchema(), document, f"{file}: ", lambda key: key, unknown="raise")


def check_variables(given: dict[str, str]) -> dict[str, Any]:
    """The variables by the keys that they are for; ConfigError names the one that is wrong."""
    return _load(ConfigSchema(), given, "", lambda key: PREFIX + key.upper(), unknown="exclude")


def _load(
    schema: Schema,
    given: Mapping[str, Any],
    where: str,
    shown: Callable[[str], str],
    *,
    unknown: Literal["raise", "exclude"],
) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(given, unknown=unknown)
    except ValidationError as error:
        place, messages, known = _first_trouble(error, schema)
        hint = f" (known keys are {', '.join(known)})" if messages == ["Unknown field."] else ""
        raise ConfigError(f"{where}{shown(place)}: {' '.join(messages)}{hint}") from error
    return loaded


def _first_trouble(error: ValidationError, schema: Schema) -> tuple[str, list[str], Iterable[str]]:
    """Where the first error is (``sync.jobs[0].kind``), what it is, and which keys there are."""
    found: Any = error.messages_dict
    place, reached = "", None
    while isinstance(found, dict):
        key, found = next(iter(found.items()))
        if isinstance(reached, fields.List):
            reached, place = reached.inner, f"{place}[{key}]"
        elif key != "_schema":
            reached, place = schema.fields.get(str(key)), f"{place}.{key}" if place else str(key)
        if isinstance(reached, fields.Nested):
            schema = reached.schema
    return place, found, schema.fields
