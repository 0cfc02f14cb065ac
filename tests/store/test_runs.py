import itertools
from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.mapper import Unmapped
from auditsvc.core.runs import Run, RunKind, RunResult
from auditsvc.core.swagger import Level
from auditsvc.core.usage import OperationUsage, Sample, Usage
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from auditsvc.store.runs import RunSummary
from tests.store.made import (
    NOW,
    UNKNOWN_RUN,
    hold_swagger,
    keep_list,
    keep_swagger,
    looking_into,
    make_result,
    make_run,
    make_usage,
    on,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
counts = st.integers(0, 2**63 - 1)
moments = st.none() | st.datetimes(timezones=st.just(UTC))
maps = st.dictionaries(texts, st.integers(0, 2**50), max_size=3)
used = st.builds(
    OperationUsage,
    hits=counts,
    codes=maps,
    tests=maps,
    agents=maps,
    first=moments,
    last=moments,
    samples=st.lists(st.builds(Sample, texts, counts, texts), max_size=3).map(tuple),
)
usages = st.builds(
    Usage,
    operations=st.dictionaries(
        texts | st.sampled_from([str(reason) for reason in Unmapped]), used, max_size=3
    ),
    requests=counts,
    mapped=counts,
    unmapped=st.dictionaries(st.sampled_from(Unmapped), used, max_size=3),
    malformed=counts,
    malformed_at=st.lists(texts, max_size=3).map(tuple),
    duplicates=counts,
    incomplete=counts,
    events=counts,
    first=moments,
    last=moments,
    header=st.none() | maps,
)
run_numbers = itertools.count()


def test_a_run_comes_back(store: Store) -> None:
    """A run with all that it can carry is found as it was stored."""
    run = Run(
        id="8d3a",
        kind=RunKind.PULL,
        started=NOW - timedelta(hours=1),
        finished=NOW,
        result=RunResult.ABORTED,
        cluster="kind",
        job="pull-kubernetes-e2e",
        build="17",
        pull="1234",
        app="kubectl",
        revision="abcdef",
        version="v1.34.0",
        swagger=keep_swagger(store, "readPod"),
        pending=keep_list(store, "a"),
        ineligible=keep_list(store, "b"),
    )
    assert store.runs.add(run, make_usage("readPod"), recorded=NOW)
    assert store.runs.get("8d3a") == run
    assert store.runs.find() == ([run], 1)


def test_the_same_content_is_stored_once(store: Store) -> None:
    """A run that is there already is left as it is."""
    assert store.runs.add(make_run(), make_usage("readPod"), recorded=NOW) is True
    assert store.runs.add(make_run(job="other"), make_usage(), recorded=NOW) is False
    assert store.runs.get("run-1") == make_run()
    assert store.runs.usage("run-1") == make_usage("readPod")


@given(usage=usages)
@settings(deadline=None)  # a commit waits for the disk
def test_every_usage_round_trips(shared_store: Store, usage: Usage) -> None:
    """Whatever a run used, it is read as it was; its samples only where asked for."""
    run = make_run(f"run-{next(run_numbers)}")
    shared_store.runs.add(run, usage, recorded=NOW)
    assert shared_store.runs.usage(run.id, samples=True) == usage
    assert shared_store.runs.usage(run.id) == replace(
        usage, operations=without_samples(usage.operations), unmapped=without_samples(usage.unmapped)
    )
    for operation_id, one in usage.operations.items():
        assert shared_store.runs.operation(run.id, operation_id) == one


def without_samples(usages: Any) -> Any:
    """The same usage, less the sampled events."""
    return {name: replace(one, samples=()) for name, one in usages.items()}


def test_an_unknown_run(store: Store) -> None:
    """A run that is not there is named, whatever is asked of it."""
    runs = store.runs
    for ask in (runs.get, runs.summary, runs.usage, runs.delete):
        with pytest.raises(NotFoundError, match=UNKNOWN_RUN):
            ask("run-1")
    with pytest.raises(NotFoundError, match=UNKNOWN_RUN):
        runs.operations("run-1", limit=1)
    with pytest.raises(NotFoundError, match=UNKNOWN_RUN):
        runs.operation("run-1", "readPod")


def test_an_empty_store_has_none(store: Store) -> None:
    """Nothing was ever received."""
    assert not store.runs.received()
    assert store.runs.find() == ([], 0)
    assert store.runs.days() == []


def test_summary(store: Store) -> None:
    """The totals of a run, its operations counted and its unmapped requests by reason."""
    usage = replace(
        make_usage("readPod", "listPod"),
        requests=9,
        mapped=2,
        unmapped={Unmapped.NON_API: OperationUsage(4), Unmapped.METHOD: OperationUsage(3)},
        malformed=5,
        duplicates=6,
        incomplete=7,
        events=8,
        first=NOW,
        last=NOW,
    )
    store.runs.add(make_run(), usage, recorded=NOW)
    assert store.runs.summary("run-1") == RunSummary(
        requests=9,
        mapped=2,
        unmapped={Unmapped.NON_API: 4, Unmapped.METHOD: 3},
        operations=2,
        malformed=5,
        duplicates=6,
        incomplete=7,
        events=8,
        first=NOW,
        last=NOW,
        imported=False,
        backwards=None,
        gaps=None,
        never_completed=None,
        deprecated=None,
    )


def test_summary_of_an_imported_report(store: Store) -> None:
    """A report, even one that claims no totals, is told from a log."""
    store.runs.add(make_run(), replace(make_usage(), header={}), recorded=NOW)
    assert store.runs.summary("run-1").imported


FOUND = [
    make_run(
        "a", finished=on("2023-01-01T12:00"), cluster="kind", job="j", build="17", result=RunResult.FAILURE
    ),
    make_run("b", finished=on("2023-01-01T13:00"), kind=RunKind.PULL, pull="7"),
    make_run("c", finished=on("2023-01-01T13:00"), kind=RunKind.PULL, pull="8"),
    make_run("d", finished=on("2023-01-03"), kind=RunKind.APP, app="kubectl"),
]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, "dcba"),
        ({"kind": RunKind.PULL}, "cb"),
        ({"kind": RunKind.LIVE}, ""),
        ({"kind": None, "pull": None}, "dcba"),
        ({"pull": "7"}, "b"),
        ({"kind": RunKind.CI, "pull": "7"}, ""),
        ({"cluster": "kind"}, "a"),
        ({"job": "j"}, "a"),
        ({"job": "j", "build": "17"}, "a"),
        ({"job": "j", "build": "18"}, ""),
        ({"app": "kubectl"}, "d"),
        ({"result": RunResult.SUCCESS}, "dcb"),
        ({"finished_in": Window(on("2023-01-01T13:00"), on("2023-01-03"))}, "cb"),
        ({"finished_in": Window(on("2023-01-02"), on("2023-01-04")), "kind": RunKind.APP}, "d"),
    ],
)
def test_find(store: Store, wanted: dict[str, Any], ids: str) -> None:
    """Runs are found by what they have in common, the last finished first."""
    for run in FOUND:
        store.runs.add(run, make_usage(), recorded=NOW)
    found, total = store.runs.find(**wanted)
    assert [run.id for run in found] == list(ids)
    assert total == len(ids)


def test_find_is_paged(store: Store) -> None:
    """A page comes with how many there are."""
    for run in FOUND:
        store.runs.add(run, make_usage(), recorded=NOW)
    for limit, offset, ids in [(2, 0, "dc"), (2, 2, "ba"), (2, 4, ""), (0, 0, ""), (None, 3, "a")]:
        found, total = store.runs.find(limit=limit, offset=offset)
        assert ([run.id for run in found], total) == (list(ids), 4)


def test_days(store: Store) -> None:
    """Each UTC day on which a run finished, once and in order."""
    for run in reversed(FOUND):
        store.runs.add(run, make_usage(), recorded=NOW)
    assert store.runs.days() == [Window.day(on("2023-01-01")), Window.day(on("2023-01-03"))]


class TestOperations:
    """The operations of a run beside the swagger that applies to it."""

    @pytest.fixture(autouse=True)
    def _run(self, store: Store) -> None:
        hold_swagger(store, "v1.34.0", "2023-01-01", "listPod", "readPod", "unusedPod")
        usage = replace(
            make_usage("readPod", "listPod", "madeUp"), unmapped={Unmapped.METHOD: OperationUsage(1)}
        )
        store.runs.add(make_run(version="v1.34.7"), usage, recorded=NOW)

    def test_join_the_catalogue(self, store: Store) -> None:
        """Each has what the swagger says of it; one that the swagger lacks has none of that."""
        found, total = store.runs.operations("run-1", limit=9)
        assert [one.id for one in found] == ["listPod", "madeUp", "readPod"]
        assert total == 3
        assert all(one.used == OperationUsage(1, {"2xx": 1}, first=NOW, last=NOW) for one in found)
        assert found[1].operation is None
        assert found[0].operation is not None
        assert (found[0].operation.id, found[0].operation.path) == ("listPod", "/api/v1/listPod")

    @pytest.mark.parametrize(
        ("wanted", "ids"),
        [
            ({"level": Level.STABLE}, ["listPod", "readPod"]),
            ({"level": Level.BETA}, []),
            ({"group": "apps"}, []),
            ({"text": "POD"}, ["listPod", "readPod"]),
            ({"text": "%"}, []),
            ({"text": ""}, ["listPod", "madeUp", "readPod"]),
            ({"text": "pod", "limit": 1}, ["listPod"]),
            ({"text": "pod", "limit": 1, "offset": 1}, ["readPod"]),
        ],
    )
    def test_are_narrowed_and_paged(self, store: Store, wanted: dict[str, Any], ids: list[str]) -> None:
        """By level, group, and text in any case that is taken as it stands."""
        found, total = store.runs.operations("run-1", **{"limit": 9} | wanted)
        assert [one.id for one in found] == ids
        assert total == len(ids) + ("limit" in wanted)

    def test_group_of_core(self, store: Store) -> None:
        """The empty group is the core group, not any."""
        with store._connections.transaction() as db:
            db.execute("""update operations set "group" = case id when 'readPod' then 'apps' else '' end""")
        assert [one.id for one in store.runs.operations("run-1", group="", limit=9)[0]] == ["listPod"]
        assert [one.id for one in store.runs.operations("run-1", group="apps", limit=9)[0]] == ["readPod"]

    def test_one_that_was_not_used(self, store: Store) -> None:
        """An operation without requests is named; so is a reason for unmapped requests, which is none."""
        for operation_id in ("unusedPod", "method"):
            with pytest.raises(NotFoundError) as error:
                store.runs.operation("run-1", operation_id)
            assert str(error.value) == f"{operation_id} is not among the operations of run run-1"


def test_a_deleted_run_is_gone(store: Store) -> None:
    """With a run go its usage, samples and results; other runs and the window's results stay."""
    usage = Usage({"readPod": OperationUsage(1, samples=(Sample("a", 1, "{}"),))}, requests=1, mapped=1)
    for run_id in ("run-1", "run-2"):
        store.runs.add(make_run(run_id), usage, recorded=NOW)
        store.run_results.put(run_id, [make_result()])
    store.sets.put([make_result()])
    store.runs.delete("run-1")
    with pytest.raises(NotFoundError, match=UNKNOWN_RUN):
        store.runs.get("run-1")
    with looking_into(store) as db:
        counts = {name: db.table(name).count for name in ("runs", "usage", "samples", "results")}
    assert counts == {"runs": 1, "usage": 1, "samples": 1, "results": 2}
    assert store.run_results.find("run-2") == store.sets.find() == [make_result()]


@pytest.mark.parametrize("kind", ListKind)
def test_what_a_run_names_must_be_there(store: Store, kind: ListKind) -> None:
    """In one transaction, what a run brought and the run are stored together."""
    with store.transaction():
        run = make_run(swagger=keep_swagger(store, "readPod"), **{kind.value: keep_list(store, "a")})
        store.runs.add(run, make_usage(), recorded=NOW)
    assert store.runs.get("run-1") == run
