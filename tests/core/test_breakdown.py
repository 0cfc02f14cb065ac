import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.breakdown import (
    CoverageCounts,
    Evidence,
    GroupedBy,
    OperationFilter,
    break_down,
    evidence_of_tests,
    evidence_of_usage,
    percent,
)
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.swagger import Level, Operation
from auditsvc.core.usage import ExercisedBy, OperationUsage, Usage


def operation(name: str, level: Level = Level.STABLE, *, group: str = "", kind: str = "Pod") -> Operation:
    """An operation that lists objects."""
    return Operation(name, "GET", f"/{name}", level, False, "core", group, "v1", kind, "list", "pods", name)


PODS, NODES = operation("pods"), operation("nodes", kind="Node")
JOBS, CRON = operation("jobs", group="batch", kind="Job"), operation("cron", Level.BETA, group="batch")
ALL = (PODS, NODES, JOBS, CRON)
LISTS = EndpointLists(parse_endpoint_list("[nodes]"), parse_endpoint_list("[jobs]"))
USAGE = Usage(
    {
        "pods": OperationUsage(
            2, {"2xx": 1, "4xx": 1}, {"a [Conformance]": 1}, {"e2e.test": 1, "kubectl": 1}
        ),
        "nodes": OperationUsage(1, {"4xx": 1}, {"b": 1}, {"e2e.test": 1}),
        "cron": OperationUsage(1, {"2xx": 1}, {}, {"kubectl": 1}),
        "gone": OperationUsage(1, {"2xx": 1}, {}, {"old": 1}),
    },
    requests=5,
    mapped=5,
)


def rows(*by: GroupedBy, metric: ExercisedBy = ExercisedBy.HIT) -> list[CoverageCounts]:
    """The coverage of everything by what the run used."""
    evidence = evidence_of_usage(USAGE, "run")
    return break_down(ALL, evidence, ineligible={"jobs"}, by=by, metric=metric)


class TestEvidence:
    """Who knows what was reached."""

    def test_a_log_knows_all(self) -> None:
        """Hits, tests, conformance tests, answers, agents."""
        found = evidence_of_usage(USAGE, "ci run a")
        assert {metric: sorted(names) for metric, names in found.reached.items()} == {
            "hit": ["cron", "gone", "nodes", "pods"],
            "tested": ["nodes", "pods"],
            "conf_tested": ["pods"],
            "success": ["cron", "gone", "pods"],
        }
        assert found.agents["kubectl"] == {"pods", "cron"}
        assert found.sources == ("ci run a",)

    def test_a_report_knows_hits(self) -> None:
        """The rest is not none: it is not known."""
        found = evidence_of_usage(Usage({"pods": OperationUsage(1)}, 1, 1, header={}), "report")
        assert found.reached == {ExercisedBy.HIT: {"pods"}}
        [row] = break_down(ALL, found, ineligible=())
        assert (row.hit, row.tested, row.conf_tested, row.success, row.percent) == (1, None, None, None, None)

    def test_what_tests_hit_is_hit(self) -> None:
        """And what a conformance test hit is tested."""
        found = evidence_of_tests(frozenset({"pods"}), frozenset({"jobs"}), "import")
        assert found.reached[ExercisedBy.HIT] == found.reached[ExercisedBy.TESTED] == {"pods", "jobs"}
        assert found.reached[ExercisedBy.CONF_TESTED] == {"jobs"}
        assert ExercisedBy.SUCCESS not in found.reached

    def test_two_know_more(self) -> None:
        """Of each metric what either knows."""
        imported = evidence_of_tests(frozenset({"jobs"}), frozenset(), "import")
        found = evidence_of_usage(USAGE, "run") | imported
        assert found.reached[ExercisedBy.TESTED] == {"pods", "nodes", "jobs"}
        assert found.reached[ExercisedBy.SUCCESS] == {"pods", "cron", "gone"}
        assert found.sources == ("run", "import")
        assert Evidence() | Evidence() == Evidence()


class TestRows:
    """Groups of operations."""

    def test_all_in_one(self) -> None:
        """What is eligible, and what was reached of the operations; what is none of them does not count."""
        [row] = rows()
        assert row == CoverageCounts(
            key={}, operations=4, eligible=2, hit=3, tested=2, conf_tested=1, success=2, percent=75.0
        )

    def test_nested_with_the_most_reached_first(self) -> None:
        """The inner rows stay with their outer one."""
        found = rows(GroupedBy.GROUP, GroupedBy.KIND, metric=ExercisedBy.TESTED)
        assert [(tuple(row.key.values()), row.tested, row.percent) for row in found] == [
            (("", "Node"), 1, 100.0),
            (("", "Pod"), 1, 100.0),
            (("batch", "Job"), 0, 0.0),
            (("batch", "Pod"), 0, 0.0),
        ]

    @pytest.mark.parametrize("by", [one for one in GroupedBy if one is not GroupedBy.AGENT])
    def test_every_operation_is_in_one_row(self, by: GroupedBy) -> None:
        """Whatever they are grouped by."""
        assert sum(row.operations for row in rows(by)) == len(ALL)

    def test_by_agent_over_all(self) -> None:
        """Each agent that hit any of the operations, over all of these; only hits are known of it."""
        found = rows(GroupedBy.AGENT, GroupedBy.GROUP)
        assert [(tuple(row.key.values()), row.operations, row.hit, row.tested) for row in found] == [
            (("e2e.test", ""), 2, 2, None),
            (("e2e.test", "batch"), 2, 0, None),
            (("kubectl", ""), 2, 1, None),
            (("kubectl", "batch"), 2, 1, None),
        ]
        assert [row.percent for row in found] == [100, 0, 50, 50]

    def test_of_nothing(self) -> None:
        """No share, and no groups."""
        [row] = break_down((), Evidence({ExercisedBy.CONF_TESTED: frozenset()}), ineligible=())
        assert (row.operations, row.conf_tested, row.percent) == (0, 0, None)
        assert break_down((), Evidence(), ineligible=(), by=[GroupedBy.LEVEL]) == []

    @given(st.integers(0, 3000), st.integers(1, 3000))
    def test_only_all_is_100_percent(self, part: int, whole: int) -> None:
        """Shares are rounded down."""
        share = percent(min(part, whole), whole)
        assert share is not None
        assert (share == 100) == (part >= whole)
        assert 0 <= 100 * min(part, whole) / whole - share < 0.1000001


class TestFilter:
    """Which operations are looked at."""

    @pytest.mark.parametrize(
        ("only", "left"),
        [
            (OperationFilter(), "pods nodes jobs cron"),
            (OperationFilter(levels=[Level.BETA]), "cron"),
            (OperationFilter(groups=[""]), "pods nodes"),
            (OperationFilter(groups=["batch"], kinds=["Job", "Node"]), "jobs"),
            (OperationFilter(categories=["core"], actions=["list"]), "pods nodes jobs cron"),
            (OperationFilter(actions=["get"]), ""),
            (OperationFilter(text="O"), "pods nodes jobs cron"),
            (OperationFilter(text="NODE"), "nodes"),
            (OperationFilter(exclude_ineligible=True), "pods nodes cron"),
            (OperationFilter(exclude_pending=True), "pods jobs cron"),
            (OperationFilter(conformance_only=True), "pods nodes"),
            (OperationFilter(conformance_only=True, exclude_pending=True), "pods"),
        ],
    )
    def test_all_that_is_given_must_fit(self, only: OperationFilter, left: str) -> None:
        """Of each kind one of what is named; without any, all."""
        assert [one.id for one in only.select(ALL, LISTS)] == left.split()
