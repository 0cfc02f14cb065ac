"""The community's YAML files, of which JSON is a part: lists of strings and of plain mappings.

What no such file needs and a parser can be hurt with is refused: aliases, tags beyond YAML's core, deep
nesting, a second document. Each mistake is told with its line and column.
"""

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

import yaml

from auditsvc.errors import ParseError

# PyYAML brings libyaml's parser, many times as fast as its own, wherever it was built with it.
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A list needs two levels, and what is ignored in it may have more; but parsing is quadratic in the depth.
_MAX_DEPTH = 20
# All but YAML's c-printable. No document may hold these, but some pass the parsers as escapes in a string.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NULL, STRING, DATE = "nothing", "a string", "a date"
_SCALARS = {
    "tag:yaml.org,2002:null": NULL,
    "tag:yaml.org,2002:str": STRING,
    "tag:yaml.org,2002:int": "an integer",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:bool": "a boolean",
    "tag:yaml.org,2002:timestamp": DATE,
}
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", *_SCALARS}


def list_items(text: str | bytes, *, of: str) -> list[yaml.Node]:
    """The items of a document that is a list; none of an empty one. ``of`` says what they should be.

    Raises ParseError, which says where, for bytes that are not UTF-8 and for what is not YAML, not a list,
    more than one document, or refused.
    """
    top = top_node(text, what="a list")
    if top is None:
        return []
    if not isinstance(top, yaml.SequenceNode):
        raise unexpected(top, f"a list of {of}")
    items: list[yaml.Node] = top.value
    return items


def top_node(text: str | bytes, *, what: str) -> yaml.Node | None:
    """The one node that a document is, None for an empty one; ``what`` it should be is for the messages.

    Raises ParseError, which says where, for bytes that are not UTF-8 and for what is not YAML, more than one
    document, or refused.
    """
    text = _decode(text) if isinstance(text, bytes) else text
    if found := _UNPRINTABLE.search(text):
        raise ParseError(f"{_after(text[: found.start()])}: {found[0]!a} is not allowed in YAML")
    _refuse_all_but_plain(text, what)
    top: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return None if top is None or kind_of(top) == NULL else top


def named_nodes(node: yaml.Node, expected: str, *, each: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """The keys and values of a mapping, by key. ``each`` is what the mapping is one of, for the messages.

    Raises ParseError for another node, for a key that is no scalar, and for one given twice.
    """
    if not isinstance(node, yaml.MappingNode):
        raise unexpected(node, expected)
    named: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise unexpected(key, "a string as key")
        if key.value in named:
            raise error_at(key, f"a second {key.value} in one {each}")
        named[key.value] = key, value
    return named


def text_fields(
    item: yaml.MappingNode, names: Collection[str], *, kinds: Collection[str] = (STRING,)
) -> dict[str, str | None]:
    """The values of those names in a mapping, None for null; its other keys are ignored.

    Raises ParseError for a value that is of none of the ``kinds``, and for one of those names given twice.
    """
    fields: dict[str, str | None] = {}
    for key, value in item.value:
        if not isinstance(key, yaml.ScalarNode):
            raise unexpected(key, "a string as key")
        if key.value in fields:
            raise error_at(key, f"a second {key.value} in one entry")
        if key.value in names:
            expected = f"a string as {key.value}"
            fields[key.value] = None if kind_of(value) == NULL else text_of(value, expected, kinds=kinds)
    return fields


def text_of(node: yaml.Node, expected: str, *, kinds: Collection[str] = (STRING,)) -> str:
    """The text of a scalar of one of the ``kinds``. Raises ParseError, which says what was expected."""
    if kind_of(node) not in kinds:
        raise unexpected(node, expected)
    value: str = node.value
    if found := _UNPRINTABLE.search(value):
        raise error_at(node, f"{found[0]!a} is not allowed in a list")
    return value


def line_of(node: yaml.Node) -> int:
    """The 1-based line on which a node starts."""
    line: int = node.start_mark.line + 1
    return line


def kind_of(node: yaml.Node) -> str:
    """What a node is, in words: ``a mapping``, ``a string``, ``nothing``."""
    if isinstance(node, yaml.CollectionNode):
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    return _SCALARS.get(node.tag, "a special value")


def unexpected(node: yaml.Node, expected: str) -> ParseError:
    """The error of a node that is something else."""
    return error_at(node, f"expected {expected}, found {kind_of(node)}")


def error_at(found: yaml.Event | yaml.Node, problem: str) -> ParseError:
    """The error of a problem, with its line and column."""
    return ParseError(f"{_at(found.start_mark)}: {problem}")


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"{_after(error.object[: error.start].decode())}: not UTF-8") from None


def _refuse_all_but_plain(text: str, what: str) -> None:
    documents = depth = 0
    for event in _events(text):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise error_at(event, f"a second document, where {what} is one")
        if depth > _MAX_DEPTH:
            raise error_at(event, f"nested deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            raise error_at(event, "an alias: write the value out")
        if getattr(event, "tag", None) not in _PLAIN_TAGS:
            raise error_at(event, "a tag that is not one of YAML's core")


def _events(text: str) -> Iterator[yaml.Event]:
    """The parser's events: flat and lazy, so that what is refused above costs little to find."""
    reached: Any = yaml.Mark("", 0, 0, 0, None, 0)
    told = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            yield event
            reached = event.end_mark
            told += 1
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two leak from PyYAML's own parser, for an escape or a version number that is too large.
        mark = getattr(error, "problem_mark", None) or reached
        problem = getattr(error, "problem", error)
        if "maximum nesting depth" in str(problem):
            # Newer parsers read ahead, and give up at the thousandth level before they tell of the first.
            yield from islice(_events(text[: mark.index]), told, None)
        raise ParseError(f"{_at(mark)}: not YAML: {problem}") from None


def _at(mark: Any) -> str:
    # Any: the stubs let an event have no mark, but a parser gives it one.
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _after(text: str) -> str:
    lines = text.split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"
