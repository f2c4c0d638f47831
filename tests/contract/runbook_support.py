"""Runbooks of a small project as they are read into a plan, and their steps as they are run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gameday.adapters.generic.place import Place, passed_on
from gameday.adapters.runbook_run import Answer, StepPlace, run_step
from gameday.app.check import PlanRequest, make_plan
from gameday.app.memory import Memory
from gameday.app.runbook_acts import RunbookActs
from gameday.engine.loop import RunClock
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan, Step
from gameday.model.proof import RunbookStep

BOOK = "runbooks/slow.md"
PROJECT = """\
gameday: 1
environments:
  local:
    commands: [COMMANDS]
    targets:
      shop:
        {url: "http://127.0.0.1:1", proxy: shop, listen: "127.0.0.1:1", upstream: "127.0.0.1:2"}
services: {shop: {tier: 1, slos: {availability: 99.9%}}}
alerts:
  Slow: {when: p50 > 500ms, labels: {severity: page}, receiver: pager}
"""
SCENARIO = """\
gameday: 1
id: slow
title: The shop answers late
service: shop
owner: team
hypothesis: Somebody is called.
load: {target: shop, arrivals: 100/s, journeys: {browse: {steps: [{get: /products}]}}}
phases: {baseline: 30s, fault: 60s, recovery: 60s}
faults: [{id: late, target: shop, toxic: {type: latency, latency: 800ms}, hold: until mitigated}]
expect:
  baseline: [errors < 1%]
  alerts: [{alert: Slow, fires_within: 10s}]
  runbooks: [{path: runbooks/slow.md, prove: true}]
stop_when: [errors > 50% for 10s]
"""


def planned(directory: Path, runbook: str, *, commands: str = "bash", front: str = "") -> Plan:
    (directory / "gameday.yaml").write_text(PROJECT.replace("COMMANDS", commands))
    (directory / "scenario.yaml").write_text(SCENARIO)
    (directory / "runbooks").mkdir(exist_ok=True)
    (directory / "runbooks" / "slow.md").write_text(f"{front}# Slow\n\n## Diagnosis\n\n{runbook}")
    return make_plan(PlanRequest(path=directory / "scenario.yaml"))


def block(script: str, attributes: str = "name=look timeout=5s") -> str:
    return f"```bash {{{attributes}}}\n{script}\n```\n\n"


def remembered(*events: Event) -> Memory:
    """A run that has come so far: event n at n ms, with the number n."""
    memory = Memory()
    for seq, event in enumerate(events):
        memory.see(replace(event, seq=seq, at_ms=seq))
    return memory


def acts(plan: Plan, *events: Event, memory: Memory | None = None) -> RunbookActs:
    memory = remembered(*events) if memory is None else memory
    return RunbookActs(plan, "run-1", clock=RunClock.start(), memory=memory)


def did(seq: int, arm: str, name: str, **facts: Any) -> tuple[Event, Event]:
    """A step of the runbook that was done, as events *seq* and *seq* + 1 of the run."""
    data = {"arm": arm, "name": name}
    begun = Event(kind="runbook.step", subject=BOOK, phase=Phase.STARTED, data=data)
    ended = replace(begun, phase=Phase.OK, cause=seq, data={**data, **facts})
    return begun, ended


def diagnosed() -> tuple[Event, ...]:
    """Events 0 to 3: the step `look` told the fault from a healthy service."""
    return (*did(0, "baseline", "look", passed=False), *did(2, "fault", "look", passed=True))


def first(plan: Plan, done: RunbookActs) -> dict[str, Any]:
    step = next(s for s in plan.schedule.steps if s.verb == "runbook.step")
    return dict(done.step(step, lambda event: None))


def one(plan: Plan, arm: str, name: str) -> Step:
    """The step of the plan that does *name* in *arm*."""
    data = {"arm": arm, "name": name}
    return next(s for s in plan.schedule.steps if {**s.data, **data} == s.data)


def run(
    directory: Path,
    text: str,
    cancelled: Callable[[], bool] = bool,
    wait: Callable[[float], Any] = time.sleep,
    **more: Any,
) -> Answer:
    step = RunbookStep(name="x", phase="diagnose", line=1, text=text, shell="bash", **more)
    place = Place(
        directory=directory, commands=("bash",), run="r", fault="", environ=passed_on(), programs={}
    )
    return run_step(step, StepPlace(place=place, cancelled=cancelled), wanted=True, wait=wait)


def wait_until(what: str, condition: Callable[[], bool], within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.01)
