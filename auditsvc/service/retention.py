"""Lets go of what is older than it has to be kept."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec

from auditsvc.config import Config, RetentionConfig
from auditsvc.core.runs import BaselineRule, Run, RunKind, RunResult, choose_baseline
from auditsvc.core.swagger import minor_version
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.store import Store

log = logging.getLogger(__name__)


class Removed(msgspec.Struct, frozen=True):
    """How many runs went, and AuditSets of how many windows."""

    runs: int
    sets: int


class Retention:
    """What is kept for how long, as configured."""

    def __init__(self, store: Store, config: Config, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._config = config
        self._clock = clock

    def apply(self) -> Removed:
        """Deletes runs and AuditSets of days that are older than configured; each run is one transaction.

        Runs that are baselines stay: the newest of each cluster and minor version, and those that a run which
        stays is held against.
        """
        kept, now = self._config.retention, self._clock()
        runs = self._delete_runs(_first_day(kept.runs, now)) if kept.runs else 0
        sets = self._store.sets.delete_before(_first_day(kept.sets, now)) if kept.sets else 0
        if runs or sets:
            log.info("retention: deleted %d runs and the sets of %d days", runs, sets)
        return Removed(runs, sets)

    def _delete_runs(self, before: datetime) -> int:
        runs, _ = self._store.runs.find()
        spared = _baselines(runs, before, self._config.baseline)
        old = [run for run in runs if run.finished < before and run.id not in spared]
        for run in old:
            with suppress(NotFoundError):  # somebody else deleted it meanwhile
                self._store.runs.delete(run.id)
        return len(old)


def whole_since(kept: RetentionConfig, now: datetime) -> datetime | None:
    """The first day from which on nothing was let go; None where everything is kept for ever.

    What is left of an earlier day must not be judged anew, as if it were all that there was.
    """
    return max((_first_day(age, now) for age in (kept.runs, kept.sets) if age), default=None)


def _first_day(age: timedelta, now: datetime) -> datetime:
    return Window.day(now - age).start


def _baselines(runs: Iterable[Run], before: datetime, rule: BaselineRule) -> set[str]:
    """The ids of the runs that stay whatever their age; ``runs`` are in order, the last finished first."""
    alike: defaultdict[tuple[object, ...], list[Run]] = defaultdict(list)
    for run in runs:
        if run.kind is RunKind.CI and run.result is RunResult.SUCCESS:
            alike[run.cluster, minor_version(run.version)].append(run)
    newest = {run.id for group in alike.values() for run in group[: rule.runs]}
    in_use = {
        baseline.id
        for run in runs
        if run.finished >= before
        for baseline in choose_baseline(run, alike[run.cluster, minor_version(run.version)], rule)
    }
    return newest | in_use
