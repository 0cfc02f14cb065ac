"""The known releases over HTTP."""

from datetime import date

from auditsvc.schemas import (
    Page,
    PageArgumentsSchema,
    ReleaseArgumentsSchema,
    ReleaseSchema,
    enveloped,
    paged,
)
from auditsvc.service.coverage import ReleaseSummary
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.swagger import VERSION_PARAMETER

blueprint = Blueprint(
    "releases", __name__, url_prefix="/releases", description="Releases of Kubernetes, and when they came out"
)


@blueprint.put("/<version>", parameters=[VERSION_PARAMETER])
@blueprint.query(ReleaseArgumentsSchema)
@blueprint.response(200, enveloped(ReleaseSchema))
def put_release(version: str, day: date | None = None) -> ReleaseSummary:
    """Makes a release known, with the day on which it came out

    A release is its minor version. Its swagger, conformance tests and runs make it known as well.
    """
    return service.coverage.put_release(version, day)


@blueprint.get("")
@blueprint.query(PageArgumentsSchema)
@blueprint.response(200, paged(ReleaseSchema))
def list_releases(limit: int, offset: int) -> Page:
    """The known releases, the newest first"""
    releases = service.coverage.summaries()
    return Page(data=releases[offset : offset + limit], total=len(releases), limit=limit, offset=offset)
