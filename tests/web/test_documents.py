import gzip

from flask.testing import FlaskClient

from tests.web.made import INELIGIBLE, PENDING, data_of, message_of, swagger_bytes


def test_swagger_is_uploaded_for_a_version(client: FlaskClient) -> None:
    """The answer is the record; the upload holds from now on, or from a time."""
    record = data_of(client.put("/swagger/v1.34.0", data=swagger_bytes()))
    assert record == {
        "version": "v1.34.0",
        "hash": record["hash"],
        "holds_from": "2026-01-18T09:30:00.000000Z",
        "recorded": "2026-01-18T09:30:00.000000Z",
        "operations": 5,
    }
    earlier = "/swagger/v1.34.0?from=2026-01-01T01:00:00%2B01:00"
    assert data_of(client.put(earlier, data=gzip.compress(swagger_bytes()))) == {
        **record,
        "holds_from": "2026-01-01T00:00:00.000000Z",
    }


def test_swaggers_are_paged(client: FlaskClient) -> None:
    """The highest version first."""
    for version in ("v1.34.0", "v1.35.0"):
        client.put(f"/swagger/{version}", data=swagger_bytes())
    page = client.get("/swagger?limit=1&offset=1").json
    assert page is not None
    assert [record["version"] for record in page["data"]] == ["v1.34.0"]
    assert page["total"] == 2


def test_operations_of_a_version(client: FlaskClient) -> None:
    """Filtered by level, group and text; the core group's name is empty."""
    client.put("/swagger/v1.34.0", data=swagger_bytes())
    path = "/swagger/v1.34/operations"

    def ids(query: str) -> list[str]:
        return [one["id"] for one in data_of(client.get(f"{path}?{query}"))]

    assert ids("") == ["createPod", "deletePod", "listCronJob", "listPod", "readPod"]
    assert ids("level=beta") == ["listCronJob"]
    assert ids("text=READ") == ["readPod"]
    assert ids("group=apps") == []
    assert ids("limit=2&offset=1") == ["deletePod", "listCronJob"]
    assert message_of(client.get("/swagger/v1.2/operations"), 404) == (
        "unknown swagger: v1.2 (GET /swagger lists them)"
    )


def test_lists_hold_from_a_time(client: FlaskClient) -> None:
    """Each kind its own; asked for with a time, the one that held then."""
    assert "no pending list" in message_of(client.get("/lists/pending"), 404)
    client.put("/lists/pending?from=2026-01-01T00:00:00Z", data=PENDING)
    record = data_of(client.put("/lists/pending", data=b"[]"))
    assert (record["kind"], record["entries"]) == ("pending", 0)
    assert data_of(client.get("/lists/pending"))["endpoints"] == []
    then = data_of(client.get("/lists/pending?at=2026-01-02T00:00:00Z"))
    assert then["endpoints"] == [{"endpoint": "deletePod", "reason": None, "link": None, "line": 1}]
    assert data_of(client.put("/lists/ineligible", data=INELIGIBLE))["entries"] == 2
    assert data_of(client.get("/lists/ineligible"))["endpoints"][0]["reason"] == "optional feature"
