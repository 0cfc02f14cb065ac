"""What the audits of both endpoint lists look for."""

from collections.abc import Iterator

from auditsvc.audits._registry import Missing
from auditsvc.core.eligibility import out_of_scope
from auditsvc.core.endpoints import EndpointEntry, EndpointList
from auditsvc.core.swagger import Swagger

PENDING = "pending_eligible_endpoints.yaml"
INELIGIBLE = "ineligible_endpoints.yaml"
REASONS = "deprecated, optional feature, debug feature, administrative or unstable"
"""The community's own reasons for which an endpoint is ineligible, for resolutions."""

_NEEDLESS = "remove the entry: conformance asks for stable endpoints only, and for none that is deprecated"


def first_entries(listed: EndpointList) -> Iterator[EndpointEntry]:
    """The entries of a list, each endpoint at its first."""
    repeated = listed.duplicates
    return (entry for entry in listed.entries if entry.endpoint and entry not in repeated)


def needless_entries(file: str, listed: EndpointList, swagger: Swagger) -> Iterator[Missing]:
    """A finding for each endpoint on a list that is not in the swagger, deprecated or not stable."""
    for entry in first_entries(listed):
        if reason := out_of_scope(entry.endpoint, swagger):
            found = f"Endpoint {entry.endpoint} found in {file} but is {reason} (line {entry.line})"
            yield Missing(entry.endpoint, found, _NEEDLESS)
