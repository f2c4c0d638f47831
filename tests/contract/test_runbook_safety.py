"""What must not go wrong with runbooks: what is run, how it ends, and that it is rolled back."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from runbook_support import (
    block,
    planned,
    run,
    wait_until,
)

from gameday.app.check import PlanRequest, make_plan
from gameday.app.memory import Memory
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
