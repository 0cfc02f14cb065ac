"""The coverage of releases over HTTP."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from auditsvc.core.breakdown import OperationFilter
from auditsvc.schemas import (
    BreakdownArgumentsSchema,
    BreakdownPage,
    CoverageArgumentsSchema,
    CoverageCountsSchema,
    CoverageGroupSchema,
    CoverageHistoryArgumentsSchema,
    CoverageRecordSchema,
    CoverageRowSchema,
    EndpointCoverageSchema,
    NewArgumentsSchema,
    Page,
    ProgressRowSchema,
    paged,
)
from auditsvc.web.blueprint import Blueprint, service

blueprint = Blueprint(
    "coverage",
    __name__,
    url_prefix="/coverage",
    description="How much of the stable API conformance tests cover, release by release",
)


_BESIDE: dict[str, Any] = {
    "release": fields.String(
        allow_none=True, metadata={"description": "The release; null of a run whose version is not known"}
    ),
    "run": fields.String(allow_none=True, metadata={"description": "The run; null of a release"}),
    "sources": fields.List(
        fields.String(),
        metadata={"description": "Who knows what was reached; none where nobody does"},
    ),
    "totals": fields.Nested(
        CoverageCountsSchema, metadata={"description": "All endpoints that were asked for in one"}
    ),
}


@blueprint.get("")
@blueprint.query(BreakdownArgumentsSchema)
@blueprint.response(200, paged(CoverageGroupSchema, **_BESIDE))
@blueprint.alt_response(404, response="NOT_FOUND")
def get_coverage(limit: int, offset: int, **asked: Any) -> BreakdownPage:
    """How much of the API a release's tests, or a run, reached, group by group

    What reached a release is known from its newest successful ci run that was counted from a log, and from
    what was imported of it; of an import only tests are known, and these are its hits too. A run is
    classified with its own swagger and lists, else with those that held when it finished.
    """
    about = {name: asked.pop(name) for name in ("release", "run", "by", "metric") if name in asked}
    found = service.breakdowns.get(**about, only=read_filter(asked))
    return BreakdownPage(
        data=found.rows[offset : offset + limit],
        total=len(found.rows),
        limit=limit,
        offset=offset,
        release=found.release,
        run=found.run,
        sources=found.sources,
        totals=found.totals,
    )


@blueprint.get("/releases")
@blueprint.query(CoverageArgumentsSchema)
@blueprint.response(200, paged(CoverageRowSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_coverage_of_releases(limit: int, offset: int, as_of: str | None = None) -> Page:
    """Coverage by release, from 1.5.0 on

    As it is known now: an endpoint that is no longer eligible counts nowhere. With `as_of` as it was computed
    when that release was the newest.
    """
    return page_of(service.coverage.releases(as_of=as_of), limit, offset)


@blueprint.get("/progress")
@blueprint.query(CoverageArgumentsSchema)
@blueprint.response(200, paged(ProgressRowSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_coverage_progress(limit: int, offset: int, as_of: str | None = None) -> Page:
    """How far each release had come, from 1.8.0 on

    As it is known now, or with `as_of` as it was computed when that release was the newest.
    """
    return page_of(service.coverage.progress(as_of=as_of), limit, offset)


@blueprint.get("/new")
@blueprint.query(NewArgumentsSchema)
@blueprint.response(200, paged(EndpointCoverageSchema))
@blueprint.alt_response(404, response="NOT_FOUND")
def list_new_endpoints(limit: int, offset: int, release: str | None = None) -> Page:
    """The endpoints that became stable in a release, by operationId"""
    return page_of(service.coverage.new(release)[1], limit, offset)


@blueprint.get("/history")
@blueprint.query(CoverageHistoryArgumentsSchema)
@blueprint.response(200, paged(CoverageRecordSchema))
def list_coverage_history(limit: int, offset: int, release: str | None = None) -> Page:
    """The tables as they were computed while a release was the newest, newest first

    Whenever what they are computed from changes they are kept; what was kept is never rewritten.
    """
    records, total = service.coverage.history(release=release, limit=limit, offset=offset)
    return Page(data=records, total=total, limit=limit, offset=offset)


def read_filter(asked: Mapping[str, Any]) -> OperationFilter:
    """The endpoints that a request asks for by its parameters, whose names are in the singular."""
    names = {
        "level": "levels",
        "group": "groups",
        "category": "categories",
        "kind": "kinds",
        "action": "actions",
    }
    return OperationFilter(**{names.get(name, name): value for name, value in asked.items()})


def page_of(rows: list[Any], limit: int, offset: int) -> Page:
    """The page of a list that is all there."""
    return Page(data=rows[offset : offset + limit], total=len(rows), limit=limit, offset=offset)
