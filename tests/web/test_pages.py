import re
from contextlib import closing
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient

from auditsvc.service import Service
from tests.web.made import CI, upload

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page read strictly: each element is closed where it must be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.words: list[str] = []
        self.elements: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps the links, and refuses what the Content-Security-Policy does."""
        names = dict(attrs)
        assert "style" not in names
        assert not any(name.startswith("on") for name in names)
        assert tag not in ("script", "style")
        self.elements.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "action") and value]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes the innermost element that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keeps the text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """The text that a reader sees, in one line."""
        return " ".join(" ".join(self.words).split())


def open_page(client: FlaskClient, path: str) -> Page:
    """The page at that path."""
    with closing(client.get(path)) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "text/html; charset=utf-8"
        return Page(answer.text)


def test_empty_store_says_what_to_do_next(client: FlaskClient) -> None:
    """Each step with its line for a shell, on this server's own address."""
    page = open_page(client, "/")
    assert "Nothing has been audited yet" in page.text
    for line in (
        "curl -T - 'http://localhost/swagger/v1.34.0'",
        "'http://localhost/audit?commit=true&wait=true'",
    ):
        assert line in page.text
    assert "No run was uploaded yet" in open_page(client, "/pages/runs").text


def test_start_page_has_a_row_for_a_day_and_a_column_for_an_audit(
    client: FlaskClient, runs: dict[str, str]
) -> None:
    """The status as a word, and what is behind it; audits that never ran have no column."""
    assert runs
    page = open_page(client, "/")
    assert (
        "AuditDeprecatedUse AuditIneligibleConsistency AuditLogIntegrity AuditOperationEquality "
        "AuditPendingReconciliation AuditSwaggerTotal 2026-01-17 Passed 3 checked Failed 1 finding "
        "Passed 3 checked Warning 1 finding Passed 2 checked Passed 10 checked" in page.text
    )
    assert "AuditAssetTotalStore" not in page.text


def test_statuses_open_their_findings(client: FlaskClient, runs: dict[str, str]) -> None:
    """Differences and missing values, each with what to do about it; when it last ran, in UTC."""
    failed = open_page(client, "/pages/sets/2026-01-17/ineligibleConsistency").text
    assert "listed twice: createPod (line 4)" in failed
    assert "Results / list / duplicate 0 1 createPod (line 4)" in failed
    assert "Last run 2026-01-18 09:30:00 UTC" in failed
    warned = open_page(client, "/pages/sets/2026-01-17/operationEquality").text
    assert f"readPod in pull run {runs['pull']}, not in CI baseline {runs['ci']}" in warned
    assert "What to do" in warned
    passed = open_page(client, "/pages/sets/2026-01-17/swaggerTotal").text
    assert "Checked 10 comparisons" in passed
    assert "Nothing was found." in passed


def test_every_link_leads_somewhere(client: FlaskClient, runs: dict[str, str]) -> None:
    """From the start page on, nothing of the site's own is broken."""
    client.post(f"/audit?run={runs['pull']}&wait=true")
    seen, left = set(), ["/"]
    while left:
        path = left.pop()
        seen.add(path)
        with closing(client.get(path)) as answer:
            assert answer.status_code == 200, path
            if answer.mimetype == "text/html":
                links = {link.partition("#")[0] for link in Page(answer.text).links}
                left += [link for link in links if link and link not in (*seen, *left)]
    assert f"/pages/runs/{runs['pull']}/operationEquality" in seen
    assert "/docs" in seen


def test_anchors_lead_somewhere(client: FlaskClient, runs: dict[str, str]) -> None:
    """Links within a page have their targets."""
    for path in ("/docs", f"/pages/runs/{runs['pull']}"):
        with closing(client.get(path)) as answer:
            targets = set(re.findall(r' id="([^"]+)"', answer.text))
            anchors = {link[1:] for link in Page(answer.text).links if link.startswith("#")}
        assert anchors <= targets


def test_run_has_its_totals_and_operations(client: FlaskClient, runs: dict[str, str]) -> None:
    """And what it was asked alone; the operations can be searched."""
    path = f"/pages/runs/{runs['pull']}"
    page = open_page(client, path)
    assert "Kind pull, success" in page.text
    assert "Requests 4: 3 of 3 operations, 1 non-api" in page.text
    assert "It was never judged alone." in page.text
    assert "createPod stable 1 1 0 0" in page.text
    searched = open_page(client, f"{path}?text=LIST&level=stable").text
    assert "listPod" in searched
    assert "createPod" not in searched
    assert "There is none." in open_page(client, f"{path}?level=beta").text


def test_long_lists_have_pages(client: FlaskClient, service: Service, runs: dict[str, str]) -> None:
    """Each leads to the next and back."""
    assert runs
    for day in range(1, 32):
        times = {"started": f"2026-01-{day:02}T22:00:00Z", "finished": f"2026-01-{day:02}T23:00:00Z"}
        upload(client, CI, kind="ci", **times)
    assert client.post("/audit?commit=true&wait=true&type=ineligibleConsistency").status_code == 200
    assert service.audits.windows(limit=1)[1] == 31
    first = open_page(client, "/")
    assert "1–30 of 31" in first.text
    assert "/?offset=30" in first.links
    last = open_page(client, "/?offset=30")
    assert "31–31 of 31" in last.text
    assert "2026-01-01" in last.text
    assert "/?offset=0" in last.links
    assert "Nothing has been audited" not in open_page(client, "/?offset=90").text


@pytest.mark.parametrize(
    "path",
    [
        "/pages/sets/2026-13-01/swaggerTotal",
        "/pages/sets/9999-12-31/swaggerTotal",
        "/pages/sets/2026-01-01/swaggerTotal",
        "/pages/sets/2026-01-17/nothing",
        "/pages/runs/none",
        "/pages/runs/none/swaggerTotal",
    ],
)
def test_page_that_is_not_there(client: FlaskClient, runs: dict[str, str], path: str) -> None:
    """404 as a page, with the reason."""
    assert runs
    with closing(client.get(path)) as answer:
        assert answer.status_code == 404
        assert "404 Not Found" in Page(answer.text).text


def test_what_a_log_holds_is_text_on_a_page(client: FlaskClient, runs: dict[str, str]) -> None:
    """A name is never markup."""
    assert runs
    evil = upload(client, CI, kind="ci", job="<script>alert(1)</script>", cluster="\"'&")
    with closing(client.get(f"/pages/runs/{evil}")) as answer:
        assert "<script>" not in answer.text
        assert "<script>alert(1)</script>" in Page(answer.text).text


def test_docs_describe_every_operation(client: FlaskClient) -> None:
    """Methods, parameters, bodies and answers, without a script."""
    page = open_page(client, "/docs")
    assert "POST /audit Runs audits" in page.text
    assert "kind required string" in page.text
    assert "Body: application/octet-stream , or multipart/form-data" in page.text
    assert "404 What was named is not there" in page.text
