"""What the conformance gate looks at: a release, and the one before it."""

from collections.abc import Mapping, Sequence

import msgspec

from auditsvc.core.coverage import EndpointHistory, eligible, promotions, tells_promotions
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.releases import Minor, Release, Releases, parse_release


class ConformanceTested(msgspec.Struct, frozen=True):
    """The endpoints that conformance tests hit in a release; ``source`` says who knows: ``ci run X``."""

    endpoints: frozenset[str]
    source: str


class GatedRelease(msgspec.Struct, frozen=True):
    """A release under audit.

    ``promoted`` are the observable eligible endpoints of which it is the first release, None where no older
    one is known. ``tested`` is None where nothing tells what conformance tests hit. ``before`` is the nearest
    older release of which that is known, with what they hit there.
    """

    release: Minor
    eligible: frozenset[str]
    pending: frozenset[str]
    promoted: frozenset[str] | None = None
    tested: ConformanceTested | None = None
    before: tuple[Minor, ConformanceTested] | None = None


def gated_release(
    release: Release,
    releases: Releases,
    *,
    lists: EndpointLists,
    imported: Sequence[EndpointHistory],
    tested: Mapping[Minor, ConformanceTested],
) -> GatedRelease:
    """A release as the gate looks at it.

    ``imported`` are the imported histories; ``tested`` has the releases of which it is known what conformance
    tests hit.
    """
    minor = parse_release(release.version)
    before = max((known for known in tested if known < minor), default=None)
    observable = [one for one in release.operations.values() if one.observable]
    since = promotions(releases, imported)
    promoted = frozenset(name for name in eligible(observable, lists.ineligible) if since.get(name) == minor)
    return GatedRelease(
        release=minor,
        eligible=eligible(release.operations.values(), lists.ineligible),
        pending=lists.pending.names,
        promoted=promoted if tells_promotions(minor, releases, imported) else None,
        tested=tested.get(minor),
        before=None if before is None else (before, tested[before]),
    )
