"""The results of auditing single runs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from auditsvc.store.connections import Connections
from auditsvc.store.results import StoredResult, read_inputs, read_results, write_results
from auditsvc.store.runs import require_run

if TYPE_CHECKING:
    from auditsvc.audits import RecordedInputs


class RunResults:
    """The newest result of each audit of each run; they go with their run."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def put(
        self, run_id: str, results: Iterable[StoredResult], *, recorded: "RecordedInputs | None" = None
    ) -> None:
        """Stores the results of auditing this run alone, each in the place of its audit's older one.

        ``recorded`` is what all of them were computed from. Raises NotFoundError.
        """
        with self._connections.transaction() as db:
            require_run(db, run_id)
            write_results(db, results, run_id=run_id, recorded=recorded)

    def find(self, run_id: str) -> list[StoredResult]:
        """The results of auditing this run alone, by key. Raises NotFoundError."""
        with self._connections.reading() as db:
            require_run(db, run_id)
            return read_results(db, "run = ?", [run_id])

    def inputs(self, run_id: str) -> "dict[str, RecordedInputs]":
        """By key what the results of auditing this run alone were computed from, where that was noted.

        Raises NotFoundError.
        """
        with self._connections.reading() as db:
            require_run(db, run_id)
            return read_inputs(db, "r.run = ?", [run_id])
