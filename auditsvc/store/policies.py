"""Audit policies by content: each is kept as long as a run that brought it."""

import hashlib
from datetime import datetime

from auditsvc.errors import NotFoundError
from auditsvc.store.columns import time_text
from auditsvc.store.connections import Connections, Database


class Policies:
    """The audit policies."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def keep(self, text: bytes, *, recorded: datetime) -> str:
        """Stores a policy, which is UTF-8, and returns its hash. One that is there already stays as it is."""
        digest = hashlib.sha256(text).hexdigest()
        with self._connections.transaction() as db:
            db.execute(
                "insert or ignore into policies (hash, text, recorded) values (?, ?, ?)",
                (digest, text.decode(), time_text(recorded)),
            )
        return digest

    def text(self, digest: str) -> str:
        """The text as it was given. Raises NotFoundError."""
        with self._connections.reading() as db:
            row = db.execute("select text from policies where hash = ?", (digest,)).fetchone()
        if row is None:
            raise NotFoundError(f"unknown policy: {digest} (GET /runs/<id> names the one that a run brought)")
        text: str = row[0]
        return text


def drop_unused_policy(db: Database, digest: str | None) -> None:
    """Deletes a policy that no run brought."""
    db.execute(
        "delete from policies where hash = :hash and not exists (select 1 from runs where policy = :hash)",
        {"hash": digest},
    )
