import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditsvc.core.swagger import METHODS, Level, Operation, Swagger, minor_version, parse_swagger, segments
from auditsvc.errors import ParseError

NOT_UTF8 = "JSON document: ('utf-8' codec can't decode|Invalid UTF-8 encoded string)"
"""As msgspec words it up to 0.22, and from 0.23 on."""

# By design: a group's discovery operation has the best level that the group serves, and a path without
# a version is stable. APISnoop's published files say otherwise for these.
OTHERWISE_IN_APISNOOP = {
    "1.34.0": {
        "getInternalApiserverAPIGroup": (Level.ALPHA, "stable"),
        "getStoragemigrationAPIGroup": (Level.ALPHA, "stable"),
        "getServiceAccountIssuerOpenIDConfiguration": (Level.STABLE, "beta"),
        "getServiceAccountIssuerOpenIDKeyset": (Level.STABLE, "beta"),
    },
    "1.36.0": {
        "getInternalApiserverAPIGroup": (Level.ALPHA, "stable"),
        "getStoragemigrationAPIGroup": (Level.BETA, "stable"),
        "getServiceAccountIssuerOpenIDConfiguration": (Level.STABLE, "beta"),
        "getServiceAccountIssuerOpenIDKeyset": (Level.STABLE, "beta"),
    },
}

words = st.text("av1.{}/", max_size=12)
operations = st.fixed_dictionaries(
    {"operationId": st.sampled_from(["a", "b", "c", ""]) | words},
    optional={
        "description": words | st.just("DEPRECATED"),
        "tags": st.lists(words, max_size=2),
        "x-kubernetes-group-version-kind": st.fixed_dictionaries(
            {}, optional={"group": words, "kind": words}
        ),
        "x-kubernetes-action": words,
    },
)
paths = st.dictionaries(
    st.sampled_from(["", "/", "/api/v1/pods", "/apis/batch/", "/apis/batch/v1beta1/jobs"]) | words,
    st.dictionaries(st.sampled_from([*METHODS, "trace", "parameters"]), operations, max_size=3),
    max_size=5,
)


def document(paths: dict[str, Any], **fields: Any) -> bytes:
    """A Swagger 2.0 document."""
    return json.dumps({"swagger": "2.0", "paths": paths} | fields).encode()


def operation(path: str, **fields: Any) -> Operation:
    """The only operation of a document."""
    (found,) = parse_swagger(document({path: {"get": {"operationId": "only"} | fields}})).operations.values()
    return found


def read_swagger(folder: Path, version: str) -> Swagger:
    """One of the swagger documents of the releases."""
    return parse_swagger(gzip.decompress((folder / "swagger" / f"{version}.json.gz").read_bytes()))


class TestOperation:
    """What is read of one operation."""

    def test_all_fields(self) -> None:
        """Each field has its place; the method is upper case."""
        found = operation(
            "/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status",
            description="read status of Job",
            tags=["batch_v1", "other"],
            **{
                "x-kubernetes-action": "get",
                "x-kubernetes-group-version-kind": {"group": "batch", "version": "v1", "kind": "Job"},
            },
        )
        assert found == Operation(
            id="only",
            method="GET",
            path="/apis/batch/v1/namespaces/{namespace}/jobs/{name}/status",
            level=Level.STABLE,
            deprecated=False,
            category="batch",
            group="batch",
            version="v1",
            kind="Job",
            action="get",
            resource="jobs",
            description="read status of Job",
        )

    def test_missing_fields(self) -> None:
        """What the document lacks is None."""
        assert operation("/version/") == Operation("only", "GET", "/version/", Level.STABLE, deprecated=False)

    @pytest.mark.parametrize(
        ("path", "level"),
        [
            ("/api/v1/pods", Level.STABLE),
            ("/apis/batch/v1/jobs", Level.STABLE),
            ("/apis/batch/v1beta1/jobs", Level.BETA),
            ("/apis/batch/v2alpha1/jobs", Level.ALPHA),
            ("/apis/batch/v2alpha1/", Level.ALPHA),
            ("/apis/alpha.k8s.io/v1/betas/{alpha}", Level.STABLE),
            ("/apis/batch/v1/v1beta1", Level.STABLE),
            ("/openid/v1beta1/jwks", Level.STABLE),
            ("/.well-known/openid-configuration/", Level.STABLE),
        ],
    )
    def test_level(self, path: str, level: Level) -> None:
        """Only the version segment makes an operation alpha or beta."""
        assert operation(path).level is level

    @pytest.mark.parametrize(
        ("description", "deprecated"),
        [("", False), ("read it", False), ("deprecated: use x", True), ("It is DEPRECATED.", True)],
    )
    def test_deprecated(self, description: str, deprecated: bool) -> None:
        """A description that contains the word, in any case, deprecates."""
        assert operation("/version/", description=description).deprecated is deprecated

    @pytest.mark.parametrize(
        ("tags", "category"),
        [
            ([], None),
            (["core_v1"], "core"),
            (["openid"], "openid"),
            (["admissionregistration_v1", "x"], "admissionregistration"),
        ],
    )
    def test_category(self, tags: list[str], category: str | None) -> None:
        """The first tag up to its first underscore."""
        assert operation("/version/", tags=tags).category == category

    @pytest.mark.parametrize(
        ("path", "resource"),
        [
            ("/version/", None),
            ("/api/", None),
            ("/api/v1/", None),
            ("/apis/batch/", None),
            ("/apis/batch/v1/", None),
            ("/api/v1/pods", "pods"),
            ("/api/v1/nodes/{name}/proxy/{path}", "nodes"),
            ("/api/v1/namespaces", "namespaces"),
            ("/api/v1/namespaces/{name}", "namespaces"),
            ("/api/v1/namespaces/{name}/finalize", "namespaces"),
            ("/api/v1/namespaces/{namespace}/pods", "pods"),
            ("/api/v1/namespaces/{namespace}/pods/{name}/log", "pods"),
            ("/api/v1/watch/pods", "pods"),
            ("/api/v1/watch/namespaces/{name}", "namespaces"),
            ("/apis/apps/v1/watch/namespaces/{namespace}/deployments/{name}", "deployments"),
        ],
    )
    def test_resource(self, path: str, resource: str | None) -> None:
        """The last literal segment before a subresource."""
        assert operation(path).resource == resource

    @pytest.mark.parametrize("method", METHODS)
    def test_observable(self, method: str) -> None:
        """A log tells every method but HEAD."""
        swagger = parse_swagger(document({"/version/": {method: {"operationId": "only"}}}))
        assert swagger.operations["only"].observable is (method != "head")


class TestDiscoveryLevel:
    """``/apis/<group>/`` names no version."""

    @pytest.mark.parametrize(
        ("versions", "level"),
        [
            (["v1alpha1"], Level.ALPHA),
            (["v1alpha1", "v1beta1"], Level.BETA),
            (["v1alpha1", "v1", "v1beta1"], Level.STABLE),
            ([], Level.STABLE),
        ],
    )
    def test_best_of_the_group(self, versions: list[str], level: Level) -> None:
        """It takes the best level of the versions that the group serves, and no other group's."""
        paths = {f"/apis/batch/{version}/jobs": {"get": {"operationId": version}} for version in versions}
        others = {
            "/apis/apps/v1/": {"get": {"operationId": "other"}},
            "/api/v1/": {"get": {"operationId": "core"}},
        }
        swagger = parse_swagger(
            document({"/apis/batch/": {"get": {"operationId": "group"}}} | paths | others)
        )
        assert swagger.operations["group"].level is level


class TestParseSwagger:
    """Documents."""

    def test_methods(self) -> None:
        """Seven methods make operations; parameters, other methods and what has no operationId make none."""
        item = {method: {"operationId": method} for method in METHODS}
        item |= {"trace": {"operationId": "trace"}, "parameters": [{"name": "x"}], "x-other": 1}  # type: ignore[dict-item]
        swagger = parse_swagger(
            document({"/a": item, "/b": {"get": {"description": "none"}, "put": {"operationId": ""}}})
        )
        assert list(swagger.operations) == list(METHODS)

    def test_duplicates(self) -> None:
        """The same operationId on another path overwrites nothing: it is kept aside."""
        both = {"operationId": "a"}
        swagger = parse_swagger(document({"/one": {"get": both, "put": both}, "/two": {"get": both}}))
        assert swagger.operations["a"].path == "/one"
        assert [(found.method, found.path) for found in swagger.duplicates] == [
            ("PUT", "/one"),
            ("GET", "/two"),
        ]

    def test_lookup(self) -> None:
        """A swagger is asked by operationId."""
        swagger = parse_swagger(document({"/a": {"get": {"operationId": "a"}}}))
        assert "a" in swagger
        assert "b" not in swagger
        assert swagger.get("b") is None
        assert swagger.get("a") is swagger.operations["a"]

    def test_groups(self) -> None:
        """The named groups that its paths serve; the core group and other paths have none."""
        names = ["/api/v1/", "/apis/", "/apis/batch/", "/apis/apps/v1/deployments", "/version/", "/"]
        swagger = parse_swagger(document({name: {"get": {"operationId": name}} for name in names}))
        assert swagger.groups == {"batch", "apps"}

    @pytest.mark.parametrize("fields", [{"swagger": "2.0"}, {"openapi": "3.0.0"}, {"openapi": "3.1.0"}])
    def test_kinds(self, fields: dict[str, str]) -> None:
        """Swagger 2.0 and OpenAPI 3 are read alike."""
        text = json.dumps({"paths": {"/a": {"get": {"operationId": "a"}}}} | fields).encode()
        assert list(parse_swagger(text).operations) == ["a"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (b"", "not a Swagger 2.0 or OpenAPI 3 JSON document: Input data was truncated"),
            (b'swagger: "2.0"', r"JSON document: JSON is malformed: invalid character \(byte 0\)"),
            (b'{"swagger": "2.0", "paths": {]}', r"JSON document: JSON is malformed: .* \(byte 29\)"),
            (b"[]", "JSON document: Expected `object`, got `array`"),
            (b"{}", "JSON document: Object missing required field `paths`"),
            (b'{"paths": {}}', r'at `\$`: neither "swagger": "2.0" nor "openapi": "3'),
            (b'{"swagger": "1.2", "paths": {}}', r'at `\$`: neither "swagger": "2.0" nor "openapi": "3'),
            (b'{"openapi": "4.0", "paths": {}}', r'at `\$`: neither "swagger": "2.0" nor "openapi": "3'),
            (b'{"swagger": "2.0", "paths": []}', r"Expected `object`, got `array` - at `\$.paths`"),
            (b'{"swagger": "2.0", "paths": {}}', r"^a swagger without operations: at `\$.paths`"),
            (b'{"swagger": "2.0", "paths": {"/a": {"get": 1}}}', r"got `int` - at `\$.paths\[...\].get`"),
            (b'{"swagger": "2.0", "paths": {"/a": {"get": {"operationId": "\xff"}}}}', NOT_UTF8),
            (b'{"swagger": "2.0", "paths": {}, "x": ' + b"[" * 100_000, "maximum recursion depth exceeded"),
        ],
    )
    def test_not_a_swagger(self, text: bytes, problem: str) -> None:
        """What is no such document is told in one line that says where."""
        with pytest.raises(ParseError, match=problem) as caught:
            parse_swagger(text)
        assert "\n" not in str(caught.value)

    @given(paths)
    def test_any_document(self, paths: dict[str, Any]) -> None:
        """Whatever the paths, each method with an operationId is one operation, or one duplicate."""
        given_ids = [
            (path, method.upper(), found["operationId"])
            for path, item in paths.items()
            for method, found in item.items()
            if method in METHODS and found["operationId"]
        ]
        try:
            swagger = parse_swagger(
                document({path: item for path, item in paths.items() if "parameters" not in item})
            )
        except ParseError:
            return
        found = [*swagger.operations.values(), *swagger.duplicates]
        kept = {(operation.path, operation.method, operation.id) for operation in found}
        assert kept <= set(given_ids)
        assert len(kept) == len(found)
        assert all(name == operation.id for name, operation in swagger.operations.items())
        assert "" not in swagger.groups

    @given(st.binary() | st.text().map(str.encode))
    def test_any_bytes(self, text: bytes) -> None:
        """Bytes that are no document are a ParseError and nothing else."""
        with pytest.raises(ParseError):
            parse_swagger(text)


class TestVersion:
    """Versions."""

    @pytest.mark.parametrize(
        ("text", "minor"),
        [
            ("v1.20.2", (1, 20)),
            ("1.20", (1, 20)),
            ("v1.30+", (1, 30)),
            ("v1.30.5-gke.100", (1, 30)),
            ("1.34.0-rc.1+abc", (1, 34)),
            (None, None),
            ("", None),
            ("v1", None),
            ("v1.", None),
            ("1.x", None),
            ("unversioned", None),
            ("v1.3٤", None),
            ("vv1.3", None),
            ("1." + "9" * 5000, None),
        ],
    )
    def test_minor_version(self, text: str | None, minor: tuple[int, int] | None) -> None:
        """Major and minor number where a text names both."""
        assert minor_version(text) == minor

    @pytest.mark.parametrize(
        ("info", "version"),
        [({"version": "v1.20.2"}, "v1.20.2"), ({"version": "unversioned"}, None), ({}, None)],
    )
    def test_of_a_document(self, info: dict[str, str], version: str | None) -> None:
        """A document's own version, where it names one."""
        swagger = parse_swagger(document({"/a": {"get": {"operationId": "a"}}}, info=info))
        assert swagger.version == version

    def test_segments(self) -> None:
        """Slashes at the ends make no segment."""
        assert segments("/apis/batch/v1/") == ["apis", "batch", "v1"]


class TestRealDocuments:
    """Kubernetes' own."""

    @pytest.mark.parametrize(("version", "total", "deprecated"), [("v1.34", 1062, 203), ("v1.36", 1123, 215)])
    def test_totals(self, shared_data: Path, version: str, total: int, deprecated: int) -> None:
        """The known totals of 1.34 and 1.36."""
        operations = read_swagger(shared_data, version).operations.values()
        assert len(operations) == total
        assert sum(operation.deprecated for operation in operations) == deprecated

    def test_methods(self, shared_data: Path) -> None:
        """1.34 has 1050 operations without HEAD and OPTIONS."""
        operations = read_swagger(shared_data, "v1.34").operations.values()
        assert sum(operation.method not in ("HEAD", "OPTIONS") for operation in operations) == 1050

    @pytest.mark.parametrize("release", ["1.34.0", "1.36.0"])
    def test_fields_are_those_that_apisnoop_published(self, shared_data: Path, release: str) -> None:
        """Every field of every operation there, but for the levels that are better known by now."""
        swagger = read_swagger(shared_data, "v" + release.removesuffix(".0"))
        published = json.loads(
            gzip.decompress((shared_data / "apisnoop" / f"{release}.json.gz").read_bytes())
        )
        current = {name for name, found in swagger.operations.items() if not found.deprecated}
        assert current == {endpoint["endpoint"] for endpoint in published["endpoints"]}
        levels = {}
        for endpoint in published["endpoints"]:
            found = swagger.operations[endpoint["endpoint"]]
            for field in ("path", "category", "group", "version", "kind", "action"):
                assert getattr(found, field) == endpoint[field], (found.id, field)
            if found.level != endpoint["level"]:
                levels[found.id] = (found.level, endpoint["level"])
        assert levels == OTHERWISE_IN_APISNOOP[release]

    @pytest.mark.parametrize("minor", range(28, 37))
    def test_no_operation_id_twice(self, shared_data: Path, minor: int) -> None:
        """No release gives an operationId to two operations."""
        assert read_swagger(shared_data, f"v1.{minor}").duplicates == ()

    def test_recorded_server(self, demo_data: Path) -> None:
        """A cluster's own ``/openapi/v2`` is read likewise, and knows its version."""
        swagger = parse_swagger(gzip.decompress((demo_data / "openapi-v2.json.gz").read_bytes()))
        assert (len(swagger.operations), swagger.version) == (1066, "v1.20.2")
        assert {"apps", "apiextensions.k8s.io"} <= swagger.groups
