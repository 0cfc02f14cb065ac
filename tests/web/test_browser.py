"""What a person does: opens the start page in a real browser and clicks a status, against the real server."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from tests.web.made import CI, INELIGIBLE, PENDING, PULL, log_bytes, swagger_bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of its own process, over a new data folder."""
    environment = {**os.environ, "AUDITSVC_DATA": str(tmp_path_factory.mktemp("data"))}
    command = [sys.executable, "-m", "auditsvc", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        try:
            assert found
            yield found[0]
        finally:
            process.terminate()


@pytest.fixture
def audited(server: str) -> str:
    """The same server with the audits of two runs."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy is between a test and its own machine
        answers = [
            session.put(f"{server}/swagger/v1.34.0", data=swagger_bytes()),
            session.put(f"{server}/lists/pending", data=PENDING),
            session.put(f"{server}/lists/ineligible", data=INELIGIBLE),
            session.post(f"{server}/runs?kind=ci", data=log_bytes(CI)),
            session.post(f"{server}/runs?kind=pull", data=log_bytes(PULL)),
            session.post(f"{server}/audit?commit=true&wait=true"),
        ]
    assert all(answer.ok for answer in answers), [answer.text for answer in answers]
    return server


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """Debian's Chromium, without JavaScript; skips where it is absent."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium chromium-driver)")
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        f"--user-data-dir={tmp_path}",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options, Service(driver)) as chrome:
        yield chrome


def test_status_opens_its_findings(audited: str, browser: Chrome) -> None:
    """The status is a coloured word; behind it stands what was found and what to do about it."""
    browser.get(audited)
    failed = browser.find_element(By.CSS_SELECTOR, "td .failed")
    assert failed.text == "Failed"
    assert failed.value_of_css_property("color") == "rgba(179, 18, 29, 1)"
    failed.click()
    assert browser.find_element(By.TAG_NAME, "h1").text == "AuditIneligibleConsistency"
    row = browser.find_element(By.CSS_SELECTOR, "tbody tr")
    assert "list / duplicate" in row.text
    assert browser.find_elements(By.XPATH, "//th[text()='What to do']")
    log: list[object] = browser.get_log("browser")  # type: ignore[no-untyped-call] # selenium's gap
    assert log == []  # nothing was refused by the Content-Security-Policy


def test_pages_fit_a_phone(audited: str, browser: Chrome) -> None:
    """No page is wider than the screen: what is wide scrolls in itself."""
    browser.set_window_size(500, 900)  # as narrow as Chromium goes
    for path in ("/", "/docs", "/pages/runs"):
        browser.get(audited + path)
        page = browser.find_element(By.TAG_NAME, "html")
        assert int(page.get_property("scrollWidth")) <= int(page.get_property("clientWidth"))  # type: ignore[arg-type] # both are numbers
