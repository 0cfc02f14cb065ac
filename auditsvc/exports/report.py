"""What the audits found, in the one shape from which every format of results is made."""

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from auditsvc.core.results import (
    AuditResult,
    FloatResult,
    MissingValue,
    Status,
    WaivedFinding,
    render_number,
    worst,
)
from auditsvc.core.runs import Run, Subject
from auditsvc.core.streaks import Streak
from auditsvc.core.swagger import Operation
from auditsvc.core.usage import ExercisedBy, OperationUsage
from auditsvc.core.window import Window

_TESTS_SHOWN = 3
_FIRST_NAME = re.compile(r"[^\s,]+")


class Place(msgspec.Struct, frozen=True):
    """A line of a file, from 1; the file as a path from the root of its repository."""

    file: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Document(msgspec.Struct, frozen=True):
    """A document that the runs were judged with (swagger, pending, ineligible, policy), by its hash.

    ``source`` is the path or URL that it was read from, ``""`` where a store kept it.
    """

    kind: str
    source: str
    sha256: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.source, f"sha256:{self.sha256}")))


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Where an operation was seen.

    ``event`` is its first audit event, which is of ``run``; None where another tool's report tells of it.
    ``tests`` are those that requested it most, with how often, and ``more_tests`` counts the others. Of the
    last ``of`` CI runs ``runs`` exercised it; 0 of 0 where none are known.
    """

    run: str | None = None
    event: Place | None = None
    tests: tuple[tuple[str, int], ...] = ()
    more_tests: int = 0
    runs: int = 0
    of: int = 0

    def __str__(self) -> str:
        parts = []
        if self.run is not None:
            parts.append(f"seen first at {self.event} of {self.run}" if self.event else f"seen in {self.run}")
        if self.tests:
            tests = ", ".join(f"{name} ({hits})" for name, hits in self.tests)
            parts.append(f"by {tests}" + (f" and {self.more_tests} more tests" if self.more_tests else ""))
        if self.of > 1:  # of a single baseline the finding itself says it
            parts.append(f"in {self.runs} of the last {self.of} CI runs")
        return "; ".join(parts)


class Finding(msgspec.Struct, frozen=True):
    """One thing found: Failed when it is hard, Warning when it is soft.

    ``key`` is the operation or whatever else it is about; for a comparison where it stands in the result's
    maps. ``text`` names the key, and ends with the ``detail`` of a comparison. ``operation`` is the one that
    the key names, ``seen`` where it was seen.
    """

    status: Status
    key: str
    text: str
    resolution: str = ""
    place: Place | None = None
    operation: Operation | None = None
    seen: Seen | None = None
    detail: str = ""


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """One audit's result, with the names of its type.

    ``by_run`` says that the audit judges each run of its own (its type requires runs). Of findings, by their
    key: ``places`` tells which list entry or line of the swagger they are about, ``operations`` which
    operation, ``seen`` where that was seen. ``streak`` is how the result stands among those before it, None
    where it is in no AuditSet.
    """

    name: str
    key: str
    description: str
    result: AuditResult
    by_run: bool = False
    places: Mapping[str, Place] = {}
    operations: Mapping[str, Operation] = {}
    seen: Mapping[str, Seen] = {}
    streak: Streak | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the result says, since when it does not pass, and the findings that somebody has accepted."""
        passed = self.streak is None or self.streak.status is Status.PASSED
        streak = () if passed else (str(self.streak),)
        return (*self.result.notes, *streak, *map(_render_waived, self.result.waived))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, the hard findings first."""
        problem = self.result.problem
        return (
            *(() if problem is None else (self._finding(Status.FAILED, self.key, problem),)),
            *map(self._hard, self.result.floats),
            *map(self._soft, self.result.missing),
        )

    def _hard(self, found: FloatResult) -> Finding:
        key = found.map + "".join(f"[{step}]" for step in found.path)
        text = f"{key}: expected {render_number(found.expected)}, actual {render_number(found.actual)}"
        if found.detail:
            text += f": {found.detail}"
        finding = self._finding(Status.FAILED, key, text, found.resolution, found.detail)
        # It is about all that the detail names, and shown at the first of these.
        first = _FIRST_NAME.match(found.detail)
        return replace(finding, place=self.places.get(first[0])) if first and not finding.place else finding

    def _soft(self, found: MissingValue) -> Finding:
        said = found.key in found.description
        text = found.description if said else f"{found.key}: {found.description}"
        return self._finding(Status.WARNING, found.key, text, found.resolution)

    def _finding(
        self, status: Status, key: str, text: str, resolution: str = "", detail: str = ""
    ) -> Finding:
        # What an agent does with an operation is keyed agent/operation; an operationId has no slash.
        about = key if key in self.places else key.rpartition("/")[2]
        place, operation, seen = self.places.get(about), self.operations.get(about), self.seen.get(about)
        return Finding(status, key, text, resolution, place, operation, seen, detail)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Results of the audits over one window, or of the files that were given (then without a window).

    ``subjects`` are the runs that were judged, ``judged`` the same with what they used and were judged with,
    where that is at hand, and ``documents`` names by hash what they were judged with. ``document`` is the
    file at which a finding is shown that has no place of its own.
    """

    title: str
    audits: tuple[AuditReport, ...] = ()
    window: Window | None = None
    subjects: tuple[Run, ...] = ()
    document: str = "swagger.json"
    documents: tuple[Document, ...] = ()
    judged: tuple[Subject, ...] = ()
    exercised_by: ExercisedBy = ExercisedBy.HIT

    @property
    def status(self) -> Status:
        """The worst of the results."""
        return worst(audit.result.status for audit in self.audits)


def find_seen(subjects: Iterable[Subject], by: ExercisedBy) -> Mapping[str, Seen]:
    """Where each operation was first seen, by id: in a run that was judged, else in the baseline of one."""
    found: dict[str, Seen] = {}
    for subject in subjects:
        baseline = subject.baseline.runs if subject.baseline else ()
        usages = [(str(subject.run), subject.usage), *((str(one.run), one.usage) for one in baseline)]
        for run, usage in usages:
            for name, used in usage.operations.items():
                if name not in found:
                    exercised = sum(_is_exercised(one.usage.operations.get(name), by) for one in baseline)
                    found[name] = _seen(run, used, runs=exercised, of=len(baseline))
    return found


def _render_waived(found: WaivedFinding) -> str:
    said = found.description if found.key in found.description else f"{found.key}: {found.description}"
    why = " ".join(filter(None, (found.reason, found.issue)))
    return f"waived: {said} (by {found.owner} until {found.expires}: {why})"


def _is_exercised(used: OperationUsage | None, by: ExercisedBy) -> bool:
    return used is not None and used.is_exercised(by)


def _seen(run: str, used: OperationUsage, *, runs: int, of: int) -> Seen:
    first = next((Place(sample.file, sample.line) for sample in used.samples), None)
    tests = sorted(used.tests.items(), key=lambda test: (-test[1], test[0]))
    return Seen(
        run=run,
        event=first,
        tests=tuple(tests[:_TESTS_SHOWN]),
        more_tests=len(tests[_TESTS_SHOWN:]),
        runs=runs,
        of=of,
    )


def by_resolution(findings: Iterable[Finding]) -> Mapping[str, Sequence[Finding]]:
    """The findings by what to do about them, in the order in which each resolution is first asked for."""
    alike: dict[str, list[Finding]] = {}
    for found in findings:
        alike.setdefault(found.resolution, []).append(found)
    return alike
