"""Stored results as reports: since when, where seen, and the history and findings by page."""

import json
from datetime import timedelta

import pytest

from auditsvc.audits import AuditType, find_audit_type
from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.core.usage import ExercisedBy
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.exports import results_json, results_text
from auditsvc.exports.report import AuditReport, Place
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from tests.logs import NOON, event
from tests.service.made import (
    DAY,
    EQUALITY,
    INELIGIBLE,
    PENDING,
    TOTAL,
    add_run,
    as_log,
    document,
    move_clock,
)

CI, PULL, APP = RunKind.CI, RunKind.PULL, RunKind.APP
BASE = ("listPod", "readPod", "listJob")
INTEGRITY = find_audit_type("logIntegrity")


def day(number: int) -> Window:
    """So many days after the first."""
    return Window.day(NOON + timedelta(days=number))


@pytest.fixture
def week(service: Service) -> Service:
    """A week of CI runs, audited: readPod is no longer requested from the fourth day on."""
    for number in range(7):
        add_run(service, CI, *(BASE if number < 3 else ("listPod", "listJob")), hours=24 * number)
        move_clock(service, timedelta(days=1))
    service.audits.run(Window(DAY.start, day(6).end))
    return service


def report_of(service: Service, window: Window, key: str) -> AuditReport:
    """The report of a day's result."""
    results = {one.key: one.result for one in service.audits.stored(window) if one.key == key}
    [audit] = service.reports.report(window, results).audits
    return audit


class TestSince:
    """Since when results are so."""

    def test_pending(self, week: Service) -> None:
        """Each day's result is told by the days up to it."""
        passed = report_of(week, day(2), "pendingReconciliation")
        failed = report_of(week, day(5), "pendingReconciliation")
        assert (passed.result.status, failed.result.status) == (Status.PASSED, Status.FAILED)
        assert str(passed.streak) == f"Passed since {DAY.start.date()}"
        assert passed.streak
        assert str(passed.streak) not in passed.notes
        assert failed.notes[-1] == (
            f"Failed since {day(3).start.date()}; Passed last on {day(2).start.date()}, 3 sets ago"
        )

    def test_formats(self, week: Service) -> None:
        """Reports for people have it among the notes, JSON as members."""
        results = {one.key: one.result for one in week.audits.stored(day(4), [PENDING])}
        report = week.reports.report(day(4), results)
        assert "  Failed since 2026-01-19; Passed last on 2026-01-18, 2 sets ago\n" in results_text.render(
            report
        )
        [row] = json.loads(results_json.render(report))["history"]
        assert row == {
            "type": PENDING.name,
            "status": "Failed",
            "since": "2026-01-19T00:00:00Z",
            "last_passed": "2026-01-18T00:00:00Z",
            "sets_since_passed": 2,
            "sets": 5,
        }

    def test_run_alone(self, week: Service) -> None:
        """A run that is judged alone is in no AuditSet, and has no history."""
        run = week.runs.find(limit=1)[0][0]
        results = {one.key: one.result for one in week.audits.run(run_id=run.id)}
        report = week.reports.report(day(6), results, run_id=run.id)
        assert {audit.streak for audit in report.audits} == {None}
        assert (report.title, report.window, report.subjects) == (f"audit of run {run.id}", None, (run,))

    def test_history(self, week: Service) -> None:
        """Newest first, by page, of the window and the types asked for."""
        rows, total = week.reports.history(None, [PENDING], limit=3, offset=2)
        assert total == 7
        assert [row.ran.window for row in rows] == [day(4), day(3), day(2)]
        assert [row.streak.sets_since_passed for row in rows] == [2, 1, 0]
        assert [row.streak.sets for row in rows] == [5, 4, 3]
        rows, total = week.reports.history(day(1), limit=100)
        assert total == len(rows) == len(week.audits.stored(day(1)))
        assert [row.ran.key for row in rows] == sorted(row.ran.key for row in rows)
        assert week.reports.history(day(50), limit=9) == ([], 0)


class TestSeen:
    """Where operations were seen."""

    def test_ci_runs(self, week: Service) -> None:
        """In how many of the last six CI runs before the subject's it was exercised."""
        found = {one.key: one for one in report_of(week, day(6), "pendingReconciliation").findings}
        seen = found["readPod"].seen
        assert seen
        assert (seen.run, seen.runs, seen.of) == (None, 3, 6)
        assert str(seen) == "in 3 of the last 6 CI runs"

    def test_run(self, week: Service) -> None:
        """What the subject requested is where it did."""
        pull = add_run(week, PULL, *BASE, "listCron", hours=24 * 6 + 1, pull="1")
        week.audits.run(day(6))
        found = {one.key: one for one in report_of(week, day(6), "operationEquality").findings}
        seen = found["listCron"].seen
        assert str(seen) == f"seen first at audit.log:4 of pull run {pull.id}; in 0 of the last 6 CI runs"

    def test_lost(self, service: Service) -> None:
        """What only the baseline requested is where the baseline did."""
        ci = add_run(service, CI, "listPod", "listJob", hours=-1)
        add_run(service, PULL, "listPod", pull="1")
        service.audits.run(DAY)
        found = {one.key: one for one in report_of(service, DAY, "operationEquality").findings}
        seen = found["listJob"].seen
        assert seen
        assert str(seen).startswith(f"seen first at audit.log:2 of ci run {ci.id}")

    def test_only_alike(self, service: Service) -> None:
        """Counted are successful CI runs of the same cluster and minor version that had finished by then."""
        service.documents.put_swagger("v1.33.0", document(), holds_from=NOON - timedelta(days=100))
        subject = add_run(service, PULL, "listPod", cluster="a")
        add_run(service, CI, "listPod", "readPod", cluster="a", hours=-1)
        add_run(service, CI, "listPod", cluster="a", hours=-2)
        add_run(service, CI, "readPod", cluster="a", hours=1)
        add_run(service, CI, "readPod", hours=-1)
        add_run(service, CI, "readPod", cluster="a", hours=-1, version="v1.33.0")
        add_run(service, CI, "readPod", cluster="a", hours=-1.5, result=RunResult.FAILURE)
        add_run(service, APP, "readPod", cluster="a", hours=-1)
        assert service.store.runs.last_exercised(subject, ExercisedBy.HIT, last=6) == (
            {"listPod": 2, "readPod": 1},
            2,
        )
        assert service.store.runs.last_exercised(subject, ExercisedBy.HIT, last=1)[1] == 1
        assert service.store.runs.last_exercised(subject, ExercisedBy.SUCCESS, last=1)[0]["listPod"] == 1
        assert service.store.runs.last_exercised(subject, ExercisedBy.TESTED, last=6) == ({}, 2)
        assert service.store.runs.last_exercised(subject, ExercisedBy.CONF_TESTED, last=6) == ({}, 2)

    def test_two_clusters(self, service: Service) -> None:
        """The runs of each cluster are counted apart; of what both requested, the first subject's."""
        for cluster, requested in (("a", "listPod"), ("b", "readPod")):
            for hours in (-1, -2):
                add_run(service, CI, requested, "listJob", cluster=cluster, hours=hours)
            add_run(service, PULL, "listCron", requested, cluster=cluster, pull=cluster, hours=1)
        seen = service.reports.report(DAY, {}).judged
        assert len(seen) == 2
        found = service.reports._seen(seen)
        assert {name: (one.runs, one.of) for name, one in found.items()} == {
            "listPod": (2, 2),
            "readPod": (2, 2),
            "listJob": (2, 2),
            "listCron": (0, 2),
        }


class TestFindings:
    """Findings by page."""

    def test_all(self, week: Service) -> None:
        """In time order, each of its audit; all of what a result holds."""
        rows, total = week.reports.findings(None, limit=1000)
        stored = week.audits.stored()
        floats = sum(len(one.result.floats) for one in stored)
        missing = sum(len(one.result.missing) for one in stored)
        problems = sum(one.result.problem is not None for one in stored)
        assert total == len(rows) == floats + missing + problems
        assert [row.window for row in rows] == sorted(row.window for row in rows)
        pages = [week.reports.findings(None, limit=2, offset=at)[0] for at in range(0, total, 2)]
        assert [row.finding for page in pages for row in page] == [row.finding for row in rows]

    def test_filters(self, week: Service) -> None:
        """By window, type, status and a part of the key in any case."""
        rows, total = week.reports.findings(day(3), [PENDING], status=Status.WARNING, text="READ", limit=9)
        assert total == 1
        [row] = rows
        assert (row.window, row.audit.name, row.finding.key) == (day(3), PENDING.name, "readPod")
        assert row.finding.resolution
        assert row.finding.operation
        hard, _ = week.reports.findings(day(3), [PENDING], status=Status.FAILED, limit=9)
        assert [one.finding.status for one in hard] == [Status.FAILED]
        assert hard[0].finding.detail in hard[0].finding.text

    def test_place(self, service: Service) -> None:
        """A list entry is shown by its line."""
        add_run(service, CI, "listPod", "deletePod")
        service.audits.run(DAY, [PENDING])
        rows, _ = service.reports.findings(DAY, text="deletePod", limit=9)
        assert rows[0].finding.place == Place("pending_eligible_endpoints.yaml", 1)

    def test_run(self, week: Service) -> None:
        """Those of a run that was judged alone."""
        run = week.runs.find(limit=1)[0][0]
        assert week.reports.findings(None, run_id=run.id, limit=9) == ([], 0)
        week.audits.run(run_id=run.id)
        rows, total = week.reports.findings(None, [PENDING], run_id=run.id, limit=9)
        assert total == len(rows) > 0
        with pytest.raises(NotFoundError):
            week.reports.findings(None, run_id="x", limit=9)


class TestNothingPasses:
    """A stale baseline, no run at all and an empty log never pass, and the result says so."""

    def test_stale_baseline(self, service: Service) -> None:
        """The nearest CI run is named with how far away it is."""
        ci = add_run(service, CI, *BASE, hours=-24 * 8)
        add_run(service, PULL, *BASE, pull="1")
        [stored] = service.audits.run(DAY, [EQUALITY])
        assert stored.result.status is Status.FAILED
        assert f"{ci.id}, is 8 d away, more than 7 d" in stored.result.description

    @pytest.mark.parametrize("known", [EQUALITY, PENDING, INTEGRITY])
    def test_no_run(self, service: Service, known: AuditType) -> None:
        """Neither where none was ever received nor where none is of the day."""
        [stored] = service.audits.run(DAY, [known])
        assert stored.result.status is Status.FAILED
        assert "ever received" in stored.result.description
        add_run(service, CI, *BASE, hours=72)
        [stored] = service.audits.run(DAY, [known])
        assert stored.result.status is Status.FAILED
        assert "no pull run and no successful ci run finished in" in stored.result.description

    @pytest.mark.parametrize("known", [EQUALITY, PENDING])
    def test_nothing_exercised(self, service: Service, known: AuditType) -> None:
        """A log whose every request is of no operation is as good as empty, on either side."""
        add_run(service, CI, *BASE, hours=-2)
        run = add_unmapped(service, PULL, hours=0)
        [stored] = service.audits.run(DAY, [known])
        assert stored.result.status is Status.FAILED
        assert f"pull run {run} exercised no operation (exercised_by: hit)" in stored.result.description

    def test_empty_baseline(self, service: Service) -> None:
        """Nothing is added where the baseline is empty: the run is not held against nothing."""
        run = add_unmapped(service, CI, hours=-2)
        add_run(service, PULL, *BASE, pull="1")
        [stored] = service.audits.run(DAY, [EQUALITY])
        assert stored.result.status is Status.FAILED
        assert f"CI baseline {run} exercised no operation" in stored.result.description

    def test_what_needs_no_run_still_passes(self, service: Service) -> None:
        """The lists and the catalogue can be judged without one."""
        stored = service.audits.run(DAY, [INELIGIBLE, TOTAL])
        assert {one.result.status for one in stored} == {Status.PASSED}


def add_unmapped(service: Service, kind: RunKind, *, hours: float) -> str:
    """A run that requested nothing but /healthz; its id."""
    finished = NOON + timedelta(hours=hours)
    log = as_log(event("a", uri="/healthz", verb="get"))
    upload = RunUpload(kind=kind, logs=[log], started=finished - timedelta(hours=1), finished=finished)
    return service.runs.add(upload)[0].id
