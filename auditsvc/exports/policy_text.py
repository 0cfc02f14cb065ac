"""What was found in an audit policy, for a terminal, a line of it each."""

from collections.abc import Iterable

from auditsvc.core.policy import PolicyFinding
from auditsvc.exports.plain import visible


def render(name: str, findings: Iterable[PolicyFinding]) -> str:
    """``file:line: severity: text → what to do``, a line a finding; one line where nothing was found."""
    lines = [f"{name}:{one.line}: {one.severity}: {one.text} → {one.resolution}" for one in findings] or [
        f"{name}: nothing found"
    ]
    return "".join(f"{visible(line)}\n" for line in lines)
