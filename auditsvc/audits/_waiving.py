"""Takes what is waived out of what a check observed, before it is judged."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

import msgspec
from msgspec.structs import replace

from auditsvc.audits._registry import Compared, Missing, Note, Observation
from auditsvc.core.results import Status, WaivedFinding
from auditsvc.core.waivers import Waiver

_EXPIRED = "settle what was waived, or agree on a new day and write it into the waivers"
_UNUSED = "remove the waiver: what it accepted is not found any more"


class Waiving(msgspec.Struct):
    """The waivers of one audit, applied to what it observed; ``waived`` is what they took out."""

    waivers: Sequence[Waiver]
    today: date
    agrees: Callable[[Compared], bool]
    waived: list[WaivedFinding] = []
    _used: set[Waiver] = set()

    def apply(self, observed: Iterable[Observation]) -> list[Observation]:
        """The observations less what is waived.

        A comparison is waived whole by the key under which it is found (``Runs[p1][added]``), or, where it
        says what its difference consists of, one by one of these: each brings what is expected one nearer to
        what is. Raises ValueError where these are not as many as the difference: the check has a bug.
        """
        return list(self._left(observed))

    def warnings(self) -> Iterator[Missing]:
        """A finding for each waiver that has expired, or that waives nothing."""
        for waiver in self.waivers:
            named = f"the waiver on line {waiver.line} (owner {waiver.owner})"
            if waiver.is_expired(self.today):
                yield Missing(waiver.key, f"{named} expired on {waiver.expires}", _EXPIRED)
            elif waiver not in self._used:
                yield Missing(waiver.key, f"{named} waives nothing", _UNUSED)

    def _left(self, observed: Iterable[Observation]) -> Iterator[Observation]:
        for item in observed:
            match item:
                case Missing():
                    if not self._accepts(item.key, item.description, Status.WARNING):
                        yield item
                case Compared() if not self.agrees(item):
                    yield self._compared(item)
                case _:
                    yield item

    def _compared(self, item: Compared) -> Compared:
        name = item.map + "".join(f"[{step}]" for step in item.path)
        if item.keys and len(item.keys) != abs(item.expected - item.actual):
            raise ValueError(f"{name}: {len(item.keys)} keys are not the difference")
        if self._accepts(name, item.detail or "the values differ", Status.FAILED):
            return replace(item, expected=item.actual)
        left = tuple(key for key in item.keys if not self._accepts(key, f"{name}: {key}", Status.FAILED))
        if left == item.keys:
            return item
        nearer = len(item.keys) - len(left)
        expected = item.expected + (nearer if item.expected < item.actual else -nearer)
        return replace(item, expected=expected, keys=left, detail=", ".join(left))

    def _accepts(self, key: str, description: str, status: Status) -> bool:
        for waiver in self.waivers:
            if waiver.covers(key) and not waiver.is_expired(self.today):
                self._used.add(waiver)
                self.waived.append(
                    WaivedFinding(
                        status=status,
                        key=key,
                        description=description,
                        owner=waiver.owner,
                        reason=waiver.reason,
                        expires=waiver.expires,
                        issue=waiver.issue,
                    )
                )
                return True
        return False


def waived_note(waived: Sequence[WaivedFinding]) -> Iterator[Note]:
    """What says in a result's description that not all of its findings count."""
    if waived:
        yield Note(f"findings waived: {len(waived)}")
