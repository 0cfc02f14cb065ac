import pytest
from msgspec.structs import replace

from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.results import AuditResult, FloatResult, MissingValue, Status
from auditsvc.core.runs import Baseline, RecordedRun, RunKind, Subject
from auditsvc.core.usage import ExercisedBy, OperationUsage, Sample, Usage
from auditsvc.exports.report import Finding, Place, Report, Seen, find_seen
from tests.exports.samples import (
    FAILED,
    NOON,
    NOTHING,
    PASSED,
    REPORT,
    STUCK,
    SWAGGER,
    WARNED,
    audit,
    run,
)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PASSED, []),
        (
            WARNED,
            [
                Finding(
                    Status.WARNING,
                    "listed",
                    "Endpoint listed found in the list but is beta",
                    "remove it",
                    Place("lists/pending eligible.yaml", 17),
                ),
                Finding(
                    Status.WARNING,
                    "createFlow",
                    "createFlow: in pull run X, not in CI baseline Y",
                    "nothing to do",
                ),
                Finding(
                    Status.WARNING,
                    "deleteFlow",
                    "deleteFlow: in pull run X, not in CI baseline Y",
                    "nothing to do",
                ),
            ],
        ),
        (
            FAILED,
            [
                Finding(
                    Status.FAILED,
                    "Runs[X][added]",
                    "Runs[X][added]: expected 1, actual 3: createFlow, readFlow",
                    "remove it",
                    detail="createFlow, readFlow",
                ),
                Finding(Status.FAILED, "Runs[X][cost]", "Runs[X][cost]: expected 0.1, actual 2.5"),
                Finding(
                    Status.WARNING,
                    "createFlow",
                    "createFlow: in pull run X, not in CI baseline Y",
                    "remove it",
                ),
            ],
        ),
        (STUCK, [Finding(Status.FAILED, "operationEquality", "nothing to compare: no runs ever received")]),
    ],
)
def test_findings(result: AuditResult, expected: list[Finding]) -> None:
    """A problem, comparisons and missing values are told alike, the hard ones first."""
    assert list(audit(result).findings) == expected


def test_a_comparison_is_shown_at_what_it_names_first() -> None:
    """Entries that are repeated or incomplete are found by a comparison alone: it leads to the list."""
    place = Place("ineligible_endpoints.yaml", 57)
    details = {
        "readFlow (line 57), other": place,
        "readFlow, other": place,
        "other, readFlow": None,
        "": None,
    }
    for detail, expected in details.items():
        found = FloatResult("Results", ("list", "duplicate"), 0, 1, detail)
        result = AuditResult(NOON, ("Results",), floats=(found,))
        [finding] = replace(audit(result), places={"readFlow": place}).findings
        assert finding.place == expected


def test_findings_agree_with_the_status() -> None:
    """A result's status is the worst of its findings."""
    both = AuditResult(
        NOON,
        ("Runs",),
        floats=(FloatResult("Runs", ("X",), 0, 1),),
        missing=(MissingValue("a", "b"),),
        problem="c",
    )
    assert [found.status for found in audit(both).findings] == ["Failed", "Failed", "Warning"]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(), ""),
        (Seen(run="ci run Y"), "seen in ci run Y"),
        (Seen(run="ci run Y", event=Place("a.log", 3)), "seen first at a.log:3 of ci run Y"),
        (
            Seen(run="ci run Y", tests=(("a", 2), ("b", 1)), more_tests=7),
            "seen in ci run Y; by a (2), b (1) and 7 more tests",
        ),
        (Seen(runs=1, of=1), ""),
        (Seen(runs=5, of=6), "in 5 of the last 6 CI runs"),
    ],
)
def test_seen_in_words(seen: Seen, expected: str) -> None:
    """Where an operation was seen is one line, of what is known; one baseline alone is no count."""
    assert str(seen) == expected


def test_where_operations_were_seen() -> None:
    """Each is first looked for in the run that is judged, then in its CI runs; these are counted."""
    tests = {name: number for number, name in enumerate("abcde")}
    pull = Usage({"both": OperationUsage(9, tests=tests, samples=(Sample("p.log", 4, "{}"),))}, 9, 9)
    ci = [
        Usage(
            {"both": OperationUsage(1), "ci": OperationUsage(1, samples=(Sample("c.log", 5, "{}"),))}, 2, 2
        ),
        Usage({"ci": OperationUsage(1)}, 1, 1),
    ]
    runs = tuple(RecordedRun(replace(run(f"Y{n}"), kind=RunKind.CI), usage) for n, usage in enumerate(ci))
    subject = Subject(run("X"), pull, SWAGGER, EndpointLists(), Baseline(runs))
    assert find_seen([subject], ExercisedBy.HIT) == {
        "both": Seen(
            run="pull run X",
            event=Place("p.log", 4),
            tests=(("e", 4), ("d", 3), ("c", 2)),
            more_tests=2,
            runs=1,
            of=2,
        ),
        "ci": Seen(run="ci run Y0", event=Place("c.log", 5), runs=2, of=2),
    }
    assert find_seen([replace(subject, baseline=None)], ExercisedBy.TESTED)["both"].of == 0


def test_an_agent_s_use_of_an_operation() -> None:
    """A finding that is keyed by an agent and an operation is about that operation."""
    found = AuditResult(NOON, ("Clients",), missing=(MissingValue("kubectl/createFlow", "which is going"),))
    seen, place = Seen(run="pull run X"), Place("swagger.json", 9)
    audited = replace(
        audit(found),
        operations=SWAGGER.operations,
        seen={"createFlow": seen},
        places={"createFlow": place},
    )
    (one,) = audited.findings
    assert (one.operation, one.seen, one.place) == (SWAGGER.operations["createFlow"], seen, place)


def test_status() -> None:
    """A report is as bad as its worst result; one without results has passed."""
    assert REPORT.status is Status.FAILED
    assert NOTHING.status is Status.PASSED
    assert Report(title="", audits=(audit(PASSED), audit(WARNED))).status is Status.WARNING
