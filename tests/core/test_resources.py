import gzip
import json
from pathlib import Path

import pytest

from auditsvc.core.resources import Resource, lifecycle, reference_urls, resource_of
from auditsvc.core.swagger import Operation, Swagger, parse_swagger

PAGE = "https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/"


@pytest.fixture(scope="module")
def newest(shared_data: Path) -> Swagger:
    """Kubernetes 1.36."""
    return parse_swagger(gzip.decompress((shared_data / "swagger/v1.36.json.gz").read_bytes()))


def made(**paths: dict[str, str]) -> list[Operation]:
    """The operations of a small document; each path's key has its slashes as ``__``."""
    document = {
        path: {method: {"operationId": name} for method, name in methods.items()}
        for path, methods in paths.items()
    }
    return list(parse_swagger(json.dumps({"swagger": "2.0", "paths": document}).encode()).operations.values())


THINGS = "/apis/x.io/v1/things"
SMALL = made(
    **{
        THINGS: {"get": "list", "post": "create", "delete": "wipe", "options": "ask"},
        f"{THINGS}/{{name}}": {"put": "replace", "delete": "delete"},
        f"{THINGS}/{{name}}/status": {"patch": "patchStatus"},
        f"{THINGS}/{{name}}/scale": {"get": "readScale", "post": "createScale"},
        "/version/": {"get": "version"},
    }
)


def steps(resource: Resource, operations: list[Operation], *also: str) -> list[tuple[str, str]]:
    """The steps in words, and the operations."""
    return [(step.word, step.operation.id) for step in lifecycle(resource, operations, also)]


class TestLifecycle:
    """What a test could do with a resource."""

    def test_in_the_order_of_a_life(self, newest: Swagger) -> None:
        """From its creation to its end, with its status; a watch is a list, and not deprecated."""
        operations = list(newest.operations.values())
        assert steps(Resource("/apis/apps/v1", "deployments"), operations) == [
            ("create", "createAppsV1NamespacedDeployment"),
            ("read", "readAppsV1NamespacedDeployment"),
            ("patch", "patchAppsV1NamespacedDeployment"),
            ("replace", "replaceAppsV1NamespacedDeployment"),
            ("read status", "readAppsV1NamespacedDeploymentStatus"),
            ("patch status", "patchAppsV1NamespacedDeploymentStatus"),
            ("replace status", "replaceAppsV1NamespacedDeploymentStatus"),
            ("list", "listAppsV1NamespacedDeployment"),
            ("list in all namespaces", "listAppsV1DeploymentForAllNamespaces"),
            ("watch", "listAppsV1NamespacedDeployment"),
            ("watch in all namespaces", "listAppsV1DeploymentForAllNamespaces"),
            ("delete", "deleteAppsV1NamespacedDeployment"),
            ("deletecollection", "deleteAppsV1CollectionNamespacedDeployment"),
        ]

    def test_only_what_there_is(self) -> None:
        """A resource that lacks an operation lacks the step; other subresources are those that are named."""
        resource = Resource("/apis/x.io/v1", "things")
        whole = [
            ("create", "create"),
            ("replace", "replace"),
            ("patch status", "patchStatus"),
            ("list", "list"),
            ("watch", "list"),
            ("delete", "delete"),
            ("deletecollection", "wipe"),
        ]
        assert steps(resource, SMALL) == whole
        scaled = steps(resource, SMALL, "createScale", "readScale")
        assert scaled[3:5] == [("read scale", "readScale"), ("create scale", "createScale")]

    def test_connections_are_named_by_method(self, newest: Swagger) -> None:
        """They have no verb of their own."""
        operations = list(newest.operations.values())
        found = steps(Resource("/api/v1", "nodes"), operations, "connectCoreV1GetNodeProxyWithPath")
        assert ("GET proxy/{path}", "connectCoreV1GetNodeProxyWithPath") in found
        assert not any("namespaces" in word for word, _ in found)

    def test_some_operations_are_of_no_resource(self) -> None:
        """Discovery and the version."""
        assert resource_of(SMALL[-1]) is None
        assert resource_of(SMALL[0]) == Resource("/apis/x.io/v1", "things")


class TestReference:
    """Where Kubernetes documents an operation."""

    @pytest.mark.parametrize(
        ("name", "anchor"),
        [
            ("listCoreV1NamespacedPod", "#pod-v1-core"),
            ("createCoreV1NamespacedPodEviction", "#pod-v1-core"),
            ("connectCoreV1GetNodeProxy", "#node-v1-core"),
            ("replaceCoreV1NamespaceFinalize", "#namespace-v1-core"),
            ("listRbacAuthorizationV1ClusterRole", "#clusterrole-v1-rbac-authorization-k8s-io"),
            ("getAppsV1APIResources", "#api-groups"),
            ("getCodeVersion", ""),
        ],
    )
    def test_is_at_its_resource(self, newest: Swagger, name: str, anchor: str) -> None:
        """Whose anchor is the kind, the version and the group, as navData.js of the page has them."""
        assert reference_urls("1.36.0", newest.operations)[name] == PAGE + anchor

    def test_is_there_for_all_that_kubernetes_serves(self, newest: Swagger) -> None:
        """Whatever its group is called."""
        assert reference_urls("1.36.0", newest.operations).keys() == newest.operations.keys()

    def test_is_not_there_for_projects_of_the_community(self) -> None:
        """Their resources are custom ones, though their groups end in k8s.io."""
        path = "/apis/gateway.networking.k8s.io/v1/gateways"
        operations = made(**{path: {"get": "listGateway"}})
        assert reference_urls("1.36.0", {one.id: one for one in operations}) == {}

    def test_is_not_there_for_other_domains(self) -> None:
        """What Kubernetes does not serve it does not document."""
        found = reference_urls("v1.36.1", {one.id: one for one in SMALL})
        assert found == {"version": PAGE}
