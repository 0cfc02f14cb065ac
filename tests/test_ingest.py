import bz2
import errno
import gzip
import io
import lzma
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import auditsvc.ingest
import auditsvc.ingest.logs
import auditsvc.ingest.parts
from auditsvc.core.counting import Counting, Part
from auditsvc.core.swagger import Swagger
from auditsvc.core.usage import Usage
from auditsvc.errors import InputError, ParseError, RequestError, TooLargeError, WorkerError
from auditsvc.ingest import Log, count_logs, read_usage
from auditsvc.ingest.logs import TOO_LONG, Range
from auditsvc.ingest.progress import count_range
from tests.logs import counted, event, lines_of, recorded_mapper, recorded_swagger, stream_of, unpacked

ROOT = Path(__file__).resolve().parent.parent
NO_EVENT = "no audit event in it (expected one audit.k8s.io/v1 Event as JSON on each line)"
REPORT = b"""Kubernetes API Endpoints Found in Audit Log (Swagger-Enhanced)

Total unique endpoints: 1
Total API calls: 3

Endpoint Name (OpenAPI Operation ID) | Count
--------------------------------------------
listCoreV1PodForAllNamespaces | 3
"""

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda text: text,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "gzip members": lambda text: gzip.compress(text[:999]) + gzip.compress(text[999:]),
    "zstd frames": lambda text: zstandard.compress(text[:999]) + zstandard.compress(text[999:]),
}
ONE_OR_TWO = pytest.mark.parametrize("jobs", [1, 2])


@pytest.fixture(scope="module")
def swagger(demo_data: Path) -> Swagger:
    """The recorded server's document."""
    return recorded_swagger(demo_data)


@pytest.fixture(scope="module")
def recorded(demo_data: Path) -> bytes:
    """A recorded log, shortened."""
    return b"".join(lines_of(unpacked(demo_data / "ci-audit.log.gz"))[:1500])


@pytest.fixture(scope="module")
def expected(demo_data: Path, recorded: bytes) -> Usage:
    """What it used, counted without any reading of files."""
    return counted(recorded_mapper(demo_data), recorded)


@pytest.fixture
def many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets even a short log be cut into many parts, and be read in many blocks."""
    monkeypatch.setattr(auditsvc.ingest.parts, "SMALLEST_PART", 1)
    monkeypatch.setattr(auditsvc.ingest.parts, "SMALLEST_TAIL", 1)
    monkeypatch.setattr(auditsvc.ingest.parts, "HANDING_ON", 0)
    monkeypatch.setattr(auditsvc.ingest.logs, "BLOCK_BYTES", 512)


TellTails = Callable[[Callable[[Range], object]], None]


@pytest.fixture
def with_slow_workers(many_parts: None, monkeypatch: pytest.MonkeyPatch) -> TellTails:  # noqa: ARG001
    """Lets workers be slow from a call on, which says who is told of each part's end that is taken over."""

    def slow_down(tell: Callable[[Range], object]) -> None:
        def taking(*given: Any) -> Iterator[Range]:
            for tail in take_over(*given):
                tell(tail)
                yield tail

        monkeypatch.setattr(auditsvc.ingest.parts, "_take_over", taking)
        monkeypatch.setattr(auditsvc.ingest.parts, "_report", lambda *_: time.sleep(0.005))

    take_over = auditsvc.ingest.parts._take_over
    return slow_down


def write(folder: Path, content: bytes, name: str = "audit.log") -> Log:
    """A log with that content, called audit.log whatever its file's name is."""
    (folder / name).write_bytes(content)
    return Log.at(folder / name, name="audit.log")


class TestPacking:
    """A log may be packed."""

    @ONE_OR_TWO
    @pytest.mark.parametrize("packing", PACKED)
    def test_same_result(
        self, packing: str, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes, expected: Usage
    ) -> None:
        """However it is packed, and whatever its name says, it is the same log."""
        log = write(tmp_path, PACKED[packing](recorded))
        assert count_logs([log], swagger, jobs=jobs, sampled=True) == expected

    @ONE_OR_TWO
    @pytest.mark.parametrize("packing", PACKED)
    def test_stream(
        self, packing: str, jobs: int, swagger: Swagger, recorded: bytes, expected: Usage, tmp_path: Path
    ) -> None:
        """So it is from a stream that can be read once, like standard input."""
        file = tmp_path / "packed"
        file.write_bytes(PACKED[packing](recorded))
        with subprocess.Popen(["cat", file], stdout=subprocess.PIPE) as process:
            assert isinstance(process.stdout, io.BufferedReader)
            log = Log("audit.log", None, process.stdout)
            assert count_logs([log], swagger, jobs=jobs, sampled=True) == expected

    @pytest.mark.parametrize("packing", PACKED)
    def test_report(self, packing: str, tmp_path: Path) -> None:
        """A packed report is read as the report that it is."""
        usage = read_usage([write(tmp_path, PACKED[packing](REPORT))], None)
        assert (usage.imported, usage.requests) == (True, 3)


class TestParts:
    """A log is counted in parts by several processes."""

    @pytest.mark.usefixtures("many_parts")
    @pytest.mark.parametrize("jobs", [1, 2, 3, 7])
    def test_jobs(
        self, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes, expected: Usage
    ) -> None:
        """The result is the same with any number of them."""
        assert count_logs([write(tmp_path, recorded)], swagger, jobs=jobs, sampled=True) == expected

    @pytest.mark.parametrize("jobs", [2, 3])
    def test_slow_workers(
        self,
        jobs: int,
        tmp_path: Path,
        swagger: Swagger,
        recorded: bytes,
        expected: Usage,
        with_slow_workers: TellTails,
    ) -> None:
        """What slow workers are last with this process takes over; each line is counted once all the same."""
        taken: list[Range] = []
        with_slow_workers(taken.append)
        assert count_logs([write(tmp_path, recorded)], swagger, jobs=jobs, sampled=True) == expected
        assert len(taken) >= jobs
        assert sum(tail.length or 0 for tail in taken) > len(recorded) / 10

    @pytest.mark.parametrize("jobs", [2, 3])
    def test_slow_workers_unsampled(
        self, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes, with_slow_workers: TellTails
    ) -> None:
        """Without samples, what is taken over counts at this process's own tallies."""
        taken: list[Range] = []
        with_slow_workers(taken.append)
        log = write(tmp_path, recorded)
        assert count_logs([log], swagger, jobs=jobs) == count_logs([log], swagger)
        assert len(taken) >= jobs

    def test_nearly_done(
        self,
        tmp_path: Path,
        swagger: Swagger,
        recorded: bytes,
        expected: Usage,
        with_slow_workers: TellTails,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Of a worker that would sooner hand on than count, all that is left is taken over."""
        monkeypatch.setattr(auditsvc.ingest.parts, "HANDING_ON", len(recorded) * 2)
        taken: list[Range] = []
        with_slow_workers(taken.append)
        assert count_logs([write(tmp_path, recorded)], swagger, jobs=2, sampled=True) == expected
        assert len(taken) == 1

    def test_hardly_begun(
        self,
        tmp_path: Path,
        swagger: Swagger,
        recorded: bytes,
        with_slow_workers: TellTails,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """So it is of one that is at the first line of its file still: that one it counts."""
        monkeypatch.setattr(auditsvc.ingest.parts, "HANDING_ON", len(recorded) * 2)
        first, *rest = lines_of(recorded)
        logs = [write(tmp_path, first, "a.log"), write(tmp_path, b"".join(rest), "b.log")]
        expected = count_logs(logs, swagger, sampled=True)
        taken: list[Range] = []
        with_slow_workers(taken.append)
        monkeypatch.setattr(auditsvc.ingest.parts, "_report", lambda *_: time.sleep(1))
        assert count_logs(logs, swagger, jobs=2, sampled=True) == expected
        assert taken[0].start == len(rest[0])

    def test_rotated_meanwhile(
        self,
        tmp_path: Path,
        swagger: Swagger,
        recorded: bytes,
        expected: Usage,
        with_slow_workers: TellTails,
    ) -> None:
        """A log in whose place another one is put meanwhile is counted to its end, and the other one not."""

        def rotate(tail: Range) -> None:  # by now the worker is at work
            (tmp_path / "audit.log").rename(tmp_path / f"{tail.start}.log")
            write(tmp_path, event("other") * 5000)

        with_slow_workers(rotate)
        assert count_logs([write(tmp_path, recorded)], swagger, jobs=2, sampled=True) == expected
        assert len([*tmp_path.iterdir()]) > 1

    @pytest.mark.usefixtures("many_parts")
    @pytest.mark.parametrize("jobs", [2, 3])
    def test_written_twice(self, jobs: int, tmp_path: Path, swagger: Swagger) -> None:
        """Where the log's time jumps back, all that a part completed in its first minute is looked into."""
        log = write(tmp_path, WRITTEN_TWICE)
        usage = count_logs([log], swagger, jobs=jobs, sampled=True)
        assert (usage.requests, usage.duplicates) == (13, 7)
        assert usage == count_logs([log], swagger, sampled=True)

    @pytest.mark.usefixtures("many_parts")
    def test_unsampled(self, tmp_path: Path, swagger: Swagger, recorded: bytes, expected: Usage) -> None:
        """Without samples, too."""
        usage = count_logs([write(tmp_path, recorded)], swagger, jobs=2)
        assert usage == count_logs([write(tmp_path, recorded)], swagger)
        assert (usage.requests, usage.malformed) == (expected.requests, expected.malformed)
        assert not any(used.samples for used in usage.operations.values())

    @pytest.mark.usefixtures("many_parts")
    @pytest.mark.parametrize("jobs", range(2, 12))
    def test_awkward_cuts(self, jobs: int, tmp_path: Path, swagger: Swagger, demo_data: Path) -> None:
        """Lines are whole wherever a cut falls: on a line feed, in a long line, on a blank one."""
        parts = [event("w", "ResponseStarted"), b"\n", b"x" * 3000 + b"\n", event("w"), event("v"), b"\n\r\n"]
        parts += [event("v"), event("é" * 700), b"\n" * 40, event("u", "ResponseStarted"), event("t")[:100]]
        for text in (b"".join(parts), b"".join(parts[:-1]), b"".join(parts[3:])):
            usage = count_logs([write(tmp_path, text)], swagger, jobs=jobs, sampled=True)
            assert usage == counted(recorded_mapper(demo_data), text, block=1)

    @pytest.mark.usefixtures("many_parts")
    @ONE_OR_TWO
    def test_files(self, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes) -> None:
        """Rotated files are taken in the order of their first events, whatever their names and packing."""
        lines = lines_of(recorded)
        cuts = [0, 100, 101, 700, 1499, 1500]
        texts = [b"".join(lines[start:end]) for start, end in pairwise(cuts)]
        names = ["audit.log", "b.log", "audit-2025-08-26T12-04-42.943.log", "a.log", "c.log"]
        packings = ["plain", "zstd", "gzip", "plain", "xz"]
        counting = Counting(recorded_mapper(ROOT / "auditsvc" / "demo"), sampled=True)
        logs = []
        for name, text, packing in zip(names, texts, packings, strict=True):
            (tmp_path / name).write_bytes(PACKED[packing](text))
            logs.append(Log.at(tmp_path / name))
            counting.start_file(name)
            counting.count(text)
        expected = counting.usage()
        for given_logs in (logs, logs[::-1], logs[2:] + logs[:2]):
            assert count_logs(given_logs, swagger, jobs=jobs, sampled=True) == expected

    @ONE_OR_TWO
    def test_file_and_stream(
        self, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes, expected: Usage
    ) -> None:
        """A stream cannot be looked into before it is read: it comes after the files."""
        half = recorded.index(b"\n", len(recorded) // 2) + 1
        stream = stream_of(recorded[half:])
        log = write(tmp_path, recorded[:half])
        usage = count_logs([Log("-", None, stream), log], swagger, jobs=jobs)
        assert (usage.requests, usage.operations.keys()) == (expected.requests, expected.operations.keys())

    @pytest.mark.usefixtures("many_parts")
    @ONE_OR_TWO
    def test_files_of_one_name(self, jobs: int, tmp_path: Path, swagger: Swagger) -> None:
        """Two files may have the same name, in two folders: lines count from each one's start."""
        for folder in "ab":
            (tmp_path / folder).mkdir()
        texts = [event("a") + b"x\n", b"y\n" + event("b", received=1)]
        logs = [write(tmp_path / folder, text) for folder, text in zip("ab", texts, strict=True)]
        usage = count_logs(logs, swagger, jobs=jobs, sampled=True)
        assert usage.malformed_at == ("audit.log:2", "audit.log:1")
        assert [one.line for used in usage.operations.values() for one in used.samples] == [1, 2]

    @pytest.mark.usefixtures("many_parts")
    @ONE_OR_TWO
    def test_progress(self, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes) -> None:
        """Whoever watches is told how much of the unpacked log is read, and of all events."""
        for packing in ("plain", "gzip"):
            told: list[tuple[int, int]] = []
            log = write(tmp_path, PACKED[packing](recorded))
            count_logs([log], swagger, jobs=jobs, progress=partial(note, told))
            read, events = (sum(column) for column in zip(*told, strict=True))
            assert len(recorded) * 0.99 <= read <= len(recorded)  # but for some line feeds
            assert events == 1500
            assert all(step >= (0, 0) for step in told)


class TestBlocks:
    """A log is read in blocks of whole lines."""

    @given(
        text=st.lists(st.sampled_from([b"a", b"b" * 5, b"c" * 15, b"d" * 16, b"e" * 40, b"\n", b"\n", b""]))
    )
    def test_lines(self, tmp_path_factory: pytest.TempPathFactory, text: list[bytes]) -> None:
        """All lines come whole and in order; one that is too long is told."""
        content = b"".join(text)
        log = write(tmp_path_factory.mktemp("log"), content)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(auditsvc.ingest.logs, "BLOCK_BYTES", 4)
            patched.setattr(auditsvc.ingest.logs, "PEEK_BYTES", 2)
            patched.setattr(auditsvc.ingest.logs, "MAX_LINE_BYTES", 16)
            found = [b"<too long>" if block is TOO_LONG else block for block in Range(log).blocks()]
        lines = [line.rstrip(b"\n") for line in lines_of(content)]
        expected = [line if len(line) < 16 else b"<too long>" for line in lines]
        assert [line for block in found for line in block.removesuffix(b"\n").split(b"\n")] == expected

    @pytest.mark.parametrize("left", [0, 6, 6.5, 10, 14])
    def test_changed_meanwhile(self, left: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is cut while it is read ends there, and one that grows is read to its end."""
        size = io.DEFAULT_BUFFER_SIZE  # of which so many bytes are read ahead
        monkeypatch.setattr(auditsvc.ingest.logs, "BLOCK_BYTES", 4 * size)
        lines = [letter * (size - 1) + b"\n" for letter in (b"a", b"b", b"c", b"d", b"e", b"f", b"g") * 2]
        text = b"".join(lines)
        log = write(tmp_path, text[: 10 * size])
        blocks = Range(log).blocks()
        assert next(blocks) == text[: 4 * size]
        write(tmp_path, text[: int(left * size)])
        assert b"".join(blocks) == text[4 * size : int(left * size)]


class TestLines:
    """Lines that are no audit event."""

    @pytest.mark.usefixtures("many_parts")
    @ONE_OR_TWO
    def test_malformed(self, jobs: int, tmp_path: Path, swagger: Swagger) -> None:
        """They are counted, the first ten with where they stand, and nothing else is lost."""
        deep = event(x=0).replace(b'"x":0', b'"x":' + b"[" * 50_000 + b"]" * 50_000)
        bad = [b"{}\n", event("é").replace("é".encode(), b"\xff"), deep, *[b"x\n"] * 9]
        text = b"".join(event(str(number)) + line for number, line in enumerate(bad)) + event("z")[:99]
        usage = count_logs([write(tmp_path, text)], swagger, jobs=jobs)
        assert (usage.requests, usage.malformed) == (12, 13)
        assert usage.malformed_at == tuple(f"audit.log:{line}" for line in range(2, 22, 2))

    @ONE_OR_TWO
    def test_longer_than_any_event(self, jobs: int, tmp_path: Path) -> None:
        """A line of 100 MB is malformed, and takes no more memory than one that is just too long."""
        script = f"""
import resource, sys
from pathlib import Path
from tests.logs import recorded_swagger
from auditsvc.ingest import Log, count_logs
usage = count_logs([Log.at(Path(sys.argv[1]))], recorded_swagger(Path("auditsvc/demo")), jobs={jobs})
print(usage.requests, usage.malformed, *usage.malformed_at)
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""
        peaks = []
        for megabytes in (34, 134):
            log = write(tmp_path, event("a"))
            assert log.path is not None
            with log.path.open("r+b") as file:  # the line is a hole in the file, which reads as zeros
                file.seek(len(event("a")) + (megabytes << 20))
                file.write(b"\n" + event("b"))
            result = subprocess.run(
                [sys.executable, "-c", script, log.path], cwd=ROOT, capture_output=True, text=True, check=True
            )
            told, peak = result.stdout.splitlines()
            assert told == "2 1 audit.log:2"
            peaks.append(int(peak))
        assert peaks[1] < 1.2 * peaks[0]


class TestBadInput:
    """What cannot be counted is told, with its name and the reason."""

    @ONE_OR_TWO
    @pytest.mark.parametrize("packing", ["gzip", "zstd", "xz", "bz2"])
    def test_cut_off(
        self, packing: str, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes
    ) -> None:
        """A packed log that ends too early is no log: what is missing would look like unused operations."""
        packed = PACKED[packing](recorded)
        with pytest.raises(InputError, match=r"^cannot read audit\.log: .+"):
            count_logs([write(tmp_path, packed[: len(packed) // 2])], swagger, jobs=jobs)

    @ONE_OR_TWO
    @pytest.mark.parametrize("packing", ["gzip", "zstd", "xz", "bz2"])
    def test_damaged(
        self, packing: str, jobs: int, tmp_path: Path, swagger: Swagger, recorded: bytes
    ) -> None:
        """Nor is one whose middle is damaged."""
        packed = bytearray(PACKED[packing](recorded))
        packed[2000:2400] = b"\xff" * 400
        with pytest.raises(InputError, match=r"^cannot read audit\.log: .+"):
            count_logs([write(tmp_path, bytes(packed))], swagger, jobs=jobs)

    @pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh"])
    def test_nothing_but_a_start(self, magic: bytes, tmp_path: Path, swagger: Swagger) -> None:
        """Nor one that only starts like a packed one."""
        for content in (magic, magic + b"x", magic + b"\x00" * 100):
            with pytest.raises(InputError, match=r"^(cannot read )?audit\.log: .+"):
                count_logs([write(tmp_path, content)], swagger)

    @ONE_OR_TWO
    @pytest.mark.parametrize("content", [b"", b"\n\n", b"x\n" * 5000, b"{}\n", gzip.compress(b"", mtime=0)])
    def test_no_event(self, content: bytes, jobs: int, tmp_path: Path, swagger: Swagger) -> None:
        """A log without an audit event is none."""
        with pytest.raises(InputError) as told:
            count_logs([write(tmp_path, content)], swagger, jobs=jobs)
        assert str(told.value) == f"audit.log: {NO_EVENT}"

    @pytest.mark.usefixtures("many_parts")
    @ONE_OR_TWO
    @pytest.mark.parametrize("content", [b"", b"x\n" * 5000, gzip.compress(b"x\n", mtime=0)])
    def test_one_of_two(self, content: bytes, jobs: int, tmp_path: Path, swagger: Swagger) -> None:
        """Not even beside one with events."""
        (tmp_path / "empty.log").write_bytes(content)
        logs = [write(tmp_path, event() * 50), Log.at(tmp_path / "empty.log")]
        with pytest.raises(InputError) as told:
            count_logs(logs, swagger, jobs=jobs)
        assert str(told.value) == f"empty.log: {NO_EVENT}"

    @ONE_OR_TWO
    def test_empty_stream(self, jobs: int, swagger: Swagger) -> None:
        """A stream that holds nothing is no log either."""
        stream = stream_of(b"")
        with pytest.raises(InputError, match=r"^-: no audit event in it"):
            count_logs([Log("-", None, stream)], swagger, jobs=jobs)

    @pytest.mark.parametrize("others", [0, 1])
    @pytest.mark.parametrize("read", ["count", "usage"])
    @ONE_OR_TWO
    def test_unreadable(self, jobs: int, read: str, others: int, tmp_path: Path, swagger: Swagger) -> None:
        """A file that is not there or is a folder is named, alone and among others."""
        reader = count_logs if read == "count" else read_usage
        rest = [write(tmp_path, event(), "other.log")] * others
        with pytest.raises(InputError, match=r"^cannot read nowhere\.log: No such file or directory$"):
            reader([*rest, Log.at(tmp_path / "nowhere.log")], swagger, jobs=jobs)
        with pytest.raises(InputError, match=r"^cannot read a folder: Is a directory$"):
            reader([*rest, Log.at(tmp_path, name="a folder")], swagger, jobs=jobs)

    def test_nothing_given(self, swagger: Swagger) -> None:
        """No log at all is a mistake in the request."""
        with pytest.raises(RequestError, match=r"^no log is given$"):
            read_usage([], swagger)

    def test_no_swagger(self, tmp_path: Path) -> None:
        """A log needs a swagger; what to do about it is said."""
        with pytest.raises(RequestError, match=r"cannot be mapped; bring one .*PUT /swagger"):
            read_usage([write(tmp_path, event())], None)

    def test_report_that_is_none(self, tmp_path: Path) -> None:
        """What starts like a report must be one."""
        with pytest.raises(ParseError, match="line"):
            read_usage([write(tmp_path, REPORT.replace(b"| 3", b"| many"))], None)

    def test_endless_report(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A report is never larger than some MB."""
        monkeypatch.setattr(auditsvc.ingest, "REPORT_BYTES", len(REPORT) + 100)
        assert read_usage([write(tmp_path, REPORT)], None).requests == 3
        with pytest.raises(TooLargeError, match=r"^audit\.log: "):
            read_usage([write(tmp_path, REPORT + b"\n" * 200)], None)

    def test_log_of_many_blank_lines(self, tmp_path: Path, swagger: Swagger) -> None:
        """Blank lines before the first event make no report of a log."""
        usage = read_usage([write(tmp_path, b"\n" * 5000 + event())], swagger)
        assert (usage.imported, usage.requests, usage.malformed) == (False, 1, 0)


class TestWorkers:
    """Processes end with the work, however it ends."""

    @pytest.mark.usefixtures("many_parts")
    def test_killed(self, tmp_path: Path, swagger: Swagger, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that is killed ends the count with an error that names its part; no process is left."""
        monkeypatch.setattr(auditsvc.ingest.parts, "count_range", only_here(count_range))

        def kill(_read: int, _events: int) -> None:
            for child in multiprocessing.active_children():
                child.kill()

        with pytest.raises(WorkerError, match=r"audit\.log, bytes \d+ to \d+ died .*; nothing was kept$"):
            count_logs([write(tmp_path, event() * 100)], swagger, jobs=3, progress=kill)
        assert not multiprocessing.active_children()

    @pytest.mark.usefixtures("many_parts")
    def test_no_room(self, tmp_path: Path, swagger: Swagger, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a worker cannot write what it has counted, the place is named, not the log."""

        def fill(_result: object) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(auditsvc.ingest.parts, "_hand_on", fill)
        with pytest.raises(WorkerError, match=r"hand it on by a file in /.*: No space left on device \("):
            count_logs([write(tmp_path, event() * 100)], swagger, jobs=2)
        assert not multiprocessing.active_children()

    @pytest.mark.usefixtures("many_parts")
    def test_no_room_for_more(
        self,
        tmp_path: Path,
        swagger: Swagger,
        recorded: bytes,
        expected: Usage,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What a worker hands on beside its result is missed only where somebody reads it."""

        def fill(result: object) -> int:
            if not isinstance(result, Part):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return hand_on(result)

        hand_on = auditsvc.ingest.parts._hand_on
        monkeypatch.setattr(auditsvc.ingest.parts, "_hand_on", fill)
        assert count_logs([write(tmp_path, recorded)], swagger, jobs=2, sampled=True) == expected
        with pytest.raises(WorkerError, match=r"hand it on by a file in /.*: No space left on device \("):
            count_logs([write(tmp_path, WRITTEN_TWICE)], swagger, jobs=2)
        assert not multiprocessing.active_children()

    def test_killed_at_any_time(self, tmp_path: Path, recorded: bytes) -> None:
        """Whatever it is at, a worker that is killed ends the count: nobody waits for it for ever."""
        log = write(tmp_path, recorded * 8)
        assert log.path is not None
        script = """
import multiprocessing, sys, threading, time
from pathlib import Path
import auditsvc.ingest.parts
from auditsvc.errors import WorkerError
from auditsvc.ingest import Log, count_logs
from tests.logs import recorded_swagger

def kill_after(seconds):
    time.sleep(seconds)
    for child in multiprocessing.active_children():
        child.kill()

auditsvc.ingest.parts.SMALLEST_PART = auditsvc.ingest.parts.SMALLEST_TAIL = 1
swagger = recorded_swagger(Path("auditsvc/demo"))
started = time.monotonic()
count_logs([Log.at(Path(sys.argv[1]))], swagger, jobs=2)
usual = time.monotonic() - started
for number in range(60):
    killer = threading.Thread(target=kill_after, args=(usual * (0.3 + number / 75),))
    killer.start()
    try:
        count_logs([Log.at(Path(sys.argv[1]))], swagger, jobs=2)
    except WorkerError:
        pass
    killer.join()
"""
        with subprocess.Popen(
            [sys.executable, "-c", script, log.path], cwd=ROOT, start_new_session=True
        ) as process:
            try:
                assert process.wait(timeout=40) == 0
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    @pytest.mark.usefixtures("many_parts")
    def test_error_beside_work(self, tmp_path: Path, swagger: Swagger, recorded: bytes) -> None:
        """An error in one part ends the others at once; other processes of the program live on."""
        packed = bytearray(gzip.compress(recorded))
        packed[-2000:-1900] = b"\xff" * 100
        os.mkfifo(tmp_path / "b.log")  # nobody writes to it: whoever reads it waits
        bystander = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        bystander.start()
        try:
            with pytest.raises(InputError, match=r"^cannot read audit\.log: "):
                count_logs([write(tmp_path, bytes(packed)), Log.at(tmp_path / "b.log")], swagger, jobs=2)
            bystander.join(0.2)
            assert multiprocessing.active_children() == [bystander]
        finally:
            bystander.kill()
            bystander.join()

    def test_killed_parent(self, tmp_path: Path) -> None:
        """Workers do not outlive a process that is killed: nobody else would ever end them."""
        (tmp_path / "a.log").write_bytes(event())
        os.mkfifo(tmp_path / "b.log")
        files = [tmp_path / "a.log", tmp_path / "b.log"]
        command: list[str | Path] = [sys.executable, "-c", COUNT_BY_TWO, *files]
        with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
            writer = files[1].open("wb", buffering=0)  # returns when the worker reads it
            process.kill()
        try:
            with writer:
                wait_until_closed(writer)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    @pytest.mark.parametrize("waiting", [True, False])
    def test_interrupted(self, waiting: bool, tmp_path: Path) -> None:
        """Ctrl-C ends the count and all of its processes at once."""
        fifos = [tmp_path / name for name in ("a.log", "b.log")]
        if waiting:  # for the worker that is at the second log, when the first one is counted
            fifos[0].write_bytes(event())
        for fifo in fifos[waiting:]:
            os.mkfifo(fifo)
        process = subprocess.Popen(
            [sys.executable, "-c", COUNT_BY_TWO, *fifos],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with process, suppress(ProcessLookupError):
            writers = [fifo.open("wb") for fifo in fifos[waiting:]]  # returns when its process reads it
            os.killpg(process.pid, signal.SIGINT)
            assert process.communicate(timeout=20)[1].endswith(b"KeyboardInterrupt\n")
            for writer in writers:
                writer.close()
            os.killpg(process.pid, signal.SIGKILL)  # raises ProcessLookupError where none is left
            pytest.fail("a process was left")


WRITTEN_TWICE = 2 * b"".join(event(name, received=5 * n) for n, name in enumerate("abcdefg")) + b"".join(
    event(name, received=35 + n) for n, name in enumerate("hijklm")
)
"""Cut for two or three jobs, a part starts in the second copy."""

COUNT_BY_TWO = """
import sys
from pathlib import Path
from tests.logs import recorded_swagger
from auditsvc.ingest import Log, count_logs
logs = [Log.at(Path(file)) for file in sys.argv[1:]]
count_logs(logs, recorded_swagger(Path("auditsvc/demo")), jobs=2)
"""


def note(told: list[tuple[int, int]], read: int, events: int) -> None:
    """Notes a step of progress."""
    told.append((read, events))


def wait_until_closed(pipe: FileIO) -> None:
    """Waits until nobody reads from a pipe any more."""
    with suppress(BrokenPipeError):
        for _ in range(1000):
            pipe.write(b"\n")
            time.sleep(0.01)
        pytest.fail("somebody still reads")


def only_here(count: Callable[..., None]) -> Callable[..., None]:
    """The same function, which in every process but this one takes very long."""
    here = os.getpid()

    def slowly(*arguments: object, **named: object) -> None:
        if os.getpid() != here:
            time.sleep(60)
        count(*arguments, **named)

    return slowly
