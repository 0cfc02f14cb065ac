"""auditsvc with a clock that jumps: ``python -m tests.faults.clocked FILE COMMAND…``.

FILE has the seconds by which its clock is ahead of the real one, read each time that it is looked at. The
scheduler beats five times a second, for a test does not wait as long as a server does.
"""

import sys
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import apscheduler.executors.base
import apscheduler.schedulers.base

import auditsvc.scheduler
import auditsvc.service
from auditsvc.cli import main

_ahead = Path(sys.argv[1])


class _Jumping(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # of the parent's type
        return datetime.now(tz) + timedelta(seconds=float(_ahead.read_text()))


for clock in (auditsvc.service, apscheduler.schedulers.base, apscheduler.executors.base):
    vars(clock)["datetime"] = _Jumping
_options = auditsvc.scheduler.start_scheduler.__wrapped__.__kwdefaults__  # type: ignore[attr-defined] # of functools.wraps
_options["beat_seconds"] = 0.2
sys.exit(main(sys.argv[2:]))
