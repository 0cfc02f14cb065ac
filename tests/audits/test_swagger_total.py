from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from auditsvc.audits import Catalogue, Settings
from auditsvc.core.mapper import Unmapped
from auditsvc.core.report import CALLS, ENDPOINTS
from auditsvc.core.results import Status
from auditsvc.core.runs import Runs
from auditsvc.core.swagger import Level, parse_swagger
from auditsvc.core.usage import ExercisedBy, OperationUsage, Usage
from tests.audits.given import (
    CATALOGUE,
    CONFORMANCE,
    SWAGGER,
    Given,
    floats,
    held_against,
    judging,
    listing,
    missing,
    outcome,
    reported,
    run,
    subject,
    used,
)

AUDIT = "AuditSwaggerTotal"


class TestCatalogue:
    """The stored catalogue against the document."""

    def test_the_same_operations_pass(self) -> None:
        """Each group, level and method of the document is one comparison."""
        result = outcome(AUDIT, Given())
        groups, levels, methods = (
            ["none", "core", "batch"],
            ["stable", "beta"],
            ["GET", "POST", "DELETE", "HEAD", "OPTIONS"],
        )
        assert (result.status, result.checked) == (Status.PASSED, len(groups) + len(levels) + len(methods))

    def test_a_catalogue_that_lost_an_operation_fails(self) -> None:
        """A lost operation is missed in its group (``core`` and ``none`` among them), level and method."""
        kept = tuple(
            operation for operation in CATALOGUE.operations if operation.id not in ("createPod", "getVersion")
        )
        assert floats(outcome(AUDIT, Given(catalogue=Catalogue(kept)))) == {
            ("TotalByGroup", "core"): (6, 5),
            ("TotalByGroup", "none"): (1, 0),
            ("TotalByLevel", "stable"): (8, 6),
            ("TotalByMethod", "GET"): (5, 4),
            ("TotalByMethod", "POST"): (1, 0),
        }

    def test_a_catalogue_that_changed_an_operation_fails(self) -> None:
        """Keys of both sides are compared: what only the catalogue holds was not expected."""
        changed = [
            replace(operation, level=Level.ALPHA) if operation.id == "listCron" else operation
            for operation in CATALOGUE.operations
        ]
        assert floats(outcome(AUDIT, Given(catalogue=Catalogue(tuple(changed))))) == {
            ("TotalByLevel", "alpha"): (0, 1),
            ("TotalByLevel", "beta"): (1, 0),
        }

    def test_an_operation_id_on_two_paths(self) -> None:
        """The same operationId on two paths is a soft finding that names both."""
        document = b"""{"swagger": "2.0", "paths": {
            "/version/": {"get": {"operationId": "getVersion"}},
            "/apis/": {"head": {"operationId": "getVersion"}}}}"""
        swagger = parse_swagger(document)
        result = outcome(
            AUDIT, Given(swagger=swagger, catalogue=Catalogue(tuple(swagger.operations.values())))
        )
        assert missing(result) == [("getVersion", "operationId of both GET /version/ and HEAD /apis/")]
        assert result.status is Status.WARNING


class TestRuns:
    """What runs counted."""

    def usage(self, **changes: object) -> Usage:
        """Three mapped requests of two operations, one unmapped."""
        operations = {"readPod": OperationUsage(hits=2), "listJob": OperationUsage(hits=1)}
        usage = Usage(operations, requests=4, mapped=3, unmapped={Unmapped.NON_API: OperationUsage(hits=1)})
        return replace(usage, **changes)

    def test_counts_that_add_up_pass(self) -> None:
        """Hits are the mapped requests, and with the unmapped ones all requests."""
        result = outcome(AUDIT, judging(subject(self.usage())))
        assert (result.status, result.checked) == (Status.PASSED, 12)

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"mapped": 2}, {"mapped": (3, 2), "requests": (3, 4)}),
            ({"requests": 5}, {"requests": (4, 5)}),
            ({"unmapped": {}}, {"requests": (3, 4)}),
            ({"operations": {}}, {"mapped": (0, 3)}),
        ],
    )
    def test_counts_that_do_not_add_up_fail(
        self, changes: Mapping[str, object], found: Mapping[str, object]
    ) -> None:
        """Each total that is not the sum of its parts is a hard finding of its run."""
        result = outcome(AUDIT, judging(subject(self.usage(**changes))))
        assert floats(result) == {("TotalByRun", "p1", name): values for name, values in found.items()}

    def test_baselines_are_added_up_too(self) -> None:
        """The runs that others are held against count, each once."""
        held = held_against(self.usage(requests=5))
        result = outcome(
            AUDIT, judging(subject(self.usage(), held), subject(self.usage(), held, of=run("p2")))
        )
        assert floats(result) == {("TotalByRun", "c1", "requests"): (4, 5)}
        assert result.checked == 10 + 3 * 2

    def test_operations_that_the_swagger_lacks(self) -> None:
        """A request of an operation that its run's swagger does not name is a soft finding."""
        result = outcome(AUDIT, judging(subject(used("readPod", "readMoon"))))
        assert missing(result) == [("readMoon", "exercised in pull run p1, not in its swagger")]


class TestReports:
    """What the header of another tool's report claims."""

    def test_a_header_that_counted_its_rows_passes(self) -> None:
        """Rows and their sum are held against the header, beside the requests."""
        result = outcome(AUDIT, judging(subject(reported("readPod", "listJob"))))
        assert (result.status, result.checked) == (Status.PASSED, 10 + 4)

    def test_a_header_that_counted_other_rows_fails(self) -> None:
        """A report that lost rows is found by both of its totals."""
        usage = replace(reported("readPod"), header={ENDPOINTS: 2, CALLS: 7, "Skipped entries": 5})
        assert floats(outcome(AUDIT, judging(subject(usage)))) == {
            ("TotalByRun", "p1", "endpoints"): (1, 2),
            ("TotalByRun", "p1", "calls"): (1, 7),
        }

    def test_a_header_without_totals_claims_nothing(self) -> None:
        """What a header does not say is not compared."""
        assert outcome(AUDIT, judging(subject(replace(reported("readPod"), header={})))).checked == 12


class TestLedger:
    """The note that narrows the operations down."""

    def test_of_a_run(self) -> None:
        """Each step is a part of the one before, and the eligible are exercised, pending only or untested."""
        lists = listing(pending=["listJob", "readPod"], ineligible=["getVersion"])
        result = outcome(AUDIT, judging(subject(used("createPod", "readPod", "listCron"), lists=lists)))
        assert result.description == (
            "pull run p1: 9 operations → 8 observable → 7 not deprecated → 6 stable → 5 eligible "
            "= 2 exercised + 1 pending only + 2 untested"
        )

    def test_of_a_report(self) -> None:
        """In another tool's report OPTIONS is not observable either."""
        result = outcome(AUDIT, judging(subject(reported("readPod"))))
        assert "9 operations → 7 observable" in result.description

    def test_without_a_run(self) -> None:
        """Without a run the ledger ends with the eligible."""
        result = outcome(AUDIT, Given(lists=listing(ineligible=["getVersion"]), absent=frozenset({"runs"})))
        assert result.description == "9 operations → 8 observable → 7 not deprecated → 6 stable → 5 eligible"

    def test_exercised_by(self) -> None:
        """The ledger's exercised ones are those that the other audits ask for."""
        settings = Settings(exercised_by=ExercisedBy.CONF_TESTED)
        hit, tested = subject(used("readPod")), subject(used("readPod", tests=[CONFORMANCE]), of=run("p2"))
        result = outcome(AUDIT, judging(hit, tested, settings=settings))
        assert [note.partition(" = ")[2] for note in result.notes] == [
            "0 exercised + 0 pending only + 6 untested",
            "1 exercised + 0 pending only + 5 untested",
        ]


class TestSources:
    """What it can do without."""

    def test_needs_no_runs_or_lists(self) -> None:
        """The document and its catalogue alone can be added up."""
        inputs = Given(Runs(), swagger=SWAGGER, absent=frozenset({"runs", "lists"}))
        assert outcome(AUDIT, inputs).status is Status.PASSED

    @pytest.mark.parametrize("source", ["swagger", "catalogue"])
    def test_needs_a_swagger_and_its_catalogue(self, source: str) -> None:
        """Without either it is Failed when asked for."""
        inputs = Given(absent=frozenset({source}))
        assert outcome(AUDIT, inputs).description == f"nothing to compare: no {source} ever received"
