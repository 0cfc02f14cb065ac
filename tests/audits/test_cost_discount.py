import pytest

from auditsvc.core.results import Status
from tests.audits.days import DAY, CostsGiven, Day, consistent_day, outcome
from tests.audits.given import floats, missing

KEY = "costDiscount"
QUIET = consistent_day(6, nodes=2, pods=1)
NODE = "Compute/cluster-0/Node/node-0"


@pytest.mark.parametrize("discount", [0, 0.3, 1])
def test_a_share_passes(discount: float) -> None:
    """From nothing to everything."""
    result = outcome(KEY, CostsGiven(costs=QUIET.changed("assets", NODE, discount=discount).costs()))
    assert (result.status, result.checked) == (Status.PASSED, 2)


@pytest.mark.parametrize(("discount", "nearest"), [(1.2, 1.0), (30.0, 1.0), (-0.1, 0.0)])
def test_what_is_no_share_is_shown(discount: float, nearest: float) -> None:
    """Expected is the nearest that it can be; percent for a share is the usual mistake."""
    result = outcome(KEY, CostsGiven(costs=QUIET.changed("assets", NODE, discount=discount).costs()))
    assert floats(result) == {("Nodes", "cluster-0/node-0"): (nearest, discount)}


def test_a_null_is_missing() -> None:
    """The other node is looked at."""
    result = outcome(KEY, CostsGiven(costs=QUIET.changed("assets", NODE, discount=None).costs()))
    assert (result.status, missing(result)) == (Status.WARNING, [(NODE, "the discount is null")])


def test_nothing_to_compare_is_failed() -> None:
    """With the reason: no asset is a node."""
    disks = {key: row for key, row in QUIET.assets.items() if row["type"] == "Disk"}
    result = outcome(KEY, CostsGiven(costs=Day(QUIET.allocations, disks).costs()))
    assert result.description == f"nothing to compare: no node assets in {DAY}"
