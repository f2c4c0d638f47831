"""A real Alertmanager that sends to PagerDuty's Events API: our receiver stands in for it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from alerts_support import Events, alertmanager_in, until
from ports_support import free_port

from gameday.adapters.receiver import Receiver

pytestmark = pytest.mark.real


def send(url: str, value: Any) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def test_what_alertmanager_sends_to_pagerduty_is_understood(
    tmp_path: Path, real_server: Callable[..., str]
) -> None:
    """Firing and resolved under the alert's name, and the answer is one that it accepts."""
    program = real_server("prometheus-alertmanager", "alertmanager")
    receiver, events, port = Receiver(evidence_dir=tmp_path), Events(), free_port()
    receiver.start(events)
    pager = {"routing_key": "SECRETKEY", "url": f"{receiver.url}/pager/v2/enqueue"}
    times = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    config = {
        "route": {"receiver": "pd", "group_by": ["alertname"], **times},
        "receivers": [{"name": "pd", "pagerduty_configs": [pager]}],
    }
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    url = f"http://127.0.0.1:{port}"
    process = alertmanager_in(tmp_path, program, port)
    try:
        process.start()
        labels = {"alertname": "Slow", "severity": "page"}
        linked = {"runbook_url": "runbooks/slow.md"}
        send(f"{url}/api/v2/alerts", [{"labels": labels, "annotations": linked}])
        until("delivered", lambda: events.of("alert.delivered", status="firing"))
        ended = {"startsAt": "2025-12-31T00:00:00Z", "endsAt": "2026-01-01T00:00:00Z"}
        send(f"{url}/api/v2/alerts", [{"labels": labels, **ended}])
        until("resolved", lambda: events.of("alert.delivered", status="resolved"))
    finally:
        process.kill()
        receiver.stop()
    delivered = events.of("alert.delivered")
    found = [(e.subject, e.data["status"], e.data["receiver"]) for e in delivered]
    assert found == [("Slow", "firing", "pager"), ("Slow", "resolved", "pager")]
    assert {e.data["labels"]["severity"] for e in delivered} == {"page"}, "not PagerDuty's own"
    assert delivered[0].data["annotations"] == {"runbook_url": "runbooks/slow.md"}
    assert "SECRETKEY" not in (tmp_path / "deliveries.jsonl").read_text()
