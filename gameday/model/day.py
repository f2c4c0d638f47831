"""The plan of a day: a GameDay, a tabletop or a drill, as values without any file or clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

#: The roles that people may have (docs/day.md says what each does, and what it must not do).
ROLES = (
    "owner", "approver", "coordinator", "commander", "responder", "scribe", "observer", "liaison",
    "business-owner", "safety-officer", "facilitator", "shadow",
)  # fmt: skip
ABORT_WORD = "ABORT GAMEDAY"
#: A window, a role and so on are asked of what is run, not of a talk: a tabletop breaks nothing.
DEFAULT_ENVIRONMENT = "local"


class ItemKind(StrEnum):
    """What an item of a day is."""

    SCENARIO = "scenario"
    TABLETOP = "tabletop"
    DRILL = "drill"


#: Without these roles an item of that kind is not begun.
ROLES_NEEDED: Mapping[ItemKind, tuple[str, ...]] = {
    ItemKind.SCENARIO: ("owner", "coordinator", "responder"),
    ItemKind.TABLETOP: ("coordinator", "commander"),
    ItemKind.DRILL: ("owner", "coordinator"),
}


class DrillKind(StrEnum):
    """What a drill rehearses."""

    RESTORE = "restore"
    FAILOVER = "failover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When things may be broken: `2026-12-01 09:00` to `2026-12-01 12:00`, by a wall clock."""

    first: str
    last: str
    timezone: str = "UTC"

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.fromisoformat(self.first).replace(tzinfo=ZoneInfo(self.timezone))

    @property
    def end(self) -> datetime:
        """The moment at which it is over."""
        return datetime.fromisoformat(self.last).replace(tzinfo=ZoneInfo(self.timezone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One inject of a tabletop: what happens `at_ms` after its start, and what is asked."""

    id: str
    at_ms: int
    inject: str
    ask: str = ""
    expected: tuple[str, ...] = ()
    objective: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabletop:
    """A talk about a failure, by cards. Nothing is broken."""

    cards: tuple[Card, ...]
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program of a drill; exit code 0 within `within_ms` is success."""

    name: str
    run: tuple[str, ...]
    within_ms: int = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A restore, or a fail-over, that is really done.

    `prepare` is what makes the ground ready, before the clock of the drill starts. `steps` bring
    the service or its data back, `newest` prints the moment of the newest record that came back,
    `checks` say whether it is usable and whole, `clean_up` takes away what the drill made.
    """

    kind: DrillKind
    rto_ms: int
    steps: tuple[Command, ...]
    checks: tuple[Command, ...]
    rpo_ms: int | None = None
    prepare: tuple[Command, ...] = ()
    newest: Command | None = None
    clean_up: tuple[Command, ...] = ()

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every program, in the order in which they are run."""
        newest = () if self.newest is None else (self.newest,)
        return (*self.prepare, *self.steps, *self.checks, *newest, *self.clean_up)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayItem:
    """One thing that is done in a day. Exactly one of `scenario`, `tabletop` and `drill`.

    `hypothesis`, `stop` and `undo` are in words; those of a scenario are its own unless given.
    """

    id: str
    title: str = ""
    scenario: str | None = None  # path from the folder of the project file
    profile: str | None = None
    seed: int = 0
    tabletop: Tabletop | None = None
    drill: Drill | None = None
    hypothesis: str = ""
    stop: str = ""
    undo: str = ""

    @property
    def kind(self) -> ItemKind:
        """What it is."""
        if self.tabletop is not None:
            return ItemKind.TABLETOP
        return ItemKind.SCENARIO if self.drill is None else ItemKind.DRILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Comms:
    """Where people talk, and how often others are told."""

    channel: str = ""
    bridge: str = ""
    every_ms: int = 1_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DebriefRule:
    """How soon the debrief is published, in business days after the day.

    `sooner_days` where users were hurt or something critical was found, else `within_days`.
    `weekend` are weekdays (0 is Monday), `holidays` further days on which nobody works.
    """

    within_days: int = 5
    sooner_days: int = 3
    weekend: tuple[int, ...] = (5, 6)
    holidays: tuple[date, ...] = ()
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """Everything that a day's plan says. `knows` is empty where everybody knows what is done."""

    id: str
    title: str
    objective: str
    items: tuple[DayItem, ...]
    scope: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()
    environment: str = DEFAULT_ENVIRONMENT
    window: Window | None = None
    change_id: str | None = None
    roles: tuple[str, ...] = ()
    real: tuple[str, ...] = ()
    simulated: tuple[str, ...] = ()
    knows: tuple[str, ...] = ()
    impact_limit: str = ""
    abort_word: str = ABORT_WORD
    abort_by: tuple[str, ...] = ()
    comms: Comms = Comms()
    preflight: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    keep_days: int | None = None
    debrief: DebriefRule = field(default_factory=DebriefRule)
    file: str = ""
    directory: str = ""

    @property
    def blind(self) -> bool:
        """Whether some who take part do not know what is broken."""
        return bool(self.knows)

    def item(self, name: str) -> DayItem | None:
        """The item of that id."""
        return next((one for one in self.items if one.id == name), None)
