from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditsvc.core.counting import Counting
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.runs import RunKind
from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import Usage
from auditsvc.errors import ParseError, RequestError, StoreError
from auditsvc.service import Service
from tests.core.test_event_list import listed
from tests.logs import E2E, NOON, event
from tests.service.made import document, move_clock, put_documents, service_at

HALF_A_DAY = 12 * 3600


def usage_of(service: Service, run_id: str) -> Usage:
    """What is stored of a run, without the names of files."""
    return service.store.runs.usage(run_id)


def one_pass(events: Sequence[bytes]) -> Usage:
    """What a log of these events used."""
    counting = Counting(OperationMapper(parse_swagger(document())))
    counting.count(b"".join(events))
    return counting.usage()


def test_a_run_for_each_cluster_and_day(service: Service) -> None:
    """Its times are those of its events, on its own day."""
    batch = listed(event("a"), event("b", received=HALF_A_DAY, staged=HALF_A_DAY + 1))
    first = service.live.add(batch, cluster="one")
    assert (first.events, len(first.runs)) == (2, 2)
    runs = [service.runs.get(run_id) for run_id in first.runs]
    assert [(run.kind, run.cluster, run.version) for run in runs] == [("live", "one", "v1.34.0")] * 2
    assert [run.started for run in runs] == [NOON, NOON + timedelta(hours=12)]
    other = service.live.add(batch, cluster="two")
    assert not set(other.runs) & set(first.runs)
    assert service.live.add(listed(event("c", received=5)), cluster="one").runs == first.runs[:1]
    assert service.runs.summary(first.runs[0]).requests == 2
    assert service.runs.get(first.runs[0]).finished == NOON + timedelta(seconds=5)


def test_a_request_counts_once_whatever_its_batches(service: Service) -> None:
    """Also where its end comes on the next day."""
    late = HALF_A_DAY - 1
    opened = event("w", "ResponseStarted", verb="watch", received=late, staged=late)
    ended = event("w", "ResponseComplete", verb="watch", received=late, staged=HALF_A_DAY + 60)
    [run_id] = service.live.add(listed(opened)).runs
    assert service.runs.summary(run_id).incomplete == 1
    assert service.live.add(listed(ended)).runs == (run_id,)
    summary = service.runs.summary(run_id)
    assert (summary.requests, summary.incomplete) == (1, 0)
    assert service.runs.get(run_id).finished < NOON + timedelta(hours=12)


def test_a_batch_that_is_sent_again_counts_for_nothing(service: Service) -> None:
    """However late, and also where events of it come in another batch soon after."""
    batch = listed(event("a"), event("b", received=1))
    [run_id] = service.live.add(batch).runs
    service.live.add(listed(event("c", received=500), event("d", received=1000)))
    again = service.live.add(batch)
    assert (again.events, again.runs) == (0, (run_id,))
    service.live.add(listed(event("d", received=1000), event("e", received=1001)))
    summary = service.runs.summary(run_id)
    assert (summary.requests, summary.duplicates, summary.events) == (5, 1, 6)


STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete")
requests = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(STAGES), st.integers(0, 40)), min_size=1, max_size=40
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=requests, cuts=st.lists(st.integers(0, 40), max_size=5), data=st.data())
def test_batches_are_one_log(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[int, str, int]],
    cuts: list[int],
    data: st.DataObject,
) -> None:
    """Wherever it is cut, and wherever the process dies in between."""
    folder = tmp_path_factory.mktemp("live")
    events = [
        event(f"{number}", stage, received=number, staged=at, agent=E2E + f"t{number % 3}")
        for number, stage, at in sorted(found, key=lambda one: one[2])
    ]
    bounds = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    with service_at(folder) as service:
        put_documents(service)
    run_id = ""
    batches = [events[start:end] for start, end in pairwise(bounds)]
    unique = [batch for at, batch in enumerate(batches) if batch not in batches[:at]]
    left = list(unique)
    while left:
        with service_at(folder) as service:
            for _ in range(data.draw(st.integers(1, len(left)))):
                [run_id] = service.live.add(listed(*left.pop(0))).runs
            stored = service.store.runs.usage(run_id)
    assert stored == one_pass([one for batch in unique for one in batch])


def test_two_processes_share_a_run(service: Service, tmp_path: Path) -> None:
    """Each sees what the other one stored."""
    with service_at(tmp_path / "data") as other:
        [run_id] = service.live.add(listed(event("a"))).runs
        other.live.add(listed(event("b", received=1)))
        service.live.add(listed(event("c", received=2)))
        other.live.add(listed(event("d", received=3)))
        assert service.runs.summary(run_id).requests == 4


def test_what_a_conformance_test_hits_is_kept_in_the_coverage(service: Service) -> None:
    """Once for each endpoint that is new to the run's tests, not for every batch."""
    service.documents.put_swagger("v1.33.0", document())
    test = "[sig-node] Pods run [Conformance]"
    service.coverage.put_tests("v1.34.0", f"- codename: '{test}'\n  release: v1.9\n".encode())
    before = service.coverage.history(limit=100)[1]
    service.live.add(listed(event("a")))
    assert service.coverage.history(limit=100)[1] == before
    service.live.add(listed(event("b", received=1, agent=f"{E2E}{test}")))
    kept = service.coverage.history(limit=100)[1]
    assert kept > before
    assert service.coverage.releases()[-1]["total_tested"] == 1
    service.live.add(listed(event("c", received=2, agent=f"{E2E}{test}")))
    assert service.coverage.history(limit=100)[1] == kept


def test_what_is_not_stored_is_not_counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender tries again, and then it counts once."""
    [run_id] = service.live.add(listed(event("a"))).runs

    def fail(*_: object, **__: object) -> int:
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(service.store.live, "append", fail)
        with pytest.raises(StoreError, match="disk full"):
            service.live.add(listed(event("b", received=1)))
    assert service.runs.summary(run_id).requests == 1
    service.live.add(listed(event("b", received=1)))
    assert service.runs.summary(run_id).requests == 2


def test_a_deleted_run_begins_anew(service: Service) -> None:
    """What was deleted does not come back with the next batch; retention deletes batches with their run."""
    [run_id] = service.live.add(listed(event("a"))).runs
    service.runs.delete(run_id)
    assert list(service.store.live.after(run_id, 0)) == []
    service.live.add(listed(event("b", received=1)))
    assert service.runs.summary(run_id).requests == 1


def test_many_clusters(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no longer in memory is counted from what is stored."""
    monkeypatch.setattr("auditsvc.service.live.LIVE_RUNS", 1)
    for number in range(3):
        for cluster in ("a", "b"):
            [run_id] = service.live.add(listed(event(f"{number}", received=number)), cluster=cluster).runs
            assert service.runs.summary(run_id).requests == number + 1


def test_a_run_keeps_the_swagger_of_its_first_batch(service: Service) -> None:
    """A document that is uploaded meanwhile is the next day's."""
    [run_id] = service.live.add(listed(event("a"))).runs
    before = service.runs.get(run_id)
    move_clock(service)
    service.documents.put_swagger("v1.34.0", document("readPod"))
    service.live.add(listed(event("b", received=1)))
    assert replace(service.runs.get(run_id), finished=before.finished) == before
    assert set(usage_of(service, run_id).operations) == {"listPod"}


def test_the_version_picks_the_swagger(service: Service) -> None:
    """Of the cluster's minor version; without one that is stored nothing can be mapped."""
    since = NOON - timedelta(days=10)
    service.documents.put_swagger("v1.33.0", document("readPod"), holds_from=since)
    [run_id] = service.live.add(listed(event("a")), version="v1.33.4").runs
    assert service.runs.get(run_id).version == "v1.33.4"
    assert service.runs.summary(run_id).mapped == 0
    with pytest.raises(RequestError, match="no swagger of that version is stored"):
        service.live.add(listed(event("a")), cluster="x", version="v1.20.0")
    with pytest.raises(RequestError, match="cluster: longer than 250 characters"):
        service.live.add(listed(event("a")), cluster="x" * 251)
    with pytest.raises(RequestError, match="version: soon is none"):
        service.live.add(listed(event("a")), cluster="x", version="soon")


def test_whoever_counts_is_told(service: Service) -> None:
    """Of each batch: its bytes, and the events that are new."""
    told: list[tuple[RunKind, int, int]] = []
    service.runs.ingested = lambda kind, size, events: told.append((kind, size, events))
    batch = listed(event("a"))
    service.live.add(batch)
    service.live.add(batch)
    assert service.live.add(listed()).runs == ()
    assert told[:2] == [(RunKind.LIVE, len(batch), 1), (RunKind.LIVE, len(batch), 0)]
    with pytest.raises(ParseError, match="not an audit"):
        service.live.add(b"{}")
