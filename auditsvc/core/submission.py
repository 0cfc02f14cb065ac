"""A conformance submission: the folder ``vX.Y/<product>`` of a pull request to cncf/k8s-conformance.

What is in it is told by that repository's instructions.md: README.md, PRODUCT.yaml about the product, and
e2e.log and junit_01.xml as the conformance tests wrote them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError

import msgspec
import yaml
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from auditsvc.core.conformance import ConformanceTest
from auditsvc.core.plain_yaml import NULL, kind_of, named_nodes, top_node
from auditsvc.core.releases import Minor
from auditsvc.errors import ParseError

README, PRODUCT, LOG, JUNIT = FILES = ("README.md", "PRODUCT.yaml", "e2e.log", "junit_01.xml")

_FOLDER = re.compile(r"v([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RAN = re.compile(r"Ran ([0-9]{1,9}) of ([0-9]{1,9}) Specs in ")
_ENDED = re.compile(r"(?:SUCCESS!|FAIL!)\s.*Passed")
_NUMBER = re.compile(r"[0-9]{1,9}")
_COUNT = re.compile(r"([0-9]{1,9}) (Passed|Failed|Pending|Skipped)")
_VERSION = re.compile(r"(e2e test|kube-apiserver) version: (v([0-9]{1,3})\.([0-9]{1,3})\S*)")
# What Ginkgo runs around the tests; the first release wrote no brackets.
_AROUND = re.compile(r"\[?(Synchronized|Report)?(Before|After)Suite\b|\[DeferCleanup|\[CleanupAfter")
_LABELS = re.compile(r" \[[^\[\]]*\]$")

_Parsed = TypeVar("_Parsed")


class RunVersion(msgspec.Struct, frozen=True):
    """A version as the log names it, and its release."""

    text: str
    release: Minor


class TestLog(msgspec.Struct, frozen=True, kw_only=True):
    """What e2e.log says at its end, None where it does not, and the versions that it names at its start.

    ``ran`` of ``total`` specs; ``counts`` by ``Passed``, ``Failed``, ``Pending``, ``Skipped``.
    """

    __test__ = False  # not one of pytest's

    ran: int | None = None
    total: int | None = None
    counts: Mapping[str, int] | None = None
    versions: Mapping[str, RunVersion]


class JunitResults(msgspec.Struct, frozen=True):
    """The tests of junit_01.xml by name and how they ended; what Ginkgo runs around them is none.

    ``suite_tests`` and ``suite_failures`` are what its suites say of themselves, errors among the failures,
    None where they do not. ``cases`` are all that is in it, also what is no test.
    """

    passed: frozenset[str]
    failed: tuple[str, ...]
    skipped: int
    specs: int
    cases: int
    suite_tests: int | None
    suite_failures: int | None

    def has_passed(self, codename: str) -> bool:
        """Whether a test of that name passed."""
        return codename in self.passed


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What a submission's folder holds; None is a file that is absent or cannot be read.

    ``problems`` says why by file. ``release`` is the one that the folder above is called by, None where it is
    called otherwise. ``required`` are the conformance tests of that release, None where they were not given.
    """

    release: Minor | None
    folder: str
    product: Mapping[str, str] | None
    log: TestLog | None
    junit: JunitResults | None
    problems: Mapping[str, str]
    extra: tuple[str, ...] = ()
    required: Sequence[ConformanceTest] | None = None


def read_submission(
    folder: str, files: Mapping[str, bytes], required: Sequence[ConformanceTest] | None = None
) -> Submission:
    """The submission of a folder (``v1.34/product``), from its files by name. Nothing is raised."""
    problems: dict[str, str] = {name: "absent" for name in FILES if name not in files}
    problems |= {name: "empty" for name in FILES if name in files and not files[name].strip()}

    def parsed(name: str, parse: Callable[[bytes], _Parsed]) -> _Parsed | None:
        if name in problems:
            return None
        try:
            return parse(files[name])
        except ParseError as error:
            problems[name] = str(error)
            return None

    above = folder.split("/")[-2] if "/" in folder else ""
    named = _FOLDER.fullmatch(above)
    return Submission(
        release=(int(named[1]), int(named[2])) if named else None,
        folder=folder,
        product=parsed(PRODUCT, parse_product),
        log=parsed(LOG, parse_log),
        junit=parsed(JUNIT, parse_junit),
        problems=problems,
        extra=tuple(sorted(files.keys() - set(FILES))),
        required=required,
    )


def parse_product(data: bytes) -> Mapping[str, str]:
    """The fields of PRODUCT.yaml that have a value, as texts. Raises ParseError, which says where."""
    top = top_node(data, what="PRODUCT.yaml")
    if top is None:
        raise ParseError("line 1: an empty document: it describes the product")
    named = named_nodes(top, "a mapping that describes the product", each="product")
    return {
        name: str(value.value).strip()
        for name, (_, value) in named.items()
        if isinstance(value, yaml.ScalarNode) and kind_of(value) != NULL and str(value.value).strip()
    }


def parse_log(data: bytes) -> TestLog:
    """What an e2e.log says of its tests: Ginkgo's last summary, and the versions that the suite names."""
    text = _COLOUR.sub("", data.decode("utf-8", "replace"))
    versions: dict[str, RunVersion] = {}
    for found in _VERSION.finditer(text):
        versions.setdefault(found[1], RunVersion(found[2], (int(found[3]), int(found[4]))))
    ran = list(_RAN.finditer(text))
    ended = [line for line in text.splitlines() if _ENDED.search(line)]
    return TestLog(
        ran=int(ran[-1][1]) if ran else None,
        total=int(ran[-1][2]) if ran else None,
        counts={name: int(count) for count, name in _COUNT.findall(ended[-1])} if ended else None,
        versions=versions,
    )


def parse_junit(data: bytes) -> JunitResults:
    """The tests of Ginkgo's JUnit report. ParseError for what is no XML, or has entities of its own."""
    try:
        root: Any = fromstring(data)
    except XmlError as error:
        raise ParseError(f"line {error.position[0]}, column {error.position[1] + 1}: not XML") from error
    except (DefusedXmlException, ValueError, LookupError) as error:  # an entity; an encoding that is none
        raise ParseError(f"not XML that can be trusted: {type(error).__name__}") from error
    every = list(root.iter("testcase"))
    cases = [case for case in every if not _AROUND.match(case.get("name", ""))]
    ended = [(_test_name(case), _ending(case)) for case in cases]
    passed = {name for name, how in ended if how == "passed"}
    return JunitResults(
        # Newer reports have a test's labels behind its name; conformance tests are known without.
        passed=frozenset({*passed, *(_LABELS.sub("", name) for name in passed)}),
        failed=tuple(name for name, how in ended if how == "failed"),
        skipped=sum(how == "skipped" for _, how in ended),
        specs=len(cases),
        cases=len(every),
        suite_tests=_suite_count(root, "tests"),
        suite_failures=_suite_count(root, "failures", "errors"),
    )


def is_web_address(url: str) -> bool:
    """Whether it looks like one that can be reached: http(s), and a host with a dot in it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in host.strip(".") and url.split() == [url]


def _suite_count(root: Element, *names: str) -> int | None:
    """The sum of those attributes of all suites; None where no suite has a number in one."""
    found = [suite.get(name, "") for suite in root.iter("testsuite") for name in names]
    counts = [int(text) for text in found if _NUMBER.fullmatch(text)]
    return sum(counts) if counts else None


def _test_name(case: Element) -> str:
    return case.get("name", "").removeprefix("[It] ")


def _ending(case: Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"
