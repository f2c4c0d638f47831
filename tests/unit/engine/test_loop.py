"""The real loop, with real threads, does what the simulation says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gameday import secrets
from gameday.engine import loop as loop_module
from gameday.engine.clock import RunClock
from gameday.engine.control import ControlServer, send
from gameday.engine.core import Done
from gameday.engine.loop import Loop
from gameday.errors import JournalError, NoEffectError
from gameday.journal import Journal, read
from gameday.model.debts import ledger_of
from gameday.model.event import Event, Phase
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.verdict import RunStatus

PATIENCE_S = 20


class Scripted:
    """Acts that do what the test says, by verb and subject; anything else succeeds."""

    def __init__(self, script: Mapping[tuple[str, str], Callable[..., Any]] | None = None) -> None:
        self.script = dict(script or {})
        self.reverted: list[tuple[str, Mapping[str, Any]]] = []

    def undo_for(self, step: Step, actions: Sequence[Event]) -> Mapping[str, Any]:
        return {"kind": "test", "of": step.subject, "seen": len(actions)}

    def inject(self, step: Step, undo: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self._act(step)

    def revert(self, step: Step, undo: Mapping[str, Any]) -> Mapping[str, Any] | None:
        self.reverted.append((step.subject, undo))
        return self._act(step)

    def perform(self, step: Step) -> Mapping[str, Any] | None:
        return self._act(step)

    def _act(self, step: Step) -> Any:
        act = self.script.get((step.verb, step.subject))
        return act() if act else {"fact": step.verb}


class ListSink(list[Event]):
    """A journal in memory; broken once `broken` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.more = threading.Condition()

    def append(self, event: Event, *, sync: bool = False) -> None:  # type: ignore[override]
        if self.broken:
            raise JournalError("no space left")
        with self.more:
            super().append(event)
            self.more.notify_all()

    def wait_for(self, kind: str, subject: str, phase: Phase = Phase.OK) -> None:
        with self.more:
            assert self.more.wait_for(lambda: self.find(kind, subject, phase) is not None, 20)

    def find(self, kind: str, subject: str, phase: Phase = Phase.OK) -> Event | None:
        for e in self:
            if (e.kind, e.subject, e.phase) == (kind, subject, phase):
                return e
        return None


def now() -> RunClock:
    return RunClock(origin_wall_ms=0, origin_mono_ns=time.monotonic_ns())


def fault(subject: str, lane: str, at_ms: int = 0, until_ms: int = 60_000) -> tuple[Step, Step]:
    return (
        Step(
            id=f"in-{subject}", verb="fault.inject", subject=subject, lane=lane,
            when=(When(delay_ms=at_ms),),
        ),
        Step(
            id=f"out-{subject}", verb="fault.revert", subject=subject, lane=lane,
            when=(When(delay_ms=until_ms),),
        ),
    )  # fmt: skip


def schedule(*steps: Step, **limits: int) -> Schedule:
    defaults = {"deadline_ms": 60_000, "call_ms": 5_000, "backoff_ms": 10, "revert_for_ms": 5_000}
    return Schedule(steps=steps, limits=Limits(**{**defaults, **limits}))


STOP = Event(kind="stop.tripped", subject="operator", data={"status": "interrupted"})


def in_background(loop: Loop) -> Callable[[], Done]:
    found: list[Done] = []
    thread = threading.Thread(target=lambda: found.append(loop.run()), daemon=True)
    thread.start()

    def join() -> Done:
        thread.join(PATIENCE_S)
        assert found, "the loop did not end"
        return found[0]

    return join


def test_a_run_that_goes_well() -> None:
    sink, acts = ListSink(), Scripted()
    loop = Loop(schedule(*fault("slow", "payments", until_ms=30)), acts, now(), sink)

    done = loop.run()

    assert done == Done((), RunStatus.COMPLETED)
    assert [(e.kind, e.phase) for e in sink] == [
        ("fault.inject", Phase.STARTED),
        ("fault.inject", Phase.OK),
        ("fault.revert", Phase.STARTED),
        ("fault.revert", Phase.OK),
    ]
    undo = {"kind": "test", "of": "slow", "seen": 0}
    assert sink[0].data == {"step": "in-slow", "undo": undo}
    assert sink[1].data == {"fact": "fault.inject"}
    assert sink[2].data == {"step": "out-slow", "attempt": 1}
    assert acts.reverted == [("slow", undo)]
    assert [e.seq for e in sink] == [0, 1, 2, 3]


def test_what_is_reverted_is_what_was_broken_though_its_name_is_a_secret_too() -> None:
    secrets.remember("slow")  # as a container `postgres` with the password `postgres`
    sink, acts = ListSink(), Scripted()

    Loop(schedule(*fault("slow", "payments", until_ms=30)), acts, now(), sink).run()

    assert acts.reverted == [("slow", {"kind": "test", "of": "slow", "seen": 0})]
    assert ledger_of(sink).dirty == ()


def test_the_undo_record_is_on_disk_before_the_inject(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    on_disk: list[Any] = []
    acts = Scripted({("fault.inject", "slow"): lambda: on_disk.extend(read(path).events)})
    with Journal.open(path) as journal:
        Loop(schedule(*fault("slow", "payments", until_ms=1)), acts, now(), journal).run()

    assert [(e.kind, e.phase) for e in on_disk] == [("fault.inject", Phase.STARTED)]
    assert on_disk[0].data["undo"]["of"] == "slow"
    assert read(path).problem is None


def test_a_hung_inject_does_not_delay_the_revert_of_another_target() -> None:
    release, hanging = threading.Event(), threading.Event()

    def hang() -> None:
        hanging.set()
        release.wait(PATIENCE_S)

    sink = ListSink()
    steps = (*fault("slow", "payments"), *fault("down", "db"))
    acts = Scripted({("fault.inject", "down"): hang})
    loop = Loop(schedule(*steps), acts, now(), sink)
    join = in_background(loop)
    assert hanging.wait(PATIENCE_S)
    sink.wait_for("fault.inject", "slow")

    loop.emit(STOP)
    sink.wait_for("fault.revert", "slow")

    assert sink.find("fault.inject", "down", Phase.UNKNOWN) is None, "it hangs still"
    assert sink.find("fault.revert", "down", Phase.STARTED) is None
    release.set()
    assert join() == Done((), RunStatus.INTERRUPTED, "operator")


def test_a_hung_inject_is_given_up_reverted_and_dirty_until_it_is_heard_from() -> None:
    release = threading.Event()
    sink = ListSink()
    acts = Scripted({("fault.inject", "down"): lambda: release.wait(PATIENCE_S) and None})
    loop = Loop(schedule(*fault("down", "db"), call_ms=50), acts, now(), sink)
    join = in_background(loop)

    sink.wait_for("fault.revert", "down")
    assert loop.state.ledger.dirty == ("down",)
    given_up = sink.find("fault.inject", "down", Phase.UNKNOWN)
    assert given_up is not None
    assert given_up.data["given_up"] is True
    loop.emit(STOP)
    release.set()

    assert join().dirty == ()
    assert len([e for e in sink if e.kind == "fault.revert" and e.phase is Phase.OK]) == 2


def test_a_call_that_never_ends_leaves_the_run_dirty_and_lets_the_process_go() -> None:
    program = """
import threading, sys
sys.path[:0] = {paths!r}
from test_loop import *
acts = Scripted({{("fault.inject", "down"): lambda: threading.Event().wait()}})
limits = dict(call_ms=50, revert_for_ms=50)
done = Loop(schedule(*fault("down", "db", until_ms=10), **limits), acts, now(), ListSink()).run()
assert done.dirty == ("down",), done
print("ended")
"""
    paths = [str(Path(__file__).parent)]
    ended = subprocess.run(
        [sys.executable, "-c", program.format(paths=paths)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout == "ended\n", ended.stderr
    assert ended.returncode == 0


def test_a_stop_reverts_at_once() -> None:
    sink = ListSink()
    loop = Loop(schedule(*fault("slow", "payments")), Scripted(), now(), sink)
    join = in_background(loop)
    sink.wait_for("fault.inject", "slow")

    loop.emit(STOP)

    assert join().status is RunStatus.INTERRUPTED
    stop, revert = sink.find("stop.tripped", "operator", Phase.NOTED), sink[-1]
    assert stop is not None
    assert (revert.kind, revert.phase) == ("fault.revert", Phase.OK)
    assert [e.kind for e in sink[stop.seq + 1 :]] == ["fault.revert", "fault.revert"]


@pytest.mark.parametrize(
    ("error", "phase"), [(NoEffectError("refused"), "failed"), (OSError("reset"), "unknown")]
)
def test_a_revert_that_fails_is_tried_again(error: Exception, phase: str) -> None:
    errors = [error, error]

    def revert() -> None:
        if errors:
            raise errors.pop()

    sink = ListSink()
    acts = Scripted({("fault.revert", "slow"): revert})
    done = Loop(schedule(*fault("slow", "payments", until_ms=5)), acts, now(), sink).run()

    reverts = [e for e in sink if e.kind == "fault.revert"]
    assert done == Done((), RunStatus.COMPLETED)
    assert [e.phase for e in reverts][1::2] == [phase, phase, "ok"]
    assert [e.data["attempt"] for e in reverts[::2]] == [1, 2, 3]
    assert str(error) in reverts[1].data["error"]


def test_a_revert_that_never_works_leaves_the_run_dirty() -> None:
    def refuse() -> None:
        raise NoEffectError("the proxy is gone")

    acts = Scripted({("fault.revert", "slow"): refuse})
    plan = schedule(*fault("slow", "payments", until_ms=5), revert_for_ms=100)
    sink = ListSink()

    assert Loop(plan, acts, now(), sink).run().dirty == ("slow",)
    assert sum(e.kind == "fault.revert" and e.phase is Phase.STARTED for e in sink) >= 3


def test_facts_that_an_adapter_saw_before_it_failed_are_kept() -> None:
    class SeenError(NoEffectError):
        facts = {"values": [1, float("nan")], "reason": "p95 is too slow"}  # noqa: RUF012

    def fail() -> None:
        raise SeenError("does not hold")

    sink = ListSink()
    step = Step(
        id="b", verb="check.baseline", subject="baseline", lane="check", required=True
    )  # fmt: skip
    acts = Scripted({("check.baseline", "baseline"): fail})
    done = Loop(schedule(step, *fault("slow", "payments", at_ms=30_000)), acts, now(), sink).run()

    ended = sink.find("check.baseline", "baseline", Phase.FAILED)
    assert ended is not None
    assert ended.data == {
        "error": "does not hold", "values": [1, "nan"], "reason": "p95 is too slow"
    }  # fmt: skip
    assert done.status is RunStatus.INVALID
    assert "p95 is too slow" in done.reason
    assert sink.find("stop.tripped", "baseline", Phase.NOTED)
    assert not [e for e in sink if e.kind == "fault.inject"]


def test_a_journal_that_fails_in_the_middle_still_lets_the_faults_be_taken_out() -> None:
    sink, acts = ListSink(), Scripted()
    loop = Loop(schedule(*fault("slow", "payments"), *fault("down", "db")), acts, now(), sink)
    join = in_background(loop)
    sink.wait_for("fault.inject", "slow")
    sink.wait_for("fault.inject", "down")

    sink.broken = True
    loop.emit(Event(kind="human.note", subject="scribe", data={"text": "hello"}))
    done = join()

    assert sorted(subject for subject, _ in acts.reverted) == ["down", "slow"]
    assert done.dirty == ()
    assert done.status is RunStatus.ERRORED
    assert isinstance(loop.error, JournalError)
    assert not loop.recording
    assert ledger_of(sink).dirty == ("slow", "down"), "the journal does not know: recover will ask"


def test_nothing_is_injected_when_its_start_cannot_be_recorded() -> None:
    sink, injected = ListSink(), list[str]()
    acts = Scripted({("fault.inject", "slow"): lambda: injected.append("slow")})
    sink.broken = True

    done = Loop(schedule(*fault("slow", "payments")), acts, now(), sink).run()

    assert injected == []
    assert acts.reverted == []
    assert done.dirty == ()
    assert done.status is RunStatus.ERRORED


def test_an_end_that_cannot_be_recorded_is_known_all_the_same() -> None:
    sink = ListSink()
    acts = Scripted({("fault.inject", "slow"): lambda: setattr(sink, "broken", True)})
    loop = Loop(schedule(*fault("slow", "payments")), acts, now(), sink)

    done = in_background(loop)()

    assert done.dirty == ()
    assert acts.reverted
    assert [e.phase for e in loop.actions] == [Phase.STARTED, Phase.OK] * 2


class Broken:
    """A fold with a bug."""

    def __init__(self, where: str) -> None:
        self.where = where

    def see(self, event: Event) -> list[Event]:
        if self.where == "see" and event.kind == "fault.inject":
            raise ZeroDivisionError("oops")
        if self.where == "echo":
            return [Event(kind="human.note", subject="echo")]
        return []

    def tick(self, now_ms: int) -> list[Event]:
        if self.where == "tick" and now_ms > 50:
            raise ZeroDivisionError("oops")
        return []


@pytest.mark.parametrize("where", ["see", "tick", "echo"])
def test_a_bug_in_a_fold_stops_the_run_and_the_faults_are_taken_out(where: str) -> None:
    sink, acts = ListSink(), Scripted()
    plan = schedule(*fault("slow", "payments"), call_ms=500)
    loop = Loop(plan, acts, now(), sink, folds=[Broken(where)])

    done = in_background(loop)()

    assert done.dirty == ()
    assert done.status is RunStatus.ERRORED
    error = sink.find("run.error", "engine", Phase.NOTED)
    assert error is not None
    assert "Traceback" in error.data["traceback"]
    assert loop.recording
    assert ledger_of(sink).dirty == ()


def test_an_undo_record_that_cannot_be_made_stops_the_run_before_the_inject() -> None:
    class Forgetful(Scripted):
        def undo_for(self, step: Step, actions: Sequence[Event]) -> Mapping[str, Any]:
            raise KeyError("never prepared")

    sink, acts = ListSink(), Forgetful()
    done = in_background(Loop(schedule(*fault("slow", "payments")), acts, now(), sink))()

    assert done.status is RunStatus.ERRORED
    assert not [e for e in sink if e.kind.startswith("fault.")]


def test_a_pulse_that_fails_does_not_keep_faults_in() -> None:
    beats: list[int] = []

    def pulse() -> None:
        beats.append(1)
        if len(beats) > 3:
            raise BrokenPipeError("the sentinel is gone")

    sink, acts = ListSink(), Scripted()
    loop = Loop(schedule(*fault("slow", "payments")), acts, now(), sink, pulse=pulse)

    done = in_background(loop)()

    assert done.dirty == ()
    assert done.status is RunStatus.ERRORED
    assert len(beats) > 4, "it is given on"


def test_too_much_news_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "WAITING_MAX", 10)
    loop = Loop(schedule(*fault("slow", "payments")), Scripted(), now(), ListSink())
    for _ in range(20):
        loop.emit(Event(kind="probe.sample", subject="payments"))

    done = in_background(loop)()

    assert done.status is RunStatus.ERRORED
    assert "were waiting" in done.reason
    assert done.dirty == ()


def test_folds_answer_to_events_and_to_time() -> None:
    class Stopper:
        seen: list[str] = []  # noqa: RUF012

        def see(self, event: Event) -> list[Event]:
            self.seen.append(event.kind)
            wanted = event.kind == "fault.inject" and event.phase is Phase.OK
            return [Event(kind="stop.blind", subject="load")] if wanted else []

        def tick(self, now_ms: int) -> list[Event]:
            return [STOP] if "stop.blind" in self.seen and "stop.tripped" not in self.seen else []

    sink = ListSink()
    plan = schedule(*fault("slow", "payments"))
    done = in_background(Loop(plan, Scripted(), now(), sink, folds=[Stopper()]))()

    kinds = [e.kind for e in sink]
    assert kinds[2:4] == ["stop.blind", "stop.tripped"]
    assert done.status is RunStatus.INTERRUPTED
    assert Stopper.seen == kinds, "a fold sees everything once, its own answers too"


def test_notes_come_through_the_control_socket_while_the_run_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    gate = Step(
        id="in", verb="fault.inject", subject="slow", lane="payments",
        when=(When(all_of=(Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED),)),),
    )  # fmt: skip
    hold = Step(
        id="hold", verb="run.phase", subject="end", lane="phase", mark=True,
        when=(When(delay_ms=50_000),),
    )  # fmt: skip
    with Journal.open(path) as journal:
        loop = Loop(schedule(gate, hold), Scripted(), now(), journal)
        loop.note(Event(kind="run.opened", subject="r1", data={"origin_wall_ms": 0}))
        control = ControlServer(tmp_path, loop.emit, gates={"go"})
        try:
            join = in_background(loop)
            send(tmp_path, {"do": "note", "role": "scribe", "text": "all on the call"})
            send(tmp_path, {"do": "gate", "name": "go"})
            send(tmp_path, {"do": "stop", "reason": "enough seen"})
            done = join()
        finally:
            control.close()
        data = {"status": done.status.value, "dirty": list(done.dirty), "reason": done.reason}
        loop.note(Event(kind="run.closed", subject="r1", data=data), sync=True)

    found = read(path)
    assert found.complete
    assert done == Done((), RunStatus.INTERRUPTED, "enough seen")
    kinds = [e.kind for e in found.events]
    assert kinds[0] == "run.opened"
    assert kinds.index("human.note") < kinds.index("gate.opened") < kinds.index("stop.tripped")
    assert json.loads(json.dumps(found.events[-1].data)) == data


def test_what_arrives_after_the_end_can_still_be_recorded() -> None:
    sink = ListSink()
    loop = Loop(schedule(), Scripted(), now(), sink)
    assert loop.run() == Done((), RunStatus.COMPLETED)

    loop.emit(Event(kind="alert.delivered", subject="PaymentsSlow"))
    loop.settle()

    assert [e.kind for e in sink] == ["alert.delivered"]


def test_the_clock_counts_from_a_whole_second() -> None:
    clock = RunClock.start()
    again = RunClock.resume(origin_wall_ms=clock.origin_wall_ms)
    assert clock.origin_wall_ms % 1000 == 0
    assert clock.now_ms() >= -1000
    for each in (clock, again):
        before_ms = time.time() * 1000
        wall_ms = each.wall_ms(each.now_ms())
        assert before_ms - 5 <= wall_ms <= time.time() * 1000 + 5
    before_ms = time.time() * 1000
    assert RunClock.start(lead_ms=3_000).origin_wall_ms >= before_ms + 2_995
