"""Drills and tabletops of days as evidence, from the journals of days beside the runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gameday.app.day_journal import FOLDER, DayFile
from gameday.errors import JournalError
from gameday.kpi.day import ITEM, OPENED
from gameday.model.event import Event, Phase
from gameday.model.project import kind_of_environment
from gameday.model.readiness import ReadyItem
from gameday.model.readiness_evidence import ReadyService, Record
from gameday.model.verdict import Outcome

#: Of one folder of days; the newest are looked at.
DAYS_MAX = 2_000
_ERRORS = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillsFound:
    """What days told of a service, and what could not be read."""

    records: tuple[Record, ...]
    notes: tuple[str, ...]


def drills_of(
    service: ReadyService, folders: Iterable[Path], kinds: Mapping[str, str] | None = None
) -> DrillsFound:
    """Every try of the drills that the service names. Never raises for what lies there.

    *kinds* are the kinds of environments by name; others are of the kind that the name says.
    """
    if not service.drills:
        return DrillsFound(records=(), notes=())
    records: list[Record] = []
    notes: list[str] = []
    for path in _journals(folders):
        try:
            events = DayFile(path=path).events()
            for item, drill in service.drills.items():
                records += list(_records(item, drill, events, path, kinds or {}))
        except (JournalError, OSError, *_ERRORS) as error:
            notes.append(f"the day `{path}` counts for nothing: {error}")
    return DrillsFound(records=tuple(records), notes=tuple(notes))


def _journals(folders: Iterable[Path]) -> Iterator[Path]:
    """The journals of days, each once, the newest of each folder first."""
    known: set[Path] = set()
    for folder in folders:
        paths = sorted((folder / FOLDER).glob("*.jsonl"), reverse=True)[:DAYS_MAX]
        for path in paths:
            if path.resolve() not in known:
                known.add(path.resolve())
                yield path


def _records(
    item: ReadyItem,
    drill: str,
    events: tuple[Event, ...],
    path: Path,
    kinds: Mapping[str, str],
) -> Iterator[Record]:
    """Each time that *drill* was held: it passed, failed, or nobody knows how it ended."""
    day, _, name = drill.partition("/")
    opened = events[0] if events else None
    if opened is None or opened.kind != OPENED or opened.subject != day:
        return
    origin = int(opened.data["origin_wall_ms"])
    environment = str(opened.data.get("environment") or "")
    kind = kinds.get(environment, kind_of_environment(environment)) if environment else ""
    tries = [event for event in events if event.kind == ITEM and event.subject == name]
    ended = {one.cause for one in tries if one.phase in (Phase.OK, Phase.FAILED)}
    for event in tries:
        outcome = event.data.get("outcome")
        told = event.phase is Phase.OK and outcome in (Outcome.PASS.value, Outcome.FAIL.value)
        lost = event.phase is Phase.STARTED and event.seq not in ended
        if not told and not lost:
            continue
        at = datetime.fromtimestamp((origin + event.at_ms) / 1000, UTC)
        yield Record(
            item=item,
            on=at.date(),
            passed=told and outcome == Outcome.PASS.value,
            role="gameday",
            evidence=f"day {path.stem}, item {name}, in {environment}",
            where=str(path),
            at=at,
            environment=environment,
            kind=kind,
            doubt=f"the drill `{name}` of {at:%Y-%m-%d} was begun, and did not end" if lost else "",
        )
