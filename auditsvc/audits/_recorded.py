"""What a result was computed from, by name: enough to compute it once more."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from auditsvc.audits._inputs import Settings
from auditsvc.core.releases import Minor
from auditsvc.core.runs import BaselineRule


class Classification(msgspec.Struct, frozen=True):
    """The hashes of the swagger and lists that a run or window is classified with; None where there is none.

    ``version`` is the one that the swagger was looked for by, None for the highest.
    """

    version: str | None
    swagger: str | None
    pending: str | None
    ineligible: str | None


class RecordedSubject(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was judged, the CI runs that it was held against (else why there were none), what with."""

    run: str
    baseline: tuple[str, ...]
    no_baseline: str
    documents: Classification


class RecordedApp(msgspec.Struct, frozen=True, kw_only=True):
    """The run of an application that was judged, and what with."""

    run: str
    documents: Classification


class RecordedCosts(msgspec.Struct, frozen=True, kw_only=True):
    """A document of costs, by its window, its names and its content."""

    start: datetime
    end: datetime
    source: str
    kind: str
    hash: str


class RecordedInputs(msgspec.Struct, frozen=True, kw_only=True):
    """All that the audits of a window or a run had to look at; no audit looks at all of it.

    ``now`` is when they began, ``received`` the kinds of sources that the store had been given.
    ``apps`` are the runs of applications that were judged.
    ``documents`` are those of the window, ``swaggers`` the version and hash of each release's. The rest of
    what the coverage of releases is told by: the ``releases`` that were known, the ``ci_runs`` (release, run)
    whose conformance tests were looked at, and ``coverage``, the name and hash of what was imported.
    """

    now: datetime
    settings: Settings
    rule: BaselineRule
    received: tuple[str, ...]
    subjects: tuple[RecordedSubject, ...]
    documents: Classification
    swaggers: tuple[tuple[str, str], ...]
    releases: tuple[Minor, ...]
    ci_runs: tuple[tuple[Minor, str], ...]
    coverage: tuple[tuple[str, str], ...]
    costs: tuple[RecordedCosts, ...]
    apps: tuple[RecordedApp, ...] = ()

    @property
    def hashes(self) -> frozenset[str]:
        """The swaggers and lists, by hash."""
        judged = (self.documents, *(subject.documents for subject in self.subjects))
        named = [digest for one in judged for digest in (one.swagger, one.pending, one.ineligible)]
        return frozenset(filter(None, [*named, *(digest for _, digest in self.swaggers)]))

    @property
    def runs(self) -> Iterator[str]:
        """The runs that were judged and those that they were held against."""
        for subject in self.subjects:
            yield from (subject.run, *subject.baseline)
