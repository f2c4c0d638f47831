"""`check --online`: what is said where servers are not named, or promtool says otherwise."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gameday.app import online, upstreams
from gameday.app.check import PlanRequest, make_plan
from gameday.kpi.outlook import Live, LivePrometheus, SeriesNow
from tests.unit.scenario.samples import PROJECT, SCENARIO, changed, write_project

BAD, ALL = 'r_total{code="500"}', "r_total"


@pytest.fixture(autouse=True)
def _upstreams_that_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the sample are nobody's; tests/unit/app/test_upstreams.py is about them."""
    monkeypatch.setattr(upstreams, "unheard", lambda _places: {})


def scenario(folder: Path, servers: dict[str, Any], *, expects: bool = True) -> Path:
    write_project(folder, changed(PROJECT, "environments.local.alerts", servers))
    data = SCENARIO if expects else changed(SCENARIO, "expect.alerts", [])
    path = folder / "slow.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def asked(path: Path, *, as_json: bool = True) -> tuple[int, str]:
    out = io.StringIO()
    request = PlanRequest(path=path, environment="local")
    return online.check_online([path], request, out, as_json=as_json), out.getvalue()


GRAFANA = {
    "http_json": {
        "grafana": {
            "preset": "grafana",
            "url": "http://127.0.0.1:1",
            "auth": {"bearer": {"env": "KEY"}},
        }
    }
}


def test_alerts_whose_rules_cannot_be_asked_are_not_called_fine(tmp_path: Path) -> None:
    path = scenario(tmp_path, GRAFANA)
    code, said = asked(path)
    assert code == 3
    assert "no Prometheus is named, and `grafana`" in json.loads(said)["error"]
    code, said = asked(path, as_json=False)
    assert "cannot be told: no Prometheus is named" in said


def test_where_nothing_is_expected_or_alerts_are_built_in_there_is_nothing_to_ask(
    tmp_path: Path,
) -> None:
    assert asked(scenario(tmp_path, GRAFANA, expects=False))[0] == 0
    code, said = asked(scenario(tmp_path, {}))
    assert (code, json.loads(said)["error"]) == (0, None)


@pytest.mark.parametrize(
    ("says_otherwise", "codes"), [(True, ["rehearsed-otherwise"]), (False, [])]
)
def test_promtool_that_says_otherwise_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_otherwise: bool, codes: list[str]
) -> None:
    """One that never fires; and one that cannot be read, of which nothing is said."""
    promtool = tmp_path / "promtool"
    promtool.write_text("#!/bin/sh\n" + ("exit 0\n" if says_otherwise else "echo got:; exit 1\n"))
    promtool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    path = scenario(tmp_path, {"prometheus": {"url": "http://127.0.0.1:1"}})
    (alert,) = make_plan(PlanRequest(path=path, environment="local")).scenario.expect.alerts
    row = {
        "group": "g", "name": alert.alert, "duration": 0.0, "interval": 1.0, "labels": alert.labels,
        "query": f"sum(rate({BAD}[5s])) / sum(rate({ALL}[5s])) > 0.05", "health": "ok",
    }  # fmt: skip
    live = LivePrometheus(
        rows=[row],
        series={text: SeriesNow(count=1, scrape_ms=1_000.0) for text in (BAD, ALL)},
        started_wall_ms=0.0,
        now_wall_ms=1e9,
    )
    monkeypatch.setattr(online, "_ask", lambda plan: Live(prometheus=live))

    code, said = asked(path)

    (one,) = json.loads(said)["alerts"]
    found = [f["code"] for f in one["findings"] if f["level"] == "warning"]
    assert (code, found) == (0, codes), one
    assert one["rehearsed_ms"] is None
