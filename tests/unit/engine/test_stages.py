"""A fault that grows stage by stage: each behind its gate, one debt, one revert."""

from __future__ import annotations

from typing import Any

from gameday.engine.gates import Condition, ConditionGates
from gameday.model.criteria import Criterion, parse_criterion
from gameday.model.event import Event, Phase
from gameday.model.histogram import bucket_of
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.verdict import RunStatus
from gameday.model.window import Cell, Tick, tick_to_json
from gameday.testing.simulate import Answer, Played, World, simulate

OUT = Trigger(kind="fault.revert", subject="slow", phase=Phase.STARTED)


def stage(number: int, *, gate: str | None = None, delay_ms: int = 0) -> Step:
    before = "in" if number == 1 else f"in/{number - 1}"
    gates = [Trigger(kind="fault.inject", subject="slow", step=before)]
    if gate is not None:
        gates.append(Trigger(kind="gate.opened", subject=gate, phase=Phase.NOTED))
    return Step(
        id=f"in/{number}", verb="fault.inject", subject="slow", lane="payments",
        when=(When(all_of=tuple(gates), delay_ms=delay_ms),), unless=(OUT,), required=True,
        data={"stage": number},
    )  # fmt: skip


FIRST = Step(
    id="in", verb="fault.inject", subject="slow", lane="payments", required=True, data={"stage": 0}
)


def out(at_ms: int) -> Step:
    when = (When(delay_ms=at_ms),)
    return Step(id="out", verb="fault.revert", subject="slow", lane="payments", when=when)


def well(_step: Step, _now_ms: int) -> Answer:
    return Answer(took_ms=10)


def play(*steps: Step, world: World = well, notes: tuple[Event, ...] = (), **more: Any) -> Played:
    limits = Limits(**{"deadline_ms": 20_000, "call_ms": 300, "revert_for_ms": 2_000, **more})
    return simulate(Schedule(steps=steps, limits=limits), world, notes)


def begun(played: Played) -> list[tuple[int, str]]:
    return [
        (e.at_ms, str(e.data.get("step") or e.kind))
        for e in played.timeline
        if e.phase is Phase.STARTED
    ]


def test_stages_come_one_after_the_other_and_one_revert_takes_all_of_it_out() -> None:
    played = play(FIRST, stage(1, delay_ms=500), stage(2, delay_ms=700), out(3_000))
    assert begun(played) == [(0, "in"), (510, "in/1"), (1_220, "in/2"), (3_000, "out")]
    assert played.done.status is RunStatus.COMPLETED
    assert played.done.dirty == ()
    assert played.left == frozenset()


def test_a_stage_waits_for_its_gate_and_for_the_stage_before() -> None:
    notes = (
        Event(at_ms=100, kind="gate.opened", subject="two"),
        Event(at_ms=900, kind="gate.opened", subject="one"),
    )
    played = play(FIRST, stage(1, gate="one"), stage(2, gate="two"), out(3_000), notes=notes)
    assert begun(played) == [(0, "in"), (900, "in/1"), (910, "in/2"), (3_000, "out")]


def test_a_gate_that_does_not_open_leaves_its_stage_and_the_later_ones_out() -> None:
    played = play(FIRST, stage(1, gate="never"), stage(2, delay_ms=10), out(1_000))
    assert begun(played) == [(0, "in"), (1_000, "out")]
    assert played.done.status is RunStatus.COMPLETED
    assert played.done.dirty == ()


def test_nothing_grows_once_the_fault_is_being_taken_out() -> None:
    notes = (Event(at_ms=1_005, kind="gate.opened", subject="go"),)
    played = play(FIRST, stage(1, gate="go"), out(1_000), notes=notes)
    assert begun(played) == [(0, "in"), (1_000, "out")]


def test_a_stage_that_fails_ends_the_run_and_the_fault_is_taken_out() -> None:
    def world(step: Step, now_ms: int) -> Answer:
        bad = step.id == "in/1"
        return Answer(phase=Phase.UNKNOWN, took_ms=10, lands_ms=5) if bad else well(step, now_ms)

    played = play(FIRST, stage(1, delay_ms=100), stage(2, delay_ms=100), out(5_000), world=world)
    assert begun(played)[:2] == [(0, "in"), (110, "in/1")]
    assert all(name not in ("in/2",) for _, name in begun(played))
    assert played.done.status is RunStatus.INVALID
    assert played.done.dirty == ()
    assert played.left == frozenset()


def test_a_stage_that_never_answers_is_owed_even_after_the_first_revert() -> None:
    def world(step: Step, now_ms: int) -> Answer:
        return Answer(took_ms=None, lands_ms=None) if step.id == "in/1" else well(step, now_ms)

    played = play(FIRST, stage(1, delay_ms=100), out(5_000), world=world)
    assert played.done.dirty == ("slow",)


# --- gates that open by themselves


def window(second: int, *, good: int = 0, bad: int = 0) -> Event:
    cells = [
        Cell(second=second, journey="a", name="/", outcome=outcome, response={bucket_of(9_000): n})
        for outcome, n in (("ok", good), ("http_5xx", bad))
        if n
    ]
    tick = Tick(second=second, worker="0", cells=tuple(cells))
    data = tick_to_json(tick)
    return Event(at_ms=second * 1000 + 1010, kind="load.window", subject="0", data=data)


def confirmed(at_ms: int, number: int) -> Event:
    data = {"stage": number}
    return Event(at_ms=at_ms, kind="fault.inject", subject="slow", phase=Phase.OK, data=data)


def gates(text: str, *, number: int = 1) -> ConditionGates:
    criterion = parse_criterion(text)
    assert isinstance(criterion, Criterion)
    condition = Condition(gate=f"slow/{number}", fault="slow", number=number, criterion=criterion)
    return ConditionGates([condition], overdue_ms=2_000)


def opened(fold: ConditionGates, *events: Event) -> list[Event]:
    return [answer for event in events for answer in fold.see(event)]


def test_a_condition_opens_its_gate_once_after_it_has_held() -> None:
    fold = gates("errors < 1% for 3s")
    before = [window(s, good=10) for s in range(5)]
    assert opened(fold, *before, confirmed(5_200, 0)) == []
    found = opened(fold, *(window(s, good=10) for s in range(5, 12)))
    assert [e.subject for e in found] == ["slow/1"]
    assert found[0].data["by"] == "condition"
    assert found[0].data["value"] == 0.0


def test_seconds_from_before_the_stage_do_not_count() -> None:
    fold = gates("errors < 1% for 3s")
    opened(fold, confirmed(5_200, 0))
    found = [opened(fold, window(s, good=10)) for s in range(4, 12)]
    assert [len(e) for e in found] == [0, 0, 0, 0, 0, 1, 0, 0]  # 6, 7 and 8, told by the 9th


def test_a_condition_that_breaks_begins_again_and_no_data_is_no_reason_to_go_on() -> None:
    fold = gates("errors < 1% for 3s")
    opened(fold, confirmed(0, 0))
    seconds = [window(0, good=9), window(1, good=9), window(2, good=1, bad=8), window(3, good=9)]
    assert opened(fold, *seconds, *(window(s) for s in range(4, 20))) == []


def test_a_gate_of_another_stage_is_not_opened() -> None:
    fold = gates("errors < 1%", number=2)
    assert opened(fold, confirmed(0, 0), *(window(s, good=9) for s in range(9))) == []
    assert opened(fold, confirmed(9_000, 1), *(window(s, good=9) for s in range(9, 12)))


def test_nothing_is_opened_once_the_fault_is_taken_out() -> None:
    fold = gates("errors < 1%")
    out = Event(at_ms=500, kind="fault.revert", subject="slow", phase=Phase.STARTED)
    opened(fold, confirmed(0, 0), out)
    assert opened(fold, *(window(s, good=9) for s in range(1, 9))) == []
