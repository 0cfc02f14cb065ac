"""What the audits found, in the one shape from which every format of results is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from auditsvc.core.results import AuditResult, FloatResult, MissingValue, Status, render_number, worst
from auditsvc.core.runs import Run
from auditsvc.core.window import Window


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, from 1; the file as a path from the root of its repository."""

    file: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: Failed when it is hard, Warning when it is soft.

    ``key`` is the operation or whatever else it is about; for a comparison where it stands in the result's
    maps. ``text`` names the key.
    """

    status: Status
    key: str
    text: str
    resolution: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """One audit's result, with the names of its type.

    ``by_run`` says that the audit judges each run of its own (its type requires runs). ``places`` tells of
    findings, by their key, which list entry they are about.
    """

    name: str
    key: str
    description: str
    result: AuditResult
    by_run: bool = False
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, the hard findings first."""
        problem = self.result.problem
        return (
            *(() if problem is None else (Finding(Status.FAILED, self.key, problem),)),
            *map(self._hard, self.result.floats),
            *map(self._soft, self.result.missing),
        )

    def _hard(self, found: FloatResult) -> Finding:
        key = found.map + "".join(f"[{step}]" for step in found.path)
        text = f"{key}: expected {render_number(found.expected)}, actual {render_number(found.actual)}"
        if found.detail:
            text += f": {found.detail}"
        return Finding(Status.FAILED, key, text, found.resolution, self.places.get(key))

    def _soft(self, found: MissingValue) -> Finding:
        said = found.key in found.description
        text = found.description if said else f"{found.key}: {found.description}"
        return Finding(Status.WARNING, found.key, text, found.resolution, self.places.get(found.key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Results of the audits over one window, or of the files that were given (then without a window).

    ``subjects`` are the runs that were judged. ``document`` is the file at which a finding is shown that has
    no place of its own.
    """

    title: str
    audits: tuple[AuditReport, ...] = ()
    window: Window | None = None
    subjects: tuple[Run, ...] = ()
    document: str = "swagger.json"

    @property
    def status(self) -> Status:
        """The worst of the results."""
        return worst(audit.result.status for audit in self.audits)


def by_resolution(findings: Iterable[Finding]) -> Mapping[str, Sequence[Finding]]:
    """The findings by what to do about them, in the order in which each resolution is first asked for."""
    alike: dict[str, list[Finding]] = {}
    for found in findings:
        alike.setdefault(found.resolution, []).append(found)
    return alike
