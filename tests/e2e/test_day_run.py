"""A day whose item is a real run: its verdict is the item's, and a stop takes the fault out."""

from __future__ import annotations

import json
import subprocess

import yaml
from lab_support import GAMEDAY, Lab, run_gameday, wait_until
from set_support import quick_scenario

from gameday.app.day_journal import DayFile, days_of

PLAN = """
gameday: 1
day: back-day
title: What front does without back
objective: Whether front still answers.
roles: [owner, coordinator, responder]
items:
  - {scenario: scenario.yaml, profile: smoke}
  - {id: again, scenario: scenario.yaml, profile: smoke}
"""


def begin(lab: Lab) -> DayFile:
    lab.write()
    (lab.directory / "scenario.yaml").write_text(yaml.safe_dump(quick_scenario("late")))
    (lab.directory / "day.yaml").write_text(PLAN)
    roles = [w for role in ("owner", "coordinator", "responder") for w in ("--take", role)]
    ended = run_gameday("day", "start", "day.yaml", *roles, cwd=lab.directory)
    assert ended.returncode == 0, ended.stderr
    return days_of(lab.directory / "reports")[-1]


def test_a_run_of_a_day_is_linked_and_a_stop_ends_the_next_one(small_lab: Lab) -> None:
    day = begin(small_lab)
    first = run_gameday("day", "next", "day.yaml", "--go", "-q", cwd=small_lab.directory)
    assert first.returncode in (0, 1, 3), first.stderr  # a busy machine is told, not hidden
    run = next(e for e in day.events() if e.kind == "day.run")
    judged = json.loads((small_lab.directory / "reports" / run.subject / "result.json").read_text())
    ended = [e for e in day.events() if e.kind == "day.item"][-1]
    assert ended.data["outcome"] == judged["verdict"]["outcome"]
    assert ended.data["exit_code"] == first.returncode

    child = subprocess.Popen(
        [*GAMEDAY, "day", "next", "day.yaml", "--go", "-q"],
        cwd=small_lab.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        runs = lambda: [e for e in day.events() if e.kind == "day.run"]  # noqa: E731
        wait_until("the second run has begun", lambda: len(runs()) == 2, within_s=40)
        stopped = run_gameday("day", "stop", "day.yaml", "enough", cwd=small_lab.directory)
        child.wait(60)
    finally:
        child.kill()
        child.wait(10)

    assert stopped.returncode == 0, stopped.stderr
    assert child.returncode in (2, 130)  # 2 where it was stopped before the run could begin
    small_lab.assert_clean()
    assert run_gameday("day", "debrief", "day.yaml", cwd=small_lab.directory).returncode == 0
    text = (day.folder / "debrief.md").read_text()
    assert f"../../{run.subject}/postmortem.md" in text
    assert (day.folder / f"../../{run.subject}/postmortem.md").is_file()
    assert "stopped early: enough" in text
