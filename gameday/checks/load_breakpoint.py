"""load/breakpoint: the highest rate at which the objectives of the fault phase hold.

Each step of the rising load is judged by itself, on the requests meant to start in it. Who was not
answered counts. A step at which the generator was too slow says nothing of the service. With an
expected peak it passes if a step at that rate or a higher one held; without, it only reports.

Documented in docs/checks/load-breakpoint.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gameday.checks.case import Case
from gameday.kpi.breakpoint import Standing, Stood, begun_ms, capped_ms, stand
from gameday.kpi.spans import Window
from gameday.model.criteria import MetricKind
from gameday.model.scenario import Breakpoint
from gameday.model.verdict import Finding, Outcome

NAME = "load/breakpoint"


def check(case: Case) -> Iterator[Finding]:
    """One finding for a load that searches its breakpoint."""
    load = case.plan.scenario.load
    if load.breakpoint is None:
        return
    window = case.windows.get("fault")
    if window is None:
        summary = "the load never rose: the fault phase was never reached"
        yield _found(load.breakpoint, Outcome.INCONCLUSIVE, summary)
        return
    capped = capped_ms(case.timeline)
    steps = stand(
        load,
        case.plan.scenario.expect.fault,
        case.ticks,
        begun_ms=begun_ms(case.timeline, case.ticks),
        end_ms=window.end_ms if capped is None else min(capped, window.end_ms),
        slack_ms=case.slack_ms,
    )
    held, broke = highest(steps)
    outcome = answer(load.breakpoint, held, broke)
    summary = words(load.breakpoint, steps, held, broke)
    facts = _facts(load.breakpoint, steps, held, broke)
    yield _found(load.breakpoint, outcome, summary, window, facts)


def highest(steps: Sequence[Stood]) -> tuple[Stood | None, Stood | None]:
    """The highest step that held before the first that broke, and that one."""
    held: Stood | None = None
    for step in steps:
        if step.standing is Standing.BROKEN:
            return held, step
        if step.standing is Standing.HELD:
            held = step
    return held, None


def answer(asked: Breakpoint, held: Stood | None, broke: Stood | None) -> Outcome:
    """PASS and FAIL only against an expected peak; INCONCLUSIVE where nothing was shown."""
    expected = asked.expected_per_s
    if expected is None:
        return Outcome.INCONCLUSIVE if held is None and broke is None else Outcome.SKIP
    if held is not None and held.stair.per_s >= expected:
        return Outcome.PASS
    if broke is not None and broke.stair.per_s <= expected:
        return Outcome.FAIL
    return Outcome.INCONCLUSIVE


def words(
    asked: Breakpoint, steps: Sequence[Stood], held: Stood | None, broke: Stood | None
) -> str:
    """One sentence: what held, what broke, what is not known, and the headroom."""
    parts = []
    if held is not None:
        parts.append(f"{_rate(held)} held")
    elif broke is not None and broke is steps[0]:
        parts.append("not even the first step held")
    elif broke is not None:
        parts.append("no step was shown to hold")
    if broke is not None:
        parts.append(f"{_rate(broke)} did not: {said(broke)}")
    unknown = _unknown(steps, held, broke)
    if unknown is not None:
        parts.append(f"{_rate(unknown)} could not be measured ({said(unknown)})")
    if broke is None and unknown is None and held is not None:
        top = held is steps[-1]
        parts.append("nothing broke up to the peak" if top else "nothing higher was reached")
    if asked.expected_per_s is not None and held is not None:
        ratio = held.stair.per_s / asked.expected_per_s
        parts.append(f"{ratio:.2f} times the expected {asked.expected_per_s:g}/s")
    elif asked.expected_per_s is not None:
        parts.append(f"expected {asked.expected_per_s:g}/s")
    return "; ".join(parts) or "no step of the load was reached"


def _unknown(steps: Sequence[Stood], held: Stood | None, broke: Stood | None) -> Stood | None:
    """The first step between what held and what broke that says nothing."""
    low = 0 if held is None else held.stair.number
    high = steps[-1].stair.number + 1 if broke is None else broke.stair.number
    between = (s for s in steps if low < s.stair.number < high)
    return next((s for s in between if s.standing is Standing.UNKNOWN), None)


def said(step: Stood) -> str:
    """What a step showed of the condition that decided."""
    criterion = step.criterion
    if criterion is None:
        return step.why
    if step.value is None:
        return f"`{criterion.text}`: {step.why}"
    why = f", {step.why}" if step.why else ""
    allowed = f"allowed {criterion.op} {criterion.show(criterion.limit)}"
    subject = f"{criterion.subject} " if criterion.subject else ""
    value = criterion.show(step.value)
    return f"{subject}{criterion.metric} {value}, {allowed}, n = {step.n}{why}"


def _rate(step: Stood) -> str:
    return f"{step.stair.per_s:g}/s"


def _facts(
    asked: Breakpoint, steps: Sequence[Stood], held: Stood | None, broke: Stood | None
) -> dict[str, object]:
    highest_per_s = None if held is None else held.stair.per_s
    expected = asked.expected_per_s
    headroom = None if highest_per_s is None or expected is None else highest_per_s / expected
    decided = None if broke is None else broke.criterion
    return {
        "highest_rate_per_s": highest_per_s,
        "broke_at_per_s": None if broke is None else broke.stair.per_s,
        "objective": None if decided is None else decided.text,
        "expected_rate_per_s": expected,
        "headroom": None if headroom is None else round(headroom, 4),
        "steps": [_row(step) for step in steps],
    }


def _row(step: Stood) -> Mapping[str, Any]:
    row: dict[str, Any] = {"rate_per_s": step.stair.per_s, "standing": step.standing.value}
    if step.criterion is not None:
        unit = "ms" if step.criterion.kind is MetricKind.LATENCY else "share"
        row |= {
            "objective": step.criterion.text,
            f"value_{unit}": step.value,
            f"limit_{unit}": step.criterion.limit,
        }
    return {**row, "n": step.n, "why": step.why}


def _found(
    asked: Breakpoint,
    outcome: Outcome,
    summary: str,
    window: Window | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Finding:
    expected = asked.expected_per_s
    wanted = "the rate at which an objective breaks is reported"
    if expected is not None:
        wanted = f"the objectives hold at {expected:g}/s"
    return Finding(
        check=NAME,
        subject="load",
        outcome=outcome,
        summary=summary,
        expectation=wanted,
        evidence=() if window is None else window.evidence,
        facts=facts or {},
    )
