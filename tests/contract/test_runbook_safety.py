"""What must not go wrong with runbooks: what is run, how it ends, and that it is rolled back."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from runbook_support import (
    BOOK,
    acts,
    block,
    diagnosed,
    did,
    one,
    planned,
    remembered,
    run,
    wait_until,
)

from gameday.app.check import PlanRequest, make_plan
from gameday.app.control import talk
from gameday.app.memory import Memory
from gameday.app.planview import show_plan
from gameday.app.runbook_acts import RunbookActs
from gameday.cli.talk import step
from gameday.engine.control import ControlServer
from gameday.errors import NoEffectError, UsageError
from gameday.model.event import Event, Phase
from gameday.model.plan import Plan
from gameday.processes import start_ticks

STOPPED = Event(kind="stop.tripped", subject="operator")
DONE = {"do": "step", "answer": "done", "role": "responder", "text": ""}
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


@pytest.mark.parametrize(
    "left", ["sleep 999 &", "(trap '' TERM; sleep 999) &", "nohup sleep 999 &"]
)
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


# -- what was begun is undone, whatever happens meanwhile ------------------------------------------

CHANGES = "name=over timeout=5s phase=mitigate mutates=true"


def both(directory: Path, rollback: str, text: str = "touch back") -> Plan:
    """A plan with a mitigation `over`, and a rollback `back` with these attributes."""
    return allowed(
        directory, block("true", CHANGES), block(text, f"name=back phase=rollback {rollback}")
    )


def test_an_edit_during_the_run_does_not_keep_it_from_being_rolled_back(tmp_path: Path) -> None:
    plan = both(tmp_path, "mutates=true timeout=5s")
    (tmp_path / BOOK).write_text("# Slow\n\n## Diagnosis\n\n" + block("touch other"))
    done = acts(plan, *diagnosed(), *did(4, "mitigate", "over", passed=True))

    with pytest.raises(NoEffectError, match="not what it was"):
        done.step(one(plan, "after", "look"), lambda event: None)
    for arm in ("undo", "rollback"):
        (tmp_path / "back").unlink(missing_ok=True)
        said = done.step(one(plan, arm, "back"), lambda event: None)

        assert said["passed"] is True, said
        assert (tmp_path / "back").exists(), "the text of the plan is run"
    assert not (tmp_path / "other").exists()


def test_after_a_stop_a_rollback_by_people_is_still_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = both(tmp_path, "manual=true timeout=60s")
    memory = remembered(*diagnosed(), *did(4, "mitigate", "over", passed=True), STOPPED)
    done = acts(plan, memory=memory)

    asked: list[Event] = []

    class Later:
        """Somebody answers while it is waited."""

        def wait(self, seconds: float) -> None:
            see(memory, human(done, "done"))

    monkeypatch.setattr(done, "_pause", Later())

    said = done.step(one(plan, "rollback", "back"), asked.append)

    assert [(event.kind, event.data["what"]) for event in asked] == [("runbook.asked", "step")]
    assert (said["passed"], said["answered"]) == (True, "done")


def test_after_a_stop_no_approval_is_asked_for_to_roll_back(tmp_path: Path) -> None:
    plan = both(tmp_path, "approve=true mutates=true timeout=60s")
    asked: list[Event] = []
    done = acts(plan, *diagnosed(), *did(4, "mitigate", "over", passed=True), STOPPED)

    said = done.step(one(plan, "rollback", "back"), asked.append)

    assert (said["passed"], asked) == (True, [])
    assert (tmp_path / "back").exists()


def test_a_stop_ends_the_wait_for_the_approval_of_a_rollback(tmp_path: Path) -> None:
    plan = both(tmp_path, "approve=true mutates=true timeout=60s")
    memory = remembered(*diagnosed(), *did(4, "mitigate", "over", passed=True))
    done = acts(plan, memory=memory)

    said = done.step(one(plan, "rollback", "back"), lambda event: see(memory, STOPPED))

    assert said["passed"] is True, said
    assert (tmp_path / "back").exists()


def test_a_stop_ends_the_wait_for_everything_else(tmp_path: Path) -> None:
    plan = allowed(tmp_path, block("touch over", f"{CHANGES} approve=true"))
    memory = remembered(*diagnosed())
    done = acts(plan, memory=memory)

    said = done.step(one(plan, "mitigate", "over"), lambda event: see(memory, STOPPED))

    assert said["passed"] is None, said
    assert not (tmp_path / "over").exists()


# -- approvals -----------------------------------------------------------------------------------


def human(done: RunbookActs, answer: str) -> Event:
    """What a person says of the step that waits."""
    data = {"answer": answer, "role": "responder", "text": ""}
    return Event(kind="human.step", subject=str(done.waiting()["name"]), data=data)


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [(OUT, "the fault was out already"), (STOPPED, "the run was stopped")],
    ids=["out", "stopped"],
)
def test_what_is_approved_when_it_is_too_late_is_not_run(
    tmp_path: Path, meanwhile: Event, why: str
) -> None:
    plan = allowed(tmp_path, block("touch over", f"{CHANGES} approve=true"))
    memory = remembered(*diagnosed())
    done = acts(plan, memory=memory)

    def late(event: Event) -> None:
        approval = human(done, "done")
        see(memory, meanwhile)
        see(memory, approval)

    said = done.step(one(plan, "mitigate", "over"), late)

    assert said["skipped"] == why, said
    assert not (tmp_path / "over").exists()


@pytest.mark.parametrize(
    ("answer", "runs"), [("done", True), ("changed", False), ("failed", False)]
)
def test_only_done_approves(tmp_path: Path, answer: str, runs: bool) -> None:
    plan = allowed(tmp_path, block("touch over", f"{CHANGES} approve=true"))
    memory = remembered(*diagnosed())
    done = acts(plan, memory=memory)

    said = done.step(one(plan, "mitigate", "over"), lambda event: see(memory, human(done, answer)))

    assert (tmp_path / "over").exists() is runs
    assert said["passed"] is (True if runs else None)
    assert runs or said["why"].startswith("not approved")


def test_steps_of_one_name_in_two_runbooks_are_told_apart(tmp_path: Path) -> None:
    plan = allowed(tmp_path, block("true", f"{CHANGES} approve=true"))
    other = replace(plan.runbooks[0], path="runbooks/other.md")
    two = replace(plan, runbooks=(*plan.runbooks, other))
    for at, name in ((plan, "over"), (two, f"{BOOK}:over")):
        memory = remembered(*diagnosed())
        done = acts(at, memory=memory)
        asked: list[Event] = []

        def answered(event: Event, asked: list[Event] = asked) -> None:
            asked.append(event)
            see(memory, human(done, "done"))  # noqa: B023 - called before they change

        assert done.step(one(at, "mitigate", "over"), answered)["passed"] is True
        assert [event.subject for event in asked] == [name]


def test_an_answer_for_one_step_never_approves_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gameday step done` is typed for `first`, and arrives when `over` waits."""
    plan = allowed(tmp_path, block("touch over", f"{CHANGES} approve=true"))
    memory = remembered(*diagnosed())
    done = acts(plan, memory=memory)
    here = tmp_path / "reports" / "run-1"
    here.mkdir(parents=True)
    (here / "journal.jsonl").touch()
    refused: list[str] = []

    def arrives(event: Event) -> None:
        changed = {"name": "over", "answer": "changed"}
        for more in ({}, {"name": "first"}, {"name": ""}, {"name": 3}, changed):
            with pytest.raises(UsageError) as told:
                talk("last", {**DONE, **more}, reports=tmp_path / "reports")
            refused.append(str(told.value))
        assert not memory.timeline().of("human.step")
        step(reports=tmp_path / "reports")
        step("done", name="over", reports=tmp_path / "reports")

    server = ControlServer(here, lambda event: see(memory, event), status=done.waiting)
    try:
        said = done.step(one(plan, "mitigate", "over"), arrives)
    finally:
        server.close()

    assert said["passed"] is True
    assert ["`gameday step`" in text for text in refused] == [True] * 4 + [False]
    assert "an approval is `done` or `failed`" in refused[-1]
    assert "gameday step done --step over" in capsys.readouterr().out
