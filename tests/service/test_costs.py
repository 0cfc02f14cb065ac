"""Costs taken in and fetched, with a real server in OpenCost's place."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from auditsvc.core.window import Window
from auditsvc.errors import AuditsvcError, ConfigError, FetchError, NotFoundError, ParseError
from auditsvc.service import Service
from auditsvc.store.costs import CostKind, CostOrigin
from tests.audits.days import COST_AUDITS, DAY, Day, consistent_day, document
from tests.service.made import service_at

ALLOCATIONS, ASSETS, CLOUD_COSTS, TOTALS, AGGREGATES = CostKind
QUERY = "2024-05-01T00:00:00Z,2024-05-02T00:00:00Z"
SMALL = consistent_day(1, nodes=1, pods=1)


@pytest.fixture
def fetching(tmp_path: Path, httpserver: HTTPServer) -> Iterator[Service]:
    """The service over an empty store, whose OpenCost is the test's server."""
    with service_at(tmp_path / "data", opencost_url=httpserver.url_for("/model/")) as service:
        yield service


def answer(httpserver: HTTPServer, allocations: bytes, assets: bytes, *, window: str = QUERY) -> None:
    """Lets the server answer as OpenCost does, and to no other questions."""
    idle = {"includeIdle": "true", "idleByNode": "true"}
    httpserver.expect_request(
        "/model/allocation/compute", query_string={"window": window, **idle}
    ).respond_with_data(allocations)
    httpserver.expect_request("/model/assets", query_string={"window": window}).respond_with_data(assets)


def test_a_day_is_fetched(fetching: Service, httpserver: HTTPServer) -> None:
    """With idle cost by node, without an aggregation; stored as it came, with tables, and audited."""
    allocations, assets = document([SMALL.allocations]), document(SMALL.assets)
    answer(httpserver, allocations, assets)
    records = fetching.costs.fetch(DAY)
    httpserver.check()
    assert [(one.kind, one.window, one.origin) for one in records] == [
        (ALLOCATIONS, DAY, CostOrigin.FETCHED),
        (ASSETS, DAY, CostOrigin.FETCHED),
    ]
    assert fetching.costs.document(ALLOCATIONS, DAY) == allocations
    assert fetching.costs.find(kind=TOTALS, limit=9)[1] == 2
    results = fetching.audits.run(DAY)
    assert {str(stored.result.status) for stored in results} == {"Passed"}


def test_every_day_of_the_window_is_fetched(fetching: Service, httpserver: HTTPServer) -> None:
    """Whole days, also those that it only touches."""
    answer(httpserver, document([]), document({}))
    answer(httpserver, document([None]), document({}), window="2024-05-02T00:00:00Z,2024-05-03T00:00:00Z")
    noon = timedelta(hours=12)
    records = fetching.costs.fetch(Window(DAY.start + noon, DAY.end + noon))
    assert [(one.window.start.day, one.kind) for one in records] == [
        (1, ALLOCATIONS),
        (1, ASSETS),
        (2, ALLOCATIONS),
        (2, ASSETS),
    ]


def test_a_null_cost_stays_one(fetching: Service, httpserver: HTTPServer) -> None:
    """OpenCost writes null for NaN: that is a missing value and no zero."""
    key = next(iter(SMALL.allocations))
    day = SMALL.changed("allocations", key, ramCost=None)
    answer(httpserver, document([day.allocations]), document(day.assets))
    fetching.costs.fetch(DAY)
    found = {stored.key: stored.result for stored in fetching.audits.run(DAY)}
    assert [one.key for one in found["allocationReconciliation"].missing] == [key]


def test_a_day_is_fetched_whole_or_not_at_all(fetching: Service, httpserver: HTTPServer) -> None:
    """Where its assets cannot be used its allocations are not stored either; the URL is named."""
    failed = json.dumps({"code": 500, "data": None, "message": "no Prometheus"}).encode()
    answer(httpserver, document([SMALL.allocations]), failed)
    with pytest.raises(
        ParseError, match=r"http://.*/model/assets\?window=.*: not an asset response: no Prom"
    ):
        fetching.costs.fetch(DAY)
    assert fetching.costs.find(limit=9)[1] == 0


def test_an_opencost_that_does_not_answer(fetching: Service, httpserver: HTTPServer) -> None:
    """Its status, and nothing is stored."""
    httpserver.expect_request("/model/allocation/compute").respond_with_data("no", status=404)
    with pytest.raises(
        FetchError, match=r"cannot read http://.*/model/allocation/compute\?.*: 404 NOT FOUND"
    ):
        fetching.costs.fetch(DAY)
    assert fetching.costs.find(limit=9)[1] == 0


def test_nothing_is_fetched_from_nowhere(empty: Service) -> None:
    """The URL comes from the configuration alone."""
    with pytest.raises(ConfigError, match="opencost_url: missing; set it to OpenCost's API, such as http"):
        empty.costs.fetch(DAY)


def test_own_tables_of_a_day_without_rows(empty: Service) -> None:
    """A day on which nothing cost anything has tables too; a day that never came has none."""
    empty.costs.put(ASSETS, DAY, document({}))
    assert json.loads(empty.costs.document(TOTALS, DAY))["data"] == {"assets": {"cluster": {}, "node": {}}}
    with pytest.raises(NotFoundError, match="no aggregates of "):
        empty.costs.document(AGGREGATES, DAY)


def test_an_hour_has_no_tables(empty: Service) -> None:
    """AuditSets are days: nothing would be held against them."""
    hour = Window(DAY.start, DAY.start + timedelta(hours=1))
    empty.costs.put(ALLOCATIONS, hour, document([SMALL.allocations]))
    assert empty.costs.find(limit=9)[1] == 1


def test_days_of_10000_allocations(empty: Service) -> None:
    """Taken in whole, and every cost audit passes on each."""
    day = consistent_day(1, nodes=100, pods=99).rounded()
    allocations, assets = document([day.allocations]), document(day.assets)
    first = datetime(2024, 5, 1, tzinfo=UTC)
    for number in range(2):
        window = Window.day(first + timedelta(days=number))
        dates = {b"2024-05-02T": f"{window.end.date()}T", b"2024-05-01T": f"{window.start.date()}T"}
        for kind, content in ((ALLOCATIONS, allocations), (ASSETS, assets)):
            for date, new in dates.items():
                content = content.replace(date, new.encode())  # noqa: PLW2901 - one document, two dates
            empty.costs.put(kind, window, content)
    results = empty.audits.run(commit=True)
    assert {str(stored.result.status) for stored in results} == {"Passed"}
    assert {stored.key for stored in results} == set(COST_AUDITS) - {"costHours", "assetReconciliation"}


def test_a_scheduled_run_fetches_the_newest_days(fetching: Service, httpserver: HTTPServer) -> None:
    """The last three whole days, which billing may have changed; a day that fails is named and stops none."""
    httpserver.expect_request("/model/allocation/compute").respond_with_json({"code": 404}, status=404)
    with pytest.raises(AuditsvcError, match=r"costs: .+; costs: .+; costs: "):
        fetching.schedule.run()
    asked = [request.args["window"] for request, _ in httpserver.log]
    today = Window.day(fetching.clock()).start
    days = [f"{today - timedelta(days=age):%Y-%m-%d}" for age in (3, 2, 1)]
    assert [window[:10] for window in asked] == days


def stepped(day: Day, count: int) -> bytes:
    """The day's allocations as a response with `step=1h` has them, of so many hours."""
    starts = [DAY.start + timedelta(hours=hour) for hour in range(count)]
    times = [
        {"start": f"{at:%Y-%m-%dT%H:00:00Z}", "end": f"{at + timedelta(hours=1):%Y-%m-%dT%H:00:00Z}"}
        for at in starts
    ]
    return document(
        [
            {
                key: {name: value / 24 if isinstance(value, float) else value for name, value in row.items()}
                | {**span, "window": span}
                for key, row in day.allocations.items()
            }
            for span in times
        ]
    )


def test_a_day_of_24_steps_is_audited(empty: Service) -> None:
    """Its steps make up the day: they are its rows, and the tables are made of them."""
    empty.costs.put(ALLOCATIONS, DAY, stepped(SMALL, 24))
    empty.costs.put(ASSETS, DAY, document(SMALL.assets))
    results = {stored.key: stored.result for stored in empty.audits.run(DAY)}
    assert {str(result.status) for result in results.values()} == {"Passed"}
    assert set(results) == set(COST_AUDITS) - {"costHours", "assetReconciliation"}


def test_some_steps_are_no_day(empty: Service) -> None:
    """The audits say so."""
    empty.costs.put(ALLOCATIONS, DAY, stepped(SMALL, 23))
    empty.costs.put(ASSETS, DAY, document(SMALL.assets))
    results = {stored.key: stored.result for stored in empty.audits.run(DAY)}
    problem = results["clusterEquality"].problem or ""
    assert problem.startswith("nothing to compare: no allocations in ")
    assert problem.endswith(", only steps of the window")
