"""The plan of a day as people write it, key by key."""

from __future__ import annotations

import datetime
import re
from dataclasses import field
from typing import Annotated, Any

from gameday.model.day import ABORT_WORD, DEFAULT_ENVIRONMENT, ROLES, DebriefRule, DrillKind
from gameday.scenario import fields as f
from gameday.scenario import fields_places as p
from gameday.scenario.validate import GIVEN, Either, FieldError, Scalar, about, document

_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DAY_MS = 86_400_000
_MOST_KEPT_DAYS = 3_650
_KEPT = r"[0-9]{1,4}d"


def _moment(value: Any) -> str:
    hint = "write `2026-12-01 09:00`, in quotes"
    text = f.matching(_MOMENT, "value/date", "a date with a time", hint)(value)
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        raise FieldError("value/date", f"`{text}` is not in the calendar", hint) from None
    return text


def _kept(value: Any) -> int:
    hint = f"write whole days from `1d` to `{_MOST_KEPT_DAYS}d`"
    text = f.matching(_KEPT, "value/duration", "a number of days", hint)(value)
    days = int(text[:-1])
    if not 1 <= days <= _MOST_KEPT_DAYS:
        raise FieldError("value/duration", f"`{text}` is not possible here", hint)
    return days


def _argument(value: Any) -> str:
    text = f.TEXT.parse(value)
    if re.search(r"[\0\r\n]", text):
        raise FieldError("value/argument", "an argument of a program is one line", "shorten it")
    return str(text)


MOMENT = Scalar(_moment, f.pattern(_MOMENT, examples=["2026-12-01 09:00"]))
KEPT = Scalar(_kept, f.pattern(_KEPT, examples=["365d"]))
WORD = Scalar(_argument, {"type": "string", "pattern": r"\S"})
ROLE = f.choice(ROLES)
DRILL = f.choice([one.value for one in DrillKind])
BUSINESS_DAYS = f.whole(1, 60, "a number of business days")
WITHIN = f.between(1_000, 4 * 3_600_000, "from `1s` to `4h`")
TARGET = f.between(1_000, 7 * _DAY_MS, "from `1s` to `7d`")
EVERY = f.between(60_000, 4 * 3_600_000, "from `1m` to `4h`")
AT = f.between(0, 8 * 3_600_000, "from `0s` to `8h`")
Text = Annotated[str, f.TEXT]
Role = Annotated[str, ROLE]


@document
class WindowDoc:
    """When the items of the day may be run: each begins and ends within it."""

    from_: Annotated[str, MOMENT, about("its first moment, by the clock on the wall", key="from")]
    to: Annotated[str, MOMENT, about("when it is over")]
    timezone: Annotated[str, p.ZONE, about("the time zone; UTC unless given")] = "UTC"


@document
class AbortDoc:
    """How anybody ends the day at once."""

    word: Annotated[str, f.TEXT, about("what is said")] = ABORT_WORD
    who: Annotated[list[Role], about("the roles that may; anybody unless given")] = field(
        default_factory=list
    )


@document
class CommsDoc:
    """Where people talk, and how often others are told."""

    channel: Annotated[str, f.TEXT, about("the channel of everybody")] = ""
    bridge: Annotated[str, f.TEXT, about("the call of those who respond")] = ""
    every: Annotated[int, EVERY, about("an update is due so often")] = 1_800_000


@document
class KeptDoc:
    """The evidence that is kept."""

    what: Annotated[list[Text], about("what is kept beside journals and reports")] = field(
        default_factory=list
    )
    keep: Annotated[int | None, KEPT, about("for how long")] = None


@document
class DebriefDoc:
    """How soon the debrief is published, in business days after the day."""

    within: Annotated[int, BUSINESS_DAYS, about("so many, as a rule")] = DebriefRule().within_days
    sooner: Annotated[
        int, BUSINESS_DAYS, about("so many where users were hurt, or something critical was found")
    ] = DebriefRule().sooner_days
    weekend: Annotated[
        list[str] | list[int],
        Either(list[Annotated[str, p.DAY]], p.DAY_RANGE),
        about("days of each week on which nobody works: `sat-sun`, or a list"),
    ] = field(default_factory=lambda: ["sat", "sun"])
    holidays: Annotated[
        str | None, f.TEXT, about("a file of days on which nobody works, one date a line")
    ] = None
    timezone: Annotated[str, p.ZONE, about("where those work who write it")] = "UTC"


@document
class CardDoc:
    """One card of a tabletop."""

    at: Annotated[int, AT, about("so long after the start, such as `10m`")]
    inject: Annotated[str, f.TEXT, about("what happens")]
    ask: Annotated[str, f.TEXT, about("what has to be decided")] = ""
    expected: Annotated[list[Text], about("what a good answer has; not shown to players")] = field(
        default_factory=list
    )
    objective: Annotated[str, f.TEXT, about("which objective it serves")] = ""


@document
class TabletopDoc:
    """A talk about a failure, by cards. Nothing is broken."""

    objectives: Annotated[list[Text], about("what is to be learnt")] = field(default_factory=list)
    cards: Annotated[list[CardDoc], about("the cards, in the order of their times")]


@document
class DrillStepDoc:
    """One program of a drill. Exit code 0 is success."""

    name: Annotated[str, f.TEXT, about("what it does, in a few words")]
    run: Annotated[
        list[Annotated[str, WORD]], about("the program and its arguments, run in the project")
    ]
    within: Annotated[int, WITHIN, about("it is ended after this")] = 60_000


@document
class DrillDoc:
    """A restore, or a fail-over, that is really done."""

    what: Annotated[str, DRILL, about("what is rehearsed")] = DrillKind.RESTORE.value
    rto: Annotated[int, TARGET, about("the service is back within this")]
    rpo: Annotated[int | None, TARGET, about("no more than this is lost; needs `newest`")] = None
    prepare: Annotated[
        list[DrillStepDoc], about("what is done before the clock of the drill starts")
    ] = field(default_factory=list)
    steps: Annotated[list[DrillStepDoc], about("what brings it back")]
    checks: Annotated[
        list[DrillStepDoc], about("what shows that it is usable, and that nothing is damaged")
    ]
    newest: Annotated[
        DrillStepDoc | None,
        GIVEN,
        about("prints when the newest record that came back was made, as its last line"),
    ] = None
    clean_up: Annotated[list[DrillStepDoc], about("takes away what the drill made; always run")] = (
        field(default_factory=list)
    )


@document
class DayItemDoc:
    """One thing that is done in the day. Exactly one of `scenario`, `tabletop` and `drill`."""

    id: Annotated[
        str | None, f.NAME, about("its name; the file's name, or kind and place, unless given")
    ] = None
    title: Annotated[str, f.TEXT, about("what it is, in one line")] = ""
    scenario: Annotated[
        str | None, f.TEXT, about("a scenario file, from the folder of the project file")
    ] = None
    profile: Annotated[str | None, f.NAME, about("a profile of the scenario")] = None
    seed: Annotated[int, f.whole(0, 2**31, "a seed"), about("the seed of the run")] = 0
    tabletop: Annotated[TabletopDoc | None, GIVEN, about("a talk by cards")] = None
    drill: Annotated[DrillDoc | None, GIVEN, about("a restore or a fail-over")] = None
    hypothesis: Annotated[
        str, f.TEXT, about("what is believed; that of the scenario unless given")
    ] = ""
    stop: Annotated[
        str, f.TEXT, about("when it is ended early; what the scenario says unless given")
    ] = ""
    undo: Annotated[str, f.TEXT, about("how everything is put back")] = ""


@document
class DayDoc:
    """The plan of a day: a GameDay, a tabletop, a drill, or several of them."""

    gameday: Annotated[int, f.VERSION, about("version of the format")]
    day: Annotated[str, f.NAME, about("the name of the day")]
    title: Annotated[str, f.TEXT, about("what the day is about, in one line")]
    objective: Annotated[str, f.TEXT, about("what is to be found out, and why now")]
    items: Annotated[list[DayItemDoc], about("what is done, in order")]
    scope: Annotated[list[Text], about("what may be touched")] = field(default_factory=list)
    out_of_scope: Annotated[list[Text], about("what must not be touched")] = field(
        default_factory=list
    )
    environment: Annotated[str, f.NAME, about("where scenarios and drills are run")] = (
        DEFAULT_ENVIRONMENT
    )
    window: Annotated[
        WindowDoc | None, GIVEN, about("when items may be run; at any time unless given")
    ] = None
    change: Annotated[str | None, f.TEXT, about("the change under which this is done")] = None
    roles: Annotated[list[Role], about("the roles that have to be taken")] = field(
        default_factory=list
    )
    real: Annotated[list[Text], about("what is real")] = field(default_factory=list)
    simulated: Annotated[list[Text], about("what is played")] = field(default_factory=list)
    knows: Annotated[
        list[Role], about("the roles that know what is broken; all know unless given")
    ] = field(default_factory=list)
    impact_limit: Annotated[
        str, f.TEXT, about("what users may feel at most; beyond it the day is stopped")
    ] = ""
    abort: Annotated[AbortDoc, about("how anybody ends the day at once")] = field(
        default_factory=AbortDoc
    )
    comms: Annotated[CommsDoc, about("where people talk")] = field(default_factory=CommsDoc)
    preflight: Annotated[list[Text], about("what people look at before the first item")] = field(
        default_factory=list
    )
    evidence: Annotated[KeptDoc, about("what is kept")] = field(default_factory=KeptDoc)
    debrief: Annotated[DebriefDoc, about("how soon the debrief is published")] = field(
        default_factory=DebriefDoc
    )
