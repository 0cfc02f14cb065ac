"""Whether the server works, as probes and people ask."""

from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient

from auditsvc.config import Config, ScheduleConfig
from auditsvc.service import Service, open_service
from auditsvc.web import create_app
from tests.web.made import NOW, data_of


def test_ready(client: FlaskClient) -> None:
    """200, and each thing that was looked at."""
    checks = data_of(client.get("/readyz"))
    assert [(check["name"], check["ok"]) for check in checks] == [("store", True), ("disk", True)]
    assert all(set(check) == {"name", "ok", "message"} for check in checks)


def test_not_ready(client: FlaskClient, service: Service) -> None:
    """503 with what is wrong in a line, and the state of each thing; the process is alive all the same."""
    service.store.path.unlink()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    body = answer.json
    assert body is not None
    assert list(body) == ["code", "data", "message"]
    assert body["message"].startswith(f"store: {service.store.path} cannot be opened")
    assert [check["ok"] for check in body["data"]] == [False, True]
    assert data_of(client.get("/healthz")) == "ok"


def test_lease_is_asked_for_where_something_is_scheduled(tmp_path: Path) -> None:
    """Nobody makes the scheduled runs: not ready."""
    config = Config(data=tmp_path, schedule=ScheduleConfig(every=timedelta(hours=1)))
    with open_service(config, clock=lambda: NOW) as service:
        answer = create_app(service).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["message"].startswith("lease: ")


def test_next_runs_are_beside_the_jobs(client: FlaskClient, tmp_path: Path) -> None:
    """The scheduled runs to come, the next first; none where nothing is scheduled."""
    nothing = client.get("/audit/jobs").json
    assert nothing is not None
    assert nothing["next"] == []
    config = Config(data=tmp_path / "scheduled", schedule=ScheduleConfig(every=timedelta(hours=6)))
    with open_service(config, clock=lambda: NOW) as service:
        answer = create_app(service).test_client().get("/audit/jobs?limit=1").json
    assert answer is not None
    assert [planned["at"] for planned in answer["next"]] == [
        "2026-01-18T09:30:00.000000Z",
        "2026-01-18T15:30:00.000000Z",
        "2026-01-18T21:30:00.000000Z",
    ]
    assert answer["total"] == 0
