from markdown_it import MarkdownIt

from auditsvc.core.endpoint_tests import RankedEndpoint
from auditsvc.core.proposals import Proposal, outlines
from auditsvc.core.swagger import Operation
from auditsvc.exports.ticket import render
from tests.core.test_resources import SMALL

REFERENCE = "https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#thing-v1-x-io"


def endpoint(name: str, operation: Operation | None, *, reason: str | None = None) -> RankedEndpoint:
    """An untested endpoint."""
    return RankedEndpoint(
        endpoint=name,
        promotion_release="1.30.0",
        first_conformance_test=None,
        tested_release=None,
        age=6,
        deprecated=False,
        ineligible=reason is not None,
        pending=False,
        operation=operation,
        ineligible_reason=reason,
        requests=12,
        users=2,
        tests=(),
        reference=REFERENCE,
    )


def proposal(*names: str, group: tuple[RankedEndpoint, ...] = ()) -> Proposal:
    """The proposal of a test for those operations of the small API."""
    asked = [one for one in SMALL if one.id in names]
    endpoints = tuple(endpoint(one.id, one) for one in asked)
    return Proposal("1.36.0", endpoints, outlines(asked, SMALL), group)


def test_a_proposal() -> None:
    """The endpoints, the outline with these marked, references, the untested of the group by their ranks."""
    text = render(
        proposal("list", "create", group=(endpoint("create", None), endpoint("b", None, reason="x")))
    )
    assert text.startswith("# Conformance test for things: 2 endpoints\n\nAs of Kubernetes 1.36.0, ")
    assert "| `list` | `GET /apis/x.io/v1/things` |" in text
    assert "\n1. create: `create` **(this proposal)**\n2. replace: `replace`\n" in text
    assert "\n4. list: `list` **(this proposal)**\n5. watch: `list`, with `watch=true`\n" in text
    assert text.count(REFERENCE) == 1
    assert "| 1 | `create` | 2 | 12 | 1.30.0 | 6 | yes | no |" in text
    assert "| 2 | `b` | 2 | 12 | 1.30.0 | 6 | no | no |" in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert (html.count("<table>"), html.count("<ol>"), html.count("<h2>")) == (2, 1, 3)


def test_of_what_is_no_resource() -> None:
    """Without an outline; nothing else is untested."""
    text = render(proposal("version"))
    assert text.startswith("# Conformance test for the API server: 1 endpoint\n")
    assert "## Outline" not in text
    assert "None: every other stable endpoint is conformance-tested." in text


def test_text_of_others_breaks_nothing() -> None:
    """A description with a bar or a line end stays in its cell; what is not known is empty."""
    odd = Operation("a", "GET", "/a", SMALL[0].level, False, description="one | two\nthree")
    whole = Proposal("1.36.0", (endpoint("a", odd, reason="no|pe"), endpoint("b", None)), (), ())
    rows = [line for line in render(whole).splitlines() if line.startswith("| `")]
    assert rows == [
        "| `a` | `GET /a` |  |  | one \\| two\\nthree | no | no | no\\|pe |",
        "| `b` |  |  |  |  | no | no | no |",
    ]
