"""What goes when it is old, and what stays all the same; over a real store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditsvc.config import Config, RetentionConfig
from auditsvc.core.runs import BaselineRule, RunKind, RunResult
from auditsvc.core.window import Window
from auditsvc.service.retention import Removed, Retention, whole_since
from auditsvc.store import Store
from tests.service.made import EQUALITY, PENDING, add_run, move_clock, put_documents, service_at
from tests.store.made import keep_swagger, make_failure, make_result, make_run, make_usage

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAYS_90 = RetentionConfig(runs=timedelta(days=90))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store on a real file."""
    with Store.open(tmp_path / "data") as store:
        yield store


def add(store: Store, name: str, days: float, **changes: Any) -> None:
    """Stores a successful CI run that finished so many days ago."""
    moment = NOW - timedelta(days=days)
    run = make_run(name, **{"started": moment, "finished": moment, "version": "v1.34.0", **changes})
    store.runs.add(run, make_usage("listPod"), recorded=moment)


def apply(store: Store, kept: RetentionConfig = DAYS_90, **configured: Any) -> Removed:
    """What is let go NOW."""
    config = Config(data=store.path.parent, retention=kept, **configured)
    return Retention(store, config, lambda: NOW).apply()


def ids(store: Store) -> str:
    """The names of the runs that are there, the newest first."""
    return "".join(run.id for run in store.runs.find()[0])


def test_nothing_configured(store: Store) -> None:
    """Without a word everything is kept for ever."""
    add(store, "a", 9999, kind=RunKind.APP)
    store.sets.put([make_result()])
    assert apply(store, RetentionConfig()) == Removed(0, 0)
    assert ids(store) == "a"


def test_old_runs_go(store: Store) -> None:
    """Runs of every kind that are older go, whole days at a time; younger ones stay."""
    add(store, "a", 0)
    for number, kind in enumerate(RunKind):
        add(store, f"{number}", 120, kind=kind)
    add(store, "y", 90.49, kind=RunKind.APP)
    add(store, "z", 90.51, kind=RunKind.APP)
    assert apply(store) == Removed(5, 0)
    assert ids(store) == "ay"
    assert apply(store) == Removed(0, 0)


def test_the_newest_baselines_stay(store: Store) -> None:
    """Of each cluster and minor version the newest successful CI run stays, however old; no other does."""
    add(store, "a", 100)
    add(store, "b", 101, cluster="kind")
    add(store, "c", 102, version="v1.33.4")
    add(store, "d", 103, version=None)
    for name, changes in {
        "e": {},
        "f": {"cluster": "kind"},
        "g": {"version": "v1.33.9"},
        "h": {"version": "v1.32.0", "result": RunResult.FAILURE},
        "i": {"version": "v1.31.0", "kind": RunKind.PULL},
    }.items():
        add(store, name, 104, **changes)
    assert apply(store) == Removed(5, 0)
    assert ids(store) == "abcd"


def test_as_many_as_make_a_baseline_stay(store: Store) -> None:
    """Where several runs make a baseline, so many of the newest stay."""
    for number in range(5):
        add(store, f"{number}", 100 + number)
    assert apply(store, baseline=BaselineRule(runs=3)) == Removed(2, 0)
    assert ids(store) == "012"


def test_a_baseline_in_use_stays(store: Store) -> None:
    """What a run that stays is held against stays with it; what an old run was held against does not."""
    add(store, "n", 1)
    add(store, "p", 88, kind=RunKind.PULL)
    add(store, "b", 93)
    add(store, "c", 94)
    add(store, "q", 95, kind=RunKind.PULL)
    add(store, "d", 96)
    assert apply(store) == Removed(3, 0)
    assert ids(store) == "npb"


def test_what_a_run_brought_goes_with_it(store: Store) -> None:
    """Nothing is left of a run: its usage, its results, its swagger."""
    digest = keep_swagger(store, "listPod")
    add(store, "a", 100, kind=RunKind.APP, swagger=digest)
    store.run_results.put("a", [make_result()])
    assert apply(store) == Removed(1, 0)
    assert not store.swaggers.received()


def test_old_sets_go(store: Store) -> None:
    """AuditSets have a time of their own."""
    day = Window.day(NOW)
    for back in (0, 90, 91, 400):
        window = Window(day.start - timedelta(days=back), day.end - timedelta(days=back))
        store.sets.put([make_result("a", window), make_failure("b", window)])
    assert apply(store, RetentionConfig(sets=timedelta(days=90))) == Removed(0, 2)
    assert store.sets.windows(limit=9)[1] == 2


@pytest.mark.parametrize(
    ("kept", "since"),
    [
        (RetentionConfig(), None),
        (RetentionConfig(runs=timedelta(days=2)), "2026-06-28"),
        (RetentionConfig(sets=timedelta(days=3)), "2026-06-27"),
        (RetentionConfig(runs=timedelta(days=2), sets=timedelta(days=3)), "2026-06-28"),
    ],
)
def test_whole_days(kept: RetentionConfig, since: str | None) -> None:
    """From which day on all is there."""
    expected = since and datetime.fromisoformat(f"{since}T00:00Z")
    assert whole_since(kept, NOW) == expected


def test_days_that_are_not_whole_are_not_judged_anew(tmp_path: Path) -> None:
    """When part of a day is gone, its results stay as they are; the audits of all days leave it out."""
    kept = RetentionConfig(runs=timedelta(days=10))
    with service_at(tmp_path / "data", retention=kept) as service:
        put_documents(service)
        add_run(service, RunKind.CI, "listPod", "readPod", hours=-24)
        add_run(service, RunKind.CI, "listPod", hours=-2)
        pull = add_run(service, RunKind.PULL, "listPod", hours=0)
        service.audits.run(types=[EQUALITY, PENDING], commit=True)
        before = [stored.text for stored in service.audits.stored()]
        move_clock(service, timedelta(days=30))
        recent = add_run(service, RunKind.PULL, "listPod", hours=24 * 31)
        assert service.schedule.retention.apply() == Removed(2, 0)
        service.audits.run(types=[EQUALITY, PENDING], commit=True)
        after = [stored.text for stored in service.audits.stored()]
        assert after[: len(before)] == before
        assert len(after) == len(before) + 2
        assert pull.id not in {run.id for run in service.runs.find(limit=9)[0]}
        assert recent.id in {run.id for run in service.runs.find(limit=9)[0]}
