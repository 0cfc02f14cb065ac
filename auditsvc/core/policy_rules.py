"""The rules of a Kubernetes audit policy: what they match, and what those before them leave to them.

How a rule matches is the API server's own way (k8s.io/apiserver, audit/policy/checker.go): the first rule
that matches decides; all of a rule's conditions must hold; values are compared as they are, and only
resources (``*``, ``pods/*``, ``*/status``) and the end of a URL know a wildcard. Group ``*`` is known from
1.36 on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product

import msgspec
from msgspec.structs import replace

OTHER = "\0"
"""A value that no policy holds: it stands for every value that a policy does not name."""


class Served(msgspec.Struct, frozen=True):
    """Resources of a group; without any, all of it. With ``names`` only objects that are called so."""

    group: str
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as written; a condition that is empty is none. ``line`` is where it starts, from 1."""

    line: int
    level: str
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[Served, ...] = ()
    namespaces: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def for_resources(self) -> bool:
        """Whether only requests for resources can match."""
        return bool(self.resources or self.namespaces)


class Target(msgspec.Struct, frozen=True):
    """What a request asks for: an object of a resource, or with ``path`` a URL that is none."""

    group: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    path: str | None = None


def is_hidden(rule: PolicyRule, before: Sequence[PolicyRule]) -> bool:
    """Whether the rules before it match every request that the rule matches, so that it decides nothing.

    Exact: each of the rule's conditions is tried with every value that it names, and one that names none with
    a value that nobody names. What such a request matches, matches all that the request stands for.
    """
    return _are_matched(before, _dimensions(rule))


def narrow_rule(rule: PolicyRule, group: str, resource: str) -> PolicyRule | None:
    """The rule for that resource (``pods`` or ``pods/log``) alone; None where it does not match it."""
    if rule.urls:
        return None
    if not rule.resources:
        return replace(rule, resources=(Served(group, (resource,)),))
    main, _, sub = resource.partition("/")
    served = tuple(
        Served(group, (resource,), one.names)
        for one in rule.resources
        if _serves(one, Target(group, main, sub, one.names[0] if one.names else OTHER))
    )
    return replace(rule, resources=served) if served else None


def leads_to(url: str, path: str) -> bool:
    """Whether one of a rule's nonResourceURLs matches a path."""
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))


def _are_matched(
    rules: Sequence[PolicyRule], dimensions: Sequence[tuple[Callable[..., bool], Iterable[object]]]
) -> bool:
    """Whether each request, a value of each dimension, is matched by one of the rules."""
    if not rules or not dimensions:
        return bool(rules)
    (matches, values), *others = dimensions
    # Values that the same rules match are alike, so this grows with the rules and not with the values.
    parts = {tuple(rule for rule in rules if matches(rule, value)) for value in values}
    return all(_are_matched(part, others) for part in parts)


def _dimensions(rule: PolicyRule) -> list[tuple[Callable[..., bool], Iterable[object]]]:
    return [
        (lambda other, user: not other.users or user in other.users, rule.users or (OTHER,)),
        # Who is in several groups matches whatever rule one who is in one of them does.
        (lambda other, group: not other.groups or group in other.groups, rule.groups or (OTHER,)),
        (lambda other, verb: not other.verbs or verb in other.verbs, rule.verbs or (OTHER,)),
        (_is_for, tuple(_targets(rule))),
    ]


def _targets(rule: PolicyRule) -> Iterator[Target]:
    for url in rule.urls:
        yield Target(path="/" + OTHER if url == "*" else url.replace("*", OTHER))
    if rule.urls:
        return
    if not rule.for_resources:
        yield Target(path="/" + OTHER)
    for served in rule.resources or (Served("*"),):
        for resource in served.resources or ("*",):
            names, namespaces = served.names or (OTHER,), rule.namespaces or (OTHER,)
            group = OTHER if served.group == "*" else served.group
            for (main, sub), name, namespace in product(_requested(resource), names, namespaces):
                yield Target(group, main, sub, name, namespace)


def _requested(resource: str) -> Iterator[tuple[str, str]]:
    """Resources and subresources that stand for all that a pattern matches."""
    main, _, sub = resource.partition("/")
    if resource == "*" or sub == "*":
        yield main.replace("*", OTHER), ""
        yield main.replace("*", OTHER), OTHER
    else:
        yield main.replace("*", OTHER), sub


def _is_for(rule: PolicyRule, target: Target) -> bool:
    if target.path is not None:
        return not rule.for_resources and (
            not rule.urls or any(leads_to(url, target.path) for url in rule.urls)
        )
    if rule.namespaces and target.namespace not in rule.namespaces:
        return False
    if rule.resources:
        return any(_serves(served, target) for served in rule.resources)
    return not rule.urls


def _serves(served: Served, target: Target) -> bool:
    if served.group not in ("*", target.group):
        return False
    if not served.resources:
        return True
    if served.names and target.name not in served.names:
        return False
    fitting = {"*", f"{target.resource}/*", target.resource}
    if target.subresource:
        fitting = {
            "*",
            f"{target.resource}/*",
            f"*/{target.subresource}",
            f"{target.resource}/{target.subresource}",
        }
    return not fitting.isdisjoint(served.resources)
