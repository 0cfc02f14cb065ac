import pytest

from auditsvc.audits import Settings
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.results import Status
from auditsvc.core.runs import Runs
from auditsvc.core.usage import ExercisedBy
from tests.audits.given import (
    CONFORMANCE,
    STABLE,
    Given,
    floats,
    judging,
    listing,
    missing,
    outcome,
    reported,
    run,
    subject,
    used,
)

AUDIT = "AuditPendingReconciliation"


class TestReconciliation:
    """Eligible = tested + pending."""

    def test_all_tested_or_pending_passes(self) -> None:
        """Every eligible endpoint exercised or pending, and no pending one exercised: nothing to find."""
        lists = listing(pending=["listJob", "deletePod"])
        result = outcome(
            AUDIT,
            judging(subject(used("createPod", "readPod", "getVersion", "optionsPodProxy"), lists=lists)),
        )
        assert (result.status, result.checked, result.missing) == (Status.PASSED, 2, ())
        assert result.notes == (
            (
                "pull run p1: 6 eligible endpoints, 0 of them neither tested nor pending; "
                "2 pending endpoints, 0 of them tested"
            ),
        )

    def test_untested_endpoints_fail(self) -> None:
        """An eligible endpoint that is neither exercised nor pending is found twice: by count and by name."""
        result = outcome(
            AUDIT, judging(subject(used("createPod", "readPod", "optionsPodProxy", "getVersion")))
        )
        assert floats(result) == {("Results", "p1", "eligible"): (6, 4)}
        assert result.floats[0].detail == "deletePod, listJob"
        assert missing(result) == [
            ("deletePod", "Stable endpoint deletePod not found in pending_eligible_endpoints.yaml"),
            ("listJob", "Stable endpoint listJob not found in pending_eligible_endpoints.yaml"),
        ]
        assert "write a conformance test" in result.missing[0].resolution

    def test_tested_pending_endpoints_fail(self) -> None:
        """A pending endpoint that is exercised has to leave the list."""
        lists = listing(pending=["readPod", "listJob"])
        result = outcome(AUDIT, judging(subject(used(*STABLE, "optionsPodProxy"), lists=lists)))
        assert floats(result) == {("Results", "p1", "pending"): (0, 2)}
        assert missing(result) == [
            ("listJob", "Endpoint listJob found in pending_eligible_endpoints.yaml but is being tested"),
            ("readPod", "Endpoint readPod found in pending_eligible_endpoints.yaml but is being tested"),
        ]
        assert "remove the endpoint" in result.missing[0].resolution

    @pytest.mark.parametrize(
        ("name", "lists"),
        [("watchPod", listing()), ("listCron", listing()), ("headPodProxy", listing())],
        ids=["deprecated", "beta", "HEAD"],
    )
    def test_what_is_not_eligible_needs_no_test(self, name: str, lists: EndpointLists) -> None:
        """Nobody misses a test of what is deprecated, not stable, or cannot be observed."""
        result = outcome(AUDIT, judging(subject(used(*STABLE, "optionsPodProxy"), lists=lists)))
        assert name not in {found.key for found in result.missing}
        assert result.status is Status.PASSED

    def test_ineligible_endpoints_need_no_test(self) -> None:
        """An endpoint on the ineligible list is not eligible."""
        lists = listing(ineligible=["listJob", "optionsPodProxy"])
        result = outcome(
            AUDIT, judging(subject(used("createPod", "readPod", "deletePod", "getVersion"), lists=lists))
        )
        assert (result.status, "4 eligible endpoints" in result.description) == (Status.PASSED, True)

    def test_each_run_is_counted_and_a_finding_is_told_once(self) -> None:
        """Two runs that lack the same test have a count each, and the endpoint is named once."""
        usage = used("createPod", "readPod", "deletePod", "getVersion", "optionsPodProxy")
        result = outcome(AUDIT, judging(subject(usage), subject(usage, of=run("p2"))))
        assert floats(result) == {
            ("Results", "p1", "eligible"): (6, 5),
            ("Results", "p2", "eligible"): (6, 5),
        }
        assert [found.key for found in result.missing] == ["listJob"]

    def test_exercised_by(self) -> None:
        """With ``conf_tested`` a hit alone tests nothing."""
        lists = listing(pending=[*STABLE[1:], "optionsPodProxy"])
        hit = used(*STABLE)
        tested = used("createPod", tests=[CONFORMANCE])
        settings = Settings(exercised_by=ExercisedBy.CONF_TESTED)
        assert (
            outcome(AUDIT, judging(subject(tested, lists=lists), settings=settings)).status is Status.PASSED
        )
        assert outcome(AUDIT, judging(subject(hit, lists=lists), settings=settings)).problem == (
            "nothing to compare: pull run p1 exercised no operation (exercised_by: conf_tested)"
        )


class TestEntries:
    """Entries that should not be on the pending list whatever runs exercise: soft findings."""

    def test_needless_entries(self) -> None:
        """Unknown, deprecated, beta and repeated entries are told with their lines."""
        pending = parse_endpoint_list("- gone\n- watchPod\n- listCron\n- listJob\n- gone\n- listJob\n")
        result = outcome(
            AUDIT,
            judging(
                subject(
                    used("createPod", "readPod", "deletePod", "getVersion", "optionsPodProxy"),
                    lists=EndpointLists(pending),
                )
            ),
        )
        where = "found in pending_eligible_endpoints.yaml"
        assert missing(result) == [
            ("gone", f"Endpoint gone {where} but is not in the swagger (line 1)"),
            ("watchPod", f"Endpoint watchPod {where} but is deprecated (line 2)"),
            ("listCron", f"Endpoint listCron {where} but is beta (line 3)"),
            ("gone", f"Endpoint gone {where} once more (line 5)"),
            ("listJob", f"Endpoint listJob {where} once more (line 6)"),
        ]
        assert result.status is Status.WARNING
        assert all(found.resolution for found in result.missing)

    def test_repeated_entries_count_once(self) -> None:
        """An entry listed twice is one pending endpoint."""
        pending = EndpointLists(parse_endpoint_list("- listJob\n- listJob\n"))
        result = outcome(AUDIT, judging(subject(used(*STABLE, "optionsPodProxy"), lists=pending)))
        assert floats(result) == {("Results", "p1", "pending"): (0, 1)}


class TestSources:
    """Runs that are none, or another tool's."""

    def test_no_run_never_passes(self) -> None:
        """A window without a run is Failed and says why."""
        result = outcome(AUDIT, Given(Runs(reason="no run finished in the window")))
        assert result.description == "nothing to compare: no run finished in the window"

    @pytest.mark.parametrize("source", ["runs", "swagger", "lists"])
    def test_needs_runs_swagger_and_lists(self, source: str) -> None:
        """Without one of its sources ever received, it is Failed when asked for."""
        inputs = Given(absent=frozenset({source}))
        assert outcome(AUDIT, inputs).description == f"nothing to compare: no {source} ever received"

    def test_a_report_cannot_show_options(self) -> None:
        """In another tool's report OPTIONS is not observable, so nobody misses it."""
        result = outcome(AUDIT, judging(subject(reported(*STABLE))))
        assert result.status is Status.PASSED
        assert result.notes[0] == (
            "pull run p1: mapped by the tool whose report it is, less what was pending then"
        )
