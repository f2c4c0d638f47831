"""What a run waits for: stages that wait for the load, and gates that a person opens."""

from __future__ import annotations

from gameday.engine.gates import Condition
from gameday.model.plan import Plan
from gameday.scenario.compile import condition_gate


def conditions_of(plan: Plan) -> list[Condition]:
    """The stages of faults that wait for a condition on the load."""
    return [
        Condition(
            gate=condition_gate(fault.id, number),
            fault=fault.id,
            number=number,
            criterion=stage.when,
        )
        for fault in plan.scenario.faults
        for number, stage in enumerate(fault.stages, start=1)
        if stage.when is not None
    ]


def gates_of(plan: Plan) -> tuple[str, ...]:
    """The gates that a person may open."""
    by_itself = {condition.gate for condition in conditions_of(plan)}
    return tuple(
        {
            trigger.subject
            for step in plan.schedule.steps
            for when in step.when
            for trigger in when.all_of
            if trigger.kind == "gate.opened" and trigger.subject not in by_itself
        }
    )
