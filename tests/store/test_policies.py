import pytest

from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from tests.store.made import NOW, looking_into, make_run, make_usage

TEXT = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata  # ünd mehr\n"


def keep(store: Store, text: str = TEXT) -> str:
    """Keeps a policy and returns its hash."""
    return store.policies.keep(text.encode(), recorded=NOW)


def kept(store: Store) -> set[str]:
    """The hashes of all policies."""
    with looking_into(store) as db:
        return {row["hash"] for row in db.table("policies").rows}


def test_kept_by_content(store: Store) -> None:
    """The same text is the same policy, to the byte, a byte order mark too; another text is another one."""
    assert keep(store) == keep(store)
    assert store.policies.text(keep(store)) == TEXT
    marked = keep(store, f"\ufeff{TEXT}")
    assert marked != keep(store)
    assert store.policies.text(marked) == f"\ufeff{TEXT}"
    assert len(kept(store)) == 2


def test_unknown(store: Store) -> None:
    """A hash of none is told with where hashes are."""
    with pytest.raises(NotFoundError, match=r"^unknown policy: 00 \(GET /runs/<id> names"):
        store.policies.text("00")


def test_goes_with_its_last_run(store: Store) -> None:
    """A run's policy goes with it, unless another run brought it too."""
    alone, shared = keep(store), keep(store, "kind: Policy\n")
    for run_id, policy in [("a", alone), ("b", shared), ("c", shared), ("d", None)]:
        store.runs.add(make_run(run_id, policy=policy), make_usage(), recorded=NOW)
    assert store.runs.get("a").policy == alone
    assert [run.policy for run in store.runs.find()[0]] == [None, shared, shared, alone]
    for run_id, left in [("d", {alone, shared}), ("a", {shared}), ("b", {shared}), ("c", set[str]())]:
        store.runs.delete(run_id)
        assert kept(store) == left
