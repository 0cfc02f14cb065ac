from datetime import UTC, datetime

from msgspec.structs import replace

from auditsvc.audits import Classification, RecordedInputs, RecordedSubject, Settings
from auditsvc.core.runs import BaselineRule

WITH = Classification("v1.34.0", "swagger", "pending", None)
INPUTS = RecordedInputs(
    now=datetime(2026, 1, 17, tzinfo=UTC),
    settings=Settings(),
    rule=BaselineRule(),
    received=("runs",),
    subjects=(
        RecordedSubject(run="pull-1", baseline=("ci-2", "ci-1"), no_baseline="", documents=WITH),
        RecordedSubject(
            run="pull-2", baseline=(), no_baseline="none", documents=replace(WITH, pending="other")
        ),
    ),
    documents=Classification(None, "swagger", None, "ineligible"),
    swaggers=(("v1.33.0", "older"), ("v1.34.0", "swagger")),
    releases=(),
    ci_runs=(),
    coverage=(),
    costs=(),
)


def test_documents_by_hash() -> None:
    """Every swagger and list that anything was classified with, once each; what is none is not there."""
    assert INPUTS.hashes == {"swagger", "pending", "other", "ineligible", "older"}


def test_runs_with_their_baselines() -> None:
    """In their order, a run before what it was held against."""
    assert list(INPUTS.runs) == ["pull-1", "ci-2", "ci-1", "pull-2"]
