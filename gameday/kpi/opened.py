"""When a person first had the runbook of an expected alert in front of them. Pure.

Only what a person did counts: they asked to see a step (`gameday step`), answered one, or said that
they have the runbook open (`gameday opened`). That the run's own terminal showed a step says
nothing: nobody may have looked.
"""

from __future__ import annotations

from dataclasses import dataclass

from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation

#: How it became known, in the words of a report.
HOW = {"step": "a step was looked at", "answer": "a step was answered", "said": "they said so"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A runbook that somebody had open at `at_ms` (run time); the role says who, never a name."""

    at_ms: int
    runbook: str
    role: str
    how: str
    evidence: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """How that is known, and of which runbook."""
        return f"`{self.runbook}`, {self.role}: {HOW.get(self.how, self.how)}"


def named_runbooks(plan: Plan) -> tuple[str, ...]:
    """All runbooks that a run of *plan* is about, each path once."""
    expect = plan.scenario.expect
    named = [a.runbook for a in expect.alerts if a.runbook is not None]
    return tuple(dict.fromkeys([*named, *(r.path for r in expect.runbooks)]))


def runbooks_of(plan: Plan, expected: AlertExpectation, fault: str) -> tuple[str, ...]:
    """The runbooks for *expected*: the one that it names, else those for its fault."""
    if expected.runbook is not None:
        return (expected.runbook,)
    first = plan.scenario.faults[0].id if plan.scenario.faults else ""
    wanted = plan.scenario.expect.runbooks
    return tuple(dict.fromkeys(r.path for r in wanted if (r.fault or first) == fault))


def first_opened(
    plan: Plan, timeline: Timeline, expected: AlertExpectation, fault: str, *, since_ms: int
) -> Opened | None:
    """The first time that a runbook for *expected* was open, from *since_ms* on."""
    paths = runbooks_of(plan, expected, fault)
    for event in timeline.of("runbook.opened"):
        if event.subject in paths and event.at_ms >= since_ms:
            return Opened(
                at_ms=event.at_ms,
                runbook=event.subject,
                role=str(event.data.get("role", "")),
                how=str(event.data.get("how", "")),
                evidence=(event.seq,),
            )
    return None
