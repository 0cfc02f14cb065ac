"""How much of the API a release's tests, or a run, reached, grouped by what operations have in common."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from auditsvc.core.coverage import eligible
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.swagger import Level, Operation
from auditsvc.core.usage import ExercisedBy, Usage


class GroupedBy(StrEnum):
    """What the operations of a row have in common, in the words of Operation; or which agent hit them."""

    LEVEL = "level"
    GROUP = "group"
    CATEGORY = "category"
    KIND = "kind"
    ACTION = "action"
    AGENT = "agent"


Key = tuple[str | None, ...]
"""What a row's operations have in common, in the order in which it was asked for."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known to have reached the operations.

    ``reached`` has by metric the operations' ids; a metric of which nothing is known is not there. ``agents``
    has by user agent family the operations that it hit. ``sources`` say who knows: ``ci run X``.
    """

    reached: Mapping[ExercisedBy, frozenset[str]] = {}
    sources: tuple[str, ...] = ()
    agents: Mapping[str, frozenset[str]] = {}

    def __or__(self, other: "Evidence") -> "Evidence":
        """What the two know together."""
        reached = {
            metric: self.reached.get(metric, frozenset()) | other.reached.get(metric, frozenset())
            for metric in ExercisedBy
            if metric in self.reached or metric in other.reached
        }
        return Evidence(reached, (*self.sources, *other.sources), {**self.agents, **other.agents})


def evidence_of_usage(usage: Usage, source: str) -> Evidence:
    """What a run reached; of one that was imported from another tool's report only hits are known."""
    metrics = [ExercisedBy.HIT] if usage.imported else list(ExercisedBy)
    agents = defaultdict(set)
    for name, used in usage.operations.items():
        for agent in used.agents:
            agents[agent].add(name)
    return Evidence(
        {metric: usage.exercised(metric) for metric in metrics},
        (source,),
        {agent: frozenset(names) for agent, names in agents.items()},
    )


def evidence_of_tests(tested: frozenset[str], conf_tested: frozenset[str], source: str) -> Evidence:
    """What tests are known to hit, where nobody tells of other requests or of how these were answered."""
    tested |= conf_tested
    return Evidence(
        {ExercisedBy.HIT: tested, ExercisedBy.TESTED: tested, ExercisedBy.CONF_TESTED: conf_tested}, (source,)
    )


class OperationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which operations are looked at: those that fit all that is given.

    ``groups`` names the core group ``""``. ``conformance_only`` are those that conformance is about, the
    eligible ones: stable, not deprecated, not ineligible.
    """

    levels: Collection[Level] = ()
    groups: Collection[str] = ()
    categories: Collection[str] = ()
    kinds: Collection[str] = ()
    actions: Collection[str] = ()
    text: str = ""
    exclude_ineligible: bool = False
    exclude_pending: bool = False
    conformance_only: bool = False

    def select(self, operations: Iterable[Operation], lists: EndpointLists) -> list[Operation]:
        """Those of the operations that fit."""
        fitting = [one for one in operations if self._fits(one)]
        if self.exclude_ineligible:
            fitting = [one for one in fitting if one.id not in lists.ineligible]
        if self.exclude_pending:
            fitting = [one for one in fitting if one.id not in lists.pending]
        if self.conformance_only:
            wanted = eligible(fitting, lists.ineligible)
            fitting = [one for one in fitting if one.id in wanted]
        return fitting

    def _fits(self, one: Operation) -> bool:
        asked: tuple[tuple[Collection[str], str | None], ...] = (
            (self.levels, one.level),
            (self.groups, one.group),
            (self.categories, one.category),
            (self.kinds, one.kind),
            (self.actions, one.action),
        )
        return self.text.lower() in one.id.lower() and all(
            not wanted or value in wanted for wanted, value in asked
        )


class CoverageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of some operations, how many are eligible, and how many were reached; None where that is not known.

    ``percent`` is the share of the operations that the metric in question reached, rounded down to a tenth:
    100 means all.
    """

    key: Mapping[GroupedBy, str | None]
    operations: int
    eligible: int
    hit: int | None
    tested: int | None
    conf_tested: int | None
    success: int | None
    percent: float | None


def break_down(
    operations: Iterable[Operation],
    evidence: Evidence,
    *,
    ineligible: Collection[str],
    by: Sequence[GroupedBy] = (),
    metric: ExercisedBy = ExercisedBy.CONF_TESTED,
) -> list[CoverageCounts]:
    """A row for each group, nested as ``by`` is ordered, and in each the ones with the most reached first.

    By agent there is a row for each agent that hit one of the operations, over all of them, hit or not; of an
    agent only hits are known, so they are the metric. Without ``by``, the one row of all.
    """
    known = list(operations)
    rows: dict[Key, CoverageCounts] = {}
    if GroupedBy.AGENT in by:
        metric = ExercisedBy.HIT  # all that is known of an agent
    for agent, share in _shares(known, evidence, by=by).items():
        members: dict[Key, list[Operation]] = defaultdict(list)
        for one in known:
            members[tuple(agent if name is GroupedBy.AGENT else getattr(one, name) for name in by)].append(
                one
            )
        for key, some in members.items() if by else [((), known)]:
            rows[key] = _count(some, share, ineligible, dict(zip(by, key, strict=True)), metric)
    return _nested(rows, metric)


def percent(part: int, whole: int) -> float | None:
    """The share in percent, rounded down to a tenth, so that only all is 100; None of nothing."""
    return part * 1000 // whole / 10 if whole else None


def _shares(
    operations: Iterable[Operation], evidence: Evidence, *, by: Sequence[GroupedBy]
) -> dict[str | None, Evidence]:
    """By agent what it hit of the operations; all of the evidence where agents do not matter."""
    if GroupedBy.AGENT not in by:
        return {None: evidence}
    ids = {one.id for one in operations}
    return {agent: Evidence({ExercisedBy.HIT: hit}) for agent, hit in evidence.agents.items() if hit & ids}


def _count(
    operations: Sequence[Operation],
    evidence: Evidence,
    ineligible: Collection[str],
    key: Mapping[GroupedBy, str | None],
    metric: ExercisedBy,
) -> CoverageCounts:
    ids = {one.id for one in operations}
    counts = {
        name: len(ids & evidence.reached[name]) if name in evidence.reached else None for name in ExercisedBy
    }
    reached = counts[metric]
    return CoverageCounts(
        key=key,
        operations=len(operations),
        eligible=len(eligible(operations, ineligible)),
        hit=counts[ExercisedBy.HIT],
        tested=counts[ExercisedBy.TESTED],
        conf_tested=counts[ExercisedBy.CONF_TESTED],
        success=counts[ExercisedBy.SUCCESS],
        percent=None if reached is None else percent(reached, len(operations)),
    )


def _nested(rows: Mapping[Key, CoverageCounts], metric: ExercisedBy) -> list[CoverageCounts]:
    """The rows of an outer group together: the outer groups by all that was reached in them, then by name."""
    reached: Counter[Key] = Counter()
    for key, row in rows.items():
        for depth in range(1, len(key) + 1):
            reached[key[:depth]] += getattr(row, metric) or 0

    def place(key: Key) -> list[tuple[int, str]]:
        return [(-reached[key[: depth + 1]], name or "") for depth, name in enumerate(key)]

    return [rows[key] for key in sorted(rows, key=place)]
