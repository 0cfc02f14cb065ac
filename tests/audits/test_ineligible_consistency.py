import pytest

from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.results import Status
from auditsvc.core.runs import Runs
from tests.audits.given import (
    CONFORMANCE,
    LINK,
    NO_LISTS,
    Given,
    floats,
    listing,
    missing,
    outcome,
    reported,
    run,
    subject,
    used,
)

AUDIT = "AuditIneligibleConsistency"


def ineligible(*entries: str, pending: str = "") -> EndpointLists:
    """An ineligible list of these YAML flow mappings, one a line, beside a pending list."""
    text = "".join(f"- {{{entry}}}\n" for entry in entries)
    return EndpointLists(parse_endpoint_list(pending), parse_endpoint_list(text))


def entry(endpoint: str) -> str:
    """A whole entry."""
    return f"endpoint: {endpoint}, reason: administrative, link: {LINK}"


class TestHardRules:
    """A list that contradicts itself or the pending list, or lacks what it needs."""

    def test_a_consistent_list_passes(self) -> None:
        """Complete entries of stable endpoints, each once and none pending, are nothing to find."""
        result = outcome(
            AUDIT, Given(lists=listing(ineligible=["readPod", "deletePod"], pending=["listJob"]))
        )
        assert (result.status, result.checked, result.missing) == (Status.PASSED, 3, ())
        assert result.notes == ("2 entries in ineligible_endpoints.yaml",)

    def test_an_empty_list_says_so(self) -> None:
        """An empty list contradicts nothing, and its size is told."""
        result = outcome(AUDIT, Given(lists=NO_LISTS))
        assert (result.status, result.description) == (
            Status.PASSED,
            "0 entries in ineligible_endpoints.yaml",
        )

    def test_duplicates(self) -> None:
        """Each entry that repeats an earlier one counts, and is named with its line."""
        result = outcome(AUDIT, Given(lists=ineligible(*[entry("readPod")] * 3, entry("deletePod"))))
        assert floats(result) == {("Results", "list", "duplicate"): (0, 2)}
        assert result.floats[0].detail == "readPod (line 2), readPod (line 3)"
        assert result.notes[1] == "listed twice: readPod (line 2), readPod (line 3)"
        assert result.missing == ()

    def test_also_pending(self) -> None:
        """An endpoint cannot be pending and ineligible."""
        lists = ineligible(entry("readPod"), entry("deletePod"), pending="- deletePod\n- listJob\n")
        result = outcome(AUDIT, Given(lists=lists))
        assert floats(result) == {("Results", "list", "pending"): (0, 1)}
        assert result.notes[1] == "also pending: deletePod (line 2)"

    def test_incomplete(self) -> None:
        """An entry without endpoint, reason or web link is named with its line."""
        broken = (
            f"reason: unstable, link: {LINK}",
            f"endpoint: readPod, link: {LINK}",
            "endpoint: deletePod, reason: unstable",
            "endpoint: listJob, reason: unstable, link: example.org/why",
        )
        result = outcome(AUDIT, Given(lists=ineligible(*broken)))
        assert floats(result) == {("Results", "list", "incomplete"): (0, 4)}
        assert result.notes[1] == (
            "without endpoint, reason or http(s) link: "
            "no endpoint (line 1), readPod (line 2), deletePod (line 3), listJob (line 4)"
        )
        assert "administrative or unstable" in result.floats[0].resolution


class TestSoftRules:
    """Entries that are not needed, or no longer true."""

    def test_needless_entries(self) -> None:
        """Unknown, deprecated and beta endpoints need no entry; a repeated one is told once."""
        lists = ineligible(*map(entry, ["gone", "watchPod", "listCron", "readPod"]))
        result = outcome(AUDIT, Given(lists=lists))
        where = "found in ineligible_endpoints.yaml"
        assert missing(result) == [
            ("gone", f"Endpoint gone {where} but is not in the swagger (line 1)"),
            ("watchPod", f"Endpoint watchPod {where} but is deprecated (line 2)"),
            ("listCron", f"Endpoint listCron {where} but is beta (line 3)"),
        ]
        assert result.status is Status.WARNING

    def test_conformance_tested_entries(self) -> None:
        """An endpoint that conformance tests request is one finding that names its runs."""
        subjects = (
            subject(used("readPod", tests=[CONFORMANCE])),
            subject(used("readPod", "deletePod", tests=["[sig-node] Pods should run"]), of=run("p2")),
            subject(used("readPod", tests=[CONFORMANCE]), of=run("p3")),
            subject(reported("readPod"), of=run("p4")),
        )
        lists = ineligible(entry("deletePod"), entry("readPod"))
        result = outcome(AUDIT, Given(Runs(subjects), lists=lists))
        assert missing(result) == [
            (
                "readPod",
                (
                    "Endpoint readPod found in ineligible_endpoints.yaml but is conformance-tested "
                    "in pull run p1, pull run p3 (line 2)"
                ),
            )
        ]


class TestSources:
    """What it can do without."""

    def test_needs_no_run(self) -> None:
        """Where no run was ever received the list is judged all the same."""
        assert outcome(AUDIT, Given(absent=frozenset({"runs"}))).checked == 3

    @pytest.mark.parametrize("source", ["swagger", "lists"])
    def test_needs_swagger_and_lists(self, source: str) -> None:
        """Without swagger or lists it is Failed when asked for."""
        inputs = Given(absent=frozenset({source}))
        assert outcome(AUDIT, inputs).description == f"nothing to compare: no {source} ever received"
