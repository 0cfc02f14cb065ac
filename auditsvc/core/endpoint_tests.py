"""Which e2e tests hit which endpoints, who else uses these, and what a new test would add."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import msgspec
from msgspec.structs import asdict

from auditsvc.core.breakdown import percent
from auditsvc.core.conformance import ConformanceTest, bracketed
from auditsvc.core.coverage import EndpointCoverage, eligible, is_promoted
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.swagger import Operation
from auditsvc.core.usage import OperationUsage, is_conformance


class E2eTest(msgspec.Struct, frozen=True):
    """An e2e test and the endpoints that it hits, by name.

    ``known`` is what a stored ``conformance.yaml`` says of it, None where none has it.
    """

    name: str
    endpoints: tuple[str, ...]
    known: ConformanceTest | None = None

    @property
    def conformance(self) -> bool:
        """Whether it is a conformance test."""
        return is_conformance(self.name)

    @property
    def sigs(self) -> tuple[str, ...]:
        """The special interest groups that its name gives in brackets: ``sig-node``."""
        return tuple(tag for tag in bracketed(self.name) if tag.startswith("sig-"))

    @property
    def tags(self) -> tuple[str, ...]:
        """What else stands in brackets in its name."""
        return tuple(tag for tag in bracketed(self.name) if not tag.startswith("sig-"))


class E2eTestFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which tests are looked for: those that fit all that is given.

    ``text`` is in the name in any case; ``sig`` may lack its brackets and its ``sig-``, ``tag`` its brackets.
    """

    name: str | None = None
    text: str = ""
    sig: str | None = None
    tag: str | None = None
    conformance: bool | None = None

    def fits(self, test: E2eTest) -> bool:
        """Whether the test is one of them."""
        sig = f"sig-{self.sig.strip('[]').removeprefix('sig-')}" if self.sig else None
        return (
            self.name in (None, test.name)
            and self.text.lower() in test.name.lower()
            and (sig is None or sig in test.sigs)
            and (self.tag is None or self.tag.strip("[]") in test.tags)
            and self.conformance in (None, test.conformance)
        )


def e2e_tests(tests: Mapping[str, Iterable[str]], known: Mapping[str, ConformanceTest]) -> list[E2eTest]:
    """The tests that hit an endpoint, by name; ``tests`` has those of each endpoint."""
    endpoints: dict[str, list[str]] = defaultdict(list)
    for endpoint, names in sorted(tests.items()):
        for name in names:
            endpoints[name].append(endpoint)
    return [E2eTest(name, tuple(endpoints[name]), known.get(name)) for name in sorted(endpoints)]


# --------------------------------------------------------------------------------------- who uses them


class EndpointUse(msgspec.Struct, frozen=True):
    """How much applications and live clusters use an endpoint: requests, and how many of them do."""

    requests: int = 0
    users: int = 0


class RankedEndpoint(EndpointCoverage, frozen=True, kw_only=True):
    """An endpoint with the use of it by applications and live clusters, its tests and its documentation."""

    ineligible_reason: str | None
    requests: int
    users: int
    tests: tuple[str, ...]
    reference: str | None


def ranked(
    endpoints: Iterable[EndpointCoverage],
    *,
    uses: Mapping[str, EndpointUse],
    lists: EndpointLists,
    tests: Mapping[str, Collection[str]],
    references: Mapping[str, str],
) -> list[RankedEndpoint]:
    """The most used first, by users and then by requests; of equal ones the oldest debt, then by name."""
    reasons = {entry.endpoint: entry.reason for entry in lists.ineligible.entries}
    found = []
    for one in endpoints:
        use = uses.get(one.endpoint, EndpointUse())
        known = asdict(one)
        found.append(
            RankedEndpoint(
                **known,
                ineligible_reason=reasons.get(one.endpoint),
                requests=use.requests,
                users=use.users,
                tests=tuple(sorted(tests.get(one.endpoint, ()))),
                reference=references.get(one.endpoint),
            )
        )
    return sorted(found, key=lambda one: (-one.users, -one.requests, -(one.age or 0), one.endpoint))


def conformance_tested(tests: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The endpoints that a conformance test hits; ``tests`` has those of each endpoint."""
    return frozenset(name for name, names in tests.items() if any(map(is_conformance, names)))


# ------------------------------------------------------------------------------------------ a release


class NewTestHit(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that a new test hits; whether a test, a conformance test hits it already."""

    operation: Operation
    hits: int
    tested: bool
    conf_tested: bool
    eligible: bool
    pending: bool

    @property
    def counts(self) -> bool:
        """Whether the test would add to coverage: the endpoint is eligible, and not conformance-tested."""
        return self.eligible and not self.conf_tested


class ProjectedCoverage(msgspec.Struct, frozen=True):
    """The eligible endpoints, those that are conformance-tested, and how many more a new test would add."""

    eligible: int
    tested: int
    gained: int

    @property
    def percent(self) -> float | None:
        """What is tested now, in percent."""
        return percent(self.tested, self.eligible)

    @property
    def projected_percent(self) -> float | None:
        """What would be tested with the new test, in percent."""
        return percent(self.tested + self.gained, self.eligible)


class KnownRelease(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A release's operations by id, the lists, and by endpoint the e2e tests that hit it.

    ``tested`` are the endpoints that are known to be conformance-tested.
    """

    version: str
    operations: Mapping[str, Operation]
    lists: EndpointLists
    tests: Mapping[str, frozenset[str]]
    tested: frozenset[str]

    @cached_property
    def eligible(self) -> frozenset[str]:
        """The eligible endpoints."""
        return eligible(self.operations.values(), self.lists.ineligible)

    @property
    def untested(self) -> list[Operation]:
        """The stable, not deprecated operations that no conformance test is known to hit.

        As in the tables those of HEAD are among them, which no log can tell from GET.
        """
        promoted = (one for one in self.operations.values() if is_promoted(one))
        return [one for one in promoted if one.id not in self.tested]

    @property
    def candidates(self) -> list[Operation]:
        """Those of the untested operations that an e2e test hits, which might become a conformance test."""
        return [one for one in self.untested if self.tests.get(one.id)]

    def hits_of(self, agent: str, usage: Mapping[str, OperationUsage]) -> list[NewTestHit]:
        """What a user agent family hits of the operations, by name; requests of none are not there."""
        return [
            NewTestHit(
                operation=self.operations[name],
                hits=used.agents[agent],
                tested=bool(self.tests.get(name)),
                conf_tested=name in self.tested,
                eligible=name in self.eligible,
                pending=name in self.lists.pending,
            )
            for name, used in sorted(usage.items())
            if agent in used.agents and name in self.operations
        ]

    def project(self, hits: Iterable[NewTestHit]) -> ProjectedCoverage:
        """The coverage with a new test, which counts for eligible endpoints alone."""
        gained = sum(hit.counts for hit in hits)
        return ProjectedCoverage(len(self.eligible), len(self.eligible & self.tested), gained)
