"""What a day was when it began, from its folder; and the day to which a run belongs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from pathlib import Path

from gameday.app.day_journal import FOLDER, HOLIDAYS, PLAN, DayFile
from gameday.app.rundir import RunDir
from gameday.errors import GamedayError
from gameday.kpi.day import RUN
from gameday.model.day import Day
from gameday.model.plan import Plan
from gameday.report.postmortem_due import Calendar

#: The newest days in which a run is looked for.
DAYS_MAX = 500


def as_begun(folder: Path, base: Path, otherwise: Day | None = None) -> Day | None:
    """The plan of a day as it was when the day began, holidays and all.

    *base* is the folder from which its paths are meant. *otherwise* stands for a plan that is not
    there any more, or cannot be read.
    """
    from gameday.scenario.days import read_day

    plan, kept = folder / PLAN, folder / HOLIDAYS
    day = (read_day(plan, base=base).day if plan.is_file() else None) or otherwise
    if day is None or not kept.is_file():
        return day
    dates = [date.fromisoformat(line) for line in kept.read_text(encoding="utf-8").split()]
    return replace(day, debrief=replace(day.debrief, holidays=tuple(dates)))


def calendar_of(where: RunDir, run_ids: Collection[str], plan: Plan) -> Calendar:
    """The business days that count for a run: those of the plan of its day, if it was in one.

    Never raises: a day that cannot be read counts for nothing.
    """
    for file in _days(where):
        try:
            day = as_begun(file.folder, Path(plan.directory)) if _has(file, run_ids) else None
        except (GamedayError, OSError, ValueError):
            continue
        if day is not None:
            return Calendar(rule=day.debrief, day=day.id)
    return Calendar()


def _days(where: RunDir) -> list[DayFile]:
    paths = sorted((where.path.parent / FOLDER).glob("*.jsonl"), reverse=True)
    return [DayFile(path=path) for path in paths[:DAYS_MAX]]


def _has(file: DayFile, run_ids: Collection[str]) -> bool:
    """Whether a run was made in a day. Most journals need not be read line by line to know."""
    raw = file.path.read_bytes()
    if not any(name.encode() in raw for name in run_ids):
        return False
    return any(event.kind == RUN and event.subject in run_ids for event in file.events())
