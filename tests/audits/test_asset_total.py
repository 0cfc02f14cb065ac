import pytest
from msgspec.structs import replace

from auditsvc.core.costs import Costs
from auditsvc.core.results import Status
from tests.audits.days import DAY, NO_COSTS, CostsGiven, consistent_day, outcome, uploaded
from tests.audits.given import floats, missing

KEY = "assetTotal"
QUIET = consistent_day(5, nodes=2, pods=2).costs()
TOTALS = ("totals", "assets")


def test_uploaded_totals_that_are_the_sums_pass() -> None:
    """Two nodes, two volumes and a load balancer are compared, and their cluster."""
    result = outcome(KEY, CostsGiven(costs=uploaded(QUIET)))
    assert (result.status, result.checked, result.description) == (Status.PASSED, 6, "")


def test_own_totals_say_that_they_are() -> None:
    """They guard against corruption only."""
    assert "auditsvc's own table" in outcome(KEY, CostsGiven(costs=QUIET)).description


@pytest.mark.parametrize(
    ("by", "key", "path"),
    [
        ("node", "cluster-0/pvc-1", ("TotalByNode", "cluster-0/pvc-1")),
        ("cluster", "cluster-0", ("TotalByCluster", "cluster-0")),
    ],
)
def test_a_difference_is_shown_by_name_or_cluster(by: str, key: str, path: tuple[str, ...]) -> None:
    """Expected is the sum of the assets, actual what was uploaded."""
    costs = uploaded(QUIET, *TOTALS, by, key, persistentVolumeCost=1e6)
    [(found, (expected, actual))] = floats(outcome(KEY, CostsGiven(costs=costs))).items()
    assert found == path
    assert actual > 1e5 > expected


def test_a_key_on_one_side_only_is_missing() -> None:
    """A volume that the uploaded totals lack."""
    costs = uploaded(QUIET, *TOTALS, "node", "cluster-0/pvc-1")
    found = [("cluster-0/pvc-1", "among the rows, but not in the stored table")]
    assert missing(outcome(KEY, CostsGiven(costs=costs))) == found


@pytest.mark.parametrize(
    ("costs", "reason"),
    [
        (NO_COSTS, f"no assets in {DAY}"),
        (replace(QUIET, asset_totals=None), f"no totals of the assets in {DAY}"),
    ],
)
def test_nothing_to_compare_is_failed(costs: Costs, reason: str) -> None:
    """With the reason."""
    result = outcome(KEY, CostsGiven(costs=costs))
    assert (result.status, result.description) == (Status.FAILED, f"nothing to compare: {reason}")
