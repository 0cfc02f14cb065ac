import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.prow import (
    BuildStage,
    build_commit,
    build_created,
    build_result,
    build_version,
    first_build_id,
    is_build_id,
    parse_build_stage,
)
from auditsvc.core.runs import RunResult
from auditsvc.errors import ParseError

NOON = datetime(2026, 1, 16, 12, tzinfo=UTC)
BASE, HEAD, MERGE, OTHER = (letter * 40 for letter in "abcd")
VERSION = "v1.35.0-alpha.1.261+06ea384605f172"


def stage(**members: Any) -> BuildStage:
    """A file with those members."""
    text = json.dumps({"timestamp": int(NOON.timestamp())} | members).encode()
    return parse_build_stage(text, name="started.json")


def test_the_time() -> None:
    """It is in Unix seconds; the other members stay as they are."""
    assert stage(passed=True).at == NOON
    assert stage(passed=True).members["passed"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not a JSON object: Input data was truncated"),
        (b"[1]", "not a JSON object: Expected `object`, got `array`"),
        (b'{"timestamp": 1', "not a JSON object: Input data was truncated"),
        (b'{"timestamp": "\xff"}', "not a JSON object: "),
        (b"[" * 100_000, "not a JSON object: "),
        (b"{}", "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": null}', "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": true}', "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": 1.5}', "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": "1768564800"}', "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": 99999999999999}', "its timestamp is no time in Unix seconds"),
        (b'{"timestamp": -99999999999999}', "its timestamp is no time in Unix seconds"),
    ],
)
def test_what_is_no_such_file(text: bytes, message: str) -> None:
    """It is told in one line, with the file's name."""
    with pytest.raises(ParseError) as told:
        parse_build_stage(text, name="finished.json")
    assert str(told.value).startswith(f"finished.json: {message}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("members", "result"),
    [
        ({"result": "SUCCESS", "passed": True}, RunResult.SUCCESS),
        ({"result": "SUCCESS"}, RunResult.SUCCESS),
        ({"passed": True}, RunResult.SUCCESS),
        ({"passed": True, "result": None}, RunResult.SUCCESS),
        ({"result": "FAILURE", "passed": True}, RunResult.FAILURE),
        ({"result": "FAILURE", "passed": False}, RunResult.FAILURE),
        ({"result": "ABORTED", "passed": False}, RunResult.ABORTED),
        ({"result": "ERROR"}, RunResult.FAILURE),
        ({"result": ["SUCCESS"]}, RunResult.FAILURE),
        ({"passed": False}, RunResult.FAILURE),
        ({"passed": "yes"}, RunResult.FAILURE),
        ({}, RunResult.FAILURE),
    ],
)
def test_the_result(members: dict[str, Any], result: RunResult) -> None:
    """Success is what says so in either way, and nothing in the other."""
    assert build_result(stage(**members)) is result


@pytest.mark.parametrize(
    ("started", "finished", "commit"),
    [
        ({}, {}, None),
        # As the decoration writes them for a pull request: what was merged for the test is nowhere else.
        (
            {
                "pull": "93264",
                "repos": {
                    "kubernetes/kubernetes": f"master:{BASE},93264:{HEAD}",
                    "kubernetes/release": "master",
                },
                "repo-version": MERGE,
            },
            {"revision": HEAD},
            HEAD,
        ),
        # For a periodic job.
        (
            {"repos": {"kubernetes/kubernetes": f"master:{BASE}", "kubernetes/test-infra": f"m:{OTHER}"}},
            {},
            BASE,
        ),
        (
            {
                "repos": {"kubernetes/test-infra": "master", "kubernetes/kubernetes": "master"},
                "repo-commit": BASE,
            },
            {},
            BASE,
        ),
        # As older tools wrote them.
        (
            {"repos": {"k8s.io/kubernetes": "master"}},
            {"metadata": {"repo-commit": BASE, "job-version": VERSION}},
            BASE,
        ),
        ({"repo-version": VERSION}, {"revision": VERSION, "metadata": {"revision": VERSION}}, None),
        ({}, {"revision": "e" * 64}, "e" * 64),
        # What is not what it should be.
        ({"repos": "master", "repo-commit": 7, "metadata": "x"}, {"metadata": ["repo-commit"]}, None),
        ({"repos": {"kubernetes/kubernetes": None}, "repo-commit": "../../x"}, {"revision": BASE[:12]}, None),
    ],
)
def test_the_commit(started: dict[str, Any], finished: dict[str, Any], commit: str | None) -> None:
    """The pull request's own, else Kubernetes', else the job's; what is no whole hash is none."""
    assert build_commit(stage(**started), stage(**finished)) == commit


@pytest.mark.parametrize(
    ("started", "finished", "version"),
    [
        ({}, {}, None),
        ({"repo-version": VERSION}, {}, VERSION),
        ({"version": "unknown"}, {"job-version": VERSION}, VERSION),
        ({"repo-version": "v1.2.3"}, {"metadata": {"job-version": VERSION}}, VERSION),
        ({}, {"revision": HEAD, "metadata": {"revision": "v1.34.0"}}, "v1.34.0"),
        ({"repo-version": MERGE}, {"revision": HEAD}, None),
        ({"version": "1.34/../x"}, {"version": 1.34}, None),
    ],
)
def test_the_version(started: dict[str, Any], finished: dict[str, Any], version: str | None) -> None:
    """Whichever member is a version of Kubernetes; what the job found out at last comes first."""
    assert build_version(stage(**started), stage(**finished)) == version


def test_a_real_build_id() -> None:
    """The id says when Prow made the build; this one finished at 16:48:01, as its finished.json says."""
    assert build_created("1291409525907132416") == datetime(2020, 8, 6, 16, 23, 18, 862000, tzinfo=UTC)


@given(st.datetimes(datetime(2019, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - made aware
def test_the_first_build_id(moment: datetime) -> None:
    """A build made at a moment or later has at least this id, and one made before it a lower one."""
    first = first_build_id(moment)
    assert is_build_id(first)
    assert build_created(first) >= moment
    before = str(int(first) - 1)
    assert build_created(before) < moment
    assert before < first


@pytest.mark.parametrize(
    "text", ["latest-build.txt", "123", "", "19580000000000000000", "0958000000000000000", "x"]
)
def test_what_is_no_build_id(text: str) -> None:
    """Ids of another scheme do not tell their time, and sort otherwise."""
    assert not is_build_id(text)
