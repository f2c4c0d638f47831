"""The proof of the pipeline against a real Prometheus and Alertmanager, each way it can end."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from alerts_support import Process, get, until
from ports_support import free_port

from gameday.adapters.receiver import Receiver
from gameday.app import pipeline
from gameday.app.memory import Memory
from gameday.app.pipeline import PipelineProof
from gameday.errors import NoEffectError
from gameday.model.event import Event
from gameday.model.pipeline import PROOF_ALERT
from gameday.model.project import AlertingSpec

pytestmark = pytest.mark.real

PROOF_ROUTE = {
    "matchers": [f'alertname="{PROOF_ALERT}"'], "receiver": "gameday",
    "group_by": ["alertname", "gameday_run"], "group_wait": "1s", "group_interval": "1s",
}  # fmt: skip


class Servers:
    """Both servers; Prometheus has an alert that always fires, and one that never does."""

    def __init__(self, folder: Path, programs: tuple[str, str]) -> None:
        self.folder = folder
        self.memory = Memory()
        self.receiver = Receiver(evidence_dir=folder)
        self.receiver.open()
        ports = (free_port(), free_port())
        self.route(PROOF_ROUTE)
        rules = [
            {"alert": "Watchdog", "expr": "vector(1)"},
            {"alert": "Never", "expr": "vector(0) > 1"},
        ]
        self.write("rules.yml", {"groups": [{"name": "all", "rules": rules}]})
        self.write(
            "prometheus.yml",
            {
                "global": {"evaluation_interval": "1s", "external_labels": {"cluster": "a"}},
                "rule_files": ["rules.yml"],
                "alerting": {
                    "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports[1]}"]}]}]
                },
            },
        )
        self.prometheus = Process(
            [
                programs[0], f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{ports[0]}", "--rules.alert.resend-delay=1s",
            ],
            f"http://127.0.0.1:{ports[0]}", folder / "prometheus.log",
        )  # fmt: skip
        self.alertmanager = Process(
            [
                programs[1], f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'am'}",
                f"--web.listen-address=127.0.0.1:{ports[1]}", "--cluster.listen-address=",
            ],
            f"http://127.0.0.1:{ports[1]}", folder / "alertmanager.log",
        )  # fmt: skip

    def write(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(yaml.safe_dump(value))

    def route(self, *routes: dict[str, Any]) -> None:
        """Alertmanager's routes; the rest of the alerts goes to somebody else."""
        self.write(
            "alertmanager.yml",
            {
                "route": {"receiver": "tickets", "group_by": ["alertname"], "routes": [*routes]},
                "receivers": [
                    {"name": "tickets", "webhook_configs": [{"url": "http://127.0.0.1:9/"}]},
                    {"name": "gameday", "webhook_configs": [{"url": self.receiver.url}]},
                ],
                "time_intervals": [
                    {"name": "long-ago", "time_intervals": [{"years": ["2001"]}]},
                    # whose time gameday does not know
                    {"name": "its-own", "time_intervals": [{"location": "Local"}]},
                ],
            },
        )

    def reroute(self, *routes: dict[str, Any]) -> None:
        self.route(*routes)
        request = urllib.request.Request(f"{self.alertmanager.url}/-/reload", method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = get(f"{self.alertmanager.url}/api/v2/alerts")
        return found

    def prove(self, **alerting: Any) -> dict[str, Any]:
        """What the journal would be told of a proof."""
        self.memory = Memory()
        self.receiver.start(self._see)
        spec = AlertingSpec(
            prometheus_url=self.prometheus.url, alertmanager_url=self.alertmanager.url, **alerting
        )
        plan: Any = SimpleNamespace(environment=SimpleNamespace(alerting=spec))
        proof = PipelineProof(plan, "run-1", self.receiver, self.memory)
        with contextlib.suppress(NoEffectError):  # the event says why
            proof.prove(self._see)
        event = self.memory.timeline().last("pipeline.proven")
        assert event is not None
        return dict(event.data)

    def _see(self, event: Event) -> None:
        self.memory.see(event)  # of the proof that is under way

    def close(self) -> None:
        self.prometheus.kill()
        self.alertmanager.kill()
        self.receiver.stop()


@pytest.fixture
def servers(tmp_path: Path, real_server: Callable[..., str]) -> Iterator[Servers]:
    programs = (
        real_server("prometheus"),
        real_server("prometheus-alertmanager", "alertmanager"),
    )
    made = Servers(tmp_path, programs)
    try:
        made.alertmanager.start()
        made.prometheus.start()
        yield made
    finally:
        made.close()


def test_each_way_in_which_it_ends(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    silences = f"{servers.alertmanager.url}/api/v2/silences"

    by_watchdog = servers.prove(proof="watchdog")
    assert by_watchdog["ok"], by_watchdog
    assert by_watchdog["shown"] == "`Watchdog` is firing at Prometheus and Alertmanager"

    by_alert = servers.prove(proof="synthetic")
    assert by_alert["ok"], by_alert
    assert by_alert["ms"] >= 900, "not before the wait of the group"

    def is_over() -> bool:
        return all(a["labels"]["alertname"] != PROOF_ALERT for a in servers.alerts())

    until("the alert of the proof is resolved", is_over)

    servers.reroute({**PROOF_ROUTE, "continue": True}, {"receiver": "tickets"})
    shared = servers.prove(proof="synthetic")
    assert not shared["ok"]
    assert shared["reason"] == (
        "no alert was sent: `tickets`, which would get it too, is not the receiver of this run"
    )
    assert is_over(), "nothing was sent"

    monkeypatch.setattr(pipeline, "MARGIN_MS", 1_500)
    monkeypatch.setattr(pipeline, "WATCHDOG_WITHIN_MS", 1_500)
    servers.reroute({**PROOF_ROUTE, "active_time_intervals": ["long-ago"]})
    muted = servers.prove(proof="synthetic")
    assert not muted["ok"]
    assert "is muted outside of its active time interval `long-ago`" in muted["reason"]
    assert is_over(), "nothing was sent"
    servers.reroute({**PROOF_ROUTE, "mute_time_intervals": ["its-own"]})
    muted = servers.prove(proof="synthetic")
    assert not muted["ok"]
    assert "did not arrive here within 2.5 s" in muted["reason"]

    missing = servers.prove(proof="watchdog", watchdog="Never")
    assert not missing["ok"]
    assert missing["reason"].startswith("`Never` is not firing at Prometheus")
    assert get(silences) == [], "no silence is ever made"
