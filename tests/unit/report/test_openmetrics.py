"""The metrics of a run, read by the parsers of those who will read them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from checks_support import FAULT_S, cell, good_run, plan, tick

from gameday.model.event import Event, Phase
from gameday.model.window import Tick
from gameday.report.openmetrics import Family, MetricsView, Sample, exposition

TEXT, OPEN = "text/plain", "application/openmetrics-text;version=1.0.0"


def failing(second: int) -> Tick:
    bad = [cell(second, "browse", 60, 12), cell(second, "checkout", 40, 5, "timeout")]
    return tick(second, bad if second > FAULT_S else None)


def view_at(at_s: int, **how: Any) -> MetricsView:
    view = MetricsView(plan())
    for event in good_run(**how).events():
        if event.at_ms <= at_s * 1000:
            view.see(event)
    return view


def parsed(view: MetricsView, accept: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By the parser of the client library: name and labels -> value."""
    pytest.importorskip("prometheus_client", reason="extra `demo`: NOT read by the client's parser")
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
    from prometheus_client.parser import text_string_to_metric_families as read_text

    kind, text = view.text(accept)
    assert kind.startswith(accept.partition(";")[0])
    read = read_open if accept == OPEN else read_text
    return {
        (one.name, frozenset(one.labels.items())): one.value
        for family in read(text)
        for one in family.samples
    }


@pytest.mark.parametrize("accept", [TEXT, OPEN])
def test_a_run_is_told_in_metrics(accept: str) -> None:
    found = parsed(view_at(FAULT_S + 9, ticks=failing), accept)

    def value(name: str, **labels: str) -> float | None:
        return found.get((f"gameday_{name}", frozenset(labels.items())))

    assert value("phase", phase="fault") == 1
    assert value("phase", phase="baseline") == 0
    assert value("fault_active", fault="slow", target="payments") == 1
    assert value("fault_in_doubt", fault="slow", target="payments") == 0
    assert value("alert_firing", alert="PaymentsSlow") == 1
    assert value("detection_seconds", alert="PaymentsSlow", fired="true") == pytest.approx(5.97)
    assert value("arrivals_asked_total") == value("arrivals_served_total") == 2_000, (
        "of whole seconds"
    )
    assert value("request_errors_total", kind="timeout") == 6 * 40
    assert value("requests_in_flight") == 3
    assert value("oldest_request_seconds") == 0.035
    assert value("response_seconds", quantile="0.95") == pytest.approx(0.012, rel=0.01)
    assert value("response_seconds_count") == value("requests_good_total")
    assert value("stop_condition_value", condition="errors > 50% for 10s") == pytest.approx(0.4)
    assert value("stop_condition_limit", condition="errors > 50% for 10s") == 0.5
    assert value("stop_condition_used_ratio", condition="errors > 50% for 10s") == pytest.approx(
        0.8
    )
    assert value("objective_holds", objective="errors < 1%", phase="fault") == 0
    assert value("generator_cpu_ratio") == 0.2
    (run,) = [dict(labels) for name, labels in found if name == "gameday_run_info"]
    assert run["run_id"] == "r1"
    assert run["scenario"] == "payments-slow"


@pytest.mark.parametrize("at_s", [-1, 5, FAULT_S + 9, 60])
def test_promtool_finds_nothing_to_say(at_s: int, real_server: Callable[..., str]) -> None:
    _, text = view_at(at_s, ticks=failing).text(TEXT)

    ended = subprocess.run(
        [real_server("promtool"), "check", "metrics"],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_counters_never_go_back_and_quantiles_are_recent() -> None:
    before, after = (parsed(view_at(FAULT_S + s, ticks=failing), TEXT) for s in (3, 9))

    counters = [key for key in before if key[0].endswith(("_total", "_count", "_sum"))]
    assert len(counters) >= 6
    assert [key for key in counters if after[key] < before[key]] == []


def test_a_fault_that_may_be_there_is_in_doubt() -> None:
    view = view_at(FAULT_S + 2)
    view.see(Event(at_ms=1, kind="fault.revert", subject="slow", phase=Phase.UNKNOWN))
    found = parsed(view, TEXT)

    key = frozenset({"fault": "slow", "target": "payments"}.items())
    assert found["gameday_fault_in_doubt", key] == 1
    assert found["gameday_fault_active", key] == 0


NASTY = 'a "quoted" \\ back\nslash \ud800 end'


@pytest.mark.parametrize("openmetrics", [True, False])
def test_any_text_survives_as_a_label(openmetrics: bool) -> None:
    pytest.importorskip("prometheus_client", reason="extra `demo`: NOT read by the client's parser")
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
    from prometheus_client.parser import text_string_to_metric_families as read_text

    samples = (Sample(value=0.5, labels={"condition": NASTY}),)
    one = Family(name="gameday_x", kind="gauge", help=NASTY, samples=samples)
    text = exposition([one], openmetrics=openmetrics)

    (family,) = (read_open if openmetrics else read_text)(text)
    assert family.samples[0].labels["condition"] == NASTY.replace("\ud800", "\ufffd")
    assert text.endswith("# EOF\n") == openmetrics


def test_what_is_not_known_is_left_out_and_no_zero() -> None:
    found = parsed(MetricsView(plan()), TEXT)
    names = {name for name, _ in found}

    assert "gameday_phase_left_seconds" not in names
    assert "gameday_stop_condition_value" not in names
    assert "gameday_stop_condition_limit" in names
    assert "gameday_generator_workers" not in names
    assert "gameday_objective_holds" not in names
