"""The schema, step by step.

To change it: add a step (never edit an old one), and count SCHEMA_VERSION up, in
:mod:`auditsvc.store.version`. The views of :mod:`auditsvc.store.views` are made anew with every change and
need no step of their own.
"""

import sqlite3
from datetime import UTC, datetime

from auditsvc.store.views import VIEWS

MIGRATION_SET = "auditsvc"
"""What sqlite-utils calls these steps in its table of those that were taken."""

STEPS = {
    # Everything of the first release. Times are text: ``2023-01-16T20:23:08.000000Z``.
    "m001_runs_documents_results_jobs": """
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
    """,
    # Costs: what was received of a kind for a window, and the tables made from it, under its `source`.
    "m002_costs": """
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
    """,
    # Leases: what one process at a time does, and which of them does it.
    "m003_leases": """
        create table leases (
            name text primary key,      -- schedule
            holder text not null,       -- host, process and a random part
            beat integer not null,      -- counts up for as long as the holder lives
            heartbeat text not null     -- when it last did, by the holder's clock: for people
        );
    """,
    # Access tokens, as hashes: 32 random bytes are not guessed from those.
    "m004_tokens": """
        create table tokens (
            id text primary key,        -- the part of the token that is no secret
            name text,                  -- whose it is, for people
            role text not null,         -- reader, writer, admin
            hash text not null,         -- sha256 of the token, hexadecimal
            created text not null,
            expires text,               -- null: never
            last_used text,             -- to the minute
            revoked text                -- when; null: it still holds
        );
    """,
    # Coverage knowledge. A release is its minor version, named as APISnoop does: ``1.34.0``.
    "m005_coverage": """
        create table releases (
            release text primary key,   -- 1.34.0
            major integer not null,
            minor integer not null,
            date text                   -- 2025-08-27; null: not out, or not known
        );
        -- What was received, each the newest: conformance.yaml 1.34.0, 1.34.0.json, …
        create table coverage_sources (
            name text primary key,
            hash text not null,         -- sha256 of what it says, hexadecimal
            recorded text not null
        );
        create table conformance_tests (
            version text not null,      -- the release whose conformance.yaml it stands in
            position integer not null,  -- from 0
            testname text not null,
            codename text not null,
            file text not null,
            release text not null,      -- in which it became a conformance test
            primary key (version, position)
        ) without rowid;
        create table endpoint_histories (   -- conformance-endpoints.json
            endpoint text primary key,
            promotion_release text not null,
            test_releases text not null -- JSON: ["1.16.0"], of the conformance tests that hit it
        );
        create table release_endpoints (    -- <release>.json
            release text not null,
            endpoint text not null,
            path text not null,
            tests text not null,        -- JSON: names; "" is a test without one, null no test
            category text,
            "group" text,
            version text,
            kind text,
            action text,
            description text,
            primary key (release, endpoint)
        ) without rowid;
        -- The tables of coverage as they were while a release was the newest: never rewritten.
        create table coverage_history (
            id integer primary key,
            release text not null,
            "table" text not null,      -- releases, progress
            origin text not null,       -- own, apisnoop
            recorded text not null,
            rows text not null          -- JSON: an array of the table's rows
        );
        create index coverage_history_release on coverage_history (release, "table", origin);
        create trigger coverage_history_unchanged before update on coverage_history
        begin select raise(abort, 'coverage_history is never rewritten'); end;
        create trigger coverage_history_kept before delete on coverage_history
        begin select raise(abort, 'coverage_history is never rewritten'); end;
    """,
    # What is known of a run's log as such. Of older runs nobody knows: null.
    "m006_logs": """
        alter table runs add column backwards integer;          -- events older than the one above them
        alter table runs add column gaps text;                  -- JSON: [{"start", "seconds"}], longest first
        alter table runs add column never_completed integer;    -- requests that the server should have ended
        -- JSON: [{"agent", "name", "removed_release", "requests"}]
        alter table runs add column deprecated text;
    """,
    # What results were computed from, so that they can be computed once more. Of older ones it is null.
    "m007_recorded_inputs": """
        create table inputs (
            hash text primary key,      -- sha256 of what follows, hexadecimal
            recorded text not null      -- JSON: runs, documents and settings, by id, hash and value
        );
        -- The swaggers and lists among them, which are kept as long as these are.
        create table input_documents (
            inputs text not null references inputs (hash) on delete cascade,
            hash text not null,
            primary key (inputs, hash)
        ) without rowid;
        create index input_documents_hash on input_documents (hash);
        alter table results add column recorded text references inputs (hash);
        create index results_recorded on results (recorded);
        create index results_of_key on results (key, window_start) where run is null;
    """,
    # The events of live runs as they came.
    "m008_live_batches": """
        create table live_batches (
            id integer primary key autoincrement,   -- counts up, and none is used again
            run text not null references runs (id) on delete cascade,
            hash text not null,         -- sha256 of the events, hexadecimal
            events blob not null,       -- zstd: one a line
            recorded text not null,
            unique (run, hash)
        );
    """,
    # Which process works on a job. Older unfinished jobs are of none that lives.
    "m009_owned_jobs": "alter table jobs add column process text;  -- host, process and a random part",
    # Audit policies, by content. Older runs brought none.
    "m010_policies": """
        create table policies (
            hash text primary key,      -- sha256 of the text, hexadecimal
            text text not null,
            recorded text not null
        );
        alter table runs add column policy text references policies (hash);     -- what the run brought
    """,
    # The names of a run's e2e tests, once: in the tests of its usage stands their number. A cross join keeps
    # SQLite from reading the JSON once for each name.
    "m011_test_names": """
        create table run_tests (
            run text not null references runs (id) on delete cascade,
            number integer not null,
            name text not null,
            primary key (run, number)
        ) without rowid;
        insert into run_tests (run, number, name)
        select run, row_number() over (partition by run order by name) - 1, name
        from (select distinct u.run, t.key as name from usage u, json_each(u.tests) t);
        create index old_names on run_tests (run, name);
        update usage set tests = (
            select json_group_object(n.number, t.value) from json_each(usage.tests) t
            cross join run_tests n on n.run = usage.run and n.name = t.key
        ) where tests <> '{}';
        drop index old_names;
    """,
    "m012_packed_samples": """
        -- The events in samples are zstd of MessagePack from here on: events are JSON themselves, whose every
        -- quote JSON would escape. Those of older runs stay as they are, and are read as they are.
    """,
}
"""By name, the statements of each."""


def create(db: sqlite3.Connection) -> None:
    """Makes a new file as sqlite-utils would by taking each step, but without it: it is slow to import."""
    for step in STEPS:
        take_step(db, step)
    db.execute(
        """
        create table "_sqlite_migrations" (
            "id" integer primary key, "migration_set" text, "name" text, "applied_at" text
        )
        """
    )
    db.execute(
        """
        create unique index "idx__sqlite_migrations_migration_set_name"
            on "_sqlite_migrations" ("migration_set", "name")
        """
    )
    db.executemany(
        'insert into "_sqlite_migrations" ("migration_set", "name", "applied_at") values (?, ?, ?)',
        [(MIGRATION_SET, step, str(datetime.now(UTC))) for step in STEPS],
    )
    make_views(db)


def take_step(db: sqlite3.Connection, step: str) -> None:
    """Executes the statements of a step, each of which ends at the end of a line, but for a comment.

    Not by executescript(), which asks SQLite after every character whether the statement ends there.
    """
    statement = ""
    for line in STEPS[step].splitlines(keepends=True):
        statement += line
        if ";" in line and sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""
    db.execute(statement)  # nothing but space, or the last one without its semicolon


def make_views(db: sqlite3.Connection) -> None:
    """Makes our views, in place of those that an older version made; people may add their own."""
    ours = "select name from sqlite_master where type = 'view' and name like 'v\\_%' escape '\\'"
    for (name,) in db.execute(ours).fetchall():
        db.execute(f'drop view "{name}"')
    for name, select in VIEWS.items():
        db.execute(f'create view "{name}" as {select}')
