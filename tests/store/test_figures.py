"""Figures about the store, as whoever watches the service asks for them."""

from datetime import timedelta

from auditsvc.core.results import Status
from auditsvc.core.runs import RunKind
from auditsvc.core.window import Window
from auditsvc.store import Store
from auditsvc.store.figures import AuditFigures, RunFigures
from auditsvc.store.jobs import JobState
from tests.store.made import DAY, NOW, make_failure, make_result, make_run, make_usage


def days_before(days: int) -> Window:
    """The window so many days before DAY."""
    return Window.day(NOW - timedelta(days=days))


def test_empty(store: Store) -> None:
    """Nothing is told of what is not there; of jobs, all states."""
    assert store.figures.audits() == []
    assert store.figures.runs() == {}
    assert store.figures.jobs() == dict.fromkeys(JobState, 0)
    assert store.figures.last_done("schedule") is None


def test_audits_are_told_by_their_newest_window(store: Store) -> None:
    """Each by its own; hard and soft findings are counted apart; results of runs alone count for nothing."""
    store.runs.add(make_run(), make_usage(), recorded=NOW)
    store.run_results.put("run-1", [make_failure("assetTotal")])
    older = make_result("pendingReconciliation", days_before(3), missing=["a", "b"])
    store.sets.put([make_failure(), make_result(window=days_before(1)), older])
    pending, total = store.figures.audits()
    assert pending == AuditFigures(
        key="pendingReconciliation",
        window_start=days_before(3).start,
        status=Status.WARNING,
        checked=1,
        last_run=NOW,
        hard=0,
        soft=2,
        last_success=NOW,
    )
    assert (total.key, total.window_start, total.status) == ("swaggerTotal", DAY.start, Status.FAILED)
    assert (total.hard, total.soft, total.last_success) == (1, 0, NOW)


def test_success_of_long_ago_is_none(store: Store) -> None:
    """Looked for are the 90 days before the newest window."""
    store.sets.put([make_failure(), make_result(window=days_before(91))])
    [figures] = store.figures.audits()
    assert figures.last_success is None
    store.sets.put([make_result(window=days_before(90))])
    [figures] = store.figures.audits()
    assert figures.last_success == NOW


def test_runs_are_told_by_kind(store: Store) -> None:
    """How many, and when the last one finished."""
    earlier = NOW - timedelta(hours=5)
    for name, changes in (("a", {}), ("b", {"finished": earlier}), ("c", {"kind": RunKind.PULL})):
        store.runs.add(make_run(name, **changes), make_usage(), recorded=NOW)
    assert store.figures.runs() == {RunKind.CI: RunFigures(2, NOW), RunKind.PULL: RunFigures(1, NOW)}


def test_last_job_that_ended_well(store: Store) -> None:
    """Of its kind; what failed since does not count."""
    for kind, state, hours in (
        ("schedule", JobState.DONE, 1),
        ("schedule", JobState.FAILED, 2),
        ("audit", JobState.DONE, 3),
    ):
        job = store.jobs.create(kind, "work", created=NOW)
        store.jobs.update(job.id, state=state, finished=NOW + timedelta(hours=hours))
    assert store.figures.last_done("schedule") == NOW + timedelta(hours=1)
    assert store.figures.jobs()[JobState.DONE] == 2
