"""What is said about a day in words: how far it is, what an item is about, messages to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gameday.kpi.day import DayState, ItemState, ItemStatus
from gameday.model.day import Day, DayItem, Window
from gameday.model.scenario import Scenario
from gameday.model.units import format_ms
from gameday.report.describe import describe
from gameday.report.text import printable

#: The moments of a day at which others are told something.
MOMENTS = ("announce", "start", "update", "abort", "all-clear")
_UNDO = "gameday takes every fault out and reads back that it is gone"
_KINDS = {"scenario": "scenario", "tabletop": "tabletop", "drill": "drill"}


def status_text(day: Day, state: DayState) -> str:
    """For the terminal."""
    return "".join(f"{printable(line)}\n" for line in _status(day, state))


def _status(day: Day, state: DayState) -> Iterator[str]:
    yield f"{day.title} ({day.environment}{_blind(day)})"
    if day.window is not None:
        yield f"  window   {show_window(day.window)}"
    yield f"  stop     say `{day.abort_word}`, or `gameday day stop`"
    missing = [role for role in day.roles if role not in state.roles]
    taken = [role for role in day.roles if role in state.roles]
    yield f"  roles    taken: {', '.join(taken) or 'none'}" + (
        f"; nobody yet: {', '.join(missing)}" if missing else ""
    )
    for item in day.items:
        yield f"  {_item_line(item, state.items[item.id])}"
    if state.closed is not None:
        how = f"stopped: {state.closed.data.get('reason')}" if state.stopped else "over"
        yield f"  the day is {how}"


def _item_line(item: DayItem, state: ItemState) -> str:
    said = state.status.value
    if state.status is ItemStatus.DONE:
        said = f"{state.outcome}: {state.reason}"
    elif state.reason:
        said += f": {state.reason}"
    tries = f" (try {state.tries})" if state.tries > 1 else ""
    run = f" [{state.run}]" if state.run else ""
    return f"{item.id:<20} {item.kind.value:<9}{tries} {said}{run}"


def status_json(day: Day, state: DayState) -> dict[str, Any]:
    """The same for machines."""
    return {
        "id": day.id,
        "environment": day.environment,
        "blind": day.blind,
        "roles": {role: role in state.roles for role in day.roles},
        "items": [
            {
                "id": one.id,
                "kind": item.kind.value,
                "status": one.status.value,
                "tries": one.tries,
                "outcome": one.outcome or None,
                "reason": one.reason,
                "exit_code": one.exit_code,
                "run": one.run,
            }
            for item in day.items
            for one in (state.items[item.id],)
        ],
        "next": None if state.closed is not None else state.next_id,
        "over": state.closed is not None,
        "stopped": state.stopped,
    }


def briefing(day: Day, item: DayItem, scenario: Scenario | None) -> str:
    """What is about to be done: for whoever decides whether it is."""
    lines = [f"{item.id} ({_KINDS[item.kind.value]}{_blind(day)})"]
    title = item.title or (scenario.title if scenario is not None else "")
    lines += [f"  what        {title}"] if title else []
    lines += [f"  {name:<11} {text}" for name, text in what_of(item, scenario)]
    lines += [f"  limit       {day.impact_limit}"] if day.impact_limit else []
    lines += [f"  abort word  {day.abort_word}"]
    return "".join(f"{printable(line)}\n" for line in lines)


def what_of(item: DayItem, scenario: Scenario | None) -> list[tuple[str, str]]:
    """Hypothesis, fault, alerts, stop and undo of an item, those there are."""
    rows: list[tuple[str, str]] = []
    hypothesis = item.hypothesis or (scenario.hypothesis if scenario is not None else "")
    if hypothesis:
        rows.append(("hypothesis", " ".join(hypothesis.split())))
    if scenario is not None:
        rows += [("fault", f"{f.target}: {describe(f)}") for f in scenario.faults]
        alerts = ", ".join(one.alert for one in scenario.expect.alerts)
        rows += [("alerts", alerts)] if alerts else []
        stops = ", ".join(one.text for one in scenario.stop_when)
        rows.append(("stop", item.stop or stops))
        rows.append(("undo", item.undo or _UNDO))
        return rows
    if item.tabletop is not None:
        rows += [("to learn", text) for text in item.tabletop.objectives]
        rows.append(("cards", f"{len(item.tabletop.cards)}; nothing is broken"))
    if item.drill is not None:
        lost = "" if item.drill.rpo_ms is None else f", {format_ms(item.drill.rpo_ms)} lost"
        rows.append(("back within", f"{format_ms(item.drill.rto_ms)}{lost}"))
        rows += [(c.name[:11], " ".join(c.run)) for c in item.drill.steps]
    rows += [(name, text) for name, text in (("stop", item.stop), ("undo", item.undo)) if text]
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a message is made from. *hide*: those read it who must not know what is broken."""

    day: Day
    state: DayState | None
    now_ms: int
    impact: str = ""
    hide: bool = False

    @property
    def again(self) -> str:
        """When people are told the next time."""
        return f"Next update at {_at(self.now_ms + self.day.comms.every_ms)}."

    def name(self, item: str) -> str:
        """What an item is called."""
        if not self.hide:
            return item
        return f"part {[one.id for one in self.day.items].index(item) + 1}"


def message(
    day: Day,
    moment: str,
    state: DayState | None,
    *,
    now_ms: int,
    impact: str = "",
    hide: bool = False,
) -> str:
    """What is sent to others at *moment*; blind days tell nobody what is broken.

    *impact* is what users feel, where that is known. With *hide* it may be shown to those who must
    not know what is broken while the day goes on: no item, run or reason is named.
    """
    told = _Told(day=day, state=state, now_ms=now_ms, impact=impact, hide=hide)
    head = f"[EXERCISE] GameDay {day.id} on {day.environment}"
    makers = {
        "announce": _announce,
        "start": _start,
        "update": _update,
        "abort": _abort,
        "all-clear": _all_clear,
    }
    return "".join(f"{printable(line)}\n" for line in (head, *makers[moment](told)))


def _announce(told: _Told) -> Iterator[str]:
    day = told.day
    yield day.title
    if day.window is not None:
        yield f"When: {show_window(day.window)}"
    if day.change_id:
        yield f"Change: {day.change_id}"
    yield from _listed("In scope", day.scope)
    yield from _listed("Out of scope", day.out_of_scope)
    yield from _listed("Real", day.real)
    yield from _listed("Played", day.simulated)
    if day.impact_limit:
        yield f"Users may feel at most: {day.impact_limit}"
    yield "Treat alerts as real unless you are told otherwise."
    yield from _stop_line(day)


def _start(told: _Told) -> Iterator[str]:
    day = told.day
    yield f"It begins now: {day.title}"
    if not day.blind and not told.hide:
        yield f"In this order: {', '.join(item.title or item.id for item in day.items)}"
    yield from _stop_line(day)
    yield told.again


def _update(told: _Told) -> Iterator[str]:
    state = told.state
    if state is None:
        yield "It has not begun."
    else:
        done = sum(1 for one in state.items.values() if one.status is ItemStatus.DONE)
        now = "an item is under way" if state.under_way is not None else "nothing is under way"
        yield f"State: {done} of {len(state.items)} items are done, {now}."
    yield f"Impact: {told.impact or '<what users feel>'}"
    yield told.again


def _abort(told: _Told) -> Iterator[str]:
    closed = None if told.state is None or told.hide else told.state.closed
    yield f"Aborted: {'<why>' if closed is None else closed.data.get('reason')}"
    yield from _faults_out(told)


def _all_clear(told: _Told) -> Iterator[str]:
    yield "It is over."
    yield from _faults_out(told)
    runs = [one.run for one in told.state.items.values() if one.run] if told.state else []
    if runs and not told.hide:
        yield f"Reports: {', '.join(f'{run}/report.html' for run in runs)}"


def _faults_out(told: _Told) -> Iterator[str]:
    """What is known of the faults, and no more than that."""
    items = [] if told.state is None else [i for i in told.state.items.values() if i.run or i.left]
    dirty = [told.name(i.id) for i in items if i.left == "dirty"]
    open_ = [told.name(i.id) for i in items if i.left or i.status is ItemStatus.UNDER_WAY]
    if dirty:
        yield f"MAY STILL BE BROKEN: {', '.join(dirty)}"
    elif open_:
        yield f"Not known yet whether faults are out: {', '.join(open_)}"
    elif items:
        yield "Every fault is out; that was read back."
    else:
        yield "No fault was put in."


def _stop_line(day: Day) -> Iterator[str]:
    where = f" in {day.comms.channel}" if day.comms.channel else ""
    who = f" ({', '.join(day.abort_by)})" if day.abort_by else " (anybody)"
    yield f"To stop it: say `{day.abort_word}`{where}{who}."
    if day.comms.bridge:
        yield f"Bridge: {day.comms.bridge}"


def _listed(name: str, rows: Sequence[str]) -> Iterator[str]:
    if rows:
        yield f"{name}: {'; '.join(rows)}"


def show_window(window: Window) -> str:
    """By its own clock and in UTC."""
    start, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
    local = f"{window.first} to {window.last} {window.timezone}"
    if window.timezone == "UTC":
        return local
    return f"{local} ({start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC)"


def _blind(day: Day) -> str:
    return ", blind" if day.blind else ""


def _at(wall_ms: int) -> str:
    return f"{datetime.fromtimestamp(wall_ms / 1000, UTC):%H:%M} UTC"
