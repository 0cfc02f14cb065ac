"""What applications use of the API, and which releases serve all of it."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping

import msgspec

from auditsvc.core.releases import Minor, Release, Releases, parse_release, release_name
from auditsvc.core.runs import Run, RunKind
from auditsvc.core.swagger import Level, Operation, Swagger, minor_version
from auditsvc.core.usage import ExercisedBy, Usage


class App(msgspec.Struct, frozen=True):
    """An application: a run of it, what that used, and the swagger that it is classified with."""

    run: Run
    usage: Usage
    swagger: Swagger

    @property
    def name(self) -> str:
        """The application's name."""
        return app_name(self.run)

    @property
    def version(self) -> Minor | None:
        """The release that it ran on; None where nothing names it."""
        return minor_version(self.run.version) or minor_version(self.swagger.version)

    @property
    def used(self) -> frozenset[str]:
        """The operations that it requested."""
        return self.usage.exercised(ExercisedBy.HIT)


class Apps(msgspec.Struct, frozen=True):
    """The applications that a window is judged by; ``reason`` says why where there are none."""

    apps: tuple[App, ...] = ()
    reason: str = ""


class Served(msgspec.Struct, frozen=True):
    """What a release lacks of what an application depends on; ``newer`` than the one that it ran on."""

    release: str
    newer: bool
    lacks: tuple[str, ...]


class Portability(msgspec.Struct, frozen=True):
    """Whether an application would work on other releases.

    It depends on the operations that it used, less those that only tell what a server has. ``unstable`` are
    those of them that promise nothing, each with the reason; ``releases`` are in their order.
    """

    depends_on: frozenset[str]
    unstable: Mapping[str, str]
    releases: tuple[Served, ...]

    @property
    def portable(self) -> bool:
        """Whether it depends on something, all of it stable, not deprecated and in every newer release."""
        lacking = any(one.lacks for one in self.releases if one.newer)
        return bool(self.depends_on) and not self.unstable and not lacking

    @property
    def oldest(self) -> str | None:
        """The first release that serves all of it; None where none does."""
        return next((one.release for one in self.releases if not one.lacks), None)

    @property
    def newest(self) -> str | None:
        """The last one."""
        return next((one.release for one in reversed(self.releases) if not one.lacks), None)


class AppCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The operations that an application used, by level; its swagger lacks those ``not_in_swagger``.

    ``conf_tested`` are those that conformance tests are known to hit, None where nothing tells. ``level`` is
    the least of the levels.
    """

    stable: int
    beta: int
    alpha: int
    not_in_swagger: int
    total: int
    deprecated: int
    conf_tested: int | None
    level: Level | None


class CategoryCount(msgspec.Struct, frozen=True):
    """How many operations of a level and category an application used."""

    level: Level
    category: str | None
    operations: int


def app_name(run: Run) -> str:
    """The application that a run is of; one that names none stands for itself."""
    return run.app or run.id


def newest_of_apps(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The newest run of each application among the runs, by the application's name."""
    in_order = sorted(runs, key=lambda run: (run.finished, run.id))
    newest = {app_name(run): run for run in in_order if run.kind is RunKind.APP}
    return tuple(newest[name] for name in sorted(newest))


def count_operations(app: App, conf_tested: Container[str] | None) -> AppCounts:
    """How many operations an application used of each kind; ``conf_tested`` is None where nothing tells."""
    known = [app.swagger.operations[name] for name in app.used if name in app.swagger]
    levels = Counter(operation.level for operation in known)
    return AppCounts(
        stable=levels[Level.STABLE],
        beta=levels[Level.BETA],
        alpha=levels[Level.ALPHA],
        not_in_swagger=len(app.used) - len(known),
        total=len(app.used),
        deprecated=sum(operation.deprecated for operation in known),
        conf_tested=None if conf_tested is None else sum(name in conf_tested for name in app.used),
        level=max(levels, key=list(Level).index, default=None),
    )


def count_categories(app: App) -> tuple[CategoryCount, ...]:
    """The levels and categories of the operations that an application used, the most used first."""
    used = (operation for name in app.used if (operation := app.swagger.get(name)))
    counts = Counter((operation.level, operation.category) for operation in used)
    found = [CategoryCount(level, category, count) for (level, category), count in counts.items()]
    return tuple(sorted(found, key=lambda one: (-one.operations, one.level, one.category or "")))


def portability(app: App, releases: Releases) -> Portability:
    """What an application depends on, held against the known releases."""
    depends_on = frozenset(name for name in app.used if not is_discovery(app.swagger.get(name)))
    reasons = ((name, _unstable(app.swagger.get(name))) for name in sorted(depends_on))
    return Portability(
        depends_on,
        {name: reason for name, reason in reasons if reason},
        tuple(_served(app, depends_on, release) for release in releases.releases),
    )


def is_discovery(operation: Operation | None) -> bool:
    """Whether an operation only tells what a server has: groups, versions, resources.

    Clients ask for all of it and use what is there, so no application breaks for the lack of any.
    """
    return (
        operation is not None
        and operation.resource is None
        and operation.path.startswith(("/api/", "/apis/"))
        and operation.method == "GET"
    )


def _unstable(operation: Operation | None) -> str:
    if operation is None:
        return "not in the swagger of its run"
    if operation.deprecated:
        return "deprecated"
    return "" if operation.level is Level.STABLE else operation.level.value


def _served(app: App, depends_on: frozenset[str], release: Release) -> Served:
    minor = parse_release(release.version)
    newer = app.version is not None and minor > app.version
    return Served(release_name(minor), newer, release.lacks(depends_on, app.swagger))
