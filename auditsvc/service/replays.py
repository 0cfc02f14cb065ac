"""Repeats stored results from what they were computed from."""

from collections.abc import Sequence

from auditsvc.audits import AuditType, RecordedInputs, audit_types, run_audit
from auditsvc.core.replay import Replay
from auditsvc.core.results import render_result
from auditsvc.core.runs import Run
from auditsvc.core.window import Window
from auditsvc.errors import NotFoundError
from auditsvc.service.audits import code_version, no_steps
from auditsvc.service.jobs import Steps
from auditsvc.sources import RecordedStoreInputs, find_gone
from auditsvc.store import Store
from auditsvc.store.results import StoredResult

_NOT_RECORDED = "it was stored before inputs were recorded: run the audit again"
_NO_TYPE = "this version has no such audit"


class Replays:
    """Replays of the store's results: nothing is written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_window(
        self, window: Window | None, types: Sequence[AuditType] = (), *, steps: Steps = no_steps
    ) -> list[Replay]:
        """Repeats the results of the days that the window overlaps (None: all), of those audits (none: all).

        Raises NotFoundError where there is none.
        """
        stored = self._store.sets.find(window, [known.key for known in types] or None)
        days = {one.window: self._store.sets.inputs(one.window) for one in stored}
        if not stored:
            raise NotFoundError(f"no result is stored for {window or 'any day'}: run the audits first")
        replays = []
        for done, one in enumerate(stored):
            steps(done, len(stored))
            replays.append(self._replay(one, days[one.window].get(one.key)))
        return replays

    def of_run(self, run_id: str, types: Sequence[AuditType] = ()) -> list[Replay]:
        """Repeats the results of judging a run alone. Raises NotFoundError where there is none."""
        run, inputs = self._store.runs.get(run_id), self._store.run_results.inputs(run_id)
        asked = [known.key for known in types or audit_types()]
        stored = [one for one in self._store.run_results.find(run_id) if one.key in asked]
        if not stored:
            raise NotFoundError(f"run {run_id} was never judged alone: auditsvc audit --run {run_id}")
        return [self._replay(one, inputs.get(one.key), run=run) for one in stored]

    def _replay(
        self, stored: StoredResult, recorded: RecordedInputs | None, *, run: Run | None = None
    ) -> Replay:
        known = next((one for one in audit_types() if one.key == stored.key), None)
        repeated = None
        if recorded is None or known is None:
            gone: tuple[str, ...] = (_NO_TYPE if known is None else _NOT_RECORDED,)
        else:
            gone = find_gone(self._store, stored.window, recorded, known.sources)
        if known and recorded and not gone:
            inputs = RecordedStoreInputs(self._store, stored.window, recorded, run=run)
            # At the same time as then: waivers expire, and costs are reconciled, as time goes by.
            repeated = render_result(run_audit(known, inputs, now=stored.result.last_run))
        return Replay(
            type=known.name if known else stored.key,
            of=str(run) if run else str(stored.window.start.date()),
            stored=stored.text,
            repeated=repeated,
            code=stored.code,
            code_now=code_version(),
            gone=gone,
        )
