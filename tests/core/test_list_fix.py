import gzip
import json
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.endpoints import EndpointEntry, EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.core.list_fix import ListFix, fix_list, plan_ineligible, plan_pending
from auditsvc.core.runs import Runs
from auditsvc.core.swagger import parse_swagger
from auditsvc.errors import NoDataError, ParseError
from tests.audits.given import (
    LINK,
    STABLE,
    SWAGGER,
    held_against,
    judging,
    listing,
    missing,
    outcome,
    reported,
    subject,
    used,
)

NO_FIX = ListFix()


def fix(text: str, *, add: Collection[str] = (), remove: Collection[str] = ()) -> str:
    """A list with names added, and every entry of other names removed."""
    gone = frozenset(entry for entry in parse_endpoint_list(text).entries if entry.endpoint in remove)
    return fix_list(text, ListFix(frozenset(add), gone))


def names(text: str) -> list[str]:
    """The operationIds of a list in their order."""
    return [entry.endpoint for entry in parse_endpoint_list(text).entries]


class TestText:
    """What becomes of a list's text."""

    @pytest.mark.parametrize(
        ("before", "add", "remove", "after"),
        [
            ("- aaaaaa\n- cccccc\n", ["bbbbbb"], [], "- aaaaaa\n- bbbbbb\n- cccccc\n"),
            ("- bbbbbb\n", ["aaaaaa", "cccccc"], [], "- aaaaaa\n- bbbbbb\n- cccccc\n"),
            ("- aaaaaa\n- bbbbbb\n", [], ["aaaaaa"], "- bbbbbb\n"),
            # a list that says that it is empty
            ("---\n[]\n", ["aaaaaa"], [], "---\n- aaaaaa\n"),
            ("# none\n[ ]  \n# end\n", ["aaaaaa"], [], "# none\n# end\n- aaaaaa\n"),
            ("null", ["aaaaaa"], [], "- aaaaaa\n"),
            ("[]\n", [], [], "[]\n"),
            ("- aaaaaa\n- bbbbbb\n", [], ["aaaaaa", "bbbbbb"], ""),
            ("- aaaaaa\n- cccccc\n", ["bbbbbb"], ["aaaaaa", "cccccc"], "- bbbbbb\n"),
            # comments, blank lines and markers stay; a comment is about what follows it
            ("# all\n---\n- bbbbbb # why\n", ["aaaaaa"], [], "# all\n---\n- aaaaaa\n- bbbbbb # why\n"),
            (
                "- aaaaaa\n\n# two\n- cccccc\n...\n# end",
                ["bbbbbb", "dddddd"],
                [],
                "- aaaaaa\n- bbbbbb\n\n# two\n- cccccc\n- dddddd\n...\n# end",
            ),
            ("- aaaaaa\n# gone?\n- bbbbbb # it is\n# last\n", [], ["bbbbbb"], "- aaaaaa\n# gone?\n# last\n"),
            # the file's own style
            ("- aaaaaa\r\n- cccccc\r\n", ["bbbbbb"], [], "- aaaaaa\r\n- bbbbbb\r\n- cccccc\r\n"),
            ("- aaaaaa\r\n", [], ["aaaaaa"], ""),
            ("- aaaaaa", ["bbbbbb", "cccccc"], [], "- aaaaaa\n- bbbbbb\n- cccccc"),
            ("- aaaaaa\r\n- bbbbbb", ["cccccc"], [], "- aaaaaa\r\n- bbbbbb\r\n- cccccc"),
            ("  - aaaaaa\n  - cccccc\n", ["bbbbbb"], [], "  - aaaaaa\n  - bbbbbb\n  - cccccc\n"),
            ("-   'aaaaaa'\n- \"cccccc\"\n", ["bbbbbb"], [], "-   'aaaaaa'\n- bbbbbb\n- \"cccccc\"\n"),
            ("\ufeff- bbbbbb\n", ["aaaaaa"], [], "\ufeff- aaaaaa\n- bbbbbb\n"),
            # entries of several lines
            (
                "- endpoint: aaaaaa\n  link: x\n  # of it\n  more: [1,\n    2]\n\n- bbbbbb\n",
                ["aabbbb"],
                ["aaaaaa"],
                "- aabbbb\n\n- bbbbbb\n",
            ),
            ("- aaaaaa\n- {endpoint: bbbbbb,\n   link: x}\n- cccccc", [], ["bbbbbb"], "- aaaaaa\n- cccccc"),
            ("- endpoint: aaaaaa\n  reason:\n- bbbbbb\n", [], ["aaaaaa"], "- bbbbbb\n"),
            ("- endpoint: aaaaaa\n  more:\n  - x\n  - y: z\n- b\n", [], ["aaaaaa"], "- b\n"),
            ("- endpoint: aaaaaa\n  reason: |\n    x\n    # y\n\n# z\n- b\n", [], ["aaaaaa"], "\n# z\n- b\n"),
            ("- endpoint: aaaaaa\n  reason: a\n    long one\n- b\n", [], ["aaaaaa"], "- b\n"),
            # lists without an entry, and names that need quotes
            ("", ["aaaaaa", "bbbbbb"], [], "- aaaaaa\n- bbbbbb\n"),
            ("# none", ["aaaaaa"], [], "# none\n- aaaaaa"),
            ("---\n...\n", ["aaaaaa"], [], "---\n- aaaaaa\n...\n"),
            ("", ["true", "a: b", "12"], [], '- "12"\n- "a: b"\n- "true"\n'),
            # nothing to do
            ("[a, b]", [], ["c"], "[a, b]"),
            ("- b\n- a", [], [], "- b\n- a"),
        ],
    )
    def test_fixed(self, before: str, add: list[str], remove: list[str], after: str) -> None:
        """Added in the sorted place, removed with its own lines; all else stays as it is."""
        assert fix(before, add=add, remove=remove) == after

    def test_the_later_of_two(self) -> None:
        """An entry is meant, not its name."""
        text = "- aaaaaa\n- bbbbbb\n- aaaaaa # once more\n"
        later = frozenset(parse_endpoint_list(text).duplicates)
        assert fix_list(text, ListFix(remove=later)) == "- aaaaaa\n- bbbbbb\n"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[aaaaaa, bbbbbb]", "line 1: an entry that has no line of its own: "),
            ('["aaaaaa",\n "bbbbbb"]\n', "line 1: an entry that has no line of its own: "),
            ("- bbbbbb\n-\n  aaaaaa\n", "line 3: an entry that has no line of its own: "),
            ("--- []\n", "line 1: this list cannot be fixed line by line: "),
            ("[\n]\n", "line 1: this list cannot be fixed line by line: "),
            ("a: b", "line 1, column 1: expected a list of endpoints, found a mapping"),
        ],
    )
    def test_refused(self, text: str, message: str) -> None:
        """What cannot be edited line by line is refused with the place and a remedy, never spoilt."""
        with pytest.raises(ParseError) as refused:
            fix(text, add=["cccccc"], remove=["aaaaaa"])
        assert str(refused.value).startswith(message)


operation_ids = st.from_regex(r"\A[a-e]{1,2}[A-Z][a-z]{4}\Z") | st.sampled_from(["yes", "null", "1", "x: y"])
comments = st.sampled_from(["", "", "\n", "# a comment\n", "   # an indented one\n\n"])


@st.composite
def lists(draw: st.DrawFn) -> str:
    """Lists in many styles, with comments between, behind and around their entries."""
    indent = draw(st.sampled_from(["", "  "]))
    text = draw(comments) + draw(st.sampled_from(["", "---\n"]))
    for name in draw(st.lists(operation_ids, max_size=6)):
        quoted = json.dumps(name)
        style = draw(st.integers(0, 4))
        text += (
            indent
            + (
                f"- {quoted}",
                f"-  '{name}'  # about it",
                f"- endpoint: {quoted}\n{indent}  reason: a\n{indent}    long reason\n{indent}  link:",
                f"- {{endpoint: {quoted},\n{indent}   x: [1, 2]}}",
                f"- endpoint: {quoted}\n{indent}  reason: |\n{indent}    text\n",
            )[style]
        )
        text += "\n" + draw(comments)
    text = text.removesuffix("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def comments_of(text: str) -> list[str]:
    """The lines that are comments."""
    return [line for line in text.splitlines() if line.strip().startswith("#")]


class TestAnyList:
    """Properties."""

    @given(lists(), st.frozensets(operation_ids), st.data())
    def test_fixed(self, text: str, add: frozenset[str], data: st.DataObject) -> None:
        """It reads as what was wanted, keeps its comments and their order, and is not fixed twice."""
        before = parse_endpoint_list(text)
        remove = data.draw(st.frozensets(st.sampled_from(before.entries))) if before.entries else frozenset()
        add -= before.names
        fixed = fix_list(text, ListFix(add, remove))
        kept = [entry for entry in before.entries if entry not in remove]
        after = parse_endpoint_list(fixed)
        assert sorted(names(fixed)) == sorted([*(entry.endpoint for entry in kept), *add])
        old = [(e.endpoint, e.reason, e.link) for e in after.entries if e.endpoint not in add]
        assert old == [(e.endpoint, e.reason, e.link) for e in kept]
        assert comments_of(fixed) == comments_of(text)
        assert fix_list(fixed, NO_FIX) == fixed
        assert ("\r\n" in text) >= ("\r" in fixed)

    @given(lists())
    def test_nothing_to_do(self, text: str) -> None:
        """A list that is right stays the same to the byte."""
        assert fix_list(text, NO_FIX) == text

    @given(st.frozensets(operation_ids), st.frozensets(operation_ids))
    def test_sorted_stays_sorted(self, names_before: frozenset[str], add: frozenset[str]) -> None:
        """Whatever is added to a sorted list, it is sorted."""
        text = "".join(f"- {json.dumps(name)}\n" for name in sorted(names_before))
        assert names(fix(text, add=add - names_before)) == sorted(names_before | add)


class TestPendingPlan:
    """What the pending list should be."""

    def test_untested_are_added_and_tested_removed(self) -> None:
        """Eligible, observable, not exercised; the list's other mistakes go too."""
        pending = ["readPod", "deletePod", "watchPod", "listCron", "readGone", "deletePod"]
        known = listing(pending=pending, ineligible=["getVersion"])
        runs = Runs((subject(used("readPod", "createPod"), lists=known),))
        plan = plan_pending(runs, SWAGGER, known)
        assert plan.add == {"listJob", "optionsPodProxy"}
        assert sorted(entry.endpoint for entry in plan.remove) == [
            "deletePod", "listCron", "readGone", "readPod", "watchPod",
        ]  # fmt: skip
        assert [entry.line for entry in plan.remove if entry.endpoint == "deletePod"] == [7]

    def test_what_the_baseline_had_is_lost(self) -> None:
        """An operation that CI exercises and the run does not is no new gap: it stays a finding."""
        judged = subject(used("readPod"), held_against(used("readPod", "createPod")))
        plan = plan_pending(Runs((judged,)), SWAGGER, listing())
        assert plan == ListFix(frozenset({*STABLE, "optionsPodProxy"}) - {"readPod", "createPod"})

    def test_without_a_run(self) -> None:
        """Nothing is known to be tested or not: only dead entries and repeated ones go."""
        known = listing(pending=["readPod", "readPod", "watchPod"])
        plan = plan_pending(Runs(), SWAGGER, known)
        assert (plan.add, sorted(entry.line for entry in plan.remove)) == (frozenset(), [3, 4])

    def test_an_empty_log_changes_nothing(self) -> None:
        """It would make all of the API pending."""
        with pytest.raises(NoDataError):
            plan_pending(Runs((subject(used()),)), SWAGGER, listing())

    def test_an_entry_without_a_name_stays(self) -> None:
        """Nobody knows what was meant."""
        known = EndpointLists(parse_endpoint_list("- reason: why\n"))
        assert plan_pending(Runs(), SWAGGER, known) == NO_FIX

    def test_what_a_report_cannot_tell_is_not_added(self) -> None:
        """An imported report holds no OPTIONS."""
        runs = Runs((subject(reported(*STABLE)),))
        assert plan_pending(runs, SWAGGER, listing()) == NO_FIX
        assert plan_pending(Runs((subject(used(*STABLE)),)), SWAGGER, listing()).add == {"optionsPodProxy"}


class TestIneligiblePlan:
    """What can be said of the ineligible list without judging a reason."""

    def test_dead_entries_go(self) -> None:
        """Unknown and deprecated ones do; one that may become stable keeps its reason."""
        known = listing(ineligible=["readPod", "watchPod", "listCron", "readGone"])
        plan = plan_ineligible(SWAGGER, known)
        assert (plan.add, {entry.endpoint for entry in plan.remove}) == (
            frozenset(),
            {"watchPod", "readGone"},
        )

    def test_a_duplicate_of_a_complete_entry_goes(self) -> None:
        """Where the first one lacks something, or has no name, people decide."""
        whole = f"- {{endpoint: readPod, reason: why, link: '{LINK}'}}\n"
        half = "- endpoint: deletePod\n"
        known = parse_endpoint_list(whole + half + half + whole + "- reason: x\n- reason: x\n")
        plan = plan_ineligible(SWAGGER, EndpointLists(ineligible=known))
        assert plan == ListFix(remove=frozenset({EndpointEntry("readPod", "why", LINK, 4)}))


class TestTheAuditPasses:
    """After the fix."""

    @given(
        st.frozensets(st.sampled_from(STABLE), min_size=1),
        st.lists(st.sampled_from([*STABLE, "x", "listCron"])),
    )
    def test_any_list(self, exercised: frozenset[str], pending: list[str]) -> None:
        """Whatever a run exercises and the list holds."""
        text = "".join(f"- {name}\n" for name in pending)
        known = EndpointLists(parse_endpoint_list(text))
        plan = plan_pending(Runs((subject(used(*exercised), lists=known),)), SWAGGER, known)
        fixed = EndpointLists(parse_endpoint_list(fix_list(text, plan)))
        result = outcome("pendingReconciliation", judging(subject(used(*exercised), lists=fixed)))
        assert (result.status, missing(result)) == ("Passed", [])
        again = plan_pending(Runs((subject(used(*exercised), lists=fixed),)), SWAGGER, fixed)
        assert again == NO_FIX

    def test_the_real_lists(self, shared_data: Path) -> None:
        """29 of 1.34's endpoints are added to an empty list as the community's has them, to the byte."""
        swagger = parse_swagger(gzip.decompress((shared_data / "swagger/v1.34.json.gz").read_bytes()))
        folder = shared_data / "lists"
        text = (folder / "pending_eligible_endpoints.yaml").read_text()
        both = {"connectCoreV1PostNamespacedPodExec", "connectCoreV1PostNamespacedPodPortforward"}
        listed = parse_endpoint_list((folder / "ineligible_endpoints.yaml").read_text())
        ineligible = EndpointList(tuple(entry for entry in listed.entries if entry.endpoint not in both))
        real = EndpointLists(parse_endpoint_list(text), ineligible)
        everything = {
            name for name in swagger.operations if name not in real.pending and name not in real.ineligible
        }
        empty = EndpointLists(ineligible=real.ineligible)
        judged = subject(reported(*everything), swagger=swagger, lists=empty)
        assert fix_list("---\n", plan_pending(Runs((judged,)), swagger, empty)) == text
        settled = subject(reported(*everything), swagger=swagger, lists=real)
        assert plan_pending(Runs((settled,)), swagger, real) == NO_FIX
