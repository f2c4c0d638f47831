"""`gameday doctor`: sources of alerts whose clock is off, or whose rules are in error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_fakes import FakePrometheus
from source_fakes import FakeGrafana

from gameday.adapters.alertmanager import AlertmanagerHealth, AlertmanagerSource
from gameday.app.doctor import Line, alerting_lines
from gameday.app.doctor_source import look_at_source
from gameday.cli.main import run
from gameday.model.plan import Plan
from gameday.model.project import AlertingSpec
from gameday.scenario.compile import compile_plan
from tests.unit.scenario.samples import a_project, a_scenario


@pytest.fixture(name="prometheus")
def _prometheus() -> Iterator[FakePrometheus]:
    fake = FakePrometheus()
    yield fake
    fake.close()


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> Plan:
    return compile_plan(a_scenario(), a_project(tmp_path), environment="local", seed=0)


def watched(plan: Plan, **urls: str) -> Plan:
    """The plan with other servers for its alerts."""
    place = AlertingSpec(**{f"{name}_url": url for name, url in urls.items()})  # type: ignore[arg-type]
    return replace(plan, environment=replace(plan.environment, alerting=place))


def marks(lines: list[Line]) -> dict[str, bool | None]:
    return {line.subject: line.ok for line in lines}


def health(offset_ms: float | None) -> AlertmanagerHealth:
    return AlertmanagerHealth(
        url="http://127.0.0.1:1", version="0.25.0", receivers=(), offset_ms=offset_ms, error_ms=500
    )


def project(tmp_path: Path, alerts: dict[str, Any]) -> Path:
    path = tmp_path / "gameday.yaml"
    data = {"gameday": 1, "environments": {"local": {"targets": {}, "alerts": alerts}}}
    path.write_text(yaml.safe_dump(data))
    return path


def alone(tmp_path: Path, name: str, alerts: dict[str, Any]) -> dict[str, bool | None]:
    path = project(tmp_path, alerts)
    return marks(list(look_at_source(name, project=path, environment=None)))


def test_a_clock_that_is_off_is_told_of_every_source(
    plan: Plan, prometheus: FakePrometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AlertmanagerSource, "check", lambda self: health(40_000))
    urls = {"prometheus": prometheus.url, "alertmanager": "http://127.0.0.1:1"}
    alerts = {name: {"url": url} for name, url in urls.items()}
    prometheus.skew_ms = -40_000
    lines = list(alerting_lines([watched(plan, **urls)]))
    told = [line.text for line in lines if line.subject == "clock" and line.ok is False]
    assert [text.partition(" is off")[0] for text in told] == [
        "that of `prometheus`", "that of `alertmanager`",
    ]  # fmt: skip
    for name in urls:
        assert alone(tmp_path, name, alerts)["clock"] is False


def test_a_clock_may_be_off_by_as_much_as_its_rules_are_evaluated(
    plan: Plan, prometheus: FakePrometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = prometheus.group()
    prometheus.group = lambda: group | {"interval": 60}  # type: ignore[method-assign]
    prometheus.skew_ms = 40_000
    monkeypatch.setattr(AlertmanagerSource, "check", lambda self: health(40_000))
    urls = {"prometheus": prometheus.url, "alertmanager": "http://127.0.0.1:1"}
    assert "clock" not in marks(list(alerting_lines([watched(plan, **urls)])))
    alerts = {name: {"url": url} for name, url in urls.items()}
    assert "clock" not in alone(tmp_path, "prometheus", alerts)
    assert "clock" not in alone(tmp_path, "alertmanager", alerts)
    without = {"alertmanager": alerts["alertmanager"]}
    assert alone(tmp_path, "alertmanager", without)["clock"] is False


def test_rules_in_error_are_no_good_news(
    plan: Plan, prometheus: FakePrometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = prometheus.group()
    group["rules"][1]["health"] = "err"
    prometheus.group = lambda: group  # type: ignore[method-assign]
    found = marks(list(alerting_lines([watched(plan, prometheus=prometheus.url)])))
    assert found == {"prometheus": True, "rules": None}
    assert alone(tmp_path, "prometheus", {"prometheus": {"url": prometheus.url}})["rules"] is None
    monkeypatch.setenv("KEY", "glsa_right")
    with FakeGrafana() as fake:
        auth = {"bearer": {"env": "KEY"}}
        source = {"grafana": {"preset": "grafana", "url": fake.url, "auth": auth}}
        assert alone(tmp_path, "grafana", {"http_json": source})["rules"] is True
        fake.health = "error"
        assert alone(tmp_path, "grafana", {"http_json": source})["rules"] is None


def test_each_way_in_which_alerts_are_told_is_looked_at_once(
    plan: Plan, prometheus: FakePrometheus
) -> None:
    there, gone = watched(plan, prometheus=prometheus.url), "http://127.0.0.1:9"
    plans = [there, watched(plan, prometheus=gone), there, replace(plan), plan]
    lines = [(line.subject, line.ok) for line in alerting_lines(plans)]
    assert lines == [("prometheus", True), ("prometheus", False), ("alerts", True)]


def test_one_source_or_scenarios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--source", "grafana", str(tmp_path / "slow.yaml")]) == 2
    assert "looks at that source alone" in capsys.readouterr().err
