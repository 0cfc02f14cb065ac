"""The events of live runs as they came, batch by batch."""

from collections.abc import Iterator
from datetime import datetime

from auditsvc.store.columns import compress, decompress, time_text
from auditsvc.store.connections import Connections


class LiveBatches:
    """The batches of live runs; they go when their run does."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def append(self, run_id: str, digest: str, events: bytes, *, recorded: datetime) -> int:
        """Stores a batch, the events of a run one a line, and returns its number; these count up."""
        with self._connections.transaction() as db:
            cursor = db.execute(
                "insert into live_batches (run, hash, events, recorded) values (?, ?, ?, ?)",
                (run_id, digest, compress(events), time_text(recorded)),
            )
        return int(cursor.lastrowid or 0)

    def knows(self, run_id: str, digest: str) -> bool:
        """Whether a batch of that content was stored: one whose answer got lost is sent again."""
        with self._connections.reading() as db:
            row = db.execute(
                "select 1 from live_batches where run = ? and hash = ?", (run_id, digest)
            ).fetchone()
        return row is not None

    def holds(self, run_id: str, number: int) -> bool:
        """Whether the batch of that number is there, of that run."""
        with self._connections.reading() as db:
            row = db.execute(
                "select 1 from live_batches where id = ? and run = ?", (number, run_id)
            ).fetchone()
        return row is not None

    def after(self, run_id: str, number: int) -> Iterator[tuple[int, bytes]]:
        """The batches of a run after one, in the order in which they came, with their numbers."""
        with self._connections.reading() as db:
            rows = db.execute(
                "select id, events from live_batches where run = ? and id > ? order by id", (run_id, number)
            )
            for found, events in rows:
                yield found, decompress(events)
