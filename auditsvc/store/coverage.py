"""What is known of the coverage of releases: their dates, conformance tests, and what APISnoop knew.

The tables that were computed while a release was the newest are only ever added to; SQLite itself refuses
to change them.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from auditsvc.core.releases import Minor, parse_release, release_name
from auditsvc.store.columns import json_text, parse_time, time_text
from auditsvc.store.connections import Connections, Database

if TYPE_CHECKING:  # they bring YAML, and who opens the store to keep a run needs none
    from auditsvc.core.apisnoop import ImportedEndpoint
    from auditsvc.core.conformance import ConformanceTest
    from auditsvc.core.coverage import EndpointHistory

_names = msgspec.json.Decoder(tuple[str | None, ...])
_rows = msgspec.json.Decoder(tuple[dict[str, Any], ...])
_ENDPOINT = 'endpoint, path, tests, category, "group", version, kind, action, description'


class CoverageTable(StrEnum):
    """The two tables that are kept as they were."""

    RELEASES = "releases"
    PROGRESS = "progress"


class CoverageOrigin(StrEnum):
    """Who computed a kept table."""

    OWN = "own"
    APISNOOP = "apisnoop"


class CoverageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A table as it was computed while ``release`` was the newest."""

    release: Minor
    table: CoverageTable
    origin: CoverageOrigin
    recorded: datetime
    rows: tuple[dict[str, Any], ...]


class CoverageRecords:
    """The coverage knowledge."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    # ------------------------------------------------------------------------------------ releases

    def put_dates(self, dates: Mapping[Minor, date | None]) -> None:
        """Stores when releases came out; None makes a release known that is not out."""
        rows = [(release_name(one), *one, day and day.isoformat()) for one, day in dates.items()]
        with self._connections.transaction() as db:
            db.executemany(
                """
                insert into releases (release, major, minor, date) values (?, ?, ?, ?)
                on conflict (release) do update set date = excluded.date
                """,
                rows,
            )

    def dates(self) -> dict[Minor, date | None]:
        """When the releases that were told of came out, in their order."""
        with self._connections.reading() as db:
            rows = db.execute("select major, minor, date from releases order by major, minor").fetchall()
        return {(major, minor): day and date.fromisoformat(day) for major, minor, day in rows}

    # ----------------------------------------------------------------------------------- the tests

    def put_tests(self, release: Minor, tests: "Sequence[ConformanceTest]", *, recorded: datetime) -> bool:
        """Stores a release's conformance tests in place of those there; False where they are the same."""
        source = f"conformance.yaml {release_name(release)}"
        with self._connections.transaction() as db:
            if not _is_news(db, source, tests, recorded):
                return False
            _write_tests(db, release, tests)
        return True

    def tests(self, release: Minor | None = None) -> "dict[Minor, tuple[ConformanceTest, ...]]":
        """The conformance tests of a release (None: of all), by release in their order."""
        from auditsvc.core.conformance import ConformanceTest

        named = release and release_name(release)
        with self._connections.reading() as db:
            rows = db.execute(
                """
                select version, testname, codename, file, release from conformance_tests
                where :version is null or version = :version order by version, position
                """,
                {"version": named},
            ).fetchall()
        found: dict[Minor, list[ConformanceTest]] = {}
        for version, testname, codename, file, since in rows:
            test = ConformanceTest(testname, codename, file, parse_release(since))
            found.setdefault(parse_release(version), []).append(test)
        return {known: tuple(found[known]) for known in sorted(found)}

    # ---------------------------------------------------------------------------- what was imported

    def put_histories(self, endpoints: "Sequence[EndpointHistory]", *, recorded: datetime) -> bool:
        """Stores the imported histories in place of those there; False where they are the same."""
        rows = [
            (
                one.endpoint,
                release_name(one.promotion_release),
                json_text([release_name(release) for release in sorted(one.test_releases)]),
            )
            for one in endpoints
        ]
        with self._connections.transaction() as db:
            if not _is_news(db, "conformance-endpoints.json", rows, recorded):
                return False
            db.execute("delete from endpoint_histories")
            db.executemany(
                """
                insert into endpoint_histories (endpoint, promotion_release, test_releases)
                values (?, ?, ?)
                """,
                rows,
            )
        return True

    def histories(self) -> "tuple[EndpointHistory, ...]":
        """The imported histories, by endpoint; none where there was no import."""
        from auditsvc.core.coverage import EndpointHistory

        with self._connections.reading() as db:
            rows = db.execute(
                "select endpoint, promotion_release, test_releases from endpoint_histories order by endpoint"
            ).fetchall()
        return tuple(
            EndpointHistory(
                name,
                parse_release(promotion),
                frozenset(parse_release(one or "") for one in _names.decode(tests)),
            )
            for name, promotion, tests in rows
        )

    def put_endpoints(
        self,
        release: Minor,
        endpoints: "Sequence[ImportedEndpoint]",
        tests: "Sequence[ConformanceTest]",
        *,
        recorded: datetime,
    ) -> bool:
        """Stores an imported release in place of the one there; False where it is the same.

        Its tests are those of the release unless a ``conformance.yaml`` tells them.
        """
        name = release_name(release)
        with self._connections.transaction() as db:
            if not _is_news(db, f"{name}.json", (endpoints, tests), recorded):
                return False
            db.execute("delete from release_endpoints where release = ?", (name,))
            db.executemany(
                f"insert into release_endpoints (release, {_ENDPOINT}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [(name, *_endpoint_row(one)) for one in endpoints],
            )
            if not _is_known(db, f"conformance.yaml {name}"):
                _write_tests(db, release, tests)
        return True

    def endpoints(self, release: Minor) -> "tuple[ImportedEndpoint, ...]":
        """The endpoints of an imported release, by name; none of another."""
        from auditsvc.core.apisnoop import ImportedEndpoint

        with self._connections.reading() as db:
            rows = db.execute(
                f"select {_ENDPOINT} from release_endpoints where release = ? order by endpoint",  # noqa: S608
                (release_name(release),),
            ).fetchall()
        return tuple(
            ImportedEndpoint(name, path, _names.decode(tests), *rest) for name, path, tests, *rest in rows
        )

    def imported_releases(self) -> list[Minor]:
        """The releases that were imported, in their order."""
        with self._connections.reading() as db:
            rows = db.execute("select distinct release from release_endpoints").fetchall()
        return sorted(parse_release(release) for (release,) in rows)

    def received(self) -> bool:
        """Whether conformance tests or anything of APISnoop's was ever received."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from coverage_sources)").fetchone()[0])

    def tested(self) -> bool:
        """Whether a conformance test hit anything in a ci run, or in an imported release."""
        with self._connections.reading() as db:
            [(found,)] = db.execute(
                """
                select exists (select 1 from release_endpoints) or exists (
                    select 1 from runs r join usage u on u.run = r.id
                    where r.kind = 'ci' and u.conformance_hits > 0
                )
                """
            )
        return bool(found)

    def fingerprint(self) -> str:
        """A hash of all that was received, the dates apart."""
        with self._connections.reading() as db:
            rows = db.execute("select name, hash from coverage_sources order by name").fetchall()
        return _digest(rows) if rows else ""

    def sources(self) -> tuple[tuple[str, str], ...]:
        """The name and hash of each thing that was received."""
        with self._connections.reading() as db:
            rows = db.execute("select name, hash from coverage_sources order by name").fetchall()
        return tuple(rows)

    # ------------------------------------------------------------------------------------- history

    def append(self, record: CoverageRecord) -> bool:
        """Keeps a table as it is; False where the newest of its release, origin and kind says the same."""
        name, rows = release_name(record.release), json_text(record.rows)
        with self._connections.transaction() as db:
            last = db.execute(
                """
                select rows from coverage_history where release = ? and "table" = ? and origin = ?
                order by id desc limit 1
                """,
                (name, record.table, record.origin),
            ).fetchone()
            if last is not None and last[0] == rows:
                return False
            db.execute(
                """
                insert into coverage_history (release, "table", origin, recorded, rows) values (?, ?, ?, ?, ?)
                """,
                (name, record.table, record.origin, time_text(record.recorded), rows),
            )
        return True

    def history(
        self,
        *,
        release: Minor | None = None,
        table: CoverageTable | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[CoverageRecord], int]:
        """The kept tables, newest first: `limit` of them (None: all) from `offset` on, and their number."""
        where = '(:release is null or release = :release) and (:table is null or "table" = :table)'
        named = {"release": release and release_name(release), "table": table}
        with self._connections.reading() as db:
            total = db.count("coverage_history", where, named)
            rows = db.execute(
                f'select release, "table", origin, recorded, rows from coverage_history where {where} '  # noqa: S608
                "order by id desc limit :limit offset :offset",
                {**named, "limit": -1 if limit is None else limit, "offset": offset},
            ).fetchall()
        return [_read_record(*row) for row in rows], total


def _read_record(release: str, table: str, origin: str, recorded: str, rows: str) -> CoverageRecord:
    return CoverageRecord(
        release=parse_release(release),
        table=CoverageTable(table),
        origin=CoverageOrigin(origin),
        recorded=parse_time(recorded),
        rows=_rows.decode(rows),
    )


def _write_tests(db: Database, release: Minor, tests: "Iterable[ConformanceTest]") -> None:
    name = release_name(release)
    db.execute("delete from conformance_tests where version = ?", (name,))
    db.executemany(
        """
        insert into conformance_tests (version, position, testname, codename, file, release)
        values (?, ?, ?, ?, ?, ?)
        """,
        [
            (name, position, test.testname, test.codename, test.file, release_name(test.release))
            for position, test in enumerate(tests)
        ],
    )


def _endpoint_row(one: "ImportedEndpoint") -> tuple[str | None, ...]:
    tests = json_text(one.tests)
    return (
        one.endpoint,
        one.path,
        tests,
        one.category,
        one.group,
        one.version,
        one.kind,
        one.action,
        one.description,
    )


def _is_known(db: Database, source: str) -> bool:
    return db.execute("select 1 from coverage_sources where name = ?", (source,)).fetchone() is not None


def _is_news(db: Database, source: str, content: object, recorded: datetime) -> bool:
    """Notes that a source was received, and tells whether it says anything else than when it last was."""
    digest = _digest(content)
    if db.execute("select hash from coverage_sources where name = ?", (source,)).fetchone() == (digest,):
        return False
    db.execute(
        "insert or replace into coverage_sources (name, hash, recorded) values (?, ?, ?)",
        (source, digest, time_text(recorded)),
    )
    return True


def _digest(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()
