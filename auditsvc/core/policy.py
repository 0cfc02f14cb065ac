"""Lints a Kubernetes audit policy: what the API server would refuse, overlook or log to no use.

The rules of what is refused are the API server's (k8s.io/apiserver, apis/audit/validation); an unknown key it
overlooks with a line in its own log, and the policy does less than it says.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum

import msgspec
import yaml

from auditsvc.core.plain_yaml import NULL, kind_of, line_of, named_nodes, top_node
from auditsvc.core.policy_rules import PolicyRule, Served, is_hidden, leads_to, narrow_rule
from auditsvc.core.swagger import Swagger
from auditsvc.errors import ParseError

LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")

_POLICY_KEYS = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
_RULE_KEYS = (
    *("level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs"),
    *("omitStages", "omitManagedFields"),
)
_SERVED_KEYS = ("group", "resources", "resourceNames")
_API_VERBS = {*("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy")}
_URL_VERBS = {*("get", "head", "post", "put", "patch", "delete", "options", "connect", "trace")}
_GROUP = re.compile(r"\*|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?")
_URL = re.compile(r"\*|/[^*]*\*?")
_PATTERN = re.compile(r"\*|[^*/]+(/[^*/]+|/\*)?|\*/[^*/]+")

_SECRETS = (
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("authentication.k8s.io", "tokenreviews"),
)
_STAGE_LOSSES = {
    "ResponseComplete": "the end of every request is left out, and with it how it was answered",
    "Panic": "requests that made the API server panic are left out",
    "ResponseStarted": "requests refused as unauthorized, and watches still open at the end, are left out",
}
_OPERATIONS = (
    *("/version", "/logs", "/openid/v1/jwks", "/.well-known/openid-configuration"),
    *("/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1"),
)
"""Paths of operations that are no resources; of the groups one stands for all."""
_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:masters", "system:serviceaccounts")


class Severity(StrEnum):
    """An error makes the policy another than it says; a warning may be meant so."""

    ERROR = "error"
    WARNING = "warning"


class PolicyFinding(msgspec.Struct, frozen=True):
    """One thing found in a policy: on which line, how bad, what, and what to do."""

    line: int
    severity: Severity
    text: str
    resolution: str


def lint_policy(text: str | bytes, swagger: Swagger | None = None) -> tuple[PolicyFinding, ...]:
    """What is wrong with a policy, by line. With a swagger, also the resources that no group of it has.

    Raises ParseError, which says where, for what is not one YAML mapping.
    """
    top = top_node(text, what="a policy")
    if top is None:
        raise ParseError("line 1: an empty document: a policy has apiVersion, kind and rules")
    named = named_nodes(top, "a policy: a mapping with apiVersion, kind and rules", each="policy")
    found = [*_unknown_keys(named, _POLICY_KEYS, "a policy"), *_identity(named, top)]
    rules = named.get("rules")
    items = rules[1].value if rules and isinstance(rules[1], yaml.SequenceNode) else []
    if not items:
        found.append(
            _error(rules[0] if rules else top, "no rules: the API server does not start with it", _ADD)
        )
    omitted = _stages(named, found)
    read = [_read_rule(item, omitted, found) for item in items]
    found += _lint_rules([rule for rule in read if rule is not None], swagger)
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.line, one.severity)))


def place_in_policy(run: str, line: int) -> str:
    """What a line of the policy that a run brought is called in results."""
    return f"{run}/policy:{line}"


_ADD = "add rules; `- level: Metadata` alone logs every request"


def _identity(named: Mapping[str, tuple[yaml.Node, yaml.Node]], top: yaml.Node) -> Iterator[PolicyFinding]:
    for key, wanted in (("apiVersion", "audit.k8s.io/v1"), ("kind", "Policy")):
        node = named[key][1] if key in named else top
        value = node.value if key in named else "missing"
        if value != wanted:
            yield _error(node, f"{key} is {value}, not {wanted}", f"write `{key}: {wanted}`")


def _read_rule(item: yaml.Node, omitted: Collection[str], found: list[PolicyFinding]) -> PolicyRule | None:
    """The rule; None where a condition cannot be read, for then nobody knows what it matches."""
    if not isinstance(item, yaml.MappingNode):
        found.append(_error(item, f"a rule is a mapping, not {kind_of(item)}", "write `- level: Metadata`"))
        return None
    named = named_nodes(item, "a rule", each="rule")
    found += [*_unknown_keys(named, _RULE_KEYS, "a rule"), *_log_size(named, item, omitted, found)]
    level, known = _level(named, item, found), len(found)
    rule = PolicyRule(
        line=line_of(item),
        level=level,
        users=_texts(named, "users", found),
        groups=_texts(named, "userGroups", found),
        verbs=_texts(named, "verbs", found),
        resources=tuple(_served(named, found)),
        namespaces=_texts(named, "namespaces", found),
        urls=_texts(named, "nonResourceURLs", found),
    )
    if rule.urls and rule.for_resources:
        text = "a rule is for resources and namespaces or for nonResourceURLs: the API server refuses both"
        found.append(_error(item, text, "make two rules of it"))
    readable = all(one.severity is not Severity.ERROR for one in found[known:])
    return rule if readable else None


def _log_size(
    named: Mapping[str, tuple[yaml.Node, yaml.Node]],
    item: yaml.Node,
    omitted: Collection[str],
    found: list[PolicyFinding],
) -> Iterator[PolicyFinding]:
    stages = _stages(named, found)
    drops = "level" in named and named["level"][1].value == "None"
    if not drops and "RequestReceived" not in {*omitted, *stages}:
        text = "the stage RequestReceived is logged too: two lines for each request, of which one is enough"
        yield _warning(item, text, "write `omitStages: [RequestReceived]` at the top of the policy")


def _level(
    named: Mapping[str, tuple[yaml.Node, yaml.Node]], item: yaml.Node, found: list[PolicyFinding]
) -> str:
    if "level" not in named:
        found.append(_error(item, "a rule without level", f"give it one of {', '.join(LEVELS)}"))
        return "Metadata"
    node = named["level"][1]
    if node.value not in LEVELS or kind_of(node) == NULL:
        hint = _did_you_mean(str(node.value), LEVELS) or f"it is one of {', '.join(LEVELS)}"
        found.append(_error(node, f"unknown level {node.value}", hint))
        return "Metadata"
    return str(node.value)


def _stages(named: Mapping[str, tuple[yaml.Node, yaml.Node]], found: list[PolicyFinding]) -> tuple[str, ...]:
    stages = _texts(named, "omitStages", found)
    for stage in stages:
        node = named["omitStages"][1]
        if stage not in STAGES:
            hint = _did_you_mean(stage, STAGES) or f"it is one of {', '.join(STAGES)}"
            found.append(_error(node, f"unknown stage {stage}", hint))
        elif stage in _STAGE_LOSSES:
            make = _error if stage == "ResponseComplete" else _warning
            found.append(
                make(node, f"omitStages {stage}: {_STAGE_LOSSES[stage]}", "omit RequestReceived only")
            )
    return stages


def _served(named: Mapping[str, tuple[yaml.Node, yaml.Node]], found: list[PolicyFinding]) -> Iterator[Served]:
    if "resources" not in named:
        return
    node = named["resources"][1]
    if kind_of(node) == NULL:
        return
    if not isinstance(node, yaml.SequenceNode):
        found.append(_error(node, f"resources is a list, not {kind_of(node)}", "write `- group: …` below it"))
        return
    for item in node.value:
        if not isinstance(item, yaml.MappingNode):
            hint = "write `- group: …` with `resources: […]` below it"
            found.append(_error(item, f"an item of resources is a mapping, not {kind_of(item)}", hint))
            continue
        yield _read_served(item, found)


def _read_served(item: yaml.MappingNode, found: list[PolicyFinding]) -> Served:
    named = named_nodes(item, "resources", each="item")
    found += _unknown_keys(named, _SERVED_KEYS, "resources")
    group = str(named["group"][1].value) if "group" in named else ""
    resources, names = _texts(named, "resources", found), _texts(named, "resourceNames", found)
    if not _GROUP.fullmatch(group):
        text = f"{group} is no group: the API server does not start with it"
        found.append(_error(item, text, "name the group alone, in lower case and without a version"))
    if group == "core":
        found.append(_error(item, "there is no group core: this matches nothing", 'write `group: ""`'))
    if names and not resources:
        text = "resourceNames without resources: the API server does not start with it"
        found.append(_error(item, text, "name the resources, too"))
    for resource in resources:
        if not _PATTERN.fullmatch(resource):
            hint = "a pattern is `*`, `pods/*` or `*/status`; all else is compared as it is"
            found.append(_warning(item, f"{resource} matches no resource", hint))
    return Served(group, resources, names)


def _texts(
    named: Mapping[str, tuple[yaml.Node, yaml.Node]], key: str, found: list[PolicyFinding]
) -> tuple[str, ...]:
    """The texts of a list; what is none is found."""
    if key not in named or kind_of(named[key][1]) == NULL:
        return ()
    node = named[key][1]
    if not isinstance(node, yaml.SequenceNode):
        hint = (
            f"write `{key}: [{node.value}]`"
            if isinstance(node, yaml.ScalarNode)
            else "make it a list of texts"
        )
        found.append(_error(node, f"{key} is a list, not {kind_of(node)}", hint))
        return ()
    for item in node.value:
        if kind_of(item) != "a string":
            hint = "put it in quotes" if isinstance(item, yaml.ScalarNode) else "write a text"
            found.append(_error(item, f"an item of {key} is a string, not {kind_of(item)}", hint))
    return tuple(str(item.value) for item in node.value if kind_of(item) == "a string")


def _unknown_keys(
    named: Mapping[str, tuple[yaml.Node, yaml.Node]], known: Sequence[str], where: str
) -> Iterator[PolicyFinding]:
    for name, (key, _) in named.items():
        if name not in known:
            hint = _did_you_mean(name, known) or f"known are {', '.join(known)}"
            yield _error(key, f"unknown key {name} in {where}: the API server overlooks it", hint)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), lower, n=1)
    return f"did you mean {lower[close[0]]}?" if close else ""


def _lint_rules(rules: Sequence[PolicyRule], swagger: Swagger | None) -> Iterator[PolicyFinding]:
    served = _served_by(swagger) if swagger else {}
    before: list[PolicyRule] = []  # less those that never decide: they hide nothing that is not hidden
    for rule in rules:
        if is_hidden(rule, before):
            blame = next((one for one in before if is_hidden(rule, [one])), None)
            who = f"the rule on line {blame.line} matches" if blame else "the rules before it match"
            text = f"this rule never decides: {who} all that it does, and the first that matches decides"
            yield PolicyFinding(rule.line, Severity.ERROR, text, "put it before, or remove it")
            continue
        yield from _literal_wildcards(rule)
        yield from _wrong_verbs(rule)
        yield from _losses(rule)
        yield from _bodies(rule, before)
        if served:
            yield from _misplaced(rule, served)
        before.append(rule)
    logging = [rule for rule in rules if rule.level != "None"]
    if logging and not is_hidden(PolicyRule(line=0, level=""), rules):
        text = "what no rule matches is not logged, and no rule is for everything"
        yield PolicyFinding(rules[-1].line, Severity.WARNING, text, "end with a rule `- level: Metadata`")


def _literal_wildcards(rule: PolicyRule) -> Iterator[PolicyFinding]:
    lists = {
        "users": rule.users,
        "userGroups": rule.groups,
        "verbs": rule.verbs,
        "namespaces": rule.namespaces,
    }
    for key, values in lists.items():
        if any("*" in value for value in values):
            text = f"{key} knows no wildcard: a * in it matches nothing"
            yield PolicyFinding(
                rule.line, Severity.ERROR, text, f"name them all, or leave {key} out: that is any"
            )
    for url in rule.urls:
        if not _URL.fullmatch(url):
            text = f"nonResourceURL {url}: the API server does not start with it"
            yield PolicyFinding(
                rule.line, Severity.ERROR, text, "it starts with / and has a * at its end at most"
            )


def _wrong_verbs(rule: PolicyRule) -> Iterator[PolicyFinding]:
    known = _URL_VERBS if rule.urls else _API_VERBS if rule.for_resources else _URL_VERBS | _API_VERBS
    for verb in rule.verbs:
        if verb not in known and "*" not in verb:
            kind = (
                "for a URL that is no resource"
                if rule.urls
                else "for a resource"
                if rule.for_resources
                else ""
            )
            text = " ".join(filter(None, (f"no request {kind}".strip(), f"has the verb {verb}")))
            yield PolicyFinding(rule.line, Severity.WARNING, text, f"verbs are {', '.join(sorted(known))}")


def _losses(rule: PolicyRule) -> Iterator[PolicyFinding]:
    """A rule that drops what people and tests do drops operations with it."""
    if rule.level != "None" or _is_for_components(rule):
        return
    if rule.urls and not any(leads_to(url, path) for url in rule.urls for path in _OPERATIONS):
        return
    groups = {served.group for served in rule.resources}
    if groups and not any(
        group in ("", "*") or "." not in group or group.endswith(".k8s.io") for group in groups
    ):
        return  # custom resources are no operations
    whom = ", ".join(rule.users or rule.groups) or "everybody"
    text = f"level None for {whom}: an audit takes what is not logged for an operation that nobody used"
    hint = "name the components whose requests are meant with users or userGroups, or log Metadata"
    yield PolicyFinding(rule.line, Severity.WARNING, text, hint)


def _is_for_components(rule: PolicyRule) -> bool:
    """Whether it is for the cluster's own components, who test nothing."""
    users = rule.users and all(user.startswith("system:") for user in rule.users)
    groups = rule.groups and not any(
        group in _EVERYBODY or not group.startswith("system:") for group in rule.groups
    )
    return bool((users and "system:anonymous" not in rule.users) or groups)


def _bodies(rule: PolicyRule, before: Sequence[PolicyRule]) -> Iterator[PolicyFinding]:
    if not rule.level.startswith("Request"):
        return
    logged = [
        resource
        for group, resource in _SECRETS
        if (narrowed := narrow_rule(rule, group, resource)) and not is_hidden(narrowed, before)
    ]
    if logged:
        text = f"level {rule.level} writes what {', '.join(logged)} hold to the log"
        hint = "log them with a rule of level Metadata before this one"
        yield PolicyFinding(rule.line, Severity.WARNING, text, hint)


def _served_by(swagger: Swagger) -> dict[str, set[str]]:
    """The groups that serve a resource (``pods/log``), by resource."""
    served: dict[str, set[str]] = {}
    for operation in swagger.operations.values():
        match [part for part in operation.path.split("/") if part]:
            case ["api", _, *rest] if rest:
                served.setdefault(_resource(rest), set()).add("")
            case ["apis", group, _, *rest] if rest:
                served.setdefault(_resource(rest), set()).add(group)
    return served


def _resource(parts: Sequence[str]) -> str:
    rest = list(parts[1:] if parts[0] == "watch" else parts)
    if len(rest) > 2 and rest[:2] == ["namespaces", "{namespace}"]:
        rest = rest[2:]
    return "/".join([rest[0], *rest[2:3]])


def _misplaced(rule: PolicyRule, served: Mapping[str, Collection[str]]) -> Iterator[PolicyFinding]:
    """Resources that are not in the group that the rule names for them."""
    for one in rule.resources:
        for resource in one.resources:
            groups = served.get(resource.removesuffix("/*"), ())
            if "*" in resource.removesuffix("/*") or one.group == "*" or one.group in groups:
                continue
            group = one.group or '"" (the core group)'
            if groups:
                text = f"{resource} is not in group {group}: this matches nothing"
                named = ", ".join(sorted(other or '""' for other in groups))
                yield PolicyFinding(rule.line, Severity.ERROR, text, f"name its group: {named}")
            else:
                text = f"the swagger has no {resource} in group {group}"
                hint = "check how it is written; custom resources are not in every swagger"
                yield PolicyFinding(rule.line, Severity.WARNING, text, hint)


def _error(node: yaml.Node, text: str, resolution: str) -> PolicyFinding:
    return PolicyFinding(line_of(node), Severity.ERROR, text, resolution)


def _warning(node: yaml.Node, text: str, resolution: str) -> PolicyFinding:
    return PolicyFinding(line_of(node), Severity.WARNING, text, resolution)
