from pathlib import Path

import pytest

from auditsvc.core.conformance import ConformanceTest, parse_conformance, parse_test_release
from auditsvc.errors import ParseError

YAML = """
- testname: Pods, update
  codename: '[sig-node] Pods should be updated [NodeConformance] [Conformance]'
  description: Updating a Pod's labels MUST succeed.
  release: v1.9
  file: test/e2e/common/node/pods.go
- testname: Kubectl, wait
  codename: '[sig-cli] Kubectl wait should ignore not found error with --for=delete [Conformance]'
  release: v1.9, v1.13
  file: test/e2e/kubectl/kubectl.go
- codename: '[sig-apps] Old [Conformance]'
  release: ""
"""


def test_reads_the_tests_in_their_order() -> None:
    """A test is its title, what it calls itself, its file and the release since which it counts."""
    tests = parse_conformance(YAML)
    assert tests[0] == ConformanceTest(
        "Pods, update",
        "[sig-node] Pods should be updated [NodeConformance] [Conformance]",
        "test/e2e/common/node/pods.go",
        (1, 9),
    )
    assert [test.release for test in tests] == [(1, 9), (1, 13), (1, 9)]
    assert (tests[2].testname, tests[2].file) == ("", "")


def test_tells_sigs_from_tags() -> None:
    """Both stand in brackets in the name."""
    [test, *_] = parse_conformance(YAML)
    assert test.sigs == ("sig-node",)
    assert test.tags == ("NodeConformance", "Conformance")


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("v1.9", (1, 9)),
        ("v1.9, v1.13", (1, 13)),
        ("1.36.0", (1, 36)),
        ("", (1, 9)),
        (" , ", (1, 9)),
        ("soon", None),
        ("v1.9, soon", None),
    ],
)
def test_reads_the_release(text: str, release: tuple[int, int] | None) -> None:
    """Of several the last counts; none means the first release with conformance tests."""
    assert parse_test_release(text) == release


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no conformance test in it"),
        ("[]", "no conformance test in it"),
        ("a: b", "line 1, column 1: expected a list of conformance tests, found a mapping"),
        ("- a", "line 1, column 3: expected a test: a mapping with testname, codename, release and file, "),
        ("- testname: a", "line 1, column 3: a test without codename"),
        ("- codename: a\n  release: soon", "line 1, column 3: 'soon' is no release such as v1.9"),
        ("- codename: a\n  release: 1.9", "line 2, column 12: expected a string as release, found a number"),
    ],
)
def test_refuses_what_is_no_list_of_tests(text: str, message: str) -> None:
    """The message says where and what is wrong."""
    with pytest.raises(ParseError) as error:
        parse_conformance(text)
    assert str(error.value).startswith(message)


def test_lists_of_endpoints_are_no_tests(shared_data: Path) -> None:
    """Another of the community's files does not pass for it."""
    with pytest.raises(ParseError, match="expected a test"):
        parse_conformance((shared_data / "lists/pending_eligible_endpoints.yaml").read_bytes())
