"""Waivers: findings that somebody has accepted, for a reason and until a day."""

from collections.abc import Mapping
from datetime import date
from fnmatch import fnmatchcase

import msgspec
import yaml

from auditsvc.core.plain_yaml import DATE, STRING, error_at, line_of, list_items, named_nodes, text_fields

_REQUIRED = ("type", "key", "owner", "reason", "expires")
_KEYS = (*_REQUIRED, "issue")


class Waiver(msgspec.Struct, frozen=True):
    """The findings of an audit type whose key a pattern matches are accepted, the last time on ``expires``.

    ``type`` is the type's name. In ``key`` a ``*`` stands for any characters and a ``?`` for one. ``issue``
    is a link to where it is to be settled. ``line`` is where the waiver starts, from 1.
    """

    type: str
    key: str
    owner: str
    reason: str
    expires: date
    issue: str | None
    line: int

    def covers(self, key: str) -> bool:
        """Whether the pattern matches a finding's key."""
        return fnmatchcase(key, self.key.replace("[", "[[]"))  # keys have brackets, which are no classes here

    def is_expired(self, today: date) -> bool:
        """Whether its last day has passed."""
        return today > self.expires


def parse_waivers(text: str | bytes, types: Mapping[str, str]) -> tuple[Waiver, ...]:
    """The waivers of a YAML list, in its order; ``types`` are the audit types' names by name and by key.

    Raises ParseError, which says where, for what is no list of mappings, for a key that is unknown, missing
    or empty, for an unknown type, a day that is none, and an issue that is no http(s) link.
    """
    return tuple(_waiver(item, types) for item in list_items(text, of="waivers"))


def _waiver(item: yaml.Node, types: Mapping[str, str]) -> Waiver:
    named = named_nodes(item, f"a waiver: a mapping with {', '.join(_KEYS)}", each="waiver")
    for name, (key, _) in named.items():
        if name not in _KEYS:
            raise error_at(key, f"unknown key {name}: a waiver has {', '.join(_KEYS)}")
    assert isinstance(item, yaml.MappingNode)  # noqa: S101 - named_nodes refuses all else
    given = text_fields(item, _KEYS, kinds=(STRING, DATE))
    fields = {name: value for name, value in given.items() if value and value.strip()}
    if absent := [name for name in _REQUIRED if name not in fields]:
        raise error_at(item, f"a waiver without {', '.join(absent)}")
    if fields["type"] not in types:
        known = ", ".join(sorted(set(types.values())))
        raise error_at(named["type"][1], f"unknown audit type {fields['type']} (known are {known})")
    issue = fields.get("issue")
    if issue is not None and not issue.startswith(("http://", "https://")):
        raise error_at(named["issue"][1], f"issue: {issue} is no http(s) link")
    return Waiver(
        type=types[fields["type"]],
        key=fields["key"],
        owner=fields["owner"],
        reason=fields["reason"],
        expires=_day(fields["expires"], named["expires"][1]),
        issue=issue,
        line=line_of(item),
    )


def _day(text: str, node: yaml.Node) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise error_at(node, f"expires: {text} is no day such as 2026-12-31") from None
