"""What the store knows of releases: their operations, their conformance tests and what these hit."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property

from msgspec.structs import replace

from auditsvc.core.apisnoop import imported_operations
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import (
    EndpointHistory,
    first_stable,
    known_histories,
    newest_known,
    promotions,
    spoken_releases,
)
from auditsvc.core.endpoint_tests import conformance_tested
from auditsvc.core.endpoints import EndpointList, EndpointLists
from auditsvc.core.gate import ConformanceTested, GatedRelease, gated_release
from auditsvc.core.releases import Minor, Release, Releases, parse_release, release_name
from auditsvc.core.swagger import Operation
from auditsvc.store import Store
from auditsvc.store.lists import ListKind
from auditsvc.store.swaggers import SwaggerRecord


class StoredCoverage:
    """What the store knows of the coverage of releases, with the swaggers and lists that hold at a time."""

    def __init__(self, store: Store, *, at: datetime) -> None:
        self._store = store
        self._at = at

    @cached_property
    def releases(self) -> Releases:
        """The releases by version: each with its swagger or, where there is none, as it was imported."""
        swaggers = {minor: Release(one.version, self._operations(one)) for minor, one in self._held.items()}
        imported = {
            minor: Release(release_name(minor), imported_operations(self._store.coverage.endpoints(minor)))
            for minor in self._store.coverage.imported_releases()
            if minor not in swaggers
        }
        return Releases(tuple(release for _, release in sorted({**imported, **swaggers}.items())))

    @property
    def uploaded(self) -> Releases:
        """Those whose swagger is stored; an imported release lacks what was deprecated in it."""
        known = ((one, parse_release(one.version)) for one in self.releases.releases)
        return Releases(tuple(one for one, minor in known if self.swagger_version(minor)))

    @cached_property
    def known(self) -> tuple[Minor, ...]:
        """Every release that anything is known of, in their order."""
        stored = (*self._store.coverage.dates(), *self._store.coverage.imported_releases())
        return tuple(sorted({*self._held, *stored, *self.tests, *spoken_releases(self.imported)}))

    @cached_property
    def imported(self) -> tuple[EndpointHistory, ...]:
        """The imported histories of endpoints."""
        return self._store.coverage.histories()

    @cached_property
    def tests(self) -> Mapping[Minor, tuple[ConformanceTest, ...]]:
        """The conformance tests by release."""
        return self._store.coverage.tests()

    @cached_property
    def tests_of_endpoints(self) -> Mapping[str, frozenset[str]]:
        """By endpoint the e2e tests that are known to hit it, from every stored run and imported release."""
        return self._store.endpoints.tests()

    @cached_property
    def conf_tested(self) -> frozenset[str]:
        """The endpoints that a conformance test is known to hit."""
        since = (one.endpoint for one in self.history.values() if one.tested_release)
        return conformance_tested(self.tests_of_endpoints).union(since)

    @cached_property
    def ineligible(self) -> EndpointList:
        """The ineligible list."""
        held = self._store.lists.holding(ListKind.INELIGIBLE, self._at)
        return self._store.lists.get(held.hash) if held else EndpointList()

    @cached_property
    def test_releases(self) -> Mapping[str, frozenset[Minor]]:
        """By endpoint the releases of the stored conformance tests that hit it."""
        if not self._since:
            return {}
        return {
            name: frozenset(self._since[test] for test in hit)
            for name, tests in self.tests_of_endpoints.items()
            if (hit := tests & self._since.keys())
        }

    @cached_property
    def histories(self) -> tuple[EndpointHistory, ...]:
        """The endpoints that the tables of coverage count."""
        return known_histories(
            self.releases,
            ineligible=self.ineligible.names,
            test_releases=self.test_releases,
            imported=self.imported,
        )

    @cached_property
    def history(self) -> Mapping[str, EndpointHistory]:
        """The history of every endpoint that ever was stable, also of those that the tables do not count."""
        stable = {
            name: EndpointHistory(name, since, self.test_releases.get(name, frozenset()))
            for name, since in first_stable(self.releases).items()
        }
        stable |= {one.endpoint: one for one in (*self.imported, *self.histories)}
        since = promotions(self.releases, self.imported)
        return {
            name: replace(one, promotion_release=since.get(name, one.promotion_release))
            for name, one in stable.items()
        }

    def release(self, minor: Minor) -> Release | None:
        """The release of that minor version; None where its operations are not known."""
        return next((one for one in self.releases.releases if parse_release(one.version) == minor), None)

    def swagger_version(self, minor: Minor) -> str | None:
        """The version of the swagger that the release has; None where it was imported, or is not known."""
        return self._held[minor].version if minor in self._held else None

    def gated(
        self,
        release: Release,
        *,
        lists: EndpointLists,
        tested: Callable[[Minor], ConformanceTested | None],
    ) -> GatedRelease:
        """A release, in place of the stored one, as the conformance gate sees it.

        ``tested`` is asked for it, and for older releases down to the first of which it knows something.
        """
        minor = parse_release(release.version)
        told = {minor: tested(minor)}
        for older in sorted((one for one in self.known if one < minor), reverse=True):
            if found := tested(older):
                told[older] = found
                break
        older_releases = (one for one in self.releases.releases if parse_release(one.version) < minor)
        return gated_release(
            release,
            Releases((*older_releases, release)),
            lists=lists,
            imported=self.imported,
            tested={one: found for one, found in told.items() if found is not None},
        )

    def imported_tested(self, release: Minor) -> ConformanceTested | None:
        """What APISnoop told of the conformance tests of a release; None where it told nothing."""
        endpoints = {one.endpoint for one in self._store.coverage.endpoints(release) if one.conf_tested}
        if release <= (newest_known(self.imported) or (0, 0)):
            endpoints |= {
                one.endpoint for one in self.imported if one.tested_release and one.tested_release <= release
            }
        return ConformanceTested(frozenset(endpoints), "APISnoop's import") if endpoints else None

    def received(self) -> bool:
        """Whether a gate can be told anything: of two releases, and of what conformance tests hit."""
        if self.imported:
            return True
        releases = {*self._held, *self._store.coverage.imported_releases()}
        return len(releases) > 1 and self._store.coverage.tested()

    def fingerprint(self, release: Minor) -> tuple[object, ...]:
        """All that the gate looks at up to a release but the runs, without reading it."""
        held = [(minor, one.hash) for minor, one in self._held.items() if minor <= release]
        return (self._store.coverage.fingerprint(), held)

    @property
    def swaggers(self) -> tuple[tuple[str, str], ...]:
        """The version and hash of each release's swagger."""
        return tuple((one.version, one.hash) for one in self._held.values())

    @cached_property
    def _held(self) -> Mapping[Minor, SwaggerRecord]:
        minors = sorted({parse_release(one.version) for one in self._store.swaggers.all()})
        held = ((minor, self._store.swaggers.holding(minor, self._at)) for minor in minors)
        return {minor: one for minor, one in held if one is not None}

    @cached_property
    def _since(self) -> dict[str, Minor]:
        """Since when each test is a conformance test, as the newest release that has it says."""
        return {test.codename: test.release for tests in self.tests.values() for test in tests}

    def _operations(self, held: SwaggerRecord) -> dict[str, Operation]:
        return {one.id: one for one in self._store.swaggers.catalogue(held.hash)}
