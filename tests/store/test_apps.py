from datetime import timedelta

import pytest

from auditsvc.core.runs import RunKind
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.errors import NotFoundError
from auditsvc.store import Store
from auditsvc.store.apps import AppRecord
from tests.store.made import NOW, hold_swagger, make_run, make_usage
from tests.store.test_views import ask


def add(store: Store, name: str, app: str | None, *, hours: int = 0, usage: Usage | None = None) -> None:
    """Stores an app run that lasted an hour and finished that many hours from now."""
    finished = NOW + timedelta(hours=hours)
    run = make_run(
        name,
        kind=RunKind.APP,
        app=app,
        started=finished - timedelta(hours=1),
        finished=finished,
        version=None,
    )
    assert store.runs.add(run, usage or make_usage(), recorded=NOW)


@pytest.fixture
def filled(store: Store) -> Store:
    """Two runs of one application, one of another, one that names none, and one of another kind."""
    add(store, "a1", "argo", hours=-2)
    add(store, "a2", "argo")
    add(store, "f1", "flux", hours=-5)
    add(store, "x1", None)
    store.runs.add(make_run("c1", kind=RunKind.CI), make_usage(), recorded=NOW)
    return store


class TestFind:
    """The applications."""

    def test_by_name(self, filled: Store) -> None:
        """Each with its runs, of which the newest is named; a run that names none stands for itself."""
        hour = timedelta(hours=1)
        assert filled.apps.find() == (
            [
                AppRecord("argo", 2, NOW - 3 * hour, NOW, "a2"),
                AppRecord("flux", 1, NOW - 6 * hour, NOW - 5 * hour, "f1"),
                AppRecord("x1", 1, NOW - hour, NOW, "x1"),
            ],
            3,
        )

    def test_by_text(self, filled: Store) -> None:
        """In any case; nothing else in the text means anything."""
        assert [one.name for one in filled.apps.find(text="AR")[0]] == ["argo"]
        assert filled.apps.find(text="%") == ([], 0)

    def test_page(self, filled: Store) -> None:
        """Some of them, and how many there are."""
        found, total = filled.apps.find(limit=1, offset=1)
        assert ([one.name for one in found], total) == (["flux"], 3)

    def test_finished_together(self, store: Store) -> None:
        """Of runs that finished together the one with the higher id is the newest, as in the list of runs."""
        add(store, "a2", "argo")
        add(store, "a1", "argo")
        assert store.apps.get("argo").newest == "a2"

    def test_unknown(self, filled: Store) -> None:
        """It is told where to look; an application whose runs are deleted is unknown."""
        with pytest.raises(NotFoundError, match=r"^unknown app: arg \(GET /apps lists them\)$"):
            filled.apps.get("arg")
        filled.runs.delete("f1")
        with pytest.raises(NotFoundError):
            filled.apps.get("flux")


def test_swagger_of_a_run(store: Store) -> None:
    """The one that held for it; None where there is none, and an unknown run is told."""
    add(store, "a1", "argo")
    assert store.runs.swagger("a1") is None
    digest = hold_swagger(store, "v1.34.0", "2023-01-01", "readPod")
    assert store.runs.swagger("a1") == digest
    with pytest.raises(NotFoundError, match="unknown run: a2"):
        store.runs.swagger("a2")


def test_view(filled: Store) -> None:
    """A row for each application, of its newest run; what was never hit is not used."""
    hold_swagger(filled, "v1.34.0", "2023-01-01", "readPod", "listPod")
    used = {"readPod": OperationUsage(1), "made-up": OperationUsage(1), "listPod": OperationUsage(0)}
    add(filled, "f2", "flux", hours=1, usage=Usage(used, 2, 2))
    add(filled, "i1", "idle", usage=Usage({}, 0, 0))
    rows = ask(
        filled, "select app, runs, run, operations, stable, beta, alpha, deprecated from v_apps order by app"
    )
    assert [(row["app"], row["runs"], row["run"]) for row in rows] == [
        ("argo", 2, "a2"),
        ("flux", 2, "f2"),
        ("idle", 1, "i1"),
        ("x1", 1, "x1"),
    ]
    assert list(rows[1].values())[3:] == [2, 1, 0, 0, 0]
    assert list(rows[2].values())[3:] == [0, 0, 0, 0, 0]
