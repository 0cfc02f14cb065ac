"""Endpoints: the e2e tests that hit them, who uses them, which are untested, what a new test would add."""

from collections.abc import Sequence
from functools import partial

import msgspec

from auditsvc.core.breakdown import OperationFilter
from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import EndpointCoverage
from auditsvc.core.endpoint_tests import (
    E2eTest,
    E2eTestFilter,
    KnownRelease,
    NewTestHit,
    ProjectedCoverage,
    RankedEndpoint,
    e2e_tests,
    ranked,
)
from auditsvc.core.proposals import Proposal, near_misses, outlines
from auditsvc.core.releases import parse_release, release_name
from auditsvc.core.resources import reference_urls
from auditsvc.core.swagger import Operation, minor_version
from auditsvc.core.tally import agent_family
from auditsvc.errors import NotFoundError
from auditsvc.service.coverage import Coverage
from auditsvc.sources import StoredCoverage
from auditsvc.store import Store
from auditsvc.store.endpoints import EndpointUser


class EndpointDetail(msgspec.Struct, frozen=True):
    """All that is known of an endpoint: the releases that have it, who tests it, and who uses it.

    ``known`` lacks its history where it never was stable.
    """

    known: RankedEndpoint
    releases: tuple[str, ...]
    tests: tuple[E2eTest, ...]
    users: tuple[EndpointUser, ...]


class NewTest(msgspec.Struct, frozen=True):
    """What a new test hits, in which run, and what it would add to a release's coverage.

    ``unmapped`` are its requests that are of no operation; they never count.
    """

    agent: str
    run: str
    release: str
    hits: tuple[NewTestHit, ...]
    unmapped: int
    projected: ProjectedCoverage


class Endpoints:
    """The endpoints of the store.

    What is known of their tests is from every stored run and every imported release. They are those of one
    release: the newest of which the operations are known, unless another is named.
    """

    def __init__(self, store: Store, coverage: Coverage) -> None:
        self._store = store
        self._coverage = coverage

    def untested(
        self, release: str | None = None, *, only: OperationFilter | None = None
    ) -> list[RankedEndpoint]:
        """The stable endpoints without a conformance test, the most used first.

        Raises NotFoundError where no operations are known.
        """
        known = self._coverage.known()
        of = self._release(known, release)
        return self._ranked(known, of, (only or OperationFilter()).select(of.untested, of.lists))

    def candidates(
        self, release: str | None = None, *, only: OperationFilter | None = None
    ) -> list[RankedEndpoint]:
        """The untested endpoints that an e2e test hits: it might be promoted. Eligible ones first.

        Raises NotFoundError where no operations are known.
        """
        known = self._coverage.known()
        of = self._release(known, release)
        found = self._ranked(known, of, (only or OperationFilter()).select(of.candidates, of.lists))
        return sorted(found, key=lambda one: one.ineligible)  # which keeps the order otherwise

    def tests(self, only: E2eTestFilter) -> list[E2eTest]:
        """The e2e tests that are known to hit an endpoint, by name."""
        known = self._coverage.known()
        return list(filter(only.fits, e2e_tests(known.tests_of_endpoints, _conformance_tests(known))))

    def get(self, endpoint: str) -> EndpointDetail:
        """All that is known of an endpoint. NotFoundError names those that it may be a mistake for."""
        known = self._coverage.known()
        serving = [one for one in known.releases.releases if endpoint in one.operations]
        of = self._release(known, serving[-1].version if serving else None)
        operation = of.operations.get(endpoint)
        if operation is None:
            raise _unknown(endpoint, of)
        tests = e2e_tests({endpoint: of.tests.get(endpoint, ())}, _conformance_tests(known))
        [ranked_one] = self._ranked(known, of, [operation])
        return EndpointDetail(
            known=ranked_one,
            releases=tuple(release_name(parse_release(one.version)) for one in serving),
            tests=tuple(tests),
            users=tuple(self._store.endpoints.users(endpoint)),
        )

    def new_test(self, agent: str, run_id: str | None = None) -> NewTest:
        """What a test that is being written hits: all requests of a user agent family in a run.

        Without a run, in the last finished one that has it. Raises NotFoundError where there is none.
        """
        family = agent_family(agent)
        run_id = run_id or self._store.endpoints.newest_run_of(family)
        if run_id is None:
            raise NotFoundError(
                f"agent: no stored run has a request of {family} (POST /runs, or auditsvc ingest)"
            )
        run, usage = self._store.runs.get(run_id), self._store.runs.usage(run_id)
        known = self._coverage.known()
        minor = minor_version(run.version)
        of = self._release(known, run.version if minor and known.release(minor) else None)
        hits = of.hits_of(family, usage.operations)
        return NewTest(
            agent=family,
            run=run_id,
            release=of.version,
            hits=tuple(hits),
            unmapped=sum(used.agents.get(family, 0) for used in usage.unmapped.values()),
            projected=of.project(hits),
        )

    def proposal(self, names: Sequence[str]) -> Proposal:
        """What the proposal of a test for those endpoints says. NotFoundError names near misses."""
        known = self._coverage.known()
        of = self._release(known, None)
        for name in names:
            if name not in of.operations:
                raise _unknown(name, of)
        asked = [of.operations[name] for name in dict.fromkeys(names)]
        groups = {one.group for one in asked}
        rank = partial(self._ranked, known, of)
        by_name = {one.endpoint: one for one in rank(asked)}
        return Proposal(
            release=of.version,
            endpoints=tuple(by_name[one.id] for one in asked),
            outlines=outlines(asked, list(of.operations.values())),
            group=tuple(rank([one for one in of.untested if one.group in groups])),
        )

    def _release(self, known: StoredCoverage, version: str | None) -> KnownRelease:
        release = self._coverage.release(known, version)
        return KnownRelease(
            version=release_name(parse_release(release.version)),
            operations=release.operations,
            lists=self._coverage.lists(),
            tests=known.tests_of_endpoints,
            tested=known.conf_tested,
        )

    def _ranked(
        self, known: StoredCoverage, of: KnownRelease, operations: Sequence[Operation]
    ) -> list[RankedEndpoint]:
        stable = [one.id for one in operations if one.id in known.history]
        told = self._coverage.endpoints(known, stable)
        told += [_never_stable(one, of) for one in operations if one.id not in known.history]
        return ranked(
            told,
            uses=self._store.endpoints.uses(),
            lists=of.lists,
            tests=of.tests,
            references=reference_urls(of.version, of.operations),
        )


def _never_stable(operation: Operation, of: KnownRelease) -> EndpointCoverage:
    return EndpointCoverage(
        endpoint=operation.id,
        promotion_release=None,
        first_conformance_test=None,
        tested_release=None,
        age=None,
        deprecated=operation.deprecated,
        ineligible=operation.id in of.lists.ineligible,
        pending=operation.id in of.lists.pending,
        operation=operation,
    )


def _conformance_tests(known: StoredCoverage) -> dict[str, ConformanceTest]:
    """By codename what the newest release that has a test says of it."""
    return {test.codename: test for tests in known.tests.values() for test in tests}


def _unknown(name: str, of: KnownRelease) -> NotFoundError:
    near = near_misses(name, list(of.operations))
    hint = f"did you mean {', '.join(near)}?" if near else "GET /swagger/<version>/operations lists them"
    return NotFoundError(f"unknown endpoint of {of.version}: {name} ({hint})")
