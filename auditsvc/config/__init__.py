"""The configuration: the only reader of the environment and of the configuration file.

A YAML file (``AUDITSVC_CONFIG``, else ``auditsvc.yaml`` in the data folder where there is one) and variables:
the key ``baseline_runs`` is the variable ``AUDITSVC_BASELINE_RUNS``, which wins over the file. The keys that
hold more than one value (``sync``, ``schedule``, …) are the file's alone.
"""

import re
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from auditsvc.core.cost_tolerance import CostTolerance
from auditsvc.core.runs import BaselineRule, RunKind
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import ConfigError

PREFIX = "AUDITSVC_"
FILE_NAME = "auditsvc.yaml"
PULL = re.compile(r"[0-9]{1,18}(/[0-9]{1,19})?\Z", re.ASCII)

_APART = frozenset(
    f"{PREFIX}{name}" for name in ("DATA", "CONFIG", "TOKEN", "ADMIN_TOKEN", "ADMIN_TOKEN_FILE")
)
"""The variables that are no keys of the file."""

_ADMIN_TOKEN = re.compile(r"[!-~]{16,}", re.ASCII)
"""Long enough not to be guessed soon, and what a header can carry."""


class AccessMode(StrEnum):
    """Whether tokens are asked for: from the first one on that there is, or always."""

    AUTO = "auto"
    TOKENS = "tokens"


class LogFormat(StrEnum):
    """The shape of the server's log: one JSON object a line, text, or text on a terminal and else JSON."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """What the server's log tells: this and what is worse."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Secretive(msgspec.Struct, frozen=True):
    """What holds secrets: its values are not for tracebacks and logs."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class SyncJob(msgspec.Struct, frozen=True, kw_only=True):
    """A Prow job whose builds are taken in as runs of a kind, and where the documents that they bring are.

    Its builds are the folders below ``gs://bucket/prefix`` and the job's name; of a pull request, below its
    number. ``pulls`` are numbers, or number/build. ``limit`` is how many of the newest successful builds are
    wanted (of each pull request). ``version`` is for builds that name none. In the URLs ``{commit}`` and
    ``{version}`` are the build's own; the token and certificate authority are for the swagger's server.
    """

    job: str
    kind: RunKind = RunKind.CI
    cluster: str | None = None
    bucket: str = "kubernetes-ci-logs"
    prefix: str = "logs/"
    pulls: tuple[str, ...] = ()
    limit: int = 1
    version: str | None = None
    swagger: str | None = None
    swagger_token_file: Path | None = None
    swagger_ca_file: Path | None = None
    pending: str | None = None
    ineligible: str | None = None


class SyncConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What ``sync`` fetches, and how Google Cloud Storage is reached."""

    jobs: tuple[SyncJob, ...] = ()
    gcs_endpoint: str | None = None
    gcs_token_file: Path | None = None


class ScheduleConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When to sync and audit: ``every`` so long, or at the times of ``cron``. No ``audits`` are all."""

    every: timedelta | None = None
    cron: str | None = None
    audits: tuple[str, ...] = ()


class RetentionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """For how long runs and AuditSets are kept; None is for ever."""

    runs: timedelta | None = None
    sets: timedelta | None = None


class NotifyFormat(StrEnum):
    """The shape of a notification: our own JSON, or Slack's."""

    JSON = "json"
    SLACK = "slack"


class NotifyConfig(_Secretive, frozen=True, kw_only=True):
    """Where changes are told. Whoever knows the URL of a Slack webhook can post there: it is not shown."""

    url: str
    format: NotifyFormat = NotifyFormat.JSON


class CiConfig(_Secretive, frozen=True, kw_only=True):
    """What a CI system tells its jobs: Prow's folder of artifacts, and what GitHub Actions takes.

    ``step_summary`` is the file to which a step appends Markdown; ``annotations`` says that it reads workflow
    commands. ``github_token`` is what GitHub's API at ``github_api`` is shown.
    """

    artifacts: Path | None = None
    step_summary: Path | None = None
    annotations: bool = False
    github_token: str | None = None
    github_api: str = "https://api.github.com"


class Config(_Secretive, frozen=True, kw_only=True):
    """Everything that can be configured, with its defaults.

    ``data`` is the folder that holds the store. ``max_upload_bytes`` bounds the body of a request, packed as
    it is; ``max_unpacked_bytes`` what each file in it may unpack to; ``max_upload_time`` how long it may take
    to arrive. ``rate_limit`` is how many writing requests a minute a token may make; None is any number.
    ``jobs`` is how many processes count a log. Costs are fetched from ``opencost_url`` and nowhere else.
    ``audits`` are the types that are run where all are asked for; none are all that there are. ``waivers`` is
    the file of findings that are accepted.
    ``token`` is what the command line shows a server, ``admin_token`` one that a server takes besides those
    in its store; they come from the environment alone, for files get copied.
    """

    data: Path
    utc_offset: timezone = UTC
    exercised_by: ExercisedBy = ExercisedBy.HIT
    rel_tol: float = 1e-6
    abs_tol: float = 1e-9
    max_gap: timedelta = timedelta(minutes=10)
    target_release: str | None = None
    waivers: Path | None = None
    cost_tolerance: CostTolerance = CostTolerance()
    baseline: BaselineRule = BaselineRule()
    opencost_url: str | None = None
    max_upload_bytes: int = 2 << 30
    max_unpacked_bytes: int = 32 << 30
    max_upload_time: timedelta = timedelta(minutes=30)
    access: AccessMode = AccessMode.AUTO
    public_reads: bool = False
    rate_limit: int | None = None
    jobs: int = 1
    min_free_bytes: int = 100 << 20
    log_format: LogFormat = LogFormat.AUTO
    log_level: LogLevel = LogLevel.INFO
    token: str | None = None
    admin_token: str | None = None
    audits: tuple[str, ...] = ()
    sync: SyncConfig = SyncConfig()
    schedule: ScheduleConfig | None = None
    retention: RetentionConfig = RetentionConfig()
    notify: NotifyConfig | None = None
    ci: CiConfig = CiConfig()


def load_config(environ: Mapping[str, str], *, home: Path) -> Config:
    """The configuration of an environment; ConfigError names the key or variable that is wrong.

    A variable that is empty is as one that is not set.
    """
    data = Path(environ.get(f"{PREFIX}DATA") or home / ".local" / "share" / "auditsvc")
    named = environ.get(f"{PREFIX}CONFIG")
    file = Path(named) if named else data / FILE_NAME
    values = _read_file(file, required=bool(named)) | _read_variables(environ)
    baseline = BaselineRule(**_taken(values, "baseline_", "max_age", "runs", "quorum"))
    if baseline.quorum > baseline.runs:
        raise ConfigError(
            f"baseline_quorum: {baseline.quorum} of {baseline.runs} baseline_runs can never agree; lower it"
        )
    tolerance = CostTolerance(**_taken(values, "cost_", "relative", "per_allocation", "per_asset"))
    token = environ.get(f"{PREFIX}TOKEN") or None
    return Config(
        data=data,
        baseline=baseline,
        cost_tolerance=tolerance,
        token=token,
        admin_token=_read_admin_token(environ),
        ci=_read_ci(environ),
        **values,
    )


def _read_ci(environ: Mapping[str, str]) -> CiConfig:
    artifacts, summary = environ.get("ARTIFACTS"), environ.get("GITHUB_STEP_SUMMARY")
    return CiConfig(
        artifacts=Path(artifacts) if artifacts else None,
        step_summary=Path(summary) if summary else None,
        annotations=environ.get("GITHUB_ACTIONS") == "true",
        github_token=environ.get("GITHUB_TOKEN", "").strip() or None,
        github_api=environ.get("GITHUB_API_URL") or "https://api.github.com",
    )


def _read_admin_token(environ: Mapping[str, str]) -> str | None:
    """The first admin token, as it is or from the file that a Secret is mounted as."""
    variable, file_variable = f"{PREFIX}ADMIN_TOKEN", f"{PREFIX}ADMIN_TOKEN_FILE"
    token, file = environ.get(variable), environ.get(file_variable)
    if token and file:
        raise ConfigError(f"{variable} and {file_variable} are both set: keep one of them")
    if file:
        variable = f"{file_variable} ({file})"
        try:
            token = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{variable} cannot be read: {_reason(error)}") from error
    if token is None or not (file or token):
        return None
    token = token.strip()
    if not _ADMIN_TOKEN.fullmatch(token):
        raise ConfigError(
            f"{variable}: not 16 or more visible ASCII characters without a space; "
            "`openssl rand -hex 32` makes a good token"
        )
    return token


def _taken(values: dict[str, Any], prefix: str, *names: str) -> dict[str, Any]:
    """Takes the values whose keys are the prefix and one of the names, by those names."""
    return {name: values.pop(prefix + name) for name in names if prefix + name in values}


def _read_file(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if required:
            raise unreadable(file, error) from error
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error) from error
    # What checks is slow to import, and mostly there is nothing to check.
    from auditsvc.config.schema import read_keys

    return read_keys(text, file)


def unreadable(file: Path, error: Exception) -> ConfigError:
    """What is wrong with a configuration file that cannot be read."""
    return ConfigError(f"cannot read the configuration file {file}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())


def _read_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """The known variables. Others stay unread: a cluster sets AUDITSVC_PORT for a Service of that name."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in _APART and value
    }
    if not given:
        return {}
    from auditsvc.config.schema import check_variables

    return check_variables(given)
