"""Numbers of incidents, deployments and restore drills, imported or told by days; never of runs."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gameday.kpi.workdays import deadline
from gameday.model.day import DebriefRule
from gameday.model.quarter import Deployment, Incident, RestoreDrill
from gameday.model.quarter_report import Number
from gameday.programme.quarter_frame import Frame, paired_once, plain, share, was_due
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
    due, before = ([one.written for one in due_postmortems(incidents, period, frame)]
                   for period in (frame.period, frame.period.before))  # fmt: skip
    yield share("postmortems_on_time", sum(due), len(due), target="≥ 90 %",
                paired=paired_once((sum(due), len(due)), (sum(before), len(before))),
                text="postmortems of incidents published within 5 business days")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """One that is owed, and the moment before which it is to be published."""

    incident: Incident
    due: datetime.datetime

    @property
    def written(self) -> bool:
        """Whether it was published before that."""
        at = self.incident.postmortem
        return at is not None and at < self.due


def due_postmortems(
    incidents: Sequence[Incident], period: Period, frame: Frame
) -> tuple[Postmortem, ...]:
    """Those due in *period* until now, in order of time. While an incident lasts none is due."""
    found = [
        Postmortem(incident=one, due=deadline(one.resolved, DebriefRule(), hurt=False))
        for one in incidents
        if one.owed and one.resolved is not None
    ]
    due = [one for one in found if was_due(one.due, period, frame.as_of)]
    return tuple(sorted(due, key=lambda one: (one.due, one.incident.id)))


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
                paired=paired_once((k, n), before, up=False),
            )  # fmt: skip
            yield _placed(made, environment)


def _placed(number: Number, environment: str) -> Number:
    return replace(number, environment=environment)


def _failed(of: Sequence[Deployment]) -> tuple[int, int]:
    return sum(one.outcome != "ok" for one in of), len(of)


def drill_numbers(drills: Sequence[RestoreDrill], frame: Frame) -> Iterator[Number]:
    """Of what was scheduled in the quarter and is due: held, and passed. By environment."""
    for environment in sorted({one.environment for one in drills}) or ("",):
        there = [one for one in drills if one.environment == environment]
        due = due_drills(there, frame.period, frame)
        before = due_drills(there, frame.period.before, frame)
        if environment and not due:
            continue
        passed = sum(one.passed for one in due)
        pair = paired_once((passed, len(due)), (sum(one.passed for one in before), len(before)))
        text = "scheduled drills that passed; one that was not held did not"
        made = share("restore_success", passed, len(due), target="100 %", paired=pair, text=text)
        yield _placed(made, environment)
        held = sum(one.held is not None for one in due)
        text = "scheduled drills that were held"
        yield _placed(share("drills_held", held, len(due), target="100 %", text=text), environment)


def due_drills(
    drills: Sequence[RestoreDrill], period: Period, frame: Frame
) -> tuple[RestoreDrill, ...]:
    """Those scheduled in *period* until now, in order of time."""
    found = [one for one in drills if period.has(one.scheduled) and one.scheduled <= frame.as_of]
    return tuple(sorted(found, key=lambda one: (one.scheduled, one.id)))


def _seen(at: datetime.datetime, frame: Frame) -> bool:
    return frame.period.has(at) and at <= frame.as_of
