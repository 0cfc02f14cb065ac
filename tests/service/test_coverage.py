import gzip
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from auditsvc.audits import find_audit_type
from auditsvc.core.apisnoop import parse_apisnoop
from auditsvc.core.results import AuditResult, Status
from auditsvc.core.runs import Run, RunKind
from auditsvc.errors import NotFoundError, ParseError, RequestError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from auditsvc.store.coverage import CoverageOrigin
from auditsvc.store.lists import ListKind
from tests.logs import E2E, NOON, event
from tests.service.made import API, DAY, VERBS, add_run, as_log, document, listing, move_clock, report_of

GATE = find_audit_type("conformanceGate")
NAME = "[sig-node] Pods run [NodeConformance] [Conformance]"
SINCE = NOON - timedelta(days=10)
YAML = f"""
- testname: Pods, run
  codename: '{NAME}'
  release: v1.9, v1.34
  file: test/e2e/common/node/pods.go
- testname: Jobs
  codename: '[sig-apps] Jobs complete [Conformance]'
  release: v1.35
  file: test/e2e/apps/job.go
""".encode()


def log_by_test(*operations: str) -> Log:
    """A log with a request of each operation by a test."""
    return as_log(
        b"".join(
            event(f"{name}-{n}", uri=API[name][1], verb=VERBS[API[name][0]], agent=E2E + NAME, received=n)
            for n, name in enumerate(operations)
        )
    )


def add_tested(service: Service, version: str, *operations: str, hours: float = 0.0) -> Run:
    """A ci run of a version in which the test hit those operations."""
    times = {"started": NOON + timedelta(hours=hours - 1), "finished": NOON + timedelta(hours=hours)}
    upload = RunUpload(kind=RunKind.CI, logs=[log_by_test(*operations)], version=version, **times)  # type: ignore[arg-type] # both are times
    return service.runs.add(upload)[0]


def put_releases(service: Service) -> None:
    """1.34 lacks deletePod and listJob, which 1.35 has."""
    old = document("listPod", "createPod", "readPod", "listCron", version="v1.34.0")
    service.documents.put_swagger("v1.34.0", old, holds_from=SINCE)
    service.documents.put_swagger("v1.35.0", document(version="v1.35.0"), holds_from=SINCE)


def put_published(service: Service, folder: Path, *names: str) -> list[str]:
    """Imports published files."""
    content = [(folder / "apisnoop" / name).read_bytes() for name in names]
    plain = [gzip.decompress(one) if one.startswith(b"\x1f\x8b") else one for one in content]
    return service.coverage.import_apisnoop([parse_apisnoop(one) for one in plain])


def gate(service: Service) -> AuditResult:
    """What the gate says of the day."""
    [stored] = service.audits.run(DAY, [GATE])
    return stored.result


class TestTables:
    """Coverage by release."""

    def test_nothing_is_known_of_nothing(self, empty: Service) -> None:
        """No rows, no releases, and an answer that says what to do."""
        assert empty.coverage.releases() == empty.coverage.progress() == []
        assert empty.coverage.summaries() == []
        with pytest.raises(NotFoundError, match="no release is known"):
            empty.coverage.new()

    def test_come_from_swaggers_tests_and_runs(self, empty: Service) -> None:
        """Promotions from the swaggers, tested releases from the tests that hit in runs."""
        put_releases(empty)
        empty.coverage.put_tests("v1.35.0", YAML)
        add_tested(empty, "v1.35.0", "readPod", "listJob", "listCron")
        rows = [tuple(row.values()) for row in empty.coverage.releases()]
        assert rows == [("1.34.0", 3, 1, 2, 3, 1, 2), ("1.35.0", 2, 1, 1, 5, 2, 3)]
        progress = [tuple(row.values()) for row in empty.coverage.progress()]
        assert progress == [("1.34.0", 3, 1, 3, 1, 0, 1, 2), ("1.35.0", 5, 2, 2, 1, 0, 0, 1)]

    def test_ineligible_endpoints_do_not_count(self, empty: Service) -> None:
        """As known now, in no release."""
        put_releases(empty)
        empty.documents.put_list(ListKind.INELIGIBLE, listing("readPod", "deletePod"))
        assert [row["total"] for row in empty.coverage.releases()] == [2, 3]

    def test_new_endpoints(self, empty: Service) -> None:
        """What became stable in a release, with what is known of it."""
        put_releases(empty)
        empty.documents.put_list(ListKind.PENDING, listing("listJob"))
        empty.coverage.put_tests("v1.35.0", YAML)
        add_tested(empty, "v1.35.0", "deletePod")
        release, found = empty.coverage.new()
        assert release == (1, 35)
        assert [(one.endpoint, one.tested_release, one.age, one.pending) for one in found] == [
            ("deletePod", "1.35.0", None, False),
            ("listJob", None, 0, True),
        ]
        assert found[1].operation is not None
        assert found[1].operation.path == "/apis/batch/v1/jobs"

    def test_new_endpoints_need_an_older_release(self, empty: Service) -> None:
        """Otherwise all would be new."""
        put_releases(empty)
        with pytest.raises(NotFoundError, match=r"no release older than 1\.34\.0 is known, .*PUT /swagger"):
            empty.coverage.new("v1.34.0")
        with pytest.raises(NotFoundError, match=r"unknown release: 1\.30\.0 \(GET /releases lists them\)"):
            empty.coverage.new("1.30")
        with pytest.raises(RequestError, match="not a version of Kubernetes: soon"):
            empty.coverage.new("soon")

    def test_releases_are_summed_up(self, empty: Service) -> None:
        """Newest first; one that only has a date is known as well."""
        put_releases(empty)
        empty.coverage.put_tests("1.35", YAML)
        put = empty.coverage.put_release("1.36.0", date(2026, 4, 22))
        assert (put.release, put.date, put.swagger, put.operations) == ("1.36.0", date(2026, 4, 22), None, 0)
        found = [
            (one.release, one.swagger, one.operations, one.eligible, one.conformance_tests)
            for one in empty.coverage.summaries()
        ]
        assert found == [
            ("1.36.0", None, 0, 0, 0),
            ("1.35.0", "v1.35.0", 6, 5, 2),
            ("1.34.0", "v1.34.0", 4, 3, 0),
        ]


class TestTests:
    """Conformance tests."""

    def test_are_searched(self, empty: Service) -> None:
        """By text, SIG with or without its prefix, and tag."""
        empty.coverage.put_tests("v1.35.0", YAML)
        search = empty.coverage.tests
        assert [test.testname for test in search(sig="apps").tests] == ["Jobs"]
        assert [test.testname for test in search(sig="[sig-node]").tests] == ["Pods, run"]
        assert [test.testname for test in search(tag="NodeConformance").tests] == ["Pods, run"]
        assert [test.testname for test in search(text="COMPLETE").tests] == ["Jobs"]
        page = search(limit=1, offset=1)
        assert ([test.testname for test in page.tests], page.total, page.release) == (["Jobs"], 2, (1, 35))

    def test_of_a_release_that_has_none(self, empty: Service) -> None:
        """The message says how to store some."""
        with pytest.raises(NotFoundError, match=r"no conformance tests of 1\.34 are stored"):
            empty.coverage.tests("1.34")

    def test_are_refused_whole(self, empty: Service) -> None:
        """Nothing is stored of what does not parse."""
        with pytest.raises(ParseError):
            empty.coverage.put_tests("v1.35.0", YAML + b"- {}\n")
        with pytest.raises(RequestError, match="not a version"):
            empty.coverage.put_tests("soon", YAML)
        assert not empty.store.coverage.received()


class TestHistory:
    """What was said when a release was the newest."""

    def test_stays_as_it_was(self, empty: Service) -> None:
        """A new release changes what is known now; as of the older one it is as it was computed then."""
        put_releases(empty)
        then = empty.coverage.releases()
        move_clock(empty)
        empty.coverage.put_release("v1.36.0", None)
        empty.documents.put_list(ListKind.INELIGIBLE, listing("readPod"))
        assert empty.coverage.releases()[0]["new"] == 2
        assert empty.coverage.releases(as_of="1.35") == then
        assert empty.coverage.progress(as_of="1.36") == empty.coverage.progress()
        with pytest.raises(NotFoundError, match=r"nothing was kept as of 1\.30"):
            empty.coverage.releases(as_of="1.30")

    def test_of_the_first_release(self, empty: Service) -> None:
        """It is kept from the first release on, whatever follows."""
        empty.documents.put_swagger("v1.34.0", document("listPod"), holds_from=SINCE)
        then = empty.coverage.releases()
        empty.documents.put_swagger("v1.35.0", document("listJob"), holds_from=SINCE)
        assert empty.coverage.releases(as_of="1.34") == then
        assert [row["total"] for row in then] == [1]

    def test_is_kept_when_something_changes(self, empty: Service) -> None:
        """A run that shows a test at work changes what is known; the same knowledge again is not kept."""
        put_releases(empty)
        empty.coverage.put_tests("v1.35.0", YAML)
        before = empty.coverage.history(release="1.35", limit=100)[1]
        add_run(empty, RunKind.CI, "listPod", version="v1.35.0")
        assert empty.coverage.history(release="1.35", limit=100)[1] == before
        add_tested(empty, "v1.35.0", "readPod", hours=1)
        assert empty.coverage.history(release="1.35", limit=100)[1] == before + 2


class TestImport:
    """APISnoop's published files."""

    FILES = (
        "1.36.0.json.gz",
        "conformance-endpoints.json.gz",
        "conformance-coverage-per-release.json.gz",
        "conformance-progress.json.gz",
        "ineligible_endpoints.json.gz",
        "releases.yaml",
    )

    def test_makes_its_tables_ours(self, empty: Service, shared_data: Path) -> None:
        """Both tables come from it, and say what it published."""
        told = put_published(empty, shared_data, *self.FILES)
        assert told[:2] == ["release 1.36.0: 908 endpoints", "histories of 563 endpoints"]
        published, _ = empty.coverage.history(release="1.37", limit=100)
        by_origin = {(one.table, one.origin): list(one.rows) for one in published}
        assert empty.coverage.releases() == by_origin["releases", CoverageOrigin.APISNOOP]  # type: ignore[index] # a StrEnum is its value
        assert empty.coverage.progress() == by_origin["progress", CoverageOrigin.APISNOOP]  # type: ignore[index] # likewise

    def test_swaggers_of_its_releases_change_nothing(self, empty: Service, shared_data: Path) -> None:
        """What it knows is believed for the releases that it knows."""
        put_published(empty, shared_data, *self.FILES)
        before = empty.coverage.releases()
        swagger = gzip.decompress((shared_data / "swagger/v1.36.json.gz").read_bytes())
        empty.documents.put_swagger("v1.36.0", swagger)
        assert empty.coverage.releases() == before
        assert len(empty.coverage.new("1.36")[1]) == 14
        assert next(one for one in empty.coverage.summaries() if one.release == "1.36.0").eligible == 565

    def test_releases_tell_what_their_tests_hit(self, empty: Service, shared_data: Path) -> None:
        """Also without the histories of endpoints: 563 of 565, all but the two OpenID operations."""
        put_published(empty, shared_data, "1.34.0.json.gz", "1.36.0.json.gz", "ineligible_endpoints.json.gz")
        last = empty.coverage.releases()[-1]
        assert (last["release"], last["total"], last["total_tested"]) == ("1.36.0", 565, 563)

    def test_again_changes_nothing(self, empty: Service, shared_data: Path) -> None:
        """It can be repeated, also later."""
        put_published(empty, shared_data, *self.FILES)
        with empty.store._connections.reading() as db:
            before = list(db.iterdump())
        move_clock(empty)
        put_published(empty, shared_data, *self.FILES)
        with empty.store._connections.reading() as db:
            assert list(db.iterdump()) == before

    def test_dates_outweigh_a_release(self, empty: Service) -> None:
        """The day in a release's file is taken where no better one is known."""
        release = b'{"release": "1.36.0", "release_date": "2026-04-20T06:47:56", "endpoints": []}'
        dates = b"- version: 1.36.0\n  release_date: '2026-04-22'\n"
        empty.coverage.import_apisnoop([parse_apisnoop(release)])
        assert empty.store.coverage.dates() == {(1, 36): date(2026, 4, 20)}
        empty.coverage.import_apisnoop([parse_apisnoop(dates), parse_apisnoop(release)])
        assert empty.store.coverage.dates() == {(1, 36): date(2026, 4, 22)}


class TestGate:
    """AuditConformanceGate over the store."""

    def test_judges_the_release_of_the_subject(self, empty: Service) -> None:
        """What the newest ci run of 1.35 lacks of 1.34's, and of what is new."""
        put_releases(empty)
        old = add_tested(empty, "v1.34.0", "listPod", "readPod", hours=-30)
        add_tested(empty, "v1.35.0", "listPod", "readPod", "deletePod", "listJob", hours=-2)
        new = add_tested(empty, "v1.35.0", "listPod", "deletePod", hours=-1)
        result = gate(empty)
        assert {found.path: (found.expected, found.actual) for found in result.floats} == {
            ("1.35.0", "covered"): (2, 1),
            ("1.35.0", "kept"): (2, 1),
        }
        assert [found.key for found in result.missing] == ["listJob", "readPod"]
        assert f"ci run {old.id}" in result.description
        assert f"ci run {new.id}" in result.description

    def test_pending_endpoints_are_covered(self, empty: Service) -> None:
        """The list that holds says so."""
        put_releases(empty)
        empty.documents.put_list(ListKind.PENDING, listing("listJob"), holds_from=SINCE)
        add_tested(empty, "v1.35.0", "deletePod")
        assert gate(empty).status is Status.PASSED

    def test_an_imported_release_tells_what_was_tested(self, empty: Service) -> None:
        """Where there is no run of the release before."""
        tests = [{"test": NAME, "conformance_test": True}]
        endpoints = [{"endpoint": "readPod", "path": "/api/v1/pods/{name}", "tests": [NAME]}]
        content = msgspec.json.encode({"release": "1.34.0", "tests": tests, "endpoints": endpoints})
        empty.coverage.import_apisnoop([parse_apisnoop(content)])
        empty.documents.put_swagger("v1.35.0", document(version="v1.35.0"), holds_from=SINCE)
        add_tested(empty, "v1.35.0", "listPod", "createPod", "deletePod", "listJob")
        result = gate(empty)
        assert "APISnoop's import" in result.description
        assert [found.key for found in result.missing] == ["readPod"]

    def test_a_run_is_judged_alone(self, empty: Service) -> None:
        """Its own tests count, not those of a newer run of its release."""
        put_releases(empty)
        alone = add_tested(empty, "v1.35.0", "deletePod", hours=-2)
        add_tested(empty, "v1.35.0", "deletePod", "listJob", hours=-1)
        [stored] = empty.audits.run(types=[GATE], run_id=alone.id)
        assert [found.key for found in stored.result.missing] == ["listJob"]

    def test_stays_null_without_what_it_needs(self, service: Service) -> None:
        """One release, or no conformance test in any run, is no reason for a finding."""
        add_run(service, RunKind.CI, "listPod", version="v1.34.0")
        assert not [one for one in service.audits.run(DAY) if one.key == GATE.key]
        service.documents.put_swagger("v1.33.0", document("listPod"), holds_from=SINCE)
        assert not [one for one in service.audits.run(DAY) if one.key == GATE.key]
        add_tested(service, "v1.34.0", "listPod")
        assert [one for one in service.audits.run(DAY) if one.key == GATE.key]

    def test_a_report_tells_nothing_of_tests(self, empty: Service, tmp_path: Path) -> None:
        """Another tool's report is passed over for an older log."""
        put_releases(empty)
        add_tested(empty, "v1.35.0", "deletePod", "listJob", hours=-3)
        report = tmp_path / "audit-endpoints.txt"
        report.write_bytes(report_of("listPod"))
        times = {"started": NOON, "finished": NOON}
        empty.runs.add(RunUpload(kind=RunKind.CI, logs=[Log.at(report)], version="v1.35.0", **times))  # type: ignore[arg-type] # both are times
        result = gate(empty)
        assert (result.status, result.checked) == (Status.PASSED, 1)

    def test_a_run_brings_its_own_release(self, empty: Service) -> None:
        """The swagger that the subject brought counts: a pull request may make something stable."""
        put_releases(empty)
        add_tested(empty, "v1.34.0", "listPod", hours=-30)
        brought = document("listPod", "createPod", "readPod", "listJob", "listCron", version="v1.35.0")
        times = {"started": NOON, "finished": NOON}
        upload = RunUpload(kind=RunKind.PULL, logs=[log_by_test("listPod")], swagger=brought, **times)  # type: ignore[arg-type] # both are times
        run, _ = empty.runs.add(upload)
        [stored] = empty.audits.run(types=[GATE], run_id=run.id)
        assert [found.key for found in stored.result.missing] == ["listJob"]

    def test_a_run_without_conformance_tests_tells_nothing(self, empty: Service) -> None:
        """The newest ci run counts, and that its tests are gone does not pass for that nothing is lost."""
        put_releases(empty)
        add_tested(empty, "v1.35.0", "listPod", hours=-2)
        add_run(empty, RunKind.CI, "listPod", version="v1.35.0")
        assert gate(empty).problem == (
            "nothing to compare: 1.35.0: no successful ci run tells what conformance tests hit"
        )

    def test_a_pull_run_adds_its_tests(self, empty: Service) -> None:
        """To those of its release's ci run: a promotion comes with the test that covers it."""
        put_releases(empty)
        ci = add_tested(empty, "v1.35.0", "deletePod", hours=-1)
        times = {"started": NOON, "finished": NOON}
        upload = RunUpload(kind=RunKind.PULL, logs=[log_by_test("listJob")], version="v1.35.0", **times)  # type: ignore[arg-type] # both are times
        pull, _ = empty.runs.add(upload)
        result = gate(empty)
        assert (result.status, result.checked) == (Status.PASSED, 1)
        assert f"ci run {ci.id} and pull run {pull.id}" in result.description

    def test_is_run_again_when_its_inputs_change(self, empty: Service) -> None:
        """A day is skipped only while the gate would say the same."""
        put_releases(empty)
        add_tested(empty, "v1.35.0", "deletePod")
        [first] = empty.audits.run(types=[GATE], commit=True)
        move_clock(empty)
        [second] = empty.audits.run(types=[GATE], commit=True)
        assert second.result.last_run == first.result.last_run
        add_tested(empty, "v1.34.0", "readPod", hours=-40)
        [third] = [one for one in empty.audits.run(types=[GATE], commit=True) if one.window == DAY]
        assert third.result.last_run > first.result.last_run
