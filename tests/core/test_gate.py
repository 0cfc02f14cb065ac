from auditsvc.core.coverage import EndpointHistory
from auditsvc.core.gate import ConformanceTested, gated_release
from auditsvc.core.releases import Release, Releases
from auditsvc.core.swagger import Level, Operation
from tests.audits.given import listing


def release(version: str, *names: str) -> Release:
    """A release with stable operations; ``head…`` are HEAD requests, ``beta…`` are beta."""
    made = [
        Operation(
            name,
            "HEAD" if name.startswith("head") else "GET",
            f"/api/v1/{name}",
            Level.BETA if name.startswith("beta") else Level.STABLE,
            deprecated=False,
        )
        for name in names
    ]
    return Release(version, {one.id: one for one in made})


OLD = release("v1.35.0", "readPod")
NEW = release("v1.36.0", "readPod", "readJob", "readSecret", "headPod", "betaThing")
TESTED = ConformanceTested(frozenset({"readPod"}), "ci run c1")


def test_what_became_stable() -> None:
    """Observable and eligible, and in no older release."""
    gated = gated_release(
        NEW, Releases((OLD, NEW)), lists=listing(ineligible=["readSecret"]), imported=(), tested={}
    )
    assert gated.release == (1, 36)
    assert gated.promoted == frozenset({"readJob"})
    assert gated.eligible == {"readPod", "readJob", "headPod"}
    assert (gated.tested, gated.before) == (None, None)


def test_without_an_older_release_nothing_was_promoted() -> None:
    """Everything would be new: that is not known, unless an import tells."""
    alone = gated_release(NEW, Releases((NEW,)), lists=listing(), imported=(), tested={})
    assert alone.promoted is None
    imported = [EndpointHistory("readPod", (1, 5)), EndpointHistory("readJob", (1, 36))]
    told = gated_release(NEW, Releases((NEW,)), lists=listing(), imported=imported, tested={})
    assert told.promoted == frozenset({"readJob"})


def test_before_is_the_nearest_release_of_which_something_is_known() -> None:
    """Releases in between that nobody tested are passed over, newer ones do not count."""
    older = ConformanceTested(frozenset({"a"}), "ci run c0")
    tested = {(1, 30): older, (1, 34): TESTED, (1, 36): TESTED, (1, 37): older}
    gated = gated_release(NEW, Releases((OLD, NEW)), lists=listing(), imported=(), tested=tested)
    assert gated.tested == TESTED
    assert gated.before == ((1, 34), TESTED)


def test_pending_endpoints() -> None:
    """Those on the list."""
    gated = gated_release(
        NEW, Releases((OLD, NEW)), lists=listing(pending=["readJob"]), imported=(), tested={}
    )
    assert gated.pending == {"readJob"}
