"""The conformance tests of a release: Kubernetes' ``conformance.yaml``."""

import re
from collections.abc import Mapping

import msgspec
import yaml

from auditsvc.core.plain_yaml import error_at, list_items, text_fields, unexpected
from auditsvc.core.releases import Minor
from auditsvc.core.swagger import minor_version
from auditsvc.errors import ParseError

FIRST_RELEASE: Minor = (1, 9)
"""The release of a conformance test that names none: the first that had such tests."""

_FIELDS = ("testname", "codename", "file", "release")
_TAG = re.compile(r"\[([^\[\]]+)\]")
_SIG = "sig-"


class ConformanceTest(msgspec.Struct, frozen=True):
    """A conformance test, and the release in which it became one.

    ``codename`` is what an e2e test calls itself in its user agent, ``file`` where it stands in Kubernetes.
    """

    testname: str
    codename: str
    file: str
    release: Minor

    @property
    def sigs(self) -> tuple[str, ...]:
        """The special interest groups that its name gives in brackets: ``sig-node``."""
        return tuple(tag for tag in bracketed(self.codename) if tag.startswith(_SIG))

    @property
    def tags(self) -> tuple[str, ...]:
        """What else stands in brackets: ``Conformance``, ``NodeConformance``, ``LinuxOnly``."""
        return tuple(tag for tag in bracketed(self.codename) if not tag.startswith(_SIG))


def parse_conformance(text: str | bytes) -> tuple[ConformanceTest, ...]:
    """The tests of a ``conformance.yaml``, in its order.

    Raises ParseError, which says where, for what is not a list of tests with a codename each, and for a
    release that is none.
    """
    tests = tuple(map(_test, list_items(text, of="conformance tests")))
    if not tests:
        raise ParseError("no conformance test in it")
    return tests


def bracketed(name: str) -> tuple[str, ...]:
    """What stands in brackets in the name of an e2e test: its SIG and its tags."""
    return tuple(_TAG.findall(name))


def parse_test_release(text: str) -> Minor | None:
    """The release of a conformance test: ``v1.9, v1.13`` means the last, nothing means 1.9.

    None where the text is no list of releases.
    """
    named = [minor_version(part.strip()) for part in text.split(",") if part.strip()]
    if None in named:
        return None
    return named[-1] if named else FIRST_RELEASE


def _test(item: yaml.Node) -> ConformanceTest:
    if not isinstance(item, yaml.MappingNode):
        raise unexpected(item, "a test: a mapping with testname, codename, release and file")
    fields: Mapping[str, str | None] = text_fields(item, _FIELDS)
    codename = fields.get("codename")
    if not codename:
        raise error_at(item, "a test without codename")
    release = parse_test_release(fields.get("release") or "")
    if release is None:
        raise error_at(item, f"{fields['release']!r} is no release such as v1.9")
    return ConformanceTest(fields.get("testname") or "", codename, fields.get("file") or "", release)
