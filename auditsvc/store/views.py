"""The views for people who open the file in Datasette or sqlite3, each with what its columns mean.

SQLite keeps the comments with a view: ``.schema v_runs`` shows them. The names and columns of the views are
an interface; the tables below them may change with any release.
"""

# Which upload holds at a time is said here once, as its rowid: for the views, and for Swaggers.holding and
# Lists.holding. Where the time is before the first known one, it is that one.

HELD_OF_MINOR = """coalesce(
        (select rowid from swagger_holds where minor = {minor} and holds_from <= {at}
            order by holds_from desc, recorded desc, rank desc limit 1),
        (select rowid from swagger_holds where minor = {minor}
            order by holds_from, recorded desc, rank desc limit 1)
    )"""
"""The newest swagger of a minor version."""

HELD_OF_HIGHEST = """coalesce(
        (select rowid from swagger_holds where holds_from <= {at}
            order by rank desc, holds_from desc, recorded desc limit 1),
        (select rowid from swagger_holds
            order by holds_from, rank desc, recorded desc limit 1)
    )"""
"""The newest swagger of the highest version."""

HELD_LIST = """coalesce(
        (select rowid from list_holds where kind = {kind} and holds_from <= {at}
            order by holds_from desc limit 1),
        (select rowid from list_holds where kind = {kind}
            order by holds_from limit 1)
    )"""
"""The newest list of a kind."""

VIEWS = {
    "v_runs": f"""
-- The runs, each with the swagger and lists that it is judged with.
select
    r.id as run,                                        -- the run's id
    r.kind,                                             -- ci, pull, app or live
    substr(r.finished, 1, 10) as day,                   -- the UTC day to whose AuditSet it belongs
    r.started,                                          -- UTC
    r.finished,                                         -- UTC
    r.result,                                           -- success, failure or aborted
    r.cluster,                                          -- a label
    r.job,                                              -- the CI job
    r.build,                                            -- its build
    r.pull,                                             -- the pull request
    r.app,                                              -- the application
    r.revision,                                         -- the commit
    r.version,                                          -- of Kubernetes, as the run named it
    r.requests,                                         -- requests, each counted once
    r.mapped,                                           -- those that are of an operation
    r.requests - r.mapped as unmapped,                  -- those that are of none
    (select count(*) from usage u where u.run = r.id and u.mapped = 1) as operations, -- operations used
    r.malformed,                                        -- lines of the log that are no audit event
    r.duplicates,                                       -- completions logged again
    r.incomplete,                                       -- requests still open when the log ended
    r.never_completed,                                  -- those of them that should have ended; null: unknown
    r.backwards,                                        -- events older than the one above; null: unknown
    json_extract(r.gaps, '$[0].seconds') as longest_gap,    -- seconds with no event; null: unknown, or none
    (select sum(json_extract(d.value, '$.requests')) from json_each(r.deprecated) d)
        as deprecated_requests,                         -- marked so by the API server; null: unknown, or none
    r.header is not null as imported,                   -- 1: read from another tool's report
    coalesce(r.swagger, (select h.swagger from swagger_holds h where h.rowid = case when r.minor is null
        then {HELD_OF_HIGHEST.format(at="r.finished")}
        else {HELD_OF_MINOR.format(at="r.finished", minor="r.minor")} end
    )) as swagger,                                      -- hash of the swagger that applies
    coalesce(r.pending, (select h.list from list_holds h
        where h.rowid = {HELD_LIST.format(at="r.finished", kind="'pending'")}
    )) as pending,                                      -- hash of the pending list that applies
    coalesce(r.ineligible, (select h.list from list_holds h
        where h.rowid = {HELD_LIST.format(at="r.finished", kind="'ineligible'")}
    )) as ineligible,                                   -- hash of the ineligible list that applies
    r.policy                                            -- hash of the audit policy that it brought
from runs r
""",  # noqa: S608 - its parts are the constants above
    "v_operations": """
-- The operations of every swagger that is kept.
select
    o.swagger,                                          -- hash of the document
    s.version as swagger_version,                       -- the version that the document names
    o.id as operation,                                  -- operationId
    o.method,                                           -- GET, PUT, POST, DELETE, OPTIONS, HEAD or PATCH
    o.path,                                             -- template of the URL's path
    o.level,                                            -- stable, beta or alpha
    o.deprecated,                                       -- 1: its description says so
    o.method <> 'HEAD' as observable,                   -- 1: an audit log can tell its requests
    o.category,                                         -- the first tag up to its first _
    o."group",                                          -- API group; empty for core
    o.version,                                          -- version of the group
    o.kind,                                             -- the kind of object
    o.action,                                           -- x-kubernetes-action
    o.resource,                                         -- resource in the path
    o.description                                       -- the document's own words
from operations o join swaggers s on s.hash = o.swagger
""",
    "v_usage": """
-- What each run used: a row per run and operation. Level to resource are null where its swagger lacks it.
select
    r.run,                                              -- the run's id
    r.kind as run_kind,                                 -- ci, pull, app or live
    r.finished,                                         -- UTC
    u.name as operation,                                -- operationId
    o.level,                                            -- stable, beta or alpha
    o.deprecated,                                       -- 1: deprecated
    o."group",                                          -- API group; empty for core
    o.version,                                          -- version of the group
    o.resource,                                         -- resource in the path
    u.hits,                                             -- requests
    u.success_hits,                                     -- those answered 1xx to 3xx
    u.conformance_hits,                                 -- those made by conformance tests
    u.codes,                                            -- JSON: requests by response code class
    (select json_group_object(t.name, c.value) from json_each(u.tests) c
        cross join run_tests t on t.run = u.run and t.number = c.key) as tests, -- JSON: requests by e2e test
    u.agents,                                           -- JSON: requests by user agent family
    u.first,                                            -- when the first request was received, UTC
    u.last                                              -- when the last one was
from v_runs r
join usage u on u.run = r.run and u.mapped = 1
left join operations o on o.swagger = r.swagger and o.id = u.name
""",
    "v_apps": """
-- What each application uses: a row for each, of the newest of its runs.
select
    n.app,                                              -- the application; the run's id where it names none
    n.runs,                                             -- its runs
    n.first,                                            -- when the first of them started, UTC
    n.run,                                              -- the newest of them
    n.finished,                                         -- when that finished, UTC
    count(u.operation) as operations,                   -- operations that it used
    coalesce(sum(u.level = 'stable'), 0) as stable,     -- … that are stable
    coalesce(sum(u.level = 'beta'), 0) as beta,         -- … that are beta
    coalesce(sum(u.level = 'alpha'), 0) as alpha,       -- … that are alpha
    coalesce(sum(u.deprecated), 0) as deprecated        -- … that are deprecated, whatever their level
from (
    select coalesce(app, id) as app, id as run, finished,
        count(*) over (partition by coalesce(app, id)) as runs,
        min(started) over (partition by coalesce(app, id)) as first,
        row_number() over (partition by coalesce(app, id) order by finished desc, id desc) as age
    from runs where kind = 'app'
) n
left join v_usage u on u.run = n.run and u.hits > 0
where n.age = 1
group by n.run
""",
    "v_coverage": """
-- How much of the API each run exercises: a row per run and level, over the swagger and lists that apply.
select
    c.run,                                              -- the run's id
    c.run_kind,                                         -- ci, pull, app or live
    c.finished,                                         -- UTC
    c.level,                                            -- stable, beta or alpha
    count(*) as operations,                             -- operations of that level
    sum(c.hits > 0) as exercised,                       -- those that were requested
    sum(c.eligible) as eligible,                        -- stable, not deprecated, not on the ineligible list
    sum(c.eligible and c.observable) as eligible_observable,    -- whose requests an audit log can tell
    sum(c.eligible and c.hits > 0) as eligible_exercised,   -- … that were requested
    sum(c.eligible and c.success_hits > 0) as eligible_success, -- … and were answered 1xx to 3xx
    sum(c.eligible and c.tested) as eligible_tested,    -- … that an e2e test requested
    sum(c.eligible and c.conformance_hits > 0) as eligible_conf_tested, -- … that a conformance test did
    sum(c.eligible and c.pending) as eligible_pending   -- … that are on the pending list
from (
    select
        r.run,
        r.kind as run_kind,
        r.finished,
        o.level,
        o.method <> 'HEAD' as observable,
        o.level = 'stable' and not o.deprecated and not exists (
            select 1 from list_entries e where e.list = r.ineligible and e.endpoint = o.id
        ) as eligible,
        exists (select 1 from list_entries e where e.list = r.pending and e.endpoint = o.id) as pending,
        coalesce(u.hits, 0) as hits,
        coalesce(u.success_hits, 0) as success_hits,
        coalesce(u.conformance_hits, 0) as conformance_hits,
        coalesce(u.tests <> '{}', 0) as tested
    from v_runs r
    join operations o on o.swagger = r.swagger
    left join usage u on u.run = r.run and u.mapped = 1 and u.name = o.id
) c
group by c.run, c.level
""",
    "v_costs": """
-- The documents of costs, the newest of each kind and window, and the tables that auditsvc made from them.
select
    c.window_start,                                     -- UTC; a day or an hour of one, which includes it
    c.window_end,                                       -- UTC; the window ends before it
    c.kind,                                             -- allocations, assets, cloudcosts, totals, aggregates
    c.origin,                                           -- uploaded, fetched, or own: made by auditsvc
    c.source,                                           -- the kind that it was made from, or its own kind
    c.rows,                                             -- rows in it
    c.hours,                                            -- those of a single hour
    c.hash,                                             -- sha256 of the document
    c.recorded                                          -- when it arrived, UTC
from costs c
""",
    "v_releases": """
-- The releases that have a swagger or a date, each with what is stored of it.
select
    n.major || '.' || n.minor || '.0' as release,       -- 1.34.0
    n.major,                                            -- its first number: 1
    n.minor,                                            -- its second: 34; the two sort as releases do
    r.date,                                             -- when it came out; null: not yet, or not known
    (select h.version from swagger_holds h where h.minor = n.major || '.' || n.minor
        order by h.holds_from desc, h.recorded desc, h.rank desc limit 1) as swagger, -- its newest upload
    (select count(*) from conformance_tests t where t.version = n.major || '.' || n.minor || '.0')
        as conformance_tests,                           -- conformance tests stored for it
    (select count(*) from release_endpoints e where e.release = n.major || '.' || n.minor || '.0')
        as imported_endpoints                           -- endpoints in its imported <release>.json
from (
    select major, minor from releases
    union
    select cast(substr(minor, 1, instr(minor, '.') - 1) as integer),
        cast(substr(minor, instr(minor, '.') + 1) as integer)
    from swagger_holds
) n left join releases r on r.major = n.major and r.minor = n.minor
""",
    "v_conformance_tests": """
-- The conformance tests of each release.
select
    t.version,                                          -- the release whose conformance.yaml has the test
    t.testname,                                         -- its title
    t.codename,                                         -- what it calls itself in its user agent
    t.file,                                             -- where it stands in Kubernetes' source
    t.release                                           -- since when it is a conformance test
from conformance_tests t
""",
    "v_endpoint_histories": """
-- What APISnoop's conformance-endpoints.json tells of when endpoints were promoted and tested.
select
    h.endpoint,                                         -- operationId
    h.promotion_release,                                -- the first release with it as stable
    h.test_releases                                     -- JSON: the releases of the tests that hit it
from endpoint_histories h
""",
    "v_release_endpoints": """
-- The endpoints of imported releases that are not deprecated, in APISnoop's words.
select
    e.release,                                          -- 1.34.0
    e.endpoint,                                         -- operationId
    e.path,                                             -- template of the URL's path
    e.category,                                         -- the first tag up to its first _
    e."group",                                          -- API group; empty for core
    e.version,                                          -- version of the group
    e.kind,                                             -- the kind of object
    e.action,                                           -- x-kubernetes-action
    e.tests                                             -- JSON: the tests that hit it; null is no test
from release_endpoints e
""",
    "v_coverage_history": """
-- The tables of coverage as they were computed while a release was the newest.
select
    h.release,                                          -- the newest release then
    h."table",                                          -- releases or progress
    h.origin,                                           -- own or apisnoop
    h.recorded,                                         -- when it was kept, UTC
    h.rows                                              -- JSON: the rows of the table
from coverage_history h
""",
    "v_audits": """
-- The newest result of each audit in each window, and those of single runs.
select
    substr(r.window_start, 1, 10) as day,               -- the UTC day of the window
    r.window_start,                                     -- UTC; the window includes it
    r.window_end,                                       -- UTC; the window ends before it
    r.run,                                              -- the run, where it was audited alone; else null
    r.key,                                              -- the audit, as in an AuditSet: operationEquality
    r.status,                                           -- Passed, Warning or Failed
    r.checked,                                          -- comparisons made
    json_array_length(r.result, '$.floats') as failures,    -- hard findings
    json_array_length(r.result, '$.missing') as warnings,   -- soft findings
    json_extract(r.text, '$.Description') as description,   -- its problem and notes
    r.last_run                                          -- UTC
from results r
""",
    "v_findings": """
-- The findings of those results, a row each.
select
    substr(f.window_start, 1, 10) as day,               -- the UTC day of the window
    f.window_start,                                     -- UTC; the window includes it
    f.window_end,                                       -- UTC; the window ends before it
    f.run,                                              -- the run, where it was audited alone; else null
    f.key,                                              -- the audit, as in an AuditSet: operationEquality
    f.severity,                                         -- hard (Failed) or soft (Warning)
    json_extract(f.finding, '$.map') as map,            -- hard: the named map that it stands in
    json_extract(f.finding, '$.path') as path,          -- hard: JSON, the keys that lead to it there
    json_extract(f.finding, '$.expected') as expected,  -- hard: what the audit computed
    json_extract(f.finding, '$.actual') as actual,      -- hard: what the audited source holds
    json_extract(f.finding, '$.key') as missing,        -- soft: what is missing
    coalesce(json_extract(f.finding, '$.description'), json_extract(f.finding, '$.detail'))
        as description,                                 -- what is wrong
    json_extract(f.finding, '$.resolution') as resolution   -- what to do about it
from (
    select r.*, 'hard' as severity, e.value as finding
    from results r, json_each(r.result, '$.floats') e
    union all
    select r.*, 'soft' as severity, e.value as finding
    from results r, json_each(r.result, '$.missing') e
    union all
    select r.*, 'hard' as severity, json_object('description', json_extract(r.result, '$.problem')) as finding
    from results r where json_extract(r.result, '$.problem') is not null
) f
""",
}
