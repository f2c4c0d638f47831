"""All rules, asked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from gameday.model.plan import Plan
from gameday.policy import limits, people, times
from gameday.policy.values import Asked, Case, Refusal, in_force

_RULES: tuple[Callable[[Case], Iterator[Refusal]], ...] = (
    limits.targets,
    limits.faults,
    limits.max_share,
    limits.max_duration,
    limits.max_faults,
    times.hours,
    times.freeze,
    people.budget,
    people.approvals,
    people.change_id,
    people.apart,
    people.go,
)


def refusals(plan: Plan, *, now: datetime, request: Asked) -> tuple[Refusal, ...]:
    """Everything in the policy of the plan's environment that forbids this run at *now* (aware)."""
    if now.tzinfo is None:
        raise ValueError("the time must be aware of its zone")
    case = Case(plan=plan, policy=in_force(plan.environment), now=now, asked=request)
    return tuple(found for rule in _RULES for found in rule(case))
