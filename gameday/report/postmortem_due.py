"""Until when a postmortem is to be published, if anything asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from gameday.kpi.workdays import after_workdays
from gameday.model.day import DebriefRule
from gameday.model.report import Report, State
from gameday.model.verdict import Outcome
from gameday.report.postmortem_cites import Cites
from gameday.report.postmortem_parts import Said

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The business days that count, and the day whose plan says so.

    Of a run outside a day nobody said which: Monday to Friday in UTC, without holidays.
    """

    rule: DebriefRule = field(default_factory=DebriefRule)
    day: str = ""

    @property
    def text(self) -> str:
        """Which days are counted, for people."""
        if not self.day:
            return "Monday to Friday in UTC; holidays are not known here"
        rule = self.rule
        free = [_DAYS[number] for number in rule.weekend]
        n = len(rule.holidays)
        free += [f"{n} holiday{'s' if n > 1 else ''}"] if n else []
        listed = " and ".join(", ".join(free).rsplit(", ", 1)) or "no day"
        return f"{listed} of the day `{self.day}` not counted, in {rule.timezone}"


def due(cites: Cites, report: Report, calendar: Calendar) -> Said:
    """The sentence, with the events that ask for it."""
    hurt = next((fault for fault, _ in felt(report)), None)
    bad = [f for f in report.expectations if f.outcome is Outcome.FAIL]
    seqs = [*cites.stop, *cites.findings(bad[:1])]
    if hurt is not None:
        days, why = calendar.rule.sooner_days, "users felt the fault"
        seqs += [*cites.of(("fault.inject",), hurt)]
    elif bad or report.safety.stopped_by:
        days = calendar.rule.within_days
        why = "an expectation did not hold" if bad else "the run was stopped"
    else:
        text = "nothing asks for a postmortem: no expectation failed, the run was not stopped, "
        text += "and users were not measured to feel it"
        return Said(text=text, seqs=cites.whole)
    unit = "business day" if days == 1 else "business days"
    text = f"to be published within {days} {unit} of the end of the run, because {why}"
    last = _last_day(report, calendar.rule, days)
    if last is not None:
        text += f": by {last} ({calendar.text})"
    return Said(text=text, seqs=cites.tidy([*seqs, *cites.end]))


def felt(report: Report) -> Iterator[tuple[str, int]]:
    """Each fault that users were measured to feel, with the run time from which on."""
    on = {row.id: row.on_ms for row in report.faults}
    for ladder in report.ladders:
        rung = next((r for r in ladder.rungs if r.name == "impact"), None)
        on_ms = on.get(ladder.fault)
        if rung is None or rung.state is not State.MEASURED or on_ms is None:
            continue
        yield ladder.fault, on_ms + (rung.since_ms or 0)


def _last_day(report: Report, rule: DebriefRule, days: int) -> date | None:
    """The business day at whose end it is over; None where there is none that could be known."""
    if not report.started:
        return None
    ended = datetime.strptime(report.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    ended += timedelta(milliseconds=report.duration_ms)
    try:
        return after_workdays(ended.astimezone(ZoneInfo(rule.timezone)).date(), days, rule)
    except ValueError:  # nobody ever works
        return None
