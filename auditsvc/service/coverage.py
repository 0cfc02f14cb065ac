"""How much of the API conformance tests cover, release by release, and what that is known from."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, assert_never

import msgspec
from msgspec.structs import asdict

from auditsvc.core.apisnoop import (
    Imported,
    ImportedCoverage,
    ImportedDates,
    ImportedHistories,
    ImportedIneligible,
    ImportedProgress,
    ImportedRelease,
)
from auditsvc.core.conformance import ConformanceTest, parse_conformance
from auditsvc.core.coverage import (
    CoverageRow,
    EndpointCoverage,
    ProgressRow,
    coverage_rows,
    eligible,
    endpoint_coverage,
    progress_rows,
    promotions,
    tells_promotions,
)
from auditsvc.core.endpoints import EndpointList, EndpointLists
from auditsvc.core.releases import Minor, Release, parse_release, release_name
from auditsvc.core.swagger import minor_version
from auditsvc.errors import NotFoundError, RequestError
from auditsvc.sources import StoredCoverage
from auditsvc.store import Store
from auditsvc.store.coverage import CoverageOrigin, CoverageRecord, CoverageTable
from auditsvc.store.lists import ListKind

_OPERATIONS = "PUT /swagger/<version>, or auditsvc import apisnoop FILE"
_OLDER = "PUT /swagger/<version> of an older release, or auditsvc import apisnoop conformance-endpoints.json"


class ReleaseSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A release and what is known of it; ``swagger`` is the version of its document, None without one."""

    release: str
    date: date | None
    swagger: str | None
    imported: bool
    operations: int
    eligible: int
    conformance_tests: int


class ConformanceTests(msgspec.Struct, frozen=True):
    """Conformance tests of a release: some of them, and how many there are."""

    release: Minor
    tests: tuple[ConformanceTest, ...]
    total: int


class Coverage:
    """The coverage knowledge of the store."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock

    def known(self) -> StoredCoverage:
        """All that is known now: the releases, the tests and what they hit, the endpoints' histories."""
        return StoredCoverage(self._store, at=self._clock())

    def lists(self) -> EndpointLists:
        """The lists that hold now."""
        held = (self._store.lists.holding(kind, self._clock()) for kind in ListKind)
        return EndpointLists(*(self._store.lists.get(one.hash) if one else EndpointList() for one in held))

    def release(self, known: StoredCoverage, version: str | None = None) -> Release:
        """A release with its operations; without a version the newest of which these are known.

        Raises NotFoundError where they are not known.
        """
        minor = _release(version) if version else None
        found = [one for one in known.releases.releases if minor in (None, parse_release(one.version))]
        if not found:
            which = f"release {version}" if version else "any release"
            raise NotFoundError(f"the operations of {which} are not known ({_OPERATIONS})")
        return found[-1]

    def releases(self, *, as_of: str | None = None) -> list[dict[str, Any]]:
        """Coverage by release as it is known now, or was when ``as_of`` was the newest release."""
        if as_of is not None:
            return self._kept(as_of, CoverageTable.RELEASES)
        known = self.known()
        return [asdict(row) for row in coverage_rows(known.known, known.histories)]

    def progress(self, *, as_of: str | None = None) -> list[dict[str, Any]]:
        """How far each release had come as it is known now, or was when ``as_of`` was the newest."""
        if as_of is not None:
            return self._kept(as_of, CoverageTable.PROGRESS)
        known = self.known()
        return [asdict(row) for row in progress_rows(known.known, known.histories)]

    def history(
        self, *, release: str | None = None, limit: int, offset: int = 0
    ) -> tuple[list[CoverageRecord], int]:
        """The tables that were kept, newest first, and how many there are."""
        minor = _release(release) if release else None
        return self._store.coverage.history(release=minor, limit=limit, offset=offset)

    def new(self, release: str | None = None) -> tuple[Minor, list[EndpointCoverage]]:
        """The endpoints that became stable in a release (None: the newest with a swagger), by name.

        Raises NotFoundError where nothing tells them.
        """
        known = self.known()
        minor = _release(release) if release else self._newest(known)
        if minor not in known.known:
            raise NotFoundError(f"unknown release: {release_name(minor)} (GET /releases lists them)")
        if not tells_promotions(minor, known.releases, known.imported):
            raise NotFoundError(
                f"no release older than {release_name(minor)} is known, to tell what is new in it ({_OLDER})"
            )
        since = promotions(known.releases, known.imported)
        return minor, self.endpoints(known, sorted(name for name, one in since.items() if one == minor))

    def endpoints(self, known: StoredCoverage, names: Sequence[str]) -> list[EndpointCoverage]:
        """What is known of endpoints of ``known.history``, in the order of their names as given."""
        lists = self.lists()
        operations = {
            name: one for release in known.releases.releases for name, one in release.operations.items()
        }
        return [
            endpoint_coverage(known.history[name], operations.get(name), releases=known.known, lists=lists)
            for name in names
        ]

    def summaries(self) -> list[ReleaseSummary]:
        """Every known release, the newest first."""
        known, dates = self.known(), self._store.coverage.dates()
        imported = set(self._store.coverage.imported_releases())
        return [
            _summary(known, minor, dates.get(minor), imported=minor in imported)
            for minor in reversed(known.known)
        ]

    def put_release(self, version: str, day: date | None) -> ReleaseSummary:
        """Makes a release known, with the day on which it came out (None: not yet)."""
        minor = _release(version)
        self._store.coverage.put_dates({minor: day})
        record_coverage(self._store, now=self._clock())
        imported = minor in self._store.coverage.imported_releases()
        return _summary(self.known(), minor, day, imported=imported)

    def put_tests(self, version: str, text: bytes) -> ConformanceTests:
        """Makes a ``conformance.yaml`` the conformance tests of a release. ParseError refuses it whole."""
        release, tests = _release(version), parse_conformance(text)
        self._store.coverage.put_tests(release, tests, recorded=self._clock())
        record_coverage(self._store, now=self._clock())
        return ConformanceTests(release, tests, len(tests))

    def tests(
        self,
        version: str | None = None,
        *,
        text: str = "",
        sig: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> ConformanceTests:
        """The conformance tests of a release (None: the newest that has some).

        Those of that SIG (``node``, ``sig-node``) and tag, with ``text`` in their name or title in any case.
        Raises NotFoundError where none are stored.
        """
        stored = self._store.coverage.tests(_release(version) if version else None)
        if not stored:
            raise NotFoundError(
                f"no conformance tests{f' of {version}' if version else ''} are stored "
                "(PUT /conformance-tests/<version>, or auditsvc import conformance VERSION FILE)"
            )
        release, tests = max(stored.items())
        wanted = f"sig-{sig.strip('[]').removeprefix('sig-')}" if sig else None
        found = tuple(
            test
            for test in tests
            if (wanted is None or wanted in test.sigs)
            and (tag is None or tag.strip("[]") in test.tags)
            and text.lower() in f"{test.codename}\n{test.testname}".lower()
        )
        end = None if limit is None else offset + limit
        return ConformanceTests(release, found[offset:end], len(found))

    def import_apisnoop(self, found: Sequence[Imported]) -> list[str]:
        """Stores what APISnoop's files say, all of it or nothing; tells of each in a line what was stored."""
        with self._store.transaction():
            told = [self._import(one) for one in found]
            record_coverage(self._store, now=self._clock())
        return told

    def _kept(self, as_of: str, table: CoverageTable) -> list[dict[str, Any]]:
        records, _ = self._store.coverage.history(release=_release(as_of), table=table, limit=1)
        if not records:
            raise NotFoundError(f"nothing was kept as of {as_of} (GET /coverage/history lists what was)")
        return list(records[0].rows)

    def _newest(self, known: StoredCoverage) -> Minor:
        if known.releases.releases:
            return parse_release(known.releases.releases[-1].version)
        if known.known:
            return known.known[-1]
        raise NotFoundError("no release is known (PUT /swagger/<version>, or auditsvc import apisnoop FILE)")

    def _import(
        self,
        found: Imported,
    ) -> str:
        match found:
            case ImportedRelease():
                return self._import_release(found)
            case ImportedHistories(endpoints):
                self._store.coverage.put_histories(endpoints, recorded=self._clock())
                return f"histories of {len(endpoints)} endpoints"
            case ImportedCoverage(rows):
                _keep(self._store, CoverageTable.RELEASES, rows, CoverageOrigin.APISNOOP, now=self._clock())
                return f"coverage of {len(rows)} releases, as it was then"
            case ImportedProgress(rows):
                _keep(self._store, CoverageTable.PROGRESS, rows, CoverageOrigin.APISNOOP, now=self._clock())
                return f"progress of {len(rows)} releases, as it was then"
            case ImportedIneligible(entries, text):
                return self._import_ineligible(entries, text)
            case ImportedDates(dates):
                self._store.coverage.put_dates(dates)
                return f"dates of {len(dates)} releases"
        assert_never(found)

    def _import_release(self, found: ImportedRelease) -> str:
        now, store = self._clock(), self._store.coverage
        store.put_endpoints(found.release, found.endpoints, found.tests, recorded=now)
        if store.dates().get(found.release) is None:
            store.put_dates({found.release: found.date})
        return f"release {release_name(found.release)}: {len(found.endpoints)} endpoints"

    def _import_ineligible(self, entries: EndpointList, text: bytes) -> str:
        now, lists = self._clock(), self._store.lists
        held, digest = lists.holding(ListKind.INELIGIBLE, now), lists.keep(text, entries, recorded=now)
        if held is None or held.hash != digest:
            lists.hold(ListKind.INELIGIBLE, digest, holds_from=now, recorded=now)
        return f"ineligible list of {len(entries)} entries"


def record_coverage(store: Store, *, now: datetime) -> None:
    """Keeps the tables as they are now and the newest release is, unless they are kept so.

    To be called when what they are computed from has changed.
    """
    known = StoredCoverage(store, at=now)
    releases = coverage_rows(known.known, known.histories)
    progress = progress_rows(known.known, known.histories)
    _keep(store, CoverageTable.RELEASES, releases, CoverageOrigin.OWN, now=now)
    _keep(store, CoverageTable.PROGRESS, progress, CoverageOrigin.OWN, now=now)


def _keep(
    store: Store,
    table: CoverageTable,
    rows: Sequence[CoverageRow] | Sequence[ProgressRow],
    origin: CoverageOrigin,
    *,
    now: datetime,
) -> None:
    if rows:
        store.coverage.append(
            CoverageRecord(
                release=parse_release(rows[-1].release),
                table=table,
                origin=origin,
                recorded=now,
                rows=tuple(map(asdict, rows)),
            )
        )


def _summary(known: StoredCoverage, minor: Minor, day: date | None, *, imported: bool) -> ReleaseSummary:
    release = known.release(minor)
    operations = release.operations.values() if release else ()
    return ReleaseSummary(
        release=release_name(minor),
        date=day,
        swagger=known.swagger_version(minor),
        imported=imported,
        operations=len(operations),
        eligible=len(eligible(operations, known.ineligible)),
        conformance_tests=len(known.tests.get(minor, ())),
    )


def _release(text: str) -> Minor:
    """The release that a request names. Raises RequestError."""
    minor = minor_version(text)
    if minor is None:
        raise RequestError(f"not a version of Kubernetes: {text}: write it like v1.34.0")
    return minor
