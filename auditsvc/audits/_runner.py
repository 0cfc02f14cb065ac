"""Runs the checks and judges what they observed."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from auditsvc.audits._inputs import Inputs, Settings
from auditsvc.audits._registry import AuditType, Compared, Missing, Note, Observation, Section, Tolerance
from auditsvc.audits._waiving import Waiving, waived_note
from auditsvc.core.results import AuditResult, FloatResult, MissingValue
from auditsvc.errors import AuditsvcError


def runnable(types: Iterable[AuditType], inputs: Inputs) -> tuple[AuditType, ...]:
    """Those types whose kinds of source were ever received; the others stay null."""
    return tuple(known for known in types if all(map(inputs.received, known.required)))


def run_audit(audit_type: AuditType, inputs: Inputs, *, now: datetime) -> AuditResult:
    """Runs one audit. A source that cannot be read, or nothing compared, makes the result Failed.

    Whatever else a check raises is a bug in it and propagates: it is no finding.
    """
    absent = [source for source in audit_type.required if not inputs.received(source)]
    if absent:
        return _failed(audit_type, f"no {' and no '.join(absent)} ever received", now=now)
    try:
        arguments = {name: getattr(inputs, name) for name in audit_type.parameters}
        observations = list(audit_type.check(**arguments))
    except AuditsvcError as error:
        return _failed(audit_type, str(error), now=now)
    return judge(audit_type, observations, settings=inputs.settings, now=now)


def judge(
    audit_type: AuditType, observations: Iterable[Observation], *, settings: Settings, now: datetime
) -> AuditResult:
    """The result of what a check observed. The same note or missing value, of two runs, is told once.

    Raises ValueError for an observation in a map that the audit does not have: it would show nowhere.
    """
    waivers = [waiver for waiver in settings.waivers if waiver.type == audit_type.name]
    waiving = Waiving(waivers, now.astimezone(UTC).date(), partial(_agrees, settings=settings))
    observed = waiving.apply(observations)
    maps = {item.map for item in observed if isinstance(item, Compared | Section)}
    if stray := maps - set(audit_type.maps):
        raise ValueError(f"{audit_type.name} has no map {', '.join(sorted(stray))}")
    compared = [item for item in observed if isinstance(item, Compared)]
    if compared:
        observed += [*waiving.warnings(), *waived_note(waiving.waived)]
    notes = tuple(dict.fromkeys(filter(None, (_note(item, settings) for item in observed))))
    reason = f"nothing to compare: {'; '.join(notes) or 'the sources are empty'}"
    missing = dict.fromkeys(item for item in observed if isinstance(item, Missing))
    return AuditResult(
        last_run=now,
        maps=audit_type.maps,
        checked=len(compared),
        floats=tuple(_float_result(item) for item in compared if not _agrees(item, settings)),
        missing=tuple(MissingValue(item.key, item.description, item.resolution) for item in missing),
        notes=notes if compared else (),
        problem=None if compared else reason,
        sections=tuple((item.map, item.key) for item in observed if isinstance(item, Section)),
        tolerance=next((item.values for item in observed if isinstance(item, Tolerance)), None),
        waived=tuple(waiving.waived),
    )


def _failed(audit_type: AuditType, reason: str, *, now: datetime) -> AuditResult:
    return AuditResult(now, audit_type.maps, problem=f"nothing to compare: {reason}")


def _note(item: Observation, settings: Settings) -> str:
    if isinstance(item, Compared):
        return "" if _agrees(item, settings) else item.note
    return item.text if isinstance(item, Note) else ""


def _agrees(item: Compared, settings: Settings) -> bool:
    expected, actual = item.expected, item.actual
    if item.allowed is not None:
        return abs(expected - actual) <= item.allowed
    if isinstance(expected, int) and isinstance(actual, int):
        return expected == actual
    larger = max(abs(expected), abs(actual))
    return abs(expected - actual) <= max(settings.rel_tol * larger, settings.abs_tol)


def _float_result(item: Compared) -> FloatResult:
    return FloatResult(item.map, item.path, item.expected, item.actual, item.detail, item.resolution)
