import math

from auditsvc.core.cost_explain import Component, Contribution, Explanation
from auditsvc.core.costs import Cost, Resource
from auditsvc.core.results import FloatResult
from auditsvc.exports.explanation_text import render

POD = Contribution("allocation", "one/a/shop/web-0/web", {Resource.CPU: Cost(0.5, -0.1)})
NODE = Contribution("Node", "a", {Resource.CPU: Cost(0.3)})
FINDING = FloatResult(
    "Resources", ("one/a", "CPU"), 0.3, 0.4, "the CPU cost", "reconcile the node's allocations"
)


def test_golden() -> None:
    """The sides, the reasons, and tables with the numbers to a millionth."""
    found = Explanation(
        finding=FINDING,
        expected=(NODE,),
        actual=(POD,),
        components=(Component(Resource.CPU, 0.3, 0.1 + 0.2 + 0.1),),
        reasons=("CPU alone makes the difference", "idle cost is 0"),
    )
    assert render(found) == (
        "Resources/one/a/CPU: expected 0.3, actual 0.4, difference 0.1 (33.3 %)\n"
        "compared is the CPU cost\n"
        "→ reconcile the node's allocations\n"
        "\n"
        "- CPU alone makes the difference\n"
        "- idle cost is 0\n"
        "\n"
        "resource  expected  actual  difference\n"
        "CPU       0.3       0.4     0.1\n"
        "\n"
        "the expected side:\n"
        "kind  key  cost  adjustment  total\n"
        "Node  a    0.3   0           0.3\n"
        "\n"
        "the actual side:\n"
        "kind        key                   cost  adjustment  total\n"
        "allocation  one/a/shop/web-0/web  0.5   -0.1        0.4\n"
    )


def test_sparse() -> None:
    """Nothing expected has no percentage; a side may have no rows, a cost may be unknown."""
    row = Contribution("idle", "a\x1b", {Resource.CPU: Cost(math.nan)})
    found = Explanation(
        finding=FloatResult("Resources", ("a",), 0.0, 2.0),
        expected=(),
        actual=(row,),
        components=(),
        reasons=(),
    )
    assert render(found) == (
        "Resources/a: expected 0, actual 2, difference 2\n"
        "\n"
        "the expected side has no rows\n"
        "\n"
        "the actual side:\n"
        "kind  key    cost     adjustment  total\n"
        "idle  a\\x1b  unknown  0           unknown\n"
    )


def test_long() -> None:
    """Of many rows the first are shown, and the others counted."""
    found = Explanation(finding=FINDING, expected=(NODE,), actual=(POD,) * 25, components=(), reasons=())
    lines = render(found).splitlines()
    assert lines[-1] == "… and 5 smaller ones"
    assert sum(line.startswith("allocation ") for line in lines) == 20
