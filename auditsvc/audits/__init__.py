"""The audits: one module a type, found and registered when this package is imported.

A module whose name starts with ``_`` is machinery: :mod:`_inputs` is all that a check may ask for,
:mod:`_registry` how it is declared, :mod:`_runner` how it is judged.
"""

import importlib
import pkgutil

from auditsvc.audits._inputs import Catalogue, Inputs, Settings
from auditsvc.audits._recorded import (
    Classification,
    RecordedApp,
    RecordedCosts,
    RecordedInputs,
    RecordedSubject,
)
from auditsvc.audits._registry import (
    KUBECOST_KEYS,
    AuditType,
    Compared,
    Missing,
    Note,
    Observation,
    Section,
    audit,
    audit_names,
    audit_types,
    find_audit_type,
)
from auditsvc.audits._runner import judge, run_audit, runnable

__all__ = [
    "KUBECOST_KEYS",
    "AuditType",
    "Catalogue",
    "Classification",
    "Compared",
    "Inputs",
    "Missing",
    "Note",
    "Observation",
    "RecordedApp",
    "RecordedCosts",
    "RecordedInputs",
    "RecordedSubject",
    "Section",
    "Settings",
    "audit",
    "audit_names",
    "audit_types",
    "find_audit_type",
    "judge",
    "run_audit",
    "runnable",
]

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")
