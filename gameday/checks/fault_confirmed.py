"""fault/confirmed: each fault was read back as in, and later as gone.

Documented in docs/checks/fault-confirmed.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.case import Case
from gameday.kpi.spans import FaultSpan
from gameday.model.event import Phase
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "fault/confirmed"


def check(case: Case) -> Iterator[Finding]:
    """One finding a fault of the plan."""
    for fault, spec in zip(case.faults, case.plan.scenario.faults, strict=True):
        yield _judge(case, fault, stages=len(spec.stages))


def _judge(case: Case, fault: FaultSpan, *, stages: int) -> Finding:
    if fault.asked_ms is None:
        return _found(fault, Outcome.INCONCLUSIVE, f"fault `{fault.id}` was never injected")
    if fault.on_ms is None:
        why = _error(case, "fault.inject", fault.id)
        return _found(
            fault, Outcome.INCONCLUSIVE, f"fault `{fault.id}` was never confirmed on{why}"
        )
    if fault.off_ms is None:
        why = _error(case, "fault.revert", fault.id)
        return _found(
            fault, Outcome.INCONCLUSIVE, f"fault `{fault.id}` was never confirmed off{why}"
        )
    ended = case.timeline.last("fault.revert", fault.id, phase=Phase.OK)
    if ended is not None and ended.data.get("gone") is True:
        summary = (
            f"what fault `{fault.id}` was in was gone when the fault was taken out: "
            "more happened than was planned"
        )
        return _found(fault, Outcome.INCONCLUSIVE, summary)
    lasted = format_ms(fault.off_ms - fault.on_ms)
    reached = len(fault.stages_ms)
    if reached < stages + 1:
        summary = (
            f"fault `{fault.id}` reached strength {reached} of {stages + 1}: "
            "what is expected of the last one was not tried"
        )
        return _found(fault, Outcome.INCONCLUSIVE, summary)
    return _found(
        fault, Outcome.PASS, f"fault `{fault.id}` was read back as in, and as gone {lasted} later"
    )


def _error(case: Case, kind: str, fault: str) -> str:
    ended = [
        e
        for e in case.timeline.of(kind, fault)
        if e.phase in (Phase.FAILED, Phase.UNKNOWN) and e.data.get("error")
    ]
    return f": {ended[-1].data['error']}" if ended else ""


def _found(fault: FaultSpan, outcome: Outcome, summary: str) -> Finding:
    return Finding(
        check=NAME,
        subject=fault.id,
        outcome=outcome,
        summary=summary,
        expectation=f"fault {fault.id} is confirmed on and off",
        evidence=fault.evidence,
        validity=True,
        facts={"on_ms": fault.on_ms, "off_ms": fault.off_ms},
    )
