"""Random schedules and worlds, and the rules that every simulated run must keep.

Not a test itself: `test_engine_rules.py` plays it with the real engine, `test_mutants.py` with
engines that were broken on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase, Timeline
from gameday.model.plan import Limits, Schedule, Step, Trigger, When
from gameday.model.verdict import RunStatus

LANES = ("payments", "db", "cache")
STOPS = (RunStatus.STOPPED, RunStatus.INTERRUPTED, RunStatus.INVALID)
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Engine:
    """The parts under test: the real ones, or those of a mutant."""

    simulate: Callable[..., Any]
    answer: type[Any]
    begin: Callable[..., Any]
    observe: Callable[..., Any]
    decide: Callable[..., Any]


def ok(kind: str, subject: str) -> Trigger:
    return Trigger(kind=kind, subject=subject)


def at(ms: int) -> tuple[When, ...]:
    return (When(delay_ms=ms),)


def after(trigger: Trigger, ms: int) -> tuple[When, ...]:
    return (When(all_of=(trigger,), delay_ms=ms),)


# --- random schedules


def fault_steps(draw: Draw, lane: str, subject: str, has_target: bool) -> list[Step]:
    start_ms = draw(st.integers(0, 1000))
    when = after(ok("target.open", lane), start_ms) if has_target else at(start_ms)
    required = draw(st.booleans())
    align_ms = draw(st.sampled_from([1, 100]))
    inject = Step(
        id=f"in-{subject}", verb="fault.inject", subject=subject, lane=lane, when=when,
        required=required, align_ms=align_ms,
    )  # fmt: skip
    how = draw(st.sampled_from(["by time", "after inject", "gate", "never"]))
    if how == "never":
        return [inject]
    held_ms = draw(st.integers(0, 600))
    when = {
        "by time": at(start_ms + held_ms),
        "after inject": after(ok("fault.inject", subject), held_ms),
        "gate": (
            When(all_of=(Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED),)),
            When(delay_ms=start_ms + held_ms),
        ),
    }[how]
    revert = Step(id=f"out-{subject}", verb="fault.revert", subject=subject, lane=lane, when=when)
    if how == "by time" and draw(st.booleans()):
        return [revert, inject]
    return [inject, *stage_steps(draw, inject), revert]


def stage_steps(draw: Draw, inject: Step) -> list[Step]:
    """Further strengths of a fault: each after the one before, some behind the gate."""
    stages: list[Step] = []
    out = Trigger(kind="fault.revert", subject=inject.subject, phase=Phase.STARTED)
    for number in range(1, 1 + draw(st.sampled_from([0, 0, 1, 2]))):
        before = stages[-1].id if stages else inject.id
        gates = [Trigger(kind="fault.inject", subject=inject.subject, step=before)]
        if draw(st.booleans()):
            gates.append(Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED))
        when = When(all_of=tuple(gates), delay_ms=draw(st.integers(0, 300)))
        name = f"{inject.id}/{number}"
        stages.append(replace(inject, id=name, when=(when,), unless=(out,)))
    return stages


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    steps: list[Step] = []
    for lane in LANES[: draw(st.integers(1, 3))]:
        has_target = draw(st.booleans())
        if has_target:
            steps.append(Step(id=f"open-{lane}", verb="target.open", subject=lane, lane=lane))
        for i in range(draw(st.integers(0, 3))):
            steps += fault_steps(draw, lane, f"{lane}-{i}", has_target)
        if has_target and draw(st.booleans()):
            close = at(draw(st.integers(500, 2000)))
            steps.append(
                Step(id=f"close-{lane}", verb="target.close", subject=lane, lane=lane, when=close)
            )
    if draw(st.booleans()):
        mark = Step(
            id="mark", verb="run.phase", subject="end", lane="marks", mark=True,
            when=at(draw(st.integers(0, 1500))),
        )  # fmt: skip
        ended = Trigger(kind="run.phase", subject="end", phase=Phase.NOTED)
        steps += [
            mark,
            Step(
                id="load-stop", verb="load.stop", subject="load", lane="load", always=True,
                when=after(ended, draw(st.integers(0, 300))), limit_ms=300,
            ),
            Step(
                id="read", verb="alert.read", subject="prometheus", lane="prometheus", always=True,
                when=after(ok("load.stop", "load"), draw(st.integers(0, 100))), limit_ms=300,
                unless=(Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED),)
                if draw(st.booleans()) else (),
            ),
        ]  # fmt: skip
    return Schedule(steps=tuple(steps), limits=draw(limits()))


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    backoff_ms = draw(st.integers(5, 60))
    return Limits(
        deadline_ms=draw(st.integers(1, 3000)),
        call_ms=draw(st.integers(2, 300)),
        revert_for_ms=draw(st.integers(1, 1500)),
        backoff_ms=backoff_ms,
        backoff_max_ms=draw(st.integers(backoff_ms, 400)),
    )


@st.composite
def outside(draw: st.DrawFn) -> list[Event]:
    """Stops and gates, at any time."""
    notes = []
    for _ in range(draw(st.integers(0, 2))):
        data = {"status": draw(st.sampled_from(STOPS)).value, "reason": "because"}
        notes.append(
            Event(at_ms=draw(st.integers(0, 2500)), kind="stop.tripped", subject="x", data=data)
        )
    if draw(st.booleans()):
        notes.append(Event(at_ms=draw(st.integers(0, 2500)), kind="gate.opened", subject="go"))
    return notes


# --- random worlds

ENDS = st.sampled_from([Phase.OK, Phase.OK, Phase.FAILED, Phase.UNKNOWN])


def any_answer(draw: Draw, engine: Engine, limit_ms: int, patience_ms: int) -> Any:
    """A call that ends well or badly, soon, after its limit, or never; it may land when unknown."""
    phase = draw(ENDS)
    speed = draw(st.sampled_from(["soon", "soon", "late", "never"]))
    took_ms = draw(st.integers(0, limit_ms))
    if speed == "late":
        took_ms = limit_ms + draw(st.integers(0, patience_ms))
    elif speed == "never":
        return engine.answer(phase=Phase.UNKNOWN, took_ms=None)
    lands = phase is Phase.OK or (phase is Phase.UNKNOWN and draw(st.booleans()))
    lands_ms = draw(st.integers(0, took_ms)) if lands else None
    return engine.answer(phase=phase, took_ms=took_ms, lands_ms=lands_ms)


def play_anything(engine: Engine, draw: Draw) -> tuple[Schedule, list[Event], Any]:
    schedule = draw(schedules())
    notes = draw(outside())
    limits_ = schedule.limits

    def world(step: Step, _now_ms: int) -> Any:
        limit_ms = min(limits_.call_ms, step.limit_ms)
        return any_answer(draw, engine, limit_ms, limits_.revert_for_ms)

    return schedule, notes, engine.simulate(schedule, world, notes)


def rules(engine: Engine, draw: Draw) -> None:
    """Every rule, over one random run."""
    schedule, notes, played = play_anything(engine, draw)
    timeline, done = played.timeline, played.done
    assert [e.seq for e in timeline] == list(range(len(timeline)))
    assert [e.at_ms for e in timeline] == sorted(e.at_ms for e in timeline)
    assert played.left <= set(done.dirty), "a fault was left on and nobody was told"
    check_bounded(schedule, notes, timeline)
    check_nothing_injected_after_stop(schedule, timeline)
    check_one_call_a_lane(schedule, timeline)
    check_targets_outlive_faults(schedule, timeline)
    check_newest_first(schedule, timeline)
    check_stop_reverts_at_once(schedule, timeline)
    check_pauses(schedule, timeline)
    check_always(schedule, timeline)
    check_faults_go_before_the_rest(schedule, timeline)
    check_nothing_is_called_dirty_too_soon(schedule, timeline, done.dirty)
    check_status(schedule, timeline, done)
    check_can_be_replayed(engine, schedule, timeline, done)


def a_good_world_is_clean(engine: Engine, draw: Draw) -> None:
    """Calling everything dirty would be safe too, and useless."""
    schedule, notes = draw(schedules()), draw(outside())

    def world(step: Step, _now_ms: int) -> Any:
        limit_ms = min(schedule.limits.call_ms, step.limit_ms)
        return engine.answer(took_ms=draw(st.integers(0, limit_ms - 1)))

    played = engine.simulate(schedule, world, notes)

    assert played.done.dirty == ()
    assert played.left == frozenset()
    reverts = [e for e in starts(played.timeline) if e.kind in OPENER_OF]
    assert all(e.data["attempt"] == 1 for e in reverts), "what went well was done again"


def a_world_that_heals_is_clean(engine: Engine, draw: Draw) -> None:
    """Anything may go wrong for 20 s, and calls may hang as long; after it all works again."""
    heals_ms = 20_000
    schedule = Schedule(
        steps=draw(schedules()).steps, limits=Limits(deadline_ms=15_000, call_ms=2_000)
    )

    def world(_step: Step, now_ms: int) -> Any:
        if now_ms >= heals_ms:
            return engine.answer(took_ms=30)
        phase = draw(st.sampled_from([Phase.OK, Phase.FAILED, Phase.UNKNOWN]))
        took_ms = draw(st.sampled_from([5, 100, heals_ms - now_ms]))
        lands = phase is Phase.UNKNOWN and draw(st.booleans())
        return engine.answer(phase=phase, took_ms=took_ms, lands_ms=took_ms if lands else None)

    played = engine.simulate(schedule, world, draw(outside()))

    assert played.done.dirty == ()
    assert played.left == frozenset()


def a_restarting_server_is_clean(
    engine: Engine, *, down_ms: int, refusal: Phase, stopped: bool
) -> None:
    """A server that refuses everything for a while, while a fault is in."""
    schedule = one_fault(Limits(deadline_ms=120_000))

    def world(_step: Step, now_ms: int) -> Any:
        away = 7_000 <= now_ms < 7_000 + down_ms
        return engine.answer(phase=refusal, took_ms=3) if away else engine.answer(took_ms=20)

    notes = [Event(at_ms=7_000, kind="stop.tripped", subject="operator")] if stopped else []
    played = engine.simulate(schedule, world, notes)

    assert played.done.dirty == ()
    assert played.left == frozenset()
    tries = [e for e in played.timeline.of("fault.revert") if e.phase is Phase.STARTED]
    assert 1 < len(tries) <= 20, "tried, but not hammered"
    back = played.timeline.first("fault.revert", "slow", phase=Phase.OK)
    assert back is not None
    assert back.at_ms <= 7_000 + down_ms + 4_100, "not tried again in time"
    assert played.done.status is (RunStatus.STOPPED if stopped else RunStatus.COMPLETED)


def a_hung_call_delays_no_other_target(engine: Engine, hang_ms: int | None) -> None:
    """Two targets; every call on one of them hangs."""
    steps = (
        Step(id="a", verb="fault.inject", subject="slow", lane="payments", when=at(0)),
        Step(id="b", verb="fault.inject", subject="down", lane="db", when=at(0)),
        Step(id="c", verb="run.phase", subject="end", lane="phase", when=at(4_000), mark=True),
    )
    schedule = Schedule(steps=steps, limits=Limits(deadline_ms=5_000))

    def world(step: Step, _now_ms: int) -> Any:
        if step.lane == "db":
            return engine.answer(phase=Phase.UNKNOWN, took_ms=hang_ms)
        return engine.answer(took_ms=1)

    stop = Event(at_ms=2_000, kind="stop.tripped", subject="x")
    played = engine.simulate(schedule, world, [stop])

    reverted = played.timeline.first("fault.revert", "slow", phase=Phase.OK)
    assert reverted is not None
    assert reverted.at_ms == 2_001
    assert "slow" not in played.done.dirty


def an_inject_that_lands_during_its_revert_is_taken_out(engine: Engine) -> None:
    """The revert reports success, and was overtaken all the same."""
    step = Step(id="a", verb="fault.inject", subject="slow", lane="payments")
    schedule = Schedule(steps=(step,), limits=Limits(deadline_ms=5_000, call_ms=100))
    tries = []

    def world(step: Step, now_ms: int) -> Any:
        if step.verb == "fault.inject":
            return engine.answer(took_ms=140, lands_ms=130)
        tries.append(now_ms)
        return engine.answer(took_ms=50, lands_ms=10)

    played = engine.simulate(schedule, world)

    assert played.left == frozenset()
    assert played.done.dirty == ()
    assert tries == [100, 150]


def an_inject_that_is_never_heard_of_again_is_dirty(engine: Engine) -> None:
    """It may still land, and every revert before that would have been in vain."""
    step = Step(id="a", verb="fault.inject", subject="slow", lane="payments")
    schedule = Schedule(steps=(step,), limits=Limits(deadline_ms=5_000, call_ms=100))

    def world(step: Step, _now_ms: int) -> Any:
        return engine.answer(took_ms=None if step.verb == "fault.inject" else 5)

    played = engine.simulate(schedule, world)

    assert played.done.dirty == ("slow",)


def of_two_faults_on_a_target_the_newer_goes_first(engine: Engine) -> None:
    """What was put in last was put in on top of the other."""
    steps = (
        Step(id="a", verb="fault.inject", subject="slow", lane="payments", when=at(0)),
        Step(id="b", verb="fault.inject", subject="cut", lane="payments", when=at(1_000)),
        Step(id="c", verb="run.phase", subject="end", lane="phase", when=at(4_000), mark=True),
    )
    schedule = Schedule(steps=steps, limits=Limits(deadline_ms=5_000))
    stop = Event(at_ms=2_000, kind="stop.tripped", subject="x")

    timeline = engine.simulate(schedule, lambda *_: engine.answer(took_ms=5), [stop]).timeline

    started = [e for e in timeline.of("fault.revert") if e.phase is Phase.STARTED]
    assert [e.subject for e in started] == ["cut", "slow"]


def what_is_always_done_waits_for_the_faults(engine: Engine) -> None:
    """The load goes on until the fault is out, so that its going can be seen."""
    steps = (
        Step(id="a", verb="fault.inject", subject="slow", lane="payments", when=at(0)),
        Step(id="b", verb="run.phase", subject="end", lane="phase", when=at(4_000), mark=True),
        Step(id="c", verb="load.stop", subject="load", lane="load", when=at(4_000), always=True),
    )
    schedule = Schedule(steps=steps, limits=Limits(deadline_ms=5_000))

    def world(step: Step, now_ms: int) -> Any:
        if step.verb == "fault.revert" and now_ms < 2_600:
            return engine.answer(phase=Phase.FAILED, took_ms=5, lands_ms=None)
        return engine.answer(took_ms=5)

    stop = Event(at_ms=2_000, kind="stop.tripped", subject="x")
    timeline = engine.simulate(schedule, world, [stop]).timeline

    reverted = timeline.first("fault.revert", "slow", phase=Phase.OK)
    stopped = timeline.first("load.stop", "load", phase=Phase.STARTED)
    assert reverted is not None
    assert stopped is not None
    assert stopped.seq > reverted.seq


def one_fault(limits_: Limits) -> Schedule:
    """A target that is opened, a fault on it for 6 s, and a load that is always stopped."""
    steps = (
        Step(id="open", verb="target.open", subject="payments", lane="payments"),
        Step(
            id="in", verb="fault.inject", subject="slow", lane="payments",
            when=after(ok("target.open", "payments"), 0), align_ms=1000,
        ),
        Step(
            id="out", verb="fault.revert", subject="slow", lane="payments",
            when=after(ok("fault.inject", "slow"), 5_000), align_ms=1000,
        ),
        Step(
            id="recovery", verb="run.phase", subject="recovery", lane="phase", mark=True,
            when=after(ok("fault.revert", "slow"), 0), align_ms=1000,
        ),
        Step(
            id="stop", verb="load.stop", subject="load", lane="load", always=True,
            when=after(ok("fault.revert", "slow"), 5_000),
        ),
    )  # fmt: skip
    return Schedule(steps=steps, limits=limits_)


# --- the rules


def lane_of(schedule: Schedule, event: Event) -> str:
    kind = OPENER_OF.get(event.kind, event.kind)
    for step in schedule.steps:
        if (step.verb, step.subject) == (kind, event.subject):
            return step.lane
    return event.subject


def starts(timeline: Timeline) -> list[Event]:
    return [e for e in timeline if e.phase is Phase.STARTED]


def ends_of(timeline: Timeline, started: Event) -> list[Event]:
    return [e for e in timeline if e.cause == started.seq]


def check_bounded(schedule: Schedule, notes: list[Event], timeline: Timeline) -> None:
    limits_ = schedule.limits
    openers = sum(s.verb in UNDO_OF for s in schedule.steps)
    one_debt = limits_.revert_for_ms + 2 * limits_.call_ms + limits_.backoff_max_ms
    # A lane pays one debt after the other; each may come back once, when late news arrives.
    slack_ms = (2 * openers + 1) * one_debt + limits_.revert_for_ms + 1000
    begin_ms = max([limits_.deadline_ms, *(n.at_ms for n in notes)])
    assert timeline.end_ms <= begin_ms + slack_ms
    tries = [e for e in starts(timeline) if e.kind in OPENER_OF]
    assert len(tries) <= (2 * openers + 1) * (3 + limits_.revert_for_ms // limits_.backoff_ms)


def check_nothing_injected_after_stop(schedule: Schedule, timeline: Timeline) -> None:
    stops = timeline.of("stop.tripped")
    stop_seq = stops[0].seq if stops else len(timeline)
    for event in starts(timeline):
        if event.kind in UNDO_OF:
            assert event.seq < stop_seq, "injected after a stop"
            assert event.at_ms < schedule.limits.deadline_ms, "injected after the deadline"


def check_one_call_a_lane(schedule: Schedule, timeline: Timeline) -> None:
    under_way: dict[str, Event] = {}
    for event in timeline:
        lane = lane_of(schedule, event)
        if event.phase is Phase.STARTED:
            assert lane not in under_way, "two calls at a time on one lane"
            under_way[lane] = event
        elif lane in under_way and event.cause == under_way[lane].seq:
            del under_way[lane]
    assert not under_way, "the run ended while a call was under way"


def may_be_on(timeline: Timeline, subject: str, seq: int) -> bool:
    """Whether a fault may be in place, or may still land, before event *seq*."""
    on = False
    lost: set[int] = set()
    news = -1
    for event in timeline:
        if event.seq >= seq or event.subject != subject:
            continue
        if event.kind == "fault.inject":
            lost = _lost(lost, event)
            late = event.phase is not Phase.STARTED and event.cause not in lost
            if event.phase is Phase.STARTED or (late and _is_late(timeline, event)):
                on, news = True, event.seq
        elif event.kind == "fault.revert" and event.phase is Phase.OK:
            started = event.cause if event.cause is not None else -1
            on = on and (started < news or _superseded(timeline, event))
        elif event.kind == "fault.revert" and event.phase is Phase.UNKNOWN:
            on = on or (_is_late(timeline, event) and news >= 0)
    return on or bool(lost)


def _lost(lost: set[int], event: Event) -> set[int]:
    if event.cause is None:
        return lost
    return lost | {event.cause} if event.data.get("given_up") else lost - {event.cause}


def _is_late(timeline: Timeline, event: Event) -> bool:
    """Whether an end comes after its call was given up."""
    return any(
        e.cause == event.cause and e.data.get("given_up") and e.seq < event.seq for e in timeline
    )


def _superseded(timeline: Timeline, event: Event) -> bool:
    """Whether an OK of a revert comes late, while a newer one is under way."""
    if not _is_late(timeline, event):
        return False
    same = [e for e in timeline if (e.kind, e.subject) == (event.kind, event.subject)]
    newer = [e for e in same if e.phase is Phase.STARTED and (event.cause or 0) < e.seq < event.seq]
    return any(not any(e.cause == n.seq and e.seq < event.seq for e in same) for n in newer)


def check_targets_outlive_faults(schedule: Schedule, timeline: Timeline) -> None:
    faults = [s for s in schedule.steps if s.verb == "fault.inject"]
    planned = {s.id for s in schedule.steps}
    for event in starts(timeline):
        if event.kind != "target.close" or event.data.get("step") in planned:
            continue
        for step in faults:
            if step.lane == event.subject:
                assert not may_be_on(timeline, step.subject, event.seq), "closed under a fault"


def check_newest_first(schedule: Schedule, timeline: Timeline) -> None:
    """After a stop, the first debt that is tried on a lane is the newest fault on it."""
    if not (stops := timeline.of("stop.tripped")):
        return
    stop = stops[0]
    seen: set[str] = set()
    for event in starts(timeline):
        lane = lane_of(schedule, event)
        if event.seq < stop.seq or event.kind != "fault.revert" or lane in seen:
            continue
        seen.add(lane)
        for other in timeline.of("fault.inject"):
            if other.phase is not Phase.STARTED or lane_of(schedule, other) != lane:
                continue
            opened = timeline.last("fault.inject", event.subject, phase=Phase.STARTED)
            assert opened is not None
            if other.seq > opened.seq and may_be_on(timeline, other.subject, event.seq):
                tried = [
                    e for e in starts(timeline)
                    if e.subject == other.subject and e.kind == "fault.revert" and e.seq < event.seq
                ]  # fmt: skip
                late = any(_is_late(timeline, e) for e in timeline.of("fault.inject"))
                assert tried or late, "an older fault was reverted before a newer one"


def check_stop_reverts_at_once(schedule: Schedule, timeline: Timeline) -> None:
    """A lane with a debt, idle when the stop comes, starts to pay in the same millisecond."""
    if not (stops := timeline.of("stop.tripped")):
        return
    stop = stops[0]
    for lane in {s.lane for s in schedule.steps if s.verb == "fault.inject"}:
        before = [e for e in timeline if lane_of(schedule, e) == lane and e.seq < stop.seq]
        begun = [e for e in before if e.phase is Phase.STARTED]
        idle = all(any(x.cause == e.seq for x in before) for e in begun)
        tried = any(e.kind in OPENER_OF for e in begun)
        injected = [e for e in begun if e.kind == "fault.inject"]
        if idle and injected and not tried:
            assert any(
                e.kind == "fault.revert"
                and lane_of(schedule, e) == lane
                and (e.at_ms == stop.at_ms)
                for e in starts(timeline)
            ), "an idle lane waited"


def check_pauses(schedule: Schedule, timeline: Timeline) -> None:
    """Between two tries of one debt there is a pause that grows."""
    limits_ = schedule.limits
    last: dict[tuple[str, str], tuple[int, int]] = {}  # count and end of the last try
    for event in timeline:
        key = (event.kind, event.subject)
        if event.kind in UNDO_OF:
            last.pop((UNDO_OF[event.kind], event.subject), None)
        elif event.kind in OPENER_OF and event.phase is Phase.STARTED:
            count = int(event.data["attempt"])
            if key in last and count > 1:
                before, ended_ms = last[key]
                pause = min(limits_.backoff_ms * 2 ** (before - 1), limits_.backoff_max_ms)
                assert count > before
                assert event.at_ms >= ended_ms + pause, "tried again without a pause"
        elif event.kind in OPENER_OF and event.phase is Phase.OK:
            last.pop(key, None)
        elif event.kind in OPENER_OF:
            started = next(e for e in timeline if e.seq == event.cause)
            if not _is_late(timeline, event):
                last[key] = (int(started.data["attempt"]), event.at_ms)


def check_always(schedule: Schedule, timeline: Timeline) -> None:
    opened = timeline.first("gate.opened", "go") is not None
    for step in (s for s in schedule.steps if s.always):
        begun = [e for e in starts(timeline) if e.data.get("step") == step.id]
        assert len(begun) <= 1, "an always step ran twice"
        assert begun or (step.unless and opened), "an always step was left out"


def check_faults_go_before_the_rest(schedule: Schedule, timeline: Timeline) -> None:
    """After a stop, what is always done begins when no debt is left to pay."""
    stops = timeline.of("stop.tripped")
    if not stops or any(e.data.get("given_up") for e in timeline):
        return
    always = {s.id for s in schedule.steps if s.always}
    begun = [e for e in starts(timeline) if e.seq > stops[0].seq]
    first = next((e.seq for e in begun if e.data.get("step") in always), None)
    if first is not None:
        assert not [e for e in begun if e.kind in OPENER_OF and e.seq > first]


def check_nothing_is_called_dirty_too_soon(
    schedule: Schedule, timeline: Timeline, dirty: tuple[str, ...]
) -> None:
    """What is called dirty was tried for as long as was promised, or cannot be known."""
    limits_ = schedule.limits
    for subject in dirty:
        kind = "target.open" if subject in LANES else "fault.inject"
        if any(_never_heard(timeline, e) for e in timeline.of(kind, subject)):
            continue
        lane = subject if kind == "target.open" else None
        if lane and any(d.startswith(f"{lane}-") for d in dirty):
            continue  # a fault on it is dirty, so it had to stay open
        tries = [e for e in timeline.of(UNDO_OF[kind], subject) if e.phase is Phase.STARTED]
        assert tries, f"`{subject}` is called dirty, but nobody tried"
        ended = [e for t in tries for e in ends_of(timeline, t)]
        last = max(e.at_ms for e in ended)
        pause = limits_.backoff_max_ms
        news = max(e.seq for e in timeline.of(kind, subject))
        since = min([t.at_ms for t in tries if t.seq > news], default=tries[0].at_ms)
        assert last + pause > since + limits_.revert_for_ms, f"`{subject}` was given up too soon"
        good = [t for t in tries if t.seq > news and ends_of(timeline, t)[0].phase is Phase.OK]
        doubted = any(_is_late(timeline, e) for e in ended)
        assert not good or doubted, f"`{subject}` was reverted, and is called dirty"


def _never_heard(timeline: Timeline, event: Event) -> bool:
    ends = [e for e in timeline if e.cause == event.seq]
    return event.phase is Phase.STARTED and all(e.data.get("given_up") for e in ends)


def check_status(schedule: Schedule, timeline: Timeline, done: Any) -> None:
    stops = timeline.of("stop.tripped")
    expected = stops[0].data["status"] if stops else RunStatus.COMPLETED.value
    assert done.status.value == expected
    required = {s.id for s in schedule.steps if s.required}
    for event in starts(timeline):
        ends = ends_of(timeline, event)
        if event.data.get("step") in required and ends[0].phase is not Phase.OK:
            assert stops, "a required step did not end ok, and the run went on"
    if not stops:
        assert not any(
            s.verb == "run.phase" and timeline.first("run.phase", s.subject) is None
            for s in schedule.steps
        ), "the run completed without all of its steps"


def check_can_be_replayed(
    engine: Engine, schedule: Schedule, timeline: Timeline, done: Any
) -> None:
    state = engine.begin(schedule)
    for event in timeline:
        state = engine.observe(state, event)
    late_ms = timeline.end_ms + 10 * (schedule.limits.revert_for_ms + schedule.limits.call_ms)
    assert engine.decide(state, late_ms) == done


def a_required_step_that_fails_ends_the_run(engine: Engine) -> None:
    """Nothing of the plan comes after it, and the fault that is in goes out at once."""
    ended = Trigger(kind="run.phase", subject="end", phase=Phase.NOTED)
    steps = (
        Step(id="a", verb="fault.inject", subject="slow", lane="payments", when=at(0)),
        Step(id="b", verb="check.baseline", subject="b", lane="gate", when=at(500), required=True),
        Step(id="c", verb="run.phase", subject="end", lane="phase", when=at(4_000), mark=True),
        Step(id="d", verb="alert.read", subject="p", lane="p", when=after(ended, 0)),
    )

    def world(step: Step, _now_ms: int) -> Any:
        failed = step.verb == "check.baseline"
        return engine.answer(phase=Phase.FAILED if failed else Phase.OK, took_ms=1)

    played = engine.simulate(Schedule(steps=steps, limits=Limits(deadline_ms=9_000)), world)

    assert played.done.status is RunStatus.INVALID
    assert played.timeline.first("run.phase") is None
    assert played.timeline.first("alert.read") is None
    reverted = played.timeline.first("fault.revert", "slow", phase=Phase.OK)
    assert reverted is not None
    assert reverted.at_ms <= 510


def stages_are_one_debt_and_end_with_their_revert(engine: Engine) -> None:
    """The revert comes when it is due, whether the last stage has come or not."""
    first = Trigger(kind="fault.inject", subject="slow", step="a")
    gate = Trigger(kind="gate.opened", subject="go", phase=Phase.NOTED)
    out = Trigger(kind="fault.revert", subject="slow", phase=Phase.STARTED)
    stage = Step(
        id="a/1", verb="fault.inject", subject="slow", lane="payments", unless=(out,),
        when=(When(all_of=(first, gate)),),
    )  # fmt: skip
    steps = (
        Step(id="a", verb="fault.inject", subject="slow", lane="payments", when=at(0)),
        stage,
        Step(id="b", verb="fault.revert", subject="slow", lane="payments", when=at(1_000)),
        Step(id="c", verb="run.phase", subject="end", lane="phase", when=at(4_000), mark=True),
    )
    schedule = Schedule(steps=steps, limits=Limits(deadline_ms=9_000))
    for opened_ms in (None, 500, 2_000):
        notes = [Event(at_ms=opened_ms, kind="gate.opened", subject="go")] if opened_ms else []
        played = engine.simulate(schedule, lambda *_: engine.answer(took_ms=5), notes)
        injects = [e for e in starts(played.timeline) if e.kind == "fault.inject"]
        reverts = [e.at_ms for e in starts(played.timeline) if e.kind == "fault.revert"]
        assert len(injects) == (2 if opened_ms == 500 else 1)
        assert reverts == [1_000]
        assert played.left == frozenset()
        assert played.done.dirty == ()
