"""Access: who may ask for what, and how often.

A token is ``auditsvc_<id>_<secret>``: a prefix by which scanners find one that leaked, an id that is no
secret and by which it is looked up, and 32 random bytes. Because nobody guesses those, a plain sha256 keeps
them: a slow hash is for passwords that people choose.
"""

import hashlib
import hmac
import math
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock

from auditsvc.config import AccessMode, Config
from auditsvc.errors import (
    ConfigError,
    ForbiddenError,
    RequestError,
    StoreError,
    TooManyError,
    UnauthorizedError,
)
from auditsvc.schemas import LIFETIME
from auditsvc.store import Store
from auditsvc.store.tokens import Role, Token

PREFIX = "auditsvc_"

_TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_[\w-]{{43}}", re.ASCII)
_SECRET_BYTES = 32
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_NOTED_EVERY = timedelta(minutes=1)
_MOST_CALLERS = 4096
"""So many are remembered for the rate limit, those that asked last."""


_FIRST_ADMIN = "admin"
"""Stands for the id of the environment's admin token, which is in no store."""


class Access:
    """The tokens, and what they open. The store is asked each time: what changed there holds at once."""

    def __init__(
        self,
        store: Store,
        config: Config,
        clock: Callable[[], datetime],
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._admin = _digest(config.admin_token) if config.admin_token else None
        self._limit = RateLimit(config.rate_limit, seconds) if config.rate_limit else None

    @property
    def required(self) -> bool:
        """Whether tokens are asked for: it is configured, or there is or ever was one."""
        configured = self._admin is not None or self._config.access is AccessMode.TOKENS
        return configured or self._store.tokens.received()

    def admit(self, shown: str | None, needed: Role) -> str | None:
        """Lets somebody in to what needs a role; the id of the token that they show, None where it is open.

        UnauthorizedError where the token is none that holds, ForbiddenError where it does not allow so much.
        What needs an admin does so even where all else is open: nobody is to lock the others out.
        """
        if self._is_open(needed):
            return None
        token_id, role = self._identify(shown)
        if not role.allows(needed):
            raise ForbiddenError(f"this needs a token of the role {needed}, and {token_id} is a {role}'s")
        return token_id

    def take_turn(self, caller: str) -> None:
        """Counts a request of a caller, by token or address; TooManyError where it is over the limit."""
        wait = self._limit.take(caller) if self._limit else 0
        if wait:
            raise TooManyError(
                f"more than {self._config.rate_limit} writing requests a minute (rate_limit): "
                f"try again in {wait} s",
                retry_after=wait,
            )

    def create(
        self, role: Role, *, name: str | None = None, lifetime: timedelta | None = None
    ) -> tuple[Token, str]:
        """Makes a token; it, and the text of it, which is kept nowhere."""
        now, token_id = self._clock(), secrets.token_hex(6)
        text = f"{PREFIX}{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        expires = now + lifetime if lifetime else None
        token = Token(token_id, name, role, _digest(text), created=now, expires=expires)
        self._store.tokens.add(token)
        return token, text

    def tokens(self) -> list[Token]:
        """All tokens of the store, the newest first."""
        return self._store.tokens.all()

    def revoke(self, token_id: str) -> Token:
        """Makes a token worthless at once. Raises NotFoundError."""
        return self._store.tokens.revoke(token_id, now=self._clock())

    def require_for(self, host: str) -> None:
        """ConfigError where a server that others can reach, at that address, would ask for no token."""
        if not self.required:
            raise ConfigError(
                f"{host} can be reached from elsewhere, and there is no token: make one (auditsvc token "
                "create --role admin), set AUDITSVC_ADMIN_TOKEN or AUDITSVC_ADMIN_TOKEN_FILE, listen on "
                "127.0.0.1, or give --insecure"
            )

    def _is_open(self, needed: Role) -> bool:
        if needed is Role.ADMIN:
            return False
        return (needed is Role.READER and self._config.public_reads) or not self.required

    def _identify(self, shown: str | None) -> tuple[str, Role]:
        if shown is None:
            raise UnauthorizedError(
                "a token is needed: send one as `Authorization: Bearer <token>` "
                "(`auditsvc token create` makes one where the server runs)"
            )
        digest = _digest(shown)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return _FIRST_ADMIN, Role.ADMIN
        found = _TOKEN.fullmatch(shown)
        token = self._store.tokens.find(found[1]) if found else None
        if token is None or not hmac.compare_digest(digest, token.hash):
            raise UnauthorizedError("no such token")
        now = self._clock()
        if reason := token.why_not(now):
            raise UnauthorizedError(f"the token {token.id} is {reason}")
        self._note_use(token, now)
        return token.id, token.role

    def _note_use(self, token: Token, now: datetime) -> None:
        if token.last_used is None or not timedelta(0) <= now - token.last_used < _NOTED_EVERY:
            # A reader waits for no writer, and a full disk keeps nobody out: the next use is noted then.
            with suppress(StoreError):
                self._store.tokens.note_use(token.id, now=now)


class RateLimit:
    """A token bucket for each caller, in this process: ``rate`` a minute, as many at once after a rest."""

    def __init__(self, rate: int, seconds: Callable[[], float]) -> None:
        self._rate = rate
        self._seconds = seconds
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, caller: str) -> int:
        """Takes one; 0, or in how many seconds, rounded up, there will be one to take."""
        with self._lock:
            now = self._seconds()
            left, at = self._left.pop(caller, (self._rate, now))
            left = min(left + (now - at) * self._rate / 60, self._rate)
            wait = 0 if left >= 1 else max(math.ceil((1 - left) * 60 / self._rate), 1)
            self._left[caller] = (left if wait else left - 1, now)
            if len(self._left) > _MOST_CALLERS:
                self._left.popitem(last=False)
            return wait


def parse_lifetime(text: str) -> timedelta:
    """For how long a token is to hold: ``12h``, ``90d``, ``52w``. Raises RequestError."""
    found = re.match(LIFETIME, text)
    if found is None:
        raise RequestError(f"{text} is not a duration such as 12h, 90d or 52w")
    return int(found[1]) * _UNITS[found[2]]


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
