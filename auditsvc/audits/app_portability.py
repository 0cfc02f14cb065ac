"""Looks for what would keep an application from working on newer releases."""

from collections.abc import Iterator, Mapping

from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.apps import App, Apps, Portability, portability
from auditsvc.core.releases import Releases

_UNSTABLE = "move to a stable operation that is not deprecated: this one may be gone in any release"
_GONE = "move to a version of the API that the newer releases serve, before the cluster is upgraded"
_EMPTY = "ingest a log of its work: there may have been none, or its requests were made by another name"
_UNVERSIONED = "of no known version of Kubernetes: not held against newer releases"


@audit("AuditAppPortability", key="appPortability", maps=("Apps",), optional=("releases",))
def app_portability(apps: Apps, releases: Releases) -> Iterator[Observation]:
    """Applications use only stable operations that are not deprecated and that newer releases still serve.

    ``Apps[app]["stable"]`` holds the operations that an application depends on against those of them that are
    stable and not deprecated, and ``Apps[app][release]``, for each stored release newer than its own, against
    those that the release serves. Requests that only ask what a server has (discovery) are no dependence.
    """
    if apps.reason:
        yield Note(apps.reason)
    for app in apps.apps:
        found = portability(app, releases)
        if found.depends_on:
            yield from _notes(app, found)
            yield from _unstable(app, found)
            yield from _gone(app, found)
        else:
            told = f"{app.name} ({app.run}) used no operation that it could be judged by"
            yield Missing(app.name, told, _EMPTY)


def _unstable(app: App, found: Portability) -> Iterator[Observation]:
    yield _counted(app, "stable", found, found.unstable, _UNSTABLE)
    for name, reason in found.unstable.items():
        yield Missing(_key(app, name), f"{app.name} uses {name}, which is {reason}", _UNSTABLE)


def _gone(app: App, found: Portability) -> Iterator[Observation]:
    gone: dict[str, list[str]] = {}
    for one in found.releases:
        if one.newer:
            yield _counted(app, one.release, found, dict.fromkeys(one.lacks, ""), _GONE)
            for name in one.lacks:
                gone.setdefault(name, []).append(one.release)
    for name, releases in sorted(gone.items()):
        lacking = f"{app.name} uses {name}, which is not in {', '.join(releases)}"
        yield Missing(_key(app, name), lacking, _GONE)


def _counted(
    app: App, rule: str, found: Portability, broken_by: Mapping[str, str], resolution: str
) -> Compared:
    expected = len(found.depends_on)
    return Compared(
        "Apps",
        (app.name, rule),
        expected,
        expected - len(broken_by),
        detail=", ".join(broken_by),
        resolution=resolution,
        keys=tuple(_key(app, name) for name in broken_by),
    )


def _key(app: App, operation: str) -> str:
    return f"{app.name}/{operation}"


def _notes(app: App, found: Portability) -> Iterator[Note]:
    told = [f"depends on operations: {len(found.depends_on)}"]
    if discovered := len(app.used) - len(found.depends_on):
        told.append(f"used others that only tell what the server has: {discovered}")
    if unmapped := app.usage.requests - app.usage.mapped:
        told.append(f"made requests of no operation: {unmapped}")
    yield Note(f"{app.name} ({app.run}): {', '.join(told)}; {_span(found)}")
    if app.version is None:
        yield Note(f"{app.name} is {_UNVERSIONED}")


def _span(found: Portability) -> str:
    if not found.releases:
        return "no release is stored that it could be held against"
    if found.oldest is None:
        return f"none of the {len(found.releases)} stored releases serves all that it uses"
    return f"oldest stored release that serves all that it uses: {found.oldest}, newest: {found.newest}"
