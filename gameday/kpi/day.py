"""What became of a day so far: a fold of its journal (docs/day.md has the table of kinds)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gameday.model.day import Day
from gameday.model.event import Event, Phase
from gameday.model.verdict import ExitCode

OPENED, CLOSED = "day.opened", "day.closed"
ROLE, ASKED, GO, ITEM, RUN, CARD, STEP, DECLARED, MEASURED, PUBLISHED, REVEALED = (
    "day.role", "day.asked", "day.go", "day.item", "day.run", "day.card", "day.step",
    "day.declared", "day.measured", "day.published", "day.revealed",
)  # fmt: skip


class ItemStatus(StrEnum):
    """How far an item is. UNKNOWN: it was begun, and whoever ran it is gone."""

    WAITING = "waiting"
    UNDER_WAY = "under way"
    DONE = "done"
    NOT_STARTED = "not started"  # it was refused, or could not be started
    NO_GO = "no-go"
    UNKNOWN = "unknown"


#: After these an item is not what comes next.
_OVER = (ItemStatus.DONE, ItemStatus.NO_GO, ItemStatus.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """One item: its last try. `run` is the directory of its run, `seq` the event that began it.

    `left` is of all tries: `dirty` where something may still be broken, `unknown` where a run was
    begun and nobody knows how it ended, else empty.
    """

    id: str
    status: ItemStatus = ItemStatus.WAITING
    tries: int = 0
    seq: int | None = None
    began_ms: int | None = None
    ended_ms: int | None = None
    run: str | None = None
    outcome: str = ""
    reason: str = ""
    exit_code: int | None = None
    left: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayState:
    """A day so far. Times are milliseconds since `origin_wall_ms`."""

    origin_wall_ms: int
    opened: Mapping[str, Any]
    items: Mapping[str, ItemState]
    roles: frozenset[str] = frozenset()
    closed: Event | None = None
    published: Event | None = None

    @property
    def under_way(self) -> ItemState | None:
        """The item that was begun and has no end yet."""
        return next((i for i in self.items.values() if i.status is ItemStatus.UNDER_WAY), None)

    @property
    def next_id(self) -> str | None:
        """The first item that is not over."""
        return next((i.id for i in self.items.values() if i.status not in _OVER), None)

    @property
    def stopped(self) -> bool:
        """Whether somebody ended the day early."""
        return self.closed is not None and bool(self.closed.data.get("stopped"))


def open_question(events: Iterable[Event]) -> Event | None:
    """The question for a go that nobody has answered yet; None if none waits.

    An item that begins or ends ends it, whichever it is: one is under way at a time, so whoever
    asked is gone.
    """
    found: Event | None = None
    for event in events:
        if event.kind == ASKED:
            found = event
            continue
        same = found is not None and event.subject == found.subject
        if event.kind in (CLOSED, ITEM) or (same and event.kind == GO):
            found = None
    return found


def state_of(day: Day, events: Iterable[Event]) -> DayState:
    """The fold. Items of the journal that the plan does not have are left out."""
    items = {item.id: ItemState(id=item.id) for item in day.items}
    state = DayState(origin_wall_ms=0, opened={}, items=items)
    for event in events:
        state = _after(state, event)
    return state


def _after(state: DayState, event: Event) -> DayState:
    match event.kind:
        case "day.opened":
            origin = int(event.data.get("origin_wall_ms", 0))
            return replace(state, origin_wall_ms=origin, opened=event.data)
        case "day.role":
            roles = state.roles | {event.subject}
            taken = bool(event.data.get("taken", True))
            return replace(state, roles=roles if taken else roles - {event.subject})
        case "day.closed":
            return replace(state, closed=event)
        case "day.published":
            return replace(state, published=event)
    item = state.items.get(str(event.data.get("item", event.subject)))
    if item is None:
        return state
    return replace(state, items={**state.items, item.id: _item_after(item, event)})


def _item_after(item: ItemState, event: Event) -> ItemState:
    if event.kind == GO and not event.data.get("go"):
        return replace(item, status=ItemStatus.NO_GO, reason=str(event.data.get("text", "")))
    if event.kind == RUN:
        return replace(item, run=event.subject)
    if event.kind != ITEM:
        return item
    if event.phase is Phase.STARTED:
        return ItemState(
            id=item.id,
            status=ItemStatus.UNDER_WAY,
            tries=item.tries + 1,
            seq=event.seq,
            began_ms=event.at_ms,
            left=item.left,
        )
    if event.phase is Phase.FAILED and not event.data.get("run"):
        item = replace(item, run=None)  # its directory was removed again: nothing was touched
    status = {Phase.OK: ItemStatus.DONE, Phase.FAILED: ItemStatus.NOT_STARTED}
    return replace(
        item,
        status=status.get(event.phase, ItemStatus.UNKNOWN),
        ended_ms=event.at_ms,
        outcome=str(event.data.get("outcome", "")),
        reason=str(event.data.get("reason") or event.data.get("error") or ""),
        exit_code=event.data.get("exit_code"),
        left=_left(item, event),
        facts=event.data,
    )


def _left(item: ItemState, ended: Event) -> str:
    """What the tries of an item may have left, with this one that ended."""
    if ended.data.get("exit_code") == ExitCode.DIRTY:
        return "dirty"
    if ended.phase is Phase.OK:
        return ""
    return "unknown" if item.run is not None else item.left
