import re
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring

from auditsvc.exports.sunburst_svg import Node, render
from tests.exports.samples import HOSTILE

TREE = (
    Node(
        "ring", "stable", (Node("ring", "core", (Node("a", "x"), Node("b", "y"))), Node("b", "z")), "stable"
    ),
    Node("a", "alpha"),
)


def read(*roots: Node, title: str = "Title") -> Element:
    """The picture, as an XML reader has it."""
    root: Element = fromstring(render(roots, title=title, centre="50 %"))
    return root


def arcs(root: Element) -> dict[str, list[float]]:
    """The first point of each arc by its title."""
    return {
        path.findtext("title") or "": [float(part) for part in re.findall(r"-?[\d.]+", path.attrib["d"])[:2]]
        for path in root.iter("path")
    }


def test_arcs() -> None:
    """Each node is an arc of a ring, as wide as its share of the leaves, clockwise from the top."""
    found = arcs(read(*TREE))
    assert list(found) == ["stable", "core", "x", "y", "z", "alpha"]
    assert found["stable"] == [0, -140]  # outer radius of the first ring, at the top
    assert found["core"] == [0, -220]
    assert found["y"] == [300, 0]  # after the first of four leaves
    assert found["z"] == [0, 220]
    assert found["alpha"] == [-140, 0]


def test_names() -> None:
    """The picture has a title, every arc one and its class; labels are written on their arcs."""
    root = read(*TREE, title=HOSTILE)
    assert root.attrib["role"] == "img"
    title = root.find("title")
    assert title is not None
    assert root.attrib["aria-labelledby"] == title.attrib["id"]
    assert "<script>" in (title.text or "")
    assert [path.attrib["class"] for path in root.iter("path")] == ["ring", "ring", "a", "b", "b", "a"]
    assert [text.text for text in root.iter("text")] == ["stable", "50 %"]


@pytest.mark.parametrize("roots", [(), (Node("a", "only"),)])
def test_none_or_one(roots: tuple[Node, ...]) -> None:
    """Nothing is an empty picture; a node that is the whole circle is drawn almost closed."""
    paths = list(read(*roots).iter("path"))
    assert len(paths) == len(roots)
    for path in paths:
        first, last = re.findall(r"([-\d.]+) ([-\d.]+)(?=[AL])", path.attrib["d"])[:2]
        assert first != last
