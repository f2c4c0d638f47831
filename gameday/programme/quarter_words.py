"""The words of a quarter's report: three sentences, the decisions asked for, and how we know."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from gameday.model.finding_record import FindingState
from gameday.model.quarter import History, RunKind
from gameday.model.quarter_report import CoverageMap, Exposure, Number
from gameday.model.units import format_ratio
from gameday.programme.quarter_coverage import FRESH_DAYS, TOP_TIER, Scope
from gameday.programme.quarter_findings import Standing
from gameday.programme.quarter_frame import TREND_LEAST, Frame
from gameday.programme.quarter_outside import due_drills
from gameday.programme.quarter_runbooks import PROOF_DAYS

DECISIONS_MAX = 5
_HEAVY = ("critical", "high")


def of_n(number: Number) -> str:
    """`34 of 40 (85 %, 95 %: 70.93 % to 92.94 %)`; without cases `not measured`."""
    if number.value is None or number.low is None or number.high is None:
        return "not measured"
    interval = f"95 %: {format_ratio(number.low)} to {format_ratio(number.high)}"
    return f"{number.k} of {number.n} ({format_ratio(number.value)}, {interval})"


def sentences(
    frame: Frame, history: History, four: Sequence[Number], top: Sequence[Exposure]
) -> tuple[str, ...]:
    """What was done, what it showed, and what is open."""
    runs = frame.now
    valid = sum(run.valid for run in runs)
    games = sum(run.kind is RunKind.GAMEDAY for run in runs)
    smoke = sum(run.kind is RunKind.SMOKE for run in runs)
    services = len({run.service for run in runs if run.valid})
    dirty = sum(not run.clean for run in runs)
    done = (
        f"{_n(len(runs), 'run')} of {_n(services, 'service')} ended in the quarter: "
        f"{games} GameDay, {smoke} smoke, {len(runs) - games - smoke} other; {valid} were valid"
    )
    done += f", and after {dirty} a fault could not be shown to be gone" if dirty else ""
    caught = next((one for one in four if one.name == "recall_in_time"), None)
    if caught is None or caught.value is None:
        showed = "Whether alerts catch what breaks was not measured in GameDay runs"
    else:
        where = f"{caught.environment} {caught.kind} runs"
        showed = f"In {where} alerts caught {of_n(caught)} of what should have been seen, in time"
    return done, showed, _open_sentence(history, top)


def _open_sentence(history: History, top: Sequence[Exposure]) -> str:
    if history.findings is None:
        return "No findings register was given, so what is open is not known"
    heavy = [one for one in top if one.severity in _HEAVY]
    late = sum(one.overdue for one in heavy)
    return (
        f"{_n(len(top), 'finding')} {'is' if len(top) == 1 else 'are'} open, {len(heavy)} of "
        f"them critical or high with no accepted risk; {late} of these past due"
    )


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def decisions(
    frame: Frame,
    history: History,
    standing: Sequence[Standing],
    top: Sequence[Exposure],
    maps: Sequence[CoverageMap],
) -> tuple[str, ...]:
    """What only those who pay can decide, the most urgent first."""
    return tuple(_asked(frame, history, standing, top, maps))[:DECISIONS_MAX]


def _asked(
    frame: Frame,
    history: History,
    standing: Sequence[Standing],
    top: Sequence[Exposure],
    maps: Sequence[CoverageMap],
) -> Iterator[str]:
    if dirty := sum(not run.clean for run in frame.now):
        yield f"stop until it is known why after {_n(dirty, 'run')} a fault may still be in place"
    late = [one for one in top if one.severity in _HEAVY and one.overdue]
    if late:
        yield (
            f"fund the fix of, or accept until a date, {_n(len(late), 'critical or high finding')} "
            f"past due, {late[0].id} ({late[0].service}) first"
        )
    ended = [s for s in standing if s.is_active and s.changes[-1].state == _ACCEPTED]
    soon = frame.as_of.date() + datetime.timedelta(days=FRESH_DAYS)
    ending = [s for s in standing if s.until and datetime.date.fromisoformat(s.until) <= soon]
    if ended:
        yield f"renew or fix {_n(len(ended), 'risk')} whose acceptance is over: {_ids(ended)}"
    if ending:
        yield f"renew or fix {_n(len(ending), 'risk')} accepted for {FRESH_DAYS} days more at most"
    for one in maps:
        tiers = dict(one.services)
        never = [c for c in one.cells if c.needed and not c.letter and _is_top(tiers, c.service)]
        if never:
            yield (
                f"make room to test {_n(len(never), 'failure mode')} of services of tier 0 and 1 "
                f"that no {one.environment} {one.kind} run ever tested"
            )
    if history.drills is not None:
        missed = [d for d in due_drills(history.drills, frame.period, frame) if d.held is None]
        if missed:
            yield f"say when {_n(len(missed), 'restore drill')} that did not happen will be held"


_ACCEPTED = FindingState.RISK_ACCEPTED


def _ids(standing: Sequence[Standing]) -> str:
    return ", ".join(one.finding.id for one in standing[:3])


def _is_top(tiers: dict[str, int | None], service: str) -> bool:
    tier = tiers.get(service)
    return tier is not None and tier <= TOP_TIER


def notes(frame: Frame, history: History, scope: Scope) -> tuple[str, ...]:
    """Method, what was left out, and what is not known."""
    return (
        "a run counts in the quarter in which it ended; a due date in the quarter it falls in",
        "environments, and GameDay, smoke, drill and control runs, are never added up; durations "
        "are never added up over failure modes",
        "shares are k of n with Wilson's 95 % interval; medians are Kaplan and Meier's, in which "
        "a miss counts as longer than it was watched, with Brookmeyer and Crowley's interval",
        "a fault that we took out ourselves is no restoration: it counts as longer than it was in",
        f"last quarter is compared over the scenarios that both have; a change is said from "
        f"{TREND_LEAST} cases on each side, if the intervals do not touch",
        f"a pair is covered by a valid run in the last {FRESH_DAYS} days, a runbook is proven for "
        f"{PROOF_DAYS} days",
        "a run is valid if it ended by itself or by a stop condition, could have shown something, "
        "and every fault was shown to be gone; other runs count only as begun",
        "how users were restored is told apart by what was proven or acknowledged; without either "
        "it counts as self-healed",
        "what exercises spent of an error budget is the time of full outage that does as much harm "
        "to the requests of all runs, over the outage that the objective allows in the quarter",
        "postmortems and debriefs are due at the end of the fifth business day after; of an "
        "incident Monday to Friday in UTC, of a day by the calendar of its plan",
        "nothing is computed per person",
        *_left_out(frame, history, scope),
    )


def _left_out(frame: Frame, history: History, scope: Scope) -> Iterator[str]:
    if invalid := [run for run in frame.now if not run.valid]:
        yield f"{_n(len(invalid), 'run')} of {len(frame.now)} were not valid and show nothing"
    early = sum(run.ended < f"{frame.period.before.start:%Y-%m-%d}" for run in frame.every)
    if early == 0:
        yield "there are no runs from before last quarter, so `never` means since then"
    if not scope.given:
        yield "no scope was imported: coverage is of what a run, finding or incident has named"
    given = (
        ("findings", history.findings, "findings and due dates"),
        ("incidents", history.incidents, "incidents"),
        ("deployments", history.deployments, "change failure rate"),
        ("drills", history.drills, "restore drills"),
    )
    for name, value, what in given:
        if value is None:
            yield f"no {name} were given: {what} not measured"
    yield from _not_told(frame, history)
    for text in history.unread[:10]:
        yield f"left out: {text}"
    if len(history.unread) > 10:
        yield f"left out: {len(history.unread) - 10} more runs and days that could not be read"


def _not_told(frame: Frame, history: History) -> Iterator[str]:
    if not any(run.budgets for run in frame.now):
        yield "no run told what it spent of an objective: error budgets not measured"
    if history.incidents is not None and not any(one.owed for one in history.incidents):
        yield "no incident has a `postmortem_at`: postmortems not measured"
    if not history.days:
        yield "no day below the reports is over: debriefs not measured"
    yield "planned GameDays that were not held are not measured"
