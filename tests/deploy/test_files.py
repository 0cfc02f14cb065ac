from pathlib import Path

import pytest

from tests.deploy.reading import DEPLOY

FILES = [
    DEPLOY / "compose.yaml",
    *sorted((DEPLOY / "kubernetes").iterdir()),
    *sorted((DEPLOY / "audit").iterdir()),
    *sorted(path for path in (DEPLOY / "ci").rglob("*") if path.is_file()),
    *sorted((DEPLOY / "prometheus").iterdir()),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_file_says_at_its_top_what_it_is_for(path: Path) -> None:
    """The first line is a sentence for people, or a title."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith("# ")
    assert len(first) > 20


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_file_is_narrow_and_clean(path: Path) -> None:
    """No tabs, no blanks at a line's end, one newline at the end, and lines that fit a screen."""
    text = path.read_text(encoding="utf-8")
    assert "\t" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    for number, line in enumerate(text.splitlines(), 1):
        assert line == line.rstrip(), number
        assert len(line) <= 120 or path.suffix == ".md", number
