"""The community's endpoint lists: pending_eligible_endpoints.yaml and ineligible_endpoints.yaml."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import yaml

from auditsvc.errors import ParseError

# PyYAML brings libyaml's parser, many times as fast as its own, wherever it was built with it.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A list needs two levels, and what is ignored in it may have more; but parsing is quadratic in the depth.
_MAX_DEPTH = 20
# All but YAML's c-printable. No document may hold these, but some pass the parsers as escapes in a string.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULL, _STRING = "nothing", "a string"
_SCALARS = {
    "tag:yaml.org,2002:null": _NULL,
    "tag:yaml.org,2002:str": _STRING,
    "tag:yaml.org,2002:int": "an integer",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:bool": "a boolean",
    "tag:yaml.org,2002:timestamp": "a date",
}
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", *_SCALARS}


@dataclass(frozen=True, slots=True)
class EndpointEntry:
    """One entry of a list: an operationId, `""` where the entry names none, and why it is there.

    A pending entry is the operationId alone; an ineligible one has a reason and a link. `line` is the 1-based
    line on which the entry starts.
    """

    endpoint: str
    reason: str | None
    link: str | None
    line: int

    @property
    def complete(self) -> bool:
        """Whether it has what an ineligible entry needs: endpoint, reason and an http(s) link with a host."""
        return all(map(str.strip, (self.endpoint, self.reason or ""))) and _is_web_link(self.link or "")


@dataclass(frozen=True)
class EndpointList:
    """A list's entries in their order, mistakes included."""

    entries: tuple[EndpointEntry, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The operationIds on the list."""
        return frozenset(entry.endpoint for entry in self.entries if entry.endpoint)

    @property
    def duplicates(self) -> tuple[EndpointEntry, ...]:
        """Every entry whose operationId an earlier one has already."""
        first = {entry.endpoint: entry for entry in reversed(self.entries)}
        return tuple(e for e in self.entries if e.endpoint and e is not first[e.endpoint])

    def __contains__(self, operation_id: object) -> bool:
        return operation_id in self.names

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class EndpointLists:
    """The two lists that hold at a time; one that was never given is empty."""

    pending: EndpointList = EndpointList()
    ineligible: EndpointList = EndpointList()


def parse_endpoint_list(text: str | bytes) -> EndpointList:
    """The entries of a list in YAML, of which JSON is a part.

    An item is an operationId, or a mapping with endpoint, reason and link whose other keys are ignored. An
    empty document is an empty list. An entry that lacks something is an entry: the audits judge it.

    Raises ParseError, which says where, for bytes that are not UTF-8; for what is not YAML, not a list, or
    more than one document; for an item or value of another type, and a field given twice; and for what no
    list needs and a parser can be hurt with: aliases, tags beyond YAML's core, deep nesting.
    """
    text = _decode(text) if isinstance(text, bytes) else text
    if found := _UNPRINTABLE.search(text):
        raise ParseError(f"{_after(text[: found.start()])}: {found[0]!a} is not allowed in YAML")
    _refuse_all_but_plain(text)
    top = yaml.compose(text, Loader=_LOADER)
    if top is None or _kind(top) == _NULL:
        return EndpointList()
    if not isinstance(top, yaml.SequenceNode):
        raise _unexpected(top, "a list of endpoints")
    return EndpointList(tuple(_entry(item) for item in top.value))


def _is_web_link(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:  # such as a bracket that opens an IPv6 address and never closes
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and link.split() == [link]


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"{_after(error.object[: error.start].decode())}: not UTF-8") from None


def _refuse_all_but_plain(text: str) -> None:
    documents = depth = 0
    for event in _events(text):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise _error(event, "a second document, where a list is one")
        if depth > _MAX_DEPTH:
            raise _error(event, f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            raise _error(event, "an alias: write the value out")
        if getattr(event, "tag", None) not in _PLAIN_TAGS:
            raise _error(event, "a tag that is not one of YAML's core")


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events: flat and lazy, so that what is refused above costs little to find."""
    reached: Any = yaml.Mark("", 0, 0, 0, None, 0)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            yield event
            reached = event.end_mark
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two leak from PyYAML's own parser, for an escape or a version number that is too large.
        mark = getattr(error, "problem_mark", None) or reached
        raise ParseError(f"{_at(mark)}: not YAML: {getattr(error, 'problem', error)}") from None


def _entry(item: yaml.Node) -> EndpointEntry:
    line = item.start_mark.line + 1
    if not isinstance(item, yaml.MappingNode):
        endpoint = _string(item, "an operationId, or a mapping with endpoint, reason and link")
        return EndpointEntry(endpoint, None, None, line)
    fields = _fields(item)
    return EndpointEntry(fields.get("endpoint") or "", fields.get("reason"), fields.get("link"), line)


def _fields(item: yaml.MappingNode) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    for key, value in item.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _unexpected(key, "a string as key")
        if key.value in fields:
            raise _error(key, f"a second {key.value} in one entry")
        if key.value in ("endpoint", "reason", "link"):
            fields[key.value] = None if _kind(value) == _NULL else _string(value, f"a string as {key.value}")
    return fields


def _string(node: yaml.Node, expected: str) -> str:
    if _kind(node) != _STRING:
        raise _unexpected(node, expected)
    value: str = node.value
    if found := _UNPRINTABLE.search(value):
        raise _error(node, f"{found[0]!a} is not allowed in a list")
    return value


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.CollectionNode):
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    return _SCALARS.get(node.tag, "a special value")


def _unexpected(node: yaml.Node, expected: str) -> ParseError:
    return _error(node, f"expected {expected}, found {_kind(node)}")


def _error(found: yaml.Event | yaml.Node, problem: str) -> ParseError:
    return ParseError(f"{_at(found.start_mark)}: {problem}")


def _at(mark: Any) -> str:
    # Any: the stubs let an event have no mark, but a parser gives it one.
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _after(text: str) -> str:
    lines = text.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"
