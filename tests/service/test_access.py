import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.config import AccessMode, Config
from auditsvc.errors import ConfigError, ForbiddenError, RequestError, TooManyError, UnauthorizedError
from auditsvc.service.access import Access, RateLimit, parse_lifetime
from auditsvc.store import Store
from auditsvc.store.tokens import Role
from tests.store.made import NOW

ADMIN = "0123456789abcdef"


class Clock:
    """A clock that a test sets."""

    now = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@contextmanager
def opened(folder: Path, *, clock: Clock | None = None, **settings: Any) -> Iterator[Access]:
    """Access over a store, with settings."""
    config = Config(data=folder, **settings)
    with Store.open(folder) as store:
        yield Access(store, config, clock or Clock())


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Access]:
    """Access over a store without a token."""
    with opened(tmp_path) as access:
        yield access


@pytest.mark.parametrize("needed", [Role.READER, Role.WRITER])
def test_without_a_token_all_is_open_but_the_tokens(access: Access, needed: Role) -> None:
    """Whatever is shown; but nobody can lock the others out."""
    assert not access.required
    assert access.admit(None, needed) is None
    assert access.admit("left over from another server", needed) is None
    with pytest.raises(UnauthorizedError, match="auditsvc token create"):
        access.admit(None, Role.ADMIN)


@pytest.mark.parametrize("role", Role)
def test_a_token_opens_what_its_role_allows(access: Access, role: Role) -> None:
    """And is told by its id."""
    token, text = access.create(role)
    for needed in Role:
        if role.allows(needed):
            assert access.admit(text, needed) == token.id
        else:
            with pytest.raises(ForbiddenError, match=f"needs a token of the role {needed}, and {token.id}"):
                access.admit(text, needed)


def test_from_the_first_token_on_one_is_needed(access: Access) -> None:
    """Also when it is revoked: nothing opens up by itself."""
    token, text = access.create(Role.READER)
    with pytest.raises(UnauthorizedError, match="a token is needed"):
        access.admit(None, Role.READER)
    access.revoke(token.id)
    assert access.required
    with pytest.raises(UnauthorizedError, match=f"{token.id} is revoked"):
        access.admit(text, Role.READER)


@pytest.mark.parametrize(
    "settings", [{"access": AccessMode.TOKENS}, {"admin_token": ADMIN}], ids=["configured", "admin"]
)
def test_tokens_can_be_asked_for_before_there_is_one(tmp_path: Path, settings: dict[str, Any]) -> None:
    """By configuration, or by a first admin token."""
    with opened(tmp_path, **settings) as access:
        assert access.required
        with pytest.raises(UnauthorizedError):
            access.admit(None, Role.READER)


def test_reads_may_be_public(tmp_path: Path) -> None:
    """Then nothing but reading is, whatever the token that is shown."""
    with opened(tmp_path, access=AccessMode.TOKENS, public_reads=True) as access:
        assert access.admit(None, Role.READER) is None
        assert access.admit("nonsense", Role.READER) is None
        for needed in (Role.WRITER, Role.ADMIN):
            with pytest.raises(UnauthorizedError):
                access.admit(None, needed)


def test_the_first_admin_token_is_in_no_store(tmp_path: Path) -> None:
    """It opens all, and is not listed."""
    with opened(tmp_path, admin_token=ADMIN) as access:
        assert [access.admit(ADMIN, needed) for needed in Role] == ["admin"] * 3
        assert access.tokens() == []
        with pytest.raises(UnauthorizedError):
            access.admit(ADMIN[:-1], Role.READER)


def test_a_secret_is_kept_nowhere(tmp_path: Path) -> None:
    """Neither it nor a part of it is in the file; it is long, and told from others at a glance."""
    with opened(tmp_path) as access:
        token, text = access.create(Role.WRITER)
        assert text.startswith(f"auditsvc_{token.id}_")
        secret = text.removeprefix(f"auditsvc_{token.id}_")
        assert len(secret) == 43
        with closing(sqlite3.connect(tmp_path / "auditsvc.db")) as connection:
            dump = "\n".join(connection.iterdump())
    assert token.id in dump
    assert not any(secret[at : at + 8] in dump for at in range(36))
    assert secret not in repr(token)


@pytest.mark.parametrize("change", ["secret", "id", "prefix", "longer", "shorter", "empty", "unicode"])
def test_a_token_that_is_not_exactly_one_is_none(access: Access, change: str) -> None:
    """One character off, another's id, a part: each is answered alike."""
    token, text = access.create(Role.ADMIN)
    other, _ = access.create(Role.ADMIN)
    flipped = "A" if text[-5] != "A" else "B"
    shown = {
        "secret": f"{text[:-5]}{flipped}{text[-4:]}",
        "id": text.replace(token.id, other.id),
        "prefix": text.removeprefix("auditsvc_"),
        "longer": f"{text}A",
        "shorter": text[:-1],
        "empty": "",
        "unicode": f"{text[:-1]}é",
    }[change]
    with pytest.raises(UnauthorizedError, match=r"^no such token$"):
        access.admit(shown, Role.READER)


def test_a_token_expires(tmp_path: Path) -> None:
    """At the moment that it names, and not before."""
    clock = Clock()
    with opened(tmp_path, clock=clock) as access:
        token, text = access.create(Role.READER, lifetime=timedelta(days=90))
        clock.now = NOW + timedelta(days=90) - timedelta(microseconds=1)
        assert access.admit(text, Role.READER) == token.id
        clock.now = NOW + timedelta(days=90)
        with pytest.raises(UnauthorizedError, match="is expired"):
            access.admit(text, Role.READER)


@pytest.mark.parametrize(
    ("later", "noted"),
    [
        (timedelta(seconds=59), False),
        (timedelta(seconds=60), True),
        (timedelta(days=9), True),
        (-timedelta(hours=1), True),
    ],
)
def test_uses_are_noted_once_a_minute(tmp_path: Path, later: timedelta, noted: bool) -> None:
    """A read is no write each time; a clock that was put back is no reason to stop noting."""
    clock = Clock()
    with opened(tmp_path, clock=clock) as access:
        _, text = access.create(Role.READER)
        access.admit(text, Role.READER)
        clock.now = NOW + later
        access.admit(text, Role.READER)
        assert access.tokens()[0].last_used == (clock.now if noted else NOW)


def test_a_busy_store_does_not_hold_a_reader_up(access: Access, tmp_path: Path) -> None:
    """While another one writes, a use is not noted; the next one after it is."""
    token, text = access.create(Role.READER)
    with closing(sqlite3.connect(tmp_path / "auditsvc.db", isolation_level=None)) as writer:
        writer.execute("begin immediate")
        began = time.monotonic()
        assert access.admit(text, Role.READER) == token.id
        assert time.monotonic() - began < 1
        assert access.tokens()[0].last_used is None
    assert access.admit(text, Role.READER) == token.id
    assert access.tokens()[0].last_used == NOW


def test_another_process_s_changes_hold_at_once(tmp_path: Path) -> None:
    """Whoever serves looks at the store."""
    with opened(tmp_path) as serving, opened(tmp_path) as command_line:
        token, text = command_line.create(Role.READER)
        assert serving.admit(text, Role.READER) == token.id
        command_line.revoke(token.id)
        with pytest.raises(UnauthorizedError):
            serving.admit(text, Role.READER)


def test_a_server_for_others_wants_tokens(access: Access) -> None:
    """Without any, what would help is named; with one it may serve."""
    with pytest.raises(ConfigError) as refused:
        access.require_for("0.0.0.0")  # noqa: S104 - refused
    assert str(refused.value).startswith("0.0.0.0 can be reached from elsewhere, and there is no token: ")
    for remedy in (
        "auditsvc token create",
        "AUDITSVC_ADMIN_TOKEN ",
        "AUDITSVC_ADMIN_TOKEN_FILE",
        "--insecure",
    ):
        assert remedy in str(refused.value)
    access.create(Role.ADMIN)
    access.require_for("0.0.0.0")  # noqa: S104 - not bound here


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [("12h", timedelta(hours=12)), ("90d", timedelta(days=90)), ("9999w", timedelta(weeks=9999))],
)
def test_lifetimes(text: str, lifetime: timedelta) -> None:
    """Hours, days and weeks, as in windows."""
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize("text", ["", "0d", "90", "d", "1.5h", "-1d", "10000d", "9m", "٣d", " 1d", "1d\n\n"])
def test_what_is_no_lifetime_is_told(text: str) -> None:
    """With what would be one."""
    with pytest.raises(RequestError, match="is not a duration such as 12h, 90d or 52w"):
        parse_lifetime(text)


def test_calls_over_the_limit_are_told_when_to_come_back(tmp_path: Path) -> None:
    """Each caller has its own; what it waits is enough."""
    seconds = [0.0]
    config = Config(data=tmp_path, rate_limit=2)
    with Store.open(tmp_path) as store:
        access = Access(store, config, Clock(), seconds=lambda: seconds[0])
        for _ in range(2):
            access.take_turn("a")
        with pytest.raises(
            TooManyError, match=r"^more than 2 .*\(rate_limit\): try again in 30 s$"
        ) as refused:
            access.take_turn("a")
        access.take_turn("b")
        seconds[0] += refused.value.retry_after
        access.take_turn("a")
        with pytest.raises(TooManyError):
            access.take_turn("a")


def test_without_a_limit_there_is_none(access: Access) -> None:
    """However many."""
    for _ in range(10_000):
        access.take_turn("a")


@given(rate=st.integers(1, 100), pauses=st.lists(st.floats(0, 100), max_size=200))
def test_no_minute_has_more_than_twice_the_rate(rate: int, pauses: list[float]) -> None:
    """A full bucket and what flows in meanwhile; who waits as told is let in."""
    clock = [0.0]
    limit = RateLimit(rate, lambda: clock[0])
    taken: list[float] = []
    for pause in pauses:
        clock[0] += pause
        wait = limit.take("a")
        if not wait:
            taken.append(clock[0])
    assert all(sum(start <= at < start + 60 for at in taken) <= 2 * rate for start in taken)
    clock[0] += limit.take("a")
    clock[0] += limit.take("a")
    assert limit.take("b") == 0


def test_the_callers_remembered_are_bounded() -> None:
    """Whoever changes addresses costs no memory; those who asked last are remembered."""
    limit = RateLimit(1, lambda: 0.0)
    for number in range(5000):
        assert limit.take(str(number)) == 0
    assert len(limit._left) == 4096
    assert limit.take("4999") == 60
    assert limit.take("0") == 0
