"""What days tell a quarter: whether their debriefs were published in time, and their drills."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gameday.model.quarter import DayHeld, RestoreDrill
from gameday.model.quarter_report import Number, Sheet
from gameday.programme.quarter_frame import Frame, paired_once, share, was_due
from gameday.programme.quarter_period import Period, period_of


def joined(
    planned: Sequence[RestoreDrill], held: Sequence[RestoreDrill]
) -> tuple[RestoreDrill, ...]:
    """The drills that were imported, and those that days held, each once.

    A line that names the drill of a day, and does not say itself that it was held, is held by the
    last try of it from its day on: until the next line of that drill, and until its quarter ends.
    """
    left = sorted(held, key=lambda one: (one.scheduled, one.id))
    found: list[RestoreDrill] = []
    for row in planned:
        tries = [one for one in left if row.drill and _is_of(row, one, planned)]
        # a line that names no environment is held in one of them, the others stand alone
        tries = [one for one in tries if one.environment == tries[-1].environment]
        left = [one for one in left if one not in tries]
        found.append(row if row.held is not None or not tries else _held_by(row, tries[-1]))
    return (*found, *left)


def _is_of(row: RestoreDrill, one: RestoreDrill, planned: Iterable[RestoreDrill]) -> bool:
    if one.drill != row.drill or row.environment not in ("", one.environment):
        return False
    later = (
        other.scheduled
        for other in planned
        if (other.drill, other.environment) == (row.drill, row.environment)
        and other.scheduled > row.scheduled
    )
    end = min((*later, period_of(row.scheduled).end))
    return one.held is not None and row.scheduled <= one.held < end


def _held_by(row: RestoreDrill, one: RestoreDrill) -> RestoreDrill:
    """What was planned, as it was held."""
    return replace(one, id=row.id, scheduled=row.scheduled, service=row.service or one.service)


def debrief_numbers(days: Sequence[DayHeld], frame: Frame) -> Iterator[Number]:
    """Of the debriefs that were due in the quarter, those that were published by then."""
    for environment in sorted({one.environment for one in days}):
        there = [one for one in days if one.environment == environment]
        due = due_days(there, frame.period, frame)
        if not due:
            continue
        before = due_days(there, frame.period.before, frame)
        counts = [(sum(one.on_time for one in of), len(of)) for of in (due, before)]
        made = share(
            "debriefs_on_time", *counts[0], target="≥ 90 %", paired=paired_once(*counts),
            text="debriefs of days that were published within 5 business days",
        )  # fmt: skip
        yield replace(made, environment=environment)


def due_days(days: Sequence[DayHeld], period: Period, frame: Frame) -> tuple[DayHeld, ...]:
    """Those whose debrief was due in *period* until now, in order of time."""
    found = [one for one in days if was_due(one.due, period, frame.as_of)]
    return tuple(sorted(found, key=lambda one: (one.due, one.id)))


def day_sheet(days: Sequence[DayHeld], frame: Frame) -> Sheet:
    """The days whose debrief was due in the quarter."""
    columns = ("day", "title", "environment", "ended", "debrief_due", "published", "on_time")
    rows = tuple(
        (d.id, d.title, d.environment, f"{d.ended:%Y-%m-%dT%H:%M:%SZ}",
         f"{d.due:%Y-%m-%dT%H:%M:%SZ}",
         f"{d.published:%Y-%m-%dT%H:%M:%SZ}" if d.published else "not published", d.on_time)
        for d in due_days(days, frame.period, frame)
    )  # fmt: skip
    return Sheet(name="days", title="Days and their debriefs", columns=columns, rows=rows)
