"""``audit-operations.json``, as test-infra's parser writes it: the first few audit events by operation."""

import msgspec

from auditsvc.core.usage import Sample, Usage


def render(usage: Usage) -> str:
    """A JSON object by operationId of lists of audit events, each as it was logged.

    An event that was cut when it was sampled is no JSON: it becomes an object with its ``text`` alone.
    """
    operations = sorted(usage.operations.items())
    samples = {name: [_event(sample) for sample in used.samples] for name, used in operations}
    return msgspec.json.format(msgspec.json.encode(samples), indent=2).decode() + "\n"


def _event(sample: Sample) -> msgspec.Raw | dict[str, str]:
    try:
        # As deep as it will stand; and the 0 is refused where nothing is before it.
        msgspec.json.format(f"[[{sample.event},0]]", indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return {"text": sample.event}
    return msgspec.Raw(sample.event)
