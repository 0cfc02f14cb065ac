from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from auditsvc.config import Config
from auditsvc.service import Service, open_service
from auditsvc.web import create_app
from tests.web.made import NOW, fill


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The service over a new store, with a clock that stands still."""
    with open_service(Config(data=tmp_path / "data"), clock=lambda: NOW) as service:
        yield service


@pytest.fixture
def app(service: Service) -> Flask:
    """The application, as a server runs it: errors are answers and do not propagate."""
    return create_app(service)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of the application."""
    return app.test_client()


@pytest.fixture
def runs(client: FlaskClient) -> dict[str, str]:
    """The small API, a CI and a pull run in the store, audited; the runs' ids by kind."""
    return fill(client)
