from collections.abc import Iterator

import pytest

from auditsvc.audits import (
    KUBECOST_KEYS,
    Compared,
    Observation,
    Settings,
    _registry,
    audit,
    audit_types,
    find_audit_type,
)
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.runs import Runs
from auditsvc.core.swagger import Swagger
from auditsvc.core.window import Window
from auditsvc.errors import RequestError

MISSION = {
    "AuditIneligibleConsistency": ("ineligibleConsistency", ("Results",), ("lists", "swagger")),
    "AuditOperationEquality": ("operationEquality", ("Runs",), ("runs",)),
    "AuditPendingReconciliation": ("pendingReconciliation", ("Results",), ("runs", "swagger", "lists")),
    "AuditSwaggerTotal": (
        "swaggerTotal",
        ("TotalByGroup", "TotalByLevel", "TotalByMethod", "TotalByRun"),
        ("swagger", "catalogue"),
    ),
}


@pytest.fixture
def _no_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of the test's own."""
    monkeypatch.setattr(_registry, "_registered", {})


def has_a_run(runs: Runs) -> Iterator[Observation]:
    """There is a run.

    Nobody needs to see this part.
    """
    yield Compared("Results", ("runs",), 1, len(runs.subjects))


class TestTypes:
    """The types that the package registers."""

    @pytest.mark.parametrize("name", MISSION)
    def test_the_audits_of_the_mission(self, name: str) -> None:
        """Each is registered under its public name, with its key, its maps and what it cannot do without."""
        known = find_audit_type(name)
        assert (known.key, known.maps, known.required) == MISSION[name]

    def test_order(self) -> None:
        """Kubecost's types come first, in its order; ours follow by key."""
        keys = [known.key for known in audit_types()]
        ours = [key for key in keys if key not in KUBECOST_KEYS]
        assert keys == [key for key in KUBECOST_KEYS if key in keys] + sorted(ours)

    def test_descriptions(self) -> None:
        """A type's description is one sentence."""
        assert all(known.description.endswith(".") for known in audit_types())

    def test_find(self) -> None:
        """A type is found by its name and by its key."""
        assert find_audit_type("swaggerTotal") is find_audit_type("AuditSwaggerTotal")

    @pytest.mark.parametrize("text", ["AuditNothing", "", "auditswaggertotal", "SwaggerTotal"])
    def test_find_nothing(self, text: str) -> None:
        """An unknown type is told with the list of those that are known."""
        with pytest.raises(
            RequestError, match=rf"^unknown audit type: {text} \(known are .*AuditSwaggerTotal"
        ):
            find_audit_type(text)


@pytest.mark.usefixtures("_no_types")
class TestAudit:
    """Declaring an audit."""

    def test_registers(self) -> None:
        """A declared check is a type, described by the first line of its docstring, and stays callable."""
        assert audit("AuditRuns", key="runs", maps=("Results",))(has_a_run) is has_a_run
        (known,) = audit_types()
        assert (known.name, known.key, known.description) == ("AuditRuns", "runs", "There is a run.")
        assert known.check is has_a_run

    def test_window_and_settings_are_no_sources(self) -> None:
        """A check may take the window and the settings; nobody has to provide them."""

        def check(
            window: Window, runs: Runs, settings: Settings, lists: EndpointLists
        ) -> Iterator[Observation]:
            """Takes much."""
            yield from ()
            del window, runs, settings, lists

        audit("AuditMuch", key="much", maps=(), optional=("lists",))(check)
        (known,) = audit_types()
        assert known.parameters == ("window", "runs", "settings", "lists")
        assert (known.sources, known.required) == (("runs", "lists"), ("runs",))

    def test_kubecost_first(self) -> None:
        """Keys of Kubecost's keep its order, whatever ours are called and however they are registered."""
        for key in ("zzz", "clusterEquality", "aaa", "allocationAgg"):
            audit(f"Audit{key}", key=key, maps=())(has_a_run)
        assert [known.key for known in audit_types()] == ["allocationAgg", "clusterEquality", "aaa", "zzz"]

    @pytest.mark.parametrize(("name", "key"), [("AuditRuns", "others"), ("AuditOthers", "runs")])
    def test_taken(self, name: str, key: str) -> None:
        """A name or key belongs to one type."""
        audit("AuditRuns", key="runs", maps=())(has_a_run)
        with pytest.raises(TypeError, match=f"{name}: needs a docstring, and a name and key of its own"):
            audit(name, key=key, maps=())(has_a_run)

    def test_undescribed(self) -> None:
        """A check without a docstring has no description to show."""

        def check(runs: Runs) -> Iterator[Observation]:
            yield from has_a_run(runs)

        with pytest.raises(TypeError, match="AuditMute: needs a docstring"):
            audit("AuditMute", key="mute", maps=())(check)

    def test_unknown_parameter(self) -> None:
        """A parameter that Inputs does not have is told with those that it has."""

        def check(weather: str) -> Iterator[Observation]:
            """It rains."""
            yield Compared("Results", (weather,), 0, 0)

        with pytest.raises(
            TypeError, match=r"AuditWeather: Inputs has no member 'weather' \(it has window, "
        ):
            audit("AuditWeather", key="weather", maps=())(check)

    def test_parameter_of_another_type(self) -> None:
        """A parameter has the type that Inputs gives it."""

        def check(runs: Swagger) -> Iterator[Observation]:
            """Takes a swagger for runs."""
            yield Compared("Results", ("runs",), 0, len(runs.operations))

        with pytest.raises(TypeError, match=r"AuditTypes: 'runs' is a .*Runs.* in Inputs"):
            audit("AuditTypes", key="types", maps=())(check)

    def test_optional_is_a_parameter(self) -> None:
        """Only what a check takes can be optional to it."""
        with pytest.raises(
            TypeError, match=r"AuditRuns: optional \['lists'\] are no parameters of its check"
        ):
            audit("AuditRuns", key="runs", maps=(), optional=("lists",))(has_a_run)
