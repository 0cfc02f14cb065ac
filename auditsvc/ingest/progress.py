"""One part of a log counted, and whoever watches told of it."""

from collections.abc import Callable, Iterable

from auditsvc.core.counting import Counting
from auditsvc.ingest.logs import TOO_LONG, Range, no_event

Progress = Callable[[int, int], None]
"""Told as the work goes on: how many more bytes of the unpacked log were read, how many more events."""


def no_progress(_bytes: int, _events: int) -> None:
    """Progress that nobody watches."""


def count_range(
    part: Range, counting: Counting, progress: Progress, *, blocks: Iterable[bytes] | None = None
) -> None:
    """Counts a part of a log, or as many ``blocks`` of it as there are.

    InputError where it cannot be read, and where a whole log holds no event.
    """
    if part.start == 0:
        counting.start_file(part.log.name)
    start = seen = counting.events
    for block in part.blocks() if blocks is None else blocks:
        if block is TOO_LONG:
            counting.skip_line()
        else:
            counting.count(block)
        progress(len(block), counting.events - seen)
        seen = counting.events
    if part.length is None and seen == start:
        raise no_event(part.log)
