"""The table of figures, and the machine that they are of, as Markdown for the README."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib.metadata import version
from pathlib import Path

HEADER = ("what", "auditsvc", "beside it", "ratio", "target", "met")
LIBRARIES = ("auditsvc", "msgspec", "isal", "click", "sqlite-utils")


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and what stands beside it, as text; ``met`` is whether its target is."""

    what: str
    ours: str
    _: KW_ONLY
    beside: str = ""
    ratio: str = ""
    target: str
    met: bool


def render(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, with even columns so that it reads as plain text too."""
    cells = [
        HEADER,
        *((row.what, row.ours, row.beside, row.ratio, row.target, _word(row.met)) for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        _line(map(str.ljust, line, widths))
        for line in (*cells[:1], ["-" * width for width in widths], *cells[1:])
    ]
    return "".join(lines)


def measured_on(*, rounds: int, load: float) -> str:
    """How and with what the figures were measured; ``load`` is how many processes were busy before."""
    # Other processors than these name no model.
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Medians of {rounds} runs of whole processes in turn; ratios of wall time; load before {load:.1f}.\n"
        f"{model[1] if model else platform.machine()}, {cores} cores, {memory:.0f} GB, "
        f"{platform.system()} {platform.release()}.\n"
        f"{platform.python_implementation()} {platform.python_version()}, {versions}.\n"
    )


def _word(met: bool) -> str:
    return "yes" if met else "**no**"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
