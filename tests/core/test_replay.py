import pytest

from auditsvc.core.replay import Repeated, Replay


def replay(stored: str, repeated: str | None) -> Replay:
    """A replay of a day's result."""
    return Replay(type="AuditA", of="2026-01-17", stored=stored, repeated=repeated, code="1", code_now="1")


@pytest.mark.parametrize(
    ("repeated", "ended"),
    [('{"a":1}', Repeated.SAME), ('{"a":2}', Repeated.DIFFERENT), (None, Repeated.IMPOSSIBLE)],
)
def test_how_it_ended(repeated: str | None, ended: Repeated) -> None:
    """The bytes decide; without any it was not possible."""
    assert replay('{"a":1}', repeated).ended is ended


def test_diff() -> None:
    """Lines of the indented JSON, under what each side is."""
    assert replay('{"a":1,"b":"é"}', '{"a":2,"b":"é"}').diff == (
        "--- 2026-01-17/AuditA stored",
        "+++ 2026-01-17/AuditA repeated",
        "@@ -1,4 +1,4 @@",
        " {",
        '-  "a": 1,',
        '+  "a": 2,',
        '   "b": "é"',
        " }",
    )


@pytest.mark.parametrize("repeated", ['{"a":1}', None])
def test_no_diff(repeated: str | None) -> None:
    """Where nothing differs, and where there is nothing to hold it against."""
    assert replay('{"a":1}', repeated).diff == ()
