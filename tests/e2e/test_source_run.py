"""A whole run whose alerts are read from Grafana and PagerDuty, as their fakes show them.

The fakes are driven by a small rule over the service's own metrics, so that nothing fires unless
the service is really slow.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab_support import Lab
from source_fakes import Alert, FakeGrafana, FakePagerDuty, now_ms
from test_verdicts import finding

EVERY_S = 0.25
#: A quarter of a second with most answers of the back service later than this is bad.
LIMIT = 'back_seconds_bucket{le="0.25"}'


class Rule:
    """Looks at the front's metrics, and makes both fakes say what a rule would have made them."""

    def __init__(self, lab: Lab, grafana: FakeGrafana, pagerduty: FakePagerDuty) -> None:
        self.url = f"http://127.0.0.1:{lab.front}/metrics"
        self.grafana, self.pagerduty = grafana, pagerduty
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        last = self.numbers()
        alert = incident = None
        while not self.ended.wait(EVERY_S):
            new = self.numbers()
            total, fast = new[0] - last[0], new[1] - last[1]
            last = new
            if total < 2:
                continue
            bad = fast < total / 2
            if bad and alert is None:
                alert = self.grafana.add(pending_ms=now_ms())
            elif bad and alert is not None and alert.firing_ms is None:
                if now_ms() - (alert.pending_ms or 0) > 700:
                    alert.firing_ms = now_ms()
                    incident = self.page()
            elif not bad and alert is not None:
                alert.ended_ms = now_ms()
                if incident is not None:
                    incident.ended_ms = now_ms()
                alert = incident = None

    def page(self) -> Alert:
        incident = self.pagerduty.fire(id="Q1")
        incident.acknowledged_ms = now_ms() + 500
        return incident

    def numbers(self) -> tuple[int, int]:
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            rows = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines()]
        found = {name: int(value) for name, value in rows}
        return found['back_seconds_bucket{le="+Inf"}'], found[LIMIT]


@contextmanager
def monitored(lab: Lab) -> Iterator[tuple[FakeGrafana, FakePagerDuty]]:
    with FakeGrafana() as grafana, FakePagerDuty() as pagerduty:
        rule = Rule(lab, grafana, pagerduty)
        rule.thread.start()
        try:
            yield grafana, pagerduty
        finally:
            rule.ended.set()
            rule.thread.join(10)


def sources(grafana: FakeGrafana, pagerduty: FakePagerDuty) -> dict[str, Any]:
    token = {"env": "PD_TOKEN", "prefix": "Token token="}
    return {
        "grafana": {
            "preset": "grafana",
            "url": grafana.url,
            "auth": {"bearer": {"env": "GRAFANA_TOKEN"}},
            "every": "1s",
            "error": "1s",
        },
        "pager": {
            "preset": "pagerduty",
            "url": pagerduty.url,
            "auth": {"headers": {"Authorization": token}},
            "every": "1s",
        },
    }


def test_grafana_says_that_it_fired_and_pagerduty_that_it_was_delivered(
    small_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", FakeGrafana.token)
    monkeypatch.setenv("PD_TOKEN", FakePagerDuty.token)
    with monitored(small_lab) as (grafana, pagerduty):
        small_lab.environment = {"alerts": {"http_json": sources(grafana, pagerduty)}}
        small_lab.write()

        ended = small_lab.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = small_lab.result()
    assert finding(result, "alert/fired", "BackSlow")["outcome"] == "pass"
    assert finding(result, "alert/resolved", "BackSlow")["outcome"] == "pass"
    delivered = finding(result, "alert/delivered", "BackSlow")
    assert delivered["outcome"] == "pass"
    assert "`pager`" in delivered["summary"]
    text = (small_lab.last_run / "journal.jsonl").read_text()
    assert FakeGrafana.token not in text
    assert FakePagerDuty.token not in text
    reads = {
        event["subject"]: event["data"]
        for event in map(json.loads, text.splitlines())
        if event["kind"] == "alert.read" and event["phase"] == "ok"
    }
    [said] = reads["grafana"]["episodes"]
    [truth] = [a for a in grafana.alerts if a.firing_ms is not None]
    assert said["firing_wall_ms"] == truth.firing_ms
    assert reads["grafana"]["judged"] is True
    assert reads["pager"]["judged"] is False
    [incident] = reads["pager"]["episodes"]
    assert incident["acknowledged_wall_ms"] is not None
    [ladder] = result["ladders"]
    [taken] = [rung for rung in ladder["rungs"] if rung["name"] == "acknowledged"]
    assert (taken["state"], taken["source"], taken["what"]) == ("measured", "pager", "`Q1` there")
    [tta] = [number for number in result["alert_numbers"] if number["name"] == "tta"]
    assert "(told: pager)" in tta["text"]
    small_lab.assert_clean()
