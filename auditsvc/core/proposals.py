"""What a proposal of a conformance test says: its endpoints, and what it could do with their resource."""

from collections.abc import Sequence
from difflib import get_close_matches

import msgspec

from auditsvc.core.endpoint_tests import RankedEndpoint
from auditsvc.core.resources import Resource, Step, lifecycle, resource_of
from auditsvc.core.swagger import Operation

_NEAR = 3


class Outline(msgspec.Struct, frozen=True):
    """The life of a resource's objects, step by step."""

    resource: Resource
    steps: tuple[Step, ...]


class Proposal(msgspec.Struct, frozen=True):
    """A proposal, as of a release.

    ``outlines`` are of the resources of the endpoints, ``group`` are all untested endpoints of their API
    groups, the most used first.
    """

    release: str
    endpoints: tuple[RankedEndpoint, ...]
    outlines: tuple[Outline, ...]
    group: tuple[RankedEndpoint, ...]


def outlines(endpoints: Sequence[Operation], operations: Sequence[Operation]) -> tuple[Outline, ...]:
    """The life of each resource that the endpoints are of, with the subresources that they name."""
    resources = dict.fromkeys(resource for one in endpoints if (resource := resource_of(one)))
    also = [one.id for one in endpoints]
    return tuple(Outline(one, tuple(lifecycle(one, operations, also))) for one in resources)


def near_misses(name: str, known: Sequence[str]) -> list[str]:
    """The known names that a mistyped one may mean, in any case."""
    lower = {one.lower(): one for one in known}
    return [lower[one] for one in get_close_matches(name.lower(), lower, n=_NEAR, cutoff=0.7)]
