"""What a run used, as one JSON object (``auditsvc parse --format json``)."""

import json
from datetime import datetime
from typing import Any

import msgspec

from auditsvc.core.events import render_time
from auditsvc.core.usage import OperationUsage, Usage, is_conformance


def render(usage: Usage) -> str:
    """``requests, mapped, unmapped`` (counts by reason), ``malformed`` and ``operations`` by operationId.

    Times are RFC 3339 in UTC with microseconds, null where unknown.
    """
    document = {
        "requests": usage.requests,
        "mapped": usage.mapped,
        "unmapped": {reason: used.hits for reason, used in usage.unmapped.items()},
        "malformed": usage.malformed,
        "operations": {name: _operation(used) for name, used in sorted(usage.operations.items())},
    }
    # json itself indents in Python: together they take a quarter of its time.
    return msgspec.json.format(json.dumps(document), indent=2) + "\n"


def _operation(used: OperationUsage) -> dict[str, Any]:
    return {
        "hits": used.hits,
        "success_hits": used.success_hits,
        "codes": dict(used.codes),
        "tests": {
            test: {"hits": hits, "conformance": is_conformance(test)} for test, hits in used.tests.items()
        },
        "agents": dict(used.agents),
        "first": _time(used.first),
        "last": _time(used.last),
    }


def _time(moment: datetime | None) -> str | None:
    return render_time(moment) if moment else None
