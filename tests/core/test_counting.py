import json
import pickle
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import auditsvc.core.counting
import auditsvc.core.tally
from auditsvc.core.counting import Counting
from auditsvc.core.log_time import BACKWARDS_SLACK
from auditsvc.core.mapper import OperationMapper, Unmapped
from auditsvc.core.swagger import Operation
from auditsvc.core.usage import DeprecatedUse, Gap, OperationUsage, Sample, Usage
from tests.logs import E2E, NOON, at, count_lines, counted, event, lines_of, recorded_mapper, unpacked

LIST_PODS = "listCoreV1PodForAllNamespaces"
MINUTE = timedelta(seconds=60)
RESOURCES = {"/apis/x.io/v1/y": "x.io/v1/y", "/version": "/version"}
"""What unmapped requests of these tests are of."""
RECEIVED, STARTED, COMPLETE, PANIC = "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"

# A log in several files: each a name and its lines.
Files = Sequence[tuple[str, Sequence[bytes]]]


@pytest.fixture(scope="module")
def mapper(demo_data: Path) -> OperationMapper:
    """The recorded server's operations, found."""
    return recorded_mapper(demo_data)


def count_files(mapper: OperationMapper, files: Files, *, block: int = 1000) -> Usage:
    """What the files used, in one pass."""
    counting = Counting(mapper, sampled=True)
    for name, lines in files:
        counting.start_file(name)
        count_lines(counting, list(lines), block=block)
    return counting.usage()


def count_parts(mapper: OperationMapper, files: Files, *, block: int = 1000) -> Usage:
    """What the files used, each counted on its own, in this process as in others, and put together."""
    whole, whole_of_others = Counting(mapper, sampled=True), Counting(mapper, sampled=True)
    for name, lines in files:
        counting = Counting(mapper, file=name, sampled=True, handing_on=True)
        count_lines(counting, list(lines), block=block)
        part = counting.hand_on()
        whole_of_others.append(pickle.loads(pickle.dumps(part)))  # noqa: S301 - pickled right here
        whole.append(part)
    usage = whole.usage()
    assert usage == whole_of_others.usage()
    assert usage == count_ahead(mapper, files, block=block, sampled=True)
    assert without_samples(usage) == count_ahead(mapper, files, block=block, sampled=False)
    return usage


def count_ahead(mapper: OperationMapper, files: Files, *, block: int, sampled: bool) -> Usage:
    """What the files used, the last one counted first."""
    whole = Counting(mapper, sampled=sampled)
    parts = []
    for name, lines in reversed(files):
        counting = whole.ahead(name)
        count_lines(counting, list(lines), block=block)
        parts.append(counting.hand_on())
    for part in reversed(parts):
        whole.append(part)
    return whole.usage()


def cut(files: Files, positions: Sequence[int]) -> Files:
    """The same lines, each file cut at those of the positions that lie in it; it may leave empty parts."""
    parts = []
    before = 0
    for name, lines in files:
        bounds = [0, *(p - before for p in sorted(positions) if 0 <= p - before <= len(lines)), len(lines)]
        parts += [(name, lines[start:end]) for start, end in pairwise(bounds)]
        before += len(lines)
    return parts


def cut_evenly(files: Files, parts: int) -> Files:
    """The same lines in that many parts of near equal size."""
    total = sum(len(lines) for _, lines in files)
    return cut(files, [total * number // parts for number in range(1, parts)])


class TestRecordedLogs:
    """Logs of a real API server."""

    @pytest.mark.parametrize("run", ["ci", "pull", "requestresponse"])
    def test_parts(self, run: str, shared_data: Path, mapper: OperationMapper) -> None:
        """One pass equals the same log cut into parts and put together, samples and all."""
        text = unpacked(shared_data / "kubernetes-1.20.2" / f"{run}-audit.log.gz")
        log = [("audit.log", lines_of(text))]
        whole = count_files(mapper, log)
        assert whole.malformed == 0
        assert all(used.samples for used in (*whole.operations.values(), *whole.unmapped.values()))
        for parts in (1, 2, 7, 100):
            assert count_parts(mapper, cut_evenly(log, parts)) == whole

    @pytest.mark.parametrize("run", ["ci", "pull", "requestresponse"])
    def test_blocks(self, run: str, shared_data: Path, mapper: OperationMapper) -> None:
        """How many lines are counted at a time makes no difference."""
        text = unpacked(shared_data / "kubernetes-1.20.2" / f"{run}-audit.log.gz")
        log = [("audit.log", lines_of(text))]
        one_by_one = count_files(mapper, log, block=1)
        for block in (2, 777):
            assert count_files(mapper, log, block=block) == one_by_one

    @pytest.mark.parametrize("run", ["ci", "pull", "requestresponse"])
    def test_reference(self, run: str, shared_data: Path, mapper: OperationMapper) -> None:
        """The counts are those of a plain reading of the rule."""
        text = unpacked(shared_data / "kubernetes-1.20.2" / f"{run}-audit.log.gz")
        expected = Reference(mapper)
        for line in text.splitlines():
            expected.read(json.loads(line))
        assert without_samples(counted(mapper, text)) == without_samples(expected.usage())

    def test_all_stages(self, shared_data: Path, mapper: OperationMapper) -> None:
        """With every stage logged, each audit ID is one request; a 401 and a panic are ones too."""
        text = unpacked(shared_data / "kubernetes-1.20.2" / "requestresponse-audit.log.gz")
        events = [json.loads(line) for line in text.splitlines()]
        usage = counted(mapper, text)
        assert usage.requests == len({event["auditID"] for event in events})
        assert usage.events == len(events)
        last = {event["auditID"]: event for event in events}.values()
        codes = Counter(str((event.get("responseStatus") or {}).get("code", "none"))[:1] for event in last)
        used = (*usage.operations.values(), *usage.unmapped.values())
        assert Counter({"4": codes["4"], "5": codes["5"]}) == Counter(
            {code[0]: sum(one.codes.get(code, 0) for one in used) for code in ("4xx", "5xx")}
        )
        stages = Counter(event["stage"] for event in last)
        assert stages.keys() == {RECEIVED, STARTED, COMPLETE, PANIC}
        assert usage.incomplete == stages[RECEIVED] + stages[STARTED]


class TestStages:
    """A request counts once, at its last stage."""

    @pytest.mark.parametrize(
        ("lines", "requests", "incomplete", "codes"),
        [
            ([event()], 1, 0, {"2xx": 1}),
            ([event(stage=PANIC, code=500)], 1, 0, {"5xx": 1}),
            ([event(stage=STARTED, code=401, user={})], 1, 1, {"4xx": 1}),
            ([event(stage=RECEIVED, code=None)], 1, 1, {"none": 1}),
            ([event(stage=RECEIVED, code=None), event()], 1, 0, {"2xx": 1}),
            (
                [event(stage=RECEIVED, code=None), event(stage=STARTED, code=101), event(code=200)],
                1,
                0,
                {"2xx": 1},
            ),
            ([event(stage=RECEIVED, code=None), event(stage=STARTED, code=101)], 1, 1, {"1xx": 1}),
            ([event(stage=STARTED), event(stage=PANIC, code=500)], 1, 0, {"5xx": 1}),
            # a client chose the ID of both
            ([event(), event(received=1)], 2, 0, {"2xx": 2}),
            ([event(stage=STARTED), event(received=1)], 2, 1, {"2xx": 2}),
            ([event("a"), event("b")], 2, 0, {"2xx": 2}),
        ],
    )
    def test_counted_once(
        self,
        lines: list[bytes],
        requests: int,
        incomplete: int,
        codes: dict[str, int],
        mapper: OperationMapper,
    ) -> None:
        """What ends a request counts it, and what is still open when the log ends counts as it stands."""
        usage = counted(mapper, b"".join(lines))
        assert (usage.requests, usage.incomplete, usage.events) == (requests, incomplete, len(lines))
        assert usage.operations[LIST_PODS].codes == codes

    @pytest.mark.parametrize(("after", "duplicates"), [(0, 1), (59.9, 1), (60, 1), (60.1, 0), (1000, 0)])
    def test_repeated_completion(self, after: float, duplicates: int, mapper: OperationMapper) -> None:
        """A completion repeated within 60 s is the same request."""
        usage = counted(mapper, event() + event(staged=after))
        assert (usage.requests, usage.duplicates) == (2 - duplicates, duplicates)

    @pytest.mark.parametrize("after", [59, 60, 60.1, 119.9, 120])
    def test_remembered(self, after: float, mapper: OperationMapper) -> None:
        """A completion is remembered for all of the 60 s, whatever was completed meanwhile."""
        lines = [event(), event(staged=60), event("b", received=after), event(stage=STARTED, staged=after)]
        for lines_at_once in (1, 2, 4):
            usage = counted(mapper, b"".join(lines), block=lines_at_once)
            assert (usage.requests, usage.incomplete, usage.duplicates) == (2, 0, 1)

    def test_remembered_within_a_batch(
        self, mapper: OperationMapper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is so also where what was completed meanwhile is counted together with the late stage."""
        monkeypatch.setattr(auditsvc.core.counting, "BATCH_EVENTS", 2)
        lines = [event("x"), event("y"), event("z", received=1), event("a", received=60.5)]
        late = event("a", STARTED, received=60.5, staged=120.5)
        usage = counted(mapper, b"".join([*lines, late, event("b", received=121)]), block=1)
        assert (usage.requests, usage.incomplete) == (5, 0)

    @pytest.mark.parametrize(("after", "incomplete"), [(0, 0), (60, 0), (60.1, 1)])
    def test_late_open(self, after: float, incomplete: int, mapper: OperationMapper) -> None:
        """An open stage logged within 60 s after the completion opens nothing."""
        usage = counted(mapper, event() + event(stage=STARTED, staged=after))
        assert (usage.requests, usage.incomplete) == (1 + incomplete, incomplete)

    def test_long_watch(self, mapper: OperationMapper) -> None:
        """A watch that ends an hour after it started is one request."""
        watch = event("w", STARTED, verb="watch") + b"".join(event(str(n), received=n) for n in range(3600))
        usage = counted(mapper, watch + event("w", verb="watch", staged=3600))
        assert (usage.requests, usage.incomplete, usage.duplicates) == (3601, 0, 0)

    @pytest.mark.parametrize(
        ("code", "known"),
        [(100, "1xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (599, "5xx")]
        + [(code, "none") for code in (None, 0, 99, 600, -200)],
    )
    def test_codes(self, code: int | None, known: str, mapper: OperationMapper) -> None:
        """Codes count by their class; none, and one that HTTP does not have, as `none`."""
        assert counted(mapper, event(code=code)).operations[LIST_PODS].codes == {known: 1}

    def test_no_code(self, mapper: OperationMapper) -> None:
        """A response status without a code has none."""
        text = event(responseStatus={"metadata": {}}) + event("b", responseStatus={"code": None})
        assert counted(mapper, text).operations[LIST_PODS].codes == {"none": 2}

    def test_times(self, mapper: OperationMapper) -> None:
        """First and last are when an operation's requests were received; the log's last its last stage."""
        text = event("a", received=5, staged=9) + event("b", received=3, staged=10)
        text += event("c", received=4, uri="/healthz", staged=11)
        usage = counted(mapper, text)
        used = usage.operations[LIST_PODS]
        assert (used.first, used.last) == (NOON + timedelta(seconds=3), NOON + timedelta(seconds=5))
        assert (usage.first, usage.last) == (NOON + timedelta(seconds=3), NOON + timedelta(seconds=11))

    def test_unknown_times(self, mapper: OperationMapper) -> None:
        """Events without times count; nobody knows when."""
        untimed: dict[str, Any] = {"requestReceivedTimestamp": None, "stageTimestamp": None}
        text = event("a", RECEIVED, **untimed) + event("a", **untimed) + event("b", **untimed)
        usage = counted(mapper, text)
        assert (usage.requests, usage.first, usage.last) == (2, None, None)
        timed = counted(mapper, text + event("c", received=3) + event("d", **untimed)).operations[LIST_PODS]
        assert timed.first == timed.last == NOON + timedelta(seconds=3)

    def test_unmapped(self, mapper: OperationMapper) -> None:
        """What is no operation is counted by its reason, like an operation."""
        text = event("a", uri="/healthz", code=401) + event("b", uri="/metrics") + event("c")
        usage = counted(mapper, text)
        assert (usage.requests, usage.mapped) == (3, 1)
        used = usage.unmapped[Unmapped.NON_API]
        assert (used.hits, used.codes, used.agents) == (2, {"2xx": 1, "4xx": 1}, {"kubectl": 2})
        assert len(used.samples) == 2

    def test_empty(self, mapper: OperationMapper) -> None:
        """Nothing used nothing."""
        nothing = Usage({}, 0, 0, backwards=0, gaps=(), never_completed=0, deprecated=())
        assert Counting(mapper).usage() == nothing
        assert count_parts(mapper, [("a.log", []), ("b.log", [])]) == nothing

    def test_skip_to(self, mapper: OperationMapper) -> None:
        """Lines that others count have their place all the same."""
        counting = Counting(mapper, sampled=True)
        for file, above in (("a.log", 0), ("a.log", 6), ("b.log", 2)):
            counting.skip_to(file, above)
            counting.count(event(f"{file}{above}"))
        samples = counting.usage().operations[LIST_PODS].samples
        assert [(one.file, one.line) for one in samples] == [("a.log", 1), ("a.log", 7), ("b.log", 3)]

    def test_usage_while_counting(self, mapper: OperationMapper) -> None:
        """What was used so far can be asked at any time, and asking changes nothing."""
        counting = Counting(mapper, file="audit.log", sampled=True)
        counting.count(event("a") + event("b", STARTED))
        assert counting.usage() == counting.usage()
        assert (counting.events, counting.usage().requests) == (2, 2)
        counting.count(event("b"))
        assert counting.usage() == counted(mapper, event("a") + event("b", STARTED) + event("b"))


MARK = {"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.25"}


class TestNeverCompleted:
    """Open requests that the API server should have ended."""

    @pytest.mark.parametrize(
        ("opened", "never"),
        [
            ({}, 1),
            ({"stage": STARTED}, 1),
            ({"stage": STARTED, "code": 401, "user": {}}, 0),
            ({"verb": "watch"}, 0),
            ({"verb": "proxy"}, 0),
            ({"uri": "/api/v1/namespaces/a/pods/b/exec?command=ls", "verb": "create"}, 0),
            ({"uri": "/api/v1/namespaces/a/pods/b/log", "verb": "get"}, 0),
            ({"uri": "/api/v1/namespaces/a/services/b/proxy/x/y", "verb": "get"}, 0),
            ({"uri": "/api/v1/nodes/b/proxy", "verb": "get"}, 0),
            ({"uri": "/apis/x.io/v1/namespaces/a/things/b/attach", "verb": "create"}, 0),
            ({"uri": "/api/v1/namespaces/a/pods/b/status", "verb": "get"}, 1),
            ({"uri": "/api/v1/namespaces/a/status", "verb": "get"}, 1),
            # names are names
            ({"uri": "/api/v1/namespaces/pods/log", "verb": "get"}, 1),
            ({"uri": "/api/v1/namespaces/a/pods/exec", "verb": "get"}, 1),
            ({"uri": "/api/v1/namespaces/exec/pods/log", "verb": "get"}, 1),
            ({"uri": "/logs/x/exec", "verb": "get"}, 1),
        ],
    )
    def test_kinds(self, opened: dict[str, Any], never: int, mapper: OperationMapper) -> None:
        """Watches, long-running subresources and the unauthorized may stay open."""
        usage = counted(mapper, event(**{"stage": RECEIVED, "code": None} | opened) + event("b", received=60))
        assert (usage.incomplete, usage.never_completed) == (1, never)

    @pytest.mark.parametrize(("end", "never"), [(0, 0), (59.9, 0), (60, 1), (3600, 1)])
    def test_in_flight(self, end: float, never: int, mapper: OperationMapper) -> None:
        """What was opened within the log's last 60 s is in flight: that is the server's own limit."""
        usage = counted(mapper, event(stage=RECEIVED, code=None) + event("b", received=end))
        assert (usage.incomplete, usage.never_completed) == (1, never)

    def test_recorded(self, shared_data: Path, mapper: OperationMapper) -> None:
        """In the logs of a real server nothing is missing."""
        for run in ("ci", "pull", "requestresponse"):
            usage = counted(mapper, unpacked(shared_data / "kubernetes-1.20.2" / f"{run}-audit.log.gz"))
            assert usage.incomplete > 0
            assert (usage.never_completed, usage.backwards, usage.gaps) == (0, 0, ())


class TestDeprecated:
    """Requests that the API server marked as deprecated."""

    def test_by_client(self, mapper: OperationMapper) -> None:
        """They are counted by user agent family, operation and release; the others are not."""
        lines = [event(f"a{n}", agent=f"kubectl/v1.{n}", annotations=MARK) for n in range(3)]
        lines += [event("b", agent="argocd/v3", annotations={"k8s.io/deprecated": "true"}), event("c")]
        lines += [event("d", annotations={"authorization.k8s.io/decision": "allow"})]
        expected = (DeprecatedUse("argocd", LIST_PODS, "", 1), DeprecatedUse("kubectl", LIST_PODS, "1.25", 3))
        assert counted(mapper, b"".join(lines)).deprecated == expected

    @pytest.mark.parametrize(
        ("uri", "name"),
        [
            ("/apis/x.io/v1beta1/things", "x.io/v1beta1/things"),
            ("/apis/x.io/v1beta1/namespaces/a/things/b?limit=1", "x.io/v1beta1/things"),
            ("/apis/x.io/v1beta1/watch/namespaces/a/things", "x.io/v1beta1/things"),
            ("/api/v9/namespaces/a", "v9/namespaces"),
            ("/api/v9/namespaces/a/status", "v9/namespaces"),
            ("/metrics?x", "/metrics"),
        ],
    )
    def test_no_operation(self, uri: str, name: str, mapper: OperationMapper) -> None:
        """What is no operation is named by group, version and resource, else by its path."""
        [use] = counted(mapper, event(uri=uri, annotations=MARK)).deprecated or ()
        assert use.name == name

    def test_last_stage(self, mapper: OperationMapper) -> None:
        """A request is counted once, with what its last stage says; an open one as it stands."""
        opened = event(stage=STARTED, annotations=MARK)
        assert counted(mapper, opened).deprecated == (DeprecatedUse("kubectl", LIST_PODS, "1.25", 1),)
        assert counted(mapper, opened + event()).deprecated == ()
        assert counted(mapper, opened + event(annotations=MARK) * 2).deprecated == (
            DeprecatedUse("kubectl", LIST_PODS, "1.25", 1),
        )

    def test_repeated_in_another_part(self, mapper: OperationMapper) -> None:
        """A completion that a later part repeats is taken back with its mark."""
        line = event(annotations=MARK)
        usage = count_parts(mapper, [("a.log", [line]), ("a.log", [line])])
        assert (usage.duplicates, usage.deprecated) == (1, (DeprecatedUse("kubectl", LIST_PODS, "1.25", 1),))

    def test_in_objects(self, mapper: OperationMapper) -> None:
        """An object's own annotations are none of the event's."""
        line = event(requestObject={"metadata": {"annotations": MARK}, "annotations": MARK})
        assert counted(mapper, line).deprecated == ()

    def test_recorded(self, shared_data: Path, mapper: OperationMapper) -> None:
        """In a recorded log they are those that a plain reading finds."""
        text = unpacked(shared_data / "kubernetes-1.20.2" / "ci-audit.log.gz")
        uses = counted(mapper, text).deprecated or ()
        assert sum(use.requests for use in uses) == 18
        assert {use.removed_release for use in uses} == {"1.22"}


class TestWho:
    """Who made a request."""

    def test_bounded_memory(self, mapper: OperationMapper, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was found out about paths and agents is forgotten now and then, and found out again."""
        text = b"".join(
            event(
                str(number),
                uri=f"/api/v1/nodes/{number % 7}",
                verb="get",
                agent=f"a{number % 5}/v{number % 3}",
            )
            for number in range(105)
        )
        expected = counted(mapper, text)
        monkeypatch.setattr(auditsvc.core.tally, "CACHED_PATHS", 2)
        monkeypatch.setattr(auditsvc.core.tally, "CACHED_AGENTS", 2)
        assert counted(mapper, text) == expected
        assert expected.operations["readCoreV1Node"].agents == {f"a{number}": 21 for number in range(5)}

    def test_counted(self, mapper: OperationMapper) -> None:
        """Each operation knows its agents' families and the tests that used it."""
        agents = [f"{E2E}a", f"{E2E}a", f"{E2E}b [Conformance]", "kubectl/v1", "kubectl/v2", None, "x\ny/1"]
        text = b"".join(event(str(number), agent=agent) for number, agent in enumerate(agents))
        used = counted(mapper, text).operations[LIST_PODS]
        assert used.agents == {"e2e.test": 3, "kubectl": 2, "none": 1, "x\ny": 1}
        assert used.tests == {"a": 2, "b [Conformance]": 1}
        assert (used.hits, used.conformance_hits) == (7, 1)


class TestSamples:
    """The first events of each operation are kept as they were logged."""

    def test_first_five(self, mapper: OperationMapper) -> None:
        """Five completions in the order of the log; open requests only where there is room."""
        lines = [event("o", STARTED), *(event(str(n), received=n) for n in range(7))]
        lines += [event("v", uri="/version"), event("w", STARTED, uri="/version")]
        usage = counted(mapper, b"".join(lines))
        shown = [
            (sample.line, json.loads(sample.event)["auditID"]) for sample in samples_of(usage, LIST_PODS)
        ]
        assert shown == [(2, "0"), (3, "1"), (4, "2"), (5, "3"), (6, "4")]
        assert [sample.line for sample in samples_of(usage, "getCodeVersion")] == [9, 10]

    def test_open_at_its_newest_stage(self, mapper: OperationMapper) -> None:
        """An open request is shown at its newest stage, after the completions."""
        lines = [event("o", RECEIVED, code=None), event("p", STARTED), event("o", STARTED), event("c")]
        usage = counted(mapper, b"".join(lines))
        assert [sample.line for sample in samples_of(usage, LIST_PODS)] == [4, 2, 3]

    def test_as_logged(self, mapper: OperationMapper) -> None:
        """A sample is the line itself, without its line feed."""
        line = event(uri="/api/v1/pods?fieldSelector=é", annotations={"a": "requestObject"})
        [sample] = samples_of(counted(mapper, line), LIST_PODS)
        assert sample == Sample("audit.log", 1, line.decode().rstrip("\n"))

    def test_no_objects(self, mapper: OperationMapper) -> None:
        """Request and response objects are left out; all else stays, in its order."""
        line = event(requestObject={"kind": "Pod"}, responseObject=None, annotations={"a": "b"})
        [sample] = samples_of(counted(mapper, line), LIST_PODS)
        assert sample.event == event(annotations={"a": "b"}).decode().rstrip("\n")

    def test_null_objects(self, mapper: OperationMapper) -> None:
        """So are ones that are null."""
        line = event().replace(b',"userAgent"', b',"requestObject":null,"responseObject":null,"userAgent"')
        [sample] = samples_of(counted(mapper, line), LIST_PODS)
        assert sample.event == event().decode().rstrip("\n")

    def test_long_event(self, mapper: OperationMapper) -> None:
        """At most 8 KB are kept of an event, cut between characters."""
        line = event(annotations={"a": "é" * 10_000})
        [sample] = samples_of(counted(mapper, line), LIST_PODS)
        assert len(sample.event.encode()) in (8191, 8192)
        assert line.decode().startswith(sample.event)

    def test_large_objects(self, mapper: OperationMapper) -> None:
        """An event is cut after its objects are left out, however large they are."""
        line = event(requestObject={"data": "x" * 100_000}, annotations={"a": "b"})
        [sample] = samples_of(counted(mapper, line), LIST_PODS)
        assert json.loads(sample.event)["annotations"] == {"a": "b"}

    def test_bytes_that_are_no_text(self, mapper: OperationMapper) -> None:
        """What is no UTF-8 in a member that nobody reads is replaced in the sample."""
        line = event(q="x", requestObject={}).replace(b'"x"', b'"\xff"')
        key = event("b", q="x", requestObject={}).replace(b'"q"', b'"\xff"')
        shown = [sample.event for sample in samples_of(counted(mapper, line + key), LIST_PODS)]
        assert [json.loads(text) for text in shown] == [
            json.loads(event(q="\ufffd")),
            json.loads(event("b", **{"\ufffd": "x"})),  # type: ignore[arg-type]
        ]

    def test_not_asked_for(self, mapper: OperationMapper) -> None:
        """Without `sampled` none are kept."""
        counting = Counting(mapper)
        counting.count(event("a") + event("b", STARTED))
        assert samples_of(counting.usage(), LIST_PODS) == ()

    def test_files(self, mapper: OperationMapper) -> None:
        """A sample names its file and the line in it, also where files and parts were put together."""
        files = [("b.log", [event("a"), event("b")]), ("a.log", [b"\n", event("c"), event("d", STARTED)])]
        expected = [("b.log", 1), ("b.log", 2), ("a.log", 2), ("a.log", 3)]
        for usage in (count_files(mapper, files), count_parts(mapper, cut(files, [1, 3, 4]))):
            assert [(one.file, one.line) for one in samples_of(usage, LIST_PODS)] == expected


def samples_of(usage: Usage, operation_id: str) -> tuple[Sample, ...]:
    """The events kept of an operation."""
    return usage.operations[operation_id].samples


NOT_EVENTS = (
    b"x",
    b"{}",
    b"[]",
    b"null",
    b"1",
    b'"a"',
    b'["a"]',
    b'{"auditID":"a"}',
    event()[:100],
    event() [:-1] + event()[:-1],
    event().replace(b'"a"', b'"\xff"'),
    event(stage="Whatever"),
    event(uri=None),  # type: ignore[arg-type]
    event(auditID=1),
    event(requestReceivedTimestamp="yesterday"),
    event(requestReceivedTimestamp="2026-01-16"),
    event(stageTimestamp="2026-02-30T12:00:00Z"),
    event(stageTimestamp="2026-01-16T25:00:00.5Z"),
    event(requestReceivedTimestamp="2026-13-45T99:99:99Z"),
    event(requestReceivedTimestamp="0001-01-01T00:00:00+05:00"),
    event(stageTimestamp="9999-12-31T23:59:59-01:00"),
    event(x=0).replace(b'"x":0', b'"x":' + b"[" * 100_000 + b"]" * 100_000),
    b"\x00",
)  # fmt: skip
NOISE = (b"\n", b" \t\n", b"x\n", b"{}\n", *(line.rstrip(b"\n") + b"\n" for line in NOT_EVENTS[4:19]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


class TestMalformed:
    """Lines that are no audit event are counted, and where the first ones stand."""

    @pytest.mark.parametrize("line", NOT_EVENTS)
    def test_no_event(self, line: bytes, mapper: OperationMapper) -> None:
        """Such a line is malformed, wherever it stands, and nothing else is lost by it."""
        line = line.rstrip(b"\n") + b"\n"
        usage = counted(mapper, event("a") + line + event("b"))
        assert (usage.requests, usage.malformed, usage.malformed_at) == (2, 1, ("audit.log:2",))
        alone = counted(mapper, line)
        assert (alone.requests, alone.malformed, alone.malformed_at) == (0, 1, ("audit.log:1",))

    def test_many(self, mapper: OperationMapper) -> None:
        """All of them count, and the first ten positions are kept, over files and parts."""
        files = [("a.log", [b"x\n"] * 4), ("b.log", [event(), *[b"x\n"] * 20])]
        expected = (*(f"a.log:{line}" for line in range(1, 5)), *(f"b.log:{line}" for line in range(2, 8)))
        for usage in (count_files(mapper, files), count_parts(mapper, cut(files, [2, 7, 9, 20]))):
            assert (usage.malformed, usage.malformed_at) == (24, expected)

    @given(
        lines=st.lists(
            st.sampled_from([event("a"), event("b", STARTED), *NOISE])
            | json_values.map(lambda value: json.dumps(value).encode() + b"\n")
            | st.binary(max_size=20).map(lambda line: line.replace(b"\n", b" ") + b"\n"),
            max_size=6,
        )
    )
    def test_anything(self, mapper: OperationMapper, lines: list[bytes]) -> None:
        """Whatever the lines, each is counted as it is alone, and none does harm to another."""
        together = count_files(mapper, [("a.log", lines)])
        assert together == count_files(mapper, [("a.log", lines)], block=1)
        alone = [count_files(mapper, [("a.log", [line])]) for line in lines]
        assert together.malformed == sum(usage.malformed for usage in alone)

    def test_blank_lines(self, mapper: OperationMapper) -> None:
        """Blank lines are nothing, but lines."""
        usage = counted(mapper, b"\n \r\n" + event() + b"\n\nx\n\n")
        assert (usage.requests, usage.malformed_at) == (1, ("audit.log:6",))

    def test_carriage_returns(self, mapper: OperationMapper) -> None:
        """Lines may end as in DOS."""
        text = (event("a") + event("b")).replace(b"\n", b"\r\n")
        assert (counted(mapper, text).requests, counted(mapper, text).malformed) == (2, 0)

    def test_half_a_line(self, mapper: OperationMapper) -> None:
        """The half of a line that ends a log that is being written is malformed; a whole one needs no end."""
        assert counted(mapper, event("a") + event("b")[:-1]).requests == 2
        usage = counted(mapper, event("a") + event("b")[:80])
        assert (usage.requests, usage.malformed_at) == (1, ("audit.log:2",))

    def test_lines_that_fit_together(self, mapper: OperationMapper) -> None:
        """One event on two lines is none, nor are two on one, not even where both are there."""
        one = event("a").rstrip(b"\n")
        halves = one.replace(b',"stage":', b'\n"stage":')
        for text in (halves, halves + b"\n" + one + b"," + one, one.replace(b",", b",\n"), one + b" " + one):
            usage = counted(mapper, event("b") + text + b"\n")
            assert (usage.requests, usage.malformed) == (1, text.count(b"\n") + 1)

    def test_times_that_fit_together(self, mapper: OperationMapper) -> None:
        """A time that lacks its end is none, not even where another has one too many."""
        short, long = at(0)[:-1], f"Z{at(0)}"
        text = event("a", requestReceivedTimestamp=short) + event("b", requestReceivedTimestamp=long)
        assert counted(mapper, text).malformed == 2

    def test_skipped_line(self, mapper: OperationMapper) -> None:
        """A line that is longer than any event is malformed unseen."""
        counting = Counting(mapper, file="audit.log", sampled=True)
        counting.count(event("a"))
        counting.skip_line()
        counting.count(event("b"))
        usage = counting.usage()
        assert (usage.requests, usage.malformed, usage.malformed_at) == (2, 1, ("audit.log:2",))
        assert [sample.line for sample in samples_of(usage, LIST_PODS)] == [1, 3]

    @pytest.mark.parametrize("staged", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
    def test_ends_of_the_calendar(self, staged: str, mapper: OperationMapper) -> None:
        """Times at the ends of the calendar are times."""
        text = event("a", stageTimestamp=staged) + event("b", stageTimestamp=staged)
        assert counted(mapper, text).requests == 2
        assert count_parts(mapper, cut([("a.log", lines_of(text))], [1])).requests == 2


class TestTimes:
    """Times may be written in other ways."""

    @pytest.mark.parametrize(
        "written",
        [
            "2026-01-16T12:00:00Z",
            "2026-01-16T12:00:00.0Z",
            "2026-01-16T12:00:00.000000000Z",
            "2026-01-16T12:00:00.000000999Z",
            "2026-01-16T14:30:00+02:30",
            "2026-01-16T11:00:00.000-01:00",
        ],
    )
    def test_same_moment(self, written: str, mapper: OperationMapper) -> None:
        """The same moment is the same, to the microsecond, however it is written."""
        usage = counted(mapper, event() + event(requestReceivedTimestamp=written, stageTimestamp=written))
        assert (usage.requests, usage.duplicates, usage.first) == (1, 1, NOON)


class TestParts:
    """Parts of a log, put together, are the log."""

    @pytest.mark.parametrize(
        "lines",
        [
            [event(stage=STARTED), event()],
            [event(stage=STARTED), event(stage=STARTED, code=500)],
            [event(), event()],
            [event(), event(staged=60)],
            [event(), event(staged=61)],
            [event(), event(staged=50), event(staged=100)],
            [event(), event(stage=STARTED, staged=5)],
            [event(), event(stage=STARTED, staged=61)],
            [event(stage=STARTED), event(), event(stage=RECEIVED), event()],
            # a part that begins with an event, or many, of which nobody knows when
            [event("o", STARTED), event("x", stageTimestamp=None), event("o", staged=1)],
            [event("o"), event("x", stageTimestamp=None), event("o", staged=1)],
            [event("o", STARTED), event("x", PANIC, received=7200), event("o", staged=7201)],
            # the ID is the client's to choose, and may hold anything
            [event("a\nb"), event("c"), event("a\nb"), event("")],
            [event("o\nb", STARTED), event("o\nb"), event("é\x00\U0001f600")],
            # a part begins before what the one above it saw last
            [event("a", received=30), event("b"), event("a", received=30, staged=31, annotations=MARK)],
            [event("o", STARTED, received=30), event("b"), event("o", received=30, staged=31)],
            [event("a"), event("b", received=1), event("c", received=2)],
            # what was repeated by another agent
            [event("a"), event("a", agent="x/1"), event("b", agent="y")],
            # opened anew after a minute, and then before it was over: that one was a repetition
            [event("a"), event("a", STARTED, staged=61), event("b", STARTED), event("a", STARTED, staged=60)],
            [event("a"), *(event("a", STARTED, code=n, staged=63 - n) for n in range(5))],
            # samples that are taken back make room, and are the first ones of their requests
            [event(), event(), event(staged=61)],
            [event("a"), event("a"), *map(event, "bcde"), event("o", STARTED), event("p", STARTED)],
        ],
    )  # fmt: skip
    def test_any_cut(self, lines: list[bytes], mapper: OperationMapper) -> None:
        """Wherever the log is cut, and however often, the whole is the same."""
        log = [("audit.log", lines)]
        whole = count_files(mapper, log)
        for position in range(len(lines) + 1):
            assert count_parts(mapper, cut(log, [position])) == whole
        assert count_parts(mapper, cut(log, range(len(lines)))) == whole

    def test_opened_many_times(self, mapper: OperationMapper) -> None:
        """A request that is opened again and again, each time a little sooner, is handed on as any is."""
        lines = [event("a"), *(event("a", STARTED, staged=62 - n / 10_000) for n in range(5000))]
        log = [("audit.log", lines)]
        assert count_parts(mapper, cut(log, [1])) == count_files(mapper, log)

    def test_memory(self, mapper: OperationMapper) -> None:
        """What is remembered follows from the requests in flight and the last minutes, not from the log."""
        counting = Counting(mapper, sampled=True, handing_on=True)
        held, handed_on = [], []
        for minute in range(30):
            second = 60.0 * minute
            lines = [
                event(f"{minute}-{n}", received=second + n / 10, staged=second + n / 10) for n in range(600)
            ]
            count_lines(
                counting, [event(f"w-{minute}", STARTED, received=second, staged=second), *lines], block=100
            )
            if minute >= 5:
                counting.count(event(f"w-{minute - 5}", received=second - 300, staged=second + 59.95))
            held.append(counting.held)
            handed_on.append(len(pickle.dumps(counting.hand_on())))
        assert max(held) < 5 * 600
        assert max(handed_on[10:]) < 1.1 * max(handed_on[:10])

    def test_memory_in_bytes(self, mapper: OperationMapper) -> None:
        """After many minutes the process holds no more than after some."""
        counting = Counting(mapper, sampled=True, handing_on=True)
        minutes = [
            [event(f"{minute}-{n}", received=60 * minute + n / 10) for n in range(600)]
            for minute in range(24)
        ]  # fmt: skip
        tracemalloc.start()
        held = []
        for lines in minutes:
            count_lines(counting, lines, block=600)
            held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert max(held[12:]) < 1.2 * max(held[:12])


# --- a plain reading of the rule, to hold the counting against ---


class Reference:
    """Counts one event after the other, remembering everything: to be read beside the rule, not fast."""

    def __init__(self, mapper: OperationMapper) -> None:
        self._mapper = mapper
        self._completed: dict[tuple[str, str], datetime | None] = {}
        self._open: dict[tuple[str, str], tuple[dict[str, Any], Sample]] = {}
        self._counted: list[tuple[dict[str, Any], Sample]] = []
        self._events: list[dict[str, Any]] = []
        self._duplicates = 0
        self._malformed: list[str] = []

    def read(self, line: dict[str, Any] | None, *, file: str = "audit.log", number: int = 0) -> None:
        """Reads a line: an event, or None where it is malformed."""
        if line is None:
            self._malformed.append(f"{file}:{number}")
            return
        self._events.append(line)
        request = (line["auditID"], str(moment(line, "requestReceivedTimestamp")))
        logged = line, Sample(file, number, sample_of(line))
        repeated = self._is_repeated(request, moment(line, "stageTimestamp"))
        if line["stage"] in (COMPLETE, PANIC):
            self._open.pop(request, None)
            self._completed[request] = moment(line, "stageTimestamp")
            if repeated:
                self._duplicates += 1
            else:
                self._counted.append(logged)
        elif not repeated:
            self._open.pop(request, None)
            self._open[request] = logged

    def _is_repeated(self, request: tuple[str, str], now: datetime | None) -> bool:
        if request not in self._completed:
            return False
        completed = self._completed[request]
        return completed is None or now is None or abs(now - completed) <= timedelta(seconds=60)

    def usage(self) -> Usage:
        """What was used, open requests included."""
        requests: dict[str, list[tuple[dict[str, Any], Sample]]] = {}
        for line, sample in (*self._counted, *self._open.values()):
            found = self._mapper.map(line["verb"], line["requestURI"])
            name = f"operation {found.id}" if isinstance(found, Operation) else f"unmapped {found}"
            requests.setdefault(name, []).append((line, sample))
        used = {name: used_by(logged) for name, logged in sorted(requests.items())}
        kinds = {
            kind: {name.split(" ", 1)[1]: one for name, one in used.items() if name.startswith(kind)}
            for kind in ("operation", "unmapped")
        }
        received = [m for line in self._events if (m := moment(line, "requestReceivedTimestamp"))]
        staged = [m for line in self._events if (m := moment(line, "stageTimestamp"))]
        return Usage(
            operations=kinds["operation"],
            requests=len(self._counted) + len(self._open),
            mapped=sum(one.hits for one in kinds["operation"].values()),
            unmapped={Unmapped(reason): one for reason, one in kinds["unmapped"].items()},
            malformed=len(self._malformed),
            malformed_at=tuple(self._malformed[:10]),
            duplicates=self._duplicates,
            incomplete=len(self._open),
            events=len(self._events),
            first=min(received, default=None),
            last=max(staged, default=None),
            backwards=sum((before - after).total_seconds() > 2 for before, after in pairwise(staged)),
            gaps=tuple(longest_gaps(staged)),
            never_completed=sum(self._is_lost(line, max(staged)) for line, _ in self._open.values()),
            deprecated=self._deprecated(),
        )

    def _is_lost(self, line: dict[str, Any], end: datetime) -> bool:
        """Whether an open request should have ended: it is no watch, no 401 and open for over 60 s."""
        code = (line.get("responseStatus") or {}).get("code")
        staged = moment(line, "stageTimestamp")
        return line["verb"] != "watch" and code != 401 and staged is not None and end - staged >= MINUTE

    def _deprecated(self) -> tuple[DeprecatedUse, ...]:
        uses = Counter[tuple[str, str, str]]()
        for line, _ in (*self._counted, *self._open.values()):
            notes = line.get("annotations") or {}
            if "k8s.io/deprecated" in notes:
                found = self._mapper.map(line["verb"], line["requestURI"])
                name = found.id if isinstance(found, Operation) else RESOURCES[line["requestURI"]]
                agent = (line.get("userAgent") or "").split("/")[0].split(" ")[0] or "none"
                uses[agent, name, notes.get("k8s.io/removed-release", "")] += 1
        return tuple(DeprecatedUse(*use, requests) for use, requests in sorted(uses.items()))


def longest_gaps(staged: Sequence[datetime]) -> list[Gap]:
    """The five longest pauses of at least 10 s."""
    pauses = [(after - before, before) for before, after in pairwise(staged)]
    longest = sorted(pauses, key=lambda pause: (-pause[0], pause[1]))[:5]
    return [Gap(start, length.total_seconds()) for length, start in longest if length.total_seconds() >= 10]


def used_by(logged: Sequence[tuple[dict[str, Any], Sample]]) -> OperationUsage:
    """The usage of one operation's requests."""
    lines = [line for line, _ in logged]
    received = [m for line in lines if (m := moment(line, "requestReceivedTimestamp"))]
    codes = [(line.get("responseStatus") or {}).get("code") for line in lines]
    agents = [line.get("userAgent") or "" for line in lines]
    tests = [
        agent.split(" -- ", 1)[1] for agent in agents if agent.startswith("e2e.test") and " -- " in agent
    ]
    return OperationUsage(
        hits=len(lines),
        codes=Counter("none" if code is None else f"{code // 100}xx" for code in codes),
        tests=Counter(tests),
        agents=Counter(agent.split("/")[0].split(" ")[0] or "none" for agent in agents),
        first=min(received, default=None),
        last=max(received, default=None),
        samples=tuple(sample for _, sample in logged[:5]),
    )


def moment(line: dict[str, Any], member: str) -> datetime | None:
    """A time of an event, to the microsecond."""
    return datetime.fromisoformat(line[member]) if member in line else None


def sample_of(line: dict[str, Any]) -> str:
    """An event less its objects, as these tests write events."""
    kept = {name: value for name, value in line.items() if name not in ("requestObject", "responseObject")}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)


def without_samples(usage: Usage) -> Usage:
    """The same without samples."""
    return replace(
        usage,
        operations={name: replace(used, samples=()) for name, used in usage.operations.items()},
        unmapped={reason: replace(used, samples=()) for reason, used in usage.unmapped.items()},
    )


# --- logs made up: few requests, whose stages come in any order and number, in the order of their times ---

REQUESTS: tuple[dict[str, Any], ...] = (
    {"uri": "/api/v1/pods", "verb": "list", "agent": "kubectl/v1"},
    {"uri": "/api/v1/pods?watch=true", "verb": "watch", "agent": f"{E2E}a [Conformance]"},
    {"uri": "/api/v1/pods", "verb": "list", "agent": None},
    {"uri": "/version", "verb": "get", "agent": f"{E2E}a -- b"},
    {"uri": "/apis/x.io/v1/y", "verb": "create", "agent": "x"},
)
MARKS: tuple[dict[str, str] | None, ...] = (
    None,
    {"authorization.k8s.io/decision": "allow"},
    {"k8s.io/deprecated": "true"},
    {"k8s.io/deprecated": "true", "k8s.io/removed-release": "1.22"},
)
UNTIMED = 2
"""Nobody knows when this request was received."""
PAUSES = (0.0, 0.0, 0.5, 1.0, -1.0, -2.0, -3.0, -30.0, 9.9, 10.0, 29.0, 31.0, 59.0, 60.0, 61.0, 130.0)


class Step(msgspec.Struct, frozen=True):
    """The next event of a log, or noise; `pause` seconds after the one before."""

    pause: float
    request: int
    audit_id: str
    stage: str
    code: int | None
    form: int
    mark: int
    noise: bytes | None


steps = st.builds(
    Step,
    pause=st.sampled_from(PAUSES),
    request=st.integers(0, len(REQUESTS) - 1),
    audit_id=st.sampled_from("ab"),
    stage=st.sampled_from([RECEIVED, STARTED, COMPLETE, COMPLETE, COMPLETE, PANIC]),
    code=st.sampled_from([None, 101, 200, 404, 500]),
    form=st.integers(0, 2),
    mark=st.integers(0, len(MARKS) - 1),
    noise=st.none() | st.none() | st.none() | st.sampled_from(NOISE),
)
# As an API server writes them: such lines are counted together, all others one by one.
plain_steps = steps.filter(lambda step: step.request != UNTIMED).map(
    lambda step: replace(step, form=0, noise=None)
)


def written(moment: datetime, form: int) -> str:
    """A time in one of the ways in which it may be written."""
    text = moment.isoformat(timespec="microseconds")
    return (text.replace("+00:00", "Z"), text, text.replace("+00:00", "123Z"))[form]


def made_lines(made: Sequence[Step]) -> Iterator[bytes]:
    """The lines of a log: a request is received half a second before its first event, no two at one time."""
    now, latest, received = 0.0, 0.0, dict[tuple[int, str], datetime]()
    for step in made:
        # What is remembered allows for as much as API servers go back.
        latest = max(latest, now)
        now = max(now + step.pause, latest - BACKWARDS_SLACK.total_seconds())
        if step.noise is not None:
            yield step.noise
            continue
        moment = NOON + timedelta(seconds=now)
        first = received.setdefault(
            (step.request, step.audit_id), moment - timedelta(seconds=0.5, microseconds=step.request)
        )
        yield event(
            step.audit_id,
            step.stage,
            code=step.code,
            requestReceivedTimestamp=written(first, step.form) if step.request != UNTIMED else None,
            stageTimestamp=written(moment, step.form),
            annotations=MARKS[step.mark],
            **REQUESTS[step.request],
        )


def expected_usage(mapper: OperationMapper, files: Files) -> Usage:
    """What the reference counts."""
    reference = Reference(mapper)
    for name, lines in files:
        for number, line in enumerate(lines, 1):
            if line.strip():
                reference.read(None if line in NOISE else json.loads(line), file=name, number=number)
    return reference.usage()


class TestMadeUpLogs:
    """Any log, counted in any way."""

    @settings(max_examples=150)
    @given(
        made=st.lists(steps, max_size=30) | st.lists(plain_steps, max_size=30),
        files=st.lists(st.integers(0, 30), max_size=2),
        cuts=st.lists(st.integers(0, 30), max_size=6),
        sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    )
    def test_same_result(
        self,
        made: list[Step],
        files: list[int],
        cuts: list[int],
        sizes: tuple[int, int],
        mapper: OperationMapper,
    ) -> None:
        """One pass, blocks and batches of any size, parts cut anywhere: each gives what the rule says."""
        lines = list(made_lines(made))
        parts = cut([("", lines)], files)
        log = [(f"{number}.log", part) for number, (_, part) in enumerate(parts)]
        expected = expected_usage(mapper, log)
        block, batch = sizes
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(auditsvc.core.counting, "BATCH_EVENTS", batch)
            assert count_files(mapper, log, block=block) == expected
            assert count_parts(mapper, cut(log, cuts), block=block) == expected
