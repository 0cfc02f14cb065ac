from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.runs import (
    Baseline,
    BaselineRule,
    RecordedRun,
    Run,
    RunKind,
    RunResult,
    Subject,
    choose_baseline,
    choose_subjects,
    explain_no_baseline,
    render_age,
)
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import ExercisedBy, OperationUsage, Usage
from auditsvc.errors import NoDataError

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
HIT = ExercisedBy.HIT
WEEK = BaselineRule()

hours = st.integers(-300, 300).map(lambda count: timedelta(hours=count))
candidates = st.lists(
    st.builds(
        lambda number, age, kind, result, cluster, version: make(
            f"r{number}", kind=kind, age=age, result=result, cluster=cluster, version=version
        ),
        st.integers(0, 20),
        hours,
        st.sampled_from([RunKind.CI, RunKind.CI, RunKind.PULL]),
        st.sampled_from([RunResult.SUCCESS, RunResult.SUCCESS, RunResult.FAILURE]),
        st.sampled_from([None, "kind"]),
        st.sampled_from(["v1.34.0", "v1.34.1", "v1.33.0", None]),
    ),
    unique_by=lambda found: found.id,
)
rules = st.builds(
    BaselineRule,
    max_age=st.sampled_from([timedelta(days=1), timedelta(days=7)]),
    runs=st.integers(1, 4),
    quorum=st.just(1),
)


def make(
    name: str,
    *,
    kind: RunKind = RunKind.CI,
    age: timedelta = timedelta(),
    result: RunResult = RunResult.SUCCESS,
    pull: str | None = None,
    cluster: str | None = None,
    version: str | None = "v1.34.0",
) -> Run:
    """A run that finished that long before noon."""
    return Run(
        id=name,
        kind=kind,
        started=NOON - age,
        finished=NOON - age,
        result=result,
        pull=pull,
        cluster=cluster,
        version=version,
    )


def pull_run(name: str, pull: str | None, hours: int = 0, result: RunResult = RunResult.SUCCESS) -> Run:
    """A build of a pull request that finished so many hours before noon."""
    return make(name, kind=RunKind.PULL, pull=pull, age=timedelta(hours=hours), result=result)


def ci(name: str, hours: float, **changes: object) -> Run:
    """A ci run that finished so many hours before noon."""
    return make(name, age=timedelta(hours=hours), **changes)  # type: ignore[arg-type]


PULL = pull_run("p1", "1")


def names(runs: tuple[Run, ...]) -> list[str]:
    """Their ids."""
    return [run.id for run in runs]


def used(*operations: str) -> Usage:
    """A log's usage of these operations."""
    return Usage({name: OperationUsage(1) for name in operations}, len(operations), len(operations))


class TestSubjects:
    """The runs that a window is judged by."""

    def test_newest_build_of_each_pull_request(self) -> None:
        """A superseded build is not judged, whatever its result; ci runs are not either."""
        runs = [
            pull_run("a1", "7", 3),
            pull_run("a2", "7", 1, RunResult.FAILURE),
            pull_run("b1", "8", 2),
            ci("c1", 0),
        ]
        assert names(choose_subjects(runs)) == ["b1", "a2"]
        assert names(choose_subjects(reversed(runs))) == ["b1", "a2"]

    def test_pull_runs_without_a_number(self) -> None:
        """Nobody knows whether they are of one pull request: each is judged."""
        assert names(choose_subjects([pull_run("a", None, 2), pull_run("b", None, 1)])) == ["a", "b"]

    def test_newest_successful_ci_run(self) -> None:
        """Without pull runs the newest successful ci run is judged."""
        runs = [ci("c1", 3), ci("c2", 2), ci("c3", 1, result=RunResult.FAILURE), make("a", kind=RunKind.APP)]
        assert names(choose_subjects(runs)) == ["c2"]

    @pytest.mark.parametrize(
        "runs",
        [
            [],
            [ci("c1", 0, result=RunResult.ABORTED)],
            [make("a", kind=RunKind.APP), make("l", kind=RunKind.LIVE)],
        ],
    )
    def test_none(self, runs: list[Run]) -> None:
        """Other runs judge nothing."""
        assert choose_subjects(runs) == ()


class TestChooseBaseline:
    """The rule of the baseline."""

    def test_newest_before(self) -> None:
        """The newest that finished before the run, not the nearest that finished after it."""
        assert names(choose_baseline(PULL, [ci("c1", 30), ci("c2", 20), ci("c3", -1)], WEEK)) == ["c2"]

    def test_first_after(self) -> None:
        """Where none finished before it, the first that finished after it."""
        assert names(choose_baseline(PULL, [ci("c1", -30), ci("c2", -20)], WEEK)) == ["c2"]

    @pytest.mark.parametrize(
        "other",
        [
            ci("c1", 1, result=RunResult.FAILURE),
            ci("c1", 1, cluster="kind"),
            ci("c1", 1, version="v1.33.9"),
            ci("c1", 1, version=None),
            ci("c1", 24 * 7 + 0.01),
            ci("c1", -24 * 7 - 0.01),
            make("a1", kind=RunKind.APP),
            PULL,
        ],
        ids=["failed", "cluster", "minor version", "no version", "stale", "too late", "app", "itself"],
    )
    def test_what_is_none(self, other: Run) -> None:
        """A baseline succeeded, is of the same cluster and minor version, and near."""
        assert choose_baseline(PULL, [other], WEEK) == ()

    @pytest.mark.parametrize("hours", [0, 24 * 7, -24 * 7])
    def test_just_in_time(self, hours: float) -> None:
        """The maximal age itself is near enough."""
        assert names(choose_baseline(PULL, [ci("c1", hours, version="1.34.5")], WEEK)) == ["c1"]

    def test_without_labels(self) -> None:
        """No cluster label equals none, and no version none."""
        run = make("p1", kind=RunKind.PULL, version=None)
        assert names(choose_baseline(run, [ci("c1", 1, version=None)], WEEK)) == ["c1"]

    def test_of_a_ci_run(self) -> None:
        """A ci run is held against the one before it, never against itself."""
        runs = [ci("c1", 2), ci("c2", 1), ci("c3", 0)]
        assert names(choose_baseline(runs[2], runs, WEEK)) == ["c2"]

    def test_several(self) -> None:
        """With more runs asked for, the last ones before it; fewer are there."""
        runs = [ci(f"c{hours}", hours) for hours in range(-2, 4)]
        assert names(choose_baseline(PULL, runs, BaselineRule(runs=3))) == ["c0", "c1", "c2"]
        assert names(choose_baseline(PULL, runs, BaselineRule(runs=9))) == ["c0", "c1", "c2", "c3"]

    def test_fewer_than_must_agree(self) -> None:
        """Fewer runs than the quorum are no baseline: every operation would look added."""
        runs = [ci("c1", 1), ci("c2", 2)]
        assert choose_baseline(PULL, runs, BaselineRule(runs=3, quorum=3)) == ()
        assert names(choose_baseline(PULL, runs, BaselineRule(runs=3, quorum=2))) == ["c1", "c2"]

    @given(candidates, rules)
    def test_any(self, runs: list[Run], rule: BaselineRule) -> None:
        """All chosen fit, are on one side and nearest first; where none is, that is explained."""
        chosen = choose_baseline(PULL, runs, rule)
        assert len(chosen) <= rule.runs
        distances = [abs(run.finished - PULL.finished) for run in chosen]
        assert distances == sorted(distances)
        assert all(run.kind is RunKind.CI and run.result is RunResult.SUCCESS for run in chosen)
        assert all(distance <= rule.max_age for distance in distances)
        assert len({run.finished <= PULL.finished for run in chosen}) <= 1
        assert chosen == choose_baseline(PULL, reversed(runs), rule)
        if not chosen:
            assert explain_no_baseline(PULL, runs, rule).startswith("no baseline for pull run p1: ")


class TestExplainNoBaseline:
    """Why there is none."""

    @pytest.mark.parametrize(
        ("run", "wanted"),
        [
            (PULL, "no cluster label and version 1.34"),
            (make("p1", kind=RunKind.PULL, cluster="kind", version=None), "cluster kind and version none"),
        ],
    )
    def test_no_such_run(self, run: Run, wanted: str) -> None:
        """It says what kind of run was looked for."""
        assert explain_no_baseline(run, [], WEEK) == (
            f"no baseline for pull run p1: there is no successful ci run with {wanted}"
        )

    @pytest.mark.parametrize("side", [1, -1])
    def test_stale(self, side: int) -> None:
        """It names the nearest, how far it is, and how far it may be."""
        runs = [ci("c1", 24 * 9 * side), ci("c2", (24 * 7 + 5) * side)]
        assert explain_no_baseline(PULL, runs, WEEK) == (
            "no baseline for pull run p1: the nearest successful ci run with no cluster label and "
            "version 1.34, c2, is 7 d 5 h away, more than 7 d"
        )

    def test_too_few(self) -> None:
        """It says how many there are and how many must agree."""
        assert explain_no_baseline(PULL, [ci("c1", 1), ci("c2", 999)], BaselineRule(runs=3, quorum=2)) == (
            "no baseline for pull run p1: only 1 successful ci run with no cluster label and version 1.34 "
            "within 7 d, and 2 must agree"
        )


class TestBaseline:
    """What a run is held against."""

    BASELINE = Baseline(
        (
            RecordedRun(ci("c1", 1), used("a", "b")),
            RecordedRun(ci("c2", 2), used("a", "c")),
            RecordedRun(ci("c3", 3), used("a", "c", "d")),
        ),
        quorum=2,
    )

    def test_seen(self) -> None:
        """How many of the runs exercised each operation."""
        assert self.BASELINE.seen(HIT) == Counter({"a": 3, "c": 2, "b": 1, "d": 1})

    def test_quorum(self) -> None:
        """An operation counts when enough of the runs exercised it."""
        assert self.BASELINE.exercised(HIT) == {"a", "c"}

    def test_text(self) -> None:
        """It is named by its runs."""
        assert str(self.BASELINE) == "c1, c2, c3"

    def test_imported(self) -> None:
        """One report among its runs makes it imported."""
        report = Usage({"a": OperationUsage(1)}, 1, 1, header={})
        assert not self.BASELINE.imported
        assert Baseline((*self.BASELINE.runs, RecordedRun(ci("c4", 4), report))).imported

    def test_exercised_nothing(self) -> None:
        """A baseline that exercised nothing never passes."""
        with pytest.raises(
            NoDataError, match=r"CI baseline c1 exercised no operation \(exercised_by: tested\)"
        ):
            Baseline((RecordedRun(ci("c1", 1), used("a")),)).exercised(ExercisedBy.TESTED)


class TestSubject:
    """A run under audit."""

    def test_exercised(self) -> None:
        """What it exercised; to have exercised nothing is an error."""
        empty = Swagger(None, {})
        assert Subject(PULL, used("a"), empty, EndpointLists()).exercised(HIT) == {"a"}
        with pytest.raises(NoDataError, match=r"pull run p1 exercised no operation \(exercised_by: hit\)"):
            Subject(PULL, used(), empty, EndpointLists()).exercised(HIT)


class TestRenderAge:
    """Durations."""

    @pytest.mark.parametrize(
        ("age", "text"),
        [
            (timedelta(), "0 s"),
            (timedelta(microseconds=999_999), "0 s"),
            (timedelta(seconds=5), "5 s"),
            (timedelta(minutes=12), "12 min"),
            (timedelta(minutes=12, seconds=1), "12 min 1 s"),
            (timedelta(hours=1, seconds=1), "1 h"),
            (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
            (timedelta(days=7), "7 d"),
            (timedelta(days=7, minutes=3), "7 d"),
        ],
    )
    def test_two_largest_units(self, age: timedelta, text: str) -> None:
        """The two largest units, without one that is zero."""
        assert render_age(age) == text


def test_of_builds_that_finished_together_the_higher_number_is_newer() -> None:
    """A log that is sent again as another build has the same times: its build number says which is newer."""
    moment = datetime(2026, 1, 16, 12, tzinfo=UTC)
    builds = [
        Run(id=name, kind=RunKind.PULL, pull="7", build=build, started=moment, finished=moment)
        for name, build in (("z", "9"), ("a", "10"), ("m", None))
    ]
    assert [run.id for run in choose_subjects(builds)] == ["a"]
