"""A change of a file as a unified diff, which ``git apply`` and ``patch -p1`` take."""

import re
from collections.abc import Iterator
from difflib import unified_diff


def render(name: str, before: str, after: str) -> str:
    """The patch that makes ``after`` of ``before``; empty where they are the same."""
    path = name.lstrip("/")
    return "".join(
        _ended(unified_diff(_lines(before), _lines(after), fromfile=f"a/{path}", tofile=f"b/{path}"))
    )


def _lines(text: str) -> list[str]:
    """Its lines with their ends: to a patch only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
