"""A sunburst: a tree as rings around its root, each node's angle its share of the leaves, as SVG."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

from auditsvc.exports.plain import visible

_RADII = (60, 140, 220, 300)
"""Where the rings begin, and where the last one ends."""
_WHOLE = 2 * math.pi
_MIDDLE = 'text-anchor="middle" dominant-baseline="middle"'
_NEARLY_WHOLE = _WHOLE - 1e-4  # an arc that ends where it begins is none


class Node(msgspec.Struct, frozen=True):
    """A node: ``name`` is its CSS class, ``title`` what is read of it, ``label`` what is written on it.

    A leaf has no children.
    """

    name: str
    title: str
    children: tuple["Node", ...] = ()
    label: str = ""

    @property
    def leaves(self) -> int:
        """How many leaves it stands for."""
        return sum(child.leaves for child in self.children) if self.children else 1


def render(roots: Sequence[Node], *, title: str, centre: str) -> str:
    """An ``<svg>`` of up to three rings, clockwise from the top, with a short text in the middle.

    Every arc has a title of its own, and the classes are left to the document's style.
    """
    size = 2 * _RADII[-1] + 4
    arcs = "\n".join(_ring(roots, 0, 0.0, _WHOLE / max(1, sum(node.leaves for node in roots))))
    return (
        f'<svg class="sunburst" role="img" aria-labelledby="sunburst-title" viewBox="{-size / 2:g} '
        f'{-size / 2:g} {size} {size}">\n<title id="sunburst-title">{_text(title)}</title>\n{arcs}\n'
        f'<text class="centre" {_MIDDLE}>{_text(centre)}</text>\n</svg>'
    )


def _ring(nodes: Sequence[Node], depth: int, start: float, per_leaf: float) -> Iterator[str]:
    for node in nodes:
        end = start + per_leaf * node.leaves
        yield (
            f'<path class="{escape(node.name)}" d="{_arc(_RADII[depth], _RADII[depth + 1], start, end)}">'
            f"<title>{_text(node.title)}</title></path>"
        )
        yield from _ring(node.children, depth + 1, start, per_leaf)
        if node.label:
            middle = _point((_RADII[depth] + _RADII[depth + 1]) / 2, (start + end) / 2).split()
            yield f'<text x="{middle[0]}" y="{middle[1]}" {_MIDDLE}>{_text(node.label)}</text>'
        start = end


def _arc(inner: float, outer: float, start: float, end: float) -> str:
    end = min(end, start + _NEARLY_WHOLE)
    large = int(end - start > math.pi)
    return (
        f"M{_point(outer, start)}A{outer} {outer} 0 {large} 1 {_point(outer, end)}"
        f"L{_point(inner, end)}A{inner} {inner} 0 {large} 0 {_point(inner, start)}Z"
    )


def _point(radius: float, angle: float) -> str:
    return f"{radius * math.sin(angle):.3f} {-radius * math.cos(angle):.3f}"


def _text(text: str) -> str:
    return escape(visible(text))
