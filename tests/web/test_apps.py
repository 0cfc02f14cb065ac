import csv
import io
import json
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from tests.web.made import CI, PULL, SWAGGER, data_of, message_of, swagger_bytes, upload
from tests.web.test_pages import open_page

JOBS = {"/apis/batch/v1beta1/cronjobs": {"get": {"operationId": "listCronJob"}}}
CRON = ("list", "/apis/batch/v1beta1/cronjobs")


@pytest.fixture
def apps(client: FlaskClient) -> dict[str, str]:
    """Two applications on 1.34 in a store that has 1.35 with nothing but cron jobs; their runs by name."""
    client.put("/swagger/v1.34.0?from=2026-01-01T00:00:00Z", data=swagger_bytes())
    newer = {**SWAGGER, "info": {"version": "v1.35.0"}, "paths": JOBS}
    client.put("/swagger/v1.35.0?from=2026-01-01T00:00:00Z", data=json.dumps(newer))
    return {
        "argo": upload(client, CI, kind="app", app="argo", version="v1.34.0"),
        "team/flux": upload(client, (CRON, *PULL), kind="app", app="team/flux", version="v1.34.0"),
    }


class TestApps:
    """GET /apps and below."""

    def test_list(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """Each with its counts; paged and by name like every list."""
        page = client.get("/apps?limit=1").json
        assert page is not None
        assert (page["total"], page["limit"], page["offset"]) == (2, 1, 0)
        assert page["data"] == [
            {
                "app": "argo",
                "runs": 1,
                "first": "2026-01-17T12:00:00.000000Z",
                "last": "2026-01-17T12:00:01.000000Z",
                "run": apps["argo"],
                "version": "v1.34.0",
                "stable": 2,
                "beta": 0,
                "alpha": 0,
                "not_in_swagger": 0,
                "total": 2,
                "deprecated": 0,
                "conf_tested": None,
                "level": "stable",
                "portable": False,
            }
        ]
        assert [one["app"] for one in data_of(client.get("/apps?text=FLUX"))] == ["team/flux"]

    def test_get(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """Operations, categories and releases beside the counts; a name may have slashes."""
        found = data_of(client.get("/apps/team/flux"))
        assert (found["total"], found["beta"], found["level"]) == (4, 1, "beta")
        assert (found["oldest_release"], found["newest_release"]) == ("1.34.0", "1.34.0")
        assert found["releases"] == [
            {"release": "1.34.0", "newer": False, "lacks": []},
            {"release": "1.35.0", "newer": True, "lacks": ["createPod", "listPod", "readPod"]},
        ]
        assert found["unstable"] == {"listCronJob": "beta"}
        assert found["categories"][0] == {"level": "stable", "category": None, "operations": 3}
        assert {one["id"]: one["hits"] for one in found["operations"]}["createPod"] == 1
        assert data_of(client.get(f"/apps/argo?run={apps['argo']}"))["run"] == apps["argo"]

    def test_unknown(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """What is named must be there."""
        assert message_of(client.get("/apps/nope"), 404) == "unknown app: nope (GET /apps lists them)"
        run = apps["team/flux"]
        assert f"run: {run} is no run of the app argo" in message_of(client.get(f"/apps/argo?run={run}"), 404)

    def test_export(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """A file of all the applications, or of those named."""
        assert len(apps) == 2
        with closing(client.get("/apps/export/app-usage-summary")) as answer:
            assert answer.content_type == "text/csv; charset=utf-8"
            assert [row[0] for row in csv.reader(io.StringIO(answer.text))] == ["app", "argo", "team/flux"]
        named = client.get("/apps/export/app-usage-summary?app=argo&app=argo").text
        assert named.splitlines()[1:] == ["argo,2,0,0,2,"]
        assert "unknown export: all" in message_of(client.get("/apps/export/all"), 404)
        assert "unknown app: x" in message_of(client.get("/apps/export/app-usage-summary?app=x"), 404)


class TestBeside:
    """GET /runs/compare, and the page of it."""

    def test_rows(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """A row for each operation of any of the runs, in the order in which these were named."""
        first, second = apps["argo"], apps["team/flux"]
        page = client.get(f"/runs/compare?run={first}&run={second}&only=added&level=stable").json
        assert page is not None
        assert [run["id"] for run in page["runs"]] == [first, second]
        [row] = page["data"]
        assert row.pop("operation")["path"].endswith("/pods/{name}")
        assert row == {
            "id": "readPod",
            "hits": [0, 1],
            "differences": ["added"],
            "deltas": [1],
            "tests": [],
        }
        page = client.get(f"/runs/compare?run={first}&run={second}&limit=1&offset=3").json
        assert page is not None
        assert ([row["id"] for row in page["data"]], page["total"]) == (["readPod"], 4)

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("", "run: missing: name two runs or more, each in a `run` of its own"),
            ("run=a", "run: name from 2 to 20 runs, each in its own `run`"),
            ("run=a&" * 21, "run: name from 2 to 20 runs, each in its own `run`"),
            ("run=a&run=b&only=all", "only: Must be one of: added, removed, changed, tests."),
        ],
    )
    def test_bad_queries(self, client: FlaskClient, query: str, message: str) -> None:
        """The parameter is named, and what to do."""
        assert message_of(client.get(f"/runs/compare?{query}"), 400) == message

    def test_is_no_run(self, client: FlaskClient) -> None:
        """It cannot be deleted like one, and says so."""
        assert client.delete("/runs/compare").status_code == 405
        assert client.options("/runs/compare").allow.as_set() == {"get", "head", "options"}

    def test_unknown(self, client: FlaskClient) -> None:
        """Each run must be there."""
        assert "unknown run: a" in message_of(client.get("/runs/compare?run=a&run=b"), 404)

    def test_page(self, client: FlaskClient, apps: dict[str, str]) -> None:
        """The list of runs leads there; it names each run with its hits, and can be narrowed."""
        listed = open_page(client, "/pages/runs")
        assert "/pages/beside" in listed.links
        query = "&".join(f"run={run}" for run in apps.values())
        page = open_page(client, f"/pages/beside?{query}")
        assert "team/flux" in page.text
        assert "readPod stable 0 1 added" in page.text
        narrowed = open_page(client, f"/pages/beside?{query}&only=removed&level=nonsense")
        assert "There is none." in narrowed.text
        assert "Choose two or more" in open_page(client, f"/pages/beside?run={apps['argo']}").text
        assert client.get(f"/pages/beside?{query}&run=nope").status_code == 404
