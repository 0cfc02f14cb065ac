import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from auditsvc.core import plain_yaml
from auditsvc.core.endpoints import EndpointEntry, EndpointList, EndpointLists, parse_endpoint_list
from auditsvc.errors import ParseError

ITEM = "expected an operationId, or a mapping with endpoint, reason and link, found "
LINK = "https://github.com/kubernetes/kubernetes/issues/95930"

# Without the line and paragraph separators: JSON may hold them in a string, to YAML they end a line.
strings = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]))
fields = st.none() | strings
ignored = st.integers() | st.lists(strings)
items = strings | st.fixed_dictionaries(
    {}, optional={"endpoint": fields, "reason": fields, "link": fields, "owner": ignored}
)
pieces = st.sampled_from([*"-:,[]{}&*!|>?%@`#'\"\\ \n\tax01", "\x00", "\ud800", "\ufeff", "- a\n", "---\n"])


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """libyaml's parser, and PyYAML's own, which takes its place where there is no libyaml."""
    monkeypatch.setattr(plain_yaml, "_LOADER", getattr(yaml, request.param))


def entries(text: str | bytes) -> list[tuple[str, str | None, str | None, int]]:
    """What a list holds, as plain tuples."""
    return [(e.endpoint, e.reason, e.link, e.line) for e in parse_endpoint_list(text).entries]


class TestEndpointEntry:
    """One entry."""

    @pytest.mark.parametrize("link", [LINK, "http://k8s.io", "HTTPS://K8S.IO/x?y#z", "https://[::1]:8080/"])
    def test_complete(self, link: str) -> None:
        """An entry with endpoint, reason and a web link is complete."""
        assert EndpointEntry("readFoo", "a reason", link, 1).complete

    @pytest.mark.parametrize(
        ("endpoint", "reason", "link"),
        [
            ("", "a reason", LINK),
            (" ", "a reason", LINK),
            ("readFoo", None, LINK),
            ("readFoo", "", LINK),
            ("readFoo", "\n", LINK),
            *(
                ("readFoo", "a reason", link)
                for link in (
                    *(
                        None,
                        "",
                        "none",
                        "github.com/kubernetes",
                        "#95930",
                        "ftp://k8s.io/",
                        "mailto:a@k8s.io",
                    ),
                    *(
                        "https://",
                        "https:///x",
                        "https://:443/",
                        "https:k8s.io",
                        "//k8s.io/",
                        "https://[::1/",
                    ),
                    *(
                        "https://k8s.io https://k8s.io",
                        " https://k8s.io",
                        "https://k8s.io\n",
                        "see https://k8s.io",
                    ),
                )
            ),
        ],
    )
    def test_incomplete(self, endpoint: str, reason: str | None, link: str | None) -> None:
        """Without endpoint, reason or a link to a host on the web it is not."""
        assert not EndpointEntry(endpoint, reason, link, 1).complete


class TestEndpointList:
    """A list."""

    def test_names_and_duplicates(self) -> None:
        """An endpoint is on the list once however often it is listed; the later entries are duplicates."""
        listed = parse_endpoint_list("- b\n- a\n- endpoint: a\n- c\n- reason: x\n- reason: y\n- a")
        assert listed.names == {"a", "b", "c"}
        assert [entry.line for entry in listed.duplicates] == [3, 7]
        assert len(listed) == 7

    def test_contains(self) -> None:
        """`in` asks for an operationId; an entry without one puts nothing on the list."""
        listed = parse_endpoint_list("- readFoo\n- reason: x")
        assert "readFoo" in listed
        assert "readfoo" not in listed
        assert "" not in listed

    def test_default_is_empty(self) -> None:
        """Lists that were never given are empty."""
        assert EndpointLists() == EndpointLists(pending=EndpointList(()), ineligible=EndpointList(()))
        assert len(EndpointLists().pending) == 0
        assert EndpointLists().ineligible.duplicates == ()


@pytest.mark.usefixtures("_either_parser")
class TestParse:
    """What is read, whichever parser there is."""

    def test_pending(self) -> None:
        """A pending entry is an operationId."""
        assert entries("---\n- readFoo\n\n- listFoo  # soon\n- 'x y'\n") == [
            ("readFoo", None, None, 2),
            ("listFoo", None, None, 4),
            ("x y", None, None, 5),
        ]

    def test_ineligible(self) -> None:
        """An ineligible entry is a mapping in any order, with any other keys, on the line where it starts."""
        text = f"""
- endpoint: readFoo
  reason: |
    two
    lines
  link: {LINK}
-
  link: {LINK}
  owner: [sig-x, {{since: 1.20, ? [a, b] : c}}]
  1: 2
  owner: again
  endpoint: "list\\u0046oo"
"""
        assert entries(text) == [("readFoo", "two\nlines\n", LINK, 2), ("listFoo", None, LINK, 8)]

    def test_what_lacks_something_is_an_entry(self) -> None:
        """Missing, null and empty fields are kept for the audits to find; only a missing endpoint is ""."""
        assert entries(
            "[{}, {endpoint: ~, reason: , link: null}, {endpoint: '', reason: ''}, '', readFoo]"
        ) == [
            ("", None, None, 1),
            ("", None, None, 1),
            ("", "", None, 1),
            ("", None, None, 1),
            ("readFoo", None, None, 1),
        ]

    @pytest.mark.parametrize(
        "text",
        ["", b"", "\n", "# none yet\n", "---", "---\n...\n", "null", "~", "[]", "--- []", b"\xef\xbb\xbf"],
        ids=repr,
    )
    def test_empty(self, text: str | bytes) -> None:
        """An empty document is an empty list."""
        assert parse_endpoint_list(text) == EndpointList()

    def test_json(self) -> None:
        """JSON is YAML."""
        assert entries('["readFoo",\n {"endpoint": "listFoo", "reason": "\\u00e9\\/\\"", "link": null}]') == [
            ("readFoo", None, None, 1),
            ("listFoo", 'é/"', None, 2),
        ]

    def test_bytes(self) -> None:
        """Bytes are UTF-8, with or without its mark; lines may end as they do on Windows."""
        assert entries("- a\r\n- é\r\n".encode()) == entries(b"\xef\xbb\xbf- a\n- \xc3\xa9\n")

    @pytest.mark.parametrize(
        "text", ["- !!str 1", "- ! readFoo", "!!seq [!!map {endpoint: !!str yes}]", "- &anchor a"]
    )
    def test_plain_tags(self, text: str) -> None:
        """YAML's own tags say what its values are; an anchor without an alias says nothing."""
        assert len(parse_endpoint_list(text)) == 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("endpoint: readFoo", "line 1, column 1: expected a list of endpoints, found a mapping"),
            ("# one\nreadFoo", "line 2, column 1: expected a list of endpoints, found a string"),
            ("42", "line 1, column 1: expected a list of endpoints, found an integer"),
            ("- a\n- [b]", f"line 2, column 3: {ITEM}a list"),
            ("- 42", f"line 1, column 3: {ITEM}an integer"),
            ("- a\n-", f"line 2, column 2: {ITEM}nothing"),
            ("- =", f"line 1, column 3: {ITEM}a special value"),
            ("- endpoint: 42", "line 1, column 13: expected a string as endpoint, found an integer"),
            ("- endpoint: yes", "line 1, column 13: expected a string as endpoint, found a boolean"),
            ("- reason: 1.20", "line 1, column 11: expected a string as reason, found a number"),
            ("- reason: 2020-01-01", "line 1, column 11: expected a string as reason, found a date"),
            ("- link: [x]", "line 1, column 9: expected a string as link, found a list"),
            ("- link: {a: b}", "line 1, column 9: expected a string as link, found a mapping"),
            ("- ? [a]\n  : b", "line 1, column 5: expected a string as key, found a list"),
            ("- link: a\n  link: b", "line 2, column 3: a second link in one entry"),
            ("- a\n---\n- b", "line 2, column 1: a second document, where a list is one"),
            ("- &a b\n- *a", "line 2, column 3: an alias: write the value out"),
            ("- endpoint: &a b\n  ignored: *a", "line 2, column 12: an alias: write the value out"),
            ("- !python/name:os.system x", "line 1, column 3: a tag that is not one of YAML's core"),
            ("- a: !!set {x}", "line 1, column 6: a tag that is not one of YAML's core"),
            ("- a: !x [x]", "line 1, column 6: a tag that is not one of YAML's core"),
            ("- a\n- b: \x07", "line 2, column 6: '\\x07' is not allowed in YAML"),
            ("- \ud800", "line 1, column 3: '\\ud800' is not allowed in YAML"),
            ('- "\\0"', "line 1, column 3: '\\x00' is not allowed in a list"),
            (b"- a\n- \xc3\xa9\xff", "line 2, column 4: not UTF-8"),
            (b"\xff\xfe- a", "line 1, column 1: not UTF-8"),
            (b"\xef\xbb\xbf- a\n- \xff", "line 2, column 3: not UTF-8"),
        ],
    )  # fmt: skip  # one line an error
    def test_refused(self, text: str | bytes, message: str) -> None:
        """What is no list is refused, with the place and the reason."""
        with pytest.raises(ParseError) as refused:
            parse_endpoint_list(text)
        assert str(refused.value) == message

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("- a\n- [b\n", "line 3, column 1"),
            ("- a\n b: c", "line 2, column 3"),
            ("- a\n- @b", "line 2, column 3"),
            ("- a\n- *b", "line 2, column 3"),
            ("- a\nb: c", "line 2, column 1"),
            ('- a\n- "\\ud83d"', "line 2, column "),
            # PyYAML's own parser runs into an OverflowError and a ValueError, and had come to the end of "a".
            ('- a\n- "\\UFFFFFFFF"', r"line (2, column \d|1, column 4)"),
            (f"%YAML 1.{'9' * 5000}\n--- [a]", "line 1, column "),
        ],
        ids=lambda text: repr(text)[:40],
    )
    def test_not_yaml(self, text: str, place: str) -> None:
        """What is not YAML is refused in one line with the place, in the parser's own words."""
        with pytest.raises(ParseError, match=rf"\A{place}.*: .+\Z"):
            parse_endpoint_list(text)

    @pytest.mark.parametrize(("start", "bracket"), [("", "["), ("", "{"), ("- a: ", "["), ("- a:\n  ", "- ")])
    def test_deep_nesting(self, start: str, bracket: str) -> None:
        """Depth is refused before it costs stack or time."""
        with pytest.raises(ParseError, match=r"^line \d, column \d\d: nested deeper than 20 levels$"):
            parse_endpoint_list(start + bracket * 100_000)

    def test_ignored_keys_may_nest(self) -> None:
        """Twenty levels are within bounds."""
        assert entries("- {endpoint: a, x: " + "[" * 18 + "]" * 18 + "}") == [("a", None, None, 1)]


def expected(item: Any) -> tuple[str, str | None, str | None]:
    """What the list should hold for an item that was written."""
    if isinstance(item, str):
        return item, None, None
    return item.get("endpoint") or "", item.get("reason"), item.get("link")


class TestAnyInput:
    """Properties."""

    @given(st.lists(items), st.booleans())
    def test_round_trip(self, written: list[Any], flow: bool) -> None:
        """A list that PyYAML writes is read as it was, in order, each entry on a line of its own or not."""
        text = yaml.safe_dump(written, default_flow_style=flow, allow_unicode=True)
        assert [entry[:3] for entry in entries(text)] == [expected(item) for item in written]

    @given(st.lists(items))
    def test_json_round_trip(self, written: list[Any]) -> None:
        """A list written as JSON is read as it was."""
        text = json.dumps(written, ensure_ascii=False)
        assert [entry[:3] for entry in entries(text.encode())] == [expected(item) for item in written]

    @given(st.lists(st.from_regex(r"\A[a-z][A-Za-z0-9]{8,30}\Z")), st.lists(st.integers(0, 3), min_size=1))
    def test_lines(self, names: list[str], gaps: list[int]) -> None:
        """Each entry's line is the one that its name stands on."""
        text = "".join("\n" * gaps[n % len(gaps)] + f"- {name}\n" for n, name in enumerate(names))
        lines = ["", *text.split("\n")]
        assert [lines[entry.line] for entry in parse_endpoint_list(text).entries] == [f"- {n}" for n in names]

    @given(st.text() | st.lists(pieces).map("".join) | st.binary())
    @example("- {" * 1000)
    def test_anything(self, text: str | bytes) -> None:
        """Any text or bytes is a list or a ParseError, never another error."""
        with suppress(ParseError):
            assert all(entry.line >= 1 for entry in parse_endpoint_list(text).entries)


class TestRealLists:
    """The community's lists, and the demo's."""

    def test_ineligible(self, shared_data: Path) -> None:
        """All 101 entries are complete and different."""
        listed = parse_endpoint_list((shared_data / "lists/ineligible_endpoints.yaml").read_bytes())
        assert (len(listed), len(listed.names), listed.duplicates) == (101, 101, ())
        assert all(entry.complete for entry in listed.entries)
        assert [entry.line for entry in listed.entries] == list(range(1, 303, 3))

    def test_pending(self, shared_data: Path) -> None:
        """All 29 entries are operationIds and different."""
        listed = parse_endpoint_list((shared_data / "lists/pending_eligible_endpoints.yaml").read_bytes())
        assert (len(listed), len(listed.names), listed.duplicates) == (29, 29, ())
        assert "patchCoreV1NamespacedPodResize" in listed
        assert {(entry.reason, entry.link) for entry in listed.entries} == {(None, None)}

    def test_demo(self, shared_data: Path) -> None:
        """The demo's lists have one duplicate each, one incomplete entry, and one that is on both."""
        pending, ineligible = (
            parse_endpoint_list((shared_data / f"lists/demo-1.20.2-{name}.yaml").read_bytes())
            for name in ("pending", "ineligible")
        )
        assert [(e.endpoint, e.line) for e in ineligible.duplicates] == [("logFileListHandler", 57)]
        assert [(e.endpoint, e.line) for e in pending.duplicates] == [("listCoreV1ComponentStatus", 282)]
        assert [e.line for e in ineligible.entries if not e.complete] == [60]
        assert pending.names & ineligible.names == {"connectCoreV1GetNamespacedPodPortforward"}
