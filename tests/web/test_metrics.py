"""``/metrics``: what a Prometheus reads of a real app over a real store."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from auditsvc import __version__
from auditsvc.audits import audit_types
from auditsvc.config import Config, ScheduleConfig
from auditsvc.core.window import Window
from auditsvc.service import Service, open_service
from auditsvc.service.schedule import KIND, LEASE
from auditsvc.web import create_app
from tests.metrics import labelled, promtool, read_metrics, read_names
from tests.store.made import make_failure, make_result
from tests.web.made import CI, NOW, log_bytes, message_of, swagger_bytes, upload


@pytest.fixture
def scheduled(tmp_path: Path) -> Iterator[tuple[Service, FlaskClient]]:
    """A service with a schedule, and a client of it."""
    schedule = ScheduleConfig(every=timedelta(hours=6))
    config = Config(data=tmp_path / "scheduled", schedule=schedule)
    with open_service(config, clock=lambda: NOW) as service:
        yield service, create_app(service).test_client()


def scrape(client: FlaskClient) -> dict[str, float]:
    """The samples."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return read_metrics(answer.text)


def test_promtool_finds_no_fault(
    client: FlaskClient, runs: dict[str, str], scheduled: tuple[Service, FlaskClient]
) -> None:
    """Names, help texts, units and types are as Prometheus' conventions want them."""
    assert runs
    with scheduled[0].jobs.recorded(KIND, "a run"):
        pass
    for server in (client, scheduled[1]):
        ran = promtool("check", "metrics", stdin=server.get("/metrics").data)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_audits_are_told_by_type_and_status(client: FlaskClient, runs: dict[str, str]) -> None:
    """How the newest window ended, its findings, and when; an audit that never ran is not there."""
    assert runs
    samples = scrape(client)
    failed = {"type": "AuditIneligibleConsistency"}
    assert samples[labelled("auditsvc_audit_status", **failed, status="Failed")] == 1
    assert samples[labelled("auditsvc_audit_status", **failed, status="Passed")] == 0
    assert samples[labelled("auditsvc_audit_findings", **failed, severity="hard")] == 1
    assert labelled("auditsvc_audit_last_success_timestamp_seconds", **failed) not in samples
    warned = {"type": "AuditOperationEquality"}
    assert samples[labelled("auditsvc_audit_status", **warned, status="Warning")] == 1
    assert samples[labelled("auditsvc_audit_findings", **warned, severity="soft")] == 1
    assert samples[labelled("auditsvc_audit_checked", **warned)] == 2
    assert samples[labelled("auditsvc_audit_last_run_timestamp_seconds", **warned)] == NOW.timestamp()
    assert samples[labelled("auditsvc_audit_last_success_timestamp_seconds", **warned)] == NOW.timestamp()
    assert samples[labelled("auditsvc_audit_window_start_timestamp_seconds", **warned)] == (
        Window.day(NOW - timedelta(days=1)).start.timestamp()
    )
    assert not any("AuditAssetTotalStore" in name for name in samples)


def test_last_success_is_of_the_newest_window_that_did_not_fail(
    client: FlaskClient, service: Service
) -> None:
    """A failure today does not hide that it passed yesterday."""
    today, yesterday = Window.day(NOW), Window.day(NOW - timedelta(days=1))
    service.store.sets.put([make_result(window=yesterday), make_failure(window=today)])
    samples = scrape(client)
    of = {"type": "AuditSwaggerTotal"}
    assert samples[labelled("auditsvc_audit_status", **of, status="Failed")] == 1
    assert samples[labelled("auditsvc_audit_last_success_timestamp_seconds", **of)] > 0
    assert samples[labelled("auditsvc_audit_window_start_timestamp_seconds", **of)] == today.start.timestamp()


def test_what_is_ingested_is_counted(client: FlaskClient) -> None:
    """Unpacked bytes and events, by kind; counters begin at 0, so that the first one is an increase."""
    before = scrape(client)
    assert before[labelled("auditsvc_ingest_bytes_total", kind="ci")] == 0
    client.put("/swagger/v1.34.0", data=swagger_bytes())
    upload(client, CI, kind="ci")
    samples = scrape(client)
    assert samples[labelled("auditsvc_ingest_bytes_total", kind="ci")] == len(log_bytes(CI))
    assert samples[labelled("auditsvc_ingest_events_total", kind="ci")] == len(CI)
    assert samples[labelled("auditsvc_ingest_events_total", kind="pull")] == 0
    assert samples[labelled("auditsvc_runs", kind="ci")] == 1
    assert labelled("auditsvc_run_last_finished_timestamp_seconds", kind="ci") in samples


def test_requests_are_counted_by_the_names_of_routes(client: FlaskClient) -> None:
    """Whatever a client makes up – paths, ids, methods – is not a series of its own."""
    for path in ("/runs/one", "/runs/two", "/nowhere", "/or/there"):
        assert client.get(path).status_code == 404
    client.open("/runs", method="BREW")
    samples = scrape(client)
    total = "auditsvc_http_requests_total"
    assert samples[labelled(total, method="GET", route="runs.get_run", code="404")] == 2
    assert samples[labelled(total, method="GET", route="none", code="404")] == 2
    assert samples[labelled(total, method="other", route="none", code="405")] == 1
    duration = "auditsvc_http_request_duration_seconds_count"
    assert samples[labelled(duration, method="GET", route="runs.get_run")] == 2
    assert not any("/runs" in name or "BREW" in name for name in samples)


def test_a_bug_is_counted_too(service: Service) -> None:
    """As the 500 that it is."""
    app = create_app(service)

    def fail() -> str:
        raise KeyError("a bug")

    app.add_url_rule("/fail", view_func=fail)
    client = app.test_client()
    client.get("/fail")
    assert (
        scrape(client)[labelled("auditsvc_http_requests_total", method="GET", route="fail", code="500")] == 1
    )


@pytest.mark.parametrize("code", [401, 403, 429])
def test_refused_calls_are_counted(service: Service, code: int) -> None:
    """Whoever refuses them: by the answer's code."""
    app = create_app(service)
    app.add_url_rule("/refuse", view_func=lambda: ("no", code))
    client = app.test_client()
    refused = labelled("auditsvc_http_refused_requests_total", code=str(code))
    assert scrape(client)[refused] == 0
    client.get("/refuse")
    assert scrape(client)[refused] == 1


def test_jobs_are_told_by_state(client: FlaskClient, service: Service) -> None:
    """All states, also those that no job is in."""
    service.jobs.wait(service.jobs.start("audit", "nothing", lambda _: None))
    samples = scrape(client)
    assert samples[labelled("auditsvc_jobs", state="done")] == 1
    assert samples[labelled("auditsvc_jobs", state="queued")] == 0


def test_schedule_is_told(scheduled: tuple[Service, FlaskClient]) -> None:
    """The next run, the last one and whether it was good, and whether anybody makes them."""
    service, client = scheduled
    samples = scrape(client)
    assert samples["auditsvc_schedule_next_run_timestamp_seconds"] == NOW.timestamp()
    assert samples["auditsvc_schedule_lease_held"] == 0
    assert "auditsvc_schedule_last_success_timestamp_seconds" not in samples
    service.store.leases.claim(LEASE, "somebody", now=NOW)
    with service.jobs.recorded(KIND, "a run"):
        pass
    samples = scrape(client)
    assert samples["auditsvc_schedule_lease_held"] == 1
    assert samples["auditsvc_schedule_last_run_timestamp_seconds"] == NOW.timestamp()
    assert samples["auditsvc_schedule_last_success_timestamp_seconds"] == NOW.timestamp()
    assert samples["auditsvc_schedule_next_run_timestamp_seconds"] == (NOW + timedelta(hours=6)).timestamp()


def test_nothing_scheduled_is_no_series(client: FlaskClient) -> None:
    """So that no alert waits for what nobody wants."""
    assert not any("schedule" in name for name in scrape(client))


def test_store_and_disk_are_told(client: FlaskClient, service: Service) -> None:
    """Their sizes, in bytes, and what runs."""
    samples = scrape(client)
    assert samples["auditsvc_store_size_bytes"] >= service.store.path.stat().st_size
    assert 0 < samples["auditsvc_disk_free_bytes"] <= samples["auditsvc_disk_size_bytes"]
    assert samples["auditsvc_disk_min_free_bytes"] == service.config.min_free_bytes
    assert any(name.startswith("auditsvc_build_info") and __version__ in name for name in samples)


def test_a_store_that_is_gone_is_told(client: FlaskClient, service: Service) -> None:
    """The scrape fails, which Prometheus shows as `up == 0`, rather than tell half of it."""
    service.store.close()
    assert str(service.store.path) in message_of(client.get("/metrics"), 503)


def test_no_label_names_what_grows(client: FlaskClient, runs: dict[str, str]) -> None:
    """The labels are a closed list: no user, address, operation, run or path."""
    assert runs
    names = read_names(client.get("/metrics").text)
    ours = {label for name, labels in names.items() if name.startswith("auditsvc_") for label in labels}
    assert ours == {
        *("type", "status", "severity", "kind", "state", "method", "route", "code", "le"),
        *("version", "python"),
    }


def test_two_years_of_sets_are_told_at_once(client: FlaskClient, service: Service) -> None:
    """A scrape of a store with 730 days of every audit, all failed, is a matter of milliseconds (of CPU)."""
    days = [Window.day(NOW - timedelta(days=age)) for age in range(730)]
    with service.store.transaction():
        for day in days:
            service.store.sets.put(make_failure(known.key, day) for known in audit_types())
    took = []
    for _ in range(5):
        started = time.process_time()
        assert data_size(client) > 0
        took.append(time.process_time() - started)
    assert min(took) < 0.05


def data_size(client: FlaskClient) -> int:
    """The size of a scrape."""
    return len(client.get("/metrics").data)
