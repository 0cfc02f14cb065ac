"""What a server stands: reads, an audit of a busy day, uploads while others read.

The server is the real one, with its default settings, on a store of two years; wrk asks it from beside it.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.table import Row
from benchmarks.workbench import AUDITSVC, PYTHON, Workbench

READS_A_SECOND = 300
READ_P99 = 0.050
AUDIT_SECONDS = 1.0
BUSY_READ_P99 = 0.250
CLIENTS = 8

SETS = "/audit?window=30d"
DAY = "/audit?wait=true&window=yesterday&" + "&".join(
    f"type=Audit{name}"
    for name in ("OperationEquality", "PendingReconciliation", "IneligibleConsistency", "SwaggerTotal")
)

_STARTED = re.compile(r"http://[\w.]+:\d+")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw: answers a second, the 99th percentile of their seconds, and those that were errors."""

    rate: float
    p99: float
    errors: int


def load(bench: Workbench) -> Iterator[Row]:
    """The three figures, one after the other on one server; without wrk there are none."""
    if shutil.which("wrk") is None:
        sys.stderr.write("(left out: there is no wrk; Debian: apt-get install wrk) ")
        return
    store = bench.folder / "history"
    bench.run(*PYTHON, "-m", "benchmarks.history", bench.data.parent, store)
    with _server(store) as url:
        yield from _reads(bench, url)
        yield _audit(bench, url)
        yield _uploads(bench, url)


def _reads(bench: Workbench, url: str) -> Iterator[Row]:
    floor, ours = _wrk(bench, f"{url}/healthz"), _wrk(bench, url + SETS)
    what = f"`GET {SETS}`, two years of sets, {CLIENTS} readers"
    yield Row(
        what,
        f"{ours.rate:.0f}/s",
        beside=f"`GET /healthz`: {floor.rate:.0f}/s",
        ratio=f"{floor.rate / ours.rate:.1f}×",
        target=f"≥ {READS_A_SECOND}/s",
        met=ours.rate >= READS_A_SECOND and not ours.errors,
    )
    yield _p99(what, ours, floor, READ_P99)


def _audit(bench: Workbench, url: str) -> Row:
    """The conformance audits over a day with 8 ci and 20 pull runs; the first finds nothing cached."""
    seconds = [_seconds_of(url + DAY) for _ in range(bench.rounds)]
    return Row(
        "`POST /audit?wait=true`, 8 ci and 20 pull runs, 4 types",
        f"{median(seconds):.2f} s",
        beside=f"slowest of {bench.rounds}: {max(seconds):.2f} s",
        target=f"< {AUDIT_SECONDS:g} s",
        met=max(seconds) < AUDIT_SECONDS,
    )


def _uploads(bench: Workbench, url: str) -> Row:
    quiet = _wrk(bench, url + SETS, connections=2)
    log = bench.data / "pull-audit.log.gz"
    # Each upload is a run of its own, for its build is.
    senders = [
        subprocess.Popen(
            (*PYTHON, "-m", "benchmarks.uploads", url, log, str(client), str(_seconds(bench) + 1)),
            stdout=subprocess.PIPE,
            text=True,
        )
        for client in range(CLIENTS)
    ]
    busy = _wrk(bench, url + SETS, connections=2)
    sent = [int(sender.communicate()[0] or 0) for sender in senders]
    failed = sum(sender.returncode != 0 for sender in senders) + busy.errors
    return Row(
        f"the same, p99 while {CLIENTS} clients upload the `pull` log",
        f"{busy.p99 * 1e3:.0f} ms",
        beside=f"nobody uploads: {quiet.p99 * 1e3:.0f} ms; {sum(sent)} uploads, {failed} errors",
        ratio=f"{busy.p99 / quiet.p99:.1f}×",
        target=f"< {BUSY_READ_P99 * 1e3:.0f} ms, no error",
        met=busy.p99 < BUSY_READ_P99 and not failed and all(sent),
    )


def _p99(what: str, ours: Load, floor: Load, limit: float) -> Row:
    return Row(
        f"{what}, p99",
        f"{ours.p99 * 1e3:.0f} ms",
        beside=f"`GET /healthz`: {floor.p99 * 1e3:.0f} ms",
        ratio=f"{ours.p99 / floor.p99:.1f}×",
        target=f"< {limit * 1e3:.0f} ms",
        met=ours.p99 < limit,
    )


@contextmanager
def _server(store: Path) -> Iterator[str]:
    """A server on a free port of loopback, its log in a file as it would be; its URL."""
    said = store.with_suffix(".log")
    command = (*AUDITSVC, "serve", "--port", "0", "--data", str(store))
    with said.open("w") as log:
        server = subprocess.Popen(command, stderr=log)
    try:
        while not (started := _STARTED.search(said.read_text())):
            if server.poll() is not None:
                raise subprocess.CalledProcessError(server.returncode, command, stderr=said.read_text())
            time.sleep(0.05)
        yield started[0]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def _seconds(bench: Workbench) -> int:
    return 3 if bench.quick else 10


def _wrk(bench: Workbench, url: str, *, connections: int = CLIENTS) -> Load:
    """What wrk saw in some seconds, after one to warm up."""
    for seconds in (1, _seconds(bench)):
        command = ("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", url)
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        sys.stderr.write(".")
        sys.stderr.flush()
    return read_wrk(told)


def read_wrk(told: str) -> Load:
    """The figures in what wrk printed. Raises ValueError where they are not there."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    if rate is None or p99 is None:
        raise ValueError(f"not what wrk prints: {told}")
    errors = [*re.findall(r"(?:connect|read|write|timeout) (\d+)", told)]
    errors += re.findall(r"Non-2xx or 3xx responses: (\d+)", told)
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]], sum(map(int, errors)))


def _seconds_of(url: str) -> float:
    """The seconds until a POST is answered. Raises OSError where the answer is an error."""
    import urllib.request  # large, and what is imported here is memory of every process started from here

    start = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=60) as answer:  # noqa: S310 - our own server's
        answer.read()
    return time.perf_counter() - start
