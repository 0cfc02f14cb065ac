"""Holds the ineligible list against itself, the pending list, the swagger and the conformance tests."""

from collections.abc import Iterator, Sequence

from auditsvc.audits._lists import INELIGIBLE, REASONS, first_entries, needless_entries
from auditsvc.audits._registry import Compared, Missing, Note, Observation, audit
from auditsvc.core.endpoints import EndpointEntry, EndpointList, EndpointLists
from auditsvc.core.runs import Runs
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import ExercisedBy

_TWICE = "remove all but one of the entries"
_PENDING = (
    "remove the endpoint from one of the lists: pending asks for a test, ineligible says there is to be none"
)
_INCOMPLETE = f"give the entry its endpoint, an http(s) link to where it was decided and a reason: {REASONS}"
_TESTED = "remove the endpoint from the ineligible list: a conformance test exercises it"


@audit("AuditIneligibleConsistency", key="ineligibleConsistency", maps=("Results",), optional=("runs",))
def ineligible_consistency(lists: EndpointLists, swagger: Swagger, runs: Runs) -> Iterator[Observation]:
    """The ineligible list is complete, current and contradicts nothing.

    ``Results["list"]`` counts the entries that are duplicates, also pending, or incomplete.
    """
    listed = lists.ineligible
    pending = [entry for entry in listed.entries if entry.endpoint in lists.pending]
    incomplete = [entry for entry in listed.entries if not entry.complete]
    yield Note(f"{len(listed)} entries in {INELIGIBLE}")
    yield from _none_of("duplicate", "listed twice", listed.duplicates, _TWICE)
    yield from _none_of("pending", "also pending", pending, _PENDING)
    yield from _none_of("incomplete", "without endpoint, reason or http(s) link", incomplete, _INCOMPLETE)
    yield from needless_entries(INELIGIBLE, listed, swagger)
    yield from _tested_entries(listed, runs)


def _none_of(
    rule: str, mistake: str, entries: Sequence[EndpointEntry], resolution: str
) -> Iterator[Observation]:
    named = ", ".join(f"{entry.endpoint or 'no endpoint'} (line {entry.line})" for entry in entries)
    yield Compared(
        "Results",
        ("list", rule),
        0,
        len(entries),
        detail=named,
        resolution=resolution,
        keys=tuple(entry.endpoint for entry in entries),
        note=f"{mistake}: {named}",
    )


def _tested_entries(listed: EndpointList, runs: Runs) -> Iterator[Missing]:
    tested = [
        (subject.run, subject.usage.exercised(ExercisedBy.CONF_TESTED))
        for subject in runs.subjects
        if not subject.usage.imported  # a report does not tell what a test was
    ]
    for entry in first_entries(listed):
        if named := ", ".join(str(run) for run, operations in tested if entry.endpoint in operations):
            found = f"Endpoint {entry.endpoint} found in {INELIGIBLE} but is conformance-tested in {named}"
            yield Missing(entry.endpoint, f"{found} (line {entry.line})", _TESTED)
