"""Who hit the endpoints, over all stored runs: e2e tests, applications, live clusters, user agents."""

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from auditsvc.core.runs import RunKind
from auditsvc.store.connections import Connections
from auditsvc.store.usage import named_tests, read_tests

if TYPE_CHECKING:  # it brings YAML, and who opens the store to keep a run needs none
    from auditsvc.core.endpoint_tests import EndpointUse

_names = msgspec.json.Decoder(tuple[str | None, ...])

_USES = """
    from usage u join runs r on r.id = u.run
    where r.kind in ('app', 'live') and u.mapped = 1 and u.hits > 0
"""
# An application or a live cluster that has no name is its run.
_USER = "case r.kind when 'app' then coalesce(r.app, r.id) else coalesce(r.cluster, r.id) end"


class EndpointUser(msgspec.Struct, frozen=True):
    """An application (``app``) or live cluster (``live``) that used an endpoint, in how many of its runs."""

    kind: RunKind
    name: str
    requests: int
    runs: int


class EndpointRecords:
    """What the runs and the imported releases tell of endpoints."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def tests(self) -> dict[str, frozenset[str]]:
        """By endpoint the names of the e2e tests that hit it; only endpoints with some."""
        found: dict[str, set[str]] = {}
        with self._connections.reading() as db:
            tested = db.execute(
                "select run, name, tests from usage where mapped = 1 and tests <> '{}' order by run"
            )
            for run, rows in groupby(tested, itemgetter(0)):
                names = read_tests(db, run)
                for _, name, tests in rows:
                    found.setdefault(name, set()).update(named_tests(tests, names))
            for name, tests in db.execute("select endpoint, tests from release_endpoints"):
                # A test may have no name there: it hit the endpoint, but there is nothing to call it by.
                if named := set(filter(None, _names.decode(tests))):
                    found.setdefault(name, set()).update(named)
        return {name: frozenset(tests) for name, tests in found.items()}

    def uses(self) -> "dict[str, EndpointUse]":
        """By endpoint its use by applications and live clusters; only endpoints with some."""
        from auditsvc.core.endpoint_tests import EndpointUse

        with self._connections.reading() as db:
            rows = db.execute(
                f"select u.name, sum(u.hits), count(distinct r.kind || {_USER}) {_USES} group by u.name"
            ).fetchall()
        return {name: EndpointUse(requests, users) for name, requests, users in rows}

    def users(self, endpoint: str) -> list[EndpointUser]:
        """The applications and live clusters that used an endpoint, the one with the most requests first."""
        with self._connections.reading() as db:
            rows = db.execute(
                f"""
                select r.kind, {_USER} as user, sum(u.hits), count(*) {_USES} and u.name = ?
                group by r.kind, user order by sum(u.hits) desc, r.kind, user
                """,
                (endpoint,),
            ).fetchall()
        return [EndpointUser(RunKind(kind), user, requests, runs) for kind, user, requests, runs in rows]

    def newest_run_of(self, agent: str) -> str | None:
        """The id of the last finished run in which a user agent family requested something; None without."""
        with self._connections.reading() as db:
            row = db.execute(
                """
                select r.id from runs r
                where exists (
                    select 1 from usage u, json_each(u.agents) a where u.run = r.id and a.key = ?
                )
                order by r.finished desc, r.id desc limit 1
                """,
                (agent,),
            ).fetchone()
        return row and str(row[0])
