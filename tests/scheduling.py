"""A process that does nothing but make scheduled runs: ``python -m tests.scheduling FOLDER EVERY BEAT``.

It says so when it is ready, and ends when its standard input does or with SIGTERM.
"""

import signal
import sys
from datetime import timedelta
from pathlib import Path

from auditsvc.config import Config, ScheduleConfig
from auditsvc.scheduler import start_scheduler
from auditsvc.service import open_service


def main(folder: str, every: str, beat: str) -> None:
    """Schedules a run so many seconds after the other, until the end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    schedule = ScheduleConfig(every=timedelta(seconds=float(every)))
    config = Config(data=Path(folder), schedule=schedule)
    with open_service(config) as service, start_scheduler(service, beat_seconds=float(beat)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
