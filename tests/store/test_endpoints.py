from datetime import timedelta

from msgspec.structs import replace

from auditsvc.core.apisnoop import ImportedEndpoint
from auditsvc.core.endpoint_tests import EndpointUse
from auditsvc.core.runs import RunKind
from auditsvc.core.usage import Usage
from auditsvc.store import Store
from auditsvc.store.endpoints import EndpointUser
from tests.store.made import NOW, make_run, make_usage


def used(*operations: str, agent: str = "kubectl", test: str | None = None, hits: int = 1) -> Usage:
    """Requests of each operation by an agent, perhaps for a test."""
    usage = make_usage(*operations)
    operations_used = {
        name: replace(one, hits=hits, agents={agent: hits}, tests={test: hits} if test else {})
        for name, one in usage.operations.items()
    }
    return replace(usage, operations=operations_used)


def add(store: Store, run_id: str, kind: RunKind, usage: Usage, *, hours: int = 0, **origin: str) -> None:
    """Stores a run that finished so many hours after NOW."""
    run = make_run(run_id, kind=kind, finished=NOW + timedelta(hours=hours), **origin)
    store.runs.add(run, usage, recorded=NOW)


def test_tests_are_of_every_run_and_import(store: Store) -> None:
    """Once each; a test that has no name has nothing to be found by."""
    add(store, "a", RunKind.CI, used("listPod", test="one"))
    add(store, "b", RunKind.PULL, used("listPod", "readPod", test="two"))
    add(store, "c", RunKind.CI, used("listJob"))
    endpoints = [
        ImportedEndpoint("readPod", "/pods", ("", "three", None)),
        ImportedEndpoint("listNode", "/nodes", (None, "")),
    ]
    store.coverage.put_endpoints((1, 34), endpoints, (), recorded=NOW)
    assert store.endpoints.tests() == {"listPod": {"one", "two"}, "readPod": {"two", "three"}}


def test_uses_are_of_applications_and_live_clusters(store: Store) -> None:
    """All runs of an application are one user, and so are a cluster's days; without a name a run is one."""
    add(store, "ci", RunKind.CI, used("listPod", hits=100))
    add(store, "a", RunKind.APP, used("listPod", hits=2), app="argo")
    add(store, "b", RunKind.APP, used("listPod", "readPod", hits=3), app="argo")
    add(store, "c", RunKind.APP, used("listPod"))
    add(store, "d", RunKind.LIVE, used("listPod", hits=7), cluster="argo")
    add(store, "e", RunKind.LIVE, used("listPod"), cluster="argo", hours=24)
    assert store.endpoints.uses() == {"listPod": EndpointUse(14, 3), "readPod": EndpointUse(3, 1)}
    assert store.endpoints.users("listPod") == [
        EndpointUser(RunKind.LIVE, "argo", 8, 2),
        EndpointUser(RunKind.APP, "argo", 5, 2),
        EndpointUser(RunKind.APP, "c", 1, 1),
    ]
    assert store.endpoints.users("listJob") == []


def test_the_newest_run_of_an_agent(store: Store) -> None:
    """The last finished one that has it, of any kind."""
    add(store, "old", RunKind.LIVE, used("listPod", agent="live-test"))
    add(store, "new", RunKind.PULL, used("listPod", agent="live-test"), hours=1)
    add(store, "newer", RunKind.LIVE, used("listPod", agent="live-test-2"), hours=2)
    assert store.endpoints.newest_run_of("live-test") == "new"
    assert store.endpoints.newest_run_of("live") is None
