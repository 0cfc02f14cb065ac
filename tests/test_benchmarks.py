import gzip
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from auditsvc.core.counting import Counting
from auditsvc.core.events import AuditEvent
from auditsvc.core.mapper import OperationMapper
from auditsvc.core.swagger import parse_swagger
from auditsvc.core.usage import OperationUsage, Usage
from auditsvc.fetch import read
from benchmarks.decode import Event
from benchmarks.figures import FIGURES
from benchmarks.logs import copies
from benchmarks.mapping import requests
from benchmarks.table import Row, measured_on, render
from benchmarks.workbench import PYTHON, Workbench

ROOT = Path(__file__).parents[1]
TIMES = re.compile(rb'"(?:requestReceived|stage)Timestamp":"([^"]+)')


@pytest.fixture(scope="module")
def mapper(demo_data: Path) -> OperationMapper:
    """The recorded server's operations, found."""
    return OperationMapper(parse_swagger(read(str(demo_data / "openapi-v2.json.gz"))))


@pytest.fixture(scope="module")
def log(demo_data: Path) -> bytes:
    """A recorded log, and a request logged at both its ends."""
    ends = [
        f'{{"auditID":"chosen.by.client","stage":"{stage}","requestURI":"/api/v1/pods","verb":"list",'
        f'"requestReceivedTimestamp":"2026-11-20T20:41:59.900000Z",'
        f'"stageTimestamp":"2026-11-20T20:4{minute}.100000Z"}}\n'
        for stage, minute in (("RequestReceived", "1:59"), ("ResponseComplete", "2:00"))
    ]
    return gzip.decompress((demo_data / "ci-audit.log.gz").read_bytes()) + "".join(ends).encode()


def used(mapper: OperationMapper, log: bytes) -> Usage:
    """What a log used."""
    counting = Counting(mapper)
    counting.count(log)
    return counting.usage()


def untimed(usage: Usage) -> dict[str, OperationUsage]:
    """What was used of each operation, whenever it was."""
    return {name: replace(found, first=None, last=None) for name, found in usage.operations.items()}


def test_copies_are_later_and_used_the_same(mapper: OperationMapper, log: bytes) -> None:
    """Each copy is the same use again, after the copy before it has ended."""
    made = [used(mapper, copy) for copy in copies(log, 3)]
    assert made[0] == used(mapper, log)
    assert all(untimed(copy) == untimed(made[0]) for copy in made)
    ends = [(copy.first, copy.last) for copy in made if copy.first and copy.last]
    (start, end), later, last = ends
    assert end < later[0] < later[1] < last[0]
    assert later[0] - start == last[0] - later[0] <= end - start + timedelta(seconds=2)


def test_copies_are_requests_of_their_own(mapper: OperationMapper, log: bytes) -> None:
    """Counted as one log, so many copies are so many times the requests, none taken for a repetition."""
    once, thrice = used(mapper, log), used(mapper, b"".join(copies(log, 3)))
    counts = [(usage.requests, usage.mapped, usage.duplicates, usage.incomplete) for usage in (once, thrice)]
    assert counts[1] == tuple(3 * count for count in counts[0])
    assert {name: 3 * found.hits for name, found in once.operations.items()} == {
        name: found.hits for name, found in thrice.operations.items()
    }


def test_copies_change_nothing_else(log: bytes) -> None:
    """Apart from IDs and times the bytes are the log's, and no ID is in two copies."""
    changed = re.compile(rb'(?<="auditID":")[^"]+|(?<=Timestamp":")[^"]+')
    ids = re.compile(rb'"auditID":"([^"]+)')
    first, second = copies(log, 2)
    assert changed.sub(b"", first) == changed.sub(b"", second)
    assert not set(ids.findall(first)) & set(ids.findall(second))
    assert [time[-8:] for time in TIMES.findall(first)] == [time[-8:] for time in TIMES.findall(second)]


def test_floor_decodes_the_fields_in_use() -> None:
    """The floor's Struct has the fields of ours, no fewer and no more."""
    fields = [{field.encode_name for field in msgspec.structs.fields(one)} for one in (Event, AuditEvent)]
    assert fields[0] == fields[1]


def test_mapped_uris_are_distinct_and_of_every_operation(demo_data: Path, mapper: OperationMapper) -> None:
    """No URI comes twice, and each is the operation that it was made from."""
    swagger = parse_swagger(read(str(demo_data / "openapi-v2.json.gz")))
    verbs, uris = requests(swagger, 3 * len(swagger.operations))
    assert len(set(uris)) == len(uris)
    assert list(map(mapper.map, verbs, uris)) == 3 * list(swagger.operations.values())


def test_a_process_is_timed_from_outside(tmp_path: Path) -> None:
    """Seconds and bytes are those of the process alone, as long as whoever starts it is small."""
    script = (
        "import sys; from pathlib import Path; from benchmarks.workbench import PYTHON, Workbench\n"
        "bench = Workbench(Path(sys.argv[1]), Path(sys.argv[1]))\n"
        "taken = [bench.run(*PYTHON, '-c', f'bytearray(b\"x\" * ({size} << 20))') for size in (0, 64)]\n"
        "print(taken[1].peak - taken[0].peak >> 20, taken[1].wall >= 0, taken[1].cpu > 0)\n"
    )
    told = subprocess.run(
        [*PYTHON, "-c", script, tmp_path], cwd=ROOT, check=True, capture_output=True, text=True
    )
    grown, *timed = told.stdout.split()
    assert 120 <= int(grown) <= 136
    assert timed == ["True", "True"]


def test_a_process_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    """A floor or a command that did not do its work is no figure."""
    with pytest.raises(subprocess.CalledProcessError) as told:
        Workbench(tmp_path, tmp_path).run(*PYTHON, "-c", "import sys; sys.exit('no such thing')")
    assert (told.value.returncode, told.value.stderr) == (1, "no such thing\n")


def test_table_renders_as_markdown() -> None:
    """Columns are even, a missed target stands out, and an empty cell stays empty."""
    rows = [
        Row("`parse`", "0.40 s", beside="decode: 0.20 s", ratio="2.00×", target="≤ 2.2×", met=True),
        Row("peak memory", "130 MB", target="< 120 MB", met=False),
    ]
    assert render(rows) == (
        "| what        | auditsvc | beside it      | ratio | target   | met    |\n"
        "| ----------- | -------- | -------------- | ----- | -------- | ------ |\n"
        "| `parse`     | 0.40 s   | decode: 0.20 s | 2.00× | ≤ 2.2×   | yes    |\n"
        "| peak memory | 130 MB   |                |       | < 120 MB | **no** |\n"
    )


def test_machine_and_versions_are_named() -> None:
    """Whoever reads the table knows what it was measured with."""
    told = measured_on(rounds=11, load=0.25)
    assert re.search(r"Medians of 11 runs .* load before 0\.2\.", told)
    assert re.search(r"\d+ cores, \d+ GB, \w+ .*\n\w+ 3\.\d+\.\d+, auditsvc [\d.]+, msgspec ", told)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, r"^benchmarks: no large-audit\.log\.gz in .*nowhere.*\(AUDITSVC_TEST_DATA names another"),
        (["--only", "luck"], 2, rf"invalid choice: 'luck' .*{next(iter(FIGURES))}"),
    ],
)
def test_what_cannot_be_measured_is_told(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    """Absent data and an unknown figure are one message and exit code 2."""
    environment = {**os.environ, "AUDITSVC_TEST_DATA": str(tmp_path / "nowhere")}
    command = [sys.executable, "-m", "benchmarks", *arguments]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert re.search(message, ended.stderr, re.DOTALL)
    assert "Traceback" not in ended.stderr
