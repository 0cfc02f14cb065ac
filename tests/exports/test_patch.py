import subprocess
from pathlib import Path

import pytest

from auditsvc.exports import patch


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- a\n- c\n", "- a\n- b\n- c\n"),
        ("- a\n- c", "- a\n- c\n- d"),
        ("- a", ""),
        ("", "- a\n"),
        ("- a\r\n- b\r\n", "- a\r\n"),
        ("- a\u2028- é\n", "- é\n"),
    ],
)
def test_git_applies_it(tmp_path: Path, before: str, after: str) -> None:
    """What git makes of the one text with the patch is the other."""
    path = tmp_path / "lists" / "pending.yaml"
    path.parent.mkdir()
    path.write_bytes(before.encode())
    written = patch.render("lists/pending.yaml", before, after)
    subprocess.run(["git", "apply", "-p1", "-"], input=written.encode(), cwd=tmp_path, check=True)
    assert (path.read_bytes().decode() if path.exists() else "") == after


def test_no_change_is_no_patch() -> None:
    """Nothing is printed."""
    assert patch.render("a", "- a\n", "- a\n") == ""


def test_an_absolute_path_stays_below_the_folder() -> None:
    """Git refuses what leaves it."""
    assert patch.render("/x/y", "a\n", "").startswith("--- a/x/y\n+++ b/x/y\n")
