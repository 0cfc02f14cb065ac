"""Counts the requests of an audit log, each once, in memory bounded by the requests in flight.

A request is one (``auditID``, ``requestReceivedTimestamp``), for a client may choose the ID.
``ResponseComplete`` and ``Panic`` end it, ``RequestReceived`` and ``ResponseStarted`` open it; what is open
at the end of the log counts as it stands. A completion repeated within 60 s of log time is the same request;
in a log whose time jumps back (AuditLogIntegrity tells) it may be taken for another one.

A log may be read in parts: each part is counted by a :class:`Counting` of its own, and
:meth:`Counting.append` puts the parts together, in order, to exactly what one pass would have counted.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from itertools import chain, compress
from operator import add, not_
from typing import NamedTuple

from auditsvc.core.events import (
    ENDED,
    TIME_LENGTH,
    UNKNOWN_TIME,
    AuditEvent,
    Events,
    decode,
    decode_lines,
    parse_time,
    render_time,
    sample_text,
)
from auditsvc.core.log_time import BACKWARDS_SLACK, LogTime
from auditsvc.core.mapper import Endpoint, OperationMapper, Unmapped
from auditsvc.core.usage import DeprecatedUse, OperationUsage, Sample, Usage
from auditsvc.errors import ParseError

REPEAT_WINDOW = timedelta(seconds=60)
REQUEST_TIMEOUT = timedelta(seconds=60)
"""After so long the API server ends every request that is not long-running (its ``--request-timeout``)."""

_REMEMBERED = REPEAT_WINDOW + BACKWARDS_SLACK
"""For so long a completion is remembered at least: a log may go back by the slack."""

MALFORMED_POSITIONS = 10
SAMPLES = 5
BATCH_EVENTS = 2000
CACHED_PATHS = 100_000
CACHED_AGENTS = 20_000

_AFTER_ALL = "~"
"""Sorts after every time."""

_LONG_VERBS = frozenset({"watch", "proxy"})
_UNAUTHORIZED = 401
# Group, version and resource of a path, as kube-apiserver takes it apart.
_RESOURCE = re.compile(
    r"/(?:api|apis/([^/]+))/([^/]+)/(?:watch/)?+"
    r"(?:namespaces/[^/]+/(?!$|(?:status|finalize)(?:/|$)))?+([^/]+)"
)
_LONG_SUBRESOURCE = re.compile(rf"{_RESOURCE.pattern}/[^/]+/(?:attach|exec|log|portforward|proxy)(?:/|$)")

_TEST_AGENT = "e2e.test"
_NO_AGENT = "none"

# What a request was mapped to: an operation's id, or why there is none.
_Target = str | Unmapped
# Whoever made a request: a user agent that stands for all of its family that ran for the same e2e test.
_Who = str
# What was used though the API server calls it deprecated: operationId, or resource where it is of none; by
# whom; and the release that removes it.
_Deprecated = tuple[str, _Who, str]
# All that counts of a request: target, who, response code, and what of it is deprecated.
_Request = tuple[_Target, _Who, int | None, _Deprecated | None]
# The same as it is counted, for few requests are of anything deprecated.
_Counted = tuple[_Target, _Who, int | None]
# Names one request: its time of receipt, which is of one length, and its audit ID.
_Key = str
# Hits by response code class, by e2e test, and by user agent family.
_Counts = tuple[dict[str, int], dict[str, int], dict[str, int]]


class _Endpoints(dict[str, Endpoint]):
    """What is at each path; emptied when it has grown to its bound."""

    def __init__(self, mapper: OperationMapper) -> None:
        super().__init__()
        self._endpoint = mapper.endpoint

    def __missing__(self, path: str) -> Endpoint:
        if len(self) >= CACHED_PATHS:
            self.clear()
        self[path] = found = self._endpoint(path)
        return found


class _Agents(dict[str | None, _Who]):
    """Who each user agent is; emptied when it has grown to its bound."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[str, str | None], _Who] = {}

    def __missing__(self, agent: str | None) -> _Who:
        if len(self) >= CACHED_AGENTS:
            self.clear()
        who = self._known.setdefault(_named(agent), agent or "")
        self[agent] = who
        return who


class _Tallies:
    """How often each target was requested, by whom and how answered, and when first and last."""

    def __init__(self) -> None:
        self.requests: Counter[_Counted] = Counter()
        self.deprecated: Counter[_Deprecated] = Counter()
        self.first: dict[_Target, str] = {}
        self.last: dict[_Target, str] = {}

    def count(
        self,
        targets: Sequence[_Target],
        who: Iterable[_Who],
        codes: Iterable[int | None],
        received: Iterable[str],
    ) -> None:
        """Counts requests, given by their columns."""
        self.requests.update(zip(targets, who, codes, strict=True))
        first, last = self.first, self.last
        for target, time in zip(targets, received, strict=True):
            known = last.get(target)
            if known is None or known == UNKNOWN_TIME:
                first[target] = last[target] = time
            elif time > known:
                last[target] = time
            elif time < first[target]:
                first[target] = _earlier(first[target], time)

    def take_back(self, request: _Request) -> None:
        """Counts a request no more. Its times stay: the same request is counted elsewhere."""
        target, who, code, deprecated = request
        self.requests[target, who, code] -= 1
        if deprecated is not None:
            self.deprecated[deprecated] -= 1

    def add(self, other: "_Tallies") -> None:
        """Adds what another part counted."""
        self.requests.update(other.requests)
        self.deprecated.update(other.deprecated)
        self.widen(other)

    def widen(self, other: "_Tallies") -> None:
        """Widens the times by those of the other."""
        for target, time in other.first.items():
            self.first[target] = _earlier(self.first.get(target, UNKNOWN_TIME), time)
            self.last[target] = max(self.last.get(target, UNKNOWN_TIME), other.last[target])


# Completions: their audit IDs, times of receipt and stage times. Times are of one length, and joined to one
# text: that takes less memory, and is handed on much faster, than many.
_Columns = tuple[list[str], str, str]


class _Open(NamedTuple):
    """A request that is not complete yet, at its newest stage."""

    request: _Request
    received: str
    staged: str
    sample: Sample | None
    stays: bool
    """Whether it may stay open: it is long-running, or of the kind whose completion is never logged."""

    def moved(self, lines: int) -> "_Open":
        """The same with its sample's line counted from that many lines further up."""
        return self if self.sample is None else self._replace(sample=self.sample.moved(lines))


def agent_family(agent: str | None) -> str:
    """The program that a user agent names: its text up to the first ``/`` or space; ``none`` without one."""
    return (agent or "").partition("/")[0].partition(" ")[0] or _NO_AGENT


def test_name(agent: str | None) -> str | None:
    """The e2e test that a user agent names: all after the first `` -- `` of an ``e2e.test`` agent."""
    if agent is None or not agent.startswith(_TEST_AGENT):
        return None
    return agent.partition(" -- ")[2] or None


class _Recent:
    """The newest completions: all of the last 60 s of log time, and more.

    They are kept as two generations of at least 60 s each, so that forgetting the old ones costs nothing.
    Whether an audit ID was seen is one look at a set; when its request completed is found out only where
    it was, which is rare.
    """

    def __init__(self) -> None:
        self._newer: set[str] = set()
        self._older: set[str] = set()
        self._columns: tuple[list[_Columns], list[_Columns]] = ([], [])
        self._times: dict[_Key, str] | None = None
        self._bounds = ("", "")

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def add(self, ids: list[str], received: list[str], staged: list[str]) -> bool:
        """Adds completions; False, with none added, where an ID is twice among them or was seen before."""
        before = len(self._newer)
        if not self._older.isdisjoint(ids):
            return False
        self._newer.update(ids)
        if len(self._newer) != before + len(ids):
            self._newer = {seen for column, _, _ in self._columns[0] for seen in column}
            return False
        self._keep(ids, "".join(received), "".join(staged))
        return True

    def add_one(self, event: AuditEvent) -> None:
        """Adds one completion, seen before or not."""
        self._newer.add(event.audit_id)
        self._keep([event.audit_id], event.received, event.staged)
        self.forget(event.staged)

    def append(self, ids: list[str], received: str, staged: str) -> None:
        """Adds the completions that a later part remembers."""
        self._newer.update(ids)
        self._keep(ids, received, staged)
        self.forget(staged[-TIME_LENGTH:] or UNKNOWN_TIME)

    def columns(self) -> _Columns:
        """All completions kept."""
        kept = [*self._columns[1], *self._columns[0]]
        return (
            [one for ids, _, _ in kept for one in ids],
            "".join([received for _, received, _ in kept]),
            "".join([staged for _, _, staged in kept]),
        )

    def seen(self, ids: list[str]) -> set[str]:
        """Those of the audit IDs that are among the completions kept."""
        return self._newer.intersection(ids) | self._older.intersection(ids)

    def repeats(self, event: AuditEvent) -> bool:
        """Whether the event's request completed within 60 s of the event."""
        if event.audit_id not in self._newer and event.audit_id not in self._older:
            return False
        return self.completed(_key(event), near=event.staged)

    def completed(self, key: _Key, *, near: str) -> bool:
        """Whether a request completed within 60 s of a stage time."""
        if self._times is None:
            self._times = {}
            for columns in (*self._columns[1], *self._columns[0]):
                self._times.update(_completions(columns))
        completed = self._times.get(key)
        return completed is not None and _within_repeat_window(completed, near)

    def _keep(self, ids: list[str], received: str, staged: str) -> None:
        columns = (ids, received, staged)
        self._columns[0].append(columns)
        if self._times is not None:
            self._times.update(_completions(columns))

    def forget(self, now: str) -> None:
        """Forgets, at a time of the log, what lies far enough back."""
        if now != UNKNOWN_TIME and not self._bounds[0] <= now <= self._bounds[1]:
            self._start_generation(now)

    def _start_generation(self, now: str) -> None:
        if self._bounds[1]:
            self._older, self._newer = self._newer, set()
            self._columns = ([], self._columns[0])
            self._times = None
        self._bounds = _shifted(now, -_REMEMBERED), _shifted(now, _REMEMBERED)


class Part(NamedTuple):
    """What a counted part hands on: picklable, and small beside the log.

    ``recent`` are its last completions. ``heads`` are those that an earlier part may have seen too, or seen
    opened, ``requests`` what these count as.
    """

    file: str
    starts_file: bool
    lines: int
    events: int
    first: str
    time: LogTime
    duplicates: int
    malformed: int
    malformed_at: list[tuple[str, int]]
    tallies: _Tallies
    open: dict[_Key, _Open]
    recent: _Columns
    heads: _Columns
    requests: list[_Request]
    samples: dict[_Target, list[tuple[_Key, Sample]]]


class Counting:
    """Counts one log, or one part of it, block by block.

    ``file`` names where the lines come from. With ``sampled``, the first events of each operation are
    kept. With ``handing_on``, the part keeps what earlier parts need to know of it, for :meth:`hand_on`.
    """

    def __init__(
        self, mapper: OperationMapper, *, file: str = "", sampled: bool = False, handing_on: bool = False
    ) -> None:
        self._file = file
        self._lines = 0
        self._starts_file = False
        self._events = 0
        self._sampled = sampled
        self._handing_on = handing_on
        self._batch = _Batch(file)
        self._endpoints = _Endpoints(mapper)
        self._agents = _Agents()
        self._first = UNKNOWN_TIME
        self._time = LogTime()
        self._duplicates = 0
        self._malformed = 0
        self._malformed_at: list[tuple[str, int]] = []
        self._tallies = _Tallies()
        self._open: dict[_Key, _Open] = {}
        self._recent = _Recent()
        self._heads: tuple[list[str], list[str], list[str], list[_Request]] = ([], [], [], [])
        self._heads_until: str | None = None
        self._samples: dict[_Target, list[tuple[_Key, Sample]]] = {}
        self._well_sampled: set[_Target] = set()

    @property
    def events(self) -> int:
        """The audit events seen."""
        return self._events + len(self._batch.events)

    @property
    def held(self) -> int:
        """The requests that are remembered one by one: those in flight, and the newest completions."""
        return len(self._open) + len(self._recent)

    def start_file(self, name: str) -> None:
        """The lines that follow are another file's, from its first one on."""
        self._flush()
        self._file = name
        self._lines = 0
        self._starts_file = True
        self._batch = _Batch(name)

    def skip_to(self, file: str, above: int) -> None:
        """What follows stands in that file, with so many lines above it that are not to be counted."""
        if file != self._file:
            self.start_file(file)
        self._lines = above

    def count(self, block: bytes) -> None:
        """Counts a block of whole lines; the last one may lack its line feed."""
        decoded = decode_lines(block)
        if decoded is None:
            self._flush()
            for line in block.removesuffix(b"\n").split(b"\n"):
                self._count_line(line)
            return
        self._batch.add(decoded, block if self._sampled else b"", self._lines)
        self._lines += len(decoded.events)
        if len(self._batch.events) >= BATCH_EVENTS:
            self._flush()

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
        batch = _Batch(self._file)
        batch.add(Events([event], [event.received], [event.staged]), line, self._lines - 1)
        self._note_events(batch)
        self._count_event(0, event, batch)

    def _flush(self) -> None:
        """Counts the events of the batch: together, or where requests repeat one after the other."""
        batch, self._batch = self._batch, _Batch(self._file)
        if not batch.events:
            return
        self._note_events(batch)
        if not self._count_batch(batch):
            for at, event in enumerate(batch.events):
                self._count_event(at, event, batch)

    def _note_events(self, batch: "_Batch") -> None:
        """Counts events and widens the time that the log spans."""
        self._events += len(batch.events)
        if self._heads_until is None:
            known = (time for time in batch.staged if time != UNKNOWN_TIME)
            self._heads_until = next((_shifted(time, REPEAT_WINDOW) for time in known), None)
        self._first = _earlier(self._first, min(batch.received))
        self._time.follow(batch.staged)

    def _count_event(self, at: int, event: AuditEvent, batch: "_Batch") -> None:
        """Counts one event after all before it: the rule itself; :meth:`_count_batch` agrees with it."""
        repeated = self._recent.repeats(event)
        if event.stage not in ENDED:
            if not repeated:
                self._keep_open([(at, event)], batch)
            return
        self._open.pop(_key(event), None)
        self._recent.add_one(event)
        if repeated:
            self._duplicates += 1
        else:
            self._complete([at], [event], [event.received], batch)

    def _count_batch(self, batch: "_Batch") -> bool:
        """Counts a batch's events together; False, with none counted, where an audit ID completes again."""
        events = batch.events
        positions: Sequence[int] = range(len(events))
        ended, received, staged = events, batch.received, batch.staged
        are_ended = [event.stage in ENDED for event in events]
        if any_open := not all(are_ended):
            positions = [*compress(positions, are_ended)]
            ended = [*compress(events, are_ended)]
            received = [*compress(received, are_ended)]
            staged = [*compress(staged, are_ended)]
        ids = [event.audit_id for event in ended]
        if not self._recent.add(ids, received, staged):
            return False
        ends = dict(zip(ids, positions, strict=True)) if any_open or self._open else {}
        self._close(ends, batch)
        if ended:
            self._complete(positions, ended, received, batch)
        if any_open:
            opening = compress(enumerate(events), map(not_, are_ended))
            self._keep_open(self._find_open(opening, ends, batch), batch)
        if staged:
            self._recent.forget(staged[-1])
        return True

    def _close(self, ends: Mapping[str, int], batch: "_Batch") -> None:
        """Forgets the open requests that a batch completes; ``ends`` are its completions by audit ID."""
        received = batch.received
        if len(self._open) > len(ends):  # the fewer of the two are gone through
            closed = [key for audit_id, at in ends.items() if (key := received[at] + audit_id) in self._open]
        else:
            found = ((key, ends.get(key[TIME_LENGTH:])) for key in self._open)
            closed = [key for key, at in found if at is not None and key.startswith(received[at])]
        for key in closed:
            del self._open[key]

    def _find_open(
        self, opening: Iterable[tuple[int, AuditEvent]], ends: Mapping[str, int], batch: "_Batch"
    ) -> list[tuple[int, AuditEvent]]:
        """The opening events of a counted batch whose requests are open after it."""
        opened = []
        for at, event in opening:
            end = ends.get(event.audit_id)
            completes_later = end is not None and end > at and batch.received[end] == event.received
            if not completes_later and not self._recent.repeats(event):
                opened.append((at, event))
        return opened

    def _columns_of(self, events: list[AuditEvent]) -> tuple[list[_Target], list[_Who], list[int | None]]:
        """Targets, who and response codes of events."""
        endpoints, agents = self._endpoints, self._agents
        return (
            [endpoints[event.uri.partition("?")[0]][event.verb] for event in events],
            [agents[event.agent] for event in events],
            [None if (response := event.response) is None else response.code for event in events],
        )

    def _complete(
        self, positions: Sequence[int], ended: list[AuditEvent], received: list[str], batch: "_Batch"
    ) -> None:
        """Counts completions, none of which repeats another."""
        targets, who, codes = self._columns_of(ended)
        self._tallies.count(targets, who, codes, received)
        deprecated = _find_deprecated(ended, targets, who)
        self._tallies.deprecated.update(deprecated.values())
        if self._handing_on and min(received) < (self._heads_until or _AFTER_ALL):
            found = map(deprecated.get, range(len(ended)))
            self._keep_heads(ended, list(zip(targets, who, codes, found, strict=True)))
        if self._sampled:
            self._keep_samples(positions, ended, targets, batch)

    def _keep_samples(
        self, positions: Sequence[int], ended: list[AuditEvent], targets: list[_Target], batch: "_Batch"
    ) -> None:
        well_sampled = self._well_sampled
        for place in [place for place, target in enumerate(targets) if target not in well_sampled]:
            kept = self._samples.setdefault(targets[place], [])
            if len(kept) < SAMPLES:
                kept.append((_key(ended[place]), batch.sample(positions[place])))
            if len(kept) == SAMPLES:
                well_sampled.add(targets[place])

    def _keep_heads(self, ended: list[AuditEvent], requests: list[_Request]) -> None:
        ids, received, staged, counted = self._heads
        until = self._heads_until or _AFTER_ALL
        for event, request in zip(ended, requests, strict=True):
            if event.received < until:
                ids.append(event.audit_id)
                received.append(event.received)
                staged.append(event.staged)
                counted.append(request)

    def _keep_open(self, opened: list[tuple[int, AuditEvent]], batch: "_Batch") -> None:
        events = [event for _, event in opened]
        targets, who, codes = self._columns_of(events)
        deprecated = map(_find_deprecated(events, targets, who).get, range(len(events)))
        requests = zip(targets, who, codes, deprecated, strict=True)
        for (at, event), request in zip(opened, requests, strict=True):
            # Five completions leave no room for an open request among the samples.
            wanted = self._sampled and request[0] not in self._well_sampled
            sample = batch.sample(at) if wanted else None
            self._open.pop(_key(event), None)
            self._open[_key(event)] = _Open(
                request, event.received, event.staged, sample, _may_stay_open(event)
            )

    def hand_on(self, *, followed: bool = True) -> Part:
        """All that was counted, for :meth:`append`; with what the parts after this need, if there are any."""
        self._flush()
        ids, received, staged, requests = self._heads
        return Part(
            file=self._file,
            starts_file=self._starts_file,
            lines=self._lines,
            events=self._events,
            first=self._first,
            time=self._time,
            duplicates=self._duplicates,
            malformed=self._malformed,
            malformed_at=self._malformed_at,
            tallies=self._tallies,
            open=self._open,
            recent=self._recent.columns() if followed else ([], "", ""),
            heads=(ids, "".join(received), "".join(staged)),
            requests=requests,
            samples=self._samples,
        )

    def append(self, part: Part) -> None:
        """Adds the part of the log that follows. Its counts are changed and then belong to this one."""
        if part.starts_file or part.file != self._file:
            self.start_file(part.file)
        self._flush()
        self._append_completions(part)
        self._append_open(part)
        self._tallies.add(part.tallies)
        for target, samples in part.samples.items():
            kept = self._samples.setdefault(target, [])
            kept += [(key, sample.moved(self._lines)) for key, sample in samples[: SAMPLES - len(kept)]]
            if len(kept) == SAMPLES:
                self._well_sampled.add(target)
        self._recent.append(*part.recent)
        self._malformed += part.malformed
        room = MALFORMED_POSITIONS - len(self._malformed_at)
        self._malformed_at += [(file, self._lines + line) for file, line in part.malformed_at[:room]]
        self._duplicates += part.duplicates
        self._events += part.events
        self._first = _earlier(self._first, part.first)
        self._time.append(part.time)
        self._lines += part.lines

    def _append_completions(self, part: Part) -> None:
        """Closes what the part completed, and takes back what it counted a second time."""
        ids, received, staged = part.heads
        seen = self._recent.seen(ids) | {key[TIME_LENGTH:] for key in self._open}.intersection(ids)
        if not seen:
            return
        repeated = set()
        for at in [at for at, audit_id in enumerate(ids) if audit_id in seen]:
            time = slice(at * TIME_LENGTH, (at + 1) * TIME_LENGTH)
            key = received[time] + ids[at]
            self._open.pop(key, None)
            if key not in repeated and self._recent.completed(key, near=staged[time]):
                repeated.add(key)
                part.tallies.take_back(part.requests[at])
        self._duplicates += len(repeated)
        for samples in part.samples.values():
            samples[:] = _less_first(samples, repeated)

    def _append_open(self, part: Part) -> None:
        for key, request in part.open.items():
            if not self._recent.completed(key, near=request.staged):
                self._open.pop(key, None)
                self._open[key] = request.moved(self._lines)

    def usage(self) -> Usage:
        """What was used; requests still open count as they stand."""
        self._flush()
        opened = _Tallies()
        samples = {target: [sample for _, sample in kept] for target, kept in self._samples.items()}
        for request in self._open.values():
            target, who, code, deprecated = request.request
            opened.count([target], [who], [code], [request.received])
            opened.deprecated.update([deprecated] if deprecated else [])
            if request.sample is not None:
                samples.setdefault(target, []).append(request.sample)
        requests = chain(self._tallies.requests.items(), opened.requests.items())
        opened.widen(self._tallies)
        used = _used(requests, opened, samples)
        operations = {name: found for name, found in sorted(used.items()) if not isinstance(name, Unmapped)}
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
            events=self._events,
            first=parse_time(self._first),
            last=parse_time(self._time.latest),
            backwards=self._time.backwards,
            gaps=tuple(self._time.gaps),
            never_completed=self._never_completed(),
            deprecated=_deprecated_uses(self._tallies.deprecated + opened.deprecated),
        )

    def _never_completed(self) -> int:
        """The open requests that the API server should have ended before the log does."""
        latest = _shifted(self._time.latest, -REQUEST_TIMEOUT)
        return sum(not request.stays and request.staged <= latest for request in self._open.values())


class _Batch:
    """Events to be counted together, and the blocks of lines that they stand in, for samples."""

    def __init__(self, file: str) -> None:
        self.events: list[AuditEvent] = []
        self.received: list[str] = []
        self.staged: list[str] = []
        self._file = file
        self._starts: list[int] = []
        self._blocks: list[tuple[bytes, int]] = []
        self._split: tuple[int, list[bytes]] = (-1, [])

    def add(self, decoded: Events, block: bytes, lines_before: int) -> None:
        """Adds the events of a block, one on each line."""
        self._starts.append(len(self.events))
        self._blocks.append((block, lines_before))
        self.events += decoded.events
        self.received += decoded.received
        self.staged += decoded.staged

    def sample(self, at: int) -> Sample:
        """The event at that position as it was logged."""
        block = bisect_right(self._starts, at) - 1
        text, lines_before = self._blocks[block]
        if self._split[0] != block:
            self._split = block, text.split(b"\n")
        line = at - self._starts[block]
        return Sample(self._file, lines_before + line + 1, sample_text(self._split[1][line]))


def _used(
    requests: Iterable[tuple[_Counted, int]], times: _Tallies, samples: Mapping[_Target, Sequence[Sample]]
) -> dict[_Target, OperationUsage]:
    """What was counted, by target; the first and last times are those of the tallies."""
    counts: dict[_Target, _Counts] = {target: ({}, {}, {}) for target in times.first}
    code_class, named = cache(_code_class), cache(_named)
    for (target, who, code), hits in requests:
        codes, tests, agents = counts[target]
        name, (family, test) = code_class(code), named(who)
        codes[name] = codes.get(name, 0) + hits
        agents[family] = agents.get(family, 0) + hits
        if test:
            tests[test] = tests.get(test, 0) + hits
    return {
        target: OperationUsage(
            hits=sum(codes.values()),
            codes=_counted(codes),
            tests=_counted(tests),
            agents=_counted(agents),
            first=parse_time(times.first[target]),
            last=parse_time(times.last[target]),
            samples=tuple(samples.get(target, ())[:SAMPLES]),
        )
        for target, (codes, tests, agents) in counts.items()
        if any(codes.values())
    }


def _named(agent: str | None) -> tuple[str, str | None]:
    """The family of a user agent, and the e2e test that it ran for."""
    return agent_family(agent), test_name(agent)


def _find_deprecated(
    events: Sequence[AuditEvent], targets: Sequence[_Target], who: Sequence[_Who]
) -> dict[int, _Deprecated]:
    """What the API server calls deprecated among the events, by position."""
    return {
        at: (
            # By type, for an Unmapped is a str too and isinstance takes longer.
            name if type(name := targets[at]) is str else _resource(event.uri),
            who[at],
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
    for (name, who, release), hits in counted.items():
        uses[agent_family(who), name, release] += hits
    return tuple(DeprecatedUse(*use, hits) for use, hits in sorted(uses.items()) if hits)


def _may_stay_open(event: AuditEvent) -> bool:
    """Whether a request may stay open for as long as it likes, or its end is never logged.

    Long-running are, by kube-apiserver's own rule, the verbs watch and proxy and the subresources below.
    Of a request that is refused as unauthorized only ResponseStarted is logged.
    """
    if event.verb in _LONG_VERBS or (event.response is not None and event.response.code == _UNAUTHORIZED):
        return True
    return _LONG_SUBRESOURCE.match(event.uri.partition("?")[0]) is not None


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts above zero, by name."""
    return {name: counts[name] for name in sorted(counts) if counts[name]}


def _less_first(samples: list[tuple[_Key, Sample]], keys: set[_Key]) -> list[tuple[_Key, Sample]]:
    """The samples less the first one of each of the requests."""
    left, kept = set(keys), []
    for key, sample in samples:
        if key in left:
            left.remove(key)
        else:
            kept.append((key, sample))
    return kept


def _code_class(code: int | None) -> str:
    return f"{code // 100}xx" if code is not None and 100 <= code < 600 else "none"


def _earlier(known: str, time: str) -> str:
    """The earlier of two times, where either may be unknown."""
    return min(known, time) if UNKNOWN_TIME not in (known, time) else max(known, time)


def _within_repeat_window(completed: str, staged: str) -> bool:
    """Whether two stage times lie within 60 s; where one is unknown, nothing speaks against it."""
    one, other = parse_time(completed), parse_time(staged)
    return one is None or other is None or abs(other - one) <= REPEAT_WINDOW


def _shifted(time: str, by: timedelta) -> str:
    """A time so much later; beyond the calendar's ends, a text before or after every time."""
    moment = parse_time(time)
    try:
        return UNKNOWN_TIME if moment is None else render_time(moment + by)
    except OverflowError:
        return "" if by < timedelta() else _AFTER_ALL


def _key(event: AuditEvent) -> _Key:
    return event.received + event.audit_id


def _completions(columns: _Columns) -> Iterator[tuple[_Key, str]]:
    """The key and the stage time of each completion."""
    ids, received, staged = columns
    return zip(map(add, _parted(received), ids), _parted(staged), strict=True)


def _parted(times: str) -> list[str]:
    """Joined times apart again."""
    return [times[at : at + TIME_LENGTH] for at in range(0, len(times), TIME_LENGTH)]
