"""A text as the comment on a pull request: with our marker, and within GitHub's limit."""

from auditsvc.exports.results_markdown import COMMENT_LIMIT, MARKER

_DETAILS, _END = "<details>", "\n\n</details>"


def render(text: str, *, limit: int = COMMENT_LIMIT) -> tuple[str, int]:
    """The comment, and how many characters of the text it had no room for.

    What is too long is cut behind a line, and the comment says so; details that were open are closed.
    """
    whole = text if text.startswith(MARKER) else f"{MARKER}\n{text}"
    if len(whole) <= limit:
        return whole, 0
    # As many ends as there may be details, and the sentence at its longest.
    room = limit - len(_notice(len(whole))) - len(_END) * whole[:limit].count(_DETAILS)
    kept = whole[: max(room, len(MARKER))]
    kept = kept[: kept.rfind("\n") + 1] or kept
    opened = kept.count(_DETAILS) - kept.count("</details>")
    cut = len(whole) - len(kept)
    return kept.rstrip() + _END * max(opened, 0) + _notice(cut), cut


def _notice(cut: int) -> str:
    return f"\n\n… and {cut} more characters, for which a comment on GitHub has no room\n"
