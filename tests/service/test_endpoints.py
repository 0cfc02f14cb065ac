import gzip
from pathlib import Path

import pytest

from auditsvc.core.breakdown import OperationFilter
from auditsvc.core.endpoint_tests import E2eTestFilter
from auditsvc.core.runs import Run, RunKind
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from auditsvc.store.endpoints import EndpointUser
from auditsvc.store.lists import ListKind
from tests.logs import E2E, event
from tests.service.made import API, VERBS, add_run, as_log, document, listing
from tests.service.test_coverage import NAME, YAML, add_tested, put_published, put_releases

E2E_ONLY = "[sig-apps] CronJobs -- are listed -- twice [Slow]"


def add_by_agent(service: Service, agent: str, *operations: str, more: bytes = b"", **origin: str) -> Run:
    """A live run in which an agent requested each operation."""
    lines = [
        event(f"{name}-{n}-{agent}", uri=API[name][1], verb=VERBS[API[name][0]], agent=agent, received=n)
        for n, name in enumerate(operations)
    ]
    upload = RunUpload(kind=RunKind.LIVE, logs=[as_log(b"".join(lines) + more)], version="v1.35.0", **origin)  # type: ignore[arg-type] # all are texts
    return service.runs.add(upload)[0]


@pytest.fixture
def known(empty: Service) -> Service:
    """Two releases; a conformance test hits listPod, an e2e test readPod and listCron."""
    put_releases(empty)
    empty.coverage.put_tests("v1.35.0", YAML)
    empty.documents.put_list(ListKind.INELIGIBLE, listing("createPod"))
    empty.documents.put_list(ListKind.PENDING, listing("listJob"))
    add_tested(empty, "v1.35.0", "listPod")
    add_by_agent(empty, E2E + E2E_ONLY, "readPod", "listCron", cluster="e2e")
    return empty


class TestUntested:
    """Which endpoints lack a conformance test."""

    def test_the_most_used_first(self, known: Service) -> None:
        """By applications and live clusters; then the oldest debt, then the name."""
        add_run(known, RunKind.APP, "deletePod", "listJob", app="argo", version="v1.35.0")
        add_run(known, RunKind.APP, "deletePod", app="flux", version="v1.35.0")
        found = known.endpoints.untested()
        assert [(one.endpoint, one.users, one.requests, one.age) for one in found] == [
            ("deletePod", 2, 2, 0),
            ("readPod", 1, 1, 1),
            ("listJob", 1, 1, 0),
            ("createPod", 0, 0, 1),
        ]
        assert [(one.ineligible_reason, one.pending) for one in found[2:]] == [
            (None, True),
            ("optional", False),
        ]
        assert found[1].tests == (E2E_ONLY,)
        assert found[1].reference == (
            "https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.35/#api-groups"
        )

    def test_of_another_release_or_only_some(self, known: Service) -> None:
        """What a release does not have is not untested in it."""
        assert [one.endpoint for one in known.endpoints.untested("1.34")] == ["readPod", "createPod"]
        only = OperationFilter(exclude_ineligible=True, exclude_pending=True, text="pod")
        assert [one.endpoint for one in known.endpoints.untested(only=only)] == ["readPod", "deletePod"]

    def test_nothing_is_known_of_nothing(self, empty: Service) -> None:
        """The message says what to do."""
        for ask in (empty.endpoints.untested, empty.endpoints.candidates):
            with pytest.raises(NotFoundError, match="the operations of any release are not known"):
                ask()
        with pytest.raises(RequestError, match="not a version of Kubernetes: soon"):
            empty.endpoints.untested("soon")
        assert empty.endpoints.tests(E2eTestFilter()) == []

    def test_published(self, empty: Service, shared_data: Path) -> None:
        """What APISnoop calls fully tested is, but for the two operations that it does not call stable."""
        put_published(
            empty,
            shared_data,
            "1.36.0.json.gz",
            "conformance-endpoints.json.gz",
            "ineligible_endpoints.json.gz",
        )
        only = OperationFilter(exclude_ineligible=True)
        differing = ["getServiceAccountIssuerOpenIDConfiguration", "getServiceAccountIssuerOpenIDKeyset"]
        assert [one.endpoint for one in empty.endpoints.untested(only=only)] == differing
        swagger = gzip.decompress((shared_data / "swagger/v1.36.json.gz").read_bytes())
        empty.documents.put_swagger("v1.36.0", swagger)
        assert [one.endpoint for one in empty.endpoints.untested(only=only)] == differing
        assert len(empty.endpoints.untested()) > 50


def test_candidates_are_hit_by_an_e2e_test(known: Service) -> None:
    """And by no conformance test; ineligible ones come last, whoever uses them."""
    add_by_agent(known, E2E + E2E_ONLY, "createPod", "listPod", cluster="other")
    add_run(known, RunKind.APP, "createPod", app="argo", version="v1.35.0")
    assert [one.endpoint for one in known.endpoints.candidates()] == ["readPod", "createPod"]
    only = OperationFilter(text="create")
    assert [one.endpoint for one in known.endpoints.candidates("1.35", only=only)] == ["createPod"]


def test_tests_and_what_they_hit(known: Service) -> None:
    """Names may hold slashes, dashes and more."""
    found = known.endpoints.tests(E2eTestFilter())
    assert [(test.name, test.endpoints) for test in found] == [
        (E2E_ONLY, ("listCron", "readPod")),
        (NAME, ("listPod",)),
    ]
    [test] = known.endpoints.tests(E2eTestFilter(name=NAME))
    assert test.known is not None
    assert (test.known.file, test.known.release) == ("test/e2e/common/node/pods.go", (1, 34))


class TestEndpoint:
    """All of one endpoint."""

    def test_that_is_stable(self, known: Service) -> None:
        """Its history, its releases, its tests, its users."""
        found = known.endpoints.get("readPod")
        assert (found.known.promotion_release, found.known.age) == ("1.34.0", 1)
        assert found.releases == ("1.34.0", "1.35.0")
        assert [test.name for test in found.tests] == [E2E_ONLY]
        assert found.users == (EndpointUser(RunKind.LIVE, "e2e", 1, 1),)

    def test_that_never_was(self, known: Service) -> None:
        """It has no history, and nothing is owed."""
        found = known.endpoints.get("listCron")
        assert (found.known.promotion_release, found.known.age) == (None, None)
        assert found.known.operation is not None
        assert found.known.operation.level == "beta"

    def test_that_is_not_known(self, known: Service) -> None:
        """The message names what it may be a mistake for."""
        with pytest.raises(
            NotFoundError, match=r"unknown endpoint of 1\.35\.0: readpods \(did you mean readPod"
        ):
            known.endpoints.get("readpods")
        with pytest.raises(
            NotFoundError, match=r"frobnicate \(GET /swagger/<version>/operations lists them\)"
        ):
            known.endpoints.get("frobnicate")


class TestNewTest:
    """A test that is being written."""

    def test_adds_what_is_eligible_and_untested(self, known: Service) -> None:
        """Ineligible, beta and unmapped requests never count, nor what is tested already."""
        more = event("m", uri="/apis/example.org/v1/things", agent="live-test-writing/v1.35")
        hits = ("listPod", "readPod", "createPod", "listCron", "deletePod", "deletePod")
        run = add_by_agent(known, "live-test-writing/v1.35 (linux)", *hits, more=more)
        found = known.endpoints.new_test("live-test-writing")
        assert (found.run, found.release, found.unmapped) == (run.id, "1.35.0", 1)
        assert [
            (hit.operation.id, hit.hits, hit.tested, hit.conf_tested, hit.counts) for hit in found.hits
        ] == [
            ("createPod", 1, False, False, False),
            ("deletePod", 2, False, False, True),
            ("listCron", 1, True, False, False),
            ("listPod", 1, True, True, False),
            ("readPod", 1, True, False, True),
        ]
        assert (found.projected.eligible, found.projected.tested, found.projected.gained) == (4, 1, 2)
        assert known.endpoints.new_test("live-test-writing/v2", run.id) == found

    def test_of_a_release_whose_operations_are_not_known(self, known: Service) -> None:
        """The newest stands in."""
        run = add_run(known, RunKind.PULL, "listJob", version="v1.40.0", swagger=document())
        found = known.endpoints.new_test("kubectl", run.id)
        assert (found.release, found.projected.gained) == ("1.35.0", 1)

    def test_that_never_ran(self, known: Service) -> None:
        """The message says how it could have."""
        with pytest.raises(NotFoundError, match=r"agent: no stored run has a request of live-x \(POST /runs"):
            known.endpoints.new_test("live-x/1")
        with pytest.raises(NotFoundError, match="unknown run: y"):
            known.endpoints.new_test("live-x", "y")


class TestProposal:
    """What is proposed."""

    def test_holds_the_endpoints_and_their_group(self, known: Service) -> None:
        """Each endpoint once, in the order in which they are named."""
        found = known.endpoints.proposal(["readPod", "listPod", "readPod"])
        assert found.release == "1.35.0"
        assert [one.endpoint for one in found.endpoints] == ["readPod", "listPod"]
        [outline] = found.outlines
        assert [step.word for step in outline.steps] == ["create", "read", "list", "watch", "delete"]
        assert "createPod" in [one.endpoint for one in found.group]

    def test_of_unknown_endpoints_is_refused(self, known: Service) -> None:
        """With near misses."""
        with pytest.raises(NotFoundError, match="did you mean listPod"):
            known.endpoints.proposal(["readPod", "listPods"])
