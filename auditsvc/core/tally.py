"""What is counted of each operation's requests, and where a request is counted.

A request is counted at its target: the operation that it is of, or the reason why it is of none.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from auditsvc.core.events import AFTER_ALL, UNKNOWN_TIME, parse_time
from auditsvc.core.mapper import METHOD_OF_VERB, Endpoint, OperationMapper, Unmapped
from auditsvc.core.swagger import Operation
from auditsvc.core.usage import OperationUsage, Sample

SAMPLES = 5
CACHED_PATHS = 100_000
CACHED_AGENTS = 20_000

_TEST_AGENT = "e2e.test"
_NO_AGENT = "none"

Target = str | Unmapped
"""What a request was mapped to: an operation's id, or why there is none."""

Agent = str
"""Whoever made a request: a user agent that stands for all of its family that ran for the same e2e test."""


_Counted = TypeVar("_Counted")


class Tally:
    """How often a target was requested, by whom and how answered, when first and last; its first events."""

    __slots__ = ("agents", "codes", "first", "last", "samples", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.agents: dict[Agent, int] = {}
        self.codes: dict[int | None, int] = {}
        self.first = AFTER_ALL
        self.last = UNKNOWN_TIME
        # Each under the key of the request that it is of.
        self.samples: list[tuple[str, Sample]] = []

    def copy(self) -> "Tally":
        """The same, to be changed by itself."""
        copied = Tally(self.target)
        copied.add(self)
        copied.samples = list(self.samples)
        return copied

    def add(self, other: "Tally") -> None:
        """Adds what another part of the log counted, but for its samples."""
        _add(self.agents, other.agents)
        _add(self.codes, other.codes)
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)

    def take_back(self, agent: Agent, code: int | None) -> None:
        """Counts a request no more. Its times stay: the same request is counted elsewhere."""
        self.agents[agent] -= 1
        self.codes[code] -= 1

    def usage(self, names: "AgentNames") -> OperationUsage:
        """What was counted; of what was taken back zeros are left, which count for nothing."""
        codes: dict[str, int] = {}
        tests: dict[str, int] = {}
        families: dict[str, int] = {}
        for code, hits in self.codes.items():
            if hits:
                name = _code_class(code)
                codes[name] = codes.get(name, 0) + hits
        for agent, hits in self.agents.items():
            if hits:
                family, test = names[agent]
                families[family] = families.get(family, 0) + hits
                if test is not None:
                    tests[test] = tests.get(test, 0) + hits
        return OperationUsage(
            hits=sum(codes.values()),
            codes=_sorted(codes),
            tests=_sorted(tests),
            agents=_sorted(families),
            first=parse_time(self.first),
            last=parse_time(self.last),
            samples=tuple([sample for _, sample in self.samples[:SAMPLES]]),
        )


def count_requests(
    tallies: Iterable[Tally],
    agents_of: Iterable[Agent],
    codes_of: Iterable[int | None],
    received: Iterable[str],
) -> None:
    """Counts requests, given by their columns, each at its tally: written for speed, for all pass here."""
    for tally, agent, code, time in zip(tallies, agents_of, codes_of, received, strict=True):
        agents = tally.agents
        if agent in agents:
            agents[agent] += 1
        else:
            agents[agent] = 1
        codes = tally.codes
        if code in codes:
            codes[code] += 1
        else:
            codes[code] = 1
        if time > tally.last:  # noqa: PLR1730 - a call of max() takes longer
            tally.last = time
        if time < tally.first and time != UNKNOWN_TIME:
            tally.first = time


class Tallies(dict[Target, Tally]):
    """A tally for each target; those in ``wanting`` have fewer samples than are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.wanting: set[Tally] = set()

    def __missing__(self, target: Target) -> Tally:
        self[target] = tally = Tally(target)
        self.wanting.add(tally)
        return tally

    def keep_sample(self, tally: Tally, key: str, sample: Sample) -> None:
        """Keeps the next sample of a tally that wants one."""
        tally.samples.append((key, sample))
        if len(tally.samples) == SAMPLES:
            self.wanting.remove(tally)


class Places(dict[str, Mapping[str, Tally]]):
    """By path and then by verb, the tally at which a request counts; emptied when grown to its bound."""

    def __init__(self, mapper: OperationMapper, tallies: Tallies) -> None:
        super().__init__()
        self._endpoint = mapper.endpoint
        self._tallies = tallies
        # The mapper has few endpoints, each of them but once.
        self._known: dict[int, _Place] = {}

    def __missing__(self, path: str) -> Mapping[str, Tally]:
        if len(self) >= CACHED_PATHS:
            self.clear()
        endpoint = self._endpoint(path)
        found = self._known.get(id(endpoint))
        if found is None:
            found = self._known[id(endpoint)] = _Place(endpoint, self._tallies)
        self[path] = found
        return found


class _Place(dict[str, Tally]):
    """By verb, the tally at which a request of one endpoint counts."""

    def __init__(self, endpoint: Endpoint, tallies: Tallies) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._tallies = tallies

    def __missing__(self, verb: str) -> Tally:
        found = self._endpoint[verb]
        tally = self._tallies[found.id if isinstance(found, Operation) else found]
        if verb in METHOD_OF_VERB:  # of other verbs there may be any number
            self[verb] = tally
        return tally


class Agents(dict[str | None, Agent]):
    """Who each user agent is; emptied when it has grown to its bound."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[str, str | None], Agent] = {}

    def __missing__(self, agent: str | None) -> Agent:
        if len(self) >= CACHED_AGENTS:
            self.clear()
        self[agent] = found = self._known.setdefault(_name(agent), agent or "")
        return found


class AgentNames(dict[Agent, tuple[str, str | None]]):
    """By agent, its family and the e2e test that it ran for."""

    def __missing__(self, agent: Agent) -> tuple[str, str | None]:
        self[agent] = names = _name(agent)
        return names


def agent_family(agent: str | None) -> str:
    """The program that a user agent names: its text up to the first ``/`` or space; ``none`` without one."""
    return (agent or "").partition("/")[0].partition(" ")[0] or _NO_AGENT


def test_name(agent: str | None) -> str | None:
    """The e2e test that a user agent names: all after the first `` -- `` of an ``e2e.test`` agent."""
    if agent is None or not agent.startswith(_TEST_AGENT):
        return None
    return agent.partition(" -- ")[2] or None


def _add(counts: dict[_Counted, int], others: Mapping[_Counted, int]) -> None:
    for counted, hits in others.items():
        counts[counted] = counts.get(counted, 0) + hits


def _name(agent: str | None) -> tuple[str, str | None]:
    return agent_family(agent), test_name(agent)


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _code_class(code: int | None) -> str:
    return f"{code // 100}xx" if code is not None and 100 <= code < 600 else "none"
