"""Endpoints over HTTP: their tests, who uses them, which lack a conformance test, what one would add."""

from typing import Any

from marshmallow import fields

from auditsvc.core.endpoint_tests import E2eTestFilter
from auditsvc.schemas import (
    E2eTestFiltersSchema,
    E2eTestSchema,
    EndpointDetailSchema,
    EndpointFiltersSchema,
    NewTestArgumentsSchema,
    NewTestHitSchema,
    NewTestPage,
    Page,
    ProjectedCoverageSchema,
    RankedEndpointSchema,
    enveloped,
    paged,
)
from auditsvc.service.endpoints import EndpointDetail
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.coverage import page_of, read_filter

blueprint = Blueprint(
    "endpoints",
    __name__,
    url_prefix="/coverage",
    description="Endpoints: the tests that hit them, who uses them, and what a new test would add. Known is "
    "what any stored run and any imported release tells",
)

_ENDPOINT = {
    "name": "operation_id",
    "in": "path",
    "description": "An operationId",
    "schema": {"type": "string", "minLength": 1, "examples": ["listCoreV1NamespacedPod"]},
}
_BESIDE: dict[str, Any] = {
    "agent": fields.String(metadata={"description": "The user agent family"}),
    "run": fields.String(metadata={"description": "The run that has its requests"}),
    "release": fields.String(metadata={"description": "The release whose coverage is projected"}),
    "unmapped": fields.Integer(
        metadata={"description": "Its requests that are of no operation: they never count", "minimum": 0}
    ),
    "projected": fields.Nested(
        ProjectedCoverageSchema, metadata={"description": "What it would add to the coverage"}
    ),
}


@blueprint.get("/untested")
@blueprint.query(EndpointFiltersSchema)
@blueprint.response(200, paged(RankedEndpointSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_untested_endpoints(limit: int, offset: int, release: str | None = None, **asked: Any) -> Page:
    """The stable endpoints that no conformance test hits, the most used first

    By how many applications and live clusters request them, then by their requests; of equal ones, the one
    that has been stable for the most releases.
    """
    return page_of(service.endpoints.untested(release, only=read_filter(asked)), limit, offset)


@blueprint.get("/candidates")
@blueprint.query(EndpointFiltersSchema)
@blueprint.response(200, paged(RankedEndpointSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_promotion_candidates(limit: int, offset: int, release: str | None = None, **asked: Any) -> Page:
    """The untested endpoints that an e2e test hits, which might become a conformance test

    Eligible ones first, then the most used.
    """
    return page_of(service.endpoints.candidates(release, only=read_filter(asked)), limit, offset)


@blueprint.get("/tests")
@blueprint.query(E2eTestFiltersSchema)
@blueprint.response(200, paged(E2eTestSchema))
def list_e2e_tests(limit: int, offset: int, test: str | None = None, **asked: Any) -> Page:
    """The e2e tests with the endpoints that they hit, by name"""
    return page_of(service.endpoints.tests(E2eTestFilter(name=test, **asked)), limit, offset)


@blueprint.get("/endpoints/<operation_id>", parameters=[_ENDPOINT])
@blueprint.response(200, enveloped(EndpointDetailSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_endpoint(operation_id: str) -> EndpointDetail:
    """An endpoint: its history, the releases that have it, the tests that hit it, who uses it"""
    return service.endpoints.get(operation_id)


@blueprint.get("/new-test")
@blueprint.query(NewTestArgumentsSchema)
@blueprint.response(200, paged(NewTestHitSchema, **_BESIDE))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_new_test(limit: int, offset: int, agent: str, run: str | None = None) -> NewTestPage:
    """What a test that is being written hits, and what it would add to the coverage

    The test calls the API with a user agent of its own, and the log of that is stored as a run.
    """
    found = service.endpoints.new_test(agent, run)
    return NewTestPage(
        data=found.hits[offset : offset + limit],
        total=len(found.hits),
        limit=limit,
        offset=offset,
        agent=found.agent,
        run=found.run,
        release=found.release,
        unmapped=found.unmapped,
        projected=found.projected,
    )
