"""``audit-endpoints.txt``: what a run used, for test-infra's ``kubernetes_api_analysis.py`` and ourselves.

That script takes of each line with `` | `` in it what stands before, unless the line is the table's title row
or says ``NOT FOUND``. The header, the order of the rows, whatever their case, and the end of the file without
a newline are those of test-infra's parser: a report of its own that was imported is written as it was.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

from auditsvc.core.report import CALLS, ENDPOINTS, FIRST_LINE, TITLE_ROW
from auditsvc.core.usage import Usage

_WIDTH = 70


def render(usage: Usage) -> str:
    """The report; an imported one keeps the totals of its header."""
    totals = _totals(usage) if usage.header is None else usage.header
    rows = sorted(usage.operations.items(), key=lambda row: (row[0].lower(), row[0]))
    lines = [
        FIRST_LINE,
        "=" * _WIDTH,
        *(f"{name}: {total}" for name, total in totals.items()),
        "Results sorted alphabetically",
        "",
        TITLE_ROW,
        "-" * _WIDTH,
        *(f"{_cell(name)} | {used.hits}" for name, used in rows),
    ]
    return "\n".join(lines)


def _totals(usage: Usage) -> Mapping[str, int]:
    """The totals that test-infra's parser gives: it takes what no operation matches for an entry skipped."""
    return {
        ENDPOINTS: len(usage.operations),
        CALLS: usage.mapped,
        "Swagger-based matches": usage.mapped,
        "Fallback matches": 0,
        "Skipped entries": usage.requests - usage.mapped + usage.malformed,
    }


def _cell(name: str) -> str:
    """The name, percent-encoded where it would break the row: no operationId of Kubernetes' would."""
    return re.sub(r"[|\s\x00-\x1f\x7f]", lambda found: quote(found[0]), name)
