"""Whether the service can do its work: the store, the disk, and the schedule's lease."""

import shutil

import msgspec

from auditsvc.errors import AuditsvcError
from auditsvc.service import Service

PATIENCE_SECONDS = 3.0
"""For so long may another write hold the store up; probes wait a little longer."""


class Check(msgspec.Struct, frozen=True):
    """One of the things that are needed; ``message`` says in a line how it is."""

    name: str
    ok: bool
    message: str


def check_readiness(service: Service) -> list[Check]:
    """All that is needed, each with its state; the lease only where something is scheduled."""
    checks = [_check_store(service), _check_disk(service)]
    return checks if service.config.schedule is None else [*checks, _check_lease(service)]


def _check_store(service: Service) -> Check:
    try:
        service.store.check(patience=PATIENCE_SECONDS)
    except AuditsvcError as error:
        return Check("store", False, str(error))
    return Check("store", True, "can be read and written")


def _check_disk(service: Service) -> Check:
    needed = service.config.min_free_bytes
    try:
        free = shutil.disk_usage(service.config.data).free
    except OSError as error:
        return Check("disk", False, f"{service.config.data}: {error.strerror}")
    if free < needed:
        message = f"{free} bytes are free, fewer than min_free_bytes ({needed}): make room"
        return Check("disk", False, message)
    return Check("disk", True, f"{free} bytes are free")


def _check_lease(service: Service) -> Check:
    try:
        held = service.schedule.is_held()
    except AuditsvcError as error:
        return Check("lease", False, str(error))
    if not held:
        return Check("lease", False, "no process has held the schedule for a minute: the log says why")
    return Check("lease", True, "a process holds the schedule")
