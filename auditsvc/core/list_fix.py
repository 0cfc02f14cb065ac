"""Puts an endpoint list right: what it lacks and what is dead in it, and its text with only that changed."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

import msgspec
import yaml

from auditsvc.core.eligibility import narrow, out_of_scope
from auditsvc.core.endpoints import EndpointEntry, EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.core.runs import Runs, Subject
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import ExercisedBy
from auditsvc.errors import ParseError

# What YAML reads as a text without quotes. The words that it takes for something else are all short.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]{5,}", re.ASCII)
_EMPTY = re.compile(r"(\[\s*\]|null|~)\s*$")
_BY_HAND = "edit it by hand, or write the list with a line `- operationId` for each endpoint"


class ListFix(msgspec.Struct, frozen=True):
    """What to add to a list, by operationId, and which of its entries to remove."""

    add: frozenset[str] = frozenset()
    remove: frozenset[EndpointEntry] = frozenset()


def plan_pending(
    runs: Runs, swagger: Swagger, lists: EndpointLists, *, by: ExercisedBy = ExercisedBy.HIT
) -> ListFix:
    """Adds the eligible endpoints that no run exercised, and removes what is exercised, dead or repeated.

    Dead is what is not in the swagger, deprecated or not stable. An endpoint that only the baseline exercised
    is not added: its test was lost, and a list that asks for a test would hide that. Raises NoDataError for a
    run that exercised nothing.
    """
    listed = lists.pending
    tested = frozenset[str]().union(*(subject.exercised(by) for subject in runs.subjects))
    needless = {
        entry
        for entry in listed.entries
        if entry.endpoint in tested or (entry.endpoint and out_of_scope(entry.endpoint, swagger))
    }
    untested = frozenset[str]().union(*(_untested(subject, by) for subject in runs.subjects))
    return ListFix(untested - tested - listed.names, frozenset({*needless, *listed.duplicates}))


def plan_ineligible(swagger: Swagger, lists: EndpointLists) -> ListFix:
    """Removes what is not in the swagger or deprecated, and what repeats a complete entry; adds nothing.

    All else is for people to judge: why an endpoint is ineligible, which entry of several is right, and
    whether the reason for one that is not stable yet will be wanted once it is.
    """
    listed = lists.ineligible
    duplicates = frozenset(listed.duplicates)
    complete = {entry.endpoint for entry in listed.entries if entry.complete and entry not in duplicates}
    repeated = (entry for entry in duplicates if entry.endpoint in complete)
    gone = (entry for entry in listed.entries if entry.endpoint and _is_gone(entry.endpoint, swagger))
    return ListFix(remove=frozenset({*repeated, *gone}))


def fix_list(text: str, fix: ListFix) -> str:
    """The text of a list with what is to be added in its sorted place, and without what is to be removed.

    Added is one line each, behind the entry that precedes the first one that sorts after it; removed are an
    entry's own lines. All other lines, comments among them, stay as they are. Raises ParseError, which says
    where, for a text that is no list, and for one that cannot be changed so, such as a list in brackets.
    """
    before = parse_endpoint_list(text)
    wanted = _wanted(before, fix)
    if wanted == list(before.entries):
        return text
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    fixed = mark + _edited(text.removeprefix(mark), before, fix)
    # Whatever YAML there is that the lines do not show: what was made must read as what was meant.
    if not _reads_as(fixed, wanted):
        raise ParseError(f"line 1: this list cannot be fixed line by line: {_BY_HAND}")
    return fixed


def _untested(subject: Subject, by: ExercisedBy) -> frozenset[str]:
    eligible = narrow(subject.swagger, subject.lists, imported=subject.usage.imported).eligible
    lost = subject.baseline.exercised(by) if subject.baseline else frozenset()
    return eligible - lost


def _is_gone(operation_id: str, swagger: Swagger) -> bool:
    operation = swagger.get(operation_id)
    return operation is None or operation.deprecated


def _content(entry: EndpointEntry) -> tuple[str, str | None, str | None]:
    return entry.endpoint, entry.reason, entry.link


def _wanted(listed: EndpointList, fix: ListFix) -> list[EndpointEntry]:
    wanted = [entry for entry in listed.entries if entry not in fix.remove]
    for name in sorted(fix.add):
        wanted.insert(_place(name, wanted), EndpointEntry(name, None, None, 0))
    return wanted


def _place(name: str, entries: Sequence[EndpointEntry]) -> int:
    """Where a name goes: before the first entry that sorts after it."""
    return next((at for at, entry in enumerate(entries) if entry.endpoint > name), len(entries))


def _reads_as(text: str, wanted: Sequence[EndpointEntry]) -> bool:
    try:
        entries = parse_endpoint_list(text).entries
    except ParseError:
        return False
    return list(map(_content, entries)) == list(map(_content, wanted))


def _edited(text: str, listed: EndpointList, fix: ListFix) -> str:
    lines = text.splitlines(keepends=True)  # at what YAML takes for the end of a line
    spans = dict(zip(listed.entries, _spans(text, lines), strict=True))
    kept = [entry for entry in listed.entries if entry not in fix.remove]
    start = next((first for first, _ in spans.values()), _end_of_content(lines))
    indent = re.sub(r"\S.*", "", lines[start], flags=re.DOTALL) if spans else ""
    added: dict[int, list[str]] = {}
    for name in sorted(fix.add):
        place = _place(name, kept)
        behind = spans[kept[place - 1]][1] + 1 if place else start
        added.setdefault(behind, []).append(f"{indent}- {_scalar(name)}")
    removed = [range(first, last + 1) for entry, (first, last) in spans.items() if entry in fix.remove]
    # An empty list may be written out, which entries would contradict.
    written_out = {at for at, line in enumerate(lines) if not spans and _EMPTY.match(line)}
    return "".join(_merged(lines, added, {*chain.from_iterable(removed), *written_out}))


def _merged(lines: Sequence[str], added: dict[int, list[str]], removed: Collection[int]) -> Iterator[str]:
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    ended = True
    for number, line in enumerate([*lines, ""]):
        for new in added.get(number, ()):
            yield f"{new}{end}" if ended else f"{end}{new}"
        if number not in removed:
            yield line
            ended = not line or line.splitlines()[0] != line


def _spans(text: str, lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The first and the last line of each entry, from 0."""
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(top, yaml.SequenceNode):
        return
    for item in top.value:
        start = item.start_mark
        if top.flow_style or lines[start.line][: start.column].strip() != "-":
            raise ParseError(f"line {start.line + 1}: an entry that has no line of its own: {_BY_HAND}")
        last = _last_line(item)
        while lines[last].isspace():  # the blank lines behind a block of text
            last -= 1
        yield start.line, last


def _last_line(node: yaml.Node) -> int:
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    end = node.end_mark
    return int(end.line) - (end.column == 0 and end.line > node.start_mark.line)


def _end_of_content(lines: Sequence[str]) -> int:
    """Where the entries of a list that has none go: at the end, but before what ends a document."""
    return next((at for at, line in enumerate(lines) if line.startswith("...")), len(lines))


def _scalar(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name)
