"""How fast a run was safe again: from the stop to the last fault confirmed off, and each undo.

Times are whole milliseconds of run time. A fault that was never confirmed off is censored, with the
time until the journal ends as a lower bound; it is never left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from gameday.model.debts import ledger_of
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import Safety, State, UndoTime

_FAULT = "fault.inject"


def safety_of(plan: Plan, timeline: Timeline) -> Safety:
    """The time to safe, and how long each fault took to be taken out."""
    stop = timeline.first("stop.tripped")
    undos = tuple(_undo(timeline, fault.id) for fault in plan.scenario.faults)
    if stop is None:
        closed = timeline.last("run.closed")
        ended = "the run was not stopped" if closed else "the journal ends in the middle of the run"
        return not_stopped(ended, undos)
    names = in_place(timeline, stop)
    state, took_ms, why = _time_to_safe(timeline, stop, names)
    return Safety(
        stopped_by=stop.subject,
        reason=str(stop.data.get("reason") or ""),
        stopped_ms=stop.at_ms,
        in_place=names,
        n=len(names),
        state=state,
        time_to_safe_ms=took_ms,
        why=why,
        undos=undos,
    )


def in_place(timeline: Timeline, stop: Event) -> tuple[str, ...]:
    """Faults that were in when *stop* was recorded, or may have been, or could still come."""
    ledger = ledger_of(event for event in timeline if event.seq <= stop.seq)
    owed = [debt.subject for debt in ledger.owed if debt.kind == _FAULT]
    lost = [event.subject for event in ledger.lost if event.kind == _FAULT]
    return tuple(dict.fromkeys([*owed, *lost]))


def not_stopped(why: str, undos: tuple[UndoTime, ...] = ()) -> Safety:
    """Of a run in which there is no stop to count from."""
    return Safety(
        stopped_by="",
        reason="",
        stopped_ms=None,
        in_place=(),
        n=0,
        state=State.NOT_MEASURED,
        time_to_safe_ms=None,
        why=why,
        undos=undos,
    )


def _time_to_safe(
    timeline: Timeline, stop: Event, names: tuple[str, ...]
) -> tuple[State, int | None, str]:
    if not names:
        return State.NOT_MEASURED, None, "no fault was in place when the run was stopped"
    dirty = ledger_of(timeline).dirty
    offs = {name: _off_ms(timeline, name) for name in names if name not in dirty}
    left = [name for name in names if offs.get(name) is None]
    if left:
        listed = ", ".join(f"`{name}`" for name in left)
        bound_ms = max(0, timeline.end_ms - stop.at_ms)
        return State.CENSORED, bound_ms, f"{listed} was never confirmed off"
    last_ms = max(at for at in offs.values() if at is not None)
    return State.MEASURED, max(0, last_ms - stop.at_ms), ""


def _undo(timeline: Timeline, fault: str) -> UndoTime:
    """From the first revert after the last inject to the read-back that found nothing."""
    injects = [e.seq for e in timeline.of(_FAULT, fault) if e.phase is Phase.STARTED]
    tries = list(_tries(timeline, fault, injects))
    if not injects or not tries:
        why = "it was never put in" if not injects else "it was never asked off"
        return UndoTime(
            fault=fault, state=State.NOT_MEASURED, took_ms=None, tries=len(tries), why=why
        )
    asked_ms = tries[0].at_ms
    off_ms = None if fault in ledger_of(timeline).dirty else _off_ms(timeline, fault)
    if off_ms is None:
        return UndoTime(
            fault=fault,
            state=State.CENSORED,
            took_ms=max(0, timeline.end_ms - asked_ms),
            tries=len(tries),
            why="it was never confirmed off",
        )
    took_ms = max(0, off_ms - asked_ms)
    return UndoTime(fault=fault, state=State.MEASURED, took_ms=took_ms, tries=len(tries), why="")


def _tries(timeline: Timeline, fault: str, injects: list[int]) -> Iterable[Event]:
    for event in timeline.of("fault.revert", fault):
        if event.phase is Phase.STARTED and injects and event.seq > injects[-1]:
            yield event


def _off_ms(timeline: Timeline, fault: str) -> int | None:
    """When *fault* was last read back as gone."""
    off = timeline.last("fault.revert", fault, phase=Phase.OK)
    if off is None or off.data.get("read_back") is not True:
        return None
    return int(off.data.get("confirmed_ms", off.at_ms))
