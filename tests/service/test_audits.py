import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditsvc.audits import AuditType, Compared, Missing, Observation, audit_types
from auditsvc.core.results import AuditResult, AuditSet, Status, render_result
from auditsvc.core.runs import BaselineRule, RunKind, RunResult
from auditsvc.core.usage import ExercisedBy
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.service import Service
from auditsvc.service import audits as module
from auditsvc.service.audits import make_settings
from auditsvc.store.jobs import JobState
from auditsvc.store.lists import ListKind
from tests.logs import NOON
from tests.service.made import (
    CONFORMANCE,
    COSTS,
    DAY,
    EQUALITY,
    INELIGIBLE,
    PENDING,
    TOTAL,
    add_run,
    document,
    listing,
    move_clock,
    service_at,
)

CI, PULL = RunKind.CI, RunKind.PULL
NEXT_DAY = Window.day(NOON + timedelta(days=1))
RUNNING = "Running audit over window: "
BASE = ("listPod", "readPod", "listJob")


@pytest.fixture
def filled(service: Service) -> Service:
    """The service with a CI run and a pull run on one day."""
    add_run(service, CI, *BASE, hours=-2)
    add_run(service, PULL, *BASE, "listCron", pull="17", build="1")
    return service


def statuses(service: Service, window: Window | None = None) -> dict[str, Status]:
    """The stored statuses of a day's audits, by key."""
    return {stored.key: stored.result.status for stored in service.audits.stored(window)}


def results(service: Service, window: Window | None = None) -> dict[str, AuditResult]:
    """The stored results of a day's audits, by key."""
    return {stored.key: stored.result for stored in service.audits.stored(window)}


class TestRun:
    """Audits over windows."""

    def test_window(self, filled: Service) -> None:
        """All audits that have sources run over the window's days with data; the results are stored."""
        stored = filled.audits.run(DAY)
        assert {one.key for one in stored} == {known.key for known in CONFORMANCE}
        assert stored == filled.audits.stored()
        assert {one.window for one in stored} == {DAY}
        assert all(one.text == render_result(one.result) for one in stored)
        assert {one.result.last_run for one in stored} == {filled.clock()}
        assert statuses(filled)["operationEquality"] is Status.WARNING

    def test_every_day(self, filled: Service) -> None:
        """Without a window every day with data is audited, and no other."""
        add_run(filled, CI, *BASE, hours=24 * 3)
        told: list[tuple[int, int]] = []
        stored = filled.audits.run(commit=True, steps=lambda *step: told.append(step))
        assert sorted({one.window.start for one in stored}) == [DAY.start, DAY.start + timedelta(days=3)]
        assert told == [(0, 2), (1, 2), (2, 2)]

    def test_long_window(self, filled: Service) -> None:
        """A window touches every day that it overlaps, if only by an hour; audited are those with data."""
        add_run(filled, CI, *BASE, hours=24 * 3)
        span = Window(DAY.end - timedelta(hours=1), DAY.end + timedelta(days=1))
        assert {one.window for one in filled.audits.run(span)} == {DAY}

    def test_window_without_data(self, filled: Service) -> None:
        """Where no day of the window has data, its last one fails in the open."""
        span = Window(DAY.end, DAY.end + timedelta(days=2, hours=1))
        stored = filled.audits.run(span)
        assert {one.window for one in stored} == {Window.day(DAY.end + timedelta(days=2))}
        found = results(filled, span)
        assert found["operationEquality"].status is Status.FAILED
        assert "no pull run and no successful ci run finished in" in found["operationEquality"].description
        assert [one.window for one in filled.audits.sets(span)] == [stored[0].window]

    def test_rerun_one(self, filled: Service) -> None:
        """Running one audit again leaves the others as they are."""
        filled.audits.run(DAY)
        before = results(filled)
        move_clock(filled)
        filled.audits.run(DAY, [TOTAL])
        after = results(filled)
        assert after["swaggerTotal"].last_run == filled.clock() > before["swaggerTotal"].last_run
        assert {key for key in before if before[key] != after[key]} == {"swaggerTotal"}

    def test_superseded_build(self, filled: Service) -> None:
        """A newer build of a pull request replaces one that failed; another pull request is judged too."""
        bad = add_run(filled, PULL, "listPod", pull="18", build="1", hours=1)
        other = add_run(filled, PULL, *BASE, pull="19", hours=2)
        assert filled.audits.run(DAY, [EQUALITY])[0].result.status is Status.FAILED
        good = add_run(filled, PULL, *BASE, pull="18", build="2", hours=3)
        [stored] = filled.audits.run(DAY, [EQUALITY])
        assert stored.result.status is Status.WARNING
        assert bad.id not in stored.text
        assert good.id in stored.text
        assert other.id in stored.text

    def test_only_ci(self, service: Service) -> None:
        """On a day without pull requests the newest successful CI run is judged, by the one before."""
        first = add_run(service, CI, *BASE, hours=-24)
        add_run(service, CI, *BASE)
        add_run(service, CI, "listPod", hours=1, result=RunResult.FAILURE)
        [stored] = service.audits.run(DAY, [EQUALITY])
        assert stored.result.status is Status.PASSED
        assert first.id in stored.result.description

    def test_no_baseline(self, service: Service) -> None:
        """No baseline never passes."""
        add_run(service, PULL, *BASE, pull="17")
        [stored] = service.audits.run(DAY, [EQUALITY])
        assert stored.result.status is Status.FAILED
        assert "no baseline for pull run" in stored.result.description

    def test_configuration(self, tmp_path: Path) -> None:
        """The configured settings and baseline rule are what the audits judge by."""
        rule = BaselineRule(max_age=timedelta(hours=1))
        configured = {"exercised_by": ExercisedBy.SUCCESS, "rel_tol": 0.5, "abs_tol": 0.25, "baseline": rule}
        with service_at(tmp_path, **configured) as service:
            settings = make_settings(service.config)
            assert (settings.exercised_by, settings.rel_tol, settings.abs_tol) == (
                ExercisedBy.SUCCESS,
                0.5,
                0.25,
            )
            add_run(service, CI, "listPod", hours=-2, swagger=document())
            add_run(service, PULL, "listPod", swagger=document())
            [stored] = service.audits.run(DAY, [EQUALITY])
            assert "is 2 h away, more than 1 h" in stored.result.description


class TestNeverRan:
    """An audit without its kind of source."""

    def test_null(self, filled: Service) -> None:
        """It does not run when all are asked for: a conformance user has no costs."""
        filled.audits.run(DAY)
        [found] = filled.audits.sets()
        assert list(found.results) == [known.key for known in audit_types()]
        ran = {key for key, text in found.results.items() if text is not None}
        assert ran == {known.key for known in CONFORMANCE}

    def test_failed(self, filled: Service) -> None:
        """Asked for by name it fails, and says what it lacks."""
        [stored] = filled.audits.run(DAY, [COSTS])
        assert (stored.key, stored.result.status) == (COSTS.key, Status.FAILED)
        assert "no costs ever received" in stored.result.description

    def test_lists_alone(self, service: Service) -> None:
        """An audit runs without what it can do without: a list can be judged before any run."""
        service.audits.run(DAY)
        assert statuses(service).keys() == {INELIGIBLE.key, TOTAL.key}
        assert statuses(service)[TOTAL.key] is Status.PASSED

    def test_nothing_received(self, empty: Service) -> None:
        """Where nothing was ever received, nothing runs."""
        assert empty.audits.run(DAY) == []
        assert empty.audits.sets() == []


class TestUnchanged:
    """A day is skipped where nothing changed."""

    def reran(self, service: Service, types: Sequence[AuditType] = ()) -> set[str]:
        """The keys of the audits that a commit over all days runs again."""
        now = move_clock(service)
        service.audits.run(None, types, commit=True)
        return {key for key, result in results(service).items() if result.last_run == now}

    def test_skipped(self, filled: Service) -> None:
        """A second commit finds nothing to do, and still answers with the results."""
        everything = {known.key for known in CONFORMANCE}
        assert self.reran(filled) == everything
        assert self.reran(filled) == set()
        assert {one.key for one in filled.audits.run(commit=True)} == everything

    def test_named_window(self, filled: Service) -> None:
        """A window that is named is always audited."""
        self.reran(filled)
        move_clock(filled)
        filled.audits.run(DAY)
        assert {result.last_run for result in results(filled).values()} == {filled.clock()}

    def test_by_type(self, filled: Service) -> None:
        """What was not run yet is run, the rest skipped."""
        assert self.reran(filled, [TOTAL]) == {TOTAL.key}
        assert self.reran(filled) == {known.key for known in CONFORMANCE} - {TOTAL.key}

    def test_changed(self, filled: Service) -> None:
        """A new run, baseline, list or swagger is a change; what holds later, or for others, is none."""
        everything = {known.key for known in CONFORMANCE}
        self.reran(filled)
        changes: dict[str, Callable[[], object]] = {
            "a build": lambda: add_run(filled, PULL, "listPod", pull="17", build="2", hours=1),
            "a nearer baseline": lambda: add_run(filled, CI, *BASE, hours=0.5),
            "a list": lambda: filled.documents.put_list(ListKind.PENDING, listing(), holds_from=NOON),
            "a swagger": lambda: filled.documents.put_swagger("v1.34.1", document() + b"\n", holds_from=NOON),
        }
        for change, make in changes.items():
            make()
            assert self.reran(filled) == everything, change
        others: dict[str, Callable[[], object]] = {
            "an older build": lambda: add_run(filled, PULL, "listPod", pull="17", build="0", hours=-3),
            "another cluster's baseline": lambda: add_run(filled, CI, "listPod", hours=0.7, cluster="x"),
            "a later list": lambda: filled.documents.put_list(ListKind.PENDING, listing("listPod")),
            "another version": lambda: filled.documents.put_swagger("v1.33.0", document() + b" "),
        }
        for change, make in others.items():
            make()
            assert self.reran(filled) == set(), change

    def test_code(self, filled: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """Audits whose code changed run again."""
        self.reran(filled)
        assert len(module.code_version()) == 16
        monkeypatch.setattr(module, "code_version", lambda: "other")
        assert self.reran(filled) == {known.key for known in CONFORMANCE}


class TestRunAlone:
    """One run judged alone."""

    def test_kept_with_the_run(self, filled: Service) -> None:
        """Its results are kept with it, and never in a set."""
        bad = add_run(filled, PULL, "listPod", pull="17", build="0", hours=-1)
        stored = filled.audits.run(run_id=bad.id)
        assert {one.key for one in stored} == {known.key for known in CONFORMANCE}
        assert {one.window for one in stored} == {DAY}
        assert filled.runs.results(bad.id) == stored
        assert filled.audits.stored() == []
        [found] = filled.audits.sets()
        assert set(found.results.values()) == {None}
        judged = next(one for one in stored if one.key == EQUALITY.key)
        assert judged.result.status is Status.FAILED
        assert bad.id in judged.text

    def test_rerun(self, filled: Service) -> None:
        """Judged again, the newer result is kept; the audits asked for are those that run."""
        run = add_run(filled, PULL, *BASE, hours=1)
        filled.audits.run(run_id=run.id)
        now = move_clock(filled)
        filled.audits.run(None, [TOTAL], run_id=run.id)
        times = {one.key: one.result.last_run for one in filled.runs.results(run.id)}
        assert {key for key, time in times.items() if time == now} == {TOTAL.key}
        assert len(times) == len(CONFORMANCE)

    def test_refused(self, filled: Service) -> None:
        """An unknown run, or one with a window, cannot be judged."""
        run = add_run(filled, PULL, *BASE, hours=1)
        for ask in (filled.audits.run, filled.audits.submit):
            with pytest.raises(NotFoundError, match=r"^unknown run: x "):
                ask(run_id="x")
            with pytest.raises(RequestError, match=r"^window: a run is audited alone"):
                ask(DAY, run_id=run.id)
        assert filled.jobs.find(limit=1) == ([], 0)


class TestSubmit:
    """Audits in the background."""

    @pytest.mark.parametrize(
        ("window", "types", "message"),
        [
            (
                Window(DAY.start + timedelta(hours=20, minutes=23, seconds=8), DAY.end),
                (),
                f"{RUNNING}[2026-01-16T20:23:08+0000, 2026-01-17T00:00:00+0000) for all audit types",
            ),
            (
                DAY,
                (EQUALITY, TOTAL),
                f"{RUNNING}{DAY} for audit types AuditOperationEquality, AuditSwaggerTotal",
            ),
            (
                None,
                (),
                f"{RUNNING}[2026-01-16T00:00:00+0000, 2026-01-19T00:00:00+0000) for all audit types",
            ),
        ],
    )
    def test_message(
        self, window: Window | None, types: Sequence[AuditType], message: str, filled: Service
    ) -> None:
        """What is answered is Kubecost's sentence, of the span of all data where there is no window."""
        add_run(filled, CI, *BASE, hours=48)
        assert filled.audits.message(window, types) == message
        job = filled.audits.submit(window, types, commit=True)
        assert (job.kind, job.description, job.state) == ("audit", message, JobState.QUEUED)
        ended = filled.jobs.wait(job)
        assert (ended.state, ended.error) == (JobState.DONE, None)
        assert filled.audits.stored(window, types)

    def test_progress(self, filled: Service) -> None:
        """The job knows how many days are done."""
        add_run(filled, CI, *BASE, hours=48)
        ended = filled.jobs.wait(filled.audits.submit(commit=True))
        assert (ended.done, ended.total) == (2, 2)

    def test_run(self, filled: Service) -> None:
        """A run is judged in the background too."""
        run = add_run(filled, PULL, *BASE, hours=1)
        job = filled.jobs.wait(filled.audits.submit(run_id=run.id))
        assert (job.state, job.description) == (
            JobState.DONE,
            f"Running audit over run {run.id} for all audit types",
        )
        assert filled.runs.results(run.id)

    def test_commit(self, filled: Service) -> None:
        """To audit everything must be confirmed."""
        for ask in (filled.audits.run, filled.audits.submit):
            with pytest.raises(RequestError, match=r"^commit: .* confirm with commit=true$"):
                ask()
        assert filled.jobs.find(limit=1) == ([], 0)

    def test_nothing_there(self, service: Service) -> None:
        """And cannot be done where there is no data."""
        for ask in (service.audits.run, service.audits.submit):
            with pytest.raises(RequestError, match=r"^nothing to audit: the store holds no run"):
                ask(commit=True)
        assert service.jobs.find(limit=1) == ([], 0)

    def test_same_window(self, filled: Service) -> None:
        """Jobs on the same window run one after the other, in the order in which they were asked for."""
        jobs = [filled.jobs.wait(filled.audits.submit(DAY)) for _ in range(3)]
        assert [job.state for job in jobs] == [JobState.DONE] * 3
        assert [int(job.id) for job in jobs] == [1, 2, 3]


class TestBug:
    """A bug in a check is not a finding."""

    @pytest.fixture
    def broken(self) -> AuditType:
        """An audit whose check is wrong."""

        def check(**_: object) -> Iterator[Observation]:
            yield Compared("TotalByRun", ("x",), 1, 2)
            yield Missing("x", "y")
            raise KeyError("secret")

        return replace(TOTAL, check=check)

    def test_propagates(self, broken: AuditType, filled: Service) -> None:
        """It propagates, and nothing is stored, not even of the audits beside it."""
        with pytest.raises(KeyError, match="secret"):
            filled.audits.run(DAY, [EQUALITY, broken])
        with pytest.raises(KeyError, match="secret"):
            filled.audits.run(None, [broken], run_id=filled.runs.find(limit=1)[0][0].id)
        assert filled.audits.stored() == []
        assert filled.runs.results(filled.runs.find(limit=1)[0][0].id) == []

    def test_in_a_job(self, broken: AuditType, filled: Service, caplog: pytest.LogCaptureFixture) -> None:
        """A job fails with it; the log has the traceback, and what was stored before stays."""
        filled.audits.run(DAY, [TOTAL])
        before = results(filled)
        with caplog.at_level(logging.ERROR):
            ended = filled.jobs.wait(filled.audits.submit(DAY, [broken]))
        assert ended.state is JobState.FAILED
        assert "secret" not in (ended.error or "")
        assert "secret" in caplog.text
        assert results(filled) == before


class TestSets:
    """The AuditSets."""

    def test_days(self, filled: Service) -> None:
        """Each day that has results or data is one, in time order; of the others there is none."""
        add_run(filled, CI, *BASE, hours=48)
        filled.audits.run(NEXT_DAY, [EQUALITY])
        days = [DAY, NEXT_DAY, Window.day(NOON + timedelta(hours=48))]
        assert [found.window for found in filled.audits.sets()] == days
        assert [found.window for found in filled.audits.sets(NEXT_DAY)] == [NEXT_DAY]
        touching = Window(DAY.end - timedelta(seconds=1), DAY.end + timedelta(seconds=1))
        assert [found.window for found in filled.audits.sets(touching)] == days[:2]
        assert filled.audits.sets(Window.day(NOON - timedelta(days=1))) == []

    def test_types(self, filled: Service) -> None:
        """Only the audits asked for, of the same days."""
        filled.audits.run(DAY)
        filled.audits.run(NEXT_DAY, [EQUALITY])
        [first, second] = filled.audits.sets(None, [TOTAL, PENDING])
        assert list(first.results) == [TOTAL.key, PENDING.key]
        assert None not in first.results.values()
        assert second == AuditSet(NEXT_DAY, {TOTAL.key: None, PENDING.key: None})
        assert {one.key for one in filled.audits.stored(DAY, [TOTAL])} == {TOTAL.key}

    def test_texts(self, filled: Service) -> None:
        """They hold the bytes that were made when the results were stored."""
        stored = filled.audits.run(DAY)
        [found] = filled.audits.sets(DAY, CONFORMANCE)
        assert found.results == {one.key: one.text.encode() for one in stored}

    def test_deleted_run(self, filled: Service) -> None:
        """A day's results stay when its runs are deleted."""
        filled.audits.run(DAY)
        before = filled.audits.sets()
        for run in filled.runs.find(limit=9)[0]:
            filled.runs.delete(run.id)
        assert filled.audits.sets() == before

    def test_windows(self, filled: Service) -> None:
        """The days that have results, newest first, in pages."""
        for day in (DAY, NEXT_DAY):
            filled.audits.run(day)
        assert filled.audits.windows(limit=1) == ([NEXT_DAY], 2)
        assert filled.audits.windows(limit=9, offset=1) == ([DAY], 2)
