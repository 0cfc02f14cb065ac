"""auditsvc, killed with -9 at a point of its work: ``python -m tests.faults.killed_at POINT COMMAND…``.

POINT is what an SQL statement starts with, before which it happens; after a comma, another one that must have
come later. All of a server goes, whichever of its processes gets there.
"""

import os
import signal
import sys

from auditsvc.cli import main
from auditsvc.store import connections, version
from auditsvc.store.connections import Database

_points = sys.argv[1].lower().split(",")
_first = os.getpid()


def _kill(statement: str) -> None:
    if not " ".join(statement.split()).lower().startswith(_points[0]):
        return
    _points.pop(0)
    if not _points:
        for pid in (_first, os.getpid()):
            os.kill(pid, signal.SIGKILL)


_connect = connections.connect


def _watched(*arguments: object, **options: object) -> Database:
    db = _connect(*arguments, **options)  # type: ignore[arg-type] # handed on as they are
    db.set_trace_callback(_kill)
    return db


for module in (connections, version):
    module.connect = _watched  # type: ignore[attr-defined] # of the same signature
sys.exit(main(sys.argv[2:]))
