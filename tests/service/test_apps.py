from datetime import timedelta
from pathlib import Path

import pytest

from auditsvc.audits import Settings, find_audit_type
from auditsvc.core.apps import Served
from auditsvc.core.beside import Only
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.replay import Repeated
from auditsvc.core.results import Status
from auditsvc.core.runs import BaselineRule, Run, RunKind, Runs
from auditsvc.core.swagger import Level, parse_swagger
from auditsvc.errors import NoDataError, NotFoundError, RequestError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from auditsvc.sources import GivenInputs, StoreInputs
from tests.logs import E2E, NOON, event
from tests.service.made import API, DAY, add_run, as_log, document, report_of

CI, APP = RunKind.CI, RunKind.APP
PORTABILITY = find_audit_type("appPortability")
PODS = "[sig-node] Pods run [Conformance]"


def inputs_of(service: Service, run: Run | None = None) -> StoreInputs:
    """The inputs of the day, or of one run alone."""
    return StoreInputs(
        service.store, DAY, settings=Settings(), rule=BaselineRule(), now=service.clock(), run=run
    )


def release_without(service: Service, version: str, *gone: str) -> None:
    """Stores a release of the small API that lacks operations."""
    left = [name for name in API if name not in gone]
    service.documents.put_swagger(version, document(*left), holds_from=NOON - timedelta(days=100))


class TestFind:
    """The applications."""

    def test_by_the_newest_run(self, service: Service) -> None:
        """Each is told of by what its newest run used."""
        add_run(service, APP, "listPod", "listCron", app="argo", hours=-1)
        newest = add_run(service, APP, "listPod", app="argo")
        add_run(service, APP, "listCron", app="flux")
        apps, total = service.apps.find()
        assert total == 2
        assert [(one.record.name, one.app.run, one.counts.total) for one in apps[:1]] == [("argo", newest, 1)]
        assert [one.portability.portable for one in apps] == [True, False]
        assert [one.record.name for one in service.apps.find(text="FLU")[0]] == ["flux"]

    def test_no_swagger(self, empty: Service, tmp_path: Path) -> None:
        """A report needs none to be stored; nothing is then known of its operations."""
        report = tmp_path / "audit-endpoints.txt"
        report.write_bytes(report_of("listPod"))
        empty.runs.add(RunUpload(kind=APP, app="argo", logs=[Log.at(report)], finished=NOON, started=NOON))
        [found] = empty.apps.find()[0]
        assert (found.counts.not_in_swagger, found.counts.conf_tested) == (1, None)
        assert not found.portability.portable


class TestGet:
    """One application."""

    def test_what_it_used(self, service: Service) -> None:
        """Its operations and categories, and what each stored release lacks of them."""
        release_without(service, "v1.35.0", "listJob")
        release_without(service, "v1.33.0")
        add_run(service, APP, "listPod", "listPod", "listJob", app="argo", version="v1.34.0")
        found = service.apps.get("argo")
        assert [(one.id, one.hits, one.conf_tested) for one in found.operations] == [
            ("listJob", 1, None),
            ("listPod", 2, None),
        ]
        assert [(one.level, one.category, one.operations) for one in found.categories] == [
            (Level.STABLE, None, 2)
        ]
        assert found.portability.releases == (
            Served("1.33.0", newer=False, lacks=()),
            Served("1.34.0", newer=False, lacks=()),
            Served("1.35.0", newer=True, lacks=("listJob",)),
        )
        assert (found.portability.oldest, found.portability.newest) == ("1.33.0", "1.34.0")

    def test_of_another_run(self, service: Service) -> None:
        """The one named, which must be one of its own."""
        old = add_run(service, APP, "listPod", app="argo", hours=-1)
        add_run(service, APP, "listJob", app="argo")
        other = add_run(service, APP, "listJob", app="flux")
        assert [one.id for one in service.apps.get("argo", run_id=old.id).operations] == ["listPod"]
        with pytest.raises(NotFoundError, match=f"^run: {other.id} is no run of the app argo "):
            service.apps.get("argo", run_id=other.id)
        with pytest.raises(NotFoundError, match=r"^unknown run: nope"):
            service.apps.get("argo", run_id="nope")

    def test_what_conformance_tests_hit(self, service: Service) -> None:
        """As the coverage knowledge says: stable operations that a stored conformance test hit in a run."""
        yaml = f"- testname: Pods\n  codename: '{PODS}'\n  release: v1.9\n"
        service.coverage.put_tests("v1.34.0", yaml.encode())
        add_run(service, APP, "listPod", "listJob", app="argo")
        assert service.apps.get("argo").counts.conf_tested == 0
        add_tested(service, "listPod")
        assert service.apps.get("argo").counts.conf_tested == 1
        assert "listPod,true," in service.apps.export("coverage-spreadsheet")
        assert "argo,2,0,0,2,1" in service.apps.export("app-usage-summary")

    def test_a_conformance_test_is_one_by_its_name(self, service: Service) -> None:
        """What a ci run of one hit is known to be conformance-tested, with no conformance.yaml at all."""
        add_run(service, APP, "listPod", "listJob", app="argo")
        assert service.apps.get("argo").counts.conf_tested is None
        add_tested(service, "listPod")
        assert service.apps.get("argo").counts.conf_tested == 1


def add_tested(service: Service, operation: str) -> None:
    """Takes in a ci run in which the conformance test hit an operation."""
    log = as_log(event(uri=API[operation][1], agent=f"{E2E}{PODS}"))
    service.runs.add(RunUpload(kind=CI, logs=[log]))


class TestExport:
    """The files."""

    def test_of_all_and_of_some(self, service: Service) -> None:
        """By name, each application once, however often it is named."""
        add_run(service, APP, "listPod", app="flux")
        add_run(service, APP, "listCron", app="argo")
        heading = "app,stable,beta,alpha,total,conformance\r\n"
        argo, flux = "argo,0,1,0,1,\r\n", "flux,1,0,0,1,\r\n"
        assert service.apps.export("app-usage-summary") == heading + argo + flux
        assert service.apps.export("app-usage-summary", ["flux", "flux"]) == heading + flux

    def test_unknown(self, service: Service) -> None:
        """What is asked for must be there."""
        with pytest.raises(
            NotFoundError, match=r"^unknown export: app-usage \(known are app-usage-summary, "
        ):
            service.apps.export("app-usage")
        with pytest.raises(NotFoundError, match=r"^unknown app: argo"):
            service.apps.export("app-usage-summary", ["argo"])


class TestInputs:
    """What the audit of applications looks at."""

    def test_newest_by_the_day(self, service: Service) -> None:
        """The newest run of each application that finished by the window's end, whatever came later."""
        add_run(service, APP, "listPod", app="argo", hours=-1)
        newest = add_run(service, APP, "listPod", app="argo")
        add_run(service, APP, "listPod", app="argo", hours=24)
        older = add_run(service, APP, "listPod", app="flux", hours=-240)
        add_run(service, CI, "listPod")
        assert [app.run for app in inputs_of(service).apps.apps] == [newest, older]

    def test_none(self, service: Service) -> None:
        """Until the first one there is nothing to judge: the audit is left alone, asked by name it fails."""
        add_run(service, CI, "listPod")
        assert not inputs_of(service).received("apps")
        add_run(service, APP, "listPod", app="argo", hours=24)
        inputs = inputs_of(service)
        assert not inputs.received("apps")
        assert inputs.apps.apps == ()
        assert inputs.apps.reason == "no app run finished before 2026-01-17T00:00:00+0000"

    def test_one_run_alone(self, service: Service) -> None:
        """An app run is judged as an application; a run of another kind is not asked."""
        ci, app = add_run(service, CI, "listPod"), add_run(service, APP, "listPod", app="argo")
        assert inputs_of(service, app).received("apps")
        assert [one.run for one in inputs_of(service, app).apps.apps] == [app]
        assert not inputs_of(service, ci).received("apps")
        assert inputs_of(service, ci).apps.apps == ()

    def test_fingerprint(self, service: Service) -> None:
        """It changes with the applications' runs and with every release, also an older one."""
        add_run(service, CI, "listPod")
        prints = [inputs_of(service).fingerprint()]
        add_run(service, APP, "listPod", app="argo")
        prints.append(inputs_of(service).fingerprint())
        release_without(service, "v1.30.0", "listPod")
        prints.append(inputs_of(service).fingerprint())
        assert len(set(prints)) == 3

    def test_without_a_store(self) -> None:
        """There are none."""
        given = GivenInputs(
            window=DAY,
            settings=Settings(),
            swagger=parse_swagger(document()),
            lists=EndpointLists(),
            runs=Runs(),
            given=frozenset(),
        )
        with pytest.raises(NoDataError, match="no applications without a store"):
            _ = given.apps


def test_audit(service: Service) -> None:
    """The day's set has the audit; a stored newer release without an operation fails it."""
    add_run(service, APP, "listPod", "listJob", app="argo", version="v1.34.0")
    [passed] = service.audits.run(DAY, [PORTABILITY])
    assert passed.result.status is Status.PASSED
    release_without(service, "v1.35.0", "listJob")
    [failed] = service.audits.run(DAY, [PORTABILITY])
    assert failed.result.status is Status.FAILED
    assert [one.key for one in failed.result.missing] == ["argo/listJob"]


def test_replay(service: Service) -> None:
    """A result is repeated from the runs and releases of then, unless a run is gone."""
    app = add_run(service, APP, "listPod", "listJob", app="argo", version="v1.34.0")
    service.audits.run(DAY, [PORTABILITY])
    service.audits.run(None, [PORTABILITY], run_id=app.id)
    release_without(service, "v1.35.0", "listJob")
    add_run(service, APP, "listCron", app="argo", hours=1, version="v1.34.0")
    day, alone = service.replays.of_window(DAY, [PORTABILITY]), service.replays.of_run(app.id)
    assert [one.ended for one in (*day, *alone)] == [Repeated.SAME, Repeated.SAME]
    service.runs.delete(app.id)
    [replay] = service.replays.of_window(DAY, [PORTABILITY])
    assert (replay.ended, replay.gone) == (Repeated.IMPOSSIBLE, (f"run {app.id} was deleted",))


class TestBeside:
    """Runs beside each other."""

    @pytest.fixture
    def runs(self, service: Service) -> list[str]:
        """Three runs, of which the first has neither listJob nor listCron."""
        used = (("listPod", "readPod"), ("listPod", "listPod", "listJob"), ("listPod", "readPod", "listCron"))
        return [add_run(service, CI, *names, hours=hours).id for hours, names in enumerate(used)]

    def test_all(self, service: Service, runs: list[str]) -> None:
        """The runs in the order named, and every operation that any of them used."""
        found, rows = service.runs.beside(runs)
        assert [run.id for run in found] == runs
        assert {row.id: row.hits for row in rows} == {
            "listCron": (0, 0, 1),
            "listJob": (0, 1, 0),
            "listPod": (1, 2, 1),
            "readPod": (1, 0, 1),
        }

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ({"only": Only.ADDED}, ["listCron", "listJob"]),
            ({"only": Only.REMOVED}, ["readPod"]),
            ({"only": Only.TESTS}, []),
            ({"level": Level.BETA}, ["listCron"]),
            ({"text": "POD"}, ["listPod", "readPod"]),
            ({"group": "batch"}, []),  # the small API tells no groups
            ({"only": Only.CHANGED, "level": Level.BETA}, []),
        ],
    )
    def test_filters(
        self, service: Service, runs: list[str], filters: dict[str, str], expected: list[str]
    ) -> None:
        """All of them must fit."""
        _, rows = service.runs.beside(runs, **filters)  # type: ignore[arg-type] # a table of them
        assert [row.id for row in rows] == expected

    def test_needs_two(self, service: Service, runs: list[str]) -> None:
        """One run is beside nothing; each must be there."""
        with pytest.raises(RequestError, match=r"^run: name two runs or more"):
            service.runs.beside(runs[:1])
        with pytest.raises(NotFoundError, match=r"^unknown run: nope"):
            service.runs.beside([*runs, "nope"])
