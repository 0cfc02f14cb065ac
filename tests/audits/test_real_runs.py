"""The four audits of the mission over real runs: one published pull request, and the demo's."""

import gzip
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditsvc.core.counting import Counting
from auditsvc.core.eligibility import narrow
from auditsvc.core.endpoints import EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.results import Status
from auditsvc.core.runs import Baseline, RecordedRun, RunKind, Subject
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.core.usage import Usage
from tests.audits.given import floats, held_against, judging, missing, outcome, reported, run, subject

ADDED = [
    "createResourceV1DeviceClass",
    "createResourceV1NamespacedResourceClaim",
    "createResourceV1NamespacedResourceClaimTemplate",
    "createResourceV1ResourceSlice",
    "deleteResourceV1DeviceClass",
    "deleteResourceV1NamespacedResourceClaim",
    "readResourceV1NamespacedResourceClaim",
    "replaceResourceV1NamespacedResourceClaim",
    "replaceResourceV1NamespacedResourceClaimStatus",
]
LISTED_AFTERWARDS = {"connectCoreV1PostNamespacedPodExec", "connectCoreV1PostNamespacedPodPortforward"}


@pytest.fixture(scope="module")
def swagger(shared_data: Path) -> Swagger:
    """Kubernetes 1.34's."""
    return parse_swagger(gzip.decompress((shared_data / "swagger" / "v1.34.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def not_found(shared_data: Path) -> frozenset[str]:
    """The 29 that became the pending list."""
    return parse_endpoint_list((shared_data / "lists" / "pending_eligible_endpoints.yaml").read_bytes()).names


@pytest.fixture(scope="module")
def lists(shared_data: Path) -> EndpointLists:
    """An empty pending list, and the ineligible list as it was."""
    ineligible = parse_endpoint_list((shared_data / "lists" / "ineligible_endpoints.yaml").read_bytes())
    kept = (entry for entry in ineligible.entries if entry.endpoint not in LISTED_AFTERWARDS)
    return EndpointLists(ineligible=EndpointList(tuple(kept)))


@pytest.fixture(scope="module")
def pull_request(swagger: Swagger, lists: EndpointLists, not_found: frozenset[str]) -> Subject:
    """The pull run, held against CI."""
    eligible = narrow(swagger, lists, imported=True).eligible
    pull = [*(eligible - not_found), "getResourceV1beta2APIResources"]
    ci = set(pull) - set(ADDED)
    assert (len(ci), len(pull)) == (508, 517)
    return subject(reported(*pull), held_against(reported(*ci)), swagger=swagger, lists=lists)


@pytest.fixture(scope="module")
def demo(demo_data: Path) -> Subject:
    """``pull`` held against ``ci``."""
    swagger = parse_swagger(gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes()))

    def usage(name: str) -> Usage:
        log = gzip.decompress((demo_data / f"{name}-audit.log.gz").read_bytes())
        counting = Counting(OperationMapper(swagger))
        counting.count(log)
        return counting.usage()

    lists = EndpointLists(
        *(
            parse_endpoint_list((demo_data / f"demo-1.20.2-{name}.yaml").read_bytes())
            for name in ("pending", "ineligible")
        )
    )
    baseline = Baseline((RecordedRun(run("c1", RunKind.CI), usage("ci")),))
    return subject(usage("pull"), baseline, swagger=swagger, lists=lists)


class TestPullRequest:
    """A pull request of the 1.34 cycle: 508 operations in CI, 517 in the pull run, 29 stable ones in neither.

    Its lists were the shared ones less what they got afterwards. Of its reports the counts are published,
    and the names of what was added and not found; the others are the eligible operations, and one that is
    not: 516 eligible ones were found.
    """

    def test_operation_equality(self, pull_request: Subject) -> None:
        """Nine added by name and none removed is a warning."""
        result = outcome("AuditOperationEquality", judging(pull_request))
        assert result.status is Status.WARNING
        assert missing(result) == [(name, "in pull run p1, not in CI baseline c1") for name in ADDED]
        assert (
            "1062 operations in swagger, 508 in CI baseline, 517 in pull run, 9 added, 0 removed, net +9"
            in result.description
        )

    def test_pending_reconciliation(self, pull_request: Subject, not_found: frozenset[str]) -> None:
        """The 29 stable endpoints not found are those that became the pending list."""
        result = outcome("AuditPendingReconciliation", judging(pull_request))
        assert floats(result) == {("Results", "p1", "eligible"): (545, 516)}
        assert len(not_found) == 29
        assert missing(result) == [
            (name, f"Stable endpoint {name} not found in pending_eligible_endpoints.yaml")
            for name in sorted(not_found)
        ]

    def test_with_the_lists_that_it_got(self, pull_request: Subject, shared_data: Path) -> None:
        """With the pending list made of what was missed, all is reconciled."""
        pending = parse_endpoint_list(
            (shared_data / "lists" / "pending_eligible_endpoints.yaml").read_bytes()
        )
        listed = replace(pull_request, lists=replace(pull_request.lists, pending=pending))
        assert outcome("AuditPendingReconciliation", judging(listed)).status is Status.PASSED

    def test_swagger_total(self, pull_request: Subject) -> None:
        """The totals add up."""
        result = outcome("AuditSwaggerTotal", judging(pull_request))
        assert result.status is Status.PASSED
        assert result.description.endswith(
            "1062 operations → 1050 observable → 847 not deprecated → 638 stable → 545 eligible "
            "= 516 exercised + 0 pending only + 29 untested"
        )

    def test_ineligible_consistency(self, pull_request: Subject) -> None:
        """The community's list contradicts nothing; two of its entries are for alpha groups."""
        result = outcome("AuditIneligibleConsistency", judging(pull_request))
        where = "found in ineligible_endpoints.yaml but is alpha"
        assert result.floats == ()
        assert missing(result) == [
            ("getInternalApiserverAPIGroup", f"Endpoint getInternalApiserverAPIGroup {where} (line 142)"),
            ("getStoragemigrationAPIGroup", f"Endpoint getStoragemigrationAPIGroup {where} (line 154)"),
        ]

    def test_the_lists_that_it_got(self, pull_request: Subject, shared_data: Path) -> None:
        """The two endpoints that went on both lists are where these contradict each other."""
        pending, ineligible = (
            parse_endpoint_list((shared_data / "lists" / f"{name}_endpoints.yaml").read_bytes())
            for name in ("pending_eligible", "ineligible")
        )
        listed = replace(pull_request, lists=EndpointLists(pending, ineligible))
        result = outcome("AuditIneligibleConsistency", judging(listed))
        assert floats(result) == {("Results", "list", "pending"): (0, 2)}
        assert all(name in result.floats[0].detail for name in LISTED_AFTERWARDS)


class TestDemo:
    """The shipped logs of a 1.20.2 server, with lists that hold a few mistakes of each kind."""

    def test_operation_equality(self, demo: Subject) -> None:
        """The run adds what is pending, and loses two operations that conformance counts on."""
        result = outcome("AuditOperationEquality", judging(demo))
        assert floats(result) == {("Runs", "p1", "added"): (13, 16), ("Runs", "p1", "removed"): (4, 6)}
        assert [found.detail for found in result.floats] == [
            "createCoreV1NamespacedPodEviction, patchCoreV1PersistentVolumeStatus, readCoreV1NamespaceStatus",
            "patchAppsV1NamespacedStatefulSet, readCoreV1NamespacedPodLog",
        ]
        assert len(result.missing) == 22

    def test_pending_reconciliation(self, demo: Subject) -> None:
        """Endpoints nobody tests, tested ones that are pending, and entries that should not be there."""
        result = outcome("AuditPendingReconciliation", judging(demo))
        assert floats(result) == {
            ("Results", "p1", "eligible"): (469, 465),
            ("Results", "p1", "pending"): (278, 281),
        }
        assert missing(result) == [
            *(
                (name, f"Stable endpoint {name} not found in pending_eligible_endpoints.yaml")
                for name in (
                    "createAuthenticationV1TokenReview",
                    "patchAppsV1NamespacedStatefulSet",
                    "readCoreV1NamespacedPodLog",
                    "replaceStorageV1CSIDriver",
                )
            ),
            *(
                (name, f"Endpoint {name} found in pending_eligible_endpoints.yaml but is being tested")
                for name in (
                    "createCoreV1NamespacedPodEviction",
                    "patchCoreV1PersistentVolumeStatus",
                    "readCoreV1NamespaceStatus",
                )
            ),
            *(
                (name, f"Endpoint {name} found in pending_eligible_endpoints.yaml {what}")
                for name, what in (
                    ("patchCoreV1NamespacedPodResize", "but is not in the swagger (line 283)"),
                    ("replaceFlowcontrolApiserverV1beta1FlowSchemaStatus", "but is beta (line 284)"),
                    ("listCoreV1ComponentStatus", "once more (line 282)"),
                )
            ),
        ]

    def test_ineligible_consistency(self, demo: Subject) -> None:
        """One mistake of each kind."""
        result = outcome("AuditIneligibleConsistency", judging(demo))
        assert [(found.path[1], found.actual, found.detail) for found in result.floats] == [
            ("duplicate", 1, "logFileListHandler (line 57)"),
            ("pending", 1, "connectCoreV1GetNamespacedPodPortforward (line 62)"),
            ("incomplete", 1, "connectCoreV1GetNamespacedPodAttach (line 60)"),
        ]
        assert missing(result) == [
            (name, f"Endpoint {name} found in ineligible_endpoints.yaml but is {what}")
            for name, what in (
                ("watchCoreV1PodListForAllNamespaces", "deprecated (line 65)"),
                ("createFlowcontrolApiserverV1beta1FlowSchema", "beta (line 68)"),
                ("readAutoscalingV2NamespacedHorizontalPodAutoscaler", "not in the swagger (line 71)"),
                ("connectCoreV1GetNodeProxyWithPath", "conformance-tested in pull run p1 (line 11)"),
            )
        ]

    def test_swagger_total(self, demo: Subject) -> None:
        """The totals pass, and the ledger is the design's."""
        result = outcome("AuditSwaggerTotal", judging(demo))
        assert (result.status, result.missing) == (Status.PASSED, ())
        assert result.description == (
            "pull run p1: 1066 operations → 1060 observable → 859 not deprecated → 487 stable → 469 eligible "
            "= 190 exercised + 275 pending only + 4 untested"
        )

    def test_every_finding_says_what_to_do(self, demo: Subject) -> None:
        """Each has a resolution, in one line."""
        for known in ("OperationEquality", "PendingReconciliation", "IneligibleConsistency"):
            result = outcome(f"Audit{known}", judging(demo))
            resolutions = [found.resolution for found in result.floats] + [
                found.resolution for found in result.missing
            ]
            assert all(resolutions)
            assert not any("\n" in resolution for resolution in resolutions)
