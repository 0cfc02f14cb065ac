"""Replays of stored results: as lines for people, and as JSON."""

from collections.abc import Iterator, Sequence

import msgspec

from auditsvc.core.replay import Replay
from auditsvc.exports.plain import visible


def render_text(replays: Sequence[Replay]) -> str:
    """A line for each; below it what differs, or what is gone, and whether other code computed it."""
    return "".join(f"{visible(line)}\n" for replay in replays for line in _text(replay))


def render_json(replays: Sequence[Replay]) -> str:
    """One array: ``type``, ``of``, ``ended`` (same, different, impossible), ``code``, ``code_now``,
    ``gone``, ``diff`` (lines of a unified diff)."""
    rows = [
        {
            "type": replay.type,
            "of": replay.of,
            "ended": replay.ended,
            "code": replay.code,
            "code_now": replay.code_now,
            "gone": replay.gone,
            "diff": replay.diff,
        }
        for replay in replays
    ]
    return msgspec.json.encode(rows).decode() + "\n"


def _text(replay: Replay) -> Iterator[str]:
    yield f"{replay.of} {replay.type}: {replay.ended}"
    if replay.code != replay.code_now:
        yield f"  computed by other code then ({replay.code}) than now ({replay.code_now})"
    yield from (f"  {reason}" for reason in replay.gone)
    yield from replay.diff
