"""From files to values: what is written is what is meant, and all problems are told at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.model.criteria import Criterion, Steady
from gameday.model.project import Slo
from gameday.scenario.build import find_project, read_document, read_project, read_scenario
from gameday.scenario.load import load_text
from tests.unit.scenario.samples import (
    PROJECT,
    SCENARIO,
    a_project,
    a_scenario,
    changed,
    lints,
    text_of,
)


def test_a_scenario_means_what_it_says() -> None:
    scenario = a_scenario()
    load, phases, faults = scenario.load, scenario.phases, scenario.faults
    assert (scenario.id, scenario.service, scenario.tags) == ("slow", "shop", ("smoke",))
    assert (load.arrivals_per_s, load.users, load.timeout_ms) == (100.0, None, 5_000)
    assert [(j.name, j.weight) for j in load.journeys] == [("browse", 3), ("checkout", 1)]
    cart, buy = load.journeys[1].steps
    assert (cart.method, cart.path, cart.name, cart.headers) == (
        "GET",
        "/cart",
        "cart",
        {"x-a": "b"},
    )
    assert (buy.name, buy.json, buy.expect.status) == (
        "POST /checkout",
        {"sku": "A1", "n": 1},
        None,
    )
    assert load.journeys[0].steps[0].expect.status == 200
    assert (phases.warmup_ms, phases.baseline_ms, phases.fault_ms) == (3_000, 30_000, 60_000)
    assert faults[0].toxic is not None
    assert faults[0].toxic.attributes == {"latency": 800, "jitter": 50}
    assert (faults[0].toxic.stream, faults[0].toxic.toxicity) == ("downstream", 0.5)
    assert (faults[0].start_ms, faults[0].length_ms, faults[0].down) == (0, None, False)
    assert (faults[1].start_ms, faults[1].length_ms, faults[1].down) == (10_000, 20_000, True)
    assert isinstance(scenario.expect.fault[1], Criterion)
    assert scenario.expect.fault[1].subject == "checkout"
    assert scenario.expect.recovery == (Steady(within_ms=30_000, text="steady within 30s"),)
    alert = scenario.expect.alerts[0]
    assert (alert.fires_within_ms, alert.resolves_within_ms, alert.fault) == (
        30_000,
        30_000,
        "late",
    )
    assert scenario.expect.quiet == ({"severity": "page"},)
    assert scenario.expect.runbooks[0].restores_within_ms == 120_000
    assert scenario.stop_when[0].for_ms == 10_000
    assert (scenario.revert_for_ms, scenario.profile, scenario.file) == (90_000, "", "s.yaml")


def test_a_project_means_what_it_says(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    local, real = project.environments["local"], project.environments["real"]
    assert local.targets["shop"].probe == "http:/healthz"
    assert local.targets["payments"].probe == "tcp"
    assert (local.toxiproxy_url, local.receiver_listen) == (None, "127.0.0.1:0")
    assert (local.alerting.prometheus_url, local.alerting.alertmanager_url) == (None, None)
    assert real.toxiproxy_url == "http://127.0.0.1:8474"
    assert real.alerting.alertmanager_url == "http://127.0.0.1:9093"
    assert real.receiver_token == "abc"
    assert project.services["shop"].slos == (
        Slo(name="availability", share=0.999),
        Slo(name="latency", share=0.99, latency_ms=500),
    )
    assert project.alerts[0].when.over_ms == 10_000
    assert project.alerts[0].receiver == "pager"
    assert project.runbook_hosts == ("wiki.example.org", "wiki.example.net:8443")
    assert project.directory == str(tmp_path.resolve())


@pytest.mark.parametrize(
    ("sources", "urls"),
    [(["prometheus"], (True, False)), (["alertmanager"], (False, True)), ([], (True, True))],
)
def test_sources_choose_among_the_servers(
    sources: list[str], urls: tuple[bool, bool], tmp_path: Path
) -> None:
    data = changed(PROJECT, "environments.real.alerts.sources", sources)
    alerting = a_project(tmp_path, data).environments["real"].alerting
    given = (alerting.prometheus_url is not None, alerting.alertmanager_url is not None)
    assert given == urls


@pytest.mark.parametrize(
    ("toxic", "attributes"),
    [
        ({"type": "latency", "latency": "1s"}, {"latency": 1000}),
        ({"type": "bandwidth", "rate": "1MB/s"}, {"rate": 1000}),
        ({"type": "slow_close", "delay": "250ms"}, {"delay": 250}),
        ({"type": "timeout", "timeout": 0}, {"timeout": 0}),
        ({"type": "reset_peer"}, {}),
        ({"type": "reset_peer", "timeout": "0ms"}, {"timeout": 0}),
        (
            {"type": "slicer", "average_size": "16B", "size_variation": "8B", "delay": "5ms"},
            {"average_size": 16, "size_variation": 8, "delay": 5000},
        ),
        ({"type": "limit_data", "bytes": "1KiB", "stream": "upstream"}, {"bytes": 1024}),
    ],
)
def test_toxics_get_the_units_of_the_api(toxic: dict[str, Any], attributes: dict[str, int]) -> None:
    fault = a_scenario(changed(SCENARIO, "faults.0.toxic", toxic)).faults[0]
    assert fault.toxic is not None
    assert fault.toxic.attributes == attributes
    assert fault.toxic.stream == toxic.get("stream", "downstream")


def test_a_profile_merges_mappings_and_replaces_the_rest() -> None:
    over = {
        "title": "Short",
        "load": {"arrivals": None, "users": 5, "think": "1s", "journeys": {"browse": None}},
        "phases": {"fault": "20s"},
        "expect": {"fault": ["errors < 3%"], "alerts": None},
        "faults": [{"id": "off", "target": "redis", "down": True}],
    }
    data = changed(SCENARIO, "profiles.smoke", over)
    scenario, base = a_scenario(data, "smoke"), a_scenario(data)
    assert (scenario.profile, scenario.title) == ("smoke", "Short")
    assert (scenario.load.arrivals_per_s, scenario.load.users) == (None, 5)
    assert [journey.name for journey in scenario.load.journeys] == ["checkout"]
    assert (scenario.phases.fault_ms, scenario.phases.baseline_ms) == (20_000, 30_000)
    assert [c.text for c in scenario.expect.fault] == ["errors < 3%"]
    assert (scenario.expect.alerts, scenario.expect.baseline) == ((), base.expect.baseline)
    assert [fault.id for fault in scenario.faults] == ["off"]
    assert base.title == "Payments answers late"


def test_the_places_of_a_profile_are_where_it_is_written() -> None:
    text = "gameday: 1\nphases: {fault: 10s}\nprofiles:\n  smoke: {phases: {fault: 1x}}\n"
    reading = read_document(load_text(text, "s.yaml"), "smoke")
    wrong = [d for d in reading.diagnostics if d.code == "value/duration"]
    assert [(d.mark.line, d.mark.column) for d in wrong if d.mark] == [(4, 27)]


def test_every_problem_is_told_at_once() -> None:
    data = changed(SCENARIO, "load.arrivals", 100)
    data = changed(data, "load.journeys.browse.steps.0", {"get": "/a", "put": "/b"})
    data = changed(data, "load.journeys.checkout.steps.1.body", "x")
    data = changed(data, "faults.0.toxic.latency", "800")
    data = changed(data, "faults.1.length", "1 s")
    data = changed(data, "expect.fault", ["errors < 1", "p95 < 10s", "errors <= 100%"])
    data = changed(data, "expect.baseline", [])
    data = changed(data, "expect.alerts.0.fire_within", "1s")
    data = changed(data, "stop_when", ["errors > 100%"])
    data = changed(data, "phase", {})
    found = {(d.code, d.summary.split("`")[1] if "`" in d.summary else "") for d in lints(data)}
    assert found == {
        ("value/rate", "arrivals: 100"),
        ("load/method", "get"),
        ("load/body", "json"),
        ("value/duration", "latency: 800"),
        ("value/duration", "length: 1 s"),
        ("criterion/limit", "errors"),
        ("expect/no-baseline", "baseline"),
        ("document/unknown-key", "fire_within"),
        ("document/unknown-key", "phase"),
        ("stop/cannot-trip", "errors > 100%"),
    }


def test_nothing_is_concluded_from_a_hole() -> None:
    """A value that cannot be read is one problem, not two."""
    for path, value in (
        ("load.arrivals", "many"),
        ("load.journeys", []),
        ("faults.0.toxic", 5),
        ("phases.fault", "x"),
        ("faults", {}),
        ("expect", []),
        ("stop_when", None),
        ("faults.0", 5),
        ("load.journeys.browse.steps.0", "x"),
        ("load.journeys.browse.steps.0.get", "x"),
    ):
        found = lints(changed(SCENARIO, path, value))
        assert len(found) == 1, (path, found)


def test_a_file_with_errors_gives_no_scenario(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text_of(changed(SCENARIO, "load.arrivals", 100)), encoding="utf-8")
    scenario, marks, found = read_scenario(path)
    assert scenario is None
    assert [d.code for d in found] == ["value/rate"]
    assert marks.key(("load",)).line == found[0].mark.line - 2 if found[0].mark else False
    path.write_text(text_of(SCENARIO), encoding="utf-8")
    scenario, marks, found = read_scenario(path, "smoke")
    assert scenario is not None
    assert (scenario.phases.fault_ms, found) == (40_000, [])
    assert read_scenario(path, "other")[0] is None


def test_a_project_with_errors_gives_no_project(tmp_path: Path) -> None:
    path = tmp_path / "gameday.yaml"
    path.write_text("gameday: 1\nenvironments: 5\n", encoding="utf-8")
    project, _, found = read_project(path)
    assert (project, [d.code for d in found]) == (None, ["document/wrong-type"])


def test_the_project_is_found_upwards(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "gameday.yaml").write_text("gameday: 1\n", encoding="utf-8")
    assert find_project(below) == tmp_path / "gameday.yaml"
    (tmp_path / "a" / "gameday.yaml").write_text("gameday: 1\n", encoding="utf-8")
    assert find_project(below) == tmp_path / "a" / "gameday.yaml"
