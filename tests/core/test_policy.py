import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.policy import Severity, lint_policy
from auditsvc.core.swagger import Swagger, parse_swagger
from auditsvc.errors import ParseError
from tests.audits.given import swagger_of

RECIPES = Path(__file__).resolve().parents[2] / "deploy" / "audit"
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n"
LAST = "- level: Metadata\n"
LOG, OFF = HEAD + "- level: Metadata\n  ", HEAD + "- level: None\n  "
E, W = "error", "warning"
SWAGGER = swagger_of(
    {
        "listPod": ("get", "/api/v1/namespaces/{namespace}/pods", ""),
        "readPodLog": ("get", "/api/v1/namespaces/{namespace}/pods/{name}/log", ""),
        "readNamespaceStatus": ("get", "/api/v1/namespaces/{name}/status", ""),
        "watchJobs": ("get", "/apis/batch/v1/watch/namespaces/{namespace}/jobs", ""),
        "getApi": ("get", "/api/", ""),
        "getBatch": ("get", "/apis/batch/v1/", ""),
        "getVersion": ("get", "/version/", ""),
    }
)


def found(text: str, swagger: Swagger | None = None) -> list[tuple[int, str, str]]:
    """What is found in a policy: line, severity, text."""
    return [(one.line, str(one.severity), one.text) for one in lint_policy(text, swagger)]


@pytest.mark.parametrize("name", ["audit-policy.yaml", "audit-policy-production.yaml"])
def test_our_recipes_are_clean(name: str, shared_data: Path) -> None:
    """Nothing is found in either, with the newest swagger."""
    swagger = parse_swagger(gzip.decompress((shared_data / "swagger/v1.36.json.gz").read_bytes()))
    assert lint_policy((RECIPES / name).read_bytes(), swagger) == ()


@pytest.mark.parametrize(
    ("text", "line", "severity", "said"),
    [
        # what it is
        ("kind: Policy\nomitStages: [RequestReceived]\nrules:\n" + LAST, 1, E, "apiVersion is missing, not "),
        (HEAD.replace("v1", "v1beta1") + LAST, 1, E, "apiVersion is audit.k8s.io/v1beta1, not audit."),
        (HEAD.replace("Policy", "List") + LAST, 2, E, "kind is List, not Policy"),
        (HEAD, 4, E, "no rules: "),
        (HEAD + "  level: None", 4, E, "no rules: "),
        (HEAD.replace("rules:\n", ""), 1, E, "no rules: "),
        # keys, levels, stages
        (LOG + "stages: [Panic]\n", 6, E, "unknown key stages in a rule: "),
        (LOG + "nonResourceUrl: [/x]\n", 6, E, "unknown key nonResourceUrl"),
        ("omitstages: []\n" + HEAD + LAST, 1, E, "unknown key omitstages in a policy: "),
        (OFF + "users: [system:x]\n  resources:\n  - groups: x\n" + LAST, 8, E, "unknown key groups"),
        (HEAD + "- level: metadata\n", 5, E, "unknown level metadata"),
        (HEAD + "- level: null\n", 5, E, "unknown level null"),
        (HEAD + "- level: [None]\n", 5, E, "unknown level "),
        (HEAD + "- users: [a]\n" + LAST, 5, E, "a rule without level"),
        (LOG + "omitStages: [Response]\n", 6, E, "unknown stage Response"),
        (LOG + "omitStages: [ResponseComplete]\n", 6, E, "omitStages ResponseComplete: "),
        (LOG + "omitStages: [Panic]\n", 6, W, "omitStages Panic: "),
        (HEAD.replace("omitStages: [RequestReceived]\n", "") + LAST, 4, W, "the stage RequestReceived is "),
        # shapes
        (HEAD + "- Metadata\n" + LAST, 5, E, "a rule is a mapping, not a string"),
        (OFF + "users: system:x\n" + LAST, 6, E, "users is a list, not a string"),
        (OFF + "users: {a: b}\n" + LAST, 6, E, "users is a list, not a mapping"),
        (LOG + "users: [1]\n" + LAST, 6, E, "an item of users is a string, not an integer"),
        (LOG + "users: [[a]]\n" + LAST, 6, E, "an item of users is a string, not a list"),
        (LOG + "resources: pods\n", 6, E, "resources is a list, not a string"),
        (LOG + "resources: [pods]\n", 6, E, "an item of resources is a mapping, not a "),
        # what the API server does not start with
        (LOG + "namespaces: [a]\n  nonResourceURLs: [/x]\n" + LAST, 5, E, "a rule is for "),
        (LOG + "nonResourceURLs: [x]\n" + LAST, 5, E, "nonResourceURL x: "),
        (LOG + "nonResourceURLs: [/*/x]\n" + LAST, 5, E, "nonResourceURL /*/x: "),
        (LOG + "resources: [{group: apps/v1}]\n" + LAST, 6, E, "apps/v1 is no group: "),
        (LOG + "resources: [{resourceNames: [a]}]\n" + LAST, 6, E, "resourceNames without"),
        # what matches nothing
        (HEAD + LAST + "- level: None\n  users: [system:x]\n", 6, E, "this rule never decides: the rule on"),
        (
            HEAD + "- {level: Metadata, namespaces: [a]}\n- {level: Metadata, namespaces: [b]}\n"
            "- {level: Metadata, namespaces: [a, b]}\n" + LAST,
            7, E, "this rule never decides: the rules before it match all",
        ),
        (LOG + "verbs: ['*']\n" + LAST, 5, E, "verbs knows no wildcard: "),
        (LOG + "users: ['system:*']\n" + LAST, 5, E, "users knows no wildcard: "),
        (LOG + "verbs: [read]\n" + LAST, 5, W, "no request has the verb read"),
        (LOG + "namespaces: [a]\n  verbs: [post]\n" + LAST, 5, W, "no request for a resource"),
        (LOG + "nonResourceURLs: [/x]\n  verbs: [list]\n" + LAST, 5, W, "no request for a URL"),
        (LOG + "resources: [{group: core}]\n" + LAST, 6, E, "there is no group"),
        (LOG + "resources: [{resources: ['*/*']}]\n" + LAST, 6, W, "*/* matches no"),
        (LOG + "resources: [{group: '', resources: [jobs]}]\n" + LAST, 5, E, "jobs is not"),
        (LOG + "resources: [{group: batch, resources: ['pods/*']}]\n" + LAST, 5, E, "pods/* is not"),
        (LOG + "resources: [{group: x.org, resources: [things]}]\n" + LAST, 5, W, "the swagger has no"),
        # what an audit needs
        (OFF + "verbs: [watch]\n" + LAST, 5, W, "level None for everybody: "),
        (OFF + "nonResourceURLs: [/healthz*, /version*]\n" + LAST, 5, W, "level None for everybody: "),
        (OFF + "nonResourceURLs: ['*']\n" + LAST, 5, W, "level None for everybody: "),
        (OFF + "userGroups: [system:masters]\n" + LAST, 5, W, "level None for system:masters: "),
        (OFF + "users: [system:anonymous]\n" + LAST, 5, W, "level None for system:anonymous: "),
        (OFF + "users: [alice, bob]\n" + LAST, 5, W, "level None for alice, bob: "),
        (LOG + "users: [a]\n", 5, W, "what no rule matches is not logged"),
        (HEAD + "- level: Request\n", 5, W, "level Request writes what secrets, configmaps, serviceacc"),
        (
            LOG + "resources: [{resources: [pods, pods/log]}]\n"
            "- level: RequestResponse\n",
            7, W, "level RequestResponse writes what secrets, configmaps, ",
        ),
    ],
)  # fmt: skip  # one line a mistake
def test_found(text: str, line: int, severity: str, said: str) -> None:
    """Each mistake is found on its line, and nothing else is."""
    assert [(at, how, what[: len(said)]) for at, how, what in found(text, SWAGGER)] == [
        (line, severity, said)
    ]


@pytest.mark.parametrize(
    "text",
    [
        HEAD + LAST,
        HEAD + "- level: None\n  userGroups: [system:nodes]\n  verbs: [get]\n" + LAST,
        HEAD + "- level: None\n  nonResourceURLs: ['/healthz*']\n" + LAST,
        HEAD + "- level: None\n  resources: [{group: example.org}]\n" + LAST,
        HEAD
        + "- level: None\n  users: [system:x]\n  resources: [{group: '*', resources: [pods/log]}]\n"
        + LAST,
        HEAD + "- level: Metadata\n  resources: [{resources: [namespaces/status, '*/log', '*']}]\n" + LAST,
        HEAD + "- level: Metadata\n  resources: [{group: batch, resources: [jobs]}]\n  users:\n" + LAST,
        HEAD + "- level: Metadata\n  resources:\n  verbs: [get]\n" + LAST,
        HEAD + "- level: Request\n  resources: [{resources: [pods]}]\n" + LAST,
        HEAD + "- level: Request\n  nonResourceURLs: ['*']\n" + LAST,
        HEAD + "- level: None\n",
    ],
)
def test_nothing_found(text: str) -> None:
    """What is right is not complained of; to log nothing at all is told as what it drops alone."""
    assert [what for _, _, what in found(text, SWAGGER) if not what.startswith("level None for")] == []


def test_credentials_that_an_earlier_rule_keeps_are_not_told() -> None:
    """Only those that the rule itself decides are."""
    kept = "- level: Metadata\n  resources: [{resources: [secrets, serviceaccounts/token]}]\n"
    [one] = lint_policy(HEAD + kept + "- level: RequestResponse\n")
    assert (one.line, one.text) == (
        7,
        "level RequestResponse writes what configmaps, tokenreviews hold to the log",
    )


def test_of_many_rules_alike_the_first_is_blamed() -> None:
    """A rule that never decides hides nothing itself, so thousands of them are compared with one."""
    rules = "- level: Metadata\n" * 3000
    findings = found(f"{HEAD}{rules}")
    assert len(findings) == 2999
    assert {text.partition(" matches")[0] for _, _, text in findings} == {
        "this rule never decides: the rule on line 5"
    }


def test_did_you_mean() -> None:
    """A key, level or stage that is nearly right is told."""
    text = HEAD + "- level: none\n  stages: [x]\n  omitStages: [panic]\n  zzz: 1\n"
    hints = [one.resolution for one in lint_policy(text)]
    assert hints[:3] == ["did you mean None?", "did you mean omitStages?", "did you mean Panic?"]
    assert hints[3].startswith("known are level, users, ")


def test_without_a_swagger_groups_are_not_known() -> None:
    """Nothing is said of resources."""
    assert lint_policy(HEAD + "- level: Metadata\n  resources: [{resources: [jobs]}]\n" + LAST) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: an empty document: a policy has apiVersion, kind and rules"),
        (
            "- a",
            "line 1, column 1: expected a policy: a mapping with apiVersion, kind and rules, found a list",
        ),
        ("a: b\n---\nc: d", "line 2, column 1: a second document, where a policy is one"),
        ("kind: a\nkind: b", "line 2, column 1: a second kind in one policy"),
        ("a: [", "line 2, column 1: not YAML: "),
    ],
)
def test_no_policy(text: str, message: str) -> None:
    """What is no YAML mapping is refused, with the place."""
    with pytest.raises(ParseError) as refused:
        lint_policy(text)
    assert str(refused.value).startswith(message)


pieces = st.sampled_from(
    [
        "- level: ",
        "None",
        "Metadata",
        "\n",
        "  ",
        "users: ",
        "resources:\n",
        "- ",
        "group: ",
        "[a]",
        "{}",
        "'*'",
        "x",
    ]
)


@given(st.lists(pieces).map(lambda parts: HEAD + "".join(parts)) | st.text() | st.binary())
def test_anything(text: str | bytes) -> None:
    """Any text is linted or refused; each finding has a line, a text and a remedy."""
    with suppress(ParseError):
        for one in lint_policy(text, SWAGGER):
            assert one.line >= 1
            assert one.severity in Severity
            assert one.text
            assert one.resolution
