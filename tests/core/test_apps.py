from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.apps import (
    App,
    CategoryCount,
    Served,
    count_categories,
    count_operations,
    is_discovery,
    newest_of_apps,
    portability,
)
from auditsvc.core.releases import Release, Releases
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import Level, Operation, Swagger
from auditsvc.core.usage import OperationUsage, Usage

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)


def operation(
    name: str,
    path: str = "/api/v1/pods",
    *,
    level: Level = Level.STABLE,
    deprecated: bool = False,
    resource: str | None = "pods",
) -> Operation:
    """A GET of the core category."""
    return Operation(name, "GET", path, level, deprecated, category="core", resource=resource)


POD = operation("listPod")
OLD = operation("watchPod", "/api/v1/watch/pods", deprecated=True)
CRON = operation("listCron", "/apis/batch/v1beta1/cronjobs", level=Level.BETA, resource="cronjobs")
CLAIM = operation("listClaim", "/apis/resource.k8s.io/v1alpha1/claims", level=Level.ALPHA, resource="claims")
BETA_LIST = operation("getBatchV1beta1", "/apis/batch/v1beta1/", level=Level.BETA, resource=None)
VERSION = operation("getVersion", "/version/", resource=None)
SWAGGER = Swagger("v1.34.0", {one.id: one for one in (POD, OLD, CRON, CLAIM, BETA_LIST, VERSION)})


def run(
    name: str = "a1",
    app: str | None = "argo",
    *,
    kind: RunKind = RunKind.APP,
    hours: int = 0,
    version: str | None = None,
) -> Run:
    """An app run that finished that many hours after noon."""
    finished = NOON + timedelta(hours=hours)
    return Run(
        id=name, kind=kind, app=app, started=NOON - timedelta(hours=1), finished=finished, version=version
    )


def app(*used: str, of: Run | None = None, swagger: Swagger = SWAGGER) -> App:
    """An application that requested each of the operations once; ``nothing`` was never hit."""
    operations = {name: OperationUsage(hits=1) for name in used} | {"nothing": OperationUsage(hits=0)}
    return App(of or run(), Usage(operations, len(used), len(used)), swagger)


def release(version: str, *operations: Operation) -> Release:
    """A release that has those operations."""
    return Release(version, {one.id: one for one in operations})


class TestNewest:
    """Which runs the applications are judged by."""

    def test_newest_of_each(self) -> None:
        """The newest run of each application, by its name; of two that finished together, by id."""
        argo, flux = run("a1"), run("f1", "flux")
        newer = run("a2", hours=1), run("a3", hours=1)
        assert newest_of_apps([flux, newer[1], argo, newer[0]]) == (newer[1], flux)

    def test_a_run_without_an_app_stands_for_itself(self) -> None:
        """It is called by its id."""
        first, second = run("a1", None), run("a2", None)
        assert newest_of_apps([second, first]) == (first, second)
        assert app(of=first).name == "a1"

    def test_other_kinds_are_none(self) -> None:
        """Only runs of kind app are of applications."""
        assert newest_of_apps([run(kind=RunKind.CI), run(kind=RunKind.PULL)]) == ()


class TestCounts:
    """How many operations are used."""

    def test_by_level(self) -> None:
        """Each by its level, what is not in the swagger apart; deprecated and conformance-tested of all."""
        counts = count_operations(app("listPod", "watchPod", "listCron", "made-up"), {"listPod", "listCron"})
        assert (counts.stable, counts.beta, counts.alpha, counts.not_in_swagger) == (2, 1, 0, 1)
        assert (counts.total, counts.deprecated, counts.conf_tested, counts.level) == (4, 1, 2, Level.BETA)

    def test_nothing(self) -> None:
        """No operation is of no level; where nothing tells what is tested, it is not known."""
        counts = count_operations(app(), None)
        assert (counts.total, counts.conf_tested, counts.level) == (0, None, None)

    def test_by_category(self) -> None:
        """The most used category of a level first; what is not in the swagger is of none."""
        assert count_categories(app("listCron", "listPod", "watchPod", "made-up")) == (
            CategoryCount(Level.STABLE, "core", 2),
            CategoryCount(Level.BETA, "core", 1),
        )

    @given(st.sets(st.sampled_from([*SWAGGER.operations, "made-up", "other"])))
    def test_sums(self, used: set[str]) -> None:
        """Levels add up to the total, categories to what the swagger knows."""
        counted = app(*used)
        counts = count_operations(counted, ())
        known = counts.stable + counts.beta + counts.alpha
        assert known + counts.not_in_swagger == counts.total == len(used)
        assert sum(one.operations for one in count_categories(counted)) == known


class TestPortability:
    """Where an application would work."""

    def test_portable(self) -> None:
        """Stable operations that every newer release has are fit for an upgrade."""
        found = portability(app("listPod"), Releases((release("v1.34.0", POD), release("v1.35.0", POD))))
        assert found.portable
        assert (found.oldest, found.newest) == ("1.34.0", "1.35.0")

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("watchPod", "deprecated"),
            ("listCron", "beta"),
            ("listClaim", "alpha"),
            ("made-up", "not in the swagger of its run"),
        ],
    )
    def test_unstable(self, name: str, reason: str) -> None:
        """What promises nothing is named with the reason."""
        found = portability(app("listPod", name), Releases())
        assert found.unstable == {name: reason}
        assert not found.portable

    def test_gone(self) -> None:
        """What a newer release lacks keeps from it; what an older one lacks only tells where it works."""
        releases = Releases((release("v1.33.0"), release("v1.34.0", POD), release("v1.35.0")))
        found = portability(app("listPod"), releases)
        assert found.releases == (
            Served("1.33.0", newer=False, lacks=("listPod",)),
            Served("1.34.0", newer=False, lacks=()),
            Served("1.35.0", newer=True, lacks=("listPod",)),
        )
        assert (found.oldest, found.newest, found.portable) == ("1.34.0", "1.34.0", False)

    def test_no_release_serves_it(self) -> None:
        """Then there is no oldest and no newest one."""
        found = portability(app("listPod"), Releases((release("v1.33.0"),)))
        assert (found.oldest, found.newest, found.portable) == (None, None, True)

    def test_under_another_id(self) -> None:
        """An operation that was renamed is still there: its method and path tell."""
        renamed = operation("listCoreV1Pod")
        found = portability(app("listPod", "made-up"), Releases((release("v1.35.0", renamed),)))
        assert found.releases[0].lacks == ("made-up",)

    def test_of_no_version(self) -> None:
        """Where nothing names the application's release, none is known to be newer."""
        nameless = Swagger(None, SWAGGER.operations)
        releases = Releases((release("v1.35.0"),))
        assert portability(app("listPod", swagger=nameless), releases).portable
        named = app("listPod", of=run(version="v1.30.1"), swagger=nameless)
        assert not portability(named, releases).portable

    def test_discovery_is_no_dependence(self) -> None:
        """A client that asks what there is uses what it finds; having used nothing proves nothing."""
        assert not portability(app("getBatchV1beta1"), Releases()).portable
        assert portability(app("getBatchV1beta1", "getVersion"), Releases()).depends_on == {"getVersion"}

    @pytest.mark.parametrize(
        ("path", "resource", "expected"),
        [
            ("/apis/", None, True),
            ("/api/v1/", None, True),
            ("/apis/batch/v1beta1/", None, True),
            ("/version/", None, False),
            ("/apis/batch/v1/jobs", "jobs", False),
        ],
    )
    def test_is_discovery(self, path: str, resource: str | None, expected: bool) -> None:
        """What has no resource below the groups is discovery."""
        assert is_discovery(operation("one", path, resource=resource)) is expected
