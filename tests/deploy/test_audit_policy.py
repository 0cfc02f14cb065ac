import re
from collections.abc import Iterator
from typing import Any

import pytest

from auditsvc.core.swagger import Swagger
from tests.deploy.policy import Request, find_level, find_rule, request_of
from tests.deploy.reading import read_yaml

CONFORMANCE = read_yaml("audit/audit-policy.yaml")
PRODUCTION = read_yaml("audit/audit-policy-production.yaml")
POLICIES = pytest.mark.parametrize("policy", [CONFORMANCE, PRODUCTION], ids=["conformance", "production"])

# audit.k8s.io/v1: what the API server's strict decoder knows, and what its validation allows.
POLICY_KEYS = {"apiVersion", "kind", "omitStages", "rules"}
RULE_KEYS = {
    *("level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs"),
    *("omitStages", "omitManagedFields"),
}
LEVELS = {"None", "Metadata", "Request", "RequestResponse"}
STAGES = {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"}
VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
GROUP = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?")

IDENTITIES: list[dict[str, Any]] = [
    {"user": "alice"},
    {"user": "system:node:worker", "groups": ("system:nodes", "system:authenticated")},
    {"user": "system:kube-controller-manager"},
    {"user": "system:serviceaccount:kube-system:add-on", "groups": ("system:serviceaccounts:kube-system",)},
]
PROBES = [Request(path=path) for path in ("/healthz", "/livez/etcd", "/readyz", "/metrics", "/metrics/slis")]


def requests_of(swagger: Swagger, **who: Any) -> Iterator[Request]:
    """A request for each operation."""
    for operation in swagger.operations.values():
        yield request_of(operation.path, operation.method, **who)


@POLICIES
def test_policy_has_the_shape_that_the_api_server_takes(policy: dict[str, Any]) -> None:
    """Known keys, levels and stages only; at least one rule."""
    assert (policy["apiVersion"], policy["kind"]) == ("audit.k8s.io/v1", "Policy")
    assert set(policy) <= POLICY_KEYS
    assert set(policy["omitStages"]) <= STAGES
    assert policy["rules"]
    for rule in policy["rules"]:
        assert set(rule) <= RULE_KEYS
        assert rule["level"] in LEVELS
        assert set(rule.get("verbs", ())) <= VERBS
        assert set(rule.get("omitStages", ())) <= STAGES
        lists = [rule[key] for key in RULE_KEYS - {"level", "omitManagedFields"} if key in rule]
        assert all(isinstance(entries, list) and entries for entries in lists)


@POLICIES
def test_rule_is_for_resources_or_for_urls(policy: dict[str, Any]) -> None:
    """The API server refuses both in one rule, a `*` inside a URL, and a group that is no DNS name."""
    for rule in policy["rules"]:
        assert not ("nonResourceURLs" in rule and {"resources", "namespaces"} & set(rule))
        assert all(re.fullmatch(r"/[^*]*\*?", url) for url in rule.get("nonResourceURLs", ()))
        for served in rule.get("resources", ()):
            assert set(served) == {"group", "resources"}
            assert GROUP.fullmatch(served["group"])
            assert served["resources"]


@POLICIES
def test_resources_that_are_named_exist(policy: dict[str, Any], newest_swagger: Swagger) -> None:
    """A resource in the wrong group, or misspelt, would match nothing and say nothing."""
    known = {
        (request.group, "/".join(filter(None, (request.resource, request.subresource))))
        for request in requests_of(newest_swagger)
    }
    named = {
        (served["group"], resource)
        for rule in policy["rules"]
        for served in rule.get("resources", ())
        for resource in served["resources"]
    }
    assert named <= known


@POLICIES
def test_every_rule_decides_something(policy: dict[str, Any], newest_swagger: Swagger) -> None:
    """No rule is hidden by those before it."""
    requests = [one for who in IDENTITIES for one in requests_of(newest_swagger, **who)] + PROBES
    deciding = [find_rule(policy, request) for request in requests]
    assert [rule for rule in policy["rules"] if rule not in deciding] == []


@POLICIES
def test_only_the_first_stage_is_left_out(policy: dict[str, Any]) -> None:
    """An unauthorized request has no stage but ResponseStarted, an open watch neither."""
    assert policy["omitStages"] == ["RequestReceived"]
    assert not any("omitStages" in rule for rule in policy["rules"])


@POLICIES
def test_no_body_is_ever_logged(policy: dict[str, Any]) -> None:
    """Those of Secrets, service account tokens and TokenReviews hold what nobody may read."""
    assert {rule["level"] for rule in policy["rules"]} <= {"None", "Metadata"}


@POLICIES
@pytest.mark.parametrize("who", IDENTITIES, ids=lambda who: who["user"])
@pytest.mark.parametrize(
    "request_path",
    ["/api/v1/namespaces/{n}/secrets/{name}", "/api/v1/namespaces/{n}/serviceaccounts/{name}/token"],
)
def test_credentials_are_logged_whoever_asks(
    policy: dict[str, Any], who: dict[str, Any], request_path: str
) -> None:
    """The rule for them comes before those that leave components out."""
    assert find_level(policy, request_of(request_path, "GET", **who)) == "Metadata"


def test_conformance_policy_logs_every_request(newest_swagger: Swagger) -> None:
    """Of everybody, and of groups that nobody thought of."""
    requests = [one for who in IDENTITIES for one in requests_of(newest_swagger, **who)]
    unheard_of = Request(path="/apis/example.org/v1/things", group="example.org", resource="things")
    for request in [*requests, *PROBES, unheard_of]:
        assert find_level(CONFORMANCE, request) == "Metadata"


@pytest.mark.parametrize("who", [IDENTITIES[0], IDENTITIES[3]], ids=["a person", "an add-on"])
def test_production_policy_logs_all_of_people_and_applications(
    newest_swagger: Swagger, who: dict[str, Any]
) -> None:
    """Whatever operation of the API they use."""
    dropped = [one for one in requests_of(newest_swagger, **who) if find_level(PRODUCTION, one) == "None"]
    assert dropped == []


@pytest.mark.parametrize(
    ("path", "method", "who", "level"),
    [
        ("/apis/coordination.k8s.io/v1/namespaces/{n}/leases/{name}", "PUT", IDENTITIES[1], "None"),
        ("/apis/coordination.k8s.io/v1/namespaces/{n}/leases/{name}", "PUT", IDENTITIES[2], "None"),
        ("/apis/coordination.k8s.io/v1/namespaces/{n}/leases/{name}", "PUT", IDENTITIES[3], "Metadata"),
        ("/api/v1/nodes/{name}/status", "PATCH", IDENTITIES[1], "None"),
        ("/api/v1/nodes/{name}", "PATCH", IDENTITIES[1], "Metadata"),
        ("/apis/events.k8s.io/v1/namespaces/{n}/events", "POST", IDENTITIES[2], "None"),
        ("/api/v1/namespaces/{n}/events", "POST", IDENTITIES[0], "Metadata"),
        ("/api/v1/watch/pods", "GET", IDENTITIES[1], "None"),
        ("/api/v1/namespaces/{n}/pods/{name}/binding", "POST", IDENTITIES[2], "Metadata"),
        ("/healthz", "GET", IDENTITIES[0], "None"),
        ("/version/", "GET", IDENTITIES[0], "Metadata"),
    ],
)
def test_production_policy_leaves_out_repetition(
    path: str, method: str, who: dict[str, Any], level: str
) -> None:
    """Probes, and what kubelets and the control plane read and say again; what they change stays."""
    assert find_level(PRODUCTION, request_of(path, method, **who)) == level


# ------------------------------------------------------------------------ what the comments say of rules

POD = Request(path="/", resource="pods", name="web-0", namespace="shop")
LOG = Request(path="/", resource="pods", subresource="log", name="web-0", namespace="shop")
CUSTOM = Request(path="/", group="example.org", resource="pods")


@pytest.mark.parametrize(
    ("rule", "request_", "matches"),
    [
        ({}, POD, True),
        ({"resources": [{"group": ""}]}, POD, True),
        ({"resources": [{"group": ""}]}, CUSTOM, False),
        ({"resources": [{"group": "", "resources": ["pods"]}]}, LOG, False),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, LOG, True),
        ({"resources": [{"group": "", "resources": ["pods/*"]}]}, POD, True),
        ({"resources": [{"group": "", "resources": ["*/log"]}]}, LOG, True),
        ({"resources": [{"group": "", "resources": ["pods"], "resourceNames": ["other"]}]}, POD, False),
        ({"namespaces": ["shop"]}, POD, True),
        ({"namespaces": ["shop"]}, Request(path="/version"), False),
        ({"nonResourceURLs": ["/version*"]}, Request(path="/version/"), True),
        ({"nonResourceURLs": ["*"]}, POD, False),
        ({"users": ["alice"], "userGroups": ["system:masters"]}, POD, False),
        ({"verbs": ["list"]}, POD, False),
    ],
)
def test_rules_match_as_documented(rule: dict[str, Any], request_: Request, matches: bool) -> None:
    """What these tests judge the policies by."""
    assert (find_rule({"rules": [rule]}, request_) is rule) is matches


def test_first_rule_that_matches_decides() -> None:
    """And without one, nothing is logged."""
    rules = [{"level": "None", "verbs": ["get"]}, {"level": "Metadata", "users": ["alice"]}]
    assert find_level({"rules": rules}, POD) == "None"
    assert find_level({"rules": rules[::-1]}, POD) == "Metadata"
    assert find_level({"rules": rules}, Request(path="/", verb="list", user="bob")) == "None"
