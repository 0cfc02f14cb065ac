"""The keys of the configuration file that hold more than one value."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from marshmallow import Schema, fields
from msgspec.structs import replace

from auditsvc.config import (
    Config,
    NotifyConfig,
    NotifyFormat,
    RetentionConfig,
    ScheduleConfig,
    SyncConfig,
    SyncJob,
    load_config,
)
from auditsvc.config.schema import ConfigFileSchema
from auditsvc.core.runs import RunKind
from auditsvc.errors import ConfigError

SYNC = """
sync:
  gcs_endpoint: http://localhost:4443
  gcs_token_file: /var/run/token
  jobs:
    - job: ci-audit-kind-conformance
      cluster: kind
      version: v1.36
      swagger: https://example.org/{commit}/swagger.json
      swagger_ca_file: /etc/ca.pem
      pending: https://example.org/{version}/pending.yaml
    - job: pull-audit-kind-conformance
      kind: pull
      pulls: [131234, 131235/1958000000000000000]
      limit: 3
    - {job: pull-other, kind: pull, prefix: pr-logs/pull/org_repo/, bucket: mine}
"""
SECTIONS: list[tuple[str, dict[str, Any]]] = [
    (
        "audits: [swaggerTotal, AuditOperationEquality]",
        {"audits": ("swaggerTotal", "AuditOperationEquality")},
    ),
    ("schedule: {every: 6h}", {"schedule": ScheduleConfig(every=timedelta(hours=6))}),
    (
        "schedule:\n  cron: '30 */6 * * *'\n  audits: [swaggerTotal]",
        {"schedule": ScheduleConfig(cron="30 */6 * * *", audits=("swaggerTotal",))},
    ),
    ("retention: {runs: 90d}", {"retention": RetentionConfig(runs=timedelta(days=90))}),
    (
        "retention: {runs: 2w, sets: 2y}",
        {"retention": RetentionConfig(runs=timedelta(weeks=2), sets=timedelta(days=730))},
    ),
    ("notify: {url: 'http://localhost:1/x'}", {"notify": NotifyConfig(url="http://localhost:1/x")}),
    (
        "notify: {url: 'https://hooks.slack.com/services/T/B/x', format: slack}",
        {"notify": NotifyConfig(url="https://hooks.slack.com/services/T/B/x", format=NotifyFormat.SLACK)},
    ),
    ("sync: {jobs: []}", {"sync": SyncConfig()}),
]
JOB = "sync: {{jobs: [{{job: a}}, {{job: b, {}}}]}}"
WRONG = [
    ("sync: yes", "sync: Invalid input type."),
    ("sync: {job: a}", "sync.job: Unknown field. (known keys are jobs, gcs_endpoint, gcs_token_file)"),
    ("sync: {jobs: [{kind: ci}]}", "sync.jobs[0].job: Missing data for required field."),
    ("sync: {jobs: a}", "sync.jobs: Not a valid list."),
    ("sync: {gcs_endpoint: 'file:///etc'}", "sync.gcs_endpoint: Not a valid URL."),
    ("sync: {gcs_token_file: ''}", "sync.gcs_token_file: Not the path of a file."),
    (JOB.format("kind: app"), "sync.jobs[1].kind: Must be ci or pull."),
    (JOB.format("kinds: ci"), "sync.jobs[1].kinds: Unknown field. (known keys are job, kind, cluster, "),
    (JOB.format("limit: 0"), "sync.jobs[1].limit: Must be greater than or equal to 1"),
    (JOB.format("pulls: [7]"), "sync.jobs[1].pulls: Only a job of the kind pull has pull requests."),
    (JOB.format("kind: pull, pulls: [7, x]"), "sync.jobs[1].pulls[1]: Not a number such as 131234, or "),
    (JOB.format("prefix: logs"), "sync.jobs[1].prefix: Not folders, each with a / after it."),
    (JOB.format("version: master"), "sync.jobs[1].version: Not a version such as v1.34.0."),
    (JOB.format("swagger: 'ftp://x/y'"), "sync.jobs[1].swagger: Not an http://, https:// or gs:// URL."),
    (JOB.format("swagger: 'https://x/{tag}'"), "sync.jobs[1].swagger: Unknown placeholder {tag}; there are "),
    (JOB.format("swagger: 'https://x/{commit'"), "sync.jobs[1].swagger: Not a URL with {commit} or "),
    ("schedule: {}", "schedule: Give either every or cron."),
    ("schedule: {every: 1h, cron: '0 0 * * *'}", "schedule: Give either every or cron."),
    ("schedule: {every: 0m}", "schedule.every: Not from 1m to 366d."),
    ("schedule: {every: 999999w}", "schedule.every: Not from 1m to 366d."),
    ("schedule: {every: hourly}", "schedule.every: Not a duration such as 90m, 12h, 7d or 2w."),
    ("schedule: {every: 1h, audits: swaggerTotal}", "schedule.audits: Not a valid list."),
    ("retention: {runs: 12h}", "retention.runs: Not from 1d to 999y."),
    ("retention: {sets: 0y}", "retention.sets: Not from 1d to 999y."),
    ("retention: {sets: 999999w}", "retention.sets: Not from 1d to 999y."),
    ("retention: {jobs: 1y}", "retention.jobs: Unknown field. (known keys are runs, sets)"),
    ("notify: {format: json}", "notify.url: Missing data for required field."),
    ("notify: {url: 'ftp://x/y'}", "notify.url: Not a valid URL."),
    ("notify: {url: 'http://x/y', format: xml}", "notify.format: Must be one of: json, slack."),
]
CRONS = [
    # The next times after Thursday, 2026-01-01T00:00Z.
    ("0 6 * * *", ["2026-01-01T06:00", "2026-01-02T06:00"]),
    ("0 0 * * 0", ["2026-01-04T00:00", "2026-01-11T00:00"]),
    ("0 0 * * 7", ["2026-01-04T00:00", "2026-01-11T00:00"]),
    ("0 0 * * 1", ["2026-01-05T00:00", "2026-01-12T00:00"]),
    ("0 12 * * 1-5", ["2026-01-01T12:00", "2026-01-02T12:00", "2026-01-05T12:00"]),
    ("0 12 * * 5-7", ["2026-01-02T12:00", "2026-01-03T12:00", "2026-01-04T12:00"]),
    ("0 12 * * 0,sat", ["2026-01-03T12:00", "2026-01-04T12:00", "2026-01-10T12:00"]),
    ("0 12 * * */2", ["2026-01-01T12:00", "2026-01-03T12:00", "2026-01-04T12:00", "2026-01-06T12:00"]),
    ("0 12 * * 1-5/2", ["2026-01-02T12:00", "2026-01-05T12:00", "2026-01-07T12:00"]),
    (" 0   0 29  2 * ", ["2028-02-29T00:00"]),
]
WRONG_CRONS = [
    ("", "Not five fields as in crontab(5)"),
    ("@daily", "Not five fields"),
    ("0 0 * *", "Not five fields"),
    ("0 0 0 * * *", "Not five fields"),
    ("60 0 * * *", "Not five fields"),
    ("0 0 * * 8", "Not five fields"),
    ("0 0 * * 5-1", "Not five fields"),
    ("0 0 1 * 5", "Give days of the month or days of the week, not both."),
    ("0 0 30 2 *", "There is no such day."),
]


def loaded(folder: Path, text: str) -> Config:
    """The configuration of that file."""
    (folder / "auditsvc.yaml").write_text(text, encoding="utf-8")
    return load_config({"AUDITSVC_DATA": str(folder)}, home=folder)


@pytest.mark.parametrize(("text", "changes"), SECTIONS)
def test_sections(text: str, changes: dict[str, Any], tmp_path: Path) -> None:
    """Each section is read, and the rest stays as it is."""
    assert loaded(tmp_path, text) == replace(Config(data=tmp_path), **changes)


def test_sync(tmp_path: Path) -> None:
    """Jobs are read in their order; where their builds are follows from their kind where it is not said."""
    sync = loaded(tmp_path, SYNC).sync
    assert (sync.gcs_endpoint, sync.gcs_token_file) == ("http://localhost:4443", Path("/var/run/token"))
    assert sync.jobs == (
        SyncJob(
            job="ci-audit-kind-conformance",
            kind=RunKind.CI,
            cluster="kind",
            bucket="kubernetes-ci-logs",
            prefix="logs/",
            version="v1.36",
            swagger="https://example.org/{commit}/swagger.json",
            swagger_ca_file=Path("/etc/ca.pem"),
            pending="https://example.org/{version}/pending.yaml",
        ),
        SyncJob(
            job="pull-audit-kind-conformance",
            kind=RunKind.PULL,
            prefix="pr-logs/pull/",
            pulls=("131234", "131235/1958000000000000000"),
            limit=3,
        ),
        SyncJob(job="pull-other", kind=RunKind.PULL, prefix="pr-logs/pull/org_repo/", bucket="mine"),
    )


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_sections(text: str, message: str, tmp_path: Path) -> None:
    """What cannot be used is told in one line, with its place in the file."""
    with pytest.raises(ConfigError) as told:
        loaded(tmp_path, text)
    assert str(told.value).startswith(f"{tmp_path / 'auditsvc.yaml'}: {message}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("expression", "times"), CRONS)
def test_cron(expression: str, times: list[str], tmp_path: Path) -> None:
    """Times mean what they do in a crontab: there the week starts with Sunday, to APScheduler with Monday."""
    schedule = loaded(tmp_path, f"schedule: {{cron: '{expression}'}}").schedule
    assert schedule is not None
    trigger = CronTrigger.from_crontab(schedule.cron, timezone=UTC)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for time in times:
        moment = trigger.get_next_fire_time(None, moment)
        assert f"{moment:%Y-%m-%dT%H:%M}" == time
        moment += timedelta(seconds=1)


@pytest.mark.parametrize(("expression", "message"), WRONG_CRONS)
def test_wrong_cron(expression: str, message: str, tmp_path: Path) -> None:
    """An expression that is none, that programs disagree on, or that is true of no day, is refused."""
    with pytest.raises(ConfigError, match=r"schedule\.cron: ") as told:
        loaded(tmp_path, f"schedule: {{cron: '{expression}'}}")
    assert message in str(told.value)


def test_variables_hold_no_sections(tmp_path: Path) -> None:
    """A variable with the name of a section is somebody else's."""
    environ = {"AUDITSVC_DATA": str(tmp_path), "AUDITSVC_SYNC": "1", "AUDITSVC_NOTIFY": "me"}
    assert load_config(environ, home=tmp_path) == Config(data=tmp_path)


def test_a_webhook_is_not_shown() -> None:
    """Who knows a Slack webhook's URL can post there."""
    assert "hush" not in repr(NotifyConfig(url="https://example.org/hush"))


def test_every_key_says_what_it_is_for() -> None:
    """Also those within the sections."""
    assert all(field.metadata["description"] for field in all_fields(ConfigFileSchema()))


def all_fields(schema: Schema) -> Iterator[fields.Field[Any]]:
    """The fields of a schema and of those within it."""
    for field in schema.fields.values():
        yield field
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from all_fields(inner.schema)
