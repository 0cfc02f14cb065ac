"""``audit-operations.json``, as test-infra's parser writes it: the first few audit events by operation."""

import json

from auditsvc.core.usage import Sample, Usage


def render(usage: Usage) -> str:
    """A JSON object by operationId of lists of audit events.

    An event that was cut when it was sampled is no JSON: it becomes an object with its ``text`` alone.
    """
    operations = sorted(usage.operations.items())
    samples = {name: [_event(sample) for sample in used.samples] for name, used in operations}
    return json.dumps(samples, indent=2) + "\n"


def _event(sample: Sample) -> object:
    try:
        return json.loads(sample.event)
    except (ValueError, RecursionError):
        return {"text": sample.event}
