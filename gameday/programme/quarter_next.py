"""What to test next: every pair in scope, with the reasons for its place in the list.

Points only put the list in an order, and each reason is told with its points; they are no score of
a service.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gameday.model.finding_record import FindingSeverity, FindingState
from gameday.model.quarter import History, RunKind, RunSeen
from gameday.model.quarter_report import Sheet
from gameday.model.verdict import Outcome
from gameday.programme.quarter_coverage import FRESH_DAYS, Pair, Scope, last_valid, scope_of
from gameday.programme.quarter_findings import Standing, all_standing
from gameday.programme.quarter_frame import Frame, days_since

NEVER, SMOKE_ONLY, UNCLEAR, FAILED, STALE, VERY_STALE = 40, 30, 25, 20, 20, 30
CLAIMED, INCIDENT = 15, 20
TIERS = {0: 30, 1: 25, 2: 10}
FINDINGS = {
    FindingSeverity.CRITICAL: 30,
    FindingSeverity.HIGH: 20,
    FindingSeverity.MEDIUM: 8,
    FindingSeverity.LOW: 2,
}
INCIDENT_DAYS = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a pair stands where it does."""

    points: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One pair. `scenario` is the one that last tested it, empty if none ever did."""

    service: str
    mode: str
    tier: int | None
    points: int
    reasons: tuple[Reason, ...]
    last_run: str
    age_days: int | None
    scenario: str


def candidates(history: History, frame: Frame, environment: str = "") -> tuple[Candidate, ...]:
    """Every pair in scope, what should be tested first at the top; in one environment, or in any.

    Runs with people count. What only smoke runs have tested is told as that.
    """
    scope = scope_of(history, frame)
    there = [r for r in frame.every if environment in ("", r.environment)]
    full = last_valid(r for r in there if r.kind in (RunKind.GAMEDAY, RunKind.DRILL))
    smoke = last_valid(r for r in there if r.kind is RunKind.SMOKE)
    standing = all_standing(history.findings or (), frame.as_of)
    made = []
    for pair in scope.pairs:
        last, small = full.get(pair), smoke.get(pair)
        reasons = [
            *_of_runs(last, small, frame),
            *_of_tier(scope.tiers.get(pair[0])),
            *_of_findings(pair, standing),
            *_of_incidents(pair, history, frame, last),
        ]
        made.append(_candidate(pair, scope, frame, last or small, reasons))
    made.sort(key=lambda one: (-one.points, one.service, one.mode))
    return tuple(made)


def _candidate(
    pair: Pair, scope: Scope, frame: Frame, last: RunSeen | None, reasons: list[Reason]
) -> Candidate:
    return Candidate(
        service=pair[0],
        mode=pair[1],
        tier=scope.tiers.get(pair[0]),
        points=sum(one.points for one in reasons),
        reasons=tuple(reasons),
        last_run=last.run if last else "",
        age_days=days_since(last.ended, frame.as_of) if last else None,
        scenario=last.drill if last else "",
    )


def _of_runs(full: RunSeen | None, smoke: RunSeen | None, frame: Frame) -> Iterator[Reason]:
    if full is None:
        if smoke is None:
            yield Reason(points=NEVER, text="never tested by a valid run")
        else:
            yield Reason(points=SMOKE_ONLY, text="tested by smoke runs only")
        return
    if full.outcome == Outcome.FAIL:
        yield Reason(points=FAILED, text="the last valid run failed")
    elif full.outcome != Outcome.PASS:
        yield Reason(points=UNCLEAR, text="the last valid run could not tell")
    age = days_since(full.ended, frame.as_of)
    if age > FRESH_DAYS:
        points = VERY_STALE if age > 2 * FRESH_DAYS else STALE
        yield Reason(points=points, text=f"last tested {age} days ago")


def _of_tier(tier: int | None) -> Iterator[Reason]:
    if tier is not None and tier in TIERS:
        yield Reason(points=TIERS[tier], text=f"service of tier {tier}")


def _of_findings(pair: Pair, standing: tuple[Standing, ...]) -> Iterator[Reason]:
    """The worst counts; a claimed fix waits for nothing but a run."""
    mine = [s for s in standing if s.is_active and (s.finding.service, s.finding.mode) == pair]
    if mine:
        more = f", the worst of {len(mine)}" if len(mine) > 1 else ""
        text = f"{mine[0].severity.value} finding {mine[0].finding.id} is open{more}"
        yield Reason(points=FINDINGS[mine[0].severity], text=text)
    claimed = [one.finding.id for one in mine if one.state is FindingState.FIX_CLAIMED]
    if claimed:
        yield Reason(points=CLAIMED, text=f"the fix of {claimed[0]} waits for a run to prove it")


def _of_incidents(
    pair: Pair, history: History, frame: Frame, full: RunSeen | None
) -> Iterator[Reason]:
    """An incident of this very failure mode in the last year, with no run since."""
    found = [
        one
        for one in history.incidents or ()
        if (one.service, one.mode) == pair
        and one.started <= frame.as_of
        and (frame.as_of - one.started).days <= INCIDENT_DAYS
        and (full is None or full.ended < f"{one.started:%Y-%m-%dT%H:%M:%SZ}")
    ]
    if found:
        last = max(found, key=lambda one: (one.started, one.id))
        yield Reason(points=INCIDENT, text=f"incident {last.id}, and no run since")


def next_sheet(found: tuple[Candidate, ...]) -> Sheet:
    """The list as a table."""
    columns = ("place", "service", "tier", "failure_mode", "points", "why", "age_days",
               "last_run", "scenario")  # fmt: skip
    rows = tuple(
        (place, c.service, c.tier, c.mode, c.points, why_of(c), c.age_days, c.last_run or None,
         c.scenario or None)
        for place, c in enumerate(found, 1)
    )  # fmt: skip
    return Sheet(name="next", title="What to test next", columns=columns, rows=rows)


def why_of(candidate: Candidate) -> str:
    """Every reason with its points."""
    return "; ".join(f"{one.text} (+{one.points})" for one in candidate.reasons) or "covered"
