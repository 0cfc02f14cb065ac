from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditsvc.core.policy_rules import PolicyRule, Served, is_hidden, narrow_rule
from tests.deploy.policy import Request, find_rule

ANY = PolicyRule(line=1, level="Metadata")


def rule(**conditions: Any) -> PolicyRule:
    """A rule with these conditions."""
    return PolicyRule(line=1, level="Metadata", **conditions)


PODS = rule(resources=(Served("", ("pods",)),))
ALL_OF_PODS = rule(resources=(Served("", ("pods/*",)),))
CORE = rule(resources=(Served(""),))


@pytest.mark.parametrize(
    ("later", "before", "hidden"),
    [
        (PODS, [], False),
        (PODS, [ANY], True),
        (ANY, [PODS], False),
        (PODS, [CORE], True),
        (CORE, [PODS], False),
        (PODS, [ALL_OF_PODS], True),
        (ALL_OF_PODS, [PODS], False),
        (ALL_OF_PODS, [PODS, rule(resources=(Served("", ("pods/log",)),))], False),
        (CORE, [rule(resources=(Served("", ("*",)),))], True),
        (CORE, [rule(resources=(Served("*"),))], True),
        (rule(resources=(Served("*"),)), [CORE], False),
        (rule(resources=(Served("", ("pods/log",)),)), [rule(resources=(Served("", ("*/log",)),))], True),
        (rule(resources=(Served("", ("*/log",)),)), [rule(resources=(Served("", ("pods/log",)),))], False),
        (PODS, [rule(resources=(Served("", ("pods",), ("web",)),))], False),
        (rule(resources=(Served("", ("pods",), ("web",)),)), [PODS], True),
        (rule(namespaces=("a", "b")), [rule(namespaces=("a",)), rule(namespaces=("b",))], True),
        (rule(namespaces=("a", "b")), [rule(namespaces=("a",)), rule(namespaces=("c",))], False),
        (rule(verbs=("get", "list")), [rule(verbs=("get",)), rule(verbs=("list",))], True),
        (rule(users=("a",), groups=("g",)), [rule(groups=("g", "h"))], True),
        (rule(groups=("g", "h")), [rule(groups=("g",))], False),
        (rule(urls=("/healthz*",)), [rule(urls=("/health*",))], True),
        (rule(urls=("/healthz*",)), [rule(urls=("/healthz",))], False),
        (rule(urls=("*",)), [rule(urls=("/*",))], True),
        (rule(urls=("/version",)), [PODS, CORE], False),
        (ANY, [rule(urls=("*",)), rule(resources=(Served("*"),))], True),
        (ANY, [rule(urls=("*",)), rule(verbs=("get",))], False),
    ],
)
def test_hidden(later: PolicyRule, before: list[PolicyRule], hidden: bool) -> None:
    """A rule is hidden when those before it, together, match all that it does."""
    assert is_hidden(later, before) is hidden


NAMES = ("a", "b")
RESOURCES = ("*", "pods", "pods/log", "pods/*", "*/log", "jobs")
URLS = ("*", "/a*", "/ab", "/abc*")
some = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
served = st.builds(
    Served,
    st.sampled_from(["", "batch"]),
    st.lists(st.sampled_from(RESOURCES), max_size=2, unique=True).map(tuple),
    st.just(()) | st.just(("a",)),
).filter(lambda one: bool(one.resources) or not one.names)
about_resources = st.fixed_dictionaries(
    {}, optional={"resources": st.lists(served, max_size=2).map(tuple), "namespaces": some}
)
about_urls = st.fixed_dictionaries(
    {}, optional={"urls": st.lists(st.sampled_from(URLS), max_size=2).map(tuple)}
)
who = st.fixed_dictionaries({}, optional={"users": some, "groups": some, "verbs": some})
rules = st.builds(lambda one, two: rule(**one, **two), who, about_resources | about_urls)

# Every request that rules of these values can tell apart.
REQUESTS = [
    Request(path="/", verb=verb, user=user, groups=groups, **target)
    for user, groups, verb in product(("a", "b", "x"), ((), ("a",), ("b",), ("a", "b")), ("a", "b", "x"))
    for target in [
        *(
            {"group": group, "resource": resource, "subresource": sub, "name": name, "namespace": namespace}
            for group, resource, sub, name, namespace in product(
                ("", "batch", "other"),
                ("pods", "jobs", "other"),
                ("", "log", "other"),
                ("a", "x"),
                ("a", "b", "x"),
            )
        )
    ]
] + [
    Request(path=path, verb=verb, user=user, groups=groups)
    for user, groups, verb in product(("a", "b", "x"), ((), ("a",), ("b",), ("a", "b")), ("a", "b", "x"))
    for path in ("/", "/a", "/ab", "/abc", "/abcd", "/x")
]


def written(one: PolicyRule) -> dict[str, Any]:
    """The rule as a policy has it."""
    resources = [
        {"group": each.group, "resources": list(each.resources), "resourceNames": list(each.names)}
        for each in one.resources
    ]
    lists = {
        "users": one.users,
        "userGroups": one.groups,
        "verbs": one.verbs,
        "namespaces": one.namespaces,
        "nonResourceURLs": one.urls,
        "resources": resources,
    }
    return {key: list(values) for key, values in lists.items() if values}


@settings(max_examples=60)  # each asks thousands of requests
@given(rules, st.lists(rules, max_size=3))
def test_hidden_is_exact(later: PolicyRule, before: list[PolicyRule]) -> None:
    """Whatever the rules, a hidden one decides none of all requests, and another one at least one."""
    policy = {"rules": [written(one) for one in (*before, later)]}
    decides = any(find_rule(policy, request) is policy["rules"][-1] for request in REQUESTS)
    assert is_hidden(later, before) is not decides


@pytest.mark.parametrize(
    ("one", "narrowed"),
    [
        (ANY, (Served("", ("pods/log",)),)),
        (CORE, (Served("", ("pods/log",)),)),
        (ALL_OF_PODS, (Served("", ("pods/log",)),)),
        (rule(resources=(Served("", ("*/log",), ("web",)),)), (Served("", ("pods/log",), ("web",)),)),
        (PODS, None),
        (rule(urls=("*",)), None),
        (rule(resources=(Served("batch"),)), None),
    ],
)
def test_narrowed_to_a_resource(one: PolicyRule, narrowed: tuple[Served, ...] | None) -> None:
    """What is left of a rule for one resource."""
    found = narrow_rule(one, "", "pods/log")
    assert (found and found.resources) == narrowed
