"""alert/delivered: the alert reached the receiver that was named, in time.

Firing and delivered are two facts with two times: an alert that fires in time and reaches nobody
has caught nothing. The time is the arrival at our own receiver, on our own clock.

Documented in docs/checks/alert-delivered.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks import alert_fired
from gameday.checks.assessable import assessed
from gameday.checks.case import Case, alert_name
from gameday.kpi.routed import routed_of
from gameday.kpi.seen import Delivery, is_expected, sight_of, source_names, too_early_ms
from gameday.kpi.spans import FaultSpan
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "alert/delivered"


def check(case: Case) -> Iterator[Finding]:
    """One finding an expected alert that names its receiver."""
    for expected in case.alerts:
        if expected.receiver is not None:
            yield assessed(case, _judge(case, expected, expected.receiver), expected)


def _judge(case: Case, expected: AlertExpectation, receiver: str) -> Finding:
    fault = case.fault_for(expected)
    if fault.asked_ms is None or fault.on_ms is None:
        summary = f"fault `{fault.id}` was never confirmed on"
        return _found(expected, Outcome.INCONCLUSIVE, summary)
    if any(s.firing_at(fault.asked_ms) for s in case.sightings_of(expected)):
        summary = f"{expected.alert} was firing already when fault `{fault.id}` came"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault)
    due_ms = fault.on_ms + expected.fires_within_ms
    arrived = [
        d
        for d in case.deliveries
        if d.status == "firing"
        and d.at_ms >= fault.asked_ms
        and is_expected(expected, d.alert, d.labels)
    ]
    here = next((d for d in arrived if d.receiver == receiver), None)
    allowed = f"allowed {format_ms(expected.fires_within_ms)}"
    if here is not None:
        took = format_ms(max(0, here.at_ms - fault.on_ms))
        if here.at_ms <= due_ms:
            summary = f"{expected.alert} reached `{receiver}` after {took}, {allowed}"
            return _in_time(case, expected, fault, here, summary)
        summary = f"{expected.alert} reached `{receiver}` late: after {took}, {allowed}"
        held = _held_back(case, expected, fault)
        summary += f"; it was {held}" if held else ""
        return _found(expected, Outcome.FAIL, summary, fault, here)
    fired = alert_fired.judge_one(case, expected)
    if fired.facts.get("fired_after_ms") is None:
        summary = f"nothing reached `{receiver}`: {fired.summary}"
        return _found(expected, fired.outcome, summary, fault)
    unclear = _unclear(case, due_ms)
    if unclear:
        return _found(expected, Outcome.INCONCLUSIVE, f"{expected.alert} fired, {unclear}", fault)
    return _undelivered(case, expected, fault, arrived)


def _in_time(
    case: Case, expected: AlertExpectation, fault: FaultSpan, here: Delivery, summary: str
) -> Finding:
    asked_ms = fault.asked_ms or 0
    fired = next((s for s in case.sightings_of(expected) if s.firing_ms >= asked_ms), None)
    if fired is not None and too_early_ms(case.timeline, fired, asked_ms):
        summary += f", but its condition was true before fault `{fault.id}` was asked for"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, here)
    return _found(expected, Outcome.PASS, summary, fault, here)


def _undelivered(
    case: Case, expected: AlertExpectation, fault: FaultSpan, arrived: list[Delivery]
) -> Finding:
    start = f"{expected.alert} fired, but nothing reached `{expected.receiver}`"
    if arrived:
        names = ", ".join(sorted({f"`{d.receiver}`" for d in arrived}))
        summary = f"{start}: it was delivered to {names}"
        return _found(expected, Outcome.FAIL, summary, fault, arrived[0])
    held = _held_back(case, expected, fault)
    if held:
        return _found(expected, Outcome.FAIL, f"{start}: it was {held}", fault)
    routed = routed_of(case.timeline, expected, since_ms=fault.asked_ms or 0)
    others = routed.elsewhere(expected.receiver or "")
    if others:
        names = ", ".join(f"`{name}`" for name in others)
        summary = f"{start}: Alertmanager routed it to {names}"
        return _found(expected, Outcome.FAIL, summary, fault)
    within = format_ms(expected.fires_within_ms)
    return _found(expected, Outcome.FAIL, f"{start} within {within}", fault)


def _held_back(case: Case, expected: AlertExpectation, fault: FaultSpan) -> str:
    """What held it back in Alertmanager while it was due; empty if nothing did."""
    due_ms = (fault.on_ms or 0) + expected.fires_within_ms
    routed = routed_of(case.timeline, expected, since_ms=fault.asked_ms or 0)
    return routed.held_by(due_ms)


def _unclear(case: Case, due_ms: int) -> str:
    """Why silence at the receiver is no proof; empty if it is."""
    parts = case.timeline.last("run.parts")
    if parts is None or not parts.data.get("receiver"):
        return "but no receiver of ours was listening"
    if case.timeline.end_ms < due_ms:
        return "but the run ended before the delivery was due"
    if "alertmanager" in source_names(case.plan):
        sight = sight_of(case.timeline, "alertmanager")
        if sight.why:
            return f"but {sight.why}"
    return ""


def _found(
    expected: AlertExpectation,
    outcome: Outcome,
    summary: str,
    fault: FaultSpan | None = None,
    delivery: Delivery | None = None,
) -> Finding:
    within = format_ms(expected.fires_within_ms)
    seqs = () if fault is None else fault.evidence[:2]
    facts: dict[str, object] = {"within_ms": expected.fires_within_ms, "delivered_after_ms": None}
    if delivery is not None and fault is not None and delivery.receiver == expected.receiver:
        facts["delivered_after_ms"] = delivery.at_ms - (fault.on_ms or 0)
    return Finding(
        check=NAME,
        subject=expected.alert,
        outcome=outcome,
        summary=summary,
        expectation=f"{alert_name(expected)} is delivered to {expected.receiver} within {within}",
        evidence=seqs if delivery is None else (*seqs, delivery.seq),
        facts=facts,
    )
