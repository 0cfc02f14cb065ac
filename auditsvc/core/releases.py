"""The releases of Kubernetes that are known, and the operations of each."""

from collections.abc import Iterable, Mapping

import msgspec

from auditsvc.core.swagger import Operation, Swagger, minor_version
from auditsvc.errors import ParseError

Minor = tuple[int, int]
"""A release by its minor version, ``(1, 34)``: sorts as releases do. Patches and candidates are of it."""


def release_name(minor: Minor) -> str:
    """``1.34.0``: how APISnoop and the tables of coverage name a release."""
    return f"{minor[0]}.{minor[1]}.0"


def parse_release(text: str) -> Minor:
    """The release that a version is of: ``v1.34.2``, ``1.34``. Raises ParseError."""
    minor = minor_version(text)
    if minor is None:
        raise ParseError(f"not a version of Kubernetes: {text}: write it like v1.34.0")
    return minor


class Release(msgspec.Struct, frozen=True):
    """One minor version: its newest uploaded version (``v1.34.0``) and that swagger's operations by id."""

    version: str
    operations: Mapping[str, Operation]

    def lacks(self, names: Iterable[str], swagger: Swagger) -> tuple[str, ...]:
        """Those operations of a swagger, by name, that the release serves under no id."""
        gone = sorted(set(names) - self.operations.keys())
        if not gone:
            return ()
        served = {(one.method, one.path) for one in self.operations.values()}
        missed = ((name, swagger.get(name)) for name in gone)
        return tuple(name for name, one in missed if one is None or (one.method, one.path) not in served)


class Releases(msgspec.Struct, frozen=True):
    """The known releases, one of each minor version, in the order of their versions."""

    releases: tuple[Release, ...] = ()
