"""What somebody sees who looks on at a day: folded from its journal and its plan, as plain data.

As of a run (`gameday.app.onlooker`) there are two views. `full` is everything. `blind` is for those
who must not know what is broken: items have numbers there instead of names, and nothing is in it
that names a scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gameday.app.day_journal import DayFile
from gameday.app.day_kept import as_begun
from gameday.app.onlooker import BLIND_ROLES, PEOPLE, heard
from gameday.kpi.day import REVEALED, DayState, ItemState, ItemStatus, open_question, state_of
from gameday.model.day import ROLES, Day, DayItem
from gameday.model.event import Event, Phase
from gameday.processes import Life
from gameday.report.day_moments import day_moment

#: Who knows in a blind day that was begun before its journal said so.
_KNOW = ("owner", "coordinator")
#: What of an item's state those may know who must not know what is broken: not what came out.
_PLAIN = {
    ItemStatus.WAITING: "waiting",
    ItemStatus.UNDER_WAY: "under way",
    ItemStatus.NO_GO: "no-go",
    ItemStatus.NOT_STARTED: "not started",
}


@dataclass(slots=True)
class DayOnlooker:
    """One day as it is seen from outside. `see` takes each event once, in order.

    `day` is its plan; None for a day without one, or whose plan cannot be read any more.
    `blind_roles` must not know what is broken; None where the day does not say who knows.
    """

    file: DayFile
    day: Day | None = None
    origin_wall_ms: int = 0
    revealed_wall_ms: int = -1
    blind_roles: frozenset[str] | None = None
    heard: frozenset[str] = frozenset(BLIND_ROLES)
    _events: list[Event] = field(default_factory=list)
    _state: DayState | None = None

    def __post_init__(self) -> None:
        opened = self.file.opened()
        if opened is None:
            return
        self.origin_wall_ms = int(opened.data["origin_wall_ms"])
        self.day = plan_of(self.file, opened)
        if self.file.planned:
            self.blind_roles = _blind_roles(opened, self.day)
            self.heard = self.blind_roles or self.heard

    def see(self, event: Event) -> None:
        """Take one event in."""
        self._events.append(event)
        self._state = None
        if event.kind == REVEALED:
            self.revealed_wall_ms = self.origin_wall_ms + event.at_ms

    @property
    def state(self) -> DayState | None:
        """How far it is; None without a plan."""
        if self._state is None and self.day is not None:
            self._state = state_of(self.day, self._events)
        return self._state

    @property
    def seen(self) -> int:
        """How many events were taken in."""
        return len(self._events)

    @property
    def over(self) -> bool:
        """Whether somebody has ended it."""
        return self.state is not None and self.state.closed is not None

    @property
    def item_under_way(self) -> bool:
        """Whether an item is under way; looked up on the disk. Raises `JournalError`."""
        if self.day is None or self.file.runner() is Life.GONE:
            return False
        return state_of(self.day, self.file.events()).under_way is not None

    @property
    def nothing_left(self) -> bool:
        """Whether no item is under way, and none is left to be done."""
        state = self.state
        if state is None:
            return True
        return state.under_way is None and (self.over or state.next_id is None)

    def view(self, *, blind: bool) -> dict[str, Any] | None:
        """What a view shows of the day; None without a plan."""
        day, state = self.day, self.state
        if day is None or state is None:
            return None
        opened = {str(one.get("id")): one for one in state.opened.get("items") or ()}
        items = [
            self._item(number, item, state.items[item.id], opened.get(item.id) or {}, blind=blind)
            for number, item in enumerate(day.items, start=1)
        ]
        shown = {
            "name": day.id,
            "title": day.title,
            "environment": day.environment,
            "abort": {"word": day.abort_word, "who": list(day.abort_by)},
            "channel": day.comms.channel,
            "bridge": day.comms.bridge,
            "knows": list(day.knows),
            "roles": [{"role": role, "taken": role in state.roles} for role in day.roles],
            "items": items,
            "asked": self._question(blind=blind),
            "over": self.over,
            "stopped": None,
        }
        if state.closed is not None and state.stopped:
            by = str(state.closed.data.get("by") or "somebody")
            reason = str(state.closed.data.get("reason") or "")
            shown["stopped"] = f"stopped by {by}" if blind else f"{reason} ({by})"
        if not blind:
            shown |= {"objective": day.objective, "limit": day.impact_limit}
        return shown

    def _item(
        self, number: int, item: DayItem, state: ItemState, said: Mapping[str, Any], *, blind: bool
    ) -> dict[str, Any]:
        left = state.status is ItemStatus.UNDER_WAY and self.file.runner() is Life.GONE
        if blind:
            word = _PLAIN.get(state.status, "over")
            return {"name": f"part {number}", "status": "cut short" if left else word}
        return {
            "name": item.id,
            "kind": item.kind.value,
            "title": str(said.get("title") or item.title),
            "hypothesis": str(said.get("hypothesis") or item.hypothesis),
            "status": "cut short" if left else state.status.value,
            "outcome": state.outcome or None,
            "reason": state.reason,
            "run": state.run,
        }

    def _question(self, *, blind: bool) -> dict[str, Any] | None:
        """What waits for a go, while whoever asked is there."""
        found = open_question(self._events)
        if found is None or self.day is None or self.file.runner() is Life.GONE:
            return None
        names = [item.id for item in self.day.items]
        if found.subject not in names:
            return None
        name = f"part {names.index(found.subject) + 1}" if blind else found.subject
        return {"seq": found.seq, "name": name, "since_wall_ms": self.origin_wall_ms + found.at_ms}

    def entry(self, event: Event, *, blind: bool) -> dict[str, Any] | None:
        """One line of the timeline; None for what is no news to those who see the view."""
        if event.kind in PEOPLE:
            hidden = blind and not heard(event, self.heard)
            text = "" if hidden else str(event.data.get("text", ""))
        else:
            text = self._blind_line(event) if blind else day_moment(event)
        if not text:
            return None
        who = event.subject if event.kind in PEOPLE else ""
        at = self.origin_wall_ms + event.at_ms
        return {"at": at, "kind": event.kind, "who": who, "text": text, "run": ""}

    def _blind_line(self, event: Event) -> str:
        """What the blind view is told of an event of the day: no item by its name, no reason."""
        match event.kind:
            case "day.opened" | "day.role" | "day.revealed":
                return day_moment(event)
            case "day.closed":
                return "the day was stopped" if event.data.get("stopped") else "the day was over"
            case "day.asked" | "day.go" | "day.item":
                names = [item.id for item in self.day.items] if self.day is not None else []
                part = f"part {names.index(event.subject) + 1}" if event.subject in names else "it"
                if event.kind == "day.item":
                    return f"{part} {'began' if event.phase is Phase.STARTED else 'ended'}"
                return day_moment(replace(event, subject=part))
        return ""

    def texts(self, *, now_wall_ms: int, impact: str, blind: bool) -> list[dict[str, str]]:
        """What is told to others, to be copied: the same words as `gameday day text`."""
        from gameday.report.day_text import MOMENTS, message

        if self.day is None:
            return []
        return [
            {
                "name": moment,
                "text": message(
                    self.day, moment, self.state, now_ms=now_wall_ms, impact=impact, hide=blind
                ),
            }
            for moment in MOMENTS
        ]


def _blind_roles(opened: Event, day: Day | None) -> frozenset[str]:
    """By what the journal says, so that a plan that cannot be read any more tells nobody more."""
    if not opened.data.get("blind"):
        return frozenset()
    knows = opened.data.get("knows") or (day.knows if day is not None else _KNOW)
    return frozenset(ROLES) - frozenset(str(role) for role in knows)


def plan_of(file: DayFile, opened: Event | None) -> Day | None:
    """The plan as it was when the day began; None where there is none that can be read."""
    if opened is None or not file.planned:
        return None
    base = Path(file.path.parent, str(opened.data.get("base") or "."))
    try:
        return as_begun(file.folder, base.resolve())
    except (OSError, ValueError):
        return None
