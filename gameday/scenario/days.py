"""Plans of days: read, checked, and made into the values of `gameday.model.day`."""

from __future__ import annotations

import datetime
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath

from gameday.model.day import (
    ROLES_NEEDED,
    Card,
    Command,
    Comms,
    Day,
    DayItem,
    DebriefRule,
    Drill,
    DrillKind,
    ItemKind,
    Tabletop,
    Window,
)
from gameday.model.diagnostics import Diagnostic, has_errors, in_order
from gameday.model.project import Project
from gameday.scenario.day_docs import DayDoc, DayItemDoc, DebriefDoc, DrillDoc, DrillStepDoc
from gameday.scenario.fields_places import DAYS
from gameday.scenario.load import Document, load_file
from gameday.scenario.node import Marks, Path
from gameday.scenario.suggest import did_you_mean
from gameday.scenario.validate import Reader

_KINDS = tuple(kind.value for kind in ItemKind)
#: A window longer than this is no window.
_LONGEST = datetime.timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayReading:
    """What reading a plan gave; `day` is None when it has errors."""

    day: Day | None
    marks: Marks
    diagnostics: tuple[Diagnostic, ...]


@cache
def day_reader() -> Reader[DayDoc]:
    """The reader of plans of days; built once."""
    return Reader(DayDoc)


def read_day(
    path: FilePath, *, shown: str | None = None, base: FilePath | None = None
) -> DayReading:
    """The plan in a file, checked for its own sake. Never raises for what is in the file.

    *base* is the folder from which its paths are meant; the file's own unless given.
    """
    return read_day_document(load_file(path, shown=shown), base=base or path.absolute().parent)


def read_day_document(document: Document, *, base: FilePath) -> DayReading:
    """As `read_day`, of a document that was loaded."""
    marks, found = document.marks, list(document.diagnostics)
    if document.root is None:
        return DayReading(day=None, marks=marks, diagnostics=tuple(found))
    doc, problems = day_reader().read(document.root.plain())
    found += [marks.problem(p.code, p.path, p.summary, p.hint, key=p.at_key) for p in problems]
    day = None
    if doc is not None:
        holidays, wrong = _holidays(doc.debrief, marks, base)
        found += [*wrong, *_items_wrong(doc, marks), *_roles_wrong(doc, marks)]
        found += _window_wrong(doc, marks)
        if not has_errors(found):
            day = _day(doc, holidays, file=marks.file, directory=str(base))
    return DayReading(day=day, marks=marks, diagnostics=in_order(found))


def against_project(day: Day, marks: Marks, project: Project) -> Iterator[Diagnostic]:
    """What a plan says that its project does not know."""
    environment = project.environments.get(day.environment)
    if environment is None:
        yield marks.problem(
            "project/unknown-environment",
            ("environment",),
            f"there is no environment `{day.environment}`",
            did_you_mean(day.environment, list(project.environments), what="there are"),
        )
        return
    for number, item in enumerate(day.items):
        for path, command in _commands(item, ("items", number, "drill")):
            if command.run[0] not in environment.commands:
                yield marks.problem(
                    "command/not-allowed",
                    (*path, "run", 0),
                    f"`{command.run[0]}` may not be run in the environment `{environment.name}`",
                    f"add it to `commands` of `{environment.name}`, as it is written here",
                )


def _commands(item: DayItem, at: Path) -> Iterator[tuple[Path, Command]]:
    if item.drill is None:
        return
    for name in ("prepare", "steps", "checks", "clean_up"):
        for number, command in enumerate(getattr(item.drill, name)):
            yield (*at, name, number), command
    if item.drill.newest is not None:
        yield (*at, "newest"), item.drill.newest


def _items_wrong(doc: DayDoc, marks: Marks) -> Iterator[Diagnostic]:
    if not doc.items:
        yield marks.problem("day/item", ("items",), "nothing is done in this day", "add an item")
    names = Counter(_id_of(item, number) for number, item in enumerate(doc.items))
    for number, item in enumerate(doc.items):
        at: Path = ("items", number)
        given = [kind for kind in _KINDS if getattr(item, kind) is not None]
        if len(given) != 1:
            said = (
                f"this item is {' and '.join(f'`{g}`' for g in given)}"
                if given
                else ("this item does nothing")
            )
            yield marks.problem(
                "day/item", at, said, "write exactly one of `scenario`, `tabletop` and `drill`"
            )
            continue
        if names[_id_of(item, number)] > 1:
            yield marks.problem(
                "day/item",
                at,
                f"several items are called `{_id_of(item, number)}`",
                "give each an `id` of its own",
            )
        yield from _parts_wrong(item, marks, at)


def _parts_wrong(item: DayItemDoc, marks: Marks, at: Path) -> Iterator[Diagnostic]:
    if item.scenario is None and item.profile is not None:
        yield marks.problem(
            "day/item", (*at, "profile"), "only a scenario has a profile", "remove it"
        )
    if item.tabletop is not None:
        times = [card.at for card in item.tabletop.cards]
        if not times:
            yield marks.problem(
                "day/cards", (*at, "tabletop", "cards"), "there is no card", "add one"
            )
        for number, (before, after) in enumerate(itertools.pairwise(times), start=1):
            if after < before:
                yield marks.problem(
                    "day/cards",
                    (*at, "tabletop", "cards", number, "at"),
                    "this card is due before the one above it",
                    "write the cards in the order of their times",
                )
    if item.drill is not None:
        yield from _drill_wrong(item.drill, marks, (*at, "drill"))


def _drill_wrong(drill: DrillDoc, marks: Marks, at: Path) -> Iterator[Diagnostic]:
    if (drill.rpo is None) != (drill.newest is None):
        missing, there = ("newest", "rpo") if drill.newest is None else ("rpo", "newest")
        yield marks.problem(
            "day/drill",
            (*at, there),
            f"`{there}` needs `{missing}`",
            "how much is lost is known only from the newest record that came back",
            key=True,
        )
    for name, why in (
        ("steps", "a drill brings something back"),
        ("checks", "what came back and was not looked at may be damaged"),
    ):
        if not getattr(drill, name):
            yield marks.problem("day/drill", (*at, name), f"there are no `{name}`", why, key=True)
    for name in ("prepare", "steps", "checks", "clean_up"):
        for number, step in enumerate(getattr(drill, name)):
            yield from _no_program(step, marks, (*at, name, number))
    if drill.newest is not None:
        yield from _no_program(drill.newest, marks, (*at, "newest"))


def _no_program(step: DrillStepDoc, marks: Marks, at: Path) -> Iterator[Diagnostic]:
    if not step.run:
        yield marks.problem(
            "day/drill", (*at, "run"), "no program is named", "write `[program, argument]`"
        )


def _roles_wrong(doc: DayDoc, marks: Marks) -> Iterator[Diagnostic]:
    kinds = {kind for item in doc.items for kind in _KINDS if getattr(item, kind) is not None}
    needed = [role for kind in ItemKind if kind.value in kinds for role in ROLES_NEEDED[kind]]
    missing = [role for role in dict.fromkeys(needed) if role not in doc.roles]
    if missing:
        yield marks.problem(
            "day/roles",
            ("roles",),
            f"nobody is {' or '.join(f'`{role}`' for role in missing)}",
            f"add to `roles`: {', '.join(missing)}; one person may have several",
            key=True,
        )
    for key, roles in (("knows", doc.knows), ("abort", doc.abort.who)):
        for number, role in enumerate(roles):
            if role not in doc.roles:
                yield marks.problem(
                    "day/roles",
                    (key, number) if key == "knows" else (key, "who", number),
                    f"`{role}` is not a role of this day",
                    "add it to `roles`, or remove it here",
                )
    if "responder" in doc.knows:
        yield marks.problem(
            "day/roles",
            ("knows", doc.knows.index("responder")),
            "a responder who knows what is broken is not blind",
            "remove it, or the whole key",
        )


def _window_wrong(doc: DayDoc, marks: Marks) -> Iterator[Diagnostic]:
    if doc.window is None:
        return
    window = _window(doc)
    assert window is not None  # noqa: S101 - it was given
    length = window.end - window.start
    if not datetime.timedelta(0) < length <= _LONGEST:
        longer = length > _LONGEST
        yield marks.problem(
            "day/window",
            ("window", "to"),
            "the window is longer than 7 days" if longer else "the window ends before it begins",
            "write the hours in which people are there" if longer else "correct `from` or `to`",
        )


def _window(doc: DayDoc) -> Window | None:
    given = doc.window
    if given is None:
        return None
    return Window(first=given.from_, last=given.to, timezone=given.timezone)


def _holidays(
    doc: DebriefDoc, marks: Marks, base: FilePath
) -> tuple[tuple[datetime.date, ...], list[Diagnostic]]:
    if len(set(doc.weekend)) == len(DAYS):
        what, hint = "nobody ever works", "write the days of the weekend, such as `sat-sun`"
        return (), [marks.problem("day/debrief", ("debrief", "weekend"), what, hint)]
    if doc.holidays is None:
        return (), []
    at = ("debrief", "holidays")
    try:
        text = (base / doc.holidays).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        hint = "its path is from the folder of the project file"
        return (), [marks.problem("day/debrief", at, "the file cannot be read", hint)]
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.partition("#")[0].split()
        if not written:
            continue
        try:
            found.append(datetime.date.fromisoformat(written[0]))
        except ValueError:
            what = f"line {number} of `{doc.holidays}` does not begin with a date"
            hint = "write `2026-12-25 Christmas Day`, one day a line"
            return (), [marks.problem("day/debrief", at, what, hint)]
    return tuple(sorted(set(found))), []


def _day(doc: DayDoc, holidays: tuple[datetime.date, ...], *, file: str, directory: str) -> Day:
    weekend = tuple(d if isinstance(d, int) else DAYS.index(d) for d in doc.debrief.weekend)
    return Day(
        id=doc.day,
        title=doc.title,
        objective=doc.objective,
        items=tuple(_item(item, number) for number, item in enumerate(doc.items)),
        scope=tuple(doc.scope),
        out_of_scope=tuple(doc.out_of_scope),
        environment=doc.environment,
        window=_window(doc),
        change_id=doc.change,
        roles=tuple(dict.fromkeys(doc.roles)),
        real=tuple(doc.real),
        simulated=tuple(doc.simulated),
        knows=tuple(doc.knows),
        impact_limit=doc.impact_limit,
        abort_word=doc.abort.word,
        abort_by=tuple(doc.abort.who),
        comms=Comms(channel=doc.comms.channel, bridge=doc.comms.bridge, every_ms=doc.comms.every),
        preflight=tuple(doc.preflight),
        evidence=tuple(doc.evidence.what),
        keep_days=doc.evidence.keep,
        debrief=DebriefRule(
            within_days=doc.debrief.within,
            sooner_days=doc.debrief.sooner,
            weekend=tuple(sorted(set(weekend))),
            holidays=holidays,
            timezone=doc.debrief.timezone,
        ),
        file=file,
        directory=directory,
    )


def _id_of(item: DayItemDoc, number: int) -> str:
    if item.id is not None:
        return item.id
    if item.scenario is not None:
        return FilePath(item.scenario).stem
    return f"{'tabletop' if item.tabletop is not None else 'drill'}-{number + 1}"


def _item(item: DayItemDoc, number: int) -> DayItem:
    return DayItem(
        id=_id_of(item, number),
        title=item.title,
        scenario=item.scenario,
        profile=item.profile,
        seed=item.seed,
        tabletop=None
        if item.tabletop is None
        else Tabletop(
            objectives=tuple(item.tabletop.objectives),
            cards=tuple(
                Card(
                    id=f"card-{n}",
                    at_ms=card.at,
                    inject=card.inject,
                    ask=card.ask,
                    expected=tuple(card.expected),
                    objective=card.objective,
                )
                for n, card in enumerate(item.tabletop.cards, start=1)
            ),
        ),
        drill=None if item.drill is None else _drill(item.drill),
        hypothesis=item.hypothesis,
        stop=item.stop,
        undo=item.undo,
    )


def _drill(doc: DrillDoc) -> Drill:
    return Drill(
        kind=DrillKind(doc.what),
        rto_ms=doc.rto,
        rpo_ms=doc.rpo,
        prepare=_programs(doc.prepare),
        steps=_programs(doc.steps),
        checks=_programs(doc.checks),
        newest=None if doc.newest is None else _programs([doc.newest])[0],
        clean_up=_programs(doc.clean_up),
    )


def _programs(steps: Sequence[DrillStepDoc]) -> tuple[Command, ...]:
    return tuple(
        Command(name=step.name, run=tuple(step.run), within_ms=step.within) for step in steps
    )
