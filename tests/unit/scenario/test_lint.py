"""Tables of the rules: what each finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gameday.model.diagnostics import Diagnostic
from gameday.scenario.codes import CODES
from gameday.scenario.lint import RULES
from gameday.scenario.sample import needed, requests
from tests.unit.scenario.samples import PROJECT, SCENARIO, a_project, a_scenario, changed, lints


def codes(found: tuple[Diagnostic, ...]) -> list[str]:
    return [diagnostic.code for diagnostic in found]


def test_a_good_scenario_has_no_problem(tmp_path: Path) -> None:
    assert lints(SCENARIO, a_project(tmp_path)) == ()


def test_rules_give_only_codes_of_their_row() -> None:
    said = {code for row in RULES for code in row.codes}
    assert said <= set(CODES)
    assert all(row.codes for row in RULES)
    assert len({row.check for row in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["errors < 100%"], ["expect/cannot-fail"]),
        (["goodput > 0%"], ["expect/cannot-fail"]),
        (["p95 < 5s"], ["expect/cannot-fail"]),
        (["p95 <= 7s"], ["expect/cannot-fail"]),
        (["p95 > 0ms"], ["expect/cannot-fail"]),
        (["p95 > 6s"], []),
        (["p95 < 4999ms"], []),
        (["goodput >= 99%"], []),
        (["errors <= 0%"], []),
        (["errors < 0%"], ["expect/cannot-hold"]),
        (["p50 <= 0ms"], ["expect/cannot-hold"]),
        (["goodput > 100%"], ["expect/cannot-hold"]),
        (["p99.9 < 1s"], ["expect/not-measurable"]),
        (["p99 < 1s"], []),
        (["cart p99 < 1s"], []),
        (["errors < 0.01%"], ["expect/not-measurable"]),
        (["errors < 0.02%"], []),
        (["goodput > 99.99%"], ["expect/not-measurable"]),
        (["goodput >= 100%"], []),
        (["nothing errors < 1%"], ["criterion/subject"]),
        (["POST /checkout errors < 1%", "cart p50 < 1s", "browse p50 < 1s"], []),
    ],
)
def test_expectations(conditions: list[str], expected: list[str]) -> None:
    assert codes(lints(changed(SCENARIO, "expect.fault", conditions))) == expected


@pytest.mark.parametrize(
    ("fault", "stop", "expected"),
    [
        ("errors < 2%", "errors > 50% for 10s", []),
        ("errors < 60%", "errors > 50%", ["stop/trips-while-expectations-hold"]),
        ("errors < 50%", "errors > 50% for 50s", ["stop/trips-on-a-burst"]),
        ("errors < 50%", "errors > 50% for 55s", []),
        ("errors < 60%", "goodput < 50%", ["stop/trips-while-expectations-hold"]),
        ("goodput > 30%", "errors > 50%", ["stop/trips-while-expectations-hold"]),
        ("goodput > 99%", "goodput < 50% for 10s", []),
        ("errors < 60%", "checkout errors > 50%", []),
        ("p95 < 2s", "p95 > 1s over 10s", ["stop/trips-while-expectations-hold"]),
        ("p99 < 2s", "p95 > 1s over 10s", ["stop/trips-while-expectations-hold"]),
        ("p90 < 2s", "p95 > 1s over 10s", []),
        ("p95 < 1s", "p95 > 2s over 10s", []),
        ("errors < 10%", "errors > 50% for 10s", []),
        ("errors < 20%", "errors > 50% for 10s", ["stop/trips-on-a-burst"]),
        ("errors < 2%", "errors < 1%", []),
        ("errors < 2%", "errors >= 0%", ["stop/always-trips"]),
        ("errors < 2%", "goodput < 0%", ["stop/cannot-trip"]),
        ("errors < 2%", "p50 > 5s", ["stop/cannot-trip"]),
        ("errors < 2%", "p99 > 4s", ["stop/not-measurable"]),
        ("errors < 2%", "p99 > 4s over 10s", []),
    ],
)
def test_stop_conditions(fault: str, stop: str, expected: list[str]) -> None:
    data = changed(SCENARIO, "expect.fault", [fault])
    data = changed(changed(data, "expect.baseline", ["p50 < 1s"]), "expect.recovery", [])
    assert codes(lints(changed(data, "stop_when", [stop]))) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("faults.1.length", "50s", []),
        ("faults.1.length", "51s", ["fault/longer-than-phase"]),
        ("faults.1.length", "0s", ["fault/no-end"]),
        ("faults.1.start", "59s", ["fault/longer-than-phase"]),
        ("faults.1.start", "60s", ["fault/after-phase"]),
        ("faults.1.start", "1500ms", ["value/whole-seconds"]),
        ("faults.1.id", "late", ["fault/duplicate-id"]),
        ("faults.0.toxic.latency", "10ms", ["fault/doubtful-toxic"]),
        ("faults.0.toxic.toxicity", "0%", ["fault/doubtful-toxic"]),
        ("faults.0.toxic.latency", "2d", ["fault/attribute"]),
        ("faults", [], ["fault/none", "alert/unknown-fault"]),
        ("expect.alerts.0.fault", "latex", ["alert/unknown-fault"]),
        ("expect.alerts.0.fault", "gone", ["alert/fires-after-fault"]),
        ("expect.alerts.0.fires_within", "61s", ["alert/fires-after-fault"]),
        ("expect.alerts.0.resolves_within", "61s", ["expect/resolve-not-observable"]),
        ("expect.recovery", ["steady within 61s"], ["expect/steady-not-observable"]),
        ("expect.quiet", [{}], ["value/empty"]),
        ("expect.tolerate", [{}], ["value/empty"]),
        ("expect.tolerate", [{"alertname": "CacheMissesHigh"}], []),
        ("expect.quiet", [{"alertname": "CheckoutSlow"}], ["alert/quiet-expected"]),
        ("expect.quiet", [{"alertname": "CheckoutSlow", "severity": "ticket"}], []),
        ("expect.baseline", [], ["expect/no-baseline"]),
        ("stop_when", [], ["scenario/no-stop-condition"]),
        ("load.journeys.browse.steps.0.name", "checkout", ["load/ambiguous-name"]),
        ("load.timeout", "0s", ["value/duration"]),
        ("revert_for", "8d", ["value/duration"]),
        ("load.arrivals", "999999/s", ["value/rate"]),
    ],
)
def test_scenario_rules(path: str, value: Any, expected: list[str]) -> None:
    assert codes(lints(changed(SCENARIO, path, value))) == expected


def test_a_fault_phase_ends_with_its_last_fault() -> None:
    """The recovery begins when the last fault is out, so only that long is measured."""
    data = changed(
        SCENARIO, "faults", [{"id": "a", "target": "redis", "down": True, "length": "5s"}]
    )
    data = changed(changed(data, "expect.alerts", []), "expect.fault", ["p99 < 1s"])
    assert codes(lints(data)) == ["expect/not-measurable"]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("service", "shp", ["service/unknown"]),
        ("load.target", "shp", ["target/unknown"]),
        ("load.target", "redis", ["target/no-url"]),
        ("faults.1.target", "rediss", ["target/unknown"]),
        ("expect.alerts.0.alert", "CheckoutSlw", ["alert/unknown"]),
        ("expect.alerts.0.labels", {"severity": "ticket"}, ["alert/labels-differ"]),
        ("expect.alerts.0.labels", {"team": "x"}, ["alert/labels-differ"]),
        ("expect.alerts.0.labels", {"alertname": "CheckoutSlow"}, []),
        ("expect.alerts.0.receiver", "mail", ["alert/receiver-differs"]),
        ("expect.alerts.0.runbook", "runbooks/slo.md", ["runbook/missing"]),
        ("expect.alerts.0.runbook", "https://other.example.org/x", ["runbook/host"]),
        ("expect.alerts.0.runbook", "https://wiki.example.org/x", []),
        ("expect.alerts.0.runbook", "https://wiki.example.net:8443/x", []),
        ("expect.alerts.0.runbook", "https://wiki.example.net/x", ["runbook/host"]),
        ("expect.alerts.0.runbook", "http://[", ["runbook/host"]),
        ("expect.runbooks.0.path", "runbooks", ["runbook/missing"]),
        ("expect.runbooks.0.path", "x" * 5000, ["runbook/missing"]),
    ],
)
def test_rules_with_a_project(path: str, value: Any, expected: list[str], tmp_path: Path) -> None:
    assert codes(lints(changed(SCENARIO, path, value), a_project(tmp_path))) == expected


@pytest.mark.parametrize(
    ("alert", "labels", "receiver", "expected"),
    [
        ("SLOFastBurnAvailability", {"slo": "availability"}, "gameday", []),
        ("SLOFastBurnLatency", {"slo": "latency", "service": "shop"}, "gameday", []),
        ("SLOFastBurnLatency", {"slo": "availability"}, "gameday", ["alert/labels-differ"]),
        ("SLOFastBurnAvailability", {}, "pager", ["alert/receiver-differs"]),
    ],
)
def test_burn_rate_alerts_can_be_expected(
    alert: str, labels: dict[str, str], receiver: str, expected: list[str], tmp_path: Path
) -> None:
    one = {"alert": alert, "labels": labels, "receiver": receiver, "fires_within": "30s"}
    assert codes(lints(changed(SCENARIO, "expect.alerts", [one]), a_project(tmp_path))) == expected


def test_alerts_of_real_servers_are_not_compared_with_the_built_in_ones(tmp_path: Path) -> None:
    data = changed(
        PROJECT, "environments.local.alerts", {"prometheus": {"url": "http://127.0.0.1:9090"}}
    )
    scenario = changed(SCENARIO, "expect.alerts.0.alert", "SomethingElse")
    assert lints(scenario, a_project(tmp_path, data)) == ()


def test_load_around_the_proxy_is_seen(tmp_path: Path) -> None:
    data = changed(PROJECT, "environments.local.targets.shop.url", "http://127.0.0.1:18701/")
    around = changed(SCENARIO, "faults.1.target", "shop")
    assert codes(lints(around, a_project(tmp_path, data))) == ["target/bypasses-proxy"]
    assert lints(around, a_project(tmp_path)) == ()
    assert lints(SCENARIO, a_project(tmp_path, data)) == ()


def test_a_locustfile_may_speak_of_anything(tmp_path: Path) -> None:
    data = changed(SCENARIO, "load.journeys", ...)
    data["load"]["locustfile"] = "load.py"
    data = changed(data, "expect.fault", ["anything p99.9 < 1s"])
    project = a_project(tmp_path)
    assert codes(lints(data, project)) == ["load/locustfile"]
    (tmp_path / "load.py").write_text("", encoding="utf-8")
    assert lints(data, project) == ()


@pytest.mark.parametrize(
    ("subject", "expected"),
    [(None, 125.0), ("browse", 75.0), ("checkout", 50.0), ("cart", 25.0), ("x", 0.0)],
)
def test_sample_size_is_arrivals_times_share_times_steps(
    subject: str | None, expected: float
) -> None:
    assert requests(a_scenario().load, subject, 1_000) == pytest.approx(expected)


def test_sample_size_of_users_is_bounded_by_their_pause() -> None:
    closed = changed(changed(SCENARIO, "load.arrivals", ...), "load.users", 10)
    assert requests(a_scenario(closed).load, None, 1_000) is None
    paused = a_scenario(changed(closed, "load.think", "1s")).load
    assert requests(paused, "browse", 10_000) == pytest.approx(10 * 11 * 0.75)
    data = changed(changed(closed, "load.think", "10s"), "expect.fault", ["browse p99 < 1s"])
    wrong = {code for code in codes(lints(data)) if "fault" not in code}
    assert wrong == {"expect/not-measurable", "expect/closed-tail"}
    assert any("browse p99" in found.summary for found in lints(data))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("p50 < 1s", 20), ("p90 < 1s", 100), ("p95 < 1s", 200), ("p99 < 1s", 1000),
        ("p99.9 < 1s", 10_000), ("errors < 1%", 100), ("errors < 0.5%", 200),
        ("goodput > 99.9%", 1000), ("errors <= 0%", 1), ("goodput >= 100%", 1),
    ],
)  # fmt: skip
def test_requests_that_a_condition_takes(condition: str, expected: int) -> None:
    assert (
        needed(a_scenario(changed(SCENARIO, "expect.fault", [condition])).expect.fault[0])
        == expected
    )
