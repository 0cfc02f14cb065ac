"""What the service looks like from outside, in the words of Prometheus.

Two kinds: counts of what this process did, and what is in the store, read anew for each scrape. No label is a
user, an address or an operation: their number must not grow with what is audited.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from auditsvc import __version__
from auditsvc.audits import audit_types
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind
from auditsvc.service import Service
from auditsvc.service.schedule import KIND
from auditsvc.store.figures import AuditFigures

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus-client's: where several processes keep their counts together; set before this is imported."""

REFUSED = (401, 403, 429)
"""No token, a token that may not, too many requests."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""From a page to an upload of gigabytes."""

disable_created_metrics()  # type: ignore[no-untyped-call] # they double the series, and nobody asks for them


class Metrics:
    """The metrics of a service, counted from here on."""

    def __init__(self, service: Service) -> None:
        counts = CollectorRegistry()
        self._ingest_bytes = Counter(
            "auditsvc_ingest_bytes_total",
            "Bytes of logs read for runs, unpacked.",
            ["kind"],
            registry=counts,
        )
        self._ingest_events = Counter(
            "auditsvc_ingest_events_total", "Audit events counted for runs.", ["kind"], registry=counts
        )
        self._requests = Counter(
            "auditsvc_http_requests_total",
            "HTTP requests answered, by the name of their route.",
            ["method", "route", "code"],
            registry=counts,
        )
        self._refused = Counter(
            "auditsvc_http_refused_requests_total",
            "HTTP requests refused: 401 without a token, 403 with one that may not, 429 too many.",
            ["code"],
            registry=counts,
        )
        self._durations = Histogram(
            "auditsvc_http_request_duration_seconds",
            "Time from a request's headers to its answer's.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=counts,
        )
        self._begin_at_zero()
        self._registry = _shared(counts)
        self._registry.register(_StoreCollector(service))
        service.runs.ingested = self.ingested

    def ingested(self, kind: RunKind, read: int, events: int) -> None:
        """Counts a log that was read."""
        self._ingest_bytes.labels(kind).inc(read)
        self._ingest_events.labels(kind).inc(events)

    def answered(self, method: str, route: str, code: int, seconds: float) -> None:
        """Counts a request; ``route`` is the name of its view, never its path."""
        self._requests.labels(method, route, str(code)).inc()
        self._durations.labels(method, route).observe(seconds)
        if code in REFUSED:
            self._refused.labels(str(code)).inc()

    def render(self) -> bytes:
        """All of it in Prometheus' text format, of CONTENT_TYPE. Raises StoreError."""
        return generate_latest(self._registry)

    def _begin_at_zero(self) -> None:
        """A counter that first appears as 1 was, to Prometheus, never increased."""
        for kind in RunKind:
            self._ingest_bytes.labels(kind)
            self._ingest_events.labels(kind)
        for code in REFUSED:
            self._refused.labels(str(code))


def _shared(counts: CollectorRegistry) -> CollectorRegistry:
    """What is shown of the counts: with several processes the sums of all, else this one's, and itself."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        ProcessCollector(registry=counts)
        return counts
    sums = CollectorRegistry()
    MultiProcessCollector(sums, path=folder)  # type: ignore[no-untyped-call] # of prometheus-client
    return sums


class _StoreCollector(Collector):
    """What the store, the schedule and the disk say at the moment of a scrape."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing, so that registering reads no store."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily]:
        """The families. Raises StoreError: a scrape that fails is what Prometheus calls down."""
        about = {"version": __version__, "python": platform.python_version()}
        yield InfoMetricFamily("auditsvc_build", "What runs.", about)
        yield from _disk_families(self._service)
        yield from _audit_families(self._service.store.figures.audits())
        yield from _work_families(self._service)
        yield from _schedule_families(self._service)


def _audit_families(figures: list[AuditFigures]) -> list[GaugeMetricFamily]:
    names = {known.key: known.name for known in audit_types()}
    audits = [(names[one.key], one) for one in figures if one.key in names]
    status = _gauge("audit_status", "1: how the audit's newest window ended.", "type", "status")
    findings = _gauge(
        "audit_findings", "Findings in its newest window: hard ones fail it.", "type", "severity"
    )
    checked = _gauge("audit_checked", "Comparisons made in its newest window.", "type")
    window = _gauge("audit_window_start_timestamp_seconds", "Start of its newest window.", "type")
    last_run = _gauge("audit_last_run_timestamp_seconds", "When it last ran over that window.", "type")
    success = _gauge("audit_last_success_timestamp_seconds", "When it last ran and did not fail.", "type")
    for name, one in audits:
        for known in Status:
            status.add_metric([name, known], one.status is known)
        findings.add_metric([name, "hard"], one.hard)
        findings.add_metric([name, "soft"], one.soft)
        checked.add_metric([name], one.checked)
        window.add_metric([name], one.window_start.timestamp())
        last_run.add_metric([name], one.last_run.timestamp())
        if one.last_success is not None:
            success.add_metric([name], one.last_success.timestamp())
    return [status, findings, checked, window, last_run, success]


def _work_families(service: Service) -> Iterator[GaugeMetricFamily]:
    jobs = _gauge("jobs", "Jobs by state; those queued or running are the queue.", "state")
    for state, count in service.store.figures.jobs().items():
        jobs.add_metric([state], count)
    yield jobs
    stored = _gauge("runs", "Runs in the store.", "kind")
    finished = _gauge("run_last_finished_timestamp_seconds", "When the last run of a kind finished.", "kind")
    for kind, figures in service.store.figures.runs().items():
        stored.add_metric([kind], figures.runs)
        finished.add_metric([kind], figures.finished.timestamp())
    yield from (stored, finished)


def _schedule_families(service: Service) -> Iterator[GaugeMetricFamily]:
    """Nothing where nothing is scheduled, so that no alert waits for it."""
    schedule, store = service.schedule, service.store
    due = schedule.due()
    if due is None:
        return
    last = store.jobs.newest(KIND)
    yield _time("schedule_next_run", "When the next scheduled run is due.", due)
    yield _time("schedule_last_run", "When the last scheduled run was begun.", last.created if last else None)
    yield _time(
        "schedule_last_success",
        "When a scheduled run last ended with its sync, costs and audits all done.",
        store.figures.last_done(KIND),
    )
    yield GaugeMetricFamily(
        "auditsvc_schedule_lease_held",
        "1: a process that lives makes the scheduled runs.",
        schedule.is_held(),
    )


def _disk_families(service: Service) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily(
        "auditsvc_store_size_bytes", "Size of the store's files.", _size(service.store.path)
    )
    usage = shutil.disk_usage(service.config.data)
    yield GaugeMetricFamily("auditsvc_disk_free_bytes", "Free space where the store is.", usage.free)
    yield GaugeMetricFamily("auditsvc_disk_size_bytes", "All space there.", usage.total)
    yield GaugeMetricFamily(
        "auditsvc_disk_min_free_bytes", "Below this the server is not ready.", service.config.min_free_bytes
    )


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"auditsvc_{name}", documentation, labels=labels)


def _time(name: str, documentation: str, moment: datetime | None) -> GaugeMetricFamily:
    """A time, or a family without a sample where there is none yet."""
    family = _gauge(f"{name}_timestamp_seconds", documentation)
    if moment is not None:
        family.add_metric([], moment.timestamp())
    return family


def _size(path: Path) -> int:
    """Of the database and its log."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
