import json

import pytest
from msgspec.structs import replace

from auditsvc.core.costs import Costs, compute_aggregates
from auditsvc.core.results import Status, render_result
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, outcome, uploaded
from tests.audits.given import floats, missing

KEY = "allocationAgg"
QUIET = consistent_day(5, nodes=2, pods=2).costs()


def test_every_property_has_an_entry() -> None:
    """As in Kubecost's JSON, empty where nothing differs."""
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET)))
    properties = ("cluster", "controller", "label", "namespace", "node", "pod")
    assert result.status is Status.PASSED
    assert json.loads(render_result(result))["Results"] == {name: {} for name in properties}


def test_only_what_is_stored_is_compared() -> None:
    """A system that keeps one aggregation, of a label, is audited for that one."""
    aggregates = compute_aggregates(QUIET.allocations, ["label:app"])
    result = outcome(KEY, CostsGiven(costs=replace(QUIET, aggregates=aggregates)))
    assert (result.status, result.sections) == (Status.PASSED, (("Results", "label:app"),))
    assert result.checked == len({"app-0", "app-1", "__idle__", ""})


def test_a_difference_is_shown_by_property_and_key() -> None:
    """Expected is the sum of the rows, actual what was uploaded."""
    costs = uploaded(QUIET, "aggregates", "namespace", "team-1", networkCost=1e6)
    [(path, (expected, actual))] = floats(outcome(KEY, CostsGiven(costs=costs))).items()
    assert path == ("Results", "namespace", "team-1")
    assert actual > 1e5 > expected


@pytest.mark.parametrize(
    ("costs", "found"),
    [
        (
            uploaded(QUIET, "aggregates", "pod", "node-1-pod-0"),
            ("pod/node-1-pod-0", "among the rows, but not in the stored table"),
        ),
        (
            uploaded(QUIET, "aggregates", "pod", "web-9", cpuCost=1.0),
            ("pod/web-9", "in the stored table, but not among the rows"),
        ),
    ],
)
def test_a_key_on_one_side_only_is_missing(costs: Costs, found: tuple[str, str]) -> None:
    """Named with its property."""
    assert missing(outcome(KEY, CostsGiven(costs=costs))) == [found]


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        (NO_COSTS, f"no allocations in {DAY}"),
        (replace(QUIET, aggregates=None), f"no aggregates of the allocations in {DAY}"),
    ],
)
def test_nothing_to_compare_is_failed(costs: Costs, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=costs))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")


def test_a_changed_total_alone_is_found() -> None:
    """It is what the source holds, though its parts are right."""
    costs = uploaded(QUIET, "aggregates", "pod", "node-1-pod-0", totalCost=1e6)
    assert list(floats(outcome(KEY, CostsGiven(costs=costs)))) == [("Results", "pod", "node-1-pod-0")]
