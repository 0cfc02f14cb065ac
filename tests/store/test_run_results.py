import pytest

from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from tests.store.made import (
    DAY,
    NOW,
    UNKNOWN_RUN,
    looking_into,
    make_failure,
    make_result,
    make_run,
    make_usage,
)


def test_results_of_a_run_are_its_own(store: Store) -> None:
    """A run's results are in no set, and the newer one of an audit replaces the older one."""
    store.runs.add(make_run(), make_usage(), recorded=NOW)
    store.run_results.put("run-1", [make_failure("b"), make_result("a")])
    store.run_results.put("run-1", [make_result("b", missing=["x"])])
    assert store.run_results.find("run-1") == [make_result("a"), make_result("b", missing=["x"])]
    assert store.sets.find(DAY) == []


def test_an_unknown_run(store: Store) -> None:
    """A run that is not there is named, and nothing is stored."""
    results = store.run_results
    for ask in (results.find, results.inputs, lambda run_id: results.put(run_id, [make_result()])):
        with pytest.raises(NotFoundError, match=UNKNOWN_RUN):
            ask("run-1")
    with looking_into(store) as db:
        assert db.table("results").count == 0
