import gzip
import json
from collections.abc import Mapping
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from auditsvc.audits import KUBECOST_KEYS, audit_types
from auditsvc.config import Config
from auditsvc.core.costs import Origin
from auditsvc.core.results import Status
from auditsvc.schemas import COST_KINDS, COST_ORIGINS
from auditsvc.service import Service, open_service
from auditsvc.store.costs import CostKind, CostOrigin
from auditsvc.web import create_app
from tests.audits.days import COST_AUDITS, DAY, Day, consistent_day, document
from tests.audits.test_cost_audits import BARE, VERDICTS, faulty
from tests.web.made import data_of, fill, message_of

PASSED, WARNING, FAILED = Status
WINDOW = "window=2024-05-01,2024-05-02"
FIRST_HOUR = "window=2024-05-01T00:00:00Z,2024-05-01T01:00:00Z"
CONFORMANCE = [known.key for known in audit_types() if "costs" not in known.sources]
CLUSTER = "cluster-0"


def put(client: FlaskClient, kind: str, content: bytes, window: str = WINDOW) -> int:
    """Uploads a document; the status."""
    answer = client.put(f"/costs/{kind}?{window}", data=content)
    assert data_of(answer)["kind"] == kind
    return answer.status_code


def put_day(client: FlaskClient, day: Day) -> None:
    """Uploads a day's allocations and assets."""
    put(client, "allocations", document([day.allocations]))
    put(client, "assets", document(day.assets))


def audited(client: FlaskClient, query: str = WINDOW) -> dict[str, Any]:
    """Runs the audits of a day; its AuditSet."""
    [audit_set] = data_of(client.post(f"/audit?{query}&wait=true"))
    return dict(audit_set)


def statuses(audit_set: Mapping[str, Any]) -> dict[str, str | None]:
    """The status of each audit, null where it did not run."""
    return {key: found and found["Status"] for key, found in audit_set.items() if key != "window"}


@pytest.mark.parametrize("case", VERDICTS)
def test_each_case_of_the_reconciled_day_gets_its_verdict(
    client: FlaskClient, shared_data: Path, case: str
) -> None:
    """Uploaded and audited over HTTP; audits of what was never sent stay null."""
    content = json.loads((shared_data / "opencost" / "reconciled-day.json").read_bytes())
    day, _ = faulty(content, case)
    put_day(client, day)
    expected: dict[str, str | None] = {**dict.fromkeys(COST_AUDITS, PASSED), **VERDICTS[case]}
    expected |= dict.fromkeys([*BARE, *CONFORMANCE])
    assert statuses(audited(client)) == expected


GOLDEN = Path(__file__).parent.parent / "golden" / "costs-day.json"


def small_day() -> Day:
    """A node with too costly a pod, an idle row that states another total, and a pod without a node."""
    times = {"start": "2024-05-01T00:00:00Z", "end": "2024-05-02T00:00:00Z"}
    row = {"window": times, **times, "minutes": 1440, "cpuCost": 0.5, "totalCost": 0.5}
    here = {"cluster": "one", "node": "a", "namespace": "shop", "controller": "web"}
    return Day(
        allocations={
            "one/a/shop/web-0/web": {**row, "properties": {**here, "pod": "web-0", "labels": {"app": "web"}}},
            "one/shop/web-1/web": {**row, "properties": {**here, "pod": "web-1", "node": ""}},
            "one/a/__idle__": {**row, "properties": {"cluster": "one", "node": "a"}, "cpuCost": 2.25e-7},
        },
        assets={
            "Compute/one/Node/a": {
                **row,
                "type": "Node",
                "properties": {"category": "Compute", "cluster": "one", "name": "a", "providerID": "i-1"},
                "cpuCost": 0.75,
                "discount": 0.25,
                "adjustment": -0.1,
                "totalCost": 0.4625,
            }
        },
    )


def test_audit_set_is_the_golden_one(client: FlaskClient) -> None:
    """Kubecost's six first; Tolerance after Checked; passed, warned, failed and never run, to the byte."""
    put_day(client, small_day())
    bill = {
        "properties": {"providerID": "i-1", "category": "Compute"},
        "amortizedNetCost": {"cost": 0.4625, "kubernetesPercent": 1},
    }
    put(client, "cloudcosts", document({"sets": [{"cloudCosts": {"i-1": bill}}]}))
    client.post(f"/audit?{WINDOW}&wait=true")
    asked = "&".join(f"type={key}" for key in ("swaggerTotal", "costParts", "costHours", *KUBECOST_KEYS))
    assert client.get(f"/audit?{WINDOW}&{asked}").text == GOLDEN.read_text("utf-8")


def test_stores_of_one_kind_leave_the_other_audits_null(client: FlaskClient) -> None:
    """Runs without costs, then costs too: each day has its verdicts, and no day those of what never came."""
    fill(client)
    [runs_day] = data_of(client.get("/audit"))
    assert {runs_day[key] for key in COST_AUDITS} == {None}
    put_day(client, consistent_day(1, nodes=1, pods=2))
    data_of(client.post("/audit?commit=true&wait=true"))
    costs_day, runs_day = data_of(client.get("/audit"))
    assert costs_day["clusterEquality"]["Status"] == "Passed"
    assert costs_day["swaggerTotal"] is not None
    assert runs_day["clusterEquality"]["Description"] == (
        "nothing to compare: no cost data is stored for this window"
    )


def test_costs_are_no_matter_of_a_single_run(client: FlaskClient) -> None:
    """A run judged alone gets no verdict on the costs of its day."""
    runs = fill(client)
    put_day(client, consistent_day(1, nodes=1, pods=1))
    judged = audited(client, f"run={runs['pull']}")
    assert {judged[key] for key in COST_AUDITS} == {None}
    assert judged["swaggerTotal"] is not None


def test_audits_by_name_without_their_source_are_failed(client: FlaskClient) -> None:
    """Null when all are asked for, Failed with the reason when one is."""
    put_day(client, consistent_day(1, nodes=1, pods=1))
    found = audited(client, f"{WINDOW}&type=costHours&type=AuditAssetReconciliation")
    assert {key: found[key]["Description"] for key in BARE} == {
        "costHours": "nothing to compare: no cost_hours ever received",
        "assetReconciliation": "nothing to compare: no cloud_costs ever received",
    }


def test_young_data_is_marked_and_audited_again_when_it_is_not(tmp_path: Path) -> None:
    """For 48 h after the window; then the day is not skipped as unchanged."""
    now = DAY.end
    with open_service(Config(data=tmp_path), clock=lambda: now) as service:
        client = create_app(service).test_client()
        put_day(client, consistent_day(1, nodes=1, pods=1))
        young = audited(client, "commit=true")["clusterEquality"]
        assert young["Status"] == "Passed"
        assert "cloud billing has not reconciled its costs yet" in young["Description"]
        now = DAY.end.replace(day=4)
        assert audited(client, "commit=true")["clusterEquality"]["Description"] == ""


def test_unchanged_days_are_skipped(client: FlaskClient, service: Service) -> None:
    """Until a document of the day changes; what is sent again is none."""
    day = consistent_day(1, nodes=1, pods=1)
    put_day(client, day)
    audited(client, "commit=true")
    [before] = service.audits.stored(types=[_type("costKeys")])
    put_day(client, day)
    audited(client, "commit=true")
    [same] = service.audits.stored(types=[_type("costKeys")])
    put(client, "assets", document({}))
    audited(client, "commit=true")
    [after] = service.audits.stored(types=[_type("costKeys")])
    assert before.inputs == same.inputs != after.inputs


def _type(key: str) -> Any:
    return next(known for known in audit_types() if known.key == key)


# ------------------------------------------------------------------------------------ totals and aggregates
def test_own_tables_are_written_and_served(client: FlaskClient) -> None:
    """By cluster and node, of allocations and assets in one document; aggregates by every property."""
    put(client, "allocations", document(consistent_day(1, nodes=2, pods=1).allocations))
    assert list(data(client, "totals")) == ["allocations"]
    put(client, "assets", document(consistent_day(1, nodes=2, pods=1).assets))
    totals = data(client, "totals")
    assert list(totals) == ["allocations", "assets"]
    assert list(totals["allocations"]["node"]) == [f"{CLUSTER}/node-0", f"{CLUSTER}/node-1"]
    assert list(data(client, "aggregates")) == ["cluster", "namespace", "controller", "pod", "node", "label"]


def data(client: FlaskClient, kind: str) -> Any:
    """The data of a stored document."""
    return json.loads(client.get(f"/costs/{kind}?{WINDOW}").data)["data"]


def test_uploaded_tables_are_what_is_audited(client: FlaskClient) -> None:
    """One half of the totals alone leaves the other to auditsvc's own; deleted, its own are audited again."""
    put_day(client, consistent_day(1, nodes=1, pods=2))
    totals, aggregates = data(client, "totals"), data(client, "aggregates")
    totals["allocations"]["cluster"][CLUSTER]["cpuCost"] += 1
    totals["allocations"]["cluster"][CLUSTER]["totalCost"] += 1
    put(client, "totals", document({"allocations": totals["allocations"]}))
    put(client, "aggregates", document({"namespace": aggregates["namespace"]}))
    found = audited(client)
    assert list(found["allocationTotal"]["TotalByCluster"]) == [CLUSTER]
    assert "own table" not in found["allocationTotal"]["Description"]
    assert "own table" in found["assetTotal"]["Description"]
    assert found["allocationAgg"]["Results"] == {"namespace": {}}
    for kind in ("totals", "aggregates"):
        assert client.delete(f"/costs/{kind}?{WINDOW}").text == '{"code":200,"data":null}\n'
    assert {status for key, status in statuses(audited(client)).items() if key in COST_AUDITS} == {
        PASSED,
        None,
    }


def test_damaged_data_is_a_failure_and_no_crash(client: FlaskClient, service: Service) -> None:
    """The audits that need it say what is wrong; the others are as they were."""
    put_day(client, consistent_day(1, nodes=1, pods=2))
    with service.store._connections.transaction() as db:
        db.execute("update costs set document = x'00' where kind = 'totals' and source = 'assets'")
    found = audited(client)
    assert found["assetTotal"]["Status"] == FAILED
    assert "the totals of [2024-05-01" in found["assetTotal"]["Description"]
    assert "are damaged in the store: upload them again" in found["assetTotal"]["Description"]


# -------------------------------------------------------------------------------------------- hours, bills
def test_a_day_equals_its_hours(client: FlaskClient) -> None:
    """24 documents of an hour each are held against the day's; one that is wrong is found."""
    day = consistent_day(1, nodes=1, pods=1)
    put(client, "assets", document(day.assets))
    for hour in range(24):
        put(client, "assets", document(an_hour(day, hour)), hour_window(hour))
    found = audited(client)["costHours"]
    assert (found["Status"], found["Description"], found["Checked"]) == (PASSED, "", len(day.assets))
    put(client, "assets", document({}), hour_window(23))
    found = audited(client)["costHours"]
    assert (found["Status"], found["Description"]) == (FAILED, "the hours cover 23 h of the window")


def hour_window(hour: int) -> str:
    """The window of an hour of the day."""
    end = f"2024-05-01T{hour + 1:02}:00:00Z" if hour < 23 else "2024-05-02T00:00:00Z"
    return f"window=2024-05-01T{hour:02}:00:00Z,{end}"


def an_hour(day: Day, hour: int) -> dict[str, dict[str, Any]]:
    """The assets' share of one hour; the rows say no window of their own."""
    times = hour_window(hour).removeprefix("window=").split(",")
    return {
        key: {
            **{
                name: value / 24 if name.endswith(("Cost", "adjustment")) else value
                for name, value in row.items()
            },
            "start": times[0],
            "end": times[1],
            "window": None,
            "minutes": 60,
        }
        for key, row in day.assets.items()
    }


def test_steps_of_a_day_are_its_hours(client: FlaskClient) -> None:
    """A response with the day and its steps, one map after the other, is told apart by the rows' windows."""
    day = consistent_day(1, nodes=1, pods=1)
    steps = [
        {
            key: {**row, "window": {"start": row["start"], "end": row["end"]}}
            for key, row in an_hour(day, hour).items()
        }
        for hour in range(24)
    ]
    answer = client.put(f"/costs/assets?{WINDOW}", data=document([day.assets, *steps]))
    rows = len(day.assets)
    assert (data_of(answer)["rows"], data_of(answer)["hours"]) == (25 * rows, 24 * rows)
    found = audited(client)
    assert (found["costHours"]["Status"], found["costKeys"]["Status"]) == (PASSED, PASSED)


def test_assets_are_held_against_the_bill(client: FlaskClient) -> None:
    """Cloud costs of the day make the sixth of Kubecost's audits run."""
    put_day(client, small_day())
    bill = {
        "properties": {"providerID": "i-1", "category": "Compute"},
        "amortizedNetCost": {"cost": 1.4625, "kubernetesPercent": 1},
    }
    put(client, "cloudcosts", document({"sets": [{"cloudCosts": {"i-1": bill}}]}))
    assert audited(client)["assetReconciliation"]["Results"] == {
        "i-1": {"Compute": {"Expected": 1.4625, "Actual": 0.4625}}
    }


# ------------------------------------------------------------------------------------------ put, list, get
def test_upload_is_created_and_then_replaced(client: FlaskClient) -> None:
    """201 where there was none, 200 in the place of an older one, which is gone; packed or not."""
    older, newer = document([{}]), document([{"a": {"properties": {"cluster": "one"}}}])
    answer = client.put(f"/costs/allocations?{WINDOW}", data=older)
    assert answer.text == (
        '{"code":201,"data":{"kind":"allocations","window":{"start":"2024-05-01T00:00:00.000000Z",'
        '"end":"2024-05-02T00:00:00.000000Z"},"source":"allocations","origin":"uploaded",'
        '"hash":"' + sha256(older).hexdigest() + '","rows":0,"hours":0,'
        '"recorded":"2026-01-18T09:30:00.000000Z"}}\n'
    )
    assert put(client, "allocations", gzip.compress(newer)) == 200
    stored = client.get(f"/costs/allocations?{WINDOW}")
    assert (stored.data, stored.content_type) == (newer, "application/json")


def test_stored_costs_are_listed(client: FlaskClient) -> None:
    """By kind and window, paged, the newest window first; auditsvc's own tables among them."""
    put_day(client, small_day())
    put(client, "assets", document({}), FIRST_HOUR)
    put(client, "assets", document({}), "window=2024-05-02,2024-05-03")

    def listed(query: str) -> list[tuple[str, str, str]]:
        found = data_of(client.get(f"/costs?{query}"))
        return [(one["window"]["start"][:10], one["kind"], one["origin"]) for one in found]

    assert listed("limit=3") == [
        ("2024-05-02", "assets", "uploaded"),
        ("2024-05-02", "totals", "own"),
        ("2024-05-01", "aggregates", "own"),
    ]
    assert listed("kind=assets") == [
        (day, "assets", "uploaded") for day in ("2024-05-02", *["2024-05-01"] * 2)
    ]
    assert len(listed(WINDOW)) == 6
    page = client.get("/costs?limit=1&offset=7").json
    assert page is not None
    assert (page["total"], page["limit"], page["offset"], len(page["data"])) == (8, 1, 7, 1)


def test_deleted_is_gone(client: FlaskClient) -> None:
    """With its tables; then it is unknown, and no data makes a day."""
    put_day(client, small_day())
    for kind in ("allocations", "assets"):
        assert client.delete(f"/costs/{kind}?{WINDOW}").status_code == 200
    for ask in (client.delete, client.get):
        assert message_of(ask(f"/costs/assets?{WINDOW}"), 404) == (
            "no assets of [2024-05-01T00:00:00+0000, 2024-05-02T00:00:00+0000) are stored "
            "(GET /costs lists what is)"
        )
    assert data_of(client.get("/costs")) == data_of(client.get("/audit")) == []


ROW = b'{"data":[{"a":{"cpuCost":%b}}]}'
BAD = {
    "allocations": [
        (b"hello", "not an allocation response: JSON is malformed: invalid character (byte 0)"),
        (b"[]", "not an allocation response: Expected `object`, got `array`"),
        (b'{"data":null,"code":500,"message":"no Prometheus"}', "not an allocation response: no Prometheus"),
        (b'{"data":[[]]}', "not an allocation response: Expected `object | null`, got `array` - at `$[0]`"),
        (ROW % b'"1"', "not an allocation response: Expected `float | null`, got `str`"),
        (ROW % b"1e999", "not an allocation response: "),
        (ROW % b"NaN", "not an allocation response: JSON is malformed"),
        (b'{"data":' + b"[" * 100_000, "not an allocation response: "),
        (b'{"data":[{"\xff":{}}]}', "not an allocation response: "),
        (document([small_day().allocations])[:-3], "not an allocation response: "),
        (gzip.compress(document([]), mtime=0)[:-9], "cannot read request body: "),
        (b"", "body: empty"),
    ],
    "assets": [(b'{"data":{"a":{"discount":"much"}}}', "not an asset response: Expected `float | null`")],
    "cloudcosts": [(b'{"data":[]}', "not a cloud cost response: Expected `object`, got `array`")],
    "totals": [(b'{"data":{}}', 'not a document of totals: data has neither "allocations" nor "assets"')],
    "aggregates": [(b'{"data":{"colour":{}}}', "unknown property: colour (known are cluster, namespace, ")],
}


@pytest.mark.parametrize(
    ("kind", "body", "message"), [(kind, body, text) for kind, cases in BAD.items() for body, text in cases]
)
def test_document_that_is_none_of_its_kind(client: FlaskClient, kind: str, body: bytes, message: str) -> None:
    """Refused whole in one line; what was there stays, and nothing is added."""
    put_day(client, small_day())
    before = client.get("/costs").text
    answer = client.put(f"/costs/{kind}?{WINDOW}", data=body)
    assert message_of(answer, 400).startswith(message)
    assert client.get("/costs").text == before


@pytest.mark.parametrize(
    ("kind", "window", "message"),
    [
        ("allocations", "", "window: missing: say which time range is meant"),
        ("allocations", "window=fortnight", "illegal window: fortnight"),
        (
            "allocations",
            "window=7d",
            "window: [2026-01-11T09:30:00+0000, 2026-01-18T09:30:00+0000) is no UTC day",
        ),
        ("assets", "window=2024-05-01T00:00:00Z,2024-05-01T02:00:00Z", "window: [2024-05-01T00:00:00+0000, "),
        ("assets", "window=2024-05-01T00:30:00Z,2024-05-01T01:30:00Z", "window: [2024-05-01T00:30:00+0000, "),
        (
            "totals",
            FIRST_HOUR,
            "window: [2024-05-01T00:00:00+0000, 2024-05-01T01:00:00+0000) is no UTC day: ",
        ),
        ("cloudcosts", FIRST_HOUR, "window: [2024-05-01T00:00:00+0000, "),
    ],
)
def test_window_that_is_none_of_a_day(client: FlaskClient, kind: str, window: str, message: str) -> None:
    """A UTC day, of rows also an hour of one: nothing is cut or guessed."""
    answer = client.put(f"/costs/{kind}?{window}", data=document({}))
    assert message_of(answer, 400).startswith(message)
    assert data_of(client.get("/costs")) == []


def test_words_on_the_wire_are_those_of_the_store() -> None:
    """The schemas name the store's kinds and origins; and audits know a table as uploaded or own."""
    assert list(CostKind) == list(COST_KINDS)
    assert list(CostOrigin) == list(COST_ORIGINS)
    assert set(Origin) < set(CostOrigin)


# ------------------------------------------------------------------------------------------------ explained
def overcharged() -> Day:
    """A day whose first pod is charged 5 too much."""
    day = consistent_day(1, nodes=1, pods=2)
    key = next(iter(day.allocations))
    row = day.allocations[key]
    return day.changed("allocations", key, cpuCost=row["cpuCost"] + 5, totalCost=row["totalCost"] + 5)


@pytest.mark.parametrize("path", ["/audit", "/model/etl/audit"])
@pytest.mark.parametrize("key", [CLUSTER, f"Clusters/{CLUSTER}"])
def test_a_difference_is_explained(client: FlaskClient, path: str, key: str) -> None:
    """With delta, percent, reasons, resources and rows, by its path with or without the map."""
    put_day(client, overcharged())
    query = {"type": "clusterEquality", "window": "2024-05-01,2024-05-02", "key": key, "limit": 2}
    found = data_of(client.get(f"{path}/explain", query_string=query))
    assert (found["type"], found["map"], found["path"]) == ("AuditClusterEquality", "Clusters", [CLUSTER])
    assert found["window"]["start"] == "2024-05-01T00:00:00.000000Z"
    assert found["delta"] == pytest.approx(5)
    assert found["delta"] == found["actual"] - found["expected"]
    assert found["percent"] == pytest.approx(100 * found["delta"] / found["expected"])
    assert found["reasons"][0].startswith("CPU alone makes the difference: expected ")
    assert found["components"][0]["resource"] == "CPU"
    assert len(found["expected_rows"]) == len(found["actual_rows"]) == 2
    assert found["actual_count"] == len(overcharged().allocations)
    assert found["actual_rows"][0]["total"] >= found["actual_rows"][1]["total"]


def test_an_unknown_cost_is_null(client: FlaskClient) -> None:
    """JSON has no NaN: what the source does not know stays unknown in the rows."""
    day = overcharged()
    idle = next(key for key in day.allocations if "__idle__" in key)
    put_day(client, day.changed("allocations", idle, ramCost=None))
    query = f"type=clusterEquality&{WINDOW}&key={CLUSTER}"
    found = data_of(client.get(f"/audit/explain?{query}"))
    [row] = [row for row in found["actual_rows"] if row["kind"] == "idle"]
    assert (row["cost"], row["total"]) == (None, None)
    page = client.get(f"/pages/sets/2024-05-01/clusterEquality/explain?finding={CLUSTER}")
    assert page.status_code == 200
    assert "unknown" in page.text


def test_every_finding_of_every_audit_is_explained(client: FlaskClient) -> None:
    """Whatever differs leads from the page of its result to its explanation."""
    put_day_of_faults(client)
    explained = set()
    for audit in COST_AUDITS:
        audited(client, f"{WINDOW}&type={audit}")
        page = client.get(f"/pages/sets/2024-05-01/{audit}").text
        links = [part.partition('"')[0] for part in page.split('href="') if "/explain?" in part]
        for link in links[:3]:
            assert client.get(unescape(link)).status_code == 200, link
            explained.add(audit)
    assert explained == set(COST_AUDITS)


def put_day_of_faults(client: FlaskClient) -> None:
    """Uploads a day, tables, a bill and an hour of which nothing agrees with anything."""
    day = consistent_day(1, nodes=1, pods=2, clusters=2)
    put_day(client, day)
    totals, aggregates = data(client, "totals"), data(client, "aggregates")
    put(client, "totals", document(_doubled(totals)))
    put(client, "aggregates", document(_doubled(aggregates)))
    node = next(key for key, row in day.assets.items() if row["type"] == "Node")
    idle = next(key for key in day.allocations if "__idle__" in key)
    wrong = day.changed("assets", node, discount=1.5, minutes=9999.0, cpuCost=1e4)
    wrong = wrong.changed("allocations", idle, cpuCost=-1e4)
    put(client, "allocations", document([wrong.allocations, {idle: wrong.allocations[idle]}]))
    put(client, "assets", document(wrong.assets))
    put(client, "assets", document(day.assets), FIRST_HOUR)
    bills = {
        name: {"properties": row["properties"], "amortizedNetCost": {"cost": 1e6}}
        for name, row in day.assets.items()
    }
    put(client, "cloudcosts", document({"sets": [{"cloudCosts": bills}]}))


def _doubled(tree: Any) -> Any:
    """The tables with every cost doubled."""
    if isinstance(tree, dict):
        return {name: value if name == "count" else _doubled(value) for name, value in tree.items()}
    return tree * 2


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        (
            f"type=clusterEquality&{WINDOW}&key=x",
            404,
            "key: AuditClusterEquality finds no difference at x on 2024",
        ),
        (
            f"type=costKeys&{WINDOW}&key=x",
            404,
            "key: AuditCostKeys finds no difference at x on 2024-05-01 (of 0",
        ),
        (f"type=swaggerTotal&{WINDOW}&key=x", 400, "type: AuditSwaggerTotal is no audit of costs"),
        (f"type=nothing&{WINDOW}&key=x", 400, "unknown audit type: nothing (known are "),
        ("type=clusterEquality&window=30d&key=x", 400, "window: [2025-12-19T09:30:00+0000, "),
        (
            "type=clusterEquality&window=2024-05-02,2024-05-03&key=x",
            404,
            "AuditClusterEquality on 2024-05-02: nothing",
        ),
        ("type=clusterEquality&key=x", 400, "window: missing"),
        (f"{WINDOW}&key=x", 400, "type: missing: say which audit found it"),
        (f"type=clusterEquality&{WINDOW}", 400, "key: missing: say which of its differences is meant"),
    ],
)
def test_what_cannot_be_explained(client: FlaskClient, query: str, status: int, message: str) -> None:
    """One line that says what is there instead."""
    put_day(client, overcharged())
    assert message_of(client.get(f"/audit/explain?{query}"), status).startswith(message)


def test_pages_of_costs(client: FlaskClient) -> None:
    """A result's differences are links to pages that explain them; other audits have none."""
    fill(client)
    put_day(client, overcharged())
    client.post("/audit?commit=true&wait=true")
    page = client.get("/pages/sets/2024-05-01/clusterEquality")
    link = f"/pages/sets/2024-05-01/clusterEquality/explain?finding=Clusters/{CLUSTER}"
    assert f'href="{link}"' in page.text
    explanation = client.get(link)
    assert "<dt>Difference</dt><dd>5 (" in explanation.text
    assert "CPU alone makes the difference" in explanation.text
    assert "explain?" not in client.get("/pages/sets/2026-01-17/ineligibleConsistency").text
    missing = client.get("/pages/sets/2024-05-01/clusterEquality/explain")
    assert missing.status_code == 404
    assert missing.content_type == "text/html; charset=utf-8"
