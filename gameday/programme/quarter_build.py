"""The report of a quarter, made of runs, findings and what was imported. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence

from gameday.model.project import ENVIRONMENT_KINDS
from gameday.model.quarter import FindingSeen, History, RunKind
from gameday.model.quarter_report import CoverageMap, Number, Quarter, Sheet
from gameday.programme.quarter_budget import (
    Spending,
    budget_numbers,
    budget_sheet,
    spending,
)
from gameday.programme.quarter_coverage import (
    Scope,
    coverage_maps,
    coverage_numbers,
    scope_of,
)
from gameday.programme.quarter_days import debrief_numbers
from gameday.programme.quarter_findings import (
    Standing,
    all_standing,
    exposures,
    finding_numbers,
    flow_of,
)
from gameday.programme.quarter_frame import Frame, frame_of
from gameday.programme.quarter_next import candidates, next_sheet
from gameday.programme.quarter_numbers import run_numbers
from gameday.programme.quarter_outside import deployment_numbers, drill_numbers, incident_numbers
from gameday.programme.quarter_period import Period
from gameday.programme.quarter_runbooks import (
    RunbookState,
    funnel_sheet,
    runbook_numbers,
    runbook_states,
    stale_sheet,
)
from gameday.programme.quarter_sheets import (
    coverage_sheet,
    dot_sheet,
    dots_of,
    finding_sheet,
    flow_sheet,
    imported_sheets,
    number_sheet,
    outcome_sheet,
    restored_sheet,
    run_sheet,
)
from gameday.programme.quarter_words import decisions, notes, sentences

TOP_EXPOSURES = 3
_KINDS = list(RunKind)


def frame_at(history: History, period: Period, now: datetime.datetime) -> Frame:
    """The frame of *period* as it is known at *now*: a quarter that is over is seen at its end."""
    last = period.end - datetime.timedelta(seconds=1)
    return frame_of(history.runs, period, min(now, last))


def quarter_of(history: History, period: Period, now: datetime.datetime) -> Quarter:
    """The whole report."""
    frame = frame_at(history, period, now)
    scope = scope_of(history, frame)
    findings = history.findings
    standing = all_standing(findings or (), frame.as_of)
    states = runbook_states(frame)
    spent = spending(frame)
    numbers = tuple(_numbers(history, frame, scope, states, spent))
    maps = tuple(sorted(coverage_maps(frame, scope), key=_leading(frame)))
    top = exposures(standing, scope.tiers, frame.as_of)
    flow = flow_of(findings, frame) if findings is not None else ()
    dots = dots_of(frame)
    headline = _headline(numbers, maps)
    return Quarter(
        period=period.name,
        before=period.before.name,
        start=f"{period.start:%Y-%m-%d}",
        end=f"{period.end - datetime.timedelta(days=1):%Y-%m-%d}",
        as_of=f"{frame.as_of:%Y-%m-%dT%H:%M:%SZ}",
        running=now < period.end,
        sentences=sentences(frame, history, [n for _, n in headline], top),
        headline=headline,
        exposures=top[:TOP_EXPOSURES],
        decisions=decisions(frame, history, standing, top, maps[:1]),
        numbers=numbers,
        maps=maps,
        dots=dots,
        flow=flow,
        sheets=(
            number_sheet(numbers),
            coverage_sheet(maps),
            dot_sheet(dots),
            outcome_sheet(frame),
            restored_sheet(frame),
            funnel_sheet(states),
            stale_sheet(states),
            budget_sheet(spent),
            *_finding_sheets(findings, standing, flow, frame),
            *imported_sheets(history, frame),
            next_sheet(candidates(history, frame)),
            run_sheet(frame),
        ),
        notes=notes(frame, history, scope),
    )


def _numbers(
    history: History,
    frame: Frame,
    scope: Scope,
    states: Sequence[RunbookState],
    spent: Sequence[Spending],
) -> Iterator[Number]:
    yield from coverage_numbers(frame, scope)
    yield from run_numbers(frame)
    yield from runbook_numbers(states)
    yield from budget_numbers(spent)
    if history.findings is not None:
        yield from finding_numbers(history.findings, frame)
    if history.incidents is not None:
        yield from incident_numbers(history.incidents, frame)
    if history.deployments is not None:
        yield from deployment_numbers(history.deployments, frame)
    if history.drills is not None:
        yield from drill_numbers(history.drills, frame)
    yield from debrief_numbers(history.days, frame)


def _finding_sheets(
    findings: Sequence[FindingSeen] | None,
    standing: Sequence[Standing],
    flow: Sequence[tuple[str, str, int]],
    frame: Frame,
) -> tuple[Sheet, ...]:
    if findings is None:
        return ()
    return finding_sheet(standing, frame), flow_sheet(flow)


def _leading(frame: Frame) -> Callable[[CoverageMap], tuple[int, int, str]]:
    """Order of maps: GameDays in production first, smoke runs last."""
    kinds = {run.environment: run.environment_kind for run in frame.every}

    def key(one: CoverageMap) -> tuple[int, int, str]:
        kind = kinds.get(one.environment, "")
        rank = ENVIRONMENT_KINDS.index(kind) if kind in ENVIRONMENT_KINDS else -1
        return _KINDS.index(RunKind(one.kind)), -rank, one.environment

    return key


#: What executives see first: the KPI, and its name for them.
_FOUR = (
    ("coverage", "Failure modes tested"),
    ("recall_in_time", "Caught by alert in time"),
    ("verified_on_time", "Fixes proven on time"),
    ("restore_success", "Restore drills passed"),
)


def _headline(
    numbers: Sequence[Number], maps: Sequence[CoverageMap]
) -> tuple[tuple[str, Number], ...]:
    """Of the leading environment and kind of run; what is not known stays there as that.

    Numbers without a kind of run are of that environment, of none, or of the one with most cases.
    """
    lead, kind = (maps[0].environment, maps[0].kind) if maps else ("", "")
    found = []
    for name, title in _FOUR:
        of = [
            one
            for one in numbers
            if one.name == name
            and not one.subject
            and (not one.kind or (one.environment, one.kind) == (lead, kind))
        ]
        of.sort(key=lambda one: (not one.n, one.environment not in (lead, ""), -one.n))
        missing = Number(
            name=name, subject="", environment="", kind="", unit="share",
            state="not_measured", value=None, n=0,
        )  # fmt: skip
        found.append((title, of[0] if of else missing))
    return tuple(found)
