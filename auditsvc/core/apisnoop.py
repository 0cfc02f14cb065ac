"""APISnoop's published files: what it knew about the coverage of each release.

Which file it is shows in what is in it, not in its name. Its levels are not taken over: an imported release's
operations get theirs by our rules (see :mod:`auditsvc.core.swagger`).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

import msgspec
import yaml

from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.coverage import CoverageRow, EndpointHistory, ProgressRow
from auditsvc.core.endpoints import EndpointList, parse_endpoint_list
from auditsvc.core.plain_yaml import DATE, STRING, error_at, list_items, text_fields, unexpected
from auditsvc.core.releases import Minor, parse_release, release_name
from auditsvc.core.swagger import Operation, parse_swagger
from auditsvc.core.usage import is_conformance
from auditsvc.errors import ParseError

_METHODS = {"list": "get", "watch": "get", "watchlist": "get", "deletecollection": "delete"}
_CONNECT = re.compile("^connect[A-Za-z0-9]+?V[0-9]+(Delete|Get|Head|Options|Patch|Post|Put)[A-Z]")
_NOT_ONE = (
    "none of APISnoop's files: <release>.json, conformance-endpoints.json, conformance-progress.json, "
    "conformance-coverage-per-release.json, ineligible_endpoints.json, releases.yaml"
)


class ImportedEndpoint(msgspec.Struct, frozen=True):
    """An operation in APISnoop's words. In ``tests`` ``""`` is a test without a name, None is no test."""

    endpoint: str
    path: str
    tests: tuple[str | None, ...] = ()
    category: str | None = None
    group: str | None = None
    version: str | None = None
    kind: str | None = None
    action: str | None = None
    description: str | None = None

    @property
    def tested(self) -> bool:
        """Whether some test hit it."""
        return any(test is not None for test in self.tests)

    @property
    def conf_tested(self) -> bool:
        """Whether a conformance test hit it."""
        return any(is_conformance(test or "") for test in self.tests)


class ImportedRelease(msgspec.Struct, frozen=True):
    """``<release>.json``: the endpoints of a release that are not deprecated, and its conformance tests."""

    release: Minor
    date: date | None
    endpoints: tuple[ImportedEndpoint, ...]
    tests: tuple[ConformanceTest, ...]


class ImportedHistories(msgspec.Struct, frozen=True):
    """``conformance-endpoints.json``: when each eligible endpoint was promoted, and what tests hit it."""

    endpoints: tuple[EndpointHistory, ...]


class ImportedCoverage(msgspec.Struct, frozen=True):
    """``conformance-coverage-per-release.json``, as it was when its last release was current."""

    rows: tuple[CoverageRow, ...]


class ImportedProgress(msgspec.Struct, frozen=True):
    """``conformance-progress.json``, as it was when its last release was current."""

    rows: tuple[ProgressRow, ...]


class ImportedIneligible(msgspec.Struct, frozen=True):
    """``ineligible_endpoints.json``: the list, and its text."""

    entries: EndpointList
    text: bytes


class ImportedDates(msgspec.Struct, frozen=True):
    """``releases.yaml``: the releases, with the days of those that are out."""

    dates: dict[Minor, date | None]


Imported = (
    ImportedRelease
    | ImportedHistories
    | ImportedCoverage
    | ImportedProgress
    | ImportedIneligible
    | ImportedDates
)


def parse_apisnoop(content: bytes) -> Imported:
    """One of APISnoop's files. Raises ParseError, which says where, and what it is not."""
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ImportedDates(_parse_dates(content))
    keys = _keys(found)
    for needed, parse in _KINDS.items():
        if keys.issuperset(needed):
            return parse(content)
    raise ParseError(_NOT_ONE)


def imported_operations(endpoints: Iterable[ImportedEndpoint]) -> dict[str, Operation]:
    """The operations of an imported release by id, with the levels that our rules give them."""
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in endpoints:
        kind = {"group": one.group, "version": one.version, "kind": one.kind}
        paths[one.path][_method(one)] = {
            "operationId": one.endpoint,
            "description": one.description or "",
            "tags": [one.category] if one.category else [],
            "x-kubernetes-action": one.action,
            **({"x-kubernetes-group-version-kind": kind} if one.kind else {}),
        }
    return dict(parse_swagger(msgspec.json.encode({"swagger": "2.0", "paths": paths})).operations)


def _method(endpoint: ImportedEndpoint) -> str:
    """The HTTP method, which APISnoop leaves out: the action has it, or the name where that is connect."""
    if found := _CONNECT.match(endpoint.endpoint):
        return found[1].lower()
    return _METHODS.get(endpoint.action or "get", endpoint.action or "get")


def _keys(found: object) -> set[str]:
    """The keys of a mapping, or of a list's first item."""
    first = found[0] if isinstance(found, list) and found else found
    return set(first) if isinstance(first, dict) else set()


# ------------------------------------------------------------------------------------------ the files


class _Test(msgspec.Struct):
    test: str
    testname: str | None = None
    file: str | None = None
    conformance_test: bool = False
    promotion_release: str | None = None


class _Release(msgspec.Struct):
    release: str
    endpoints: tuple[ImportedEndpoint, ...]
    tests: list[_Test] = []
    release_date: str | None = None


class _HistoryTest(msgspec.Struct):
    release: str


class _History(msgspec.Struct):
    endpoint: str
    promotion_release: str
    tests: list[_HistoryTest | None] | None = None


class _Coverage(msgspec.Struct):
    release: str
    tested: int
    untested: int
    new: int = msgspec.field(name="new endpoints")
    total: int = msgspec.field(name="total endpoints")
    total_tested: int = msgspec.field(name="total tested")
    total_untested: int = msgspec.field(name="total untested")


class _Totals(msgspec.Struct):
    endpoints: int
    tested: int
    new: int
    new_tested: int
    old_tested: int
    new_with_tests: int
    still_untested: int


class _Progress(msgspec.Struct):
    release: str
    total: _Totals


_Decoded = TypeVar("_Decoded")


def _decode(content: bytes, kind: type[_Decoded]) -> _Decoded:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise ParseError(str(error)) from error


def _release(content: bytes) -> ImportedRelease:
    found = _decode(content, _Release)
    tests = [one for one in found.tests if one.conformance_test and one.test]
    return ImportedRelease(
        release=parse_release(found.release),
        date=_parse_date((found.release_date or "")[:10]),
        endpoints=found.endpoints,
        tests=tuple(
            ConformanceTest(
                one.testname or "", one.test, one.file or "", parse_release(one.promotion_release or "1.9")
            )
            for one in tests
        ),
    )


def _histories(content: bytes) -> ImportedHistories:
    return ImportedHistories(
        tuple(
            EndpointHistory(
                one.endpoint,
                parse_release(one.promotion_release),
                frozenset(parse_release(test.release) for test in one.tests or () if test),
            )
            for one in _decode(content, list[_History])
        )
    )


def _coverage(content: bytes) -> ImportedCoverage:
    rows = _decode(content, list[_Coverage])
    return ImportedCoverage(
        tuple(
            CoverageRow(
                **{**msgspec.structs.asdict(row), "release": release_name(parse_release(row.release))}
            )
            for row in rows
        )
    )


def _progress(content: bytes) -> ImportedProgress:
    rows = _decode(content, list[_Progress])
    return ImportedProgress(
        tuple(
            ProgressRow(release=release_name(parse_release(row.release)), **msgspec.structs.asdict(row.total))
            for row in rows
        )
    )


def _ineligible(content: bytes) -> ImportedIneligible:
    return ImportedIneligible(parse_endpoint_list(content), content)


def _dates(content: bytes) -> ImportedDates:
    return ImportedDates(_parse_dates(content))


_KINDS: dict[tuple[str, ...], Callable[[bytes], Imported]] = {
    ("release", "endpoints"): _release,
    ("endpoint", "promotion_release"): _histories,
    ("release", "new endpoints"): _coverage,
    ("release", "total"): _progress,
    ("endpoint", "reason", "link"): _ineligible,
    ("version", "release_date"): _dates,
}
"""By the keys that tell it, a file's parser."""


def _parse_dates(content: bytes) -> dict[Minor, date | None]:
    try:
        items = list_items(content, of="releases")
    except ParseError as error:
        raise ParseError(f"{_NOT_ONE}: {error}") from error
    if not items:
        raise ParseError(_NOT_ONE)
    return dict(map(_dated, items))


def _dated(item: yaml.Node) -> tuple[Minor, date | None]:
    if not isinstance(item, yaml.MappingNode):
        raise unexpected(item, "a release: a mapping with version and release_date")
    fields = text_fields(item, ("version", "release_date"), kinds=(STRING, DATE))
    try:
        return parse_release(fields.get("version") or ""), _parse_date(fields.get("release_date") or "")
    except ParseError as error:
        raise error_at(item, f"{_NOT_ONE}: {error}") from error


def _parse_date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ParseError(f"not a date: {text}: write it like 2025-08-27") from error
