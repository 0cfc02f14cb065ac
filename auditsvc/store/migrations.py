"""The schema, step by step, and how a file is brought to its newest version.

To change the schema: add a migration (never edit an old one), and count SCHEMA_VERSION up. The views of
:mod:`auditsvc.store.views` are made anew with every change and need no migration of their own.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlite_utils import Database, Migrations

from auditsvc.errors import StoreError
from auditsvc.store.connections import connect, reported, transaction
from auditsvc.store.views import VIEWS

SCHEMA_VERSION = 3
"""How many migrations there are; a file's own is its ``PRAGMA user_version``."""

APPLICATION_ID = 0x61756474
"""``audt``: marks the file as ours, also for file(1)."""

migrations = Migrations("auditsvc")


@migrations()
def m001_runs_documents_results_jobs(db: Database) -> None:
    """Everything of the first release. Times are text: ``2023-01-16T20:23:08.000000Z``."""
    db.executescript("""
        -- Swagger documents, by content.
        create table swaggers (
            hash text primary key,      -- sha256 of the document, hexadecimal
            version text,               -- the one that the document names
            document blob not null,     -- zstd
            recorded text not null
        );
        create table operations (
            swagger text not null references swaggers (hash) on delete cascade,
            id text not null,
            method text not null,
            path text not null,
            level text not null,
            deprecated integer not null,
            category text,
            "group" text,
            version text,
            kind text,
            action text,
            resource text,
            description text not null,
            primary key (swagger, id)
        ) without rowid;
        -- From when on an uploaded document is the one of its version.
        create table swagger_holds (
            version text not null,      -- as uploaded: v1.34.0
            minor text not null,        -- 1.34
            rank text not null,         -- sorts as versions do, which their text does not
            holds_from text not null,
            swagger text not null references swaggers (hash),
            recorded text not null,
            primary key (version, holds_from)
        );

        -- Pending and ineligible lists, by content.
        create table lists (
            hash text primary key,      -- sha256 of the text, hexadecimal
            text text not null,
            recorded text not null
        );
        create table list_entries (
            list text not null references lists (hash) on delete cascade,
            line integer not null,
            endpoint text not null,
            reason text,
            link text
        );
        create index list_entries_endpoint on list_entries (list, endpoint);
        create table list_holds (
            kind text not null,         -- pending, ineligible
            holds_from text not null,
            list text not null references lists (hash),
            recorded text not null,
            primary key (kind, holds_from)
        );

        create table runs (
            id text primary key,
            kind text not null,         -- ci, pull, app, live
            started text not null,
            finished text not null,
            result text not null,       -- success, failure, aborted
            cluster text,
            job text,
            build text,
            pull text,
            app text,
            revision text,
            version text,
            swagger text references swaggers (hash),    -- these three: what the run brought
            pending text references lists (hash),
            ineligible text references lists (hash),
            minor text,                 -- 1.34, of its version
            recorded text not null,
            -- What it used, as a whole.
            requests integer not null,
            mapped integer not null,
            malformed integer not null,
            malformed_at text not null, -- JSON: ["audit.log:17"]
            duplicates integer not null,
            incomplete integer not null,
            events integer not null,
            first text,
            last text,
            header text                 -- JSON: an imported report's own totals; null for a log
        );
        create index runs_finished on runs (finished);
        -- What it used, by operation and by the reason why a request is of none.
        create table usage (
            run text not null references runs (id) on delete cascade,
            mapped integer not null,    -- 1: `name` is an operationId, 0: a reason
            name text not null,
            hits integer not null,
            success_hits integer not null,
            conformance_hits integer not null,
            codes text not null,        -- JSON: {"2xx": 508}, and likewise the next two
            tests text not null,
            agents text not null,
            first text,
            last text,
            primary key (run, mapped, name)
        );
        -- The sampled events of a run: together, for they are so much alike that a fifth of the space will
        -- do, and apart from usage, for they are seldom read.
        create table samples (
            run text primary key references runs (id) on delete cascade,
            events blob not null        -- zstd of JSON: {"operations": {id: [{"file", "line", "event"}]}, …}
        );

        -- The newest result of each audit in each window, and those of single runs.
        create table results (
            window_start text not null,
            window_end text not null,
            run text references runs (id) on delete cascade,    -- null: of the window's AuditSet
            key text not null,          -- operationEquality
            status text not null,
            checked integer not null,
            last_run text not null,
            inputs text not null,       -- hash of what it was computed from
            code text not null,         -- version of the audit's code
            text text not null,         -- the bytes that GET /audit answers with
            result text not null        -- JSON: the findings with their details and resolutions
        );
        create unique index results_of_window on results (window_start, window_end, key) where run is null;
        create unique index results_of_run on results (run, key) where run is not null;

        create table jobs (
            id integer primary key autoincrement,
            kind text not null,
            description text not null,
            state text not null,        -- queued, running, done, failed, interrupted
            created text not null,
            started text,
            finished text,
            done integer not null,
            total integer not null,
            error text,
            link text                   -- what it made: a run's id
        );
    """)


@migrations()
def m002_costs(db: Database) -> None:
    """Costs: what was received of a kind for a window, and the tables made from it, under its `source`."""
    db.executescript("""
        create table costs (
            window_start text not null,
            window_end text not null,
            source text not null,       -- what was received: allocations, assets, cloudcosts, totals, …
            kind text not null,         -- the same, or totals or aggregates that auditsvc made from it
            origin text not null,       -- uploaded, fetched, own
            hash text not null,         -- sha256 of the document, hexadecimal
            rows integer not null,
            hours integer not null,     -- how many of the rows are of a single hour
            recorded text not null,
            document blob not null,     -- zstd
            primary key (window_start, window_end, source, kind)
        );
    """)


@migrations()
def m003_leases(db: Database) -> None:
    """Leases: what one process at a time does, and which of them does it."""
    db.executescript("""
        create table leases (
            name text primary key,      -- schedule
            holder text not null,       -- host, process and a random part
            beat integer not null,      -- counts up for as long as the holder lives
            heartbeat text not null     -- when it last did, by the holder's clock: for people
        );
    """)


def migrate(path: Path) -> None:
    """Creates the file or brings it to SCHEMA_VERSION; one that is up to date is only looked at.

    Raises StoreError, and leaves the file as it was, where it is of a newer version, damaged or not ours.
    """
    with reported(path), _alone(path.parent):
        if path.exists() and _is_current(path):
            return
        with closing(connect(path, mode="rwc")) as db:
            db.enable_wal()
            with transaction(db):
                migrations.apply(db)
                _make_views(db)
                db.execute(f"pragma application_id = {APPLICATION_ID}")
                db.execute(f"pragma user_version = {SCHEMA_VERSION}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lets one process at a time look at the file's version and change it.

    SQLite's own locks do not do, because its switch to WAL fails at once while anyone else reads.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_current(path: Path) -> bool:
    # A writing connection puts a crashed process's log into the file when it closes, and a reading one
    # leaves empty -wal and -shm files where there are none: neither is to happen to a file that is refused.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    with closing(connect(path, mode=mode)) as db:
        [(version,)] = db.execute("pragma user_version")
        [(application,)] = db.execute("pragma application_id")
        if application != APPLICATION_ID and (version or db.table_names()):
            raise StoreError(f"{path} is not auditsvc's: name another data folder, or move the file away")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a newer auditsvc "
                f"(schema {version}, this one knows {SCHEMA_VERSION}): use that version"
            )
        return version == SCHEMA_VERSION and db.journal_mode == "wal"


def _make_views(db: Database) -> None:
    for name in db.view_names():
        if name.startswith("v_"):  # ours; people may add their own
            db.view(name).drop()
    for name, select in VIEWS.items():
        db.create_view(name, select)
