"""Rules, routes and runbooks fit together, and the real servers take them."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from shop_support import wait_until

from gameday.demo.monitoring import Monitoring, MonitoringError, rules_text, write_config
from gameday.demo.project import project_yaml
from gameday.demo.topology import default_topology, free_topology

ROOT = Path(__file__).parents[2]
SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Verify", "Rollback", "Escalation")


def alert_rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(rules_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def runbooks() -> dict[str, str]:
    return {
        f"runbooks/{file.name}": file.read_text("utf-8")
        for file in sorted((ROOT / "scenarios" / "runbooks").glob("*.md"))
    }


def test_every_alert_has_severity_service_summary_and_a_runbook_that_knows_it() -> None:
    for name, rule in alert_rules().items():
        assert rule["labels"]["severity"] in ("page", "ticket", "none")
        assert rule["labels"]["service"] == "shop"
        assert rule["annotations"]["summary"]
        text = runbooks()[rule["annotations"]["runbook_url"]]
        front = yaml.safe_load(text.split("---")[1])
        assert name in front["alerts"]


def test_every_runbook_has_all_sections_and_something_to_do() -> None:
    rules = alert_rules()
    for path, text in runbooks().items():
        front = yaml.safe_load(text.split("---")[1])
        assert front["owner"]
        assert set(front["alerts"]) <= set(rules), path
        parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
        found = dict(zip(parts[1::2], parts[2::2], strict=True))
        assert tuple(found) == SECTIONS, path
        assert all(len(body.strip()) > 10 for body in found.values()), path
        assert "```bash {" in found["Diagnosis"], path


@pytest.mark.parametrize("path", sorted(runbooks()))
def test_every_command_of_a_runbook_is_shell(path: str) -> None:
    blocks = re.findall(r"^( *)```bash[^\n]*\n(.*?)^ *```", runbooks()[path], re.M | re.S)
    assert blocks
    for indent, block in blocks:
        script = "\n".join(line.removeprefix(indent) for line in block.splitlines())
        done = subprocess.run(
            ["bash", "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{path}: {done.stderr}\n{script}"


def test_built_in_alerts_are_the_rules_by_name_labels_and_runbook() -> None:
    rules = alert_rules()
    project = yaml.safe_load(project_yaml(default_topology(), toxiproxy_url=None))
    assert {"PaymentsSlow", "PaymentsErrors", "InventoryDown"} <= set(project["alerts"])
    for name, alert in project["alerts"].items():
        assert alert["labels"] == rules[name]["labels"]
        assert alert["runbook"] == rules[name]["annotations"]["runbook_url"]
        assert alert["receiver"] == (
            "pager" if alert["labels"]["severity"] == "page" else "tickets"
        )


def test_links_to_runbooks_follow_the_base() -> None:
    links = re.findall(r"runbook_url: (\S+)", rules_text("http://127.0.0.1:9/books/"))
    assert len(links) == len(alert_rules())
    assert all(re.fullmatch(r"http://127\.0\.0\.1:9/books/[a-z-]+\.md", link) for link in links)


def test_parts_are_scraped_past_their_proxies(tmp_path: Path) -> None:
    topology = free_topology()
    files = write_config(tmp_path, topology, "http://127.0.0.1:9/hook", 9093, scrape_ms=500)
    text = files.prometheus.read_text("utf-8")
    assert topology.direct("payments") in text
    assert topology.via("payments") not in text
    assert yaml.safe_load(text)["global"]["evaluation_interval"] == "500ms"
    assert files.alertmanager.stat().st_mode & 0o077 == 0


@pytest.mark.real
def test_prometheus_and_alertmanager_accept_the_files(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    promtool, amtool = real_server("promtool"), real_server("amtool")
    files = write_config(tmp_path, default_topology(), "http://127.0.0.1:9/hook", 9093)
    for command in (
        [promtool, "check", "rules", str(files.rules)],
        [promtool, "check", "config", str(files.prometheus)],
        [amtool, "check-config", str(files.alertmanager)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(alert_rules()))
def test_every_alert_goes_to_its_receiver(
    name: str, tmp_path: Path, real_server: Callable[..., str]
) -> None:
    files = write_config(tmp_path, default_topology(), "http://127.0.0.1:9/hook", 9093)
    labels = alert_rules()[name]["labels"]
    receiver = {"page": "pager", "ticket": "tickets", "none": "deadman"}[labels["severity"]]
    done = subprocess.run(
        [
            real_server("amtool"), "config", "routes", "test",
            f"--config.file={files.alertmanager}", f"--verify.receivers={receiver}",
            f"alertname={name}", *(f"{k}={v}" for k, v in labels.items()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook receiver, and what arrived there."""
    arrived: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", arrived
        server.shutdown()
        thread.join()


@pytest.mark.real
def test_alerts_travel_from_prometheus_to_the_hook(
    tmp_path: Path, real_server: Callable[..., str], hook: tuple[str, list[dict[str, Any]]]
) -> None:
    real_server("prometheus")
    real_server("prometheus-alertmanager", "alertmanager")
    url, arrived = hook
    with Monitoring(tmp_path, free_topology(), url) as monitoring:
        monitoring.start()
        wait_until("the watchdog arrives", lambda: any(a["receiver"] == "deadman" for a in arrived))
        # Nothing of the shop runs, so every part that should be scraped is missing.
        wait_until("so do tickets", lambda: any(a["receiver"] == "tickets" for a in arrived))
        with urlopen(f"{monitoring.prometheus_url}/api/v1/rules", timeout=5) as answer:
            groups = json.load(answer)["data"]["groups"]
        assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
        with urlopen(f"{monitoring.alertmanager_url}/-/ready", timeout=5) as answer:
            assert answer.status == 200


@pytest.mark.real
def test_a_server_that_cannot_start_is_named_with_the_end_of_its_log(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    real_server("prometheus")
    real_server("prometheus-alertmanager", "alertmanager")
    monitoring = Monitoring(tmp_path, free_topology(), "http://127.0.0.1:9/hook")
    monitoring.files.rules.write_text("groups: [{name: broken, rules: [{alert: X}]}]", "utf-8")
    with pytest.raises(MonitoringError, match=r"(?s)prometheus did not start.*exit code.*rules"):
        monitoring.start()
