from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditsvc.audits import Settings
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.runs import BaselineRule, Run, RunKind, RunResult, Runs
from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import ExercisedBy
from auditsvc.core.window import Window
from auditsvc.errors import NoDataError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from auditsvc.sources import GivenInputs, StoreInputs
from auditsvc.store.lists import ListKind
from tests.logs import NOON
from tests.service.made import DAY, add_run, document, listing, put_documents, report_of, service_at

CI, PULL = RunKind.CI, RunKind.PULL
SOURCES = (
    "runs",
    "swagger",
    "catalogue",
    "lists",
    "costs",
    "cloud_costs",
    "cost_hours",
    "window",
    "settings",
)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Service]:
    """A service over a store that holds nothing."""
    with service_at(tmp_path / "data") as service:
        yield service


@pytest.fixture
def service(empty: Service) -> Service:
    """A service over a store with the small API and its lists, which hold since long."""
    put_documents(empty)
    return empty


def inputs_of(service: Service, window: Window = DAY, **changes: Any) -> StoreInputs:
    """The inputs of a window."""
    known: dict[str, Any] = {"settings": Settings(), "rule": BaselineRule(), "now": service.clock()}
    return StoreInputs(service.store, window, **(known | changes))


def subjects(service: Service, **changes: Any) -> list[str]:
    """The ids of the runs that the day is judged by."""
    return [subject.run.id for subject in inputs_of(service, **changes).runs.subjects]


def baseline_of(service: Service, run: Run, **changes: Any) -> list[str] | str:
    """The ids of the runs that a run is held against, or why there is none."""
    [subject] = inputs_of(service, run=run, **changes).runs.subjects
    return subject.no_baseline if subject.baseline is None else [one.run.id for one in subject.baseline.runs]


def names(lists: EndpointLists) -> tuple[set[str], set[str]]:
    """What is pending and what is ineligible."""
    return set(lists.pending.names), set(lists.ineligible.names)


class TestSubjects:
    """The runs that a window is judged by."""

    def test_newest_builds(self, service: Service) -> None:
        """Of each pull request the newest build that finished in the window, whatever its result."""
        add_run(service, CI, "listPod")
        add_run(service, PULL, "listPod", pull="1", build="1", hours=1)
        newest = add_run(service, PULL, "listPod", pull="1", build="2", hours=2, result=RunResult.FAILURE)
        other = add_run(service, PULL, "listPod", pull="2", build="1", hours=1.5)
        add_run(service, PULL, "listPod", pull="1", build="3", hours=24)
        assert subjects(service) == [other.id, newest.id]

    def test_ci_where_there_is_no_pull(self, service: Service) -> None:
        """Where there is none, the newest CI run that succeeded."""
        add_run(service, CI, "listPod", hours=-1)
        newest = add_run(service, CI, "listPod")
        add_run(service, CI, "listPod", hours=1, result=RunResult.FAILURE)
        add_run(service, RunKind.APP, "listPod", hours=2)
        assert subjects(service) == [newest.id]

    @pytest.mark.parametrize("kind", [None, RunKind.APP, RunKind.LIVE])
    def test_none(self, kind: RunKind | None, service: Service) -> None:
        """Where there is none either, it is said."""
        if kind is not None:
            add_run(service, kind, "listPod")
        runs = inputs_of(service).runs
        assert runs == Runs(reason=f"no pull run and no successful ci run finished in {DAY}")

    def test_day(self, service: Service) -> None:
        """A run belongs to the day on which it finished, of which the last moment is none."""
        first = add_run(service, CI, "listPod", hours=-12)
        last = add_run(service, CI, "listPod", hours=11.999)
        next_day = add_run(service, CI, "listPod", hours=12)
        assert subjects(service) == [last.id]
        assert subjects(service, window=Window(DAY.start, DAY.start + timedelta(hours=1))) == [first.id]
        assert subjects(service, window=Window.day(next_day.finished)) == [next_day.id]

    def test_alone(self, service: Service) -> None:
        """A run judged alone is the one subject, though it was superseded and failed."""
        old = add_run(service, PULL, "listPod", pull="1", result=RunResult.FAILURE)
        add_run(service, PULL, "listPod", pull="1", hours=1)
        assert subjects(service, run=old) == [old.id]

    def test_read_once(self, service: Service) -> None:
        """Each thing is read once; a usage too, however many runs are held against it."""
        base = add_run(service, CI, "listPod", hours=-1)
        for pull in "12":
            add_run(service, PULL, "listPod", pull=pull)
        inputs = inputs_of(service)
        assert inputs.runs is inputs.runs
        assert inputs.lists is inputs.lists
        assert inputs.swagger is inputs.swagger
        one, other = (subject.baseline for subject in inputs.runs.subjects)
        assert one is not None
        assert other is not None
        assert one.runs[0].run == base
        assert one.runs[0].usage is other.runs[0].usage


class TestBaseline:
    """What a run is held against."""

    @pytest.fixture
    def pull(self, service: Service) -> Run:
        """A pull run of no cluster, of version 1.34."""
        return add_run(service, PULL, "listPod", "readPod")

    def test_before(self, service: Service, pull: Run) -> None:
        """The newest that finished before it, though one after it is nearer."""
        add_run(service, CI, "listPod", hours=-3)
        before = add_run(service, CI, "listPod", hours=-2)
        add_run(service, CI, "listPod", hours=0.1)
        assert baseline_of(service, pull) == [before.id]

    def test_after(self, service: Service, pull: Run) -> None:
        """Where there is none, the first that finished after it."""
        after = add_run(service, CI, "listPod", hours=5)
        add_run(service, CI, "listPod", hours=6)
        assert baseline_of(service, pull) == [after.id]

    def test_stale_before(self, service: Service, pull: Run) -> None:
        """One that is too old is none: a later one takes its place."""
        add_run(service, CI, "listPod", hours=-24 * 7 - 0.1)
        after = add_run(service, CI, "listPod", hours=24 * 7)
        assert baseline_of(service, pull) == [after.id]

    def test_stale(self, service: Service, pull: Run) -> None:
        """Too old ones alone are no baseline, and it is said how old."""
        stale = add_run(service, CI, "listPod", hours=-24 * 8)
        told = baseline_of(service, pull)
        assert told == (
            f"no baseline for pull run {pull.id}: the nearest successful ci run with no cluster label and "
            f"version 1.34, {stale.id}, is 8 d away, more than 7 d"
        )
        assert baseline_of(service, pull, rule=BaselineRule(max_age=timedelta(days=8))) == [stale.id]

    @pytest.mark.parametrize(
        "origin",
        [
            {"cluster": "kind"},
            {"version": "v1.33.0", "swagger": document()},
            {"result": RunResult.FAILURE},
            {"result": RunResult.ABORTED},
        ],
    )
    def test_other_kind(self, origin: dict[str, Any], service: Service, pull: Run) -> None:
        """A run of another cluster or minor version, or one that did not succeed, is none."""
        add_run(service, CI, "listPod", hours=-1, **origin)
        assert str(baseline_of(service, pull)).startswith(f"no baseline for pull run {pull.id}: there is no ")

    @pytest.mark.parametrize("kind", [PULL, RunKind.APP, RunKind.LIVE])
    def test_no_ci(self, kind: RunKind, service: Service, pull: Run) -> None:
        """Only a CI run can be one."""
        add_run(service, kind, "listPod", hours=-1)
        assert isinstance(baseline_of(service, pull), str)

    def test_same_cluster(self, service: Service) -> None:
        """Of the same label, and of any patch of the version."""
        add_run(service, CI, "listPod", hours=-1, cluster="other")
        mine = add_run(service, CI, "listPod", hours=-2, cluster="kind", version="v1.34.9")
        pull = add_run(service, PULL, "listPod", cluster="kind", version="1.34")
        assert baseline_of(service, pull) == [mine.id]

    def test_never_itself(self, service: Service) -> None:
        """A CI run is not its own baseline."""
        run = add_run(service, CI, "listPod")
        assert isinstance(baseline_of(service, run), str)
        before = add_run(service, CI, "listPod", hours=-1)
        assert baseline_of(service, run) == [before.id]

    def test_several(self, service: Service, pull: Run) -> None:
        """The last so many, of which so many must agree; too few are none."""
        runs = [add_run(service, CI, "listPod", hours=-hours) for hours in range(1, 4)]
        rule = BaselineRule(runs=2, quorum=2)
        assert baseline_of(service, pull, rule=rule) == [run.id for run in runs[:2]]
        [subject] = inputs_of(service, run=pull, rule=rule).runs.subjects
        assert subject.baseline is not None
        assert subject.baseline.quorum == 2
        assert "only 3 successful ci run" in baseline_of(service, pull, rule=BaselineRule(runs=5, quorum=4))

    def test_usages(self, service: Service, pull: Run) -> None:
        """Both sides come with what they used."""
        add_run(service, CI, "listPod", hours=-1)
        [subject] = inputs_of(service, run=pull).runs.subjects
        assert subject.exercised(ExercisedBy.HIT) == {"listPod", "readPod"}
        assert subject.baseline is not None
        assert subject.baseline.exercised(ExercisedBy.HIT) == {"listPod"}


class TestDocuments:
    """What a run is classified with."""

    def test_own(self, service: Service) -> None:
        """What it brought."""
        own: dict[str, Any] = {
            "swagger": document("listPod"),
            "pending": listing("readPod"),
            "ineligible": listing("listJob"),
        }
        run = add_run(service, PULL, "listPod", **own)
        inputs = inputs_of(service)
        [subject] = inputs.runs.subjects
        assert (subject.run, set(subject.swagger.operations)) == (run, {"listPod"})
        assert names(subject.lists) == ({"readPod"}, {"listJob"})
        assert (inputs.swagger, inputs.lists) == (subject.swagger, subject.lists)
        assert [one.id for one in inputs.catalogue.operations] == ["listPod"]

    def test_policy(self, service: Service) -> None:
        """The audit policy that it brought, and no other run's: none holds for all."""
        policy = "kind: Policy\n"
        run = add_run(service, PULL, "listPod", pull="1", policy=policy.encode())
        other = add_run(service, PULL, "listPod", pull="2")
        subjects = inputs_of(service).logs.subjects
        assert {one.run.id: one.policy for one in subjects} == {run.id: policy, other.id: None}

    def test_held(self, service: Service) -> None:
        """Else the newest of its minor version and the lists that held when it finished."""
        hour = timedelta(hours=1)
        service.documents.put_swagger("v1.34.5", document("listPod", "listJob"), holds_from=NOON - 2 * hour)
        service.documents.put_swagger("v1.34.6", document("listJob"), holds_from=NOON + hour)
        service.documents.put_swagger("v1.35.0", document("listCron"), holds_from=NOON - hour)
        service.documents.put_list(ListKind.PENDING, listing("readPod"), holds_from=NOON)
        service.documents.put_list(ListKind.PENDING, listing("listCron"), holds_from=NOON + hour)
        run = add_run(service, PULL, "listPod", version="v1.34.0")
        [subject] = inputs_of(service, run=run).runs.subjects
        assert subject.swagger.operations.keys() == {"listPod", "listJob"}
        assert names(subject.lists) == ({"readPod"}, {"createPod"})

    def test_old_version_changes_nothing(self, service: Service) -> None:
        """A swagger of an older version that is uploaded later changes nothing."""
        run = add_run(service, PULL, "listPod")
        before = inputs_of(service, run=run)
        expected = before.swagger, before.fingerprint()
        service.documents.put_swagger("v1.20.0", document("listJob"), holds_from=NOON - timedelta(hours=1))
        after = inputs_of(service, run=run)
        assert (after.swagger, after.fingerprint()) == expected

    def test_newer_version_tells_what_goes_away(self, service: Service) -> None:
        """A swagger of a newer version is another input, and the run's own swagger stays what it is."""
        run = add_run(service, PULL, "listPod")
        before = inputs_of(service, run=run)
        known = before.swagger, before.fingerprint()
        service.documents.put_swagger("v1.99.0", document("listJob"), holds_from=NOON - timedelta(hours=1))
        after = inputs_of(service, run=run)
        assert after.swagger == known[0]
        assert after.fingerprint() != known[1]
        assert [release.version for release in after.releases.releases][-1] == "v1.99.0"
        assert after.releases.releases[-1].operations.keys() == {"listJob"}

    def test_logs(self, service: Service, tmp_path: Path) -> None:
        """An imported report is no log: without any other run no log was ever received."""
        report = tmp_path / "audit-endpoints.txt"
        report.write_bytes(report_of("listPod"))
        run, _ = service.runs.add(RunUpload(kind=PULL, logs=[Log.at(report)], version="v1.34.0"))
        inputs = inputs_of(service, run=run)
        assert not inputs.received("logs")
        assert inputs.logs == Runs((), f"{run} is an imported report: its log was not seen")
        logged = add_run(service, PULL, "listPod")
        inputs = inputs_of(service, run=logged)
        assert inputs.received("logs")
        assert [subject.run for subject in inputs.logs.subjects] == [logged]

    def test_older_than_all(self, service: Service) -> None:
        """A run from before the first known ones has these."""
        run = add_run(service, PULL, "listPod", hours=-24 * 999)
        [subject] = inputs_of(service, Window.day(run.finished)).runs.subjects
        assert subject.swagger == parse_swagger(document())
        assert subject.lists.pending.names == {"deletePod"}

    def test_newest_subject(self, service: Service) -> None:
        """A window has those of its newest subject."""
        add_run(service, PULL, "listPod", pull="1", swagger=document("listPod"))
        add_run(
            service, PULL, "listJob", pull="2", swagger=document("listJob"), pending=listing("x"), hours=1
        )
        inputs = inputs_of(service)
        assert (set(inputs.swagger.operations), names(inputs.lists)[0]) == ({"listJob"}, {"x"})
        assert [one.swagger.operations.keys() for one in inputs.runs.subjects] == [{"listPod"}, {"listJob"}]

    def test_no_subject(self, service: Service) -> None:
        """A window without a subject has what holds at its end, of the highest version."""
        service.documents.put_swagger(
            "v1.35.0", document("listJob"), holds_from=DAY.end - timedelta(seconds=1)
        )
        service.documents.put_swagger(
            "v1.9.0", document("listPod"), holds_from=DAY.end - timedelta(seconds=1)
        )
        service.documents.put_list(
            ListKind.INELIGIBLE, listing("x"), holds_from=DAY.end + timedelta(seconds=1)
        )
        inputs = inputs_of(service)
        assert inputs.swagger.operations.keys() == {"listJob"}
        assert inputs.lists.ineligible.names == {"createPod"}

    def test_no_lists(self, empty: Service) -> None:
        """A list that was never given is empty."""
        add_run(empty, PULL, "listPod", swagger=document())
        empty.documents.put_list(ListKind.PENDING, listing("x"))
        assert names(inputs_of(empty).lists) == ({"x"}, set())

    def test_no_swagger(self, empty: Service) -> None:
        """Where there is no swagger, or none of the version, it is said which, and how to store it."""
        with pytest.raises(NoDataError, match=r"^no swagger is stored \(PUT /swagger/<version>, or auditsvc"):
            inputs_of(empty).swagger  # noqa: B018 - it is asked for
        with pytest.raises(NoDataError, match=r"^no swagger is stored"):
            inputs_of(empty).catalogue  # noqa: B018 - likewise
        put_documents(empty)
        run = add_run(empty, PULL, "listPod", swagger=document(), version="v1.99.0")
        with pytest.raises(NoDataError, match=r"^no swagger of version v1\.99\.0 is stored"):
            inputs_of(empty, run=replace(run, swagger=None)).runs  # noqa: B018 - likewise


class TestReceived:
    """Which kinds of source the store was ever given."""

    def received(self, service: Service) -> set[str]:
        """Those that it was."""
        return {source for source in SOURCES if inputs_of(service).received(source)}

    def test_each(self, empty: Service) -> None:
        """Each by itself; a window and settings are always there."""
        always = {"window", "settings"}
        assert self.received(empty) == always
        empty.documents.put_list(ListKind.INELIGIBLE, listing())
        assert self.received(empty) == always | {"lists"}
        empty.documents.put_swagger("v1.34.0", document())
        assert self.received(empty) == always | {"lists", "swagger", "catalogue"}
        add_run(empty, CI, "listPod", hours=24)
        assert self.received(empty) == always | {"lists", "swagger", "catalogue", "runs"}

    @pytest.mark.parametrize("source", ["costs", "cloud_costs"])
    def test_no_costs(self, source: str, service: Service) -> None:
        """Costs that are not there are said not to be."""
        with pytest.raises(NoDataError, match=r"stored for this window$"):
            getattr(inputs_of(service), source)


class TestFingerprint:
    """A hash of all that the audits look at."""

    def test_same(self, service: Service) -> None:
        """The same for the same."""
        add_run(service, PULL, "listPod")
        assert inputs_of(service).fingerprint() == inputs_of(service).fingerprint()

    def test_different(self, service: Service) -> None:
        """Another for anything else: settings, the baseline rule, a run, a baseline, what holds."""
        changes: list[dict[str, Any]] = [
            {},
            {"settings": Settings(exercised_by=ExercisedBy.TESTED)},
            {"settings": Settings(rel_tol=0.5)},
            {"rule": BaselineRule(runs=2)},
        ]
        seen = [inputs_of(service, **change).fingerprint() for change in changes]
        pull = add_run(service, PULL, "listPod")
        seen.append(inputs_of(service).fingerprint())
        add_run(service, CI, "listPod", hours=-1)
        seen += [inputs_of(service).fingerprint(), inputs_of(service, run=pull).fingerprint()]
        service.documents.put_list(ListKind.PENDING, listing("x"), holds_from=NOON)
        seen.append(inputs_of(service).fingerprint())
        service.documents.put_swagger("v1.34.0", document("listPod"), holds_from=NOON)
        seen.append(inputs_of(service).fingerprint())
        assert (
            len(set(seen)) == len(seen) - 1
        )  # the pull run is the window's one subject: judged alone, the same


class TestGivenInputs:
    """Inputs as they are given, without a store."""

    def test_given(self) -> None:
        """They are what was given; the catalogue is the document's own."""
        swagger = parse_swagger(document())
        lists = EndpointLists(parse_endpoint_list(listing("x")))
        inputs = GivenInputs(
            window=DAY,
            settings=Settings(),
            swagger=swagger,
            lists=lists,
            runs=Runs(),
            given=frozenset({"swagger", "catalogue"}),
        )
        assert (inputs.swagger, inputs.lists, inputs.runs) == (swagger, lists, Runs())
        assert inputs.catalogue.operations == tuple(swagger.operations.values())
        assert {source for source in SOURCES if inputs.received(source)} == {"swagger", "catalogue"}
        for source in ("costs", "cloud_costs", "cost_hours"):
            with pytest.raises(NoDataError, match=r"^no cost data"):
                getattr(inputs, source)
