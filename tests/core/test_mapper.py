import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditsvc.core.mapper import OperationMapper, Unmapped
from auditsvc.core.swagger import Operation, Swagger, parse_swagger

VERBS = {
    "GET": ("get", "list", "watch"),
    "HEAD": ("get", "list"),
    "POST": ("create",),
    "PUT": ("update",),
    "PATCH": ("patch",),
    "DELETE": ("delete", "deletecollection"),
    "OPTIONS": ("",),
}
NAMES = (
    *("pods", "proxy", "status", "metrics", "healthz", "watch", "namespaces", "v1.apps", "a.b.c"),
    "system:node:x",
)
PARAMETER = re.compile(r"\{[^}]*\}")


@pytest.fixture(scope="module")
def swagger(demo_data: Path) -> Swagger:
    """The document of the recorded server."""
    return parse_swagger(gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def mapper(swagger: Swagger) -> OperationMapper:
    """Its operations, found."""
    return OperationMapper(swagger)


def swagger_of(*templates: str) -> Swagger:
    """A document with a GET on each path, whose operationId is the path."""
    paths = {template: {"get": {"operationId": template}} for template in templates}
    return parse_swagger(json.dumps({"swagger": "2.0", "paths": paths}).encode())


def found(mapper: OperationMapper, verb: str, uri: str) -> str | None:
    """The operationId of a request, None where it is no operation."""
    result = mapper.map(verb, uri)
    return result.id if isinstance(result, Operation) else None


def read_json_lines(file: Path) -> Iterator[dict[str, str]]:
    """The objects of a packed file."""
    with gzip.open(file) as lines:
        yield from map(json.loads, lines)


class TestTruth:
    """Recorded requests, each known to be a certain operation or none."""

    @pytest.mark.parametrize(("run", "differences"), [("ci", 7), ("pull", 11)])
    def test_recorded_requests(
        self, run: str, differences: int, shared_data: Path, mapper: OperationMapper
    ) -> None:
        """Each is what it was, but for a HEAD logged as get or list and a proxy's empty path."""
        folder = shared_data / "kubernetes-1.20.2"
        truth = {request["auditID"]: request for request in read_json_lines(folder / f"{run}-truth.jsonl.gz")}
        logged = {event["auditID"]: event for event in read_json_lines(folder / f"{run}-audit.log.gz")}
        wrong = [
            (request, event)
            for audit_id, request in truth.items()
            if found(mapper, (event := logged[audit_id])["verb"], event["requestURI"])
            != request["operationId"]
        ]
        assert len(wrong) == differences
        for request, event in wrong:
            operation = mapper.map(event["verb"], event["requestURI"])
            assert isinstance(operation, Operation)
            if request["method"] == "HEAD":
                assert (event["verb"] in ("get", "list"), operation.method) == (True, "GET")
            else:
                assert event["requestURI"].endswith("/proxy/")
                assert (operation.method, operation.path[-6:]) == (request["method"], "/proxy")
            assert request["operationId"] is None


class TestRoundTrip:
    """A URI made from an operation's path is that operation."""

    @pytest.mark.parametrize("version", [f"v1.{minor}" for minor in range(28, 37)])
    def test_releases(self, version: str, shared_data: Path) -> None:
        """So it is for each operation of a release, whatever names stand in its path."""
        document = gzip.decompress((shared_data / "swagger" / f"{version}.json.gz").read_bytes())
        check_round_trip(parse_swagger(document), mixed=version == "v1.36")

    def test_recorded_server(self, swagger: Swagger) -> None:
        """So it is for the server whose document ships with the project."""
        check_round_trip(swagger, mixed=False)


def check_round_trip(swagger: Swagger, *, mixed: bool) -> None:
    """Maps a URI of each operation with every name in it; with `mixed`, with two names that differ, too."""
    mapper = OperationMapper(swagger)
    readers = {found.path: found for found in swagger.operations.values() if found.method == "GET"}
    for operation in swagger.operations.values():
        expected = readers[operation.path] if operation.method == "HEAD" else operation
        for one, other in product(NAMES, NAMES) if mixed else zip(NAMES, NAMES, strict=True):
            names = iter((one, other, one))
            uri = PARAMETER.sub(lambda _: next(names), operation.path)  # noqa: B023 - used at once
            for verb in VERBS[operation.method]:
                assert mapper.map(verb, uri) is expected, f"{verb} {uri}"


LIST_PODS = "listCoreV1NamespacedPod"
READ_POD = "readCoreV1NamespacedPod"
LIST_ALL_PODS = "listCoreV1PodForAllNamespaces"
PROXY = "connectCoreV1GetNamespacedPodProxy"
PROXY_PATH = "connectCoreV1GetNamespacedPodProxyWithPath"
POD = "/api/v1/namespaces/default/pods/web"


class TestOperations:
    """What is an operation."""

    @pytest.mark.parametrize(
        ("verb", "uri", "operation"),
        [
            ("list", "/api/v1/pods", LIST_ALL_PODS),
            ("list", "/api/v1/pods?limit=500&resourceVersion=0", LIST_ALL_PODS),
            ("list", "/api/v1/pods?a=/b?c=%zz", LIST_ALL_PODS),
            ("watch", "/api/v1/pods?watch=true", LIST_ALL_PODS),
            ("list", "/api/v1/pods?watch=false", LIST_ALL_PODS),
            ("watch", "/api/v1/watch/pods", "watchCoreV1PodListForAllNamespaces"),
            ("watch", "/api/v1/watch/namespaces/default/pods", "watchCoreV1NamespacedPodList"),
            ("watch", "/api/v1/watch/namespaces/default/pods/web", "watchCoreV1NamespacedPod"),
            # a name is a name, whatever it looks like
            ("list", "/api/v1/namespaces/pods/pods", LIST_PODS),
            ("get", "/api/v1/namespaces/pods/status", "readCoreV1NamespaceStatus"),
            ("get", "/api/v1/namespaces/proxy", "readCoreV1Namespace"),
            ("get", "/api/v1/namespaces/a%3Fb/pods/c%23d", READ_POD),
            ("create", "/api/v1/namespaces/status/pods", "createCoreV1NamespacedPod"),
            # methods
            ("deletecollection", "/api/v1/namespaces/default/pods", "deleteCoreV1CollectionNamespacedPod"),
            ("delete", POD, "deleteCoreV1NamespacedPod"),
            ("patch", POD, "patchCoreV1NamespacedPod"),
            ("update", POD, "replaceCoreV1NamespacedPod"),
            ("", f"{POD}/proxy", "connectCoreV1OptionsNamespacedPodProxy"),
            ("get", "/version", "getCodeVersion"),
            ("get", "/logs/a/b", "logFileHandler"),
            # trailing slashes
            ("list", "/api/v1/pods/", LIST_ALL_PODS),
            ("list", "/api/v1/pods//", LIST_ALL_PODS),
            ("list", "/api/v1/pods%2F?limit=1", LIST_ALL_PODS),
            ("get", "/version/", "getCodeVersion"),
            ("get", "/apis/apps", "getAppsAPIGroup"),
            ("get", "/apis/apps///", "getAppsAPIGroup"),
            ("get", "/logs/", "logFileListHandler"),
            ("get", f"{POD}/proxy/", PROXY),
            ("get", f"{POD}/proxy//", PROXY),
            # the rest of the path
            ("get", f"{POD}/proxy/a", PROXY_PATH),
            ("get", f"{POD}/proxy/a/b/c/", PROXY_PATH),
            ("get", f"{POD}/proxy/a//b", PROXY_PATH),
            ("get", f"{POD}/proxy//a", PROXY_PATH),
            ("get", f"{POD}/proxy/proxy/{'x/' * 5000}", PROXY_PATH),
            # percent-encoding
            ("list", "/%61pi/v1/pods", LIST_ALL_PODS),
            ("list", "/api%2Fv1/pods", LIST_ALL_PODS),
            ("list", "/api%2fv1%2fpods%2f", LIST_ALL_PODS),
            ("list", "/api/v1/namespaces%2Fdefault/pods", LIST_PODS),
            ("get", "/api/v1/nodes/a%3Ab", "readCoreV1Node"),
            ("get", f"{POD}%20x", READ_POD),
            ("get", f"{POD}%C3%A9", READ_POD),
            ("get", f"{POD}%ff", READ_POD),
            ("get", f"{POD}%2Fproxy%2F%2Fa", PROXY_PATH),
            # an empty segment fills a parameter
            ("list", "/api/v1/namespaces//pods", LIST_PODS),
            ("list", "/api/v1/namespaces/%2Fpods", LIST_PODS),
            ("get", "/api/v1/namespaces//pods//proxy", PROXY),
        ],
    )  # fmt: skip
    def test_found(self, verb: str, uri: str, operation: str, mapper: OperationMapper) -> None:
        """The path picks the endpoint, the verb only the method."""
        assert found(mapper, verb, uri) == operation

    @pytest.mark.parametrize("name", [*NAMES, "é x", "a?b", "100%", "#"])
    def test_encoded_names(self, name: str, mapper: OperationMapper) -> None:
        """A name stands for itself however much of it is encoded."""
        everything = "".join(f"%{byte:02x}" for byte in name.encode())
        for encoded in (quote(name), everything, everything.upper()):
            assert found(mapper, "get", f"/api/v1/namespaces/{encoded}/pods/{encoded}") == READ_POD


class TestUnmapped:
    """What is none, and why."""

    @pytest.mark.parametrize(
        ("verb", "uri", "reason"),
        [
            ("list", "/apis/stable.example.com/v1/crontabs", Unmapped.CUSTOM_RESOURCE),
            ("get", "/apis/stable.example.com", Unmapped.CUSTOM_RESOURCE),
            ("get", "/apis/stable.example.com/", Unmapped.CUSTOM_RESOURCE),
            ("list", "/apis/pods", Unmapped.CUSTOM_RESOURCE),
            ("list", "/apis/stable%2Eexample.com/v1/pods", Unmapped.CUSTOM_RESOURCE),
            ("list", "/api/v1/nothing", Unmapped.UNKNOWN_RESOURCE),
            ("list", "/api/v2/pods", Unmapped.UNKNOWN_RESOURCE),
            ("list", "/apis/apps/v1/nothing", Unmapped.UNKNOWN_RESOURCE),
            ("list", "/apis/apps/v9/deployments", Unmapped.UNKNOWN_RESOURCE),
            ("get", f"{POD}/nothing", Unmapped.UNKNOWN_RESOURCE),
            ("get", f"{POD}%2Fb", Unmapped.UNKNOWN_RESOURCE),
            ("list", "/api/v1/Pods", Unmapped.UNKNOWN_RESOURCE),
            ("create", POD, Unmapped.METHOD),
            ("", "/api/v1/pods", Unmapped.METHOD),
            ("update", "/api/v1/pods", Unmapped.METHOD),
            ("create", "/api/v1/watch/pods", Unmapped.METHOD),
            ("head", "/version", Unmapped.METHOD),
            ("trace", "/version", Unmapped.METHOD),
            ("impersonate", "/api/v1/pods", Unmapped.METHOD),
            ("GET", "/api/v1/pods", Unmapped.METHOD),
            ("get", "/healthz", Unmapped.NON_API),
            ("get", "/livez/ping?verbose", Unmapped.NON_API),
            ("get", "/metrics", Unmapped.NON_API),
            ("get", "/openapi/v2?timeout=32s", Unmapped.NON_API),
            ("get", "/apix/v1/pods", Unmapped.NON_API),
            ("get", "/", Unmapped.NON_API),
            ("get", "//", Unmapped.NON_API),
            ("get", "/?a=b", Unmapped.NON_API),
            ("post", "/healthz/", Unmapped.NON_API),
            ("get", "//api", Unmapped.MALFORMED),
            ("list", "/api/v1//pods", Unmapped.MALFORMED),
            ("list", "/api//v1/pods", Unmapped.MALFORMED),
            ("get", "/apis//apps/v1", Unmapped.MALFORMED),
            ("get", "/healthz//ping", Unmapped.MALFORMED),
            ("list", "/api/v1/%2Fpods", Unmapped.MALFORMED),
            ("list", "/api/v1/pods%", Unmapped.MALFORMED),
            ("list", "/api/v1/pods%2", Unmapped.MALFORMED),
            ("list", "/api/v1/p%zzods", Unmapped.MALFORMED),
            ("list", "api/v1/pods", Unmapped.MALFORMED),
            ("list", "x/api/v1/namespaces/default/pods", Unmapped.MALFORMED),
            ("", "*", Unmapped.MALFORMED),
        ],
    )  # fmt: skip
    def test_reason(self, verb: str, uri: str, reason: Unmapped, mapper: OperationMapper) -> None:
        """A request that is no operation of the swagger is told why, and never guessed."""
        assert mapper.map(verb, uri) is reason

    def test_nothing_at_all(self, mapper: OperationMapper) -> None:
        """A request without a URI is no operation."""
        assert isinstance(mapper.map("", ""), Unmapped)

    def test_notes_of_the_truth(self, shared_data: Path, mapper: OperationMapper) -> None:
        """The recorded requests that are none are so for the reason that their notes or URIs give."""
        folder = shared_data / "kubernetes-1.20.2"
        logged = {event["auditID"]: event for event in read_json_lines(folder / "pull-audit.log.gz")}
        reasons: Counter[Unmapped] = Counter()
        for request in read_json_lines(folder / "pull-truth.jsonl.gz"):
            event = logged[request["auditID"]]
            found = mapper.map(event["verb"], event["requestURI"])
            if isinstance(found, Unmapped):
                assert found is expected_reason(request.get("note", ""), event["requestURI"]), request
                reasons[found] += 1
        assert reasons == {
            Unmapped.CUSTOM_RESOURCE: 16,
            Unmapped.UNKNOWN_RESOURCE: 13,
            Unmapped.METHOD: 15,
            Unmapped.NON_API: 26,
            Unmapped.MALFORMED: 2,
        }


def expected_reason(note: str, uri: str) -> Unmapped:
    """Why a recorded request is none, by who recorded it and by its URI."""
    if note.startswith("custom resource") or "nope.example.com" in uri:
        return Unmapped.CUSTOM_RESOURCE
    if note.startswith(("method not in", "OPTIONS where", "HEAD where", "unknown method")):
        return Unmapped.METHOD
    if "//" in uri:
        return Unmapped.MALFORMED
    return Unmapped.UNKNOWN_RESOURCE if uri.startswith("/api") else Unmapped.NON_API


class TestSearch:
    """Literal before parameter before the rest of the path, with backtracking."""

    @pytest.mark.parametrize(
        ("uri", "template"),
        [
            ("/a/b/c", "/a/b/c"),
            ("/a/b/d", "/a/{x}/d"),
            ("/a/x/d", "/a/{x}/d"),
            ("/a/b/e", "/a/{path}"),
            ("/a/b", "/a/{path}"),
            ("/a/b/c/d", "/a/{path}"),
            ("/a/x/c", "/a/{path}"),
            ("/a//d", "/a/{x}/d"),
            ("/a//e", "/a/{path}"),
            ("/a", None),
            ("/b", None),
        ],
    )
    def test_precedence(self, uri: str, template: str | None) -> None:
        """A literal that leads nowhere is given up for a parameter, and that for the rest of the path."""
        mapper = OperationMapper(swagger_of("/a/b/c", "/a/{x}/d", "/a/{path}"))
        assert found(mapper, "get", uri) == template

    def test_endless_path(self) -> None:
        """However many segments a path has, and wherever its search began, it has a result."""
        mapper = OperationMapper(swagger_of("/a/b/c", "/a/{path}"))
        assert found(mapper, "get", "/a/b" + "/x" * 50_000) == "/a/{path}"
        assert mapper.map("get", "/b" + "/x" * 50_000) is Unmapped.NON_API

    def test_namespaces_anywhere(self) -> None:
        """A literal `namespaces` is a literal like others, also below a parameter and at the root."""
        templates = ("/namespaces/{a}", "/{x}/namespaces/{b}", "/a/namespaces/namespaces/{c}")
        mapper = OperationMapper(swagger_of(*templates))
        assert found(mapper, "get", "/namespaces/b") == "/namespaces/{a}"
        assert found(mapper, "get", "/a/namespaces/b") == "/{x}/namespaces/{b}"
        assert found(mapper, "get", "/a/namespaces/namespaces") == "/{x}/namespaces/{b}"
        assert found(mapper, "get", "/a/namespaces/namespaces/c") == "/a/namespaces/namespaces/{c}"


class Reference:
    """Finds a path's template the slow way: every template as a regular expression, the best match chosen."""

    def __init__(self, swagger: Swagger) -> None:
        self._operations: dict[tuple[str, str], str] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], list[int]]] = {}
        for operation in swagger.operations.values():
            shape = re.sub(r"\{(?!path\}|logpath\})[^}]*\}", "{}", operation.path).rstrip("/")
            self._operations[shape, operation.method] = operation.id
            parts = shape.split("/")
            pattern = "/".join(map(self._pattern, parts))
            self._patterns[shape] = re.compile(pattern, re.DOTALL), list(map(self._rank, parts))

    @staticmethod
    def _pattern(part: str) -> str:
        return {"{}": "[^/]*", "{path}": ".*", "{logpath}": ".*"}.get(part, re.escape(part))

    @staticmethod
    def _rank(part: str) -> int:
        return {"{}": 1, "{path}": 2, "{logpath}": 2}.get(part, 0)

    def find(self, method: str, path: str) -> str | None:
        """The operationId of a request with a decoded path that ends with no slash; None where it is none."""
        matches = [(rank, shape) for shape, (one, rank) in self._patterns.items() if one.fullmatch(path)]
        return self._operations.get((min(matches)[1], method)) if matches else None


@pytest.fixture(scope="module")
def reference(swagger: Swagger) -> Reference:
    """The recorded server's operations, found the slow way."""
    return Reference(swagger)


segments = st.sampled_from(["a", "b", "namespaces", "{x}", "{y}"])
templates = st.tuples(st.lists(segments, min_size=1, max_size=4), st.sampled_from(["", "/{path}", "/"])).map(
    lambda made: "/" + "/".join(made[0]) + made[1]
)
others = ("", "api", "apis", "apps", "v1", "nodes", "log", "nothing")
names = st.sampled_from(NAMES + others) | st.text(max_size=3)
small_paths = st.lists(st.sampled_from(["a", "b", "namespaces", "c", ""]), min_size=1, max_size=6).map(
    lambda made: "/" + "/".join(made)
)


@dataclass(frozen=True)
class Recipe:
    """A request made from one of a server's templates: names for its parameters, a segment more or less."""

    template: int
    names: list[str]
    more: tuple[int, str] | None
    less: int | None
    method: str

    def path_from(self, templates: list[str]) -> str:
        """The path, not encoded."""
        left = iter(self.names)
        template = templates[self.template % len(templates)]
        parts = [next(left) if part.startswith("{") else part for part in template.split("/")]
        if self.more is not None:
            parts.insert(*self.more)
        if self.less is not None:
            del parts[self.less : self.less + 1]
        return "/".join(parts)


recipes = st.builds(
    Recipe,
    template=st.integers(0, 9999),
    names=st.lists(names, min_size=4, max_size=4),
    more=st.none() | st.tuples(st.integers(1, 9), names),
    less=st.none() | st.integers(1, 9),
    method=st.sampled_from(sorted(VERBS.keys() - {"HEAD"})),
)


class TestAgainstReference:
    """The tree agrees with an independent matcher."""

    @given(st.lists(templates, min_size=1, max_size=8), st.lists(small_paths, min_size=1, max_size=8))
    @example(["/a/b", "/a/{path}"], ["/a/b/a"])
    @example(["/a/{path}", "/{x}/a", "/a/{x}/a"], ["/a/a"])
    @example(["/{x}/a"], ["/a", "a", "a/a"])
    @example(["/{x}", "/{x}/namespaces/{y}/a"], ["a", "a/", "a/namespaces/b/a"])
    def test_any_templates(self, made: list[str], paths: list[str]) -> None:
        """On any templates: the more of a path's first segments are literal, the better."""
        shapes = {re.sub(r"\{[xy]\}", "{}", template).rstrip("/"): template for template in made}
        swagger = swagger_of(*shapes.values())
        mapper, reference = OperationMapper(swagger), Reference(swagger)
        for path in paths:
            assert found(mapper, "get", path) == reference.find("GET", path.rstrip("/"))

    @given(recipe=recipes)
    def test_recorded_server(
        self, swagger: Swagger, mapper: OperationMapper, reference: Reference, recipe: Recipe
    ) -> None:
        """On the paths of a real server, with any names in them, also with one segment more or less."""
        path = recipe.path_from([operation.path for operation in swagger.operations.values()])
        expected = reference.find(recipe.method, path.rstrip("/"))
        for verb in VERBS[recipe.method]:
            assert found(mapper, verb, quote(path)) == expected


class TestAnything:
    """Whatever stands in an event, there is a result."""

    @given(verb=st.text() | st.sampled_from(["get", "list", ""]), uri=st.text())
    @example(verb="get", uri="/api/v1/\x00")
    @example(verb="get", uri="/%2F%2F")
    @example(verb="get", uri="/api/v1/namespaces/%")
    @example(verb="get", uri="/\ud800")
    def test_any_text(self, mapper: OperationMapper, verb: str, uri: str) -> None:
        """Any two texts are an operation or a reason, never an error."""
        assert isinstance(mapper.map(verb, uri), Operation | Unmapped)

    @given(uri=st.text(st.sampled_from("/%2Fap?iv1{}.~*+:"), max_size=12).map(lambda text: f"/api{text}"))
    def test_any_path(self, mapper: OperationMapper, uri: str) -> None:
        """A text that looks like a path, too; and a query changes nothing."""
        result = mapper.map("get", uri)
        assert isinstance(result, Operation | Unmapped)
        assert mapper.map("get", f"{uri}?watch=true") is result
