"""What the engine does with a schedule: when steps are due, and what stops it."""

from __future__ import annotations

from typing import Any

from gameday.engine.core import Done, Wait, begin, decide
from gameday.model.event import Event, Phase
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.verdict import RunStatus
from gameday.testing.simulate import Answer, Played, World, simulate

GATE = Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED)


def step(name: str, verb: str = "alert.read", **more: Any) -> Step:
    more.setdefault("subject", name)
    more.setdefault("lane", name)
    return Step(id=name, verb=verb, **more)


def at(*times_ms: int) -> tuple[When, ...]:
    return tuple(When(delay_ms=ms) for ms in times_ms)


def after(*names: str, delay_ms: int = 0, verb: str = "alert.read") -> When:
    triggers = tuple(Trigger(kind=verb, subject=name) for name in names)
    return When(all_of=triggers, delay_ms=delay_ms)


def inject(name: str, lane: str = "payments", **more: Any) -> Step:
    return Step(id=f"in-{name}", verb="fault.inject", subject=name, lane=lane, **more)


def revert(name: str, lane: str = "payments", **more: Any) -> Step:
    return Step(id=f"out-{name}", verb="fault.revert", subject=name, lane=lane, **more)


def note(at_ms: int, kind: str, subject: str, **data: Any) -> Event:
    return Event(at_ms=at_ms, kind=kind, subject=subject, data=data)


def well(_step: Step, _now_ms: int) -> Answer:
    return Answer(took_ms=10)


def play(*steps: Step, world: World = well, notes: tuple[Event, ...] = (), **limits: int) -> Played:
    limits.setdefault("deadline_ms", 10_000)
    return simulate(Schedule(steps=steps, limits=Limits(**limits)), world, notes)


def begun(played: Played) -> list[tuple[int, str]]:
    """When each scheduled step began."""
    return [
        (e.at_ms, e.data["step"])
        for e in played.timeline
        if "step" in e.data and e.phase in (Phase.STARTED, Phase.NOTED)
    ]


# --- when


def test_the_earliest_alternative_counts() -> None:
    assert begun(play(step("a", when=at(700, 300)))) == [(300, "a")]


def test_all_triggers_of_an_alternative_must_have_been_seen_and_the_last_one_counts() -> None:
    played = play(
        step("a"), step("b", when=at(200)), step("c", when=(after("a", "b", delay_ms=50),))
    )  # fmt: skip

    assert begun(played) == [(0, "a"), (200, "b"), (260, "c")]


def test_only_the_first_time_that_a_trigger_is_seen_counts() -> None:
    steps = step("a", when=(When(all_of=(GATE,), delay_ms=500),))
    notes = (note(100, "gate.opened", "go"), note(300, "gate.opened", "go"))

    assert begun(play(steps, notes=notes)) == [(600, "a")]


def test_hold_until_mitigated_ends_at_the_gate_or_at_its_limit() -> None:
    hold = (
        inject("slow"),
        revert(
            "slow", when=(When(all_of=(GATE,)), after("slow", verb="fault.inject", delay_ms=900))
        ),
    )

    assert begun(play(*hold))[1] == (910, "out-slow")
    assert begun(play(*hold, notes=(note(400, "gate.opened", "go"),)))[1] == (400, "out-slow")


def test_a_trigger_of_another_phase_is_another_event() -> None:
    failed = When(all_of=(Trigger(kind="alert.read", subject="a", phase=Phase.FAILED),))

    def world(asked: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.FAILED if asked.id == "a" else Phase.OK)

    played = play(step("a"), step("b", when=(failed,)), step("c", when=(after("a"),)), world=world)

    assert [name for _, name in begun(played)] == ["a", "b"]
    assert "c" in played.done.reason


def test_edges_fall_on_whole_seconds() -> None:
    played = play(
        step("a", when=at(1), align_ms=1000), step("b", when=at(2000), align_ms=1000)
    )  # fmt: skip

    assert begun(played) == [(1000, "a"), (2000, "b")]


def test_a_step_is_skipped_once_its_unless_was_seen() -> None:
    steps = (step("a", when=at(500), unless=(GATE,)), step("b", when=at(600)))

    assert begun(play(*steps, notes=(note(400, "gate.opened", "go"),))) == [(600, "b")]
    assert begun(play(*steps, notes=(note(501, "gate.opened", "go"),))) == [(500, "a"), (600, "b")]


def test_a_mark_is_only_noted() -> None:
    asked: list[str] = []

    def world(step: Step, _now_ms: int) -> Answer:
        asked.append(step.id)
        return Answer()

    mark = step("end", "run.phase", mark=True, when=at(20), data={"why": "over"})
    played = play(mark, world=world)

    assert asked == []
    assert [(e.kind, e.phase, e.data) for e in played.timeline] == [
        ("run.phase", Phase.NOTED, {"why": "over", "step": "end"})
    ]


def test_steps_of_one_lane_wait_for_each_other_in_the_order_in_which_they_are_due() -> None:
    played = play(
        step("b", lane="x", when=at(30)),
        step("a", lane="x", when=at(10)),
        step("c", lane="y", when=at(30)),
        world=lambda _step, _now: Answer(took_ms=100),
    )

    assert begun(played) == [(10, "a"), (30, "c"), (110, "b")]


def test_waiting_is_until_something_can_be_due() -> None:
    schedule = Schedule(steps=(step("a", when=at(700)),), limits=Limits(deadline_ms=900))

    assert decide(begin(schedule), -300) == Wait(700)


def test_an_empty_schedule_is_done() -> None:
    schedule = Schedule(steps=(), limits=Limits(deadline_ms=1))

    assert decide(begin(schedule), 0) == Done((), RunStatus.COMPLETED)


# --- stopping


def test_the_first_stop_gives_the_status_and_the_reason() -> None:
    notes = (
        note(100, "stop.tripped", "errors > 50%", status="stopped", reason="too many"),
        note(110, "stop.tripped", "operator", status="interrupted"),
    )
    played = play(step("a", when=at(500)), notes=notes)

    assert played.done == Done((), RunStatus.STOPPED, "too many")
    assert begun(played) == []


def test_a_stop_without_a_known_status_is_a_stop() -> None:
    played = play(step("a", when=at(500)), notes=(note(1, "stop.tripped", "x", status="odd"),))

    assert played.done == Done((), RunStatus.STOPPED, "x")


def test_our_own_error_is_told_whatever_stopped_the_run() -> None:
    notes = (
        note(100, "stop.tripped", "x", status="stopped"),
        note(100, "run.error", "engine", error="oops"),
    )
    assert play(step("a"), notes=notes).done.status is RunStatus.COMPLETED, "it was over by then"
    assert play(step("a", when=at(200)), notes=notes).done == Done((), RunStatus.ERRORED, "oops")


def test_the_deadline_stops_the_run_and_names_what_was_open() -> None:
    played = play(inject("slow"), step("a", when=(When(all_of=(GATE,)),)), deadline_ms=700)

    stop = played.timeline.first("stop.tripped")
    assert stop is not None
    assert (stop.at_ms, stop.subject) == (700, "deadline")
    assert "open: a" in stop.data["reason"]
    assert played.done.status is RunStatus.STOPPED
    assert played.left == frozenset()


def test_a_required_step_that_fails_makes_the_run_invalid() -> None:
    def world(step: Step, _now_ms: int) -> Answer:
        failing = step.verb == "check.baseline"
        data = {"reason": "p95 was 900 ms"} if failing else {}
        return Answer(phase=Phase.FAILED if failing else Phase.OK, data=data)

    played = play(
        step("baseline", "check.baseline", required=True), inject("slow", when=at(100)), world=world
    )  # fmt: skip

    assert played.done.status is RunStatus.INVALID
    assert played.done.reason == "check.baseline baseline: p95 was 900 ms"
    assert begun(played) == [(0, "baseline")]


def test_a_step_that_is_not_required_may_fail() -> None:
    played = play(step("a"), step("b", when=at(50)), world=lambda *_: Answer(phase=Phase.UNKNOWN))

    assert played.done.status is RunStatus.COMPLETED
    assert len(begun(played)) == 2


# --- what is always done


ALWAYS = (
    step(
        "load", "load.stop", always=True, when=(after("slow", verb="fault.revert", delay_ms=500),)
    ),
    step("prometheus", always=True, when=(after("load", verb="load.stop"),)),
)


def test_what_is_always_done_is_done_after_a_stop_one_after_the_other_when_faults_are_out() -> None:
    played = play(
        inject("slow"), revert("slow", when=at(5_000)), *ALWAYS,
        notes=(note(1_000, "stop.tripped", "x"),),
    )  # fmt: skip

    assert [(e.at_ms, e.kind) for e in played.timeline if e.phase is Phase.STARTED] == [
        (0, "fault.inject"), (1_000, "fault.revert"), (1_010, "load.stop"), (1_020, "alert.read"),
    ]  # fmt: skip


def test_in_a_normal_run_it_is_done_when_it_is_due() -> None:
    played = play(inject("slow"), revert("slow", when=at(1_000)), *ALWAYS)

    assert begun(played)[2:] == [(1_510, "load"), (1_520, "prometheus")]
    assert played.done.status is RunStatus.COMPLETED


def test_it_is_done_too_when_what_it_waits_for_cannot_come() -> None:
    def world(step: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.UNKNOWN if step.verb == "load.stop" else Phase.OK)

    played = play(inject("slow"), revert("slow", when=at(100)), *ALWAYS, world=world)

    assert [name for _, name in begun(played)][2:] == ["load", "prometheus"]
    assert played.done.status is RunStatus.COMPLETED


def test_what_was_done_already_is_not_done_again_after_a_stop() -> None:
    steps = (step("load", "load.stop", always=True), step("b", when=at(900)))
    played = play(*steps, notes=(note(500, "stop.tripped", "x"),))

    assert begun(played) == [(0, "load")]


# --- reverts


def test_an_inject_that_did_not_end_ok_is_taken_out_at_once() -> None:
    def world(asked: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.UNKNOWN if asked.verb == "fault.inject" else Phase.OK)

    played = play(
        inject("slow"), revert("slow", when=at(3_000)), step("a", when=at(4_000)), world=world
    )  # fmt: skip

    reverts = [e for e in played.timeline.of("fault.revert") if e.phase is Phase.STARTED]
    assert [e.at_ms for e in reverts] == [1], "and not a second time at 3 s"


def test_pulses_of_one_fault_are_each_taken_out_in_their_turn() -> None:
    second = Step(id="in-2", verb="fault.inject", subject="slow", lane="payments", when=at(300))
    out = Step(id="out-2", verb="fault.revert", subject="slow", lane="payments", when=at(400))
    played = play(inject("slow"), revert("slow", when=at(100)), second, out)

    assert begun(played) == [(0, "in-slow"), (100, "out-slow"), (300, "in-2"), (400, "out-2")]
    assert played.done == Done((), RunStatus.COMPLETED)


def test_nothing_new_is_injected_where_a_fault_does_not_go() -> None:
    def world(asked: Step, now_ms: int) -> Answer:
        stuck = asked.subject == "slow" and asked.verb == "fault.revert" and now_ms < 2_000
        return Answer(phase=Phase.FAILED if stuck else Phase.OK)

    played = play(
        inject("slow"), revert("slow", when=at(100)), inject("down", when=at(500)),
        inject("gone", lane="db", when=at(500)), world=world,
    )  # fmt: skip

    starts = {name: at_ms for at_ms, name in begun(played)}
    assert starts["in-gone"] == 500, "another target is free"
    assert starts["in-down"] > 2_000


def test_faults_go_before_their_target_and_newest_first() -> None:
    target = Step(id="open", verb="target.open", subject="payments", lane="payments")
    played = play(
        target, inject("a", when=at(100)), inject("b", when=at(200)), step("end", when=at(9_000)),
        notes=(note(500, "stop.tripped", "x"),),
    )  # fmt: skip

    closed = [e for e in played.timeline if e.phase is Phase.STARTED and e.at_ms >= 500]
    assert [(e.kind, e.subject) for e in closed] == [
        ("fault.revert", "b"), ("fault.revert", "a"), ("target.close", "payments"),
    ]  # fmt: skip


def test_a_target_stays_open_while_a_lost_inject_may_still_come() -> None:
    target = Step(id="open", verb="target.open", subject="payments", lane="payments")

    def world(asked: Step, _now_ms: int) -> Answer:
        if asked.verb == "fault.inject":
            return Answer(phase=Phase.UNKNOWN, took_ms=1_500, lands_ms=1_400)
        return Answer(took_ms=10)

    played = play(target, inject("a", when=at(100)), world=world, call_ms=300)

    ends = [(e.at_ms, e.kind) for e in played.timeline if e.phase is Phase.OK]
    assert ends == [
        (10, "target.open"), (410, "fault.revert"),
        (1_610, "fault.revert"), (1_620, "target.close"),
    ]  # fmt: skip
    assert played.done.dirty == ()


def test_a_target_whose_fault_does_not_go_is_not_closed() -> None:
    target = Step(id="open", verb="target.open", subject="payments", lane="payments")

    def world(asked: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.FAILED if asked.verb == "fault.revert" else Phase.OK)

    played = play(target, inject("a", when=at(100)), world=world, revert_for_ms=2_000)

    assert set(played.done.dirty) == {"a", "payments"}
    assert not played.timeline.of("target.close")


def test_a_fault_that_does_not_go_stops_the_method() -> None:
    def world(asked: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.FAILED if asked.verb == "fault.revert" else Phase.OK)

    played = play(
        inject("slow"), revert("slow", when=at(100)), step("b", when=at(9_000)),
        world=world, revert_for_ms=2_000,
    )  # fmt: skip

    assert played.done == Done(
        ("slow",), RunStatus.INVALID, "`slow` could not be taken out for 2 s"
    )  # fmt: skip
    assert begun(played)[-1] == (100, "out-slow")


def test_reverts_are_tried_again_with_growing_pauses() -> None:
    def world(asked: Step, _now_ms: int) -> Answer:
        return Answer(phase=Phase.FAILED if asked.verb == "fault.revert" else Phase.OK, took_ms=0)

    played = play(
        inject("slow"), world=world, backoff_ms=100, backoff_max_ms=400, revert_for_ms=1_500
    )  # fmt: skip

    tries = [e.at_ms for e in played.timeline.of("fault.revert") if e.phase is Phase.STARTED]
    assert tries == [0, 100, 300, 700, 1_100, 1_500]


def test_the_lane_of_a_revert_is_that_of_its_inject() -> None:
    lanes: list[str] = []

    def world(asked: Step, _now_ms: int) -> Answer:
        lanes.append(asked.lane)
        return Answer()

    play(inject("slow", lane="payments"), world=world)

    assert lanes == ["payments", "payments"]
