from datetime import UTC, date, datetime

from flask.testing import FlaskClient

from auditsvc.core.results import AuditResult, Status, WaivedFinding, render_result
from auditsvc.core.window import Window
from auditsvc.service import Service
from auditsvc.store.results import StoredResult
from tests.web.test_pages import open_page

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
WAIVED = WaivedFinding(
    status=Status.FAILED,
    key="readPod",
    description="Results[p1][eligible]: readPod",
    owner="sig-node",
    reason="flaky <b>",
    expires=date(2026, 12, 31),
    issue="https://example.org/1",
)


def test_a_page_shows_what_was_accepted(client: FlaskClient, service: Service) -> None:
    """By whom, until when and why; it is kept with the result, and is not said to be nothing."""
    result = AuditResult(NOON, ("Results",), checked=1, waived=(WAIVED,))
    stored = StoredResult(
        window=Window.day(NOON),
        key="pendingReconciliation",
        result=result,
        text=render_result(result),
        inputs="",
        code="",
    )
    service.store.sets.put([stored])
    assert service.store.sets.find()[0].result == result
    page = open_page(client, "/pages/sets/2026-01-16/pendingReconciliation")
    assert "sig-node 2026-12-31 flaky <b> ( https://example.org/1 )" in page.text
    assert "Nothing was found" not in page.text
    assert "https://example.org/1" in page.links
