import pytest

from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import EndpointCoverage
from auditsvc.core.endpoint_tests import (
    E2eTestFilter,
    EndpointUse,
    KnownRelease,
    conformance_tested,
    e2e_tests,
    ranked,
)
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.swagger import Level, Operation
from auditsvc.core.usage import OperationUsage

RUN = "[sig-node] Pods run [NodeConformance] [Conformance]"
JOBS = "[sig-apps] Jobs complete"
TESTS = {"listPod": frozenset({RUN}), "readPod": frozenset({RUN, JOBS}), "listJob": frozenset({JOBS})}
KNOWN = {RUN: ConformanceTest("Pods, run", RUN, "pods.go", (1, 9))}
LISTS = EndpointLists(
    parse_endpoint_list("[listJob]"),
    parse_endpoint_list("[{endpoint: deletePod, reason: optional, link: https://example.org}]"),
)


def operation(name: str, level: Level = Level.STABLE, *, method: str = "GET", old: bool = False) -> Operation:
    """An operation of that name."""
    return Operation(name, method, f"/api/v1/{name}", level, old)


OPERATIONS = (
    operation("listPod"),
    operation("readPod"),
    operation("listJob"),
    operation("deletePod"),
    operation("listCron", Level.BETA),
    operation("watchPod", old=True),
    operation("headPod", method="HEAD"),
)
RELEASE = KnownRelease(
    version="1.36.0",
    operations={one.id: one for one in OPERATIONS},
    lists=LISTS,
    tests={**TESTS, "listCron": frozenset({JOBS})},
    tested=conformance_tested(TESTS),
)


def coverage(name: str, age: int | None = 0) -> EndpointCoverage:
    """What is known of an endpoint."""
    return EndpointCoverage(
        endpoint=name,
        promotion_release="1.30.0",
        first_conformance_test=None,
        tested_release=None,
        age=age,
        deprecated=False,
        ineligible=name in LISTS.ineligible,
        pending=name in LISTS.pending,
        operation=None,
    )


class TestE2eTests:
    """The tests and what they hit."""

    def test_by_name_with_their_endpoints(self) -> None:
        """What a conformance.yaml says of one is with it."""
        jobs, run = e2e_tests(TESTS, KNOWN)
        assert (jobs.name, jobs.endpoints, jobs.conformance, jobs.known) == (
            JOBS,
            ("listJob", "readPod"),
            False,
            None,
        )
        assert (run.endpoints, run.conformance, run.known) == (("listPod", "readPod"), True, KNOWN[RUN])
        assert (run.sigs, run.tags) == (("sig-node",), ("NodeConformance", "Conformance"))

    @pytest.mark.parametrize(
        ("only", "found"),
        [
            (E2eTestFilter(), [JOBS, RUN]),
            (E2eTestFilter(name=RUN), [RUN]),
            (E2eTestFilter(name="Pods"), []),
            (E2eTestFilter(text="COMPLETE"), [JOBS]),
            (E2eTestFilter(sig="node"), [RUN]),
            (E2eTestFilter(sig="[sig-apps]"), [JOBS]),
            (E2eTestFilter(tag="[NodeConformance]"), [RUN]),
            (E2eTestFilter(tag="Conformance", sig="apps"), []),
            (E2eTestFilter(conformance=True), [RUN]),
            (E2eTestFilter(conformance=False), [JOBS]),
        ],
    )
    def test_are_searched(self, only: E2eTestFilter, found: list[str]) -> None:
        """By name, text, SIG, tag, and whether they are conformance tests."""
        assert [test.name for test in e2e_tests(TESTS, {}) if only.fits(test)] == found


class TestRanking:
    """Which endpoint first."""

    def test_the_most_used_first(self) -> None:
        """By users, then requests, then age, then name."""
        uses = {"c": EndpointUse(1, 2), "d": EndpointUse(9, 1), "e": EndpointUse(8, 1)}
        endpoints = [
            coverage("a"),
            coverage("b"),
            coverage("f", 3),
            *map(coverage, "edc"),
            coverage("g", None),
        ]
        found = ranked(endpoints, uses=uses, lists=LISTS, tests={}, references={})
        assert "".join(one.endpoint for one in found) == "cdefabg"
        assert [(one.users, one.requests) for one in found[:2]] == [(2, 1), (1, 9)]

    def test_tells_all_that_is_known(self) -> None:
        """The reason, the tests, the documentation."""
        [one] = ranked(
            [coverage("deletePod")],
            uses={},
            lists=LISTS,
            tests={"deletePod": {"b", "a"}},
            references={"deletePod": "https://example.org"},
        )
        assert (one.ineligible, one.ineligible_reason) == (True, "optional")
        assert (one.tests, one.reference) == (("a", "b"), "https://example.org")


class TestRelease:
    """What tests do for a release."""

    def test_untested_are_stable(self) -> None:
        """Neither beta nor deprecated; ineligible ones and HEAD are told too."""
        assert [one.id for one in RELEASE.untested] == ["listJob", "deletePod", "headPod"]
        assert [one.id for one in RELEASE.candidates] == ["listJob"]
        assert RELEASE.eligible == {"listPod", "readPod", "listJob", "headPod"}

    def test_a_new_test_counts_for_what_is_eligible_and_untested(self) -> None:
        """Not for what is beta, ineligible, tested or of no operation."""
        names = ("listCron", "deletePod", "listPod", "listJob", "gone", "readPod")
        usage = {name: OperationUsage(3, agents={"live": 2, "e2e.test": 1}) for name in names}
        usage["readPod"] = OperationUsage(1, agents={"e2e.test": 1})
        hits = RELEASE.hits_of("live", usage)
        assert [(hit.operation.id, hit.hits, hit.tested, hit.conf_tested, hit.counts) for hit in hits] == [
            ("deletePod", 2, False, False, False),
            ("listCron", 2, True, False, False),
            ("listJob", 2, True, False, True),
            ("listPod", 2, True, True, False),
        ]
        assert [hit.pending for hit in hits] == [False, False, True, False]
        projected = RELEASE.project(hits)
        assert (projected.eligible, projected.tested, projected.gained) == (4, 2, 1)
        assert (projected.percent, projected.projected_percent) == (50.0, 75.0)

    def test_of_nothing_there_is_no_share(self) -> None:
        """Neither before nor after."""
        nothing = KnownRelease(
            version="1.36.0", operations={}, lists=EndpointLists(), tests={}, tested=frozenset()
        )
        projected = nothing.project([])
        assert (projected.percent, projected.projected_percent) == (None, None)
