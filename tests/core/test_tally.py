import pytest

from auditsvc.core.events import UNKNOWN_TIME
from auditsvc.core.tally import AgentNames, Agents, Tally, agent_family, count_requests
from auditsvc.core.tally import test_name as name_of_test  # not test_name: pytest would collect it
from tests.logs import E2E, NOON, at


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("kubectl/v1.34.0 (linux/amd64) kubernetes/abc", "kubectl"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("curl", "curl"),
        ("Mozilla (X11)", "Mozilla"),
        ("a b/c", "a"),
        ("/v1", "none"),
        (" x", "none"),
        ("", "none"),
        (None, "none"),
        (f"{E2E}[sig-node] Pods", "e2e.test"),
    ],
)
def test_agent_family(agent: str | None, family: str) -> None:
    """The program that an agent names."""
    assert agent_family(agent) == family


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{E2E}[sig-node] Pods [Conformance]", "[sig-node] Pods [Conformance]"),
        (f"{E2E}a -- b -- c", "a -- b -- c"),
        (f"{E2E}a name that is cut...TRUNCATED", "a name that is cut...TRUNCATED"),
        (E2E, None),
        ("e2e.test/v1.34.0 (linux/amd64)", None),
        ("kubectl/v1.34.0 -- x", None),
        ("", None),
        (None, None),
    ],
)
def test_test_name(agent: str | None, name: str | None) -> None:
    """The test that an e2e.test agent names: all after its first dashes, as it stands."""
    assert name_of_test(agent) == name


def counted(*requests: tuple[str | None, int | None, str]) -> Tally:
    """A tally of requests: their user agents, codes and times of receipt."""
    tally, agents = Tally("readPod"), Agents()
    for agent, code, received in requests:
        count_requests([tally], [agents[agent]], [code], [received])
    return tally


def test_usage() -> None:
    """What was counted is told by code class, test and family, in the order of their names."""
    tally = counted(
        (f"{E2E}b", 201, at(2)),
        (f"{E2E}a", 200, at(1)),
        (None, None, UNKNOWN_TIME),
        ("kubectl/v1.2", 404, at(3)),
        ("kubectl/v1.3", 200, at(2)),
    )
    used = tally.usage(AgentNames())
    assert [*used.codes.items()] == [("2xx", 3), ("4xx", 1), ("none", 1)]
    assert [*used.tests.items()] == [("a", 1), ("b", 1)]
    assert [*used.agents.items()] == [("e2e.test", 2), ("kubectl", 2), ("none", 1)]
    assert (used.hits, used.first, used.last) == (5, NOON.replace(second=1), NOON.replace(second=3))


def test_unknown_times() -> None:
    """Where nobody knows when, nothing is made up."""
    used = counted(("x", 200, UNKNOWN_TIME)).usage(AgentNames())
    assert (used.hits, used.first, used.last) == (1, None, None)


def test_take_back() -> None:
    """A request that is taken back counts no more, but for the time in which it was."""
    tally = counted(("a", 200, at(0)), ("b", 500, at(1)))
    tally.take_back("b", 500)
    used = tally.usage(AgentNames())
    assert (used.hits, used.codes, used.agents) == (1, {"2xx": 1}, {"a": 1})
    assert used.last == NOON.replace(second=1)


def test_add() -> None:
    """Two tallies together are one of both, and a copy changes nothing of what it was made of."""
    one, other = [("a", 200, at(1))], [("a", 200, at(0)), ("b", 404, at(2))]
    together = counted(*one)
    copied = together.copy()
    together.add(counted(*other))
    assert together.usage(AgentNames()) == counted(*one, *other).usage(AgentNames())
    assert copied.usage(AgentNames()) == counted(*one).usage(AgentNames())


def test_agents_are_told_apart_by_what_counts() -> None:
    """User agents of one family that ran for the same test are one."""
    agents = Agents()
    assert agents["kubectl/v1"] is agents["kubectl/v2"]
    assert agents[f"{E2E}a"] is not agents[f"{E2E}b"]
    assert agents[None] == agents[""]
