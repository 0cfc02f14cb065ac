"""How much of the stable API conformance tests cover, by release: the rules of APISnoop, exactly.

A release is its minor version. What is told here is what is known now: an endpoint that became ineligible or
deprecated later counts in no release.
"""

from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping, Sequence

import msgspec

from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.releases import Minor, Releases, parse_release, release_name
from auditsvc.core.swagger import Level, Operation

FIRST_COVERED: Minor = (1, 5)
FIRST_PROGRESS: Minor = (1, 8)
"""The first releases that the two tables have a row for."""


class EndpointHistory(msgspec.Struct, frozen=True):
    """When an endpoint became stable, and the releases of the conformance tests that hit it."""

    endpoint: str
    promotion_release: Minor
    test_releases: frozenset[Minor] = frozenset()

    @property
    def first_conformance_test(self) -> Minor | None:
        """The lowest release of a conformance test that hits it; None where none does."""
        return min(self.test_releases, default=None)

    @property
    def tested_release(self) -> Minor | None:
        """The release since which it is stable and conformance-tested; None where it never was."""
        first = self.first_conformance_test
        return None if first is None else max(first, self.promotion_release)


class CoverageRow(msgspec.Struct, frozen=True):
    """A release's new endpoints, those of them that are tested by now, and the running totals."""

    release: str
    new: int
    tested: int
    untested: int
    total: int
    total_tested: int
    total_untested: int


class ProgressRow(msgspec.Struct, frozen=True):
    """How far a release had come.

    Of the ``endpoints`` promoted by then, ``tested`` were so by then. Of the ``new`` ones ``new_tested`` were
    tested in it, ``new_with_tests`` are hit by a test of that very release, ``still_untested`` never were.
    ``old_tested`` are older endpoints that it tested first: debt paid.
    """

    release: str
    endpoints: int
    tested: int
    new: int
    new_tested: int
    old_tested: int
    new_with_tests: int
    still_untested: int


class EndpointCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an endpoint; ``operation`` is None where no known release has it.

    ``promotion_release`` is None where it never was stable. ``age`` is for how many of the known releases it
    has been stable without a conformance test, None where it has one.
    """

    endpoint: str
    promotion_release: str | None
    first_conformance_test: str | None
    tested_release: str | None
    age: int | None
    deprecated: bool
    ineligible: bool
    pending: bool
    operation: Operation | None

    @property
    def eligible(self) -> bool:
        """Whether it is stable, not deprecated and not on the ineligible list."""
        return self.operation is not None and is_promoted(self.operation) and not self.ineligible


def endpoint_coverage(
    endpoint: EndpointHistory,
    operation: Operation | None,
    *,
    releases: Collection[Minor],
    lists: EndpointLists,
) -> EndpointCoverage:
    """An endpoint's history in words, with what its operation and the lists say of it."""
    first, tested = endpoint.first_conformance_test, endpoint.tested_release
    return EndpointCoverage(
        endpoint=endpoint.endpoint,
        promotion_release=release_name(endpoint.promotion_release),
        first_conformance_test=first and release_name(first),
        tested_release=tested and release_name(tested),
        age=None if tested else age_of_debt(endpoint, releases),
        deprecated=operation is not None and operation.deprecated,
        ineligible=endpoint.endpoint in lists.ineligible,
        pending=endpoint.endpoint in lists.pending,
        operation=operation,
    )


def eligible(operations: Iterable[Operation], ineligible: Container[str]) -> frozenset[str]:
    """The stable operations that are neither deprecated nor on the ineligible list."""
    return frozenset(one.id for one in operations if is_promoted(one) and one.id not in ineligible)


def is_promoted(operation: Operation) -> bool:
    """Whether an operation is stable and not deprecated."""
    return operation.level is Level.STABLE and not operation.deprecated


def coverage_rows(
    releases: Iterable[Minor], endpoints: Collection[EndpointHistory]
) -> tuple[CoverageRow, ...]:
    """A row for each release from 1.5.0 on, in their order; older promotions count in the totals."""
    new = Counter(one.promotion_release for one in endpoints)
    tested = Counter(one.promotion_release for one in endpoints if one.tested_release)
    rows = []
    for release in _from(FIRST_COVERED, releases):
        total = _up_to(release, new)
        total_tested = _up_to(release, tested)
        rows.append(
            CoverageRow(
                release=release_name(release),
                new=new[release],
                tested=tested[release],
                untested=new[release] - tested[release],
                total=total,
                total_tested=total_tested,
                total_untested=total - total_tested,
            )
        )
    return tuple(rows)


def progress_rows(
    releases: Iterable[Minor], endpoints: Collection[EndpointHistory]
) -> tuple[ProgressRow, ...]:
    """A row for each release from 1.8.0 on, in their order."""
    return tuple(_progress(release, endpoints) for release in _from(FIRST_PROGRESS, releases))


def age_of_debt(endpoint: EndpointHistory, releases: Collection[Minor]) -> int:
    """For how many of the known releases an endpoint has been stable: 0 for one that is new in the latest.

    Asked of an untested endpoint, it is the age of the debt.
    """
    return sum(release > endpoint.promotion_release for release in set(releases))


def first_stable(releases: Releases) -> dict[str, Minor]:
    """The first of the releases in which each endpoint is stable and not deprecated."""
    found: dict[str, Minor] = {}
    for release in releases.releases:
        for operation in release.operations.values():
            if is_promoted(operation):
                found.setdefault(operation.id, parse_release(release.version))
    return found


def known_histories(
    releases: Releases,
    *,
    ineligible: Container[str],
    test_releases: Mapping[str, frozenset[Minor]],
    imported: Sequence[EndpointHistory] = (),
) -> tuple[EndpointHistory, ...]:
    """The endpoints that the tables count, by name: the eligible ones of the newest release.

    ``test_releases`` are by endpoint those of the conformance tests that stored runs hit it with. What was
    imported is believed for the releases that it knows; where newer ones are known, they add the endpoints
    promoted since, and endpoints that are no longer eligible are left out.
    """
    promoted = first_stable(releases)
    newest = releases.releases[-1:]
    current = frozenset[str]().union(*(eligible(one.operations.values(), ineligible) for one in newest))
    known = {one.endpoint: one for one in imported}
    horizon = newest_known(imported)
    if horizon is None or any(parse_release(one.version) > horizon for one in newest):
        since = {name for name in current if horizon is None or promoted[name] > horizon}
        known = {name: one for name, one in known.items() if name in current}
        known |= {name: EndpointHistory(name, promoted[name]) for name in since - known.keys()}
    return tuple(_with_tests(known[name], test_releases.get(name)) for name in sorted(known))


def spoken_releases(endpoints: Iterable[EndpointHistory]) -> frozenset[Minor]:
    """The releases that histories speak of: of promotions and of tests."""
    return frozenset(known for one in endpoints for known in (one.promotion_release, *one.test_releases))


def newest_known(endpoints: Iterable[EndpointHistory]) -> Minor | None:
    """The newest release that histories speak of; None where there are none."""
    return max(spoken_releases(endpoints), default=None)


def promotions(releases: Releases, imported: Iterable[EndpointHistory]) -> dict[str, Minor]:
    """The promotion releases that are known: the first that has the endpoint as stable.

    It may have become so in any release since the one known before, so where an import names one of these,
    that it is. What the oldest has as stable became so in it or before: alone it tells nothing.
    """
    known = [parse_release(one.version) for one in releases.releases]
    before = dict(zip(known[1:], known, strict=False))
    own, told = first_stable(releases), {one.endpoint: one.promotion_release for one in imported}
    fitting = {
        name: since
        for name, since in told.items()
        if name not in own or before.get(own[name], (0, 0)) < since <= own[name]
    }
    return {name: since for name, since in own.items() if since in before} | fitting


def tells_promotions(release: Minor, releases: Releases, imported: Iterable[EndpointHistory]) -> bool:
    """Whether it is known what was promoted in a release: an older one is there, or it was imported."""
    older = any(parse_release(one.version) < release for one in releases.releases)
    return older or release <= (newest_known(imported) or (0, 0))


def _with_tests(endpoint: EndpointHistory, own: frozenset[Minor] | None) -> EndpointHistory:
    """The history; where no conformance test was known to hit the endpoint, with those of our own runs."""
    if endpoint.test_releases or not own:
        return endpoint
    return EndpointHistory(endpoint.endpoint, endpoint.promotion_release, own)


def _from(first: Minor, releases: Iterable[Minor]) -> list[Minor]:
    return sorted(release for release in set(releases) if release >= first)


def _up_to(release: Minor, counts: Counter[Minor]) -> int:
    return sum(count for counted, count in counts.items() if counted <= release)


def _progress(release: Minor, endpoints: Collection[EndpointHistory]) -> ProgressRow:
    there = [one for one in endpoints if one.promotion_release <= release]
    new = [one for one in there if one.promotion_release == release]
    tested = [one for one in there if one.tested_release and one.tested_release <= release]
    new_tested = [one for one in tested if one.promotion_release == release]
    return ProgressRow(
        release=release_name(release),
        endpoints=len(there),
        tested=len(tested),
        new=len(new),
        new_tested=len(new_tested),
        old_tested=sum(one.tested_release == release for one in tested) - len(new_tested),
        new_with_tests=sum(release in one.test_releases for one in new),
        still_untested=sum(one.tested_release is None for one in new),
    )
