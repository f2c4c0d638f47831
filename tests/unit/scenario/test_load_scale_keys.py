"""`processes` and `workers` of the load: read, shown in the plan, refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from gameday.app.planview import show_plan
from gameday.model.project import LoadPlace
from gameday.model.secret import SecretRef
from gameday.scenario.api import check, plan_for
from gameday.scenario.compile import LOAD_START_LIMIT_MS

PROJECT = """gameday: 1
environments:
  local:
    toxiproxy: {url: "http://127.0.0.1:8474"}
    targets:
      shop: {url: "http://127.0.0.1:8080"}
      payments: {proxy: payments, listen: "127.0.0.1:1", upstream: "127.0.0.1:2"}
services: {shop: {}}
"""
SCENARIO = """gameday: 1
id: slow
title: Payments answers late
service: shop
owner: team-checkout
hypothesis: Checkout stays fast because it gives up on payments.
load:
  target: shop
  arrivals: 9000/s
  processes: PROCESSES
  journeys: {browse: {steps: [{get: /products}]}}
phases: {baseline: 30s, fault: 60s, recovery: 60s}
faults:
  - {id: late, target: payments, toxic: {type: latency, latency: 800ms}}
expect:
  baseline: [errors < 1%]
  fault: [errors < 2%]
stop_when: [errors > 50% for 10s]
"""


def written(tmp_path: Path, processes: str) -> Path:
    (tmp_path / "gameday.yaml").write_text(PROJECT)
    path = tmp_path / "slow.yaml"
    path.write_text(SCENARIO.replace("PROCESSES", processes))
    return path


@pytest.mark.parametrize(
    ("processes", "meant", "shown"),
    [
        ("1", 1, "timeout 10 s\n"),
        ("4", 4, "timeout 10 s; made by 4 processes\n"),
        ("auto", 0, "timeout 10 s; made by 3 processes (auto, by the rate, fewer where the"),
    ],
)
def test_it_is_read_and_shown(tmp_path: Path, processes: str, meant: int, shown: str) -> None:
    plan = plan_for(written(tmp_path, processes), environment="local")
    assert plan.scenario.load.processes == meant
    assert shown in show_plan(plan)


def test_workers_are_read_and_waited_for(tmp_path: Path) -> None:
    path = written(tmp_path, "1")
    path.write_text(path.read_text().replace("  processes: 1\n", "  workers: 3\n"))
    (found,) = [d for d in check([path]).diagnostics if d.code == "load/workers"]
    assert "`local` has no token that workers could show" in found.summary
    place = '    load: {listen: "10.0.0.5:5557", token: {env: LOAD}, wait: 50s}\n'
    (tmp_path / "gameday.yaml").write_text(PROJECT.replace("    targets", place + "    targets"))
    plan = plan_for(path, environment="local")
    assert plan.scenario.load.workers == 3
    assert plan.environment.load == LoadPlace(
        listen="10.0.0.5:5557", token=SecretRef(env="LOAD"), wait_ms=50_000
    )
    assert "; made by 3 workers on other hosts" in show_plan(plan)
    (start,) = [step for step in plan.schedule.steps if step.verb == "load.start"]
    assert start.limit_ms == LOAD_START_LIMIT_MS + 50_000


@pytest.mark.parametrize("processes", ["0", "65", "many", "2.5", "true"])
def test_what_is_no_number_of_processes(tmp_path: Path, processes: str) -> None:
    path = written(tmp_path, processes)
    (found,) = [d for d in check([path]).diagnostics if d.code == "value/number"]
    assert (found.mark.line, found.mark.column) == (10, 14)
    assert found.hint == "write a whole number from 1 to 64, or `auto`"
