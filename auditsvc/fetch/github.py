"""The comment on a pull request, over GitHub's REST API or that of a GitHub Enterprise Server.

Whatever fails is a FetchError of one line that says what to do.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from auditsvc.errors import FetchError
from auditsvc.fetch.http import TIMEOUTS, transport_errors, why

if TYPE_CHECKING:
    import requests

PAUSES = (1.0, 4.0, 15.0)
"""Seconds before each try after the first."""

_LONGEST_PAUSE = 60.0
_PAGE = 100
_MOST_PAGES = 100


class _LaterError(Exception):
    """What may go well a moment later; ``pause`` is how many seconds GitHub asks for."""

    def __init__(self, problem: str, pause: float = 0) -> None:
        super().__init__(problem)
        self.pause = pause


class Comment(msgspec.Struct, frozen=True):
    """The comment as it is now: its page, whether it is new, and the pages of others with the marker."""

    url: str
    created: bool
    others: tuple[str, ...] = ()


class GitHub:
    """A repository (``owner/name``) as a token may see it."""

    def __init__(self, repository: str, token: str, *, api: str, pauses: Sequence[float] = PAUSES) -> None:
        self._repository = repository
        self._token = token
        self._url = f"{api.rstrip('/')}/repos/{repository}"
        self._pauses = pauses

    def put_comment(self, pull: int, body: str, *, marker: str) -> Comment:
        """Writes the comment of that pull request that starts with the marker: the first one, else a new one.

        Servers that fail or ask for patience are asked again, each time from the start: a comment that was
        written while its answer got lost is found.
        """
        for pause in self._pauses:
            try:
                return self._put_once(pull, body, marker)
            except _LaterError as again:
                time.sleep(min(max(pause, again.pause), _LONGEST_PAUSE))
        try:
            return self._put_once(pull, body, marker)
        except _LaterError as error:
            raise FetchError(f"{error}; given up after {len(self._pauses) + 1} tries") from error

    def _put_once(self, pull: int, body: str, marker: str) -> Comment:
        import requests

        with requests.Session() as session:
            session.auth = self._authorize  # as auth: a header would be replaced by what a .netrc says
            session.headers["Accept"] = "application/vnd.github+json"
            found = list(self._comments(session, pull, marker))
            if found:
                written = self._answer(
                    session.patch, f"{self._url}/issues/comments/{found[0]['id']}", json={"body": body}
                )
            else:
                written = self._answer(
                    session.post, f"{self._url}/issues/{pull}/comments", json={"body": body}
                )
            others = tuple(str(other["html_url"]) for other in found[1:])
            return Comment(str(written["html_url"]), not found, others)

    def _comments(self, session: "requests.Session", pull: int, marker: str) -> Iterator[Mapping[str, Any]]:
        """The comments with the marker, oldest first, of all pages."""
        for page in range(1, _MOST_PAGES + 1):
            query = {"per_page": _PAGE, "page": page}
            found = self._answer(session.get, f"{self._url}/issues/{pull}/comments", params=query)
            yield from (one for one in found if (one.get("body") or "").startswith(marker))
            if len(found) < _PAGE:
                return

    def _answer(self, method: "Callable[..., requests.Response]", url: str, **given: Any) -> Any:
        try:
            answer = method(url, timeout=TIMEOUTS, allow_redirects=False, **given)
        except ValueError as error:  # what requests says of an address or a header that cannot be
            raise FetchError(f"cannot ask {url}: {why(error)}") from error
        except transport_errors() as error:
            raise _LaterError(f"cannot reach {url}: {why(error)}") from error
        try:
            body = answer.json() if answer.content else None
        except ValueError as error:
            raise _LaterError(f"{url} answers no JSON: is it GitHub's API? (--api-url)") from error
        if not 200 <= answer.status_code < 300:
            said = body.get("message") if isinstance(body, dict) else None
            self._refuse(answer, str(said or answer.reason))
        return body

    def _refuse(self, answer: "requests.Response", said: str) -> None:
        status = answer.status_code
        problem = f"GitHub answers {status} for {self._repository}: {said}"
        if status >= 500 or status == 429 or _is_for_later(answer, said):
            raise _LaterError(problem, _seconds(answer.headers.get("Retry-After")))
        if status == 403 and answer.headers.get("X-RateLimit-Remaining") == "0":
            raise FetchError(f"{problem}; the token's requests are used up for this hour: try again later")
        raise FetchError(f"{problem}; {_REMEDIES.get(status, 'nothing was written')}")

    def _authorize(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


_MOVED = "the repository has moved: name it with --github as it is called now"
_REMEDIES = {
    301: _MOVED,
    307: _MOVED,
    308: _MOVED,
    401: "set GITHUB_TOKEN to a token that is valid",
    403: "the token may not comment: give it `pull-requests: write` (a fork's pull request has a token that "
    "only reads)",
    404: "check --github, --pull and --api-url, and that the token may read the repository",
}


def _is_for_later(answer: "requests.Response", said: str) -> bool:
    """Whether it is a secondary rate limit, which GitHub answers with 403, too."""
    return answer.status_code == 403 and ("Retry-After" in answer.headers or "secondary rate limit" in said)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else 0
