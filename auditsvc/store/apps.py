"""The applications: what the runs of kind app say of whose use they are."""

from datetime import datetime

import msgspec

from auditsvc.errors import NotFoundError
from auditsvc.store.columns import parse_time
from auditsvc.store.connections import Connections

_OF_APPS = """
    from runs where kind = 'app'
    and (:name is null or coalesce(app, id) = :name)
    and (:text is null or instr(lower(coalesce(app, id)), lower(:text)))
"""


class AppRecord(msgspec.Struct, frozen=True):
    """An application, when its first run started and its last one finished, and the id of its newest."""

    name: str
    runs: int
    first: datetime
    last: datetime
    newest: str


class AppRecords:
    """The applications. A run that names none is one of its own, called by its id."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def get(self, name: str) -> AppRecord:
        """The application of that name. Raises NotFoundError."""
        found, _ = self.find(name=name)
        if not found:
            raise NotFoundError(f"unknown app: {name} (GET /apps lists them)")
        return found[0]

    def find(
        self,
        *,
        name: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[list[AppRecord], int]:
        """Applications of that name, with `text` in their name in any case, by name, and their number.

        Given are `limit` of them (None: all) from `offset` on.
        """
        named = {"name": name, "text": text, "limit": -1 if limit is None else limit, "offset": offset}
        with self._connections.reading() as db:
            [(total,)] = db.execute(f"select count(distinct coalesce(app, id)) {_OF_APPS}", named)
            rows = db.execute(
                f"""
                select name, count(*), min(started), max(finished), max(id) filter (where newest = 1)
                from (
                    select coalesce(app, id) as name, id, started, finished, row_number() over (
                        partition by coalesce(app, id) order by finished desc, id desc
                    ) as newest
                    {_OF_APPS}
                )
                group by name order by name limit :limit offset :offset
                """,  # noqa: S608 - of a constant
                named,
            ).fetchall()
        return [
            AppRecord(name, runs, parse_time(first), parse_time(last), newest)
            for name, runs, first, last, newest in rows
        ], total
