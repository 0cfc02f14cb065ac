from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from auditsvc.store import Store
from auditsvc.store.leases import Lease
from tests.store.made import NOW

LATER = NOW + timedelta(seconds=10)


@pytest.fixture
def held(store: Store) -> Lease:
    """A lease that a holds."""
    assert store.leases.claim("schedule", "a", now=NOW)
    return lease_of(store)


def lease_of(store: Store) -> Lease:
    """The lease as it is."""
    lease = store.leases.get("schedule")
    assert lease is not None
    return lease


def test_a_free_lease_is_anybodys(store: Store) -> None:
    """Nobody holds it until somebody claims it; leases of other names stay free."""
    assert store.leases.get("schedule") is None
    assert store.leases.claim("schedule", "a", now=NOW)
    assert lease_of(store) == Lease("schedule", "a", 1, NOW)
    assert store.leases.get("other") is None
    assert store.leases.claim("other", "b", now=NOW)


@pytest.mark.parametrize("later", [LATER, NOW, NOW - timedelta(days=1), NOW + timedelta(days=10000)])
def test_a_renewal_is_a_beat(store: Store, held: Lease, later: object) -> None:
    """The holder's claim counts one up, whichever way its clock went."""
    assert held.beat == 1
    assert store.leases.claim("schedule", "a", now=later)  # type: ignore[arg-type] # a datetime
    assert lease_of(store) == Lease("schedule", "a", 2, later)  # type: ignore[arg-type]


def test_another_waits(store: Store, held: Lease) -> None:
    """Whoever does not hold it gets nothing by asking, however late it is; the lease stays as it was."""
    assert not store.leases.claim("schedule", "b", now=NOW + timedelta(days=10000))
    assert lease_of(store) == held


def test_a_silent_holder_is_replaced(store: Store, held: Lease) -> None:
    """Who saw the last beat, and no other since, takes the holder's place; the beats go on."""
    assert store.leases.claim("schedule", "b", now=LATER, over=held)
    assert lease_of(store) == Lease("schedule", "b", 2, LATER)
    assert not store.leases.claim("schedule", "a", now=LATER)


def test_a_beat_keeps_the_lease(store: Store, held: Lease) -> None:
    """A holder that gave a sign after all is not replaced."""
    store.leases.claim("schedule", "a", now=LATER)
    assert not store.leases.claim("schedule", "b", now=LATER, over=held)


def test_one_of_several_takes_it(store: Store, held: Lease) -> None:
    """Of those who waited for the same beat only the first gets the lease."""
    assert store.leases.claim("schedule", "b", now=LATER, over=held)
    assert not store.leases.claim("schedule", "c", now=LATER, over=held)


def test_a_released_lease_is_free(store: Store, held: Lease) -> None:
    """Only the holder can release it; the next to ask has it, and others' old news is worth nothing."""
    store.leases.release("schedule", "b")
    assert lease_of(store) == held
    store.leases.release("schedule", "a")
    assert store.leases.get("schedule") is None
    assert store.leases.claim("schedule", "c", now=LATER)
    assert not store.leases.claim("schedule", "b", now=LATER, over=held)


def test_a_claim_is_all_or_nothing(store: Store) -> None:
    """A claim within a transaction that fails was none."""

    @contextmanager
    def failing() -> Iterator[None]:
        with store.transaction():
            yield
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), failing():
        assert store.leases.claim("schedule", "a", now=NOW)
    assert store.leases.get("schedule") is None
