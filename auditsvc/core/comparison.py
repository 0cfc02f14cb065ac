"""Two runs beside each other: what one used and the other did not, and what was used more or less often."""

import msgspec

from auditsvc.core.swagger import Operation, Swagger
from auditsvc.core.usage import Usage


class Change(msgspec.Struct, frozen=True):
    """One operation's hits in a run and its baseline; ``operation`` is None where the swagger lacks it."""

    id: str
    hits: int
    baseline_hits: int
    operation: Operation | None


class Comparison(msgspec.Struct, frozen=True):
    """The operations that the run added to, removed from and hit otherwise than its baseline, each by name.

    ``unchanged`` is how many both hit equally often; one recorded without a hit is as one not recorded.
    """

    added: tuple[Change, ...]
    removed: tuple[Change, ...]
    changed: tuple[Change, ...]
    unchanged: int


def compare(usage: Usage, baseline: Usage, swagger: Swagger) -> Comparison:
    """What the run used beside what its baseline used; operations as the run's swagger has them."""
    changes = []
    for name in sorted(usage.operations.keys() | baseline.operations.keys()):
        here, there = usage.operations.get(name), baseline.operations.get(name)
        hits, baseline_hits = here.hits if here else 0, there.hits if there else 0
        changes.append(Change(name, hits, baseline_hits, swagger.get(name)))
    return Comparison(
        added=tuple(change for change in changes if change.hits and not change.baseline_hits),
        removed=tuple(change for change in changes if change.baseline_hits and not change.hits),
        changed=tuple(
            change
            for change in changes
            if change.hits and change.baseline_hits and change.hits != change.baseline_hits
        ),
        unchanged=sum(0 < change.hits == change.baseline_hits for change in changes),
    )
