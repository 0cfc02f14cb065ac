"""The community's endpoint lists: pending_eligible_endpoints.yaml and ineligible_endpoints.yaml."""

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from yaml import Node


class EndpointEntry(msgspec.Struct, frozen=True):
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


class EndpointList(msgspec.Struct, frozen=True, dict=True):
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


class EndpointLists(msgspec.Struct, frozen=True):
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
    # YAML is slow to import, and most of what has to do with lists parses none.
    from auditsvc.core.plain_yaml import list_items

    return EndpointList(tuple(map(_entry, list_items(text, of="endpoints"))))


def _is_web_link(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:  # such as a bracket that opens an IPv6 address and never closes
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and link.split() == [link]


def _entry(item: "Node") -> EndpointEntry:
    from yaml import MappingNode

    from auditsvc.core.plain_yaml import line_of, text_fields, text_of

    if not isinstance(item, MappingNode):
        endpoint = text_of(item, "an operationId, or a mapping with endpoint, reason and link")
        return EndpointEntry(endpoint, None, None, line_of(item))
    fields = text_fields(item, ("endpoint", "reason", "link"))
    endpoint = fields.get("endpoint") or ""
    return EndpointEntry(endpoint, fields.get("reason"), fields.get("link"), line_of(item))
