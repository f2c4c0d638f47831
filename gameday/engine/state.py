"""Everything the engine knows: a pure fold over the events of a run.

`observe` folds one event; it reads no clock and touches nothing. A state can be made again from a
journal: the events of scheduled steps carry the step's id in `data.step`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gameday.model.debts import Debt, Ledger, fold
from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase
from gameday.model.plan import Schedule, Step, Trigger

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The schedule, and what has to be looked up in it all the time."""

    schedule: Schedule
    by_id: Mapping[str, Step]
    triggers: frozenset[Trigger]  # events that some step waits for
    openers: Mapping[str, tuple[Step, ...]]  # id of a scheduled revert -> what it takes out
    lanes: Mapping[tuple[str, str], str]  # kind of opener and subject -> lane
    limits_ms: Mapping[tuple[str, str], int]  # the same -> how long a call may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An action under way, or one that was given up and not heard from since."""

    started: Event
    lane: str
    step: str | None  # id of the scheduled step
    until_ms: int  # when it is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How the paying of one debt goes."""

    first_ms: int
    count: int
    next_ms: int  # when the next try is due


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that `decide` may look at."""

    book: Book
    seen: Mapping[Trigger, int] = field(default_factory=dict)  # when each was first seen
    begun: Mapping[str, int] = field(default_factory=dict)  # step id -> seq of its beginning
    calls: tuple[Call, ...] = ()  # under way, oldest first, at most one a lane
    unheard: tuple[Call, ...] = ()  # given up, and not heard from since
    ledger: Ledger = field(default_factory=Ledger)
    tries: Mapping[int, Tries] = field(default_factory=dict)  # by `Debt.since`
    spoiled: frozenset[int] = frozenset()  # seqs of openers that did not end ok
    broken: Event | None = None  # how the first required step ended that did not end ok
    stop: Event | None = None  # the first `stop.tripped`
    error: Event | None = None  # the first `run.error`

    def busy(self, lane: str) -> bool:
        """Whether a call is under way on *lane*."""
        return any(call.lane == lane for call in self.calls)

    def lane_of(self, debt: Debt) -> str:
        """The lane on which *debt* is paid: that of the step which made it."""
        return self.book.lanes.get((debt.kind, debt.subject), debt.subject)

    def being_paid(self, debt: Debt) -> bool:
        """Whether *debt* must be paid now, even while the method goes on.

        That is so once its revert was tried, and for an inject that did not end ok: nothing is
        learned from a fault that may be half in.
        """
        return debt.since in self.tries or debt.opened in self.spoiled


def begin(schedule: Schedule) -> State:
    """The state before anything has happened."""
    openers: dict[str, tuple[Step, ...]] = {}
    last: dict[tuple[str, str], tuple[Step, ...]] = {}
    closed: set[tuple[str, str]] = set()
    for step in schedule.steps:
        if step.verb in UNDO_OF:
            key = (step.verb, step.subject)
            before = () if key in closed else last.get(key, ())  # the stages of one fault
            last[key] = (*before, step)
            closed.discard(key)
        elif (kind := OPENER_OF.get(step.verb)) and (kind, step.subject) in last:
            openers[step.id] = last[kind, step.subject]
            closed.add((kind, step.subject))
    book = Book(
        schedule=schedule,
        by_id={step.id: step for step in schedule.steps},
        triggers=frozenset(
            trigger
            for step in schedule.steps
            for trigger in (*step.unless, *(t for when in step.when for t in when.all_of))
        ),
        openers=openers,
        lanes={key: steps[-1].lane for key, steps in last.items()},
        limits_ms={key: max(s.limit_ms for s in steps) for key, steps in last.items()},
    )
    return State(book=book)


def observe(state: State, event: Event) -> State:
    """The state after *event*."""
    state = _notice(state, event)
    match event.phase:
        case Phase.STARTED:
            return _started(state, event)
        case Phase.NOTED:
            return _noted(state, event)
        case _:
            return _ended(state, event)


def call_limit_ms(state: State, event: Event, step: Step | None) -> int:
    """How long an action may take. Injects and reverts are held to the limit of the plan."""
    limits = state.book.schedule.limits
    if event.kind not in UNDO_OF and event.kind not in OPENER_OF:
        return step.limit_ms if step else limits.call_ms
    if step is None:
        key = (OPENER_OF.get(event.kind, event.kind), event.subject)
        return min(limits.call_ms, state.book.limits_ms.get(key, limits.call_ms))
    return min(limits.call_ms, step.limit_ms)


def _notice(state: State, event: Event) -> State:
    any_step = Trigger(kind=event.kind, subject=event.subject, phase=event.phase)
    for trigger in (any_step, replace(any_step, step=_step_id(state, event))):
        if trigger in state.book.triggers and trigger not in state.seen:
            state = replace(state, seen=_with(state.seen, trigger, event.at_ms))
    return state


def _step_id(state: State, event: Event) -> str:
    """The step of the plan that an event is about: its own, or that of the call that it ends."""
    if event.cause is None:
        return str(event.data.get("step", ""))
    calls = (*state.calls, *state.unheard)
    return next((c.step for c in calls if c.started.seq == event.cause and c.step), "")


def _noted(state: State, event: Event) -> State:
    if event.kind == "stop.tripped" and state.stop is None:
        return replace(state, stop=event)
    if event.kind == "run.error" and state.error is None:
        return replace(state, error=event)
    step = _step_of(state, event)
    return state if step is None else replace(state, begun=_with(state.begun, step.id, event.seq))


def _started(state: State, event: Event) -> State:
    step = _step_of(state, event)
    lane = step.lane if step else _lane(state, event)
    call = Call(
        started=event,
        lane=lane,
        step=step.id if step else None,
        until_ms=event.at_ms + call_limit_ms(state, event, step),
    )
    state = replace(state, calls=(*state.calls, call), ledger=fold(state.ledger, event))
    if step is not None:
        state = replace(state, begun=_with(state.begun, step.id, event.seq))
    if (debt := _debt_paid_by(state, event)) is None:
        return state
    before = state.tries.get(debt.since)
    first_ms = before.first_ms if before else event.at_ms
    count = before.count + 1 if before else 1
    # While a try is under way its debt cannot be called exhausted.
    now = Tries(first_ms=first_ms, count=count, next_ms=first_ms)
    return replace(state, tries=_with(state.tries, debt.since, now))


def _ended(state: State, event: Event) -> State:
    ended = [c for c in (*state.calls, *state.unheard) if c.started.seq == event.cause]
    unheard = tuple(c for c in state.unheard if c not in ended)
    if event.data.get("given_up"):
        unheard = (*unheard, *ended)
    state = replace(
        state,
        calls=tuple(c for c in state.calls if c not in ended),
        unheard=unheard,
        ledger=fold(state.ledger, event),
    )
    if event.phase is Phase.OK:
        return state
    if event.kind in UNDO_OF and event.cause is not None:
        state = replace(state, spoiled=state.spoiled | {event.cause})
    if event.kind in OPENER_OF:
        return _try_later(state, event)
    step = state.book.by_id.get(ended[0].step or "") if ended else None
    if step is not None and step.required and state.broken is None:
        return replace(state, broken=event)
    return state


def _try_later(state: State, event: Event) -> State:
    debt = _debt_paid_by(state, event)
    before = state.tries.get(debt.since) if debt else None
    if debt is None or before is None or (event.cause or 0) <= debt.since:
        return state  # paid meanwhile, or not a try of the debt as it stands now
    limits = state.book.schedule.limits
    pause_ms = min(limits.backoff_ms << min(before.count - 1, 30), limits.backoff_max_ms)
    later = replace(before, next_ms=max(before.next_ms, event.at_ms + pause_ms))
    return replace(state, tries=_with(state.tries, debt.since, later))


def _debt_paid_by(state: State, event: Event) -> Debt | None:
    kind = OPENER_OF.get(event.kind)
    for debt in state.ledger.owed:
        if (debt.kind, debt.subject) == (kind, event.subject):
            return debt
    return None


def _step_of(state: State, event: Event) -> Step | None:
    step = state.book.by_id.get(str(event.data.get("step", "")))
    return step if step is not None and step.verb == event.kind else None


def _lane(state: State, event: Event) -> str:
    kind = OPENER_OF.get(event.kind, event.kind)
    return state.book.lanes.get((kind, event.subject), event.subject)


def _with(before: Mapping[_K, _V], key: _K, value: _V) -> Mapping[_K, _V]:
    return {**before, key: value}
