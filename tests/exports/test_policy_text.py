from auditsvc.core.policy import PolicyFinding, Severity
from auditsvc.exports import policy_text


def test_a_line_a_finding() -> None:
    """Editors find the place by it; what a policy holds cannot drive the terminal."""
    one = PolicyFinding(3, Severity.WARNING, "unknown key \x1b[1m", "remove it")
    assert policy_text.render("a.yaml", [one]) == "a.yaml:3: warning: unknown key \\x1b[1m → remove it\n"


def test_nothing_found_is_said() -> None:
    """Silence could mean that nothing was read."""
    assert policy_text.render("a.yaml", []) == "a.yaml: nothing found\n"
