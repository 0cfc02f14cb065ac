import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest

from auditsvc.core.breakdown import GroupedBy, OperationFilter
from auditsvc.core.runs import RunKind, RunResult
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.ingest import Log
from auditsvc.service import Service
from auditsvc.service.runs import RunUpload
from tests.logs import NOON, event
from tests.service.made import add_run, as_log, document, listing, report_of
from tests.service.test_coverage import add_tested, put_published, put_releases

GATEWAY = "/apis/gateway.networking.k8s.io"
ROUTES = {
    f"{GATEWAY}/v1/namespaces/{{namespace}}/httproutes": {"get": "listHTTPRoute", "post": "createHTTPRoute"},
    f"{GATEWAY}/v1/gateways": {"get": "listGateway"},
    f"{GATEWAY}/v1beta1/referencegrants": {"get": "listReferenceGrant"},
}


def gateway_document(version: str = "unversioned") -> bytes:
    """The Gateway API as a cluster serves it, beside pods."""
    kinds = {"routes": "HTTPRoute", "ateways": "Gateway", "grants": "ReferenceGrant"}
    paths: dict[str, dict[str, object]] = {
        path: {
            method: {
                "operationId": name,
                "x-kubernetes-group-version-kind": {
                    "group": GATEWAY.removeprefix("/apis/"),
                    "version": path.split("/")[3],
                    "kind": next(kind for end, kind in kinds.items() if path.endswith(end)),
                },
            }
            for method, name in methods.items()
        }
        for path, methods in ROUTES.items()
    }
    paths["/api/v1/pods"] = {"get": {"operationId": "listPod"}}
    return json.dumps({"swagger": "2.0", "info": {"version": version}, "paths": paths}).encode()


def gateway_log() -> Log:
    """Two implementations at work, and a person."""
    v1, routes = f"{GATEWAY}/v1", f"{GATEWAY}/v1/namespaces/a/httproutes"
    return as_log(
        event("1", uri=f"{v1}/gateways", agent="envoy-gateway/v1.5")
        + event("2", uri=routes, agent="envoy-gateway/v1.5")
        + event("3", uri=f"{v1}/gateways?watch=true", verb="watch", agent="nginx-gateway/2.0")
        + event("4", uri=f"{GATEWAY}/v1beta1/referencegrants", agent="nginx-gateway/2.0")
        + event("5", uri="/api/v1/pods", agent="kubectl/v1.34")
    )


class TestReleases:
    """The coverage of a release."""

    def test_of_the_newest_by_its_newest_ci_run(self, empty: Service) -> None:
        """The newest successful one that was counted from a log, and no other."""
        put_releases(empty)
        add_tested(empty, "v1.34.0", "createPod", hours=3)
        add_tested(empty, "v1.35.0", "deletePod", hours=-3)
        newest = add_tested(empty, "v1.35.0", "listPod", "listJob", "listCron", hours=-2)
        add_run(empty, RunKind.CI, "readPod", version="v1.35.0", hours=1, result=RunResult.FAILURE)
        found = empty.breakdowns.get()
        assert (found.release, found.run, found.sources) == ("1.35.0", None, (f"ci run {newest.id}",))
        assert [
            (row.key[GroupedBy.LEVEL], row.operations, row.conf_tested, row.percent) for row in found.rows
        ] == [
            ("stable", 5, 2, 40.0),
            ("beta", 1, 1, 100.0),
        ]
        assert (found.totals.operations, found.totals.hit, found.totals.success) == (6, 3, 3)
        assert empty.breakdowns.get(release="1.34").totals.tested == 1

    def test_of_a_release_that_nobody_tested(self, empty: Service, tmp_path: Path) -> None:
        """What is not known is not zero; another tool's report tells nothing of a release."""
        put_releases(empty)
        file = tmp_path / "audit-endpoints.txt"
        file.write_bytes(report_of("listPod"))
        report = empty.runs.add(RunUpload(kind=RunKind.CI, logs=[Log.at(file)], version="v1.35.0"))[0]
        found = empty.breakdowns.get(release="v1.35.0")
        assert found.sources == ()
        assert (found.totals.hit, found.totals.percent) == (None, None)
        by_run = empty.breakdowns.get(run=report.id, metric=ExercisedBy.HIT)
        assert (by_run.totals.hit, by_run.totals.tested, by_run.totals.percent) == (1, None, 16.6)

    def test_imported(self, empty: Service, shared_data: Path) -> None:
        """As APISnoop published it: its own figures of 1.34, by level and category."""
        published = json.loads(gzip.decompress((shared_data / "apisnoop/1.34.0.json.gz").read_bytes()))
        put_published(empty, shared_data, "1.34.0.json.gz", "ineligible_endpoints.json.gz")
        found = empty.breakdowns.get(
            by=[GroupedBy.CATEGORY],
            only=OperationFilter(conformance_only=True),
            metric=ExercisedBy.CONF_TESTED,
        )
        assert found.sources == ("APISnoop's import",)
        tested = [one for one in published["endpoints"] if one["conf_tested"] and one["level"] == "stable"]
        everything = empty.breakdowns.get(by=[GroupedBy.LEVEL])
        assert everything.rows[0].conf_tested == len(tested)
        assert found.totals.operations == found.totals.eligible
        assert sum(row.operations for row in found.rows) == found.totals.operations
        assert found.totals.success is None

    def test_what_is_not_there(self, empty: Service) -> None:
        """The message says what to do."""
        with pytest.raises(
            NotFoundError, match=r"the operations of any release are not known \(PUT /swagger"
        ):
            empty.breakdowns.get()
        put_releases(empty)
        with pytest.raises(NotFoundError, match=r"the operations of release 1\.20 are not known"):
            empty.breakdowns.get(release="1.20")
        with pytest.raises(RequestError, match="not a version of Kubernetes: soon"):
            empty.breakdowns.get(release="soon")
        with pytest.raises(NotFoundError, match="unknown run: x"):
            empty.breakdowns.get(run="x")
        with pytest.raises(RequestError, match="give one of run and release"):
            empty.breakdowns.get(run="x", release="1.34")


class TestRuns:
    """The coverage of a run."""

    def test_with_the_lists_of_its_time(self, service: Service) -> None:
        """Those that held when it finished, or that it brought."""
        run = add_run(service, RunKind.APP, "listPod", "createPod", app="argo")
        found = service.breakdowns.get(run=run.id, metric=ExercisedBy.HIT)
        assert (found.release, found.run, found.sources) == ("1.34.0", run.id, (f"app run {run.id}",))
        assert (found.totals.operations, found.totals.eligible, found.totals.hit) == (6, 4, 2)
        only = OperationFilter(exclude_ineligible=True, exclude_pending=True)
        assert service.breakdowns.get(run=run.id, only=only).totals.operations == 4
        own = add_run(service, RunKind.APP, "listPod", app="b", ineligible=listing("listPod", "readPod"))
        assert service.breakdowns.get(run=own.id).totals.eligible == 3

    def test_without_any_swagger(self, empty: Service, tmp_path: Path) -> None:
        """A report needs none, but nothing can be said of it without."""
        file = tmp_path / "audit-endpoints.txt"
        file.write_bytes(report_of("listPod"))
        run, _ = empty.runs.add(RunUpload(kind=RunKind.CI, logs=[Log.at(file)]))
        with pytest.raises(NotFoundError, match="no swagger is stored for ci run"):
            empty.breakdowns.get(run=run.id)


class TestCustomResources:
    """The coverage of an API that is not Kubernetes' own."""

    @pytest.mark.parametrize("version", ["unversioned", "v1.34.0", "v1.2.0"])
    def test_by_implementation(self, service: Service, version: str) -> None:
        """A run brings what its cluster serves; each agent is held against the groups that are asked for."""
        upload = RunUpload(kind=RunKind.LIVE, logs=[gateway_log()], swagger=gateway_document(version))
        run, _ = service.runs.add(upload)
        found = service.breakdowns.get(
            run=run.id,
            by=[GroupedBy.AGENT, GroupedBy.LEVEL],
            metric=ExercisedBy.HIT,
            only=OperationFilter(groups=["gateway.networking.k8s.io"]),
        )
        assert [(*row.key.values(), row.operations, row.hit, row.percent) for row in found.rows] == [
            ("envoy-gateway", "stable", 3, 2, 66.6),
            ("envoy-gateway", "beta", 1, 0, 0.0),
            ("nginx-gateway", "beta", 1, 1, 100.0),
            ("nginx-gateway", "stable", 3, 1, 33.3),
        ]
        assert (found.totals.operations, found.totals.hit) == (4, 3)

    def test_an_uploaded_document_is_of_kubernetes_version(self, service: Service) -> None:
        """What holds for others is what a cluster of that version serves, CRDs and all."""
        since = NOON - timedelta(days=50)
        service.documents.put_swagger("v1.35.0", gateway_document(), holds_from=since)
        run, _ = service.runs.add(RunUpload(kind=RunKind.LIVE, logs=[gateway_log()], version="v1.35.2"))
        groups = service.breakdowns.get(run=run.id, by=[GroupedBy.GROUP], metric=ExercisedBy.HIT).rows
        assert [(row.key[GroupedBy.GROUP], row.hit) for row in groups] == [
            ("gateway.networking.k8s.io", 3),
            (None, 1),
        ]
        with pytest.raises(RequestError, match="not a version of Kubernetes: gateway"):
            service.documents.put_swagger("gateway", document())
