"""The parts of logs that are single applications' requests, each counted by itself, in one pass."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from msgspec.structs import replace

from auditsvc.core.counting import Counting
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.requesters import Requester, decode_requester
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import Usage
from auditsvc.ingest import in_order
from auditsvc.ingest.logs import TOO_LONG, Log, Range, no_event
from auditsvc.ingest.progress import Progress, no_progress

_LINES = re.compile(rb"[^\n]*\n|[^\n]+")

Choose = Callable[[Requester], str | None]
"""Names the part that a request belongs to; None for one that is left out."""


def count_split(
    logs: Sequence[Log],
    swagger: Swagger,
    choose: Choose,
    *,
    sampled: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Usage]:
    """What each part of the logs used, by name; samples tell their lines in the whole log.

    A line that is no audit event belongs to no part, and the pauses of a part are no gaps of a log.
    InputError where a log cannot be read or holds no audit event.
    """
    mapper = OperationMapper(swagger)
    parts: dict[str, Counting] = {}
    for log in in_order(logs):
        for name, line, text in _stretches(log, choose, progress):
            if name not in parts:
                parts[name] = Counting(mapper, sampled=sampled)
            parts[name].skip_to(log.name, line)
            parts[name].count(text)
    return {name: replace(parts[name].usage(), gaps=None) for name in sorted(parts)}


def _stretches(log: Log, choose: Choose, progress: Progress) -> Iterator[tuple[str, int, bytes]]:
    """The lines of a log that belong to a part, as many together as follow each other."""
    above = events = 0
    for block in Range(log).blocks():
        lines = [] if block is TOO_LONG else _LINES.findall(block)
        requesters = list(map(decode_requester, lines))
        names = [None if requester is None else choose(requester) for requester in requesters]
        start = 0
        for name, same in groupby(names):
            end = start + len(list(same))
            if name is not None:
                yield name, above + start, b"".join(lines[start:end])
            start = end
        above += 1 if block is TOO_LONG else len(lines)
        known = sum(requester is not None for requester in requesters)
        events += known
        progress(len(block), known)
    if not events:
        raise no_event(log)
