import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from auditsvc.core.coverage import (
    EndpointHistory,
    age_of_debt,
    coverage_rows,
    eligible,
    endpoint_coverage,
    first_stable,
    known_histories,
    newest_known,
    progress_rows,
    promotions,
    tells_promotions,
)
from auditsvc.core.endpoints import EndpointLists, parse_endpoint_list
from auditsvc.core.releases import Minor, Release, Releases, parse_release, release_name
from auditsvc.core.swagger import Level, Operation
from auditsvc.errors import ParseError

minors = st.tuples(st.integers(0, 3), st.integers(0, 40))
histories = st.lists(
    st.builds(EndpointHistory, st.uuids().map(str), minors, st.frozensets(minors, max_size=3)), max_size=30
)
some_releases = st.lists(minors, max_size=20)


def operation(name: str, level: Level = Level.STABLE, *, deprecated: bool = False) -> Operation:
    """An operation of that name."""
    return Operation(name, "GET", f"/api/v1/{name}", level, deprecated)


def release(version: str, *operations: Operation | str) -> Release:
    """A release with those operations, stable where only a name is given."""
    made = (operation(one) if isinstance(one, str) else one for one in operations)
    return Release(version, {one.id: one for one in made})


def history(name: str, promotion: Minor, *tests: Minor) -> EndpointHistory:
    """An endpoint's history."""
    return EndpointHistory(name, promotion, frozenset(tests))


class TestReleaseNames:
    """A release is its minor version."""

    @pytest.mark.parametrize("text", ["v1.34.0", "1.34", "v1.34.2", "v1.34.0-rc.1", "1.34+"])
    def test_patches_and_candidates_are_of_it(self, text: str) -> None:
        """However a version is written."""
        assert release_name(parse_release(text)) == "1.34.0"

    @pytest.mark.parametrize("text", ["", "latest", "1", "v1.x"])
    def test_refuses_what_is_no_version(self, text: str) -> None:
        """The message shows the form."""
        with pytest.raises(ParseError, match=r"not a version of Kubernetes: .*: write it like v1\.34\.0"):
            parse_release(text)

    @given(st.lists(minors))
    def test_sorts_as_numbers(self, given_minors: list[Minor]) -> None:
        """1.9 comes before 1.10, whatever order they are met in."""
        in_order = sorted(set(given_minors))
        assert [parse_release(release_name(one)) for one in in_order] == in_order
        shuffled = random.Random(0).sample(given_minors, len(given_minors))  # noqa: S311 - no secret
        rows = coverage_rows(shuffled, ())
        assert [parse_release(row.release) for row in rows] == [one for one in in_order if one >= (1, 5)]


class TestHistory:
    """When an endpoint was promoted and tested."""

    @pytest.mark.parametrize(
        ("promotion", "tests", "first", "tested"),
        [
            ((1, 9), [], None, None),
            ((1, 9), [(1, 13), (1, 11)], (1, 11), (1, 11)),
            ((1, 19), [(1, 9)], (1, 9), (1, 19)),
        ],
    )
    def test_is_tested_when_stable_and_hit(
        self, promotion: Minor, tests: list[Minor], first: Minor | None, tested: Minor | None
    ) -> None:
        """The later of the promotion and the first test; none without a test."""
        one = history("a", promotion, *tests)
        assert (one.first_conformance_test, one.tested_release) == (first, tested)

    def test_age_of_debt_counts_releases(self) -> None:
        """How many of the known releases came after the promotion."""
        releases = [(1, 34), (1, 36), (1, 35), (1, 36)]
        assert [age_of_debt(history("a", one), releases) for one in ((1, 36), (1, 34), (1, 5))] == [0, 2, 3]


class TestRows:
    """The two tables."""

    ENDPOINTS = (
        history("old", (1, 2), (1, 9)),
        history("paid", (1, 9), (1, 10)),
        history("early", (1, 10), (1, 9)),
        history("prompt", (1, 10), (1, 10)),
        history("never", (1, 10)),
    )

    def test_coverage(self) -> None:
        """New endpoints, those tested by now, and the totals, in which older ones count."""
        rows = coverage_rows([(1, 10), (1, 9), (1, 4)], self.ENDPOINTS)
        assert [tuple(asdict(row).values()) for row in rows] == [
            ("1.9.0", 1, 1, 0, 2, 2, 0),
            ("1.10.0", 3, 2, 1, 5, 4, 1),
        ]

    def test_progress(self) -> None:
        """What had been tested by then, debt paid, and new endpoints with a test of that very release."""
        rows = progress_rows([(1, 11), (1, 10), (1, 9), (1, 7)], self.ENDPOINTS)
        assert [tuple(asdict(row).values()) for row in rows] == [
            ("1.9.0", 2, 1, 1, 0, 1, 0, 0),
            ("1.10.0", 5, 4, 3, 2, 1, 1, 1),
            ("1.11.0", 5, 4, 0, 0, 0, 0, 0),
        ]

    @given(some_releases, histories)
    def test_coverage_adds_up(self, releases: list[Minor], endpoints: list[EndpointHistory]) -> None:
        """Tested and untested are all; each total is the sum of what is new up to there."""
        promoted = {one.promotion_release for one in endpoints}
        rows = coverage_rows([*releases, *promoted], endpoints)
        older = [one for one in endpoints if one.promotion_release < (1, 5)]
        total, tested = len(older), sum(one.tested_release is not None for one in older)
        for row in rows:
            total, tested = total + row.new, tested + row.tested
            assert row.tested + row.untested == row.new
            assert row.total_tested + row.total_untested == row.total
            assert (row.total, row.total_tested) == (total, tested)
        assert total == len(endpoints) or not rows

    @given(some_releases, histories)
    def test_progress_adds_up(self, releases: list[Minor], endpoints: list[EndpointHistory]) -> None:
        """Newly tested endpoints are new or old ones, and nothing is tested before it is there."""
        everything = {known for one in endpoints for known in (one.promotion_release, *one.test_releases)}
        before = [one for one in endpoints if one.tested_release and one.tested_release < (1, 8)]
        tested = len(before)
        for row in progress_rows([*releases, *everything], endpoints):
            tested += row.new_tested + row.old_tested
            assert row.tested == tested <= row.endpoints
            assert row.new_tested + row.still_untested <= row.new
            assert row.new_with_tests <= row.new


class TestKnowledge:
    """What is known now, of our own and by import."""

    RELEASES = Releases(
        (
            release("v1.34.0", "a", operation("b", Level.BETA)),
            release("v1.35.0", "a", "b", operation("old", deprecated=True)),
            release("v1.36.0", "a", "b", "c", "odd"),
        )
    )

    def test_eligible(self) -> None:
        """Stable, not deprecated, not on the list."""
        operations = [
            operation("a"),
            operation("b", Level.BETA),
            operation("c", deprecated=True),
            operation("d"),
        ]
        assert eligible(operations, {"d"}) == {"a"}

    def test_promotion_is_the_first_stable_release(self) -> None:
        """A deprecated operation was never promoted; what the oldest release has tells nothing of when."""
        assert first_stable(self.RELEASES) == {"a": (1, 34), "b": (1, 35), "c": (1, 36), "odd": (1, 36)}
        assert promotions(self.RELEASES, ()) == {"b": (1, 35), "c": (1, 36), "odd": (1, 36)}

    def test_promotion_is_imported_where_no_swagger_that_old_is_known(self) -> None:
        """Between the release without it and the first with it, and before the oldest; nowhere else."""
        gap = Releases((release("v1.30.0", "a"), *self.RELEASES.releases[1:]))
        imported = [
            history(*one)
            for one in (("a", (1, 5)), ("b", (1, 33)), ("c", (1, 20)), ("odd", (1, 40)), ("gone", (1, 7)))
        ]
        assert promotions(gap, imported) == {
            "a": (1, 5),
            "b": (1, 33),
            "c": (1, 36),
            "odd": (1, 36),
            "gone": (1, 7),
        }
        assert "a" not in promotions(gap, [history("a", (1, 31))])  # it was there in 1.30, or before

    def test_own_knowledge_alone(self) -> None:
        """The eligible endpoints of the newest release, with the tests that stored runs show."""
        found = known_histories(self.RELEASES, ineligible={"odd"}, test_releases={"b": frozenset({(1, 9)})})
        assert found == (history("a", (1, 34)), history("b", (1, 35), (1, 9)), history("c", (1, 36)))

    def test_no_release_has_no_endpoints(self) -> None:
        """Nothing is known of nothing."""
        assert known_histories(Releases(), ineligible=(), test_releases={}) == ()
        assert newest_known(()) is None

    def test_import_is_believed_for_what_it_knows(self) -> None:
        """Our own endpoints of those releases are not added, however they differ."""
        imported = [history("a", (1, 5), (1, 9)), history("b", (1, 35)), history("gone", (1, 36))]
        found = known_histories(
            self.RELEASES, ineligible=(), test_releases={"b": frozenset({(1, 36)})}, imported=imported
        )
        assert found == (imported[0], history("b", (1, 35), (1, 36)), imported[2])

    def test_newer_releases_add_to_an_import(self) -> None:
        """What was promoted since is added, what is no longer eligible goes."""
        imported = [history("a", (1, 5), (1, 9)), history("b", (1, 30)), history("gone", (1, 35))]
        found = known_histories(self.RELEASES, ineligible={"b"}, test_releases={}, imported=imported)
        assert found == (imported[0], history("c", (1, 36)), history("odd", (1, 36)))

    def test_tells_promotions_with_an_older_release_or_an_import(self) -> None:
        """Of the oldest stored release only an import that reaches it tells what was new."""
        assert not tells_promotions((1, 34), self.RELEASES, ())
        assert tells_promotions((1, 35), self.RELEASES, ())
        assert tells_promotions((1, 34), self.RELEASES, [history("a", (1, 34))])
        assert not tells_promotions((1, 34), self.RELEASES, [history("a", (1, 33))])


def test_an_endpoint_in_words() -> None:
    """Releases by name; the age is that of a debt, so a tested endpoint has none."""
    lists = EndpointLists(parse_endpoint_list("[a]"), parse_endpoint_list("[b]"))
    releases = [(1, 34), (1, 35)]
    untested = endpoint_coverage(history("a", (1, 34)), operation("a"), releases=releases, lists=lists)
    assert (untested.promotion_release, untested.tested_release, untested.age) == ("1.34.0", None, 1)
    assert (untested.pending, untested.ineligible, untested.deprecated) == (True, False, False)
    assert untested.eligible
    tested = endpoint_coverage(history("b", (1, 34), (1, 35)), None, releases=releases, lists=lists)
    assert (tested.first_conformance_test, tested.tested_release, tested.age) == ("1.35.0", "1.35.0", None)
    assert (tested.pending, tested.ineligible, tested.deprecated) == (False, True, False)
    listed = endpoint_coverage(history("b", (1, 34)), operation("b"), releases=releases, lists=lists)
    old = operation("c", deprecated=True)
    gone = endpoint_coverage(history("c", (1, 34)), old, releases=releases, lists=lists)
    assert gone.deprecated
    assert [one.eligible for one in (tested, listed, gone)] == [False, False, False]
