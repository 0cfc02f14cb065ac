"""Whole AuditSets of clean, warned, failed and never-run audits, to the byte.

The files in ``tests/golden`` were read against Kubecost's Go structs, and nothing writes them anew.
"""

from pathlib import Path

import pytest

from auditsvc.audits import (
    KUBECOST_KEYS,
    AuditType,
    Compared,
    Missing,
    Note,
    Observation,
    Section,
    find_audit_type,
    judge,
)
from auditsvc.audits._registry import Tolerance
from auditsvc.core.results import AuditSet, render_result, render_set
from tests.audits.given import (
    DAY,
    DEFAULTS,
    NOW,
    STABLE,
    Given,
    held_against,
    judging,
    listing,
    outcome,
    run,
    subject,
    used,
)

GOLDEN = Path(__file__).parent.parent / "golden"
EQUAL = subject(used("readPod"), held_against(used("readPod")))
ADDED = subject(used("readPod", "createPod", "listJob"), held_against(used("readPod")))
UNTESTED = subject(
    used("createPod", "readPod", "getVersion"), lists=listing(pending=["readPod", "optionsPodProxy"])
)
ELSEWHERE = subject(used(*STABLE), of=run("p2"), lists=listing(ineligible=["optionsPodProxy"]))


def audited(name: str, inputs: Given) -> dict[str, str | None]:
    """One audit's bytes under its key."""
    return {find_audit_type(name).key: render_result(outcome(name, inputs))}


def priced() -> dict[str, str | None]:
    """An audit of costs: sections that stay empty, a tolerance, fractions large and small."""
    sums = AuditType(
        "AuditSums", "allocationAgg", ("Results",), "Sums add up.", (), frozenset(), lambda: iter(())
    )
    observed: list[Observation] = [
        Note("a < b & c > d"),
        Tolerance({"relative": 1e-6, "absolute": 0.5}),
        *(Section("Results", name) for name in ("namespace", "cluster", "node")),
        Compared("Results", ("namespace", "kube-system"), 100.5, 1e-7),
        Compared("Results", ("namespace", "default"), 1e21, 0.1),
        Compared("Results", ("cluster", "one"), 2.0, 2.0),
        Missing("cluster-one/", "allocation without a node"),
    ]
    return {"allocationAgg": render_result(judge(sums, observed, settings=DEFAULTS, now=NOW))}


@pytest.mark.parametrize(
    ("name", "results"),
    [
        (
            "clean",
            audited("AuditOperationEquality", judging(EQUAL)) | audited("AuditSwaggerTotal", judging(EQUAL)),
        ),
        ("warned", audited("AuditOperationEquality", judging(ADDED))),
        ("failed", audited("AuditPendingReconciliation", judging(ELSEWHERE, UNTESTED))),
        ("never", dict.fromkeys((*KUBECOST_KEYS, "ineligibleConsistency", "operationEquality"))),
        ("nothing", audited("AuditOperationEquality", Given(absent=frozenset({"runs"})))),
        ("costs", priced()),
    ],
)
def test_golden(name: str, results: dict[str, str | None]) -> None:
    """The JSON of a set is its golden file, key order and numbers included."""
    stored = {key: None if text is None else text.encode() for key, text in results.items()}
    assert render_set(AuditSet(DAY, stored)) + b"\n" == (GOLDEN / f"{name}.json").read_bytes()
