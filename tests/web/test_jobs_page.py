from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient

from auditsvc.config import Config, ScheduleConfig
from auditsvc.service import open_service
from auditsvc.web import create_app
from tests.web.made import NOW
from tests.web.test_pages import open_page


def test_jobs_and_scheduled_runs_have_a_page(tmp_path: Path) -> None:
    """What is to come, the next first, and what there was, with how it ended."""
    config = Config(data=tmp_path, schedule=ScheduleConfig(every=timedelta(hours=6)))
    with open_service(config, clock=lambda: NOW) as service:
        client = create_app(service).test_client()
        before = open_page(client, "/pages/jobs").text
        assert "2026-01-18 09:30:00 UTC : Scheduled sync, audits and retention" in before
        assert "There was none yet." in before
        service.jobs.wait(service.jobs.start("audit", "an audit", lambda steps: steps(1, 2)))
        page = open_page(client, "/pages/jobs")
    assert "1 an audit done 1 of 2 2026-01-18 09:30:00 UTC" in page.text
    assert "/audit/jobs/1" in page.links


def test_nothing_scheduled_says_where_to(client: FlaskClient) -> None:
    """The configuration's key is named."""
    assert "Nothing is scheduled: the key schedule" in open_page(client, "/pages/jobs").text
    assert "/pages/jobs" in open_page(client, "/").links
