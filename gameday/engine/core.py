"""The engine's decisions, as a pure function of what has happened so far.

`decide` says what to do next; `observe` folds one event into the state. Neither reads a clock,
starts a thread or touches the network, so a run of an hour can be replayed in a millisecond and
every ordering of failures can be tried (`gameday.testing.simulate`). The shell that owns threads
and time is `gameday.engine.loop`.

The rules of who is owed a revert live in `gameday.model.debts`. Those of the engine:

1. Once stopping, nothing is injected or opened.
2. On each lane debts are paid newest first, faults before the target they were put on; lanes do not
   wait for each other. A revert that does not succeed is tried again with growing pauses, and the
   subject is dirty only when that did not help for `revert_for_ms`.
3. A call that outlives its limit is given up as UNKNOWN. Its lane gets a fresh worker. Before the
   run ends it waits, as long as for a revert, for news of an inject that was given up.
4. A target is not closed while a fault on it may be in place, or may still come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from gameday.engine.state import State, begin, call_limit_ms, observe
from gameday.model.debts import Debt
from gameday.model.event import OPENER_OF, UNDO_OF, Event, Phase
from gameday.model.plan import Step
from gameday.model.verdict import RunStatus

__all__ = [
    "Decision", "Do", "Done", "GiveUp", "Mark", "State", "Wait", "begin", "decide", "observe",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Do:
    """Start this step now. `debt` is what it pays, if it is a revert."""

    step: Step
    debt: Debt | None = None


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop waiting for this action: record it as UNKNOWN, and give its lane a fresh worker."""

    started: Event
    lane: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Record this event; nothing is touched. A mark of the plan, or a stop by the engine itself."""

    event: Event


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until `until_ms`, or until any event, whichever comes first."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Done:
    """The run is over. `dirty` names the faults and targets that may still be in place."""

    dirty: tuple[str, ...]
    status: RunStatus
    reason: str = ""


Decision: TypeAlias = Do | GiveUp | Mark | Wait | Done


def decide(state: State, now_ms: int) -> Decision:
    """What to do at *now_ms*. A `Wait` always ends later than *now_ms*."""
    for call in state.calls:
        if call.until_ms <= now_ms:
            return GiveUp(call.started, call.lane)
    if state.stop is not None:
        return _wind_down(state, now_ms)
    over = _is_over(state)
    stop = _own_stop(state, now_ms, over)
    if stop is not None:
        return Mark(stop)
    return _wind_down(state, now_ms) if over else _play(state, now_ms)


def _play(state: State, now_ms: int) -> Decision:
    """The method: reverts that must be tried again, then what the plan says."""
    debts = tuple(d for d in state.ledger.owed if state.being_paid(d))
    action = _pay(state, now_ms, debts) or _next_step(state, now_ms)
    if action is not None:
        return action
    limits = state.book.schedule.limits
    due = (due_ms(state, s) for s in state.book.schedule.steps if not _finished(state, s))
    times = [limits.deadline_ms, *(t for t in due if t is not None), *_times(state)]
    return Wait(min(t for t in times if t > now_ms))


def _wind_down(state: State, now_ms: int) -> Decision:
    """After the method or a stop: pay every debt, do what is always done, and end."""
    action = _pay(state, now_ms, state.ledger.owed) or _last_step(state, now_ms)
    if action is not None:
        return action
    later = [t for t in (*_times(state), *_news_times(state)) if t > now_ms]
    if later:
        return Wait(min(later))
    return _done(state)


def _done(state: State) -> Done:
    dirty = state.ledger.dirty
    if state.error is not None:
        reason = str(state.error.data.get("error", "our own error"))
        return Done(dirty, RunStatus.ERRORED, reason)
    if state.stop is None:
        return Done(dirty, RunStatus.COMPLETED)
    status = str(state.stop.data.get("status", ""))
    known = status in {s.value for s in RunStatus}
    reason = str(state.stop.data.get("reason") or state.stop.subject)
    return Done(dirty, RunStatus(status) if known else RunStatus.STOPPED, reason)


# --- the plan's steps


def due_ms(state: State, step: Step) -> int | None:
    """When *step* is due, as far as that is known already."""
    times = [
        max((state.seen[t] for t in when.all_of), default=0) + when.delay_ms
        for when in step.when
        if all(t in state.seen for t in when.all_of)
    ]
    return -(-min(times) // step.align_ms) * step.align_ms if times else None


def _next_step(state: State, now_ms: int) -> Do | Mark | None:
    due = []
    for index, step in enumerate(state.book.schedule.steps):
        at_ms = due_ms(state, step)
        if at_ms is not None and at_ms <= now_ms and step.id not in state.begun:
            due.append((at_ms, index, step))
    for _, _, step in sorted(due):
        if not _finished(state, step) and (action := _start(state, step)) is not None:
            return action
    return None


def _start(state: State, step: Step) -> Do | Mark | None:
    """The action of a step that is due; None while it has to wait for its lane."""
    data = {**step.data, "step": step.id}
    if step.mark:
        return Mark(Event(kind=step.verb, subject=step.subject, data=data))
    if state.busy(step.lane):
        return None
    if step.verb in UNDO_OF and _in_trouble(state, step.lane):
        return None
    if step.verb not in OPENER_OF:
        return Do(replace(step, data=data))
    debt = next((d for d in state.ledger.owed if d.opened in _opened(state, step)), None)
    if debt is None:
        return None  # the inject that it takes out has not begun
    return Do(replace(step, data={**data, "attempt": 1}), debt)


def _in_trouble(state: State, lane: str) -> bool:
    """Whether a fault on *lane* is being taken out and has not gone yet."""
    return any(state.lane_of(d) == lane and state.being_paid(d) for d in state.ledger.owed)


def _finished(state: State, step: Step) -> bool:
    if step.id in state.begun:
        return all(call.step != step.id for call in state.calls)
    if any(t in state.seen for t in step.unless):
        return True
    if step.verb not in OPENER_OF:
        return False
    opened = _opened(state, step)
    if not opened:  # also: nothing in the plan that it could take out
        return all(_finished(state, opener) for opener in state.book.openers.get(step.id, ()))
    return not any(d.opened in opened and not state.being_paid(d) for d in state.ledger.owed)


def _opened(state: State, revert: Step) -> frozenset[int]:
    """The beginnings of what a scheduled revert takes out: of a fault, and of its stages."""
    openers = state.book.openers.get(revert.id, ())
    return frozenset(state.begun[o.id] for o in openers if o.id in state.begun)


def _is_over(state: State) -> bool:
    """Whether the method has nothing left to do, or to wait for."""
    return all(
        _finished(state, step)
        or (step.always and step.id not in state.begun and due_ms(state, step) is None)
        for step in state.book.schedule.steps
    )


def _own_stop(state: State, now_ms: int, over: bool) -> Event | None:
    """The stop that the engine itself has to make, if there is a reason for one."""
    if state.broken is not None:
        ended = state.broken
        why = ended.data.get("reason") or ended.data.get("error") or f"ended {ended.phase.value}"
        return _stop(ended.subject, RunStatus.INVALID, f"{ended.kind} {ended.subject}: {why}")
    if over:
        return None
    limits = state.book.schedule.limits
    for debt in state.ledger.owed:
        if _exhausted(state, debt):
            why = f"could not be taken out for {limits.revert_for_ms / 1000:g} s"
            return _stop(debt.subject, RunStatus.INVALID, f"`{debt.subject}` {why}")
    if now_ms < limits.deadline_ms:
        return None
    waiting = [s.id for s in state.book.schedule.steps if not _finished(state, s)]
    why = f"the run did not end within {limits.deadline_ms / 1000:g} s; open: {', '.join(waiting)}"
    return _stop("deadline", RunStatus.STOPPED, why)


def _stop(subject: str, status: RunStatus, reason: str) -> Event:
    data = {"reason": reason, "status": status.value}
    return Event(kind="stop.tripped", subject=subject, phase=Phase.NOTED, data=data)


def _last_step(state: State, now_ms: int) -> Do | Mark | None:
    """The next step that is done however the run ended: one at a time, in the plan's order."""
    if any(True for _ in _to_pay(state, now_ms, state.ledger.owed)):
        return None
    by_id = state.book.by_id
    if any(call.step is not None and by_id[call.step].always for call in state.calls):
        return None
    for step in state.book.schedule.steps:
        over = step.verb in UNDO_OF or step.verb in OPENER_OF or _finished(state, step)
        if step.always and not over:
            return _start(state, step)
    return None


# --- debts


def _pay(state: State, now_ms: int, debts: tuple[Debt, ...]) -> Do | None:
    limits = state.book.schedule.limits
    for debt, lane in _to_pay(state, now_ms, debts):
        tries = state.tries.get(debt.since)
        if state.busy(lane) or (tries is not None and tries.next_ms > now_ms):
            continue
        step = Step(
            id=f"{debt.closer} {debt.subject}",
            verb=debt.closer,
            subject=debt.subject,
            lane=lane,
            limit_ms=limits.call_ms,
            data={"attempt": tries.count + 1 if tries else 1},
        )
        return Do(step, debt)
    return None


def _to_pay(state: State, now_ms: int, debts: tuple[Debt, ...]) -> Iterator[tuple[Debt, str]]:
    """On each lane the debt that comes next, newest first, faults before targets."""
    lanes: set[str] = set()
    newest = debts[::-1]
    faults = [d for d in newest if d.kind == "fault.inject"]
    for debt in (*faults, *(d for d in newest if d.kind != "fault.inject")):
        lane = state.lane_of(debt)
        if lane in lanes or _exhausted(state, debt) or _held(state, now_ms, debt, lane):
            continue
        lanes.add(lane)
        yield debt, lane


def _exhausted(state: State, debt: Debt) -> bool:
    tries = state.tries.get(debt.since)
    if tries is None:
        return False
    return tries.next_ms > tries.first_ms + state.book.schedule.limits.revert_for_ms


def _held(state: State, now_ms: int, debt: Debt, lane: str) -> bool:
    """Whether a target must stay open: a fault is on it, may come, or is being taken out."""
    if debt.kind == "fault.inject":
        return False
    if any(d.kind == "fault.inject" and state.lane_of(d) == lane for d in state.ledger.owed):
        return True
    for call in state.unheard:
        if call.lane == lane and call.started.kind == "fault.inject":
            return True
        reverting = call.lane == lane and call.started.kind == "fault.revert"
        if reverting and now_ms < _patience_ms(state, call.until_ms):
            return True
    return False


def _patience_ms(state: State, given_up_ms: int) -> int:
    return given_up_ms + state.book.schedule.limits.revert_for_ms


# --- waiting


def _times(state: State) -> Iterator[int]:
    """When a call is to be given up, or a revert to be tried again."""
    for call in state.calls:
        yield call.until_ms
    for debt in state.ledger.owed:
        tries = state.tries.get(debt.since)
        if tries is not None and not _exhausted(state, debt):
            yield tries.next_ms


def _news_times(state: State) -> Iterator[int]:
    """Until when there may be news of calls that were given up, where that matters."""
    for lost in state.ledger.lost:
        step = state.book.by_id.get(str(lost.data.get("step", "")))
        yield _patience_ms(state, lost.at_ms + call_limit_ms(state, lost, step))
    if any(d.kind != "fault.inject" for d in state.ledger.owed):
        for call in state.unheard:
            yield _patience_ms(state, call.until_ms)
