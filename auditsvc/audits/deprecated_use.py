"""Looks for requests to an API that a later release no longer serves."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from auditsvc.audits._inputs import Settings
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.releases import Minor, Releases
from auditsvc.core.runs import Runs, Subject
from auditsvc.core.swagger import minor_version

_MOVE = "let the client use a version of the API that later releases serve, before its cluster is upgraded"
_UNMARKED = "stored before the API server's marks of deprecated requests were counted: ingest its log again"
_UNVERSIONED = "of no known version of Kubernetes: not held against newer releases"


class _Use(msgspec.Struct):
    """One client's requests to one operation that goes away; none to one that stays.

    ``named`` is the release that removes it by the API server's own words, ``lacking`` the first stored one
    without it.
    """

    requests: int = 0
    named: str = ""
    lacking: str = ""

    @property
    def when(self) -> str:
        """What is known of its end."""
        if self.named:
            return f"removed in {self.named}"
        return f"not in {self.lacking}" if self.lacking else "no release named that removes it"

    def is_due(self, reached: Minor | None) -> bool:
        """Whether a release without it is stored, or named as target."""
        named = minor_version(self.named)
        return bool(self.lacking) or (named is not None and reached is not None and named <= reached)


@audit("AuditDeprecatedUse", key="deprecatedUse", maps=("Clients",), optional=("releases",))
def deprecated_use(logs: Runs, releases: Releases, settings: Settings) -> Iterator[Observation]:
    """Nobody uses an API that is going away.

    ``Clients[user agent family][operation]`` is 0 requests as soon as the release that removes the operation,
    or a later one, is stored or named as ``target_release``; until then each use is missing. What goes away
    is known from the API server's annotations, and from newer stored swaggers that lack the operation. A
    request of no operation is named group/version/resource.
    """
    known = [minor_version(release.version) for release in releases.releases]
    reached = max(
        (minor for minor in (*known, minor_version(settings.target_release)) if minor), default=None
    )
    uses: dict[tuple[str, str], _Use] = {}
    for subject in logs.subjects:
        _add_uses(uses, subject, _removed(subject, releases))
    for (agent, name), use in sorted(uses.items()):
        yield from _judge(agent, name, use, reached)
    yield from _notes(logs)


def _judge(agent: str, name: str, use: _Use, reached: Minor | None) -> Iterator[Observation]:
    """Every use is compared: what stays, or is not due yet, with no request that counts."""
    due = use.is_due(reached)
    yield Compared("Clients", (agent, name), 0, use.requests if due else 0, use.when, _MOVE)
    if use.requests and not due:
        found = f"{agent} requested {name}, which is deprecated ({use.when}); requests: {use.requests}"
        yield Missing(f"{agent}/{name}", found, _MOVE)


def _add_uses(uses: dict[tuple[str, str], _Use], subject: Subject, removed: Mapping[str, str]) -> None:
    """Adds every use of a run, also those of what stays: these were looked at too."""
    for name, used in subject.usage.operations.items():
        for agent, requests in used.agents.items():
            use = uses.setdefault((agent, name), _Use())
            if name in removed:
                use.requests += requests
                use.lacking = removed[name]
    for mark in subject.usage.deprecated or ():
        use = uses.setdefault((mark.agent, mark.name), _Use())
        use.named = use.named or mark.removed_release
        if mark.name not in removed:  # whose requests, marked or not, are counted above
            use.requests += mark.requests


def _removed(subject: Subject, releases: Releases) -> dict[str, str]:
    """The operations that the run used and newer releases lack: by id the first of these that does."""
    version = _version(subject)
    newer = [
        one for one in releases.releases if version and (minor_version(one.version) or version) > version
    ]
    removed: dict[str, str] = {}
    left: Iterable[str] = subject.usage.operations
    for release in reversed(newer):
        left = release.lacks(left, subject.swagger)
        removed |= dict.fromkeys(left, release.version)
    return removed


def _version(subject: Subject) -> Minor | None:
    return minor_version(subject.run.version) or minor_version(subject.swagger.version)


def _notes(logs: Runs) -> Iterator[Note]:
    if logs.reason:
        yield Note(logs.reason)
    for subject in logs.subjects:
        if subject.usage.deprecated is None:
            yield Note(f"{subject.run} was {_UNMARKED}")
        if _version(subject) is None:
            yield Note(f"{subject.run} is {_UNVERSIONED}")
