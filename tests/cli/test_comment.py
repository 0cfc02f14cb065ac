"""``auditsvc comment`` through its real entry point, against a GitHub that listens here."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.cli.conftest import CommandLine
from tests.test_fetch_github import FakeGitHub

WORDS = "comment", "--github", "o/r", "--pull", "7"


@pytest.fixture
def github(httpserver: HTTPServer, auditsvc: CommandLine) -> Iterator[FakeGitHub]:
    """The GitHub that the environment names, and its token."""
    fake = FakeGitHub()
    httpserver.expect_request(re.compile("^/")).respond_with_handler(fake.answer)
    auditsvc.variables.update(GITHUB_TOKEN="secret", GITHUB_API_URL=httpserver.url_for("/").rstrip("/"))
    yield fake
    httpserver.check_assertions()


def test_a_report_is_put_and_updated(auditsvc: CommandLine, github: FakeGitHub, demo_data: Path) -> None:
    """What check printed, by standard input and then from a file; the address is on standard output."""
    report = auditsvc("check", "--swagger", demo_data / "openapi-v2.json.gz", "--format", "markdown").stdout
    ran = auditsvc(*WORDS, stdin=report)
    assert (ran.returncode, ran.stderr) == (0, "created the comment\n")
    assert ran.stdout == "https://github.com/o/r/pull/7#issuecomment-1\n"
    assert github.bodies == {1: report}
    (auditsvc.home / "report.md").write_text("other\n")
    ran = auditsvc(*WORDS, "--report", "report.md")
    assert (ran.returncode, ran.stderr) == (0, "updated the comment\n")
    assert github.bodies == {1: "<!-- auditsvc -->\nother\n"}


def test_what_is_cut_and_left_is_told(auditsvc: CommandLine, github: FakeGitHub) -> None:
    """Nothing is lost without a word."""
    github.bodies = {1: "<!-- auditsvc -->a", 2: "<!-- auditsvc -->b"}
    ran = auditsvc(*WORDS, stdin="line\n" * 20_000)
    assert ran.returncode == 0
    assert re.search(r"^cut: the comment has no room for \d+ characters of the report$", ran.stderr, re.M)
    assert (
        "older comments of ours stay as they are: https://github.com/o/r/pull/7#issuecomment-2" in ran.stderr
    )


def test_another_api(auditsvc: CommandLine, github: FakeGitHub) -> None:
    """--api-url wins over the environment."""
    url = auditsvc.variables.pop("GITHUB_API_URL")
    assert auditsvc(*WORDS, "--api-url", url, stdin="x").returncode == 0
    assert github.bodies


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (WORDS, " \n", "<stdin>: there is nothing in it to comment"),
        (
            ("comment", "--github", "o", "--pull", "7"),
            "x",
            "--github o: it is OWNER/REPO, such as kubernetes/kub",
        ),
        (
            ("comment", "--github", "o/r", "--pull", "8"),
            "x",
            "GitHub answers 404 for o/r: Not Found; check --github",
        ),
        (
            (*WORDS, "--report", "none.md"),
            "",
            "Invalid value for '--report': 'none.md': No such file or directory",
        ),
    ],
)
def test_mistakes(
    auditsvc: CommandLine, github: FakeGitHub, words: tuple[str, ...], stdin: str, message: str
) -> None:
    """One line, nothing written."""
    ran = auditsvc(*words, stdin=stdin)
    assert (ran.returncode, ran.stdout, github.bodies) == (2, "", {})
    assert ran.stderr.startswith(f"auditsvc: {message}")


def test_bytes_that_are_no_text(auditsvc: CommandLine, github: FakeGitHub) -> None:
    """A report is UTF-8."""
    (auditsvc.home / "report.md").write_bytes(b"ab\xff")
    ran = auditsvc(*WORDS, "--report", "report.md")
    assert (ran.returncode, github.requests) == (2, [])
    assert ran.stderr == "auditsvc: report.md: not UTF-8 at byte 2\n"


def test_a_token_that_is_none(auditsvc: CommandLine, github: FakeGitHub) -> None:
    """The end of the line that it was read with does no harm; what is no token is told without showing it."""
    auditsvc.variables["GITHUB_TOKEN"] = "secret\n"
    assert auditsvc(*WORDS, stdin="x").returncode == 0
    auditsvc.variables["GITHUB_TOKEN"] = "two\nlines"
    ran = auditsvc(*WORDS, stdin="x")
    assert (ran.returncode, len(github.bodies)) == (2, 1)
    assert ran.stderr == "auditsvc: GITHUB_TOKEN: a token is one word of ASCII; this is something else\n"


def test_without_a_token(auditsvc: CommandLine) -> None:
    """It is said where it comes from, and nobody is asked."""
    auditsvc.variables["GITHUB_TOKEN"] = ""
    ran = auditsvc(*WORDS, stdin="x")
    assert ran.returncode == 2
    assert ran.stderr.startswith("auditsvc: GITHUB_TOKEN is not set: give this step a token that ")
