from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.submission import (
    is_web_address,
    parse_junit,
    parse_log,
    parse_product,
    read_submission,
)
from auditsvc.errors import ParseError
from tests.submissions import JUNIT, LOG, PRODUCT, files


class TestLog:
    """e2e.log."""

    def test_a_whole_one(self) -> None:
        """Numbers from its end, versions from its start."""
        log = parse_log(LOG)
        assert (log.ran, log.total) == (3, 5)
        assert log.counts == {"Passed": 3, "Failed": 0, "Pending": 0, "Skipped": 2}
        assert {name: one.release for name, one in log.versions.items()} == {
            "e2e test": (1, 34),
            "kube-apiserver": (1, 34),
        }
        assert log.versions["kube-apiserver"].text == "v1.34.1+product1"

    def test_older_ones_have_colours_and_flakes(self) -> None:
        """They are no part of the numbers."""
        text = (
            b"\x1b[1mRan 3 of 9 Specs in 1.5 seconds\x1b[0m\r\n"
            b"\x1b[1m\x1b[31mFAIL!\x1b[0m -- \x1b[32m2 Passed\x1b[0m | 1 Failed | 1 Flaked | 0 Pending | "
            b"6 Skipped\r\n"
        )
        log = parse_log(text)
        assert (log.ran, log.counts) == (3, {"Passed": 2, "Failed": 1, "Pending": 0, "Skipped": 6})

    def test_the_last_summary_counts(self) -> None:
        """A test's own output may quote another one."""
        assert parse_log(LOG.replace(b"3 of 5", b"2 of 9").replace(b"-- 3", b"-- 2") + LOG).ran == 3

    def test_one_that_was_cut_off(self) -> None:
        """Nothing is made up."""
        log = parse_log(b"Will run 3 of 5 specs\n\xff")
        assert (log.ran, log.total, log.counts, log.versions) == (None, None, None, {})

    @given(st.binary())
    def test_anything(self, data: bytes) -> None:
        """Any bytes are a log."""
        parse_log(data)


class TestJunit:
    """junit_01.xml."""

    def test_a_whole_one(self) -> None:
        """What Ginkgo runs around the tests is none of them."""
        junit = parse_junit(JUNIT)
        assert (junit.specs, junit.skipped, junit.failed) == (5, 2, ())
        assert junit.has_passed("[sig-node] Pods should run [Conformance]")
        assert not junit.has_passed("[sig-apps] Job should be slow [Slow]")

    def test_labels_and_older_names(self) -> None:
        """With the labels behind the name, and without a kind before it."""
        junit = parse_junit(
            b'<testsuite><testcase name="[It] a [Conformance] [sig-x, Conformance]"/>'
            b'<testcase name="b [Conformance]"/><testcase name="BeforeSuite"/><testcase/>'
            b'<testcase name="c"><error/></testcase><testcase name="d"><failure/></testcase></testsuite>'
        )
        assert junit.has_passed("a [Conformance]")
        assert junit.has_passed("b [Conformance]")
        assert (junit.failed, junit.specs) == (("c", "d"), 5)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"<a>", "line 1, column 4: not XML"),
            (b"", "line 1, column 1: not XML"),
            (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "not XML that can be trusted: EntitiesForbidden"),
            (b'<?xml version="1.0" encoding="nope"?><a/>', "not XML that can be trusted: LookupError"),
        ],
    )
    def test_refused(self, data: bytes, message: str) -> None:
        """What is no XML, and what XML can do harm with."""
        with pytest.raises(ParseError) as refused:
            parse_junit(data)
        assert str(refused.value).startswith(message.partition(": Lookup")[0])

    @given(st.binary() | st.text().map(str.encode))
    def test_anything(self, data: bytes) -> None:
        """Any bytes are a report or a ParseError."""
        with suppress(ParseError):
            parse_junit(data)


class TestProduct:
    """PRODUCT.yaml."""

    def test_a_whole_one(self) -> None:
        """Texts, whatever YAML takes them for; what has no value is not there."""
        product = parse_product(PRODUCT + b"repo_url:\nempty: ' '\nlist: [a]\nnumber: 1.10\n")
        assert product["version"] == "1.2"
        assert product["number"] == "1.10"
        assert not {"repo_url", "empty", "list"} & product.keys()

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "line 1: an empty document: it describes the product"),
            (b"- a", "line 1, column 1: expected a mapping that describes the product, found a list"),
            (b"name: a\nname: b", "line 2, column 1: a second name in one product"),
        ],
    )
    def test_refused(self, data: bytes, message: str) -> None:
        """With the place."""
        with pytest.raises(ParseError) as refused:
            parse_product(data)
        assert str(refused.value) == message


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://example.org/x", True),
        ("http://example.org", True),
        ("https://localhost/x", False),
        ("https://example./x", False),
        ("ftp://example.org", False),
        ("example.org", False),
        ("https://exa mple.org", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_addresses(url: str, good: bool) -> None:
    """One that anybody could open, by its looks."""
    assert is_web_address(url) is good


@pytest.mark.parametrize(
    ("folder", "release"),
    [
        ("v1.34/product", (1, 34)),
        ("v1.9/a b", (1, 9)),
        ("1.34/product", None),
        ("v1.34.1/product", None),
        ("product", None),
        ("/", None),
    ],
)
def test_release_of_the_folder(folder: str, release: tuple[int, int] | None) -> None:
    """It is named by the folder above."""
    assert read_submission(folder, files()).release == release


def test_what_is_wrong_with_files() -> None:
    """Each is named with the reason, and the others are read."""
    given_files = files() | {"README.md": b" \n", "PRODUCT.yaml": b"- a", "notes.txt": b""}
    del given_files["e2e.log"]
    found = read_submission("v1.34/product", given_files)
    assert dict(found.problems) == {
        "e2e.log": "absent",
        "README.md": "empty",
        "PRODUCT.yaml": "line 1, column 1: expected a mapping that describes the product, found a list",
    }
    assert (found.product, found.log, found.extra) == (None, None, ("notes.txt",))
    assert found.junit
