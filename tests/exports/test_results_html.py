from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from auditsvc.core.runs import Subject
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import ExercisedBy, Usage
from auditsvc.exports.report import Report
from auditsvc.exports.results_html import STATES, render
from tests.exports.samples import HOSTILE, NOTHING, REPORT, SEEN_REPORT, reports, run

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def read(text: str) -> Element:
    """The document, read as a browser does, by a reader that takes no error."""
    root: Element = html5lib.HTMLParser(strict=True).parse(text)
    return root


def texts(root: Element, name: str) -> list[str]:
    """The texts of all elements of that name."""
    return [" ".join("".join(element.itertext()).split()) for element in root.iter(f"{HTML}{name}")]


def test_results() -> None:
    """Title, what was judged and with what, a table of the audits, and each with notes and findings."""
    root = read(render(SEEN_REPORT))
    assert texts(root, "title") == ["auditsvc check: Failed"]
    assert "pull run X" in texts(root, "dd")
    assert f"swagger api/swagger.json sha256:{'5' * 64}" in texts(root, "dd")
    assert texts(root, "h2")[:2] == ["AuditOperationEquality: Failed", "AuditPendingReconciliation: Warning"]
    cells = texts(root, "td")
    assert "remove it" in cells
    assert any(
        cell.startswith("POST /apis/flow/v1beta1/flows; seen first at audit.log:17 of") for cell in cells
    )
    assert "lists/pending eligible.yaml:17" in cells


def test_nothing_is_loaded() -> None:
    """The file needs no other and runs nothing, so that an artifact store can show it as it is."""
    root = read(render(SEEN_REPORT))
    names = {str(element.tag).rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not any(name in element.attrib for element in root.iter() for name in ("src", "onclick", "style"))
    assert "url(" not in render(SEEN_REPORT)


def test_it_can_be_read_without_seeing_it() -> None:
    """A language, captions, heads with their scope, and one heading of the first level."""
    root = read(render(SEEN_REPORT))
    assert root.attrib["lang"] == "en"
    assert len(texts(root, "h1")) == 1
    assert len(texts(root, "caption")) == len(list(root.iter(f"{HTML}table")))
    assert all(head.attrib["scope"] in ("col", "row") for head in root.iter(f"{HTML}th"))


def test_lists() -> None:
    """The lists are there with their lines, reasons and links, which are links."""
    root = read(render(SEEN_REPORT))
    assert texts(root, "summary") == ["Pending: 1", "Ineligible: 1"]
    (link,) = root.iter(f"{HTML}a")
    assert link.attrib["href"] == "https://example.org/?a=1&b=2"
    assert "<b>" in texts(root, "td")


def test_sunburst() -> None:
    """Level, category and operation as rings, every arc with a title; a table says the same in numbers."""
    root = read(render(SEEN_REPORT))
    titles = [path.findtext(f"{SVG}title") for path in root.iter(f"{SVG}path")]
    assert titles == [
        "stable: 1 of 1 used",
        "none: 1 of 1 used",
        "listCoreV1Pod: exercised, GET /api/v1/pods",
        "beta: 1 of 1 used",
        "none: 1 of 1 used",
        "createFlow: exercised, POST /apis/flow/v1beta1/flows",
    ]
    assert [head for head in texts(root, "th") if head in STATES] == list(STATES)


def test_states(demo_swagger: Swagger, demo_usage: Usage) -> None:
    """Every operation that a log can tell of is in the picture once, in the first state that it has."""
    (sample,) = SEEN_REPORT.judged
    subject = Subject(run("X"), demo_usage, demo_swagger, sample.lists)
    by_state = {}
    for by in (ExercisedBy.HIT, ExercisedBy.CONF_TESTED):
        root = read(render(replace(SEEN_REPORT, judged=(subject,), exercised_by=by)))
        leaves = [path.attrib["class"] for path in root.iter(f"{SVG}path") if path.attrib["class"] in STATES]
        assert len(leaves) == sum(one.observable for one in demo_swagger.operations.values()) == 1060
        by_state[by] = {state: leaves.count(state) for state in STATES}
    assert by_state[ExercisedBy.HIT]["exercised"] == len(demo_usage.operations) == 250
    assert 0 < by_state[ExercisedBy.CONF_TESTED]["exercised"] < 250


@pytest.mark.parametrize("report", [NOTHING, REPORT])
def test_without_usage(report: Report) -> None:
    """Without what the runs used there are results alone."""
    root = read(render(report))
    assert not list(root.iter(f"{SVG}svg"))
    assert "Coverage" not in texts(root, "h2")


def test_names_are_no_markup() -> None:
    """What a name holds is shown as it is."""
    root = read(render(replace(NOTHING, title=HOSTILE)))
    assert texts(root, "h1")[0].startswith("a|b <script> `c` *d* [e](f) @admin\\n\\x00\\x1b[31m\\u202e")


@settings(max_examples=30)
@given(reports)
def test_any_report(report: Report) -> None:
    """Whatever was found, the document is valid and has every finding."""
    root = read(render(report))
    rows = sum(len(audited.findings) for audited in report.audits) + len(report.audits)
    assert sum(head.attrib["scope"] == "row" for head in root.iter(f"{HTML}th")) == rows
