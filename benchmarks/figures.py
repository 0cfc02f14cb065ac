"""The figures: what is run, what stands beside it, and what is promised.

Each is a function that measures on a workbench and yields rows of the table. A ratio is the median of
the ratios of runs next to each other, and of wall time where nothing else is said.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.load import load
from benchmarks.table import Row
from benchmarks.workbench import AUDITSVC, PYTHON, Command, Timed, Workbench

MEMORY_BYTES = 120e6
HELP_SECONDS = 0.150
LOOKUPS_A_SECOND = 1e6
LINEAR = 1.1
"""How much longer a byte of the long log may take: what two runs of the same may differ by."""

NOTHING: Command = (*PYTHON, "-c", "")
DECODE: Command = (*PYTHON, "-m", "benchmarks.decode")
DECODE_TWICE: Command = (
    "/bin/sh",
    "-c",
    'for _ in 1 2; do "$0" -m benchmarks.decode "$1" & done; wait',
    *PYTHON,
)
LOADS: Command = (*PYTHON, "-c", "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)")
UNPACK: Command = (
    *PYTHON,
    "-c",
    "import sys\nfrom isal import igzip\nlog = igzip.open(sys.argv[1])\nwhile log.read(1 << 20): pass",
)


def parse(bench: Workbench) -> Iterator[Row]:
    """Counting a log in one process, beside what reads its lines and does nothing with them."""
    log = bench.large
    ours, decoded, loaded = bench.in_turn(_parse(bench, log), (*DECODE, log), (*LOADS, log))
    what = f"`parse --jobs 1`, {_size(log)}"
    yield _at_most(2.2, what, ours, "decode each line to a Struct", decoded, aim=1.8)
    yield _faster(1.5, what, ours, "`json.loads` each line", loaded)


def jobs(bench: Workbench) -> Iterator[Row]:
    """Two processes beside one, a log ten times as long, and the memory that each length takes.

    Told with it is what two processes gain here that share nothing: 2× where nobody else uses the cores.
    """
    large, long = bench.large, bench.long
    commands = [_parse(bench, log, jobs=number) for log in (large, long) for number in (1, 2)]
    one, two, long_one, long_two, alone, both = bench.in_turn(
        *commands, (*DECODE, large), (*DECODE_TWICE, large)
    )
    other = f"two floors at once {2 * _ratios(alone, both)[0]:.2f}×; `--jobs 1`"
    yield _faster(1.75, f"`parse --jobs 2`, {_size(long)}", long_two, other, long_one)
    yield _faster(1, f"`parse --jobs 2`, {_size(large)}", two, other, one)
    yield _linear(long, long_one, large, one)
    yield _memory(large, one)
    yield _memory(long, long_one)


def start(bench: Workbench) -> Iterator[Row]:
    """The start of the command line, beside that of Python."""
    ours, bare = bench.in_turn((*AUDITSVC, "--help"), NOTHING)
    seconds, floor = (median(run.cpu for run in runs) for runs in (ours, bare))
    yield Row(
        "`--help`, CPU time",
        f"{seconds * 1e3:.0f} ms",
        beside=f"Python alone: {floor * 1e3:.0f} ms",
        ratio=f"{seconds / floor:.1f}×",
        target=f"< {HELP_SECONDS * 1e3:.0f} ms",
        met=seconds < HELP_SECONDS,
    )


def ingest(bench: Workbench) -> Iterator[Row]:
    """A log counted into a fresh store, beside counting it: a short one, and one that shows what is fixed."""
    options = ("--kind", "ci", "--swagger", bench.swagger, "--data", bench.store, "--jobs", "1")
    for log in (bench.large, bench.long):
        ours, parsed = bench.in_turn((*AUDITSVC, "ingest", log, *options), _parse(bench, log))
        yield _at_most(1.25, f"`ingest --jobs 1`, {_size(log)}", ours, "`parse --jobs 1`", parsed)


def packed(bench: Workbench) -> Iterator[Row]:
    """A gzip log, beside a process that unpacks it to nowhere and one that then counts the plain log."""
    commands = _parse(bench, bench.packed), (*UNPACK, bench.packed), _parse(bench, bench.large)
    ours, unpacked, parsed = bench.in_turn(*commands)
    both = [one.then(other) for one, other in zip(unpacked, parsed, strict=True)]
    what = f"`parse --jobs 1`, {_size(bench.packed)} of gzip"
    yield _at_most(1, what, ours, "unpack with ISA-L, then `parse`", both)


def mapping(bench: Workbench) -> Iterator[Row]:
    """Look-ups of distinct URIs, beside cutting the same at their slashes; the paths cached after as many."""
    output = bench.folder / "mapping.json"
    bench.run(*PYTHON, "-m", "benchmarks.mapping", bench.swagger, str(bench.rounds), output=output)
    found = json.loads(output.read_bytes())
    mapped, cut = found["mapped"], found["cut"]
    yield Row(
        f"look-ups of {found['uris']:,} distinct URIs",
        f"{mapped / 1e6:.2f} M/s",
        beside=f"`str.split` alone: {cut / 1e6:.2f} M/s",
        ratio=f"{cut / mapped:.2f}×",
        target=f"≥ {LOOKUPS_A_SECOND / 1e6:.0f} M/s",
        met=mapped >= LOOKUPS_A_SECOND,
    )
    cached, bound = found["cached"], found["bound"]
    yield Row("most paths cached meanwhile", f"{cached:,}", target=f"≤ {bound:,}", met=cached <= bound)


FIGURES: dict[str, Callable[[Workbench], Iterator[Row]]] = {
    "parse": parse,
    "jobs": jobs,
    "help": start,
    "ingest": ingest,
    "gzip": packed,
    "mapping": mapping,
    "load": load,
}


def _parse(bench: Workbench, log: Path, *, jobs: int = 1) -> Command:
    return (*AUDITSVC, "parse", log, "--swagger", bench.swagger, "--jobs", str(jobs))


def _at_most(
    limit: float, what: str, ours: list[Timed], floor: str, beside: list[Timed], *, aim: float | None = None
) -> Row:
    """Ours may take so many times as long."""
    ratio, cpu = _ratios(ours, beside)
    return Row(
        what,
        _seconds(ours),
        beside=f"{floor}: {_seconds(beside)}",
        ratio=f"{ratio:.2f}× (CPU {cpu:.2f}×)",
        target=f"≤ {limit:g}×" + (f", aim {aim:g}×" if aim else ""),
        met=ratio <= limit,
    )


def _faster(limit: float, what: str, ours: list[Timed], other: str, beside: list[Timed]) -> Row:
    """Ours must be so many times as fast."""
    ratio, cpu = _ratios(beside, ours)
    return Row(
        what,
        _seconds(ours),
        beside=f"{other}: {_seconds(beside)}",
        ratio=f"{ratio:.2f}× faster (CPU {cpu:.2f}×)",
        target=f"≥ {limit:g}× faster" if limit > 1 else "faster",
        met=ratio >= limit and ratio > 1,
    )


def _linear(long: Path, ours: list[Timed], short: Path, beside: list[Timed]) -> Row:
    """A byte of the long log may take as long as one of the short log."""
    ratio = _ratios(ours, beside)[0] * short.stat().st_size / long.stat().st_size
    return Row(
        f"`parse --jobs 1`, {_size(long)}",
        _seconds(ours),
        beside=f"{_size(short)}: {_seconds(beside)}",
        ratio=f"{ratio:.2f}× a byte",
        target=f"linear: ≤ {LINEAR:g}×",
        met=ratio <= LINEAR,
    )


def _memory(log: Path, runs: list[Timed]) -> Row:
    peak = max(run.peak for run in runs)
    return Row(
        f"`parse --jobs 1`, {_size(log)}, peak memory",
        f"{peak / 1e6:.0f} MB",
        target=f"< {MEMORY_BYTES / 1e6:.0f} MB",
        met=peak < MEMORY_BYTES,
    )


def _ratios(runs: list[Timed], beside: list[Timed]) -> tuple[float, float]:
    """How many times as much the runs took as those beside them, of wall and of CPU time."""
    walls, cpus = zip(
        *((a.wall / b.wall, a.cpu / b.cpu) for a, b in zip(runs, beside, strict=True)), strict=True
    )
    return median(walls), median(cpus)


def _seconds(runs: list[Timed]) -> str:
    return f"{median(run.wall for run in runs):.2f} s"


def _size(log: Path) -> str:
    size = log.stat().st_size
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
