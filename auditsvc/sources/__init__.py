"""What the audits look at, from the store for a window or a run, and from files for ``check``.

Each thing is read at most once for each window.
"""

from auditsvc.sources.coverage import StoredCoverage
from auditsvc.sources.given import GivenInputs
from auditsvc.sources.inputs import StoreInputs
from auditsvc.sources.recorded import RecordedStoreInputs, find_gone

__all__ = [
    "GivenInputs",
    "RecordedStoreInputs",
    "StoreInputs",
    "StoredCoverage",
    "find_gone",
]
