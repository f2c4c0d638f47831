"""The days below the reports, as a quarter counts them: their debriefs, and the drills they held.

Everything is read from the journals of days, and from the plan as it was when each began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from gameday.app.day_journal import FOLDER, HOLIDAYS, PLAN, DayFile, lasts_until_ms, now_ms
from gameday.app.run_json import measured
from gameday.errors import JournalError
from gameday.kpi.day import CLOSED, ITEM, OPENED, PUBLISHED
from gameday.kpi.workdays import deadline
from gameday.model.day import DebriefRule, ItemKind
from gameday.model.event import Event, Phase
from gameday.model.quarter import DayHeld, RestoreDrill
from gameday.model.verdict import Outcome

#: The newest are looked at.
DAYS_MAX = 2_000
#: The rate is over debriefs within so many business days, whatever a plan asks of itself.
WITHIN_DAYS = 5
_ERRORS = (KeyError, TypeError, ValueError, OverflowError, AttributeError)
_TRIED = (Phase.OK, Phase.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaysKnown:
    """What days tell, and what could not be read, with why."""

    days: tuple[DayHeld, ...] = ()
    drills: tuple[RestoreDrill, ...] = ()
    unread: tuple[str, ...] = ()


def days_known(reports: Path, project: Path | None) -> DaysKnown:
    """All days below *reports*. Never raises for what lies there.

    *project* is the project file: its folder is that of the paths in plans, and service files
    beside it say of which service a drill is.
    """
    base = None if project is None else project.resolve().parent
    days: list[DayHeld] = []
    drills: list[RestoreDrill] = []
    unread: list[str] = []
    paths = sorted((reports / FOLDER).glob("*.jsonl"), reverse=True)
    for path in paths[:DAYS_MAX]:
        file = DayFile(path=path)
        try:
            events = file.events()
            if not events or events[0].kind != OPENED:
                continue
            days += _day(file, events, base)
            drills += _drills(file, events)
        except (JournalError, OSError, *_ERRORS) as error:
            unread.append(f"the day `{file.name}`: {error}")
    if len(paths) > DAYS_MAX:
        unread.append(f"of {len(paths)} days only the newest {DAYS_MAX} were looked at")
    named = _services(project) if any(not one.service for one in drills) else {}
    return DaysKnown(
        days=tuple(days),
        drills=tuple(replace(one, service=named.get(one.drill, "")) for one in drills),
        unread=tuple(unread),
    )


def _day(file: DayFile, events: Sequence[Event], base: Path | None) -> Iterator[DayHeld]:
    """The day, if it is over and anything was begun in it."""
    opened = events[0]
    closed = next((one for one in events if one.kind == CLOSED), None)
    if closed is None or not any(_is(one, ITEM, Phase.STARTED) for one in events):
        return
    ended = _moment(opened, closed)
    published = next((one for one in events if one.kind == PUBLISHED), None)
    yield DayHeld(
        id=file.name,
        title=str(opened.data.get("title") or opened.subject),
        environment=str(opened.data.get("environment") or ""),
        ended=ended,
        due=deadline(ended, _rule(file, base), hurt=False),
        published=None if published is None else _moment(opened, published),
    )


def _rule(file: DayFile, base: Path | None) -> DebriefRule:
    """The calendar of the plan, with the holidays as they were when the day began."""
    from gameday.scenario.days import read_day

    rule = DebriefRule()
    for folder in (base, file.folder):
        day = read_day(file.folder / PLAN, base=folder).day if folder is not None else None
        if day is not None:
            rule = day.debrief
            break
    kept = file.folder / HOLIDAYS
    if kept.is_file():
        dates = [date.fromisoformat(line) for line in kept.read_text(encoding="utf-8").split()]
        rule = replace(rule, holidays=tuple(dates))
    return replace(rule, within_days=WITHIN_DAYS)


def _drills(file: DayFile, events: Sequence[Event]) -> Iterator[RestoreDrill]:
    """The last try of each drill of a day, with how many there were."""
    opened, tries = events[0], dict[str, list[Event]]()
    begun = {one.seq: one for one in events if _is(one, ITEM, Phase.STARTED)}
    for event in events:
        start = begun.get(event.cause) if event.cause is not None else None
        if event.kind != ITEM or event.phase not in _TRIED or start is None:
            continue
        if start.data.get("item_kind") == ItemKind.DRILL.value:
            tries.setdefault(event.subject, []).append(event)
    for start in _never_ended(file, events, begun):
        tries.setdefault(start.subject, []).append(start)
    for item, of in tries.items():
        last = of[-1]
        held = _moment(opened, begun[last.seq if last.cause is None else last.cause])
        whole = last.data.get("whole")
        yield RestoreDrill(
            id=f"{file.name}/{item}",
            scheduled=held,
            service="",
            held=held,
            rto_s=_seconds(last.data, "rto_ms"),
            rto_target_s=_seconds(last.data, "rto_allowed_ms"),
            rpo_s=_seconds(last.data, "rpo_ms"),
            rpo_target_s=_seconds(last.data, "rpo_allowed_ms"),
            integrity="" if whole is None else "pass" if whole is True else "fail",
            environment=str(opened.data.get("environment") or ""),
            drill=f"{opened.subject}/{item}",
            outcome=str(last.data.get("outcome") or Outcome.INCONCLUSIVE.value),
            tries=len(of),
        )


def _never_ended(
    file: DayFile, events: Sequence[Event], begun: Mapping[int, Event]
) -> Iterator[Event]:
    """The last drill of a day that can be under way no more, if nobody wrote how it ended."""
    last = max(begun.values(), key=lambda one: one.seq, default=None)
    closed = next((one for one in events if one.kind == CLOSED), None)
    over = now_ms() >= lasts_until_ms(file, events[0], closed)
    if last is None or not over or last.data.get("item_kind") != ItemKind.DRILL.value:
        return
    if all(one.cause != last.seq for one in events if one.kind == ITEM):
        yield last


def _is(event: Event, kind: str, phase: Phase) -> bool:
    return event.kind == kind and event.phase is phase


def _moment(opened: Event, event: Event) -> datetime:
    return datetime.fromtimestamp((int(opened.data["origin_wall_ms"]) + event.at_ms) / 1000, UTC)


def _seconds(data: Mapping[str, object], name: str) -> float | None:
    ms = measured(data.get(name))
    return None if ms is None else ms / 1000


def _services(project: Path | None) -> dict[str, str]:
    """Drill as `DAY/ITEM` -> the service whose file names it. Files with errors tell nothing."""
    from gameday.app.readiness import FOLDER as READINESS
    from gameday.scenario.build import read_project
    from gameday.scenario.readiness import read_service

    if project is None:
        return {}
    known, _, _ = read_project(project)
    found: dict[str, str] = {}
    for path in sorted((project.resolve().parent / READINESS / "services").glob("*.yaml")):
        read, _ = read_service(path, shown=str(path), project=known)
        for drill in read.service.drills.values() if read is not None else ():
            found.setdefault(drill, read.service.name if read is not None else "")
    return found
