"""Conformance tests over HTTP."""

from typing import Any

from msgspec.structs import asdict

from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.releases import Minor, release_name
from auditsvc.schemas import (
    ConformanceTestFiltersSchema,
    ConformanceTestSchema,
    ConformanceTestsSchema,
    Page,
    enveloped,
    paged,
)
from auditsvc.web.blueprint import Blueprint, service
from auditsvc.web.swagger import VERSION_PARAMETER
from auditsvc.web.uploads import read_document

blueprint = Blueprint(
    "conformance-tests",
    __name__,
    url_prefix="/conformance-tests",
    description="The conformance tests of a release: Kubernetes' conformance.yaml",
)

_TESTS = {
    "description": "A conformance.yaml: a list of tests with testname, codename, file and release",
    "required": True,
    "content": {"application/yaml": {"schema": {"type": "string"}}},
}


@blueprint.put("/<version>", parameters=[VERSION_PARAMETER])
@blueprint.doc(requestBody=_TESTS)
@blueprint.response(200, enveloped(ConformanceTestsSchema))
@blueprint.alt_response(413, response="TOO_LARGE")
def put_conformance_tests(version: str) -> dict[str, Any]:
    """Uploads the conformance tests of a release, in place of those there"""
    stored = service.coverage.put_tests(version, read_document())
    return {"release": release_name(stored.release), "tests": stored.total}


@blueprint.get("")
@blueprint.query(ConformanceTestFiltersSchema)
@blueprint.response(200, paged(ConformanceTestSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_conformance_tests(limit: int, offset: int, **filters: Any) -> Page:
    """The conformance tests of a release, in the order of its conformance.yaml"""
    found = service.coverage.tests(limit=limit, offset=offset, **filters)
    rows = [_row(found.release, test) for test in found.tests]
    return Page(data=rows, total=found.total, limit=limit, offset=offset)


def _row(version: Minor, test: ConformanceTest) -> dict[str, Any]:
    named = {"version": release_name(version), "release": release_name(test.release)}
    return {**asdict(test), **named, "sigs": test.sigs, "tags": test.tags}
