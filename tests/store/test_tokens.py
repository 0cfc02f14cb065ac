from datetime import UTC, datetime, timedelta

import pytest

from auditsvc.errors import NotFoundError
from auditsvc.schemas import TOKEN_ROLES
from auditsvc.store import Store
from auditsvc.store.tokens import Role, Token
from tests.store.made import NOW

LATER = NOW + timedelta(days=1)
OLD = Token("a" * 12, None, Role.READER, "0" * 64, created=NOW)
NEW = Token("b" * 12, "ci", Role.WRITER, "1" * 64, created=LATER, expires=LATER + timedelta(days=90))


def test_a_token_comes_back_as_it_was(store: Store) -> None:
    """All of it, those without a name, an end or a use included; the newest first."""
    store.tokens.add(OLD)
    store.tokens.add(NEW)
    assert store.tokens.all() == [NEW, OLD]
    assert [store.tokens.find(token.id) for token in (OLD, NEW)] == [OLD, NEW]
    assert store.tokens.find("c" * 12) is None


def test_it_is_known_whether_there_ever_was_one(store: Store) -> None:
    """A token that was revoked is still one that there was."""
    assert not store.tokens.received()
    store.tokens.add(OLD)
    store.tokens.revoke(OLD.id, now=LATER)
    assert store.tokens.received()


def test_what_is_revoked_stays_revoked(store: Store) -> None:
    """The first time counts; other tokens are left alone."""
    store.tokens.add(OLD)
    store.tokens.add(NEW)
    assert store.tokens.revoke(OLD.id, now=LATER).revoked == LATER
    assert store.tokens.revoke(OLD.id, now=LATER + timedelta(days=1)).revoked == LATER
    assert store.tokens.find(NEW.id) == NEW


def test_an_unknown_token_cannot_be_revoked(store: Store) -> None:
    """It is named, and where to look is said."""
    with pytest.raises(NotFoundError, match=r"^unknown token: nope \(`auditsvc token list`"):
        store.tokens.revoke("nope", now=NOW)


def test_a_use_is_noted(store: Store) -> None:
    """Of that token alone."""
    store.tokens.add(OLD)
    store.tokens.add(NEW)
    store.tokens.note_use(NEW.id, now=LATER)
    assert [token.last_used for token in store.tokens.all()] == [LATER, None]


@pytest.mark.parametrize(
    ("expires", "revoked", "why"),
    [
        (None, None, None),
        (LATER, None, None),
        (NOW, None, "expired"),
        (datetime(2000, 1, 1, tzinfo=UTC), None, "expired"),
        (None, NOW, "revoked"),
        (NOW, NOW, "revoked"),
    ],
)
def test_why_a_token_no_longer_holds(
    expires: datetime | None, revoked: datetime | None, why: str | None
) -> None:
    """It does not from the very moment on at which it expires; a revoked one is told as that."""
    token = Token("a" * 12, None, Role.READER, "0" * 64, NOW, expires=expires, revoked=revoked)
    assert token.why_not(NOW) == why


def test_each_role_allows_what_the_one_before_does() -> None:
    """Reader, writer, admin; the wire knows the same ones."""
    allowed = {role: [needed for needed in Role if role.allows(needed)] for role in Role}
    assert allowed == {
        Role.READER: [Role.READER],
        Role.WRITER: [Role.READER, Role.WRITER],
        Role.ADMIN: [Role.READER, Role.WRITER, Role.ADMIN],
    }
    assert list(TOKEN_ROLES) == list(Role)
