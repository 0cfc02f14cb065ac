"""The API against its own description, with requests that are made up from it."""

import gzip
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import yaml
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from auditsvc.config import Config
from auditsvc.service import open_service
from auditsvc.web import create_app, openapi_document
from tests.web.made import CI, NOW, PULL, SWAGGER, event, fill, log_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WINDOWS = ("today", "lastmonth", "7d", "36h offset 1d", "1767225600,1769904000", "2026-01-01,2026-02-01")

# What the description cannot say by itself: which texts are windows, which bytes are documents.
schemathesis.openapi.format("window", st.sampled_from(WINDOWS))
schemathesis.openapi.media_type(
    "application/octet-stream", st.sampled_from([log_bytes(CI), gzip.compress(log_bytes(PULL))])
)
# A list of endpoints and one of conformance tests at once, for both are YAML and ignore each other's keys.
YAML = "- {endpoint: createPod, reason: optional, link: 'https://example.org', codename: a, release: v1.9}\n"
schemathesis.openapi.media_type("application/yaml", st.sampled_from([YAML.encode(), YAML.encode() * 2]))

DAY = "2026-01-17,2026-01-18"
COSTS: dict[str, Any] = {
    "allocations": [],
    "assets": [],
    "cloudcosts": {"sets": []},
    "totals": {"allocations": {"cluster": {}, "node": {}}},
    "aggregates": {},
}

QUERIES: dict[tuple[str, str], dict[str, Any]] = {
    ("GET", "/audit/explain"): {"type": "clusterEquality", "window": DAY},  # an audit of costs, and one day
    ("POST", "/audit"): {"commit": True},  # without a window it must be
    ("PUT", "/costs/{kind}"): {"window": DAY},
}

served: list[Flask] = []


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """The app that is served: the tests are made from the description, before there is one."""
    return served[-1](environ, start_response)


schema = schemathesis.openapi.from_dict(yaml.safe_load(openapi_document()))
schema.app = application


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serves a store with runs in it; what may be asked for there, by the parameter's name."""
    with open_service(Config(data=tmp_path_factory.mktemp("data")), clock=lambda: NOW) as service:
        served.append(create_app(service))
        runs = fill(served[-1].test_client())
        yield {"run_id": runs["pull"], "operation_id": "listPod", "job_id": "1"}
        served.pop()


@schema.parametrize()
@settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_api_does_what_its_description_says(case: schemathesis.Case[Any], known: dict[str, str]) -> None:
    """Each answer is described; what is valid is taken, what is not is refused, and nothing breaks."""
    if case.meta is not None and case.meta.generation.mode.is_positive:
        make_sense(case, known)
    case.call_and_validate()


def make_sense(case: schemathesis.Case[Any], known: dict[str, str]) -> None:
    """Keeps to the rules that no description can tell, and asks for what is there."""
    case.query |= QUERIES.get((case.method, case.path), {})
    match case.method, case.path:
        case "GET", "/coverage":
            case.query.pop("run", None)  # a run is of its own release: one is asked for, or the other
        case "GET", _:
            case.path_parameters |= {name: known[name] for name in case.path_parameters.keys() & known}
        case "POST", "/runs":
            make_upload(case)
        case "POST", "/events" | "/events/{cluster}" | "/events/{cluster}/{version}":
            make_events(case)
        case "PUT", "/swagger/{version}":
            case.body = dict(SWAGGER)
        case "PUT", "/costs/{kind}":
            case.body = {"data": COSTS[case.path_parameters["kind"]]}


def make_upload(case: schemathesis.Case[Any]) -> None:
    """The whole log, whose times and swagger are its own; a document is not given twice."""
    for name in (
        "started",
        "finished",
        "version",
        "swagger",
        "pending",
        "ineligible",
        "agent",
        "namespace",
        "service_account",
    ):
        case.query.pop(name, None)
    if isinstance(case.body, dict):  # changed in place: schemathesis would call new bytes invalid
        case.body.clear()
        case.body["log"] = [log_bytes(PULL)]  # type: ignore[list-item] # bytes, as a strategy gives


def make_events(case: schemathesis.Case[Any]) -> None:
    """The version's swagger is there, and the items are audit events."""
    case.query.pop("version", None)
    if "version" in case.path_parameters:
        case.path_parameters["version"] = "v1.34.0"
    case.body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event("list", "/api")]}
