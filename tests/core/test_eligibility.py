import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.eligibility import excuse, is_observable, is_reported, narrow, out_of_scope
from auditsvc.core.endpoints import EndpointEntry, EndpointList, EndpointLists
from auditsvc.core.swagger import METHODS, Level, Operation, Swagger

operations = st.builds(
    Operation,
    id=st.sampled_from("abcdefgh"),
    method=st.sampled_from([method.upper() for method in METHODS]),
    path=st.just("/version/"),
    level=st.sampled_from(Level),
    deprecated=st.booleans(),
)
swaggers = st.lists(operations).map(
    lambda found: Swagger(None, {operation.id: operation for operation in found})
)
lists = st.builds(
    EndpointLists,
    *[
        st.lists(st.sampled_from("abcdefghij"), max_size=5).map(lambda names: listed(*names))
        for _ in range(2)
    ],
)


def listed(*names: str) -> EndpointList:
    """A list of these endpoints."""
    return EndpointList(tuple(EndpointEntry(name, None, None, line) for line, name in enumerate(names, 1)))


def make(method: str = "GET", level: Level = Level.STABLE, *, deprecated: bool = False) -> Operation:
    """One operation, called by its kind."""
    return Operation(f"{level}{'Deprecated' if deprecated else ''}{method}", method, "/", level, deprecated)


ALL = (
    make(),
    make("OPTIONS"),
    make("HEAD"),
    make(level=Level.BETA),
    make(level=Level.ALPHA),
    make(deprecated=True),
)
SWAGGER = Swagger(None, {operation.id: operation for operation in ALL})


class TestNarrow:
    """From all operations to the eligible ones."""

    def test_steps(self) -> None:
        """Each step leaves out one kind."""
        ledger = narrow(SWAGGER, EndpointLists(), imported=False)
        assert ledger.operations == SWAGGER.operations.keys()
        assert ledger.operations - ledger.observable == {"stableHEAD"}
        assert ledger.observable - ledger.current == {"stableDeprecatedGET"}
        assert ledger.current - ledger.stable == {"betaGET", "alphaGET"}
        assert ledger.eligible == ledger.stable == {"stableGET", "stableOPTIONS"}

    def test_ineligible(self) -> None:
        """The ineligible list is the last step; the pending list is none."""
        lists = EndpointLists(pending=listed("stableOPTIONS"), ineligible=listed("stableGET", "unknown"))
        assert narrow(SWAGGER, lists, imported=False).eligible == {"stableOPTIONS"}

    def test_imported(self) -> None:
        """In another tool's report OPTIONS is not observable either."""
        assert narrow(SWAGGER, EndpointLists(), imported=True).eligible == {"stableGET"}

    @given(swaggers, lists, st.booleans())
    def test_parts(self, swagger: Swagger, lists: EndpointLists, imported: bool) -> None:
        """Each set is a part of the one before, and none that is eligible has an excuse but to be pending."""
        ledger = narrow(swagger, lists, imported=imported)
        assert ledger.eligible <= ledger.stable <= ledger.current <= ledger.observable <= ledger.operations
        assert {excuse(name, swagger, lists) for name in ledger.eligible} <= {None, "pending"}


class TestIsObservable:
    """What a log can tell."""

    @pytest.mark.parametrize(
        ("method", "log", "report"), [("GET", True, True), ("OPTIONS", True, False), ("HEAD", False, False)]
    )
    def test_methods(self, method: str, log: bool, report: bool) -> None:
        """A log tells all but HEAD, a report of test-infra's OPTIONS neither."""
        assert is_observable(make(method), imported=False) is log
        assert is_observable(make(method), imported=True) is report


class TestIsReported:
    """What a report of test-infra's may hold."""

    @pytest.mark.parametrize(
        ("name", "reported"),
        [
            ("stableGET", True),
            ("betaGET", True),
            ("alphaGET", True),
            ("madeUpByTheParser", True),
            ("stableDeprecatedGET", False),
            ("stableOPTIONS", False),
            ("stableHEAD", False),
        ],
    )
    def test_kinds(self, name: str, reported: bool) -> None:
        """Neither deprecated operations nor HEAD and OPTIONS; other names may be there."""
        assert is_reported(name, SWAGGER, EndpointLists()) is reported

    @pytest.mark.parametrize("name", ["stableGET", "betaGET", "unknown"])
    def test_lists(self, name: str) -> None:
        """Nothing that is pending or ineligible."""
        assert not is_reported(name, SWAGGER, EndpointLists(pending=listed(name)))
        assert not is_reported(name, SWAGGER, EndpointLists(ineligible=listed(name)))


class TestExcuse:
    """Why nobody needs to exercise an operation."""

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("stableGET", None),
            ("stableOPTIONS", None),
            ("betaGET", "beta"),
            ("alphaGET", "alpha"),
            ("stableDeprecatedGET", "deprecated"),
            ("unknown", "not in the swagger"),
        ],
    )
    def test_out_of_scope(self, name: str, reason: str | None) -> None:
        """What conformance asks nothing of is an excuse whatever the lists say."""
        assert out_of_scope(name, SWAGGER) == reason
        assert excuse(name, SWAGGER, EndpointLists()) == reason
        if reason:
            assert excuse(name, SWAGGER, EndpointLists(listed(name), listed(name))) == reason

    @pytest.mark.parametrize(
        ("lists", "reason"),
        [
            (EndpointLists(pending=listed("stableGET")), "pending"),
            (EndpointLists(ineligible=listed("stableGET")), "ineligible"),
            (EndpointLists(listed("stableGET"), listed("stableGET")), "ineligible"),
            (EndpointLists(listed("stableOPTIONS"), listed("stableOPTIONS")), None),
        ],
    )
    def test_lists(self, lists: EndpointLists, reason: str | None) -> None:
        """Pending and ineligible ones are excused."""
        assert excuse("stableGET", SWAGGER, lists) == reason
