"""What must not go wrong with runbooks: what is run, how it ends, and that it is rolled back."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from runbook_support import (
    acts,
    block,
    diagnosed,
    did,
    one,
    planned,
    run,
    wait_until,
)

from gameday.app.check import PlanRequest, make_plan
from gameday.app.memory import Memory
from gameday.app.planview import show_plan
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.processes import start_ticks

STOPPED = Event(kind="stop.tripped", subject="operator")
OUT = Event(kind="fault.revert", subject="late", phase=Phase.STARTED)


def allowed(directory: Path, *blocks: str) -> Plan:
    """A plan with `--run-runbooks`: these blocks, after a diagnosis called `look`."""
    planned(directory, block("true") + "".join(blocks))
    return make_plan(PlanRequest(path=directory / "scenario.yaml", run_runbooks=True))


def see(memory: Memory, event: Event) -> None:
    """The next event of the run."""
    seq = len(memory.timeline())
    memory.see(replace(event, seq=seq, at_ms=seq))


# -- a step ends whole ---------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["sleep 60 &", "(trap '' TERM; sleep 60) &", "nohup sleep 60 &"])
def test_what_a_step_leaves_in_the_background_ends_with_it(tmp_path: Path, left: str) -> None:
    answer = run(tmp_path, f"{left} echo $! > pid; echo hi")

    assert (answer.passed, answer.output.strip()) == (True, "hi")
    pid = int((tmp_path / "pid").read_text())
    wait_until("the background process is gone", lambda: start_ticks(pid) is None)


def test_a_step_that_is_stopped_while_it_waits_is_not_begun_again(tmp_path: Path) -> None:
    stopped = threading.Event()
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        stopped.set()

    answer = run(
        tmp_path,
        "echo x >> tries; exit 1",
        cancelled=stopped.is_set,
        wait=wait,
        retry_ms=20_000,
        timeout_ms=60_000,
    )

    assert (tmp_path / "tries").read_text() == "x\n"
    assert (answer.tries, answer.exit) == (1, 1)
    assert answer.passed is None, "it may have passed at its next try"
    assert "stopped" in answer.why
    assert sum(waited) <= 0.2


# -- what is looked at is what is run ------------------------------------------------------------

HIDDEN = {
    "after a comment with PromQL": "# a * on(x) group_left(team) b\nrm -rf /srv/data",
    "after the head of a table": "cat <<EOF\nNAME  READY  STATUS\nEOF\nrm -rf /srv/data",
    "behind many lines": "# nothing to see here\n" * 5_000 + "rm -rf /srv/data",
    "beside a prompt": "$ ls\nrm -rf /srv/data",
    "before a prompt": "rm -rf /srv/data\n$ ls",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_change_is_seen_wherever_it_stands(tmp_path: Path, name: str) -> None:
    plan = planned(
        tmp_path, block("true") + block(HIDDEN[name], "name=bad timeout=5s phase=verify")
    )

    assert "`rm` changes something" in plan.runbooks[0].unsafe
    assert not [s for s in plan.schedule.steps if s.verb == "runbook.step"]


def test_a_step_that_no_shell_can_be_given_is_said_before_the_run(tmp_path: Path) -> None:
    plan = planned(tmp_path, block("true # " + "é" * 70_000))

    assert "longer than" in plan.runbooks[0].problem
    assert planned(tmp_path, block("true # " + "x" * 100_000)).runbooks[0].problem == ""


# -- what may change something is run only when that was said -------------------------------------


@pytest.mark.parametrize(
    ("phase", "arm"),
    [("mitigate", "mitigate"), ("escalate", "escalate"), ("rollback", "rollback")],
)
def test_a_script_whose_words_say_nothing_is_not_run_without_the_option(
    tmp_path: Path, phase: str, arm: str
) -> None:
    script = tmp_path / "failover.sh"
    script.write_text("#!/bin/sh\ntouch landed\n")
    script.chmod(0o755)
    steps = block("./failover.sh", f"name=over timeout=5s phase={phase}")
    if phase != "mitigate":
        steps += block("true", "name=done phase=mitigate timeout=5s")
    before = diagnosed()
    if phase == "rollback":
        before = (*before, *did(4, "mitigate", "done", passed=True))
    landed = tmp_path / "landed"

    refused = planned(tmp_path, block("true") + steps)
    said = acts(refused, *before).step(one(refused, arm, "over"), lambda event: None)

    assert "--run-runbooks" in said["skipped"]
    assert not landed.exists()
    names = "over" if phase == "mitigate" else "over, done"
    assert f"{names} may change something: not run without --run-runbooks" in show_plan(refused)

    plan = allowed(tmp_path, steps)
    said = acts(plan, *before).step(one(plan, arm, "over"), lambda event: None)

    assert said["passed"] is True, said
    assert landed.exists()


@pytest.mark.parametrize("phase", ["diagnose", "verify"])
def test_what_only_looks_needs_no_option(tmp_path: Path, phase: str) -> None:
    plan = planned(tmp_path, block("true") + block("true", f"name=x timeout=5s phase={phase}"))
    before = (*diagnosed(), *did(4, "mitigate", "done", passed=True))
    arm = "fault" if phase == "diagnose" else "after"

    said = acts(plan, *before).step(one(plan, arm, "x"), lambda event: None)

    assert said["passed"] is True, said
