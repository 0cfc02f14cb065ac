"""Access tokens: who may ask for what. Of a token itself only the hash is here."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from auditsvc.errors import NotFoundError
from auditsvc.store.columns import optional_time_text, parse_optional_time, parse_time, time_text
from auditsvc.store.connections import Connections

SELECT_TOKENS = "select id, name, role, hash, created, expires, last_used, revoked from tokens"
"""To be read by :func:`read_token`."""


class Role(StrEnum):
    """What a token allows; each allows what the one before it does, and more."""

    READER = "reader"
    WRITER = "writer"
    ADMIN = "admin"

    def allows(self, needed: "Role") -> bool:
        """Whether it is that role or one above it."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


class Token(msgspec.Struct, frozen=True):
    """A token as it is stored: ``hash`` is the sha256 of all of it in hexadecimal, ``id`` is no secret.

    ``last_used`` is right to the minute. Without ``expires`` it holds until it is revoked.
    """

    id: str
    name: str | None
    role: Role
    hash: str
    created: datetime
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked: datetime | None = None

    def why_not(self, now: datetime) -> str | None:
        """Why it no longer opens anything: ``revoked`` or ``expired``; None where it does."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else None


class Tokens:
    """The tokens of the store. None is ever deleted: a store that once had one never opens up by itself."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def add(self, token: Token) -> None:
        """Keeps a new token."""
        times = (token.created, token.expires, token.last_used, token.revoked)
        with self._connections.transaction() as db:
            db.execute(
                "insert into tokens (id, name, role, hash, created, expires, last_used, revoked) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                (token.id, token.name, token.role, token.hash, *map(optional_time_text, times)),
            )

    def find(self, token_id: str) -> Token | None:
        """The token of that id, None where there is none."""
        with self._connections.reading() as db:
            return next(map(read_token, db.execute(f"{SELECT_TOKENS} where id = ?", (token_id,))), None)

    def all(self) -> list[Token]:
        """Every token, the newest first, revoked ones included."""
        with self._connections.reading() as db:
            return [read_token(row) for row in db.execute(f"{SELECT_TOKENS} order by created desc, id")]

    def received(self) -> bool:
        """Whether there ever was a token."""
        with self._connections.reading() as db:
            return bool(db.execute("select exists (select 1 from tokens)").fetchone()[0])

    def revoke(self, token_id: str, *, now: datetime) -> Token:
        """Makes a token worthless from now on; one that is revoked stays as it is. Raises NotFoundError."""
        with self._connections.transaction() as db:
            db.execute(
                "update tokens set revoked = ? where id = ? and revoked is null", (time_text(now), token_id)
            )
            token = self.find(token_id)
        if token is None:
            raise NotFoundError(
                f"unknown token: {token_id} (`auditsvc token list` and GET /tokens list them)"
            )
        return token

    def note_use(self, token_id: str, *, now: datetime) -> None:
        """Writes down that a token was used just now; StoreError at once where another writes."""
        with self._connections.hasty_transaction() as db:
            db.execute("update tokens set last_used = ? where id = ?", (time_text(now), token_id))


def read_token(row: Any) -> Token:
    """The token of a row of SELECT_TOKENS. Raises ValueError where it is none."""
    token_id, name, role, digest, created, *times = row
    return Token(token_id, name, Role(role), digest, parse_time(created), *map(parse_optional_time, times))
