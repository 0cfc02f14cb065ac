"""Plain text: tables, and names that cannot drive the terminal or break the document that shows them."""

import re
from collections.abc import Sequence

# Control characters, line and paragraph ends, overrides of the direction, what UTF-8 or XML cannot hold.
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """The text in one line, with escapes such as ``\\x1b`` for the characters that would do something."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def no_formula(text: str) -> str:
    """The text as a cell of a CSV that no spreadsheet takes for a formula.

    An application names itself, so a name may be one. The apostrophe is what OWASP advises:
    https://owasp.org/www-community/attacks/CSV_Injection.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def render_table(rows: Sequence[Sequence[str | int | float]]) -> list[str]:
    """Lines of columns two spaces apart, the numbers to the right; the first row may be a heading."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [any(isinstance(cell, int | float) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if to_the_right else cell.ljust(width)
            for cell, width, to_the_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
