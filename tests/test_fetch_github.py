import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from auditsvc.errors import FetchError
from auditsvc.fetch.github import GitHub

MARKER = "<!-- ours -->"
COMMENTS = re.compile(r"/repos/o/r/issues/(\d+)/comments")
ONE = re.compile(r"/repos/o/r/issues/comments/(\d+)")


@dataclass
class FakeGitHub:
    """The part of GitHub's API that comments are read and written by, for pull request 7 of o/r."""

    bodies: dict[int, str] = field(default_factory=dict)
    first: list[Response] = field(default_factory=list)
    """What it answers before it works."""
    requests: list[str] = field(default_factory=list)
    lose_next_answer: bool = False

    def answer(self, request: Request) -> Response:
        """As GitHub does, which a token is shown."""
        self.requests.append(f"{request.method} {request.full_path.rstrip('?')}")
        assert request.headers["Authorization"] == "Bearer secret"
        if self.first:
            return self.first.pop(0)
        if (found := ONE.fullmatch(request.path)) and request.method == "PATCH":
            return self._write(int(found[1]), request)
        found = COMMENTS.fullmatch(request.path)
        if not found or found[1] != "7":
            return said(404, "Not Found")
        if request.method == "POST":
            written = self._write(len(self.bodies) + 1, request, 201)
            if self.lose_next_answer:
                self.lose_next_answer = False
                return Response(status=502)
            return written
        size, page = int(request.args["per_page"]), int(request.args["page"])
        shown = sorted(self.bodies)[(page - 1) * size : page * size]
        return said_json([self._shown(number) for number in shown])

    def _write(self, number: int, request: Request, status: int = 200) -> Response:
        body = json.loads(request.data)["body"]
        assert len(body) <= 65_536
        self.bodies[number] = body
        return said_json(self._shown(number), status)

    def _shown(self, number: int) -> dict[str, Any]:
        page = f"https://github.com/o/r/pull/7#issuecomment-{number}"
        return {"id": number, "body": self.bodies[number], "html_url": page}


def said_json(value: object, status: int = 200, **headers: str) -> Response:
    """An answer in JSON."""
    return Response(json.dumps(value), status, headers, content_type="application/json")


def said(status: int, message: str, **headers: str) -> Response:
    """GitHub's way of refusing."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return said_json({"message": message}, status, **named)


@pytest.fixture
def github(httpserver: HTTPServer) -> Iterator[FakeGitHub]:
    """A GitHub that listens here."""
    fake = FakeGitHub()
    httpserver.expect_request(re.compile("^/")).respond_with_handler(fake.answer)
    yield fake
    httpserver.check_assertions()


def put(server: HTTPServer, body: str, *, pull: int = 7, tries: int = 4) -> Any:
    """The comment, without pauses."""
    hub = GitHub("o/r", "secret", api=server.url_for("/"), pauses=(0.0,) * (tries - 1))
    return hub.put_comment(pull, f"{MARKER}\n{body}", marker=MARKER)


def test_created_then_updated(github: FakeGitHub, httpserver: HTTPServer) -> None:
    """The second report takes the place of the first; others' comments stay, also one that quotes ours."""
    github.bodies = {1: "LGTM", 2: f"> {MARKER}\n> quoted", 3: ""}
    first, second = put(httpserver, "one"), put(httpserver, "two")
    assert (first.created, second.created, first.url) == (True, False, second.url)
    assert github.bodies == {1: "LGTM", 2: f"> {MARKER}\n> quoted", 3: "", 4: f"{MARKER}\ntwo"}
    assert second.others == ()


def test_found_on_a_later_page(github: FakeGitHub, httpserver: HTTPServer) -> None:
    """All pages are looked at, and none more than there are."""
    github.bodies = dict.fromkeys(range(1, 251), "talk") | {240: f"{MARKER}\nold"}
    assert put(httpserver, "new").url.endswith("-240")
    assert [line for line in github.requests if line.startswith("GET")] == [
        f"GET /repos/o/r/issues/7/comments?per_page=100&page={page}" for page in (1, 2, 3)
    ]


def test_several_with_the_marker(github: FakeGitHub, httpserver: HTTPServer) -> None:
    """The first is updated, the others are told."""
    github.bodies = {1: f"{MARKER}\na", 2: f"{MARKER}\nb", 3: f"{MARKER}\nc"}
    written = put(httpserver, "new")
    assert [url[-1] for url in (written.url, *written.others)] == ["1", "2", "3"]
    assert github.bodies[1].endswith("new")
    assert github.bodies[2].endswith("b")


@pytest.mark.parametrize(
    "trouble",
    [
        [Response(status=500)],
        [said(502, "Server Error"), said(503, "busy")],
        [said(429, "slow down", Retry_After="0")],
        [said(403, "You have exceeded a secondary rate limit. Please wait.")],
        [said(403, "wait", Retry_After="0")],
        [Response("<html>", 200, content_type="text/html")],
    ],
)
def test_trouble_that_passes(github: FakeGitHub, httpserver: HTTPServer, trouble: list[Response]) -> None:
    """Servers that fail and secondary rate limits are waited for."""
    github.first = trouble
    assert put(httpserver, "report").created
    assert len(github.bodies) == 1


def test_an_answer_that_got_lost(github: FakeGitHub, httpserver: HTTPServer) -> None:
    """A comment that was written is not written again: it is found."""
    github.lose_next_answer = True
    assert not put(httpserver, "report").created
    assert len(github.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (said(401, "Bad credentials"), "401 for o/r: Bad credentials; set GITHUB_TOKEN to a token"),
        (said(403, "Resource not accessible"), "403 for o/r: Resource not accessible; the token may "),
        (said(403, "limit", X_RateLimit_Remaining="0"), "403 for o/r: limit; the token's requests are used"),
        (said(404, "Not Found"), "404 for o/r: Not Found; check --github, --pull and --api-url"),
        (said(422, "too long"), "422 for o/r: too long; nothing was written"),
        (said(301, "Moved"), "301 for o/r: Moved; the repository has moved: "),
        (Response("[]", 410), "410 for o/r: GONE; nothing was written"),
    ],
)  # fmt: skip  # one line an answer
def test_refusals(github: FakeGitHub, httpserver: HTTPServer, answer: Response, message: str) -> None:
    """What will not pass is told at once, with what to do."""
    github.first = [answer]
    with pytest.raises(FetchError) as refused:
        put(httpserver, "report")
    assert str(refused.value).startswith(f"GitHub answers {message}")
    assert (len(github.requests), github.bodies) == (1, {})


def test_given_up(github: FakeGitHub, httpserver: HTTPServer) -> None:
    """After some tries."""
    github.first = [said(503, "busy") for _ in range(3)]
    with pytest.raises(FetchError, match=r"^GitHub answers 503 for o/r: busy; given up after 3 tries$"):
        put(httpserver, "report", tries=3)


def test_an_address_that_is_none() -> None:
    """It is told at once: asking again would not help."""
    hub = GitHub("o/r", "secret", api="ftp://github.test", pauses=(60.0,))
    with pytest.raises(FetchError, match=r"^cannot ask ftp://github.test/repos/o/r/issues/7/comments: "):
        hub.put_comment(7, "x", marker=MARKER)


def test_nobody_answers() -> None:
    """The address is named."""
    hub = GitHub("o/r", "secret", api="http://127.0.0.1:9", pauses=())
    with pytest.raises(FetchError, match=r"^cannot reach http://127.0.0.1:9/repos/o/r/issues/7/comments: "):
        hub.put_comment(7, "x", marker=MARKER)
