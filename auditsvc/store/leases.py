"""Leases: something that one process at a time does, however many there are."""

from datetime import datetime

import msgspec

from auditsvc.store.columns import parse_time, time_text
from auditsvc.store.connections import Connections


class Lease(msgspec.Struct, frozen=True):
    """Who holds it; ``beat`` counts up while the holder lives, last at ``heartbeat`` by its clock."""

    name: str
    holder: str
    beat: int
    heartbeat: datetime


class Leases:
    """The leases. Times in them are for people: clocks jump, and who is alive shows in the beats."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def get(self, name: str) -> Lease | None:
        """The lease of that name; None where nobody holds it."""
        with self._connections.reading() as db:
            row = db.execute("select holder, beat, heartbeat from leases where name = ?", (name,)).fetchone()
        return row and Lease(name, row[0], row[1], parse_time(row[2]))

    def claim(self, name: str, holder: str, *, now: datetime, over: Lease | None = None) -> bool:
        """Takes a free lease or renews the holder's own, by one more beat; whether it is the holder's then.

        ``over`` is the lease as another's last beat left it: whoever waited in vain for a next one takes that
        place, and of several who did, one.
        """
        values = {
            "name": name,
            "holder": holder,
            "now": time_text(now),
            "lost": over.holder if over else None,
            "beat": over.beat if over else None,
        }
        with self._connections.transaction() as db:
            return bool(
                db.execute(
                    """
                    insert into leases (name, holder, beat, heartbeat) values (:name, :holder, 1, :now)
                    on conflict (name) do update set holder = :holder, beat = beat + 1, heartbeat = :now
                    where holder = :holder or (holder = :lost and beat = :beat)
                    """,
                    values,
                ).rowcount
            )

    def release(self, name: str, holder: str) -> None:
        """Frees the lease, if it is that holder's."""
        with self._connections.transaction() as db:
            db.execute("delete from leases where name = ? and holder = ?", (name, holder))
