"""What a plan says of arrivals that change."""

from __future__ import annotations

from pathlib import Path

from gameday.app.planview import blast_radius, show_plan
from gameday.scenario.compile import compile_plan
from tests.unit.scenario.samples import SCENARIO, a_project, a_scenario, changed


def test_the_plan_shows_the_stretches_and_counts_what_falls_into_each_phase(tmp_path: Path) -> None:
    # warm-up 3 s, baseline 30 s, fault 60 s, recovery 60 s
    written = ["20/s for 33s", "ramp to 100/s over 60s", "10/s until end"]
    data = changed(SCENARIO, "load.arrivals", written)
    data = changed(data, "expect.recovery", ["errors < 5%"])
    plan = compile_plan(a_scenario(data), a_project(tmp_path), environment="local", seed=1)

    text = show_plan(plan)

    assert (
        "arrivals 20/s for 33 s, ramp to 100/s over 1 min, 10/s until the end (open model)" in text
    )
    # browse has one step of three quarters, checkout two of a quarter: 1.25 requests an arrival
    assert "baseline: errors < 1%; seen on about 750 requests" in text
    assert "fault: errors < 2%; seen on about 4500 requests" in text
    assert "recovery: errors < 5%; seen on about 750 requests" in text
    assert blast_radius(plan).endswith("about 3600 journeys of our own load meet it")


def test_the_plan_warns_of_the_tail_of_closed_users(tmp_path: Path) -> None:
    data = changed(SCENARIO, "load.arrivals", ...)
    data = changed(changed(data, "load.users", 20), "load.think", "100ms")
    data = changed(data, "expect.fault", ["errors < 2%", "p95 < 1s", "p90 < 1s"])
    plan = compile_plan(a_scenario(data), a_project(tmp_path), environment="local", seed=1)

    warned = [line.strip() for line in show_plan(plan).splitlines() if "WARNING" in line]

    assert len(warned) == 1
    assert warned[0].startswith("fault: p95 < 1s")


def test_the_plan_shows_how_the_load_rises_and_that_nothing_else_breaks(tmp_path: Path) -> None:
    rising = {"preset": "breakpoint", "peak": "400/s", "from": "100/s", "steps": 3}
    data = changed(changed(SCENARIO, "load.arrivals", rising), "faults", [])
    data = changed(data, "expect", {"baseline": ["errors < 1%"], "fault": ["errors < 2%"]})
    plan = compile_plan(a_scenario(data), a_project(tmp_path), environment="local", seed=1)

    text = show_plan(plan)

    assert "the load rises every 18 s: 200/s, 300/s, 400/s" in text
    assert "every step of the load: errors < 2%; seen on about 4500 requests in the first" in text
    assert blast_radius(plan) == "nothing is broken but by the load: up to 400/s on shop"
