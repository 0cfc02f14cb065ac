"""A stored result beside the one that its recorded inputs make once more."""

import json
from difflib import unified_diff
from enum import StrEnum

import msgspec


class Repeated(StrEnum):
    """How a replay ended: with the same bytes, with others, or it was not possible."""

    SAME = "same"
    DIFFERENT = "different"
    IMPOSSIBLE = "impossible"


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A result, called by its audit's type and ``of`` what it is: a day, or a run.

    ``stored`` and ``repeated`` are their JSON but for ``LastRun``, which a replay takes over; ``repeated`` is
    None where it was not possible, and ``gone`` says why, a line for each input. ``code`` and ``code_now``
    are the versions of the code that computed each.
    """

    type: str
    of: str
    stored: str
    repeated: str | None
    code: str
    code_now: str
    gone: tuple[str, ...] = ()

    @property
    def ended(self) -> Repeated:
        """How it ended."""
        if self.repeated is None:
            return Repeated.IMPOSSIBLE
        return Repeated.SAME if self.repeated == self.stored else Repeated.DIFFERENT

    @property
    def diff(self) -> tuple[str, ...]:
        """What differs, as the lines of a unified diff of the indented JSON; none where nothing does."""
        if self.repeated is None:
            return ()
        return tuple(
            unified_diff(
                _lines(self.stored),
                _lines(self.repeated),
                f"{self.of}/{self.type} stored",
                f"{self.of}/{self.type} repeated",
                lineterm="",
            )
        )


def _lines(text: str) -> list[str]:
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
