"""Runs the audits over windows and single runs, and serves what they found."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from importlib import resources

from msgspec.structs import replace

from auditsvc import __version__
from auditsvc.audits import AuditType, Settings, audit_types, find_audit_type, run_audit, runnable
from auditsvc.config import Config
from auditsvc.core.endpoints import EndpointLists
from auditsvc.core.results import AuditSet, render_result
from auditsvc.core.runs import Baseline, Subject
from auditsvc.core.waivers import Waiver
from auditsvc.core.window import Window
from auditsvc.errors import ConfigError, NoDataError, RequestError
from auditsvc.service.jobs import Jobs, Steps
from auditsvc.service.notify import StatusChange, find_changes
from auditsvc.service.retention import whole_since
from auditsvc.service.waivers import read_waivers
from auditsvc.sources import StoreInputs
from auditsvc.store import Store
from auditsvc.store.jobs import Job
from auditsvc.store.results import StoredResult


def no_steps(_done: int, _total: int) -> None:
    """Steps that nobody watches."""


def no_changes(_changes: Sequence[StatusChange]) -> None:
    """Changes that nobody is told of."""


class Audits:
    """The audits of the store."""

    def __init__(
        self,
        store: Store,
        config: Config,
        jobs: Jobs,
        clock: Callable[[], datetime],
        changed: Callable[[Sequence[StatusChange]], None] = no_changes,
    ) -> None:
        self._store = store
        self._config = config
        self._jobs = jobs
        self._clock = clock
        self._changed = changed
        self._all = choose_types(config.audits, key="audits") or audit_types()

    def sets(self, window: Window | None = None, types: Sequence[AuditType] = ()) -> list[AuditSet]:
        """The AuditSets of the days that the window overlaps (None: all) and that have results or data.

        ``types`` keeps only those audits (none: all); one that never ran is None.
        """
        keys = [known.key for known in types or audit_types()]
        with self._store.reading():
            texts = self._store.sets.texts(window)
            days = {*texts, *self._days(window)}
        sets = sorted((day, texts.get(day, {})) for day in days)
        return [AuditSet(day, {key: found.get(key) for key in keys}) for day, found in sets]

    def stored(self, window: Window | None = None, types: Sequence[AuditType] = ()) -> list[StoredResult]:
        """The results with their findings, in time order."""
        return self._store.sets.find(window, [known.key for known in types] or None)

    def windows(self, *, limit: int, offset: int = 0) -> tuple[list[Window], int]:
        """The windows that have results, newest first, and how many there are."""
        return self._store.sets.windows(limit=limit, offset=offset)

    def message(
        self, window: Window | None, types: Sequence[AuditType] = (), *, run_id: str | None = None
    ) -> str:
        """What is answered when audits are started; without window and run, it names the span of all data."""
        over = f"run {run_id}" if run_id else f"window: {window or self._span()}"
        named = f"audit types {', '.join(known.name for known in types)}" if types else "all audit types"
        return f"Running audit over {over} for {named}"

    def subjects(self, day: Window, *, run_id: str | None = None) -> tuple[Subject, ...]:
        """The runs that a day (or the one run) is judged by, with more than the audits need, for reports.

        There are samples of what they and their baselines used, and they name what they are judged with.
        None where that was never stored: their results say so.
        """
        inputs = self._inputs(day, run_id)
        try:
            found = inputs.runs.subjects
        except NoDataError:
            return ()
        return tuple(
            replace(
                one,
                run=inputs.classified(one.run),
                usage=self._store.runs.usage(one.run.id, samples=True),
                baseline=one.baseline and self._sampled(one.baseline),
            )
            for one in found
        )

    def _sampled(self, baseline: Baseline) -> Baseline:
        runs = (replace(one, usage=self._store.runs.usage(one.run.id, samples=True)) for one in baseline.runs)
        return replace(baseline, runs=tuple(runs))

    def lists(self, day: Window, *, run_id: str | None = None) -> EndpointLists:
        """The lists that a day (or the one run) is judged with."""
        return self._inputs(day, run_id).lists

    def submit(
        self,
        window: Window | None = None,
        types: Sequence[AuditType] = (),
        *,
        commit: bool = False,
        run_id: str | None = None,
    ) -> Job:
        """Starts audits in the background; RequestError and NotFoundError where they cannot be asked for."""
        self._check(window, commit=commit, run_id=run_id)
        description = self.message(window, types, run_id=run_id)

        def work(steps: Steps) -> None:
            self.run(window, types, commit=commit, run_id=run_id, steps=steps)

        return self._jobs.start("audit", description, work)

    def run(
        self,
        window: Window | None = None,
        types: Sequence[AuditType] = (),
        *,
        commit: bool = False,
        run_id: str | None = None,
        steps: Steps = no_steps,
    ) -> list[StoredResult]:
        """Runs audits here and now, and returns the results of the days (or the run) asked for.

        Days whose inputs and the audits' code have not changed are skipped where no window is named, and so
        are days of which retention may have taken something. What changed is told when all is done.
        """
        self._check(window, commit=commit, run_id=run_id)
        waivers = read_waivers(self._config.waivers)
        if run_id is not None:
            return self._run_alone(run_id, types, waivers)
        span = window or self._span()
        days = self._days(span) or [_last_day(span)]
        if window is None and (whole := whole_since(self._config.retention, self._clock())):
            days = [day for day in days if day.start >= whole]
        changes: list[StatusChange] = []
        try:
            for done, day in enumerate(days):
                steps(done, len(days))
                changes += self._run_day(day, types, waivers, skip_unchanged=window is None)
            steps(len(days), len(days))
        finally:
            self._changed(changes)
        return [stored for day in days for stored in self.stored(day, types)]

    def _check(self, window: Window | None, *, commit: bool, run_id: str | None) -> None:
        if run_id is not None:
            self._store.runs.get(run_id)
            if window is not None:
                raise RequestError("window: a run is audited alone, so give run or window, not both")
        elif window is None and not commit:
            raise RequestError(
                "commit: without a window every day with data is audited; confirm with commit=true"
            )

    def _span(self) -> Window:
        """The window from the first day with data to the last."""
        days = self._days(None)
        if not days:
            raise RequestError("nothing to audit: the store holds no run and no cost data")
        return Window(days[0].start, days[-1].end)

    def _days(self, window: Window | None) -> list[Window]:
        """The days with data that the window overlaps."""
        return sorted({*self._store.runs.days(window), *self._store.costs.days(window)})

    def _inputs(
        self, window: Window, run_id: str | None = None, *, waivers: tuple[Waiver, ...] = ()
    ) -> StoreInputs:
        run = self._store.runs.get(run_id) if run_id else None
        return StoreInputs(
            self._store,
            window,
            settings=replace(make_settings(self._config), waivers=waivers),
            rule=self._config.baseline,
            now=self._clock(),
            run=run,
        )

    def _run_day(
        self, day: Window, types: Sequence[AuditType], waivers: tuple[Waiver, ...], *, skip_unchanged: bool
    ) -> list[StatusChange]:
        inputs = self._inputs(day, waivers=waivers)
        asked = types or runnable(self._all, inputs)
        if skip_unchanged:
            fresh = {stored.key: (stored.inputs, stored.code) for stored in self.stored(day, asked)}
            now = (inputs.fingerprint(), code_version())
            asked = [known for known in asked if fresh.get(known.key) != now]
        before = {known.key: self._store.sets.last_status(day, known.key) for known in asked}
        if not asked:
            return []
        results = self._results(inputs, asked)
        self._store.sets.put(results, recorded=inputs.recorded())
        return find_changes(before, results)

    def _run_alone(
        self, run_id: str, types: Sequence[AuditType], waivers: tuple[Waiver, ...]
    ) -> list[StoredResult]:
        day = Window.day(self._store.runs.get(run_id).finished)
        inputs = self._inputs(day, run_id, waivers=waivers)
        results = self._results(inputs, types or runnable(self._all, inputs))
        self._store.run_results.put(run_id, results, recorded=inputs.recorded())
        return results

    def _results(self, inputs: StoreInputs, types: Sequence[AuditType]) -> list[StoredResult]:
        fingerprint = inputs.fingerprint()
        results = [(known.key, run_audit(known, inputs, now=self._clock())) for known in types]
        return [
            StoredResult(
                window=inputs.window,
                key=key,
                result=result,
                text=render_result(result),
                inputs=fingerprint,
                code=code_version(),
            )
            for key, result in results
        ]


def choose_types(names: Collection[str], *, key: str) -> tuple[AuditType, ...]:
    """The types that the configuration names under a key, in the registry's order. Raises ConfigError."""
    try:
        chosen = set(map(find_audit_type, names))
    except RequestError as error:
        raise ConfigError(f"{key}: {error}") from error
    return tuple(known for known in audit_types() if known in chosen)


def make_settings(config: Config) -> Settings:
    """What the configuration says about the audits."""
    return Settings(
        exercised_by=config.exercised_by,
        rel_tol=config.rel_tol,
        abs_tol=config.abs_tol,
        max_gap=config.max_gap,
        target_release=config.target_release,
        cost_tolerance=config.cost_tolerance,
    )


@cache
def code_version() -> str:
    """The version of the audits' code: of all that they compute with."""
    digest = hashlib.sha256(__version__.encode())
    for package in ("core", "audits"):
        for module in sorted(
            resources.files("auditsvc").joinpath(package).iterdir(), key=lambda one: one.name
        ):
            if module.name.endswith(".py"):
                digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def _last_day(window: Window) -> Window:
    """The last day that a window touches: where none has data, emptiness shows there."""
    return Window.day(window.end - datetime.resolution)
