"""The proposal of a conformance test as the Markdown of an issue."""

from collections.abc import Iterator

from auditsvc.core.endpoint_tests import RankedEndpoint
from auditsvc.core.proposals import Outline, Proposal
from auditsvc.core.swagger import Operation
from auditsvc.exports.plain import visible

_GUIDE = "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/conformance-tests.md"


def render(proposal: Proposal) -> str:
    """The proposal: the endpoints, an outline of the test, references, and what the proposal rests on."""
    parts = [_title(proposal), "", *_endpoints(proposal)]
    for outline in proposal.outlines:
        parts += ["", *_outline(outline, proposal)]
    parts += ["", *_references(proposal), "", *_group(proposal)]
    return "\n".join(parts) + "\n"


def _title(proposal: Proposal) -> str:
    names = dict.fromkeys(outline.resource.name for outline in proposal.outlines)
    count = len(proposal.endpoints)
    what = ", ".join(names) or "the API server"
    return f"# Conformance test for {what}: {count} endpoint{'s'[: count > 1]}"


def _endpoints(proposal: Proposal) -> Iterator[str]:
    yield f"As of Kubernetes {proposal.release}, this test would hit:"
    yield ""
    yield _row(
        "endpoint", "request", "API", "kind", "what it does", "conformance-tested", "pending", "ineligible"
    )
    yield _row(*["---"] * 8)
    for one in proposal.endpoints:
        tested = f"since {one.tested_release}" if one.tested_release else "no"
        ineligible = (one.ineligible_reason or "yes") if one.ineligible else "no"
        yield _row(f"`{one.endpoint}`", *_told(one.operation), tested, _yes(one.pending), ineligible)


def _told(operation: Operation | None) -> tuple[str, str, str, str]:
    """Request, group and version, kind, and what it does, as far as they are known."""
    if operation is None:
        return "", "", "", ""
    api = f"{operation.group or 'core'}/{operation.version}" if operation.version else ""
    request = f"`{operation.method} {operation.path}`"
    return request, api, operation.kind or "", operation.description


def _outline(outline: Outline, proposal: Proposal) -> Iterator[str]:
    asked = {one.endpoint for one in proposal.endpoints}
    yield f"## Outline: `{outline.resource.prefix}` {outline.resource.name}"
    yield ""
    for number, step in enumerate(outline.steps, 1):
        how = ", with `watch=true`" if step.word.startswith("watch") else ""
        mark = " **(this proposal)**" if step.operation.id in asked and not how else ""
        yield f"{number}. {step.word}: `{step.operation.id}`{how}{mark}"
    yield ""
    yield "After each step the test reads the object back and checks that it is what the step made of it."


def _references(proposal: Proposal) -> Iterator[str]:
    yield "## References"
    yield ""
    for url in dict.fromkeys(one.reference for one in proposal.endpoints if one.reference):
        yield f"* {url}"
    yield f"* {_GUIDE}"


def _group(proposal: Proposal) -> Iterator[str]:
    yield "## Untested endpoints of the same API groups"
    yield ""
    if not proposal.group:
        yield "None: every other stable endpoint is conformance-tested."
        return
    yield "The most used by applications and live clusters first."
    yield ""
    yield _row(
        "rank", "endpoint", "users", "requests", "stable since", "age in releases", "eligible", "pending"
    )
    yield _row("---:", "---", "---:", "---:", "---", "---:", "---", "---")
    for rank, one in enumerate(proposal.group, 1):
        yield _row(*_ranked(rank, one))


def _ranked(rank: int, one: RankedEndpoint) -> tuple[str | int, ...]:
    age = "" if one.age is None else one.age
    since, eligible, pending = one.promotion_release or "", _yes(not one.ineligible), _yes(one.pending)
    return rank, f"`{one.endpoint}`", one.users, one.requests, since, age, eligible, pending


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _row(*cells: str | int) -> str:
    return "| " + " | ".join(visible(str(cell)).replace("|", "\\|") for cell in cells) + " |"
