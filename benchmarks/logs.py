"""Makes a long log of a short one: ``python -m benchmarks.logs SHORT.gz LONG COPIES``."""

import gzip
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

_FIELD = re.compile(rb'("auditID":"|"(?:requestReceived|stage)Timestamp":")([^".]+)')
_IDS = uuid.UUID("5c0e7a52-2f0e-4a8b-9a55-6f1c3a7e1d10")


def copies(log: bytes, number: int) -> Iterator[bytes]:
    """The log, and so many less one copies of it, each as much later as the log is long.

    A request's events get the same fresh ID in a copy; the fractions of their seconds stay.
    """
    yield log
    seconds = {found[2] for found in _FIELD.finditer(log) if not _is_id(found)}
    span = _moment(max(seconds)) - _moment(min(seconds)) + timedelta(seconds=1)
    for copy in range(1, number):
        yield _copy(log, copy, span * copy)


def _copy(log: bytes, copy: int, later: timedelta) -> bytes:
    @cache
    def moved(second: bytes) -> bytes:
        return (_moment(second) + later).isoformat().encode()

    def fresh(field: re.Match[bytes]) -> bytes:
        if _is_id(field):
            return field[1] + str(uuid.uuid5(_IDS, f"{copy} {field[2].decode()}")).encode()
        return field[1] + moved(field[2])

    return _FIELD.sub(fresh, log)


def _is_id(field: re.Match[bytes]) -> bool:
    return field[1] == b'"auditID":"'


def _moment(second: bytes) -> datetime:
    return datetime.fromisoformat(second.decode())


if __name__ == "__main__":
    with gzip.open(sys.argv[1]) as short, Path(sys.argv[2]).open("wb") as long:
        long.writelines(copies(short.read(), int(sys.argv[3])))
