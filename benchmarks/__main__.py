"""``python -m benchmarks``: measures, and prints one table and the machine as Markdown.

Exits with 0 whether or not the targets are met, for a busy machine is nobody's fault, and with 2 where it
could not work.
"""

# argparse, and little else imported: the kernel starts a child's peak memory at its parent's.
import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import FIGURES
from benchmarks.table import Row, measured_on, render
from benchmarks.workbench import Workbench

DATA = Path(os.environ.get("AUDITSVC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
COULD_NOT_WORK = 2


def main() -> int:
    """Runs the figures that were asked for."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    recorded = DATA / "kubernetes-1.20.2"
    if not (recorded / "large-audit.log.gz").is_file():
        return _could_not(
            f"no large-audit.log.gz in {recorded} (AUDITSVC_TEST_DATA names another data folder)"
        )
    load = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="auditsvc-bench-") as folder:
            bench = Workbench(recorded, Path(folder), quick=arguments.quick)
            rows = [row for name in arguments.only or FIGURES for row in _measured(name, bench)]
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except subprocess.CalledProcessError as error:
        return _could_not(f"{' '.join(error.cmd)} ended with {error.returncode}: {error.stderr.strip()}")
    except OSError as error:
        return _could_not(str(error))
    sys.stdout.write(f"{render(rows)}\n{measured_on(rounds=bench.rounds, load=load)}")
    return 0


def _measured(name: str, bench: Workbench) -> Iterator[Row]:
    """The rows of one figure; tells that it is being measured."""
    sys.stderr.write(f"measuring {name} ")
    sys.stderr.flush()
    yield from FIGURES[name](bench)
    sys.stderr.write("\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="What auditsvc costs, beside its floors."
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and 0.3 GB in place of 1 GB")
    parser.add_argument("--only", action="append", choices=FIGURES, help="only these figures; may repeat")
    return parser.parse_args()


def _could_not(message: str) -> int:
    sys.stderr.write(f"benchmarks: {message}\n")
    return COULD_NOT_WORK


if __name__ == "__main__":
    sys.exit(main())
