"""When the faults of a plan are in, and how long its run takes, as planned."""

from __future__ import annotations

from gameday.model.plan import Plan, Trigger
from gameday.model.scenario import FaultSpec


def planned_ms(plan: Plan) -> int:
    """How long the run takes when everything goes as planned, from warm-up to recovery."""
    phases = plan.scenario.phases
    ends = (end for _, end in fault_spans_ms(plan).values())
    broken_ms = max(phases.fault_ms, *ends, 0)
    return phases.warmup_ms + phases.baseline_ms + broken_ms + phases.recovery_ms


def fault_spans_ms(plan: Plan) -> dict[str, tuple[int, int]]:
    """Fault id -> when it is planned to be in, [start, end), ms into the fault phase.

    Where the schedule would leave it in for longer than the scenario says, that counts.
    """
    return {fault.id: _span(plan, fault) for fault in plan.scenario.faults}


def most_at_once(spans: dict[str, tuple[int, int]]) -> tuple[str, ...]:
    """The largest set of faults that are planned to be in at one moment, the first one such.

    A fault that ends when another begins is not in with it; one of no length is in at its start.
    """
    best: tuple[str, ...] = ()
    for moment in sorted({start for start, _ in spans.values()}):
        inside = tuple(
            name for name, (start, end) in spans.items() if start <= moment < end or start == moment
        )
        if len(inside) > len(best):
            best = inside
    return best


def _span(plan: Plan, fault: FaultSpec) -> tuple[int, int]:
    start = fault.start_ms
    end = fault.end_ms(plan.scenario.phases.fault_ms)
    return start, max(start, end, _scheduled_end(plan, fault))


def _scheduled_end(plan: Plan, fault: FaultSpec) -> int:
    """When the schedule takes it out at the latest; alternatives that need somebody do not count.

    Without a certain one only the deadline of the run bounds it.
    """
    steps = [s for s in plan.schedule.steps if (s.verb, s.subject) == ("fault.revert", fault.id)]
    if not steps:
        return 0
    ends = []
    for when in steps[0].when:
        if all(_is(trigger, "run.phase", "fault") for trigger in when.all_of):
            ends.append(when.delay_ms)
        elif all(_is(trigger, "fault.inject", fault.id) for trigger in when.all_of):
            ends.append(fault.start_ms + when.delay_ms)
    return min(ends, default=plan.schedule.limits.deadline_ms)


def _is(trigger: Trigger, kind: str, subject: str) -> bool:
    return (trigger.kind, trigger.subject) == (kind, subject)
