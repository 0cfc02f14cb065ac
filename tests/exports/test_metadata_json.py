import json

from hypothesis import given
from msgspec.structs import replace

from auditsvc import __version__
from auditsvc.core.prow import BuildStage, build_version
from auditsvc.exports.metadata_json import render
from auditsvc.exports.report import Report
from tests.exports.samples import EMPTY_SWAGGER, NOON, REPORT, SEEN_REPORT, reports


def test_metadata() -> None:
    """How each audit ended and what was judged with, as texts, which are all that Prow shows."""
    found = json.loads(render(SEEN_REPORT, {}))
    assert found["auditsvc"] == {
        "version": __version__,
        "status": "Failed",
        "AuditOperationEquality": "Failed",
        "AuditPendingReconciliation": "Warning",
        "AuditIneligibleConsistency": "Passed",
        "AuditSwaggerTotal": "Failed",
        "swagger": f"sha256:{'5' * 64}",
        "pending": f"sha256:{'9' * 64}",
    }


def test_the_version_is_found_again() -> None:
    """Merged into a build's finished.json, it tells ``sync`` which version was under test."""
    stage = BuildStage(NOON, {"metadata": json.loads(render(SEEN_REPORT, {}))})
    assert build_version(BuildStage(NOON, {}), stage) == "v1.20.2"
    (subject,) = SEEN_REPORT.judged
    unversioned = replace(SEEN_REPORT, judged=(replace(subject, swagger=EMPTY_SWAGGER),))
    assert set(json.loads(render(unversioned, {}))) == {"auditsvc"}
    assert set(json.loads(render(REPORT, {}))) == {"auditsvc"}


def test_what_is_there_stays() -> None:
    """What another step of the job has put there wins, and an earlier result of ours does not."""
    earlier = {"job-version": "v1.35.0", "revision": "v1", "auditsvc": {"status": "Passed", "old": "x"}}
    found = json.loads(render(SEEN_REPORT, earlier))
    assert (found["job-version"], found["revision"]) == ("v1.35.0", "v1")
    assert found["auditsvc"]["status"] == "Failed"
    assert "old" not in found["auditsvc"]


@given(reports)
def test_any_report(report: Report) -> None:
    """All values are texts."""
    assert all(isinstance(value, str) for value in json.loads(render(report, {}))["auditsvc"].values())
