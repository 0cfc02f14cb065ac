import json

from msgspec.structs import replace

from auditsvc.core.replay import Replay
from auditsvc.exports.replays import render_json, render_text

SAME = Replay(type="AuditA", of="2026-01-17", stored="{}", repeated="{}", code="1", code_now="1")
OTHER = replace(SAME, repeated='{"a":1}', code_now="2")
GONE = replace(SAME, of="pull run p\n1", repeated=None, gone=("run ci-1 was deleted",))


def test_text() -> None:
    """A line each; below it other code, what is gone, what differs."""
    assert render_text([SAME, OTHER, GONE]).splitlines() == [
        "2026-01-17 AuditA: same",
        "2026-01-17 AuditA: different",
        "  computed by other code then (1) than now (2)",
        "--- 2026-01-17/AuditA stored",
        "+++ 2026-01-17/AuditA repeated",
        "@@ -1 +1,3 @@",
        "-{}",
        "+{",
        '+  "a": 1',
        "+}",
        r"pull run p\n1 AuditA: impossible",
        "  run ci-1 was deleted",
    ]
    assert render_text([]) == ""


def test_json() -> None:
    """One array."""
    rows = json.loads(render_json([SAME, GONE]))
    assert [row["ended"] for row in rows] == ["same", "impossible"]
    assert rows[0] == {
        "type": "AuditA",
        "of": "2026-01-17",
        "ended": "same",
        "code": "1",
        "code_now": "1",
        "gone": [],
        "diff": [],
    }
    assert rows[1]["gone"] == ["run ci-1 was deleted"]
