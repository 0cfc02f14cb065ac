"""Holds a release against its promises: what became stable is tested, and what was tested stays so."""

from collections.abc import Iterable, Iterator

from auditsvc.audits._lists import REASONS
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.gate import ConformanceTested, GatedRelease
from auditsvc.core.releases import release_name

_PROMOTED = (
    "write a conformance test or add the endpoint to the pending list with an issue "
    f"that asks for one, or to the ineligible list with a link and a reason: {REASONS}"
)
_LOST = (
    "bring back the conformance test that hit the endpoint, or find out why it did not run: the endpoint is "
    "still eligible"
)


@audit("AuditConformanceGate", key="conformanceGate", maps=("Releases",))
def conformance_gate(coverage: tuple[GatedRelease, ...]) -> Iterator[Observation]:
    """What became stable is conformance-tested or pending, and what was conformance-tested still is.

    ``Releases[v]["covered"]`` holds the observable eligible endpoints promoted in v against those of them
    that are conformance-tested or pending, ``Releases[v]["kept"]`` the endpoints conformance-tested in the
    release before, and still eligible, against those that still are.
    """
    for gated in coverage:
        if gated.tested is None:
            yield Note(
                f"{release_name(gated.release)}: no successful ci run tells what conformance tests hit"
            )
            continue
        yield from _covered(gated, gated.tested)
        yield from _kept(gated, gated.tested)


def _covered(gated: GatedRelease, tested: ConformanceTested) -> Iterator[Observation]:
    release = release_name(gated.release)
    if gated.promoted is None:
        yield Note(f"{release}: no older release is known, so nothing tells what was promoted in it")
        return
    uncovered = sorted(gated.promoted - tested.endpoints - gated.pending)
    pending = gated.promoted & gated.pending - tested.endpoints
    yield Note(
        f"{release}: {len(gated.promoted)} endpoints promoted, {len(uncovered)} of them neither "
        f"conformance-tested in {tested.source} nor pending, {len(pending)} pending"
    )
    yield _counted(release, "covered", len(gated.promoted), uncovered, _PROMOTED)
    for endpoint in uncovered:
        found = (
            f"Endpoint {endpoint} became stable in {release} and is neither conformance-tested nor pending"
        )
        yield Missing(endpoint, found, _PROMOTED)


def _kept(gated: GatedRelease, tested: ConformanceTested) -> Iterator[Observation]:
    release = release_name(gated.release)
    if gated.before is None:
        yield Note(f"{release}: nothing tells what was conformance-tested in a release before it")
        return
    before, then = release_name(gated.before[0]), gated.before[1]
    expected = then.endpoints & gated.eligible
    lost = sorted(expected - tested.endpoints)
    yield Note(
        f"{release}: of {len(expected)} endpoints conformance-tested in {before} ({then.source}), "
        f"{len(lost)} no longer are"
    )
    yield _counted(release, "kept", len(expected), lost, _LOST)
    for endpoint in lost:
        found = f"Endpoint {endpoint} was conformance-tested in {before} and is not in {release}"
        yield Missing(endpoint, found, _LOST)


def _counted(release: str, rule: str, expected: int, broken_by: Iterable[str], resolution: str) -> Compared:
    broken = list(broken_by)
    return Compared(
        "Releases",
        (release, rule),
        expected,
        expected - len(broken),
        detail=", ".join(broken),
        resolution=resolution,
    )
