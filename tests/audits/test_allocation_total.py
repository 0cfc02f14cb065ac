import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from auditsvc.core.costs import Costs, Resource
from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, outcome, uploaded
from tests.audits.given import floats, missing

KEY = "allocationTotal"
QUIET = consistent_day(5, nodes=2, pods=2).costs()
NODE = "cluster-0/node-0"
TOTALS = ("totals", "allocations")


def found_in(costs: Costs) -> dict[str, Any]:
    """The findings: status, hard, soft."""
    result = outcome(KEY, CostsGiven(costs=costs))
    return {"status": result.status, "floats": list(floats(result)), "missing": missing(result)}


def test_uploaded_totals_that_are_the_sums_pass() -> None:
    """Two nodes and their cluster are compared."""
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET)))
    assert (result.status, result.checked, result.description) == (Status.PASSED, 3, "")


def test_own_totals_say_that_they_are() -> None:
    """They were made from the same rows: that they agree shows that nothing was corrupted since."""
    result = outcome(KEY, CostsGiven(costs=QUIET))
    assert result.status is Status.PASSED
    assert "auditsvc's own table" in result.description


@pytest.mark.parametrize(
    ("by", "key", "map_"), [("node", NODE, "TotalByNode"), ("cluster", "cluster-0", "TotalByCluster")]
)
def test_a_difference_is_shown_by_node_or_cluster(by: str, key: str, map_: str) -> None:
    """Expected is the sum of the rows, actual what was uploaded."""
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET, *TOTALS, by, key, cpuCost=1e6, totalCost=1e6)))
    [found] = result.floats
    assert (found.map, found.path) == (map_, (key,))
    assert found.actual > 1e6 - 1 > found.expected
    assert found.detail == "the total cost"


def test_mistakes_that_cancel_out_are_found() -> None:
    """Where the total agrees its parts are compared, and the first that does not is shown."""
    totals = QUIET.allocation_totals
    assert totals
    parts = totals.by_node[NODE].parts
    cpu, ram = parts[Resource.CPU].cost + 5.0, parts[Resource.RAM].cost - 5.0
    costs = uploaded(QUIET, *TOTALS, "node", NODE, cpuCost=cpu, ramCost=ram)
    [found] = outcome(KEY, CostsGiven(costs=costs)).floats
    assert found.detail == "the CPU cost"
    assert found.actual - found.expected == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        (uploaded(QUIET, *TOTALS, "node", NODE), (NODE, "among the rows, but not in the stored table")),
        (
            uploaded(QUIET, *TOTALS, "node", "cluster-0/node-9", cpuCost=5.0),
            ("cluster-0/node-9", "in the stored table, but not among the rows"),
        ),
        (
            uploaded(QUIET, *TOTALS, "node", NODE, cpuCost=None, totalCost=None),
            (NODE, "in the stored table the total cost is null"),
        ),
    ],
)
def test_a_key_on_one_side_only_is_missing(costs: Costs, expected: tuple[str, str]) -> None:
    """Whichever side that is; so is a cost that one side does not know."""
    assert found_in(costs) == {"status": Status.WARNING, "floats": [], "missing": [expected]}


def test_what_neither_side_knows_is_the_same_on_both() -> None:
    """Of a row with a null our own table has a null, which the audits of that row report."""
    day = consistent_day(5, nodes=2, pods=1)
    key = f"{NODE}/shop/node-0-pod-0/main"
    null = day.changed("allocations", key, ramCost=None, totalCost=None).costs()
    assert found_in(null) == {"status": Status.PASSED, "floats": [], "missing": []}
    stored = replace(null, allocation_totals=uploaded(day.costs()).allocation_totals)
    names = [("cluster-0", "total"), (NODE, "total")]
    assert sorted(found_in(stored)["missing"]) == [
        (name, f"in the rows the {what} cost is null") for name, what in names
    ]


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        (NO_COSTS, f"no allocations in {DAY}"),
        (replace(QUIET, allocation_totals=None), f"no totals of the allocations in {DAY}"),
    ],
)
def test_nothing_to_compare_is_failed(costs: Costs, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=costs))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")


def test_a_changed_total_alone_is_found() -> None:
    """It is what the source holds, though its parts are right; and also where it is all that it holds."""
    costs = uploaded(QUIET, *TOTALS, "node", NODE, totalCost=1e6)
    assert list(found_in(costs)["floats"]) == [("TotalByNode", NODE)]
    totals = QUIET.allocation_totals
    assert totals
    for change, status in ((0.0, Status.PASSED), (1.0, Status.FAILED)):
        bare = {
            key: dataclasses.replace(total, parts={}, stated=total.total + change, total=total.total + change)
            for key, total in totals.by_node.items()
        }
        result = outcome(
            KEY, CostsGiven(costs=replace(QUIET, allocation_totals=replace(totals, by_node=bare)))
        )
        assert result.status is status


def test_a_null_total_does_not_hide_a_wrong_part() -> None:
    """The null is missing, and the parts are compared."""
    found = found_in(uploaded(QUIET, *TOTALS, "node", NODE, cpuCost=1e6, totalCost=None))
    assert found["missing"] == [(NODE, "in the stored table the total cost is null")]
    assert found["floats"] == [("TotalByNode", NODE)]


def test_the_count_of_an_upload_does_not_widen_the_tolerance() -> None:
    """Whatever it says, the rows are counted."""
    costs = uploaded(QUIET, *TOTALS, "node", NODE, count=10**12, totalCost=1e6)
    for key in (KEY, "costParts"):
        assert outcome(key, CostsGiven(costs=costs)).status is Status.FAILED
