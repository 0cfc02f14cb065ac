"""What every test may use: the project's demo data and, where it is there, the shared test data."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.gcs import FakeGcs

# A shell starts what runs in its background with Ctrl-C ignored, which
# the processes of the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = Path(os.environ.get("AUDITSVC_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real logs, swagger documents and published coverage; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no test data in {SHARED_DATA} (AUDITSVC_TEST_DATA names another folder)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def demo_data() -> Path:
    """The folder of the real data that ships with the project."""
    return REPOSITORY / "auditsvc" / "demo"


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[HTTPServer]:
    """A web server with a thread for each request: one that stalls must not hold up the others."""
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def gcs(gcs_server: HTTPServer) -> Iterator[FakeGcs]:
    """A Google Cloud Storage that listens here, with nothing in its bucket."""
    gcs = FakeGcs(gcs_server)
    gcs_server.expect_request(re.compile("^/")).respond_with_handler(gcs.answer)
    yield gcs
    gcs.ending.set()
    gcs_server.check_assertions()
    gcs_server.clear()
