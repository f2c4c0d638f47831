"""Numbers of what was imported: incidents, deployments and restore drills. Never of exercises."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gameday.model.quarter import Deployment, Incident, RestoreDrill
from gameday.model.quarter_report import Number, Paired
from gameday.programme.quarter_frame import Frame, plain, share, trend_of
from gameday.programme.quarter_period import Period


def incident_numbers(incidents: Sequence[Incident], frame: Frame) -> Iterator[Number]:
    """How many by severity, and how many of those with a failure mode had been tested before."""
    now = [one for one in incidents if _seen(one.started, frame)]
    for severity in sorted({one.severity for one in incidents}):
        n = sum(one.severity == severity for one in now)
        yield plain("incidents", float(n), len(now), "count", subject=f"severity:{severity}",
                    text="imported incidents that began in the quarter")  # fmt: skip
    named = [one for one in now if one.mode]
    tested = sum(_was_tested(one, frame) for one in named)
    yield share("incidents_tested_before", tested, len(named),
                text="incidents whose failure mode a valid run had tested before")  # fmt: skip


def _was_tested(incident: Incident, frame: Frame) -> bool:
    at = f"{incident.started:%Y-%m-%dT%H:%M:%SZ}"
    pair = (incident.service, incident.mode)
    return any(run.valid and run.pair == pair and run.ended < at for run in frame.every)


def deployment_numbers(deployments: Sequence[Deployment], frame: Frame) -> Iterator[Number]:
    """The change failure rate of each environment, over all services and of each."""
    for environment in sorted({one.environment for one in deployments}):
        there = [one for one in deployments if one.environment == environment]
        for service in ("", *sorted({one.service for one in there})):
            of = [one for one in there if service in ("", one.service)]
            k, n = _failed([one for one in of if _seen(one.at, frame)])
            if not n:
                continue
            before = _failed([one for one in of if frame.period.before.has(one.at)])
            made = share(
                "change_failure_rate", k, n, subject=f"service:{service}" if service else "",
                target="< 15 %", text="deployments that failed or were rolled back",
                paired=_pair((k, n), before),
            )  # fmt: skip
            yield _placed(made, environment)


def _placed(number: Number, environment: str) -> Number:
    return replace(number, environment=environment)


def _failed(of: Sequence[Deployment]) -> tuple[int, int]:
    return sum(one.outcome != "ok" for one in of), len(of)


def drill_numbers(drills: Sequence[RestoreDrill], frame: Frame) -> Iterator[Number]:
    """Of what was scheduled in the quarter and is due: held, and passed."""
    due = due_drills(drills, frame.period, frame)
    before = due_drills(drills, frame.period.before, frame)
    passed = sum(one.passed for one in due)
    pair = _pair((passed, len(due)), (sum(one.passed for one in before), len(before)), up=True)
    yield share("restore_success", passed, len(due), target="100 %", paired=pair,
                text="scheduled drills that passed; one that was not held did not")  # fmt: skip
    yield share("drills_held", sum(one.held is not None for one in due), len(due),
                target="100 %", text="scheduled drills that were held")  # fmt: skip


def due_drills(
    drills: Sequence[RestoreDrill], period: Period, frame: Frame
) -> tuple[RestoreDrill, ...]:
    """Those scheduled in *period* until now, in order of time."""
    found = [one for one in drills if period.has(one.scheduled) and one.scheduled <= frame.as_of]
    return tuple(sorted(found, key=lambda one: (one.scheduled, one.id)))


def _pair(now: tuple[int, int], before: tuple[int, int], *, up: bool = False) -> Paired | None:
    if not before[1]:
        return None
    return Paired(
        pairs=1, now_k=now[0], now_n=now[1], before_k=before[0], before_n=before[1],
        trend=trend_of(now, before, up=up),
    )  # fmt: skip


def _seen(at: datetime.datetime, frame: Frame) -> bool:
    return frame.period.has(at) and at <= frame.as_of
