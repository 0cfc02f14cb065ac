"""What watches the server: alert rules and a dashboard, which ask for what there is."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditsvc.config import Config, ScheduleConfig
from auditsvc.service import open_service
from auditsvc.service.schedule import KIND
from auditsvc.web import create_app
from tests.deploy.reading import DEPLOY, read_yaml
from tests.metrics import promtool, read_names
from tests.web.made import NOW, fill

PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = json.loads((DEPLOY / "grafana" / "auditsvc.json").read_text(encoding="utf-8"))
RULES = read_yaml("prometheus/alerts.yaml")["groups"][0]["rules"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in PANELS for target in panel["targets"]
]
# Those that Prometheus or its scrape adds.
SCRAPED = {"job", "instance", "__name__"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """The series of a server that has done all there is to do, each with the names of its labels."""
    config = Config(data=tmp_path_factory.mktemp("data"), schedule=ScheduleConfig(every=timedelta(hours=6)))
    with open_service(config, clock=lambda: NOW) as service:
        client = create_app(service).test_client()
        fill(client)
        with service.jobs.recorded(KIND, "a run"):
            pass
        yield read_names(client.get("/metrics").text)


def test_rules_are_rules() -> None:
    """Each alert is parsed by Prometheus itself."""
    ran = promtool("check", "rules", PROMETHEUS / "alerts.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"SUCCESS: {len(RULES)} rules found" in ran.stdout


def test_rules_fire_when_they_should() -> None:
    """Prometheus' own unit tests of rules, over made-up series."""
    ran = promtool("test", "rules", PROMETHEUS / "alerts.test.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_is_tested() -> None:
    """Few series make each fire, or it is one that says how much there is of something."""
    text = (PROMETHEUS / "alerts.test.yaml").read_text(encoding="utf-8")
    tested = set(re.findall(r"alertname: (\w+)", text))
    assert {rule["alert"] for rule in RULES} - tested == {"AuditsvcSlow", "AuditsvcQueue"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alert_says_what_is_wrong_and_to_whom(rule: dict[str, Any]) -> None:
    """A sentence, and whether somebody is to be woken."""
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_example_configuration_is_one(tmp_path: Path) -> None:
    """What is shown of prometheus.yml is taken by Prometheus; the token's file is another machine's."""
    text = (PROMETHEUS / "scrape.yaml").read_text(encoding="utf-8")
    (tmp_path / "token").write_text("a token")
    (tmp_path / "alerts.yaml").write_bytes((PROMETHEUS / "alerts.yaml").read_bytes())
    config = tmp_path / "prometheus.yml"
    config.write_text(text.replace("/etc/prometheus/auditsvc-token", str(tmp_path / "token")))
    ran = promtool("check", "config", config)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_service_monitor_finds_the_service() -> None:
    """It selects the Service by a label that it has, and a port that it names."""
    monitor, service = read_yaml("prometheus/servicemonitor.yaml"), read_yaml("kubernetes/service.yaml")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert endpoint["path"] == "/metrics"
    assert monitor["metadata"]["namespace"] == read_yaml("kubernetes/namespace.yaml")["metadata"]["name"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_asks_for_what_there_is(served: dict[str, set[str]], expression: str) -> None:
    """Every series and every label in an alert or on the dashboard is in the server's own answer."""
    named = set(re.findall(r"\b(?:auditsvc|process)_\w+", expression))
    assert named or expression.startswith("up{")
    assert named <= set(served)
    labels = set(re.findall(r'(\w+)(?:=~?|!=|!~)"', expression))
    for by in re.findall(r"\b(?:by|ignoring) \(?([\w, ]+)\)", expression):
        labels |= {label.strip() for label in by.split(",")}
    assert labels - SCRAPED <= set().union(
        *(served[name] for name in named), {"le"} if "_bucket" in expression else set()
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_is_promql(expression: str, tmp_path: Path) -> None:
    """Grafana's variables put in, Prometheus parses it."""
    filled = expression.replace("$__rate_interval", "5m").replace("$instance", ".*")
    rule = {"groups": [{"name": "a", "rules": [{"record": "a:b", "expr": filled}]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule))
    ran = promtool("check", "rules", tmp_path / "rules.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_dashboard_is_laid_out() -> None:
    """Each panel has an id, a title and a place of its own on Grafana's grid of 24."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] for panel in DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_dashboard_uses_its_own_variables() -> None:
    """No data source of somebody's Grafana is written into it."""
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource", "instance"}
    sources = {source["uid"] for source in _sources(DASHBOARD)}
    assert sources == {"${datasource}"}


def _sources(value: Any) -> Iterator[dict[str, str]]:
    """The data sources that are named anywhere."""
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        if name == "datasource":
            yield member
        else:
            yield from _sources(member)
