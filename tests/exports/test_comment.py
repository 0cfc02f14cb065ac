import re

from hypothesis import given
from hypothesis import strategies as st

from auditsvc.exports.comment import render
from auditsvc.exports.results_markdown import COMMENT_LIMIT, MARKER


def test_a_report_of_ours_stays() -> None:
    """It has the marker already."""
    assert render(f"{MARKER}\nx\n") == (f"{MARKER}\nx\n", 0)


def test_any_other_text_gets_the_marker() -> None:
    """By which it is found again."""
    assert render("x") == (f"{MARKER}\nx", 0)


def test_what_is_too_long_is_cut_and_counted() -> None:
    """Behind a line, with the details closed."""
    text = f"{MARKER}\n<details>\n" + "a line\n" * 20_000 + "</details>\n"
    comment, cut = render(text)
    assert COMMENT_LIMIT - 200 < len(comment) <= COMMENT_LIMIT
    assert f"a line\n\n</details>\n\n… and {cut} more characters, for which a comment" in comment
    assert len(text) - cut == comment.index("\n\n</details>") + 1


@given(st.lists(st.sampled_from(["<details>", "</details>", "\n", "word ", "é" * 40])), st.integers(200, 400))
def test_never_longer(parts: list[str], limit: int) -> None:
    """Whatever the text, the comment fits, keeps its marker, and accounts for every character."""
    text = "".join(parts)
    comment, cut = render(text, limit=limit)
    assert len(comment) <= limit
    assert comment.startswith(MARKER)
    assert bool(cut) == (len(text) + len(MARKER) + 1 > limit)
    assert not cut or re.search(rf"… and {cut} more characters", comment)
