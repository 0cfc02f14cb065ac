"""The results as one HTML file for an artifact store: no script, no other file, nothing fetched."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from msgspec.structs import replace

from auditsvc.core.eligibility import is_observable
from auditsvc.core.endpoints import EndpointEntry, EndpointList
from auditsvc.core.runs import Subject
from auditsvc.core.swagger import Level, Operation
from auditsvc.core.usage import ExercisedBy
from auditsvc.exports import sunburst_svg
from auditsvc.exports.plain import visible
from auditsvc.exports.report import AuditReport, Finding, Report
from auditsvc.exports.sunburst_svg import Node

STATES = ("exercised", "pending", "ineligible", "deprecated", "untested")
"""What the sunburst tells of an operation: the first of these that it is."""

_NO_CATEGORY = "none"

# Light unless the reader's system is dark. A status is a word, a state too: the colours only help.
_STYLE = """
:root { color-scheme: light dark; --line: #8888; --band: #8882; --exercised: #1a7f37; --pending: #bf8700;
  --ineligible: #8250df; --deprecated: #6e7781; --untested: #cf222e; --ring: #8885 }
body { margin: 0 auto; max-width: 78rem; padding: 0 1rem 2rem; font: 1rem/1.5 system-ui, sans-serif }
h1, h2, dd, p, td, th { overflow-wrap: anywhere }
table { border-collapse: collapse; margin: 1rem 0 }
caption { text-align: left; font-weight: bold }
th, td { padding: .3rem .6rem; border: 1px solid var(--line); text-align: left; vertical-align: top }
thead th { background: var(--band) }
th, td { min-width: 5rem }
tbody th { font-weight: normal; min-width: 15rem }
.text { min-width: 14rem }
.number { text-align: right; font-variant-numeric: tabular-nums }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em }
.sunburst { display: block; max-width: 40rem; width: 100% }
.sunburst path { stroke: Canvas; stroke-width: .5 }
.sunburst text { fill: CanvasText; font-size: 1rem; pointer-events: none }
.sunburst .centre { font-size: 1.6rem }
.ring { fill: var(--ring); background: var(--ring) }
.exercised { fill: var(--exercised); background: var(--exercised) }
.pending { fill: var(--pending); background: var(--pending) }
.ineligible { fill: var(--ineligible); background: var(--ineligible) }
.deprecated { fill: var(--deprecated); background: var(--deprecated) }
.untested { fill: var(--untested); background: var(--untested) }
"""


def render(report: Report) -> str:
    """The results, the findings with what to do about each, the coverage and lists of the run judged last.

    Coverage and lists are left out where the report does not hold what the runs used.
    """
    title = f"{report.title}: {report.status}"
    subject = report.judged[-1] if report.judged else None
    body = [
        f"<h1>{_text(title)}</h1>",
        _facts(report),
        _results(report.audits),
        *(_audit(audit) for audit in report.audits),
        *(_coverage(subject, report.exercised_by) if subject else ()),
        *(_lists(subject) if subject else ()),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # An artifact store may serve this beside things that a script of a log's name could read.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _facts(report: Report) -> str:
    facts = [("Window", str(report.window))] if report.window else []
    facts += [("Judged", str(run)) for run in report.subjects]
    facts += [("With", str(document)) for document in report.documents]
    rows = "\n".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    return f"<dl>\n{rows}\n</dl>" if facts else ""


def _results(audits: Sequence[AuditReport]) -> str:
    rows = [
        f'<tr><th scope="row">{_text(audit.name)}</th><td>{audit.result.status}</td>'
        f'<td class="number">{audit.result.checked}</td><td class="number">{len(audit.findings)}</td>'
        f"<td>{_text(audit.description)}</td></tr>"
        for audit in audits
    ]
    return _table("Audits", ("audit", "status", "checked", "findings", "what must hold"), rows)


def _audit(audit: AuditReport) -> str:
    notes = [f"<p>{_text(note)}</p>" for note in audit.notes]
    rows = [
        f'<tr><td>{found.status}</td><th scope="row">{_text(found.text)}</th>'
        f'<td class="text">{_text(found.resolution)}</td><td class="text">{_text(_where(found))}</td></tr>'
        for found in audit.findings
    ]
    found = _table("Findings", ("status", "finding", "what to do", "where"), rows) if rows else ""
    heading = f"<h2>{_text(audit.name)}: {audit.result.status}</h2>"
    return "\n".join(filter(None, ("<section>", heading, *notes, found, "</section>")))


def _where(found: Finding) -> str:
    operation = f"{found.operation.method} {found.operation.path}" if found.operation else ""
    return "; ".join(filter(None, (operation, str(found.place or ""), str(found.seen or ""))))


def _coverage(subject: Subject, by: ExercisedBy) -> Iterator[str]:
    """The sunburst, and the same as a table for those who do not see it."""
    states = _states(subject, by)
    operations = [subject.swagger.operations[name] for name in states]
    counts = Counter((operation.level, states[operation.id]) for operation in operations)
    exercised = sum(state == "exercised" for state in states.values())
    title = f"Operations of {subject.run} by level, category and operation: {exercised} of {len(states)} used"
    centre = f"{100 * exercised / len(states):.0f} %" if states else ""
    rows = [
        f'<tr><th scope="row">{level}</th>'
        + "".join(f'<td class="number">{counts[level, state]}</td>' for state in STATES)
        + "</tr>"
        for level in Level
    ]
    heads = [f'<span class="swatch {state}"></span>{state}' for state in STATES]
    yield "<section>\n<h2>Coverage</h2>"
    yield _table(title, ("level", *heads), rows)
    yield sunburst_svg.render(_tree(operations, states), title=title, centre=centre) + "\n</section>"


def _states(subject: Subject, by: ExercisedBy) -> dict[str, str]:
    """What each operation is that a log can tell of."""
    return {
        operation.id: _state(operation, subject, by)
        for operation in subject.swagger.operations.values()
        if is_observable(operation, imported=subject.usage.imported)
    }


def _state(operation: Operation, subject: Subject, by: ExercisedBy) -> str:
    used = subject.usage.operations.get(operation.id)
    holds = (
        used is not None and used.is_exercised(by),
        operation.id in subject.lists.pending,
        operation.id in subject.lists.ineligible,
        operation.deprecated,
        True,
    )
    return STATES[holds.index(True)]


def _tree(operations: Iterable[Operation], states: dict[str, str]) -> tuple[Node, ...]:
    def place(operation: Operation) -> tuple[int, str]:
        return list(Level).index(operation.level), operation.category or _NO_CATEGORY

    def leaf(operation: Operation) -> Node:
        state = states[operation.id]
        return Node(state, f"{operation.id}: {state}, {operation.method} {operation.path}")

    ordered = sorted(operations, key=lambda one: (*place(one), STATES.index(states[one.id]), one.id))
    levels = []
    for level, of_level in groupby(ordered, key=lambda one: one.level):
        categories = groupby(of_level, key=lambda one: one.category or _NO_CATEGORY)
        children = [_ring(name, tuple(map(leaf, alike))) for name, alike in categories]
        levels.append(replace(_ring(level, tuple(children)), label=str(level)))
    return tuple(levels)


def _ring(name: str, children: tuple[Node, ...]) -> Node:
    node = Node("ring", name, children)
    return Node("ring", f"{name}: {_exercised(node)} of {node.leaves} used", children)


def _exercised(node: Node) -> int:
    return sum(map(_exercised, node.children)) + (node.name == "exercised")


def _lists(subject: Subject) -> Iterator[str]:
    yield "<section>\n<h2>Lists</h2>"
    yield _list("Pending", subject.lists.pending)
    yield _list("Ineligible", subject.lists.ineligible) + "\n</section>"


def _list(name: str, listed: EndpointList) -> str:
    rows = [
        f'<tr><td class="number">{entry.line}</td><th scope="row">{_text(entry.endpoint)}</th>'
        f"<td>{_text(entry.reason or '')}</td><td>{_link(entry)}</td></tr>"
        for entry in listed.entries
    ]
    table = _table(f"{name} endpoints", ("line", "endpoint", "reason", "link"), rows)
    return f"<details>\n<summary>{name}: {len(listed)}</summary>\n{table}\n</details>"


def _link(entry: EndpointEntry) -> str:
    text = _text(entry.link or "")
    is_web = (entry.link or "").startswith(("http://", "https://"))
    return f'<a href="{text}" rel="noopener noreferrer">{text}</a>' if is_web else text


def _table(caption: str, heads: Sequence[str], rows: Sequence[str]) -> str:
    """A table. The heads are HTML."""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "\n".join(["<tbody>", *rows, "</tbody>"])
    return f"<table>\n<caption>{_text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n{body}\n</table>"


def _text(text: str) -> str:
    return escape(visible(text))
