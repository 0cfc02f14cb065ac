"""Counts the requests of an audit log, each once, in memory bounded by the requests in flight.

A request is one (``auditID``, ``requestReceivedTimestamp``), for a client may choose the ID.
``ResponseComplete`` and ``Panic`` end it, ``RequestReceived`` and ``ResponseStarted`` open it; what is open
at the end of the log counts as it stands.

A log may be read in parts: each part is counted by a :class:`Counting` of its own, and
:meth:`Counting.append` puts the parts together, in order, to exactly what one pass would have counted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from io import BytesIO
from itertools import compress, islice
from operator import not_
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from auditsvc.core.events import (
    AFTER_ALL,
    ENDED,
    TIME_LENGTH,
    UNKNOWN_TIME,
    AuditEvent,
    Events,
    decode,
    decode_lines,
    parse_time,
    sample_text,
    shift_time,
)
from auditsvc.core.log_time import BACKWARDS_SLACK, LogTime
from auditsvc.core.mapper import OperationMapper, Unmapped
from auditsvc.core.recent import REPEAT_WINDOW, Block, Key, Recent, within_repeat_window
from auditsvc.core.tally import (
    SAMPLES,
    Agent,
    AgentNames,
    Agents,
    Places,
    Tallies,
    Tally,
    Target,
    agent_family,
    count_requests,
)
from auditsvc.core.usage import DeprecatedUse, Sample, Usage
from auditsvc.errors import ParseError

REQUEST_TIMEOUT = timedelta(seconds=60)
"""After so long the API server ends every request that is not long-running (its ``--request-timeout``)."""

MALFORMED_POSITIONS = 10
BATCH_EVENTS = 1000
"""So many events of a block are counted together at most."""

_LONG_VERBS = frozenset({"watch", "proxy"})
_UNAUTHORIZED = 401
# Group, version and resource of a path, as kube-apiserver takes it apart.
_RESOURCE = re.compile(
    r"/(?:api|apis/([^/]+))/([^/]+)/(?:watch/)?+"
    r"(?:namespaces/[^/]+/(?!$|(?:status|finalize)(?:/|$)))?+([^/]+)"
)
_LONG_SUBRESOURCE = re.compile(rf"{_RESOURCE.pattern}/[^/]+/(?:attach|exec|log|portforward|proxy)(?:/|$)")

# What was used though the API server calls it deprecated: operationId, or resource where it is of none; by
# whom; and the release that removes it.
_Deprecated = tuple[str, Agent, str]


class _Request(msgspec.Struct, frozen=True, gc=False):
    """All that counts of a request."""

    target: Target
    agent: Agent
    code: int | None
    deprecated: _Deprecated | None


class _Open(msgspec.Struct, frozen=True, gc=False):
    """A request that is not complete yet, at its newest stage."""

    request: _Request
    received: str
    staged: str
    number: int
    """The number of the event in the log."""
    sample: Sample | None
    stays: bool
    """Whether it may stay open: it is long-running, or of the kind whose completion is never logged."""

    def moved(self, *, events: int, lines: int) -> "_Open":
        """The same counted from that many events and lines further up."""
        sample = None if self.sample is None else self.sample.moved(lines)
        return replace(self, number=self.number + events, sample=sample)


class _Completions(NamedTuple):
    """Completions that count, and their positions in the batch."""

    positions: Sequence[int]
    decoded: Events
    block: Block | None
    """The same as they are remembered; None where repetitions stand among them."""


# A completion that an earlier part of the log may have seen too, or seen opened; its stage time.
Head = tuple[Key, str, _Request]
# Many of them: what completed and, by column, targets, agents, codes, and by position what is deprecated.
_Heads = tuple[Block, list[Target], list[Agent], list[int | None], Mapping[int, _Deprecated]]


class Part(msgspec.Struct):
    """What a counted part hands on: picklable, and small beside the log.

    ``recent`` are its last completions. ``heads`` are the completions that an earlier part may have seen too,
    or seen opened, as far as they are of requests received before about the part's start. ``later_heads`` are
    the others: they are many, and needed only where an earlier part saw a request that was received at
    ``later`` or after it. ``tallies`` and ``deprecated`` are empty where the whole has them already.
    """

    file: str
    starts_file: bool
    lines: int
    events: int
    first: str
    latest: str
    time: LogTime
    duplicates: int
    malformed: int
    malformed_at: list[tuple[str, int]]
    tallies: dict[Target, Tally]
    deprecated: Counter[_Deprecated]
    open: dict[Key, list[_Open]]
    recent: Recent
    heads: list[Head]
    later: str
    later_heads: Iterable[Head]


class Counting:
    """Counts one log, or one part of it, block by block.

    ``file`` names where the lines come from. With ``sampled``, the first events of each operation are
    kept. With ``handing_on``, the part keeps what earlier parts need to know of it, for :meth:`hand_on`.
    """

    def __init__(
        self, mapper: OperationMapper, *, file: str = "", sampled: bool = False, handing_on: bool = False
    ) -> None:
        self.events = 0
        """The audit events seen."""
        self._mapper = mapper
        self._file = file
        self._lines = 0
        self._starts_file = False
        self._sampled = sampled
        self._tallies = Tallies()
        self._places = Places(mapper, self._tallies)
        self._agents = Agents()
        self._deprecated: Counter[_Deprecated] = Counter()
        self._first = AFTER_ALL
        self._latest = UNKNOWN_TIME
        self._time = LogTime()
        self._duplicates = 0
        self._malformed = 0
        self._malformed_at: list[tuple[str, int]] = []
        # As each was opened, the newest last; before it only what was staged later, and may be no repetition
        # where the newest turns out to be one.
        self._open: dict[Key, list[_Open]] = {}
        self._recent = Recent()
        self._start = _Start() if handing_on else None
        self._counts_for_whole = False

    @property
    def held(self) -> int:
        """The requests that are remembered one by one: those in flight, and the newest completions."""
        return len(self._open) + len(self._recent)

    def ahead(self, file: str) -> "Counting":
        """For a part further on in this log: what it hands on must be appended to this one, and at its turn.

        It knows the agents that this one knows. Without samples, which have an order, it also counts at this
        one's tallies, whose paths need not be found once more.
        """
        part = Counting(self._mapper, file=file, sampled=self._sampled, handing_on=True)
        part._agents = self._agents
        if not self._sampled:
            part._counts_for_whole = True
            part._tallies, part._deprecated, part._places = self._tallies, self._deprecated, self._places
        return part

    def start_file(self, name: str) -> None:
        """The lines that follow are another file's, from its first one on."""
        self._file = name
        self._lines = 0
        self._starts_file = True

    def skip_to(self, file: str, above: int) -> None:
        """What follows stands in that file, with so many lines above it that are not to be counted."""
        if file != self._file:
            self.start_file(file)
        self._lines = above

    def count(self, block: bytes) -> None:
        """Counts a block of whole lines; the last one may lack its line feed."""
        decoded = decode_lines(block)
        if decoded is None:
            for line in block.removesuffix(b"\n").split(b"\n"):
                self._count_line(line)
            return
        lines = _Lines(block, self._file, self._lines)
        for start in range(0, len(decoded.events), BATCH_EVENTS):
            self._count_batch(_Batch(decoded.cut(start, start + BATCH_EVENTS), lines, start))
        self._lines += len(decoded.events)

    def skip_line(self) -> None:
        """Counts a line as malformed unseen, for it is longer than any audit event."""
        self._lines += 1
        self._note_malformed()

    def _note_malformed(self) -> None:
        self._malformed += 1
        if len(self._malformed_at) < MALFORMED_POSITIONS:
            self._malformed_at.append((self._file, self._lines))

    def _count_line(self, line: bytes) -> None:
        self._lines += 1
        if not line.strip():
            return
        try:
            event = decode(line)
        except ParseError:
            self._note_malformed()
            return
        decoded = Events([event], [event.received], [event.staged])
        self._count_batch(_Batch(decoded, _Lines(line, self._file, self._lines - 1)))

    def _count_batch(self, batch: "_Batch") -> None:
        """Counts events: which of them are requests that count is found out first."""
        staged = batch.decoded.staged
        self.events += len(staged)
        self._time.follow(staged)
        completed = self._find_completions(batch)
        if self._start is not None:
            self._start.note(staged)
        events = completed.decoded.events
        if not events:
            return
        tallies, agents, codes = self._columns_of(events)
        count_requests(tallies, agents, codes, completed.decoded.received)
        deprecated = _find_deprecated(events, tallies, agents)
        self._deprecated.update(deprecated.values())
        if self._start is not None and self._start.holds(batch.earliest):
            self._start.keep(completed, tallies, agents, codes, deprecated)
        if self._sampled:
            self._keep_samples(completed.positions, events, tallies, batch)

    def _find_completions(self, batch: "_Batch") -> _Completions:
        """The completions that count; opens and closes requests.

        Most requests are received later than all before them, and none at the same time: then they were
        neither open nor complete, and only what is in the batch matters. All others are judged one by one.
        """
        decoded = batch.decoded
        judged = {*self._find_late(batch)}
        are_ended = [event.stage in ENDED for event in decoded.events]
        ended = decoded.pick(are_ended)
        positions: Sequence[int] = range(len(are_ended))
        opening: Sequence[int] = ()
        if ended is not decoded:
            opening = [*compress(positions, map(not_, are_ended))]
            positions = [*compress(positions, are_ended)]
        ends = dict(zip(ended.received, positions, strict=True))
        judged.update(at for at in opening if not _completes(at, ends, decoded))
        if len(ends) < len(positions):
            # Which of them are one request's, its time does not tell.
            shared = {time for time, at in zip(ended.received, positions, strict=True) if ends[time] != at}
            judged.update(at for at, time in enumerate(decoded.received) if time in shared)
        repeated = self._judge(sorted(judged), batch)
        ids = [event.audit_id for event in ended.events]
        block = self._recent.add(ids, ended.received, ended.staged, latest=self._latest)
        self._recent.forget(decoded.staged[-1])
        if repeated:
            kept = [at not in repeated for at in positions]
            return _Completions([*compress(positions, kept)], ended.pick(kept), None)
        return _Completions(positions, ended, block)

    def _find_late(self, batch: "_Batch") -> Sequence[int]:
        """The positions of what was not received later than all before; widens the time of the log."""
        latest, earliest, received = self._latest, batch.earliest, batch.decoded.received
        self._latest = max(latest, *received)
        if earliest < self._first and earliest != UNKNOWN_TIME:
            self._first = earliest
        return [at for at, time in enumerate(received) if time <= latest] if earliest <= latest else ()

    def _judge(self, positions: Iterable[int], batch: "_Batch") -> set[int]:
        """The rule itself, event by event; the positions of completions that are repetitions."""
        repeated = set()
        for at in positions:
            event = batch.decoded.events[at]
            key = _key(event)
            is_repeated = self._recent.repeats(key, near=event.staged)
            if event.stage in ENDED:
                self._open.pop(key, None)
                self._recent.add_late(key, event.staged)
                if is_repeated:
                    repeated.add(at)
            elif not is_repeated:
                opened = self._open.setdefault(key, [])
                while opened and opened[-1].staged <= event.staged:
                    opened.pop()
                opened.append(self._opened(at, event, batch))
        self._duplicates += len(repeated)
        return repeated

    def _opened(self, at: int, event: AuditEvent, batch: "_Batch") -> _Open:
        [tally], [agent], [code] = self._columns_of([event])
        deprecated = _find_deprecated([event], [tally], [agent]).get(0)
        # Five completions leave no room for an open request among the samples.
        wanted = self._sampled and tally in self._tallies.wanting
        return _Open(
            request=_Request(tally.target, agent, code, deprecated),
            received=event.received,
            staged=event.staged,
            number=self.events - len(batch.decoded.events) + at,
            sample=batch.sample(at) if wanted else None,
            stays=_may_stay_open(event),
        )

    def _columns_of(self, events: list[AuditEvent]) -> tuple[list[Tally], list[Agent], list[int | None]]:
        """Where events count, who made them, and their response codes."""
        places, agents = self._places, self._agents
        return (
            [
                # Most have no query, and then cutting it off would only take time.
                places[uri if "?" not in (uri := event.uri) else uri.partition("?")[0]][event.verb]
                for event in events
            ],
            [agents[event.agent] for event in events],
            [None if (response := event.response) is None else response.code for event in events],
        )

    def _keep_samples(
        self, positions: Sequence[int], events: list[AuditEvent], tallies: list[Tally], batch: "_Batch"
    ) -> None:
        wanting = self._tallies.wanting
        if wanting.isdisjoint(tallies):
            return
        for place, tally in enumerate(tallies):
            if tally in wanting:
                sample = batch.sample(positions[place])
                self._tallies.keep_sample(tally, _key(events[place]), sample)

    def hand_on(self, *, followed: bool = True) -> Part:
        """All that was counted, for :meth:`append`; with what the parts after this need, if there are any."""
        start = self._start or _Start()
        return Part(
            file=self._file,
            starts_file=self._starts_file,
            lines=self._lines,
            events=self.events,
            first=self._first,
            latest=self._latest,
            time=self._time,
            duplicates=self._duplicates,
            malformed=self._malformed,
            malformed_at=self._malformed_at,
            tallies={} if self._counts_for_whole else dict(self._tallies),
            deprecated=Counter() if self._counts_for_whole else self._deprecated,
            open=self._open,
            recent=self._recent if followed else Recent(),
            heads=start.near,
            later=start.later,
            later_heads=_LaterHeads(start.far),
        )

    def append(self, part: Part) -> None:
        """Adds the part of the log that follows, which is used up by it."""
        if part.starts_file or part.file != self._file:
            self.start_file(part.file)
        repeated = self._append_completions(part)
        self._append_open(part)
        for target, tally in part.tallies.items():
            self._append_tally(self._tallies[target], tally)
        self._deprecated.update(part.deprecated)
        self._take_back(repeated)
        self._recent.append(part.recent, latest=self._latest, now=part.time.latest)
        self._malformed += part.malformed
        room = MALFORMED_POSITIONS - len(self._malformed_at)
        self._malformed_at += [(file, self._lines + line) for file, line in part.malformed_at[:room]]
        self._duplicates += part.duplicates
        self.events += part.events
        self._first = min(self._first, part.first)
        self._latest = max(self._latest, part.latest)
        self._time.append(part.time)
        self._lines += part.lines

    def _append_completions(self, part: Part) -> Iterable[_Request]:
        """Closes what the part completed; what of it counts no second time."""
        heads = part.heads
        if part.later <= self._latest:
            heads = [*heads, *part.later_heads]
        repeated: dict[Key, _Request] = {}
        for key, staged, request in heads:
            if key[:TIME_LENGTH] > self._latest:
                continue
            self._open.pop(key, None)
            if key not in repeated and self._recent.repeats(key, near=staged):
                repeated[key] = request
        self._duplicates += len(repeated)
        if repeated:
            for tally in part.tallies.values():
                tally.samples = _less_first(tally.samples, repeated.keys())
        return repeated.values()

    def _take_back(self, requests: Iterable[_Request]) -> None:
        for request in requests:
            self._tallies[request.target].take_back(request.agent, request.code)
            if request.deprecated is not None:
                self._deprecated[request.deprecated] -= 1

    def _append_open(self, part: Part) -> None:
        for key, opened in part.open.items():
            kept = [one for one in opened if not self._recent.repeats(key, near=one.staged)]
            if kept:
                self._open[key] = [kept[-1].moved(events=self.events, lines=self._lines)]

    def _append_tally(self, tally: Tally, part: Tally) -> None:
        tally.add(part)
        for key, sample in part.samples[: SAMPLES - len(tally.samples)]:
            self._tallies.keep_sample(tally, key, sample.moved(self._lines))

    def usage(self) -> Usage:
        """What was used; requests still open count as they stand."""
        tallies, deprecated = self._with_open()
        names = AgentNames()
        used = {
            target: tally.usage(names)
            for target, tally in sorted(tallies.items())
            if any(tally.codes.values())
        }
        operations = {name: found for name, found in used.items() if not isinstance(name, Unmapped)}
        unmapped = {reason: used[reason] for reason in Unmapped if reason in used}
        mapped = sum(found.hits for found in operations.values())
        return Usage(
            operations=operations,
            requests=mapped + sum(found.hits for found in unmapped.values()),
            mapped=mapped,
            unmapped=unmapped,
            malformed=self._malformed,
            malformed_at=tuple(f"{file}:{line}" for file, line in self._malformed_at),
            duplicates=self._duplicates,
            incomplete=len(self._open),
            events=self.events,
            first=parse_time(self._first),
            last=parse_time(self._time.latest),
            backwards=self._time.backwards,
            gaps=tuple(self._time.gaps),
            never_completed=self._never_completed(),
            deprecated=_deprecated_uses(deprecated),
        )

    def _with_open(self) -> tuple[Mapping[Target, Tally], Counter[_Deprecated]]:
        """What was counted, together with the open requests."""
        opened: dict[Target, Tally] = {}
        deprecated = Counter(self._deprecated)
        newest = [(key, events[-1]) for key, events in self._open.items()]
        for key, one in sorted(newest, key=lambda item: item[1].number):
            request = one.request
            tally = opened.get(request.target)
            if tally is None:
                tally = opened[request.target] = self._tallies[request.target].copy()
            count_requests([tally], [request.agent], [request.code], [one.received])
            if request.deprecated is not None:
                deprecated[request.deprecated] += 1
            if one.sample is not None:
                tally.samples.append((key, one.sample))
        return {**self._tallies, **opened}, deprecated

    def _never_completed(self) -> int:
        """The open requests that the API server should have ended before the log does."""
        latest = shift_time(self._time.latest, -REQUEST_TIMEOUT)
        newest = [events[-1] for events in self._open.values()]
        return sum(not request.stays and request.staged <= latest for request in newest)


class _Lines:
    """The lines of a block, for samples."""

    def __init__(self, block: bytes, file: str, above: int) -> None:
        self._lines = BytesIO(block)
        self._read = 0
        self._file = file
        self._above = above

    def sample(self, at: int) -> Sample:
        """The event on that line, from 0, as it was logged."""
        if at < self._read:  # those of a batch come in order, and at most twice: first what it opened
            self._lines.seek(0)
            self._read = 0
        line = next(islice(self._lines, at - self._read, None))
        self._read = at + 1
        return Sample(self._file, self._above + at + 1, sample_text(line))


class _Batch:
    """Events to be counted together, and the lines in which they stand, from ``first_line`` on."""

    def __init__(self, decoded: Events, lines: _Lines, first_line: int = 0) -> None:
        self.decoded = decoded
        self.earliest = min(decoded.received)
        """When the first one of them was received."""
        self._lines = lines
        self._first_line = first_line

    def sample(self, at: int) -> Sample:
        """The event at that position as it was logged."""
        return self._lines.sample(self._first_line + at)


class _Start:
    """The completions near the start of a part: those of requests received before its first minute is over.

    What was received before the part's first event, or little later, is ``near``: an earlier part has seen
    later requests only where the log's time jumps back. Those are ``far``, and kept by column.
    """

    def __init__(self) -> None:
        self.near: list[Head] = []
        self.later = AFTER_ALL
        """When the first of the far ones was received."""
        self.far: list[_Heads] = []
        self._near_until = self._far_until = AFTER_ALL

    def note(self, staged: list[str]) -> None:
        """Notes the part's first stage time."""
        if self._far_until == AFTER_ALL:
            first = next((time for time in staged if time != UNKNOWN_TIME), None)
            if first is not None:
                self._near_until = shift_time(first, BACKWARDS_SLACK)
                self._far_until = shift_time(first, REPEAT_WINDOW)

    def holds(self, earliest: str) -> bool:
        """Whether any of the completions may be such, the first one of which was received at that time."""
        return earliest < self._far_until

    def keep(
        self,
        completed: _Completions,
        tallies: list[Tally],
        agents: list[Agent],
        codes: list[int | None],
        deprecated: Mapping[int, _Deprecated],
    ) -> None:
        """Keeps those of the completions that are such."""
        events, received, staged, _ = completed.decoded
        earliest = min(received)
        # In the first minute nearly all that a batch completed is far, and is kept as it is remembered.
        if completed.block is not None and self._near_until < earliest and max(received) < self._far_until:
            self.later = min(self.later, earliest)
            targets = [tally.target for tally in tallies]
            self.far.append((completed.block, targets, agents, codes, deprecated))
            return
        for at in [at for at, time in enumerate(received) if time <= self._near_until]:
            request = _Request(tallies[at].target, agents[at], codes[at], deprecated.get(at))
            self.near.append((_key(events[at]), staged[at], request))
        far = [at for at, time in enumerate(received) if self._near_until < time < self._far_until]
        if far:
            times = [received[at] for at in far]
            self.later = min(self.later, *times)
            heads = (
                Block([events[at].audit_id for at in far], times, [staged[at] for at in far]),
                [tallies[at].target for at in far],
                [agents[at] for at in far],
                [codes[at] for at in far],
                {place: deprecated[at] for place, at in enumerate(far) if at in deprecated},
            )
            self.far.append(heads)


class _LaterHeads:
    """Heads by column, told one by one."""

    def __init__(self, heads: list[_Heads]) -> None:
        self._heads = heads

    def __iter__(self) -> Iterator[Head]:
        for block, targets, agents, codes, deprecated in self._heads:
            for at, (key, staged) in enumerate(block):
                yield key, staged, _Request(targets[at], agents[at], codes[at], deprecated.get(at))


def _completes(at: int, ends: Mapping[str, int], batch: Events) -> bool:
    """Whether an opening event's request is complete after the batch; ``ends`` are its completions."""
    events, received, staged, _ = batch
    end = ends.get(received[at])
    if end is None or events[end].audit_id != events[at].audit_id:
        return False
    return end > at or within_repeat_window(staged[end], staged[at])


def _find_deprecated(
    events: Sequence[AuditEvent], tallies: Sequence[Tally], agents: Sequence[Agent]
) -> dict[int, _Deprecated]:
    """What the API server calls deprecated among the events, by position."""
    return {
        at: (
            # By type, for an Unmapped is a str too.
            name if type(name := tallies[at].target) is str else _resource(event.uri),
            agents[at],
            notes.removed_release or "",
        )
        for at, event in enumerate(events)
        if (notes := event.annotations) is not None and notes.deprecated is not None
    }


def _resource(uri: str) -> str:
    """What a request is of: ``group/version/resource``, else its path."""
    path = uri.partition("?")[0]
    found = _RESOURCE.match(path)
    return "/".join(filter(None, found.groups())) if found else path


def _deprecated_uses(counted: Mapping[_Deprecated, int]) -> tuple[DeprecatedUse, ...]:
    """The counts above zero, by user agent family."""
    uses: Counter[tuple[str, str, str]] = Counter()
    for (name, agent, release), hits in counted.items():
        uses[agent_family(agent), name, release] += hits
    return tuple(DeprecatedUse(*use, hits) for use, hits in sorted(uses.items()) if hits)


def _may_stay_open(event: AuditEvent) -> bool:
    """Whether a request may stay open for as long as it likes, or its end is never logged.

    Long-running are, by kube-apiserver's own rule, the verbs watch and proxy and the subresources below.
    Of a request that is refused as unauthorized only ResponseStarted is logged.
    """
    if event.verb in _LONG_VERBS or (event.response is not None and event.response.code == _UNAUTHORIZED):
        return True
    return _LONG_SUBRESOURCE.match(event.uri.partition("?")[0]) is not None


def _less_first(samples: list[tuple[Key, Sample]], keys: Iterable[Key]) -> list[tuple[Key, Sample]]:
    """The samples less the first one of each of the requests."""
    left, kept = set(keys), []
    for key, sample in samples:
        if key in left:
            left.remove(key)
        else:
            kept.append((key, sample))
    return kept


def _key(event: AuditEvent) -> Key:
    return event.received + event.audit_id
