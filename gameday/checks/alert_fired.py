"""alert/fired: the alert that should have caught the fault, did, and in time.

The time runs from the moment when the fault is *known* to have taken effect (read back), not from
when it was asked for: a slow control plane is no fault of the monitoring. It ends with the
evaluation that fired.

Silence is only a failure if somebody was listening. If the alert was not seen in time and its
source could not be read at some moment of the window, the answer is inconclusive; so it is if the
alert was firing already when the fault came, or if its condition was true already before the fault
was even asked for, for then it could not have told us anything.

Documented in docs/checks/alert-fired.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from gameday.checks.assessable import assessed
from gameday.checks.case import Case, alert_name
from gameday.kpi.seen import Sighting, pending_of, rules_of, strangers_of, too_early_ms
from gameday.kpi.spans import FaultSpan
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "alert/fired"


def check(case: Case) -> Iterator[Finding]:
    """One finding an expected alert."""
    for expected in case.alerts:
        yield assessed(case, judge_one(case, expected), expected)


def judge_one(case: Case, expected: AlertExpectation) -> Finding:
    """Whether *expected* fired in time."""
    fault = case.fault_for(expected)
    if fault.asked_ms is None or fault.on_ms is None:
        summary = f"fault `{fault.id}` was never confirmed on"
        return _found(expected, Outcome.INCONCLUSIVE, summary)
    due_ms = fault.on_ms + expected.fires_within_ms
    seen = case.sightings_of(expected)
    before = [s for s in seen if s.firing_at(fault.asked_ms)]
    if before:
        summary = f"{expected.alert} was firing already when fault `{fault.id}` came"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, before[0])
    fired = next((s for s in seen if s.firing_ms >= fault.asked_ms), None)
    allowed = f"allowed {format_ms(expected.fires_within_ms)}"
    if fired is not None and fired.firing_ms <= due_ms:
        return _in_time(case, expected, fault, fired)
    unclear = _unclear(case, expected, fault, due_ms)
    if unclear:
        summary = f"{expected.alert} was not seen in time, but {unclear}"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, fired)
    if fired is not None:
        summary = f"{expected.alert} fired late: after {_since(fault, fired)}, {allowed}"
        return _found(expected, Outcome.FAIL, summary, fault, fired)
    summary = f"{expected.alert} did not fire, {allowed}{_sub_reason(case, expected, fault)}"
    return _found(expected, Outcome.FAIL, summary, fault)


def _in_time(case: Case, expected: AlertExpectation, fault: FaultSpan, fired: Sighting) -> Finding:
    allowed = f"allowed {format_ms(expected.fires_within_ms)}"
    early_ms = too_early_ms(case.timeline, fired, fault.asked_ms or 0)
    if early_ms:
        summary = (
            f"{expected.alert} fired, but its condition was true {format_ms(early_ms)} before "
            f"fault `{fault.id}` was asked for"
        )
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, fired)
    summary = f"{expected.alert} fired after {_since(fault, fired)}, {allowed}"
    return _found(expected, Outcome.PASS, summary, fault, fired)


def _unclear(case: Case, expected: AlertExpectation, fault: FaultSpan, due_ms: int) -> str:
    """Why the source cannot be taken as having been silent until *due_ms*; empty if it can."""
    sight = case.sight
    blind = sight.blind_in(fault.asked_ms or 0, due_ms)
    if blind:
        return blind
    for rule in rules_of(case.timeline, sight.source):
        if rule.get("name") == expected.alert and rule.get("health", "ok") not in ("ok", "unknown"):
            why = rule.get("lastError") or rule.get("health")
            return f"`{sight.source}` could not evaluate its rule: {why}"
    if sight.until_ms < due_ms:
        watched = format_ms(max(0, sight.until_ms - (fault.on_ms or 0)))
        return f"it was only watched for {watched} of {format_ms(expected.fires_within_ms)}"
    return ""


def _sub_reason(case: Case, expected: AlertExpectation, fault: FaultSpan) -> str:
    start_ms = fault.asked_ms or 0
    others = strangers_of(case.sightings, expected, case.alerts, since_ms=start_ms)
    if others:
        labels = ", ".join(
            f"{name}={others[0].labels.get(name, '(none)')}" for name in sorted(expected.labels)
        )
        return f": it fired with other labels ({labels})"
    names = {rule.get("name") for rule in rules_of(case.timeline, case.sight.source)}
    if names and expected.alert not in names:
        return f": `{case.sight.source}` has no rule of this name"
    pending = [at for at in pending_of(case.timeline, expected) if at >= start_ms]
    if pending and fault.on_ms is not None:
        since = format_ms(max(0, pending[0] - fault.on_ms))
        return f": it was pending after {since}, and never long enough to fire"
    return ": its condition was never true"


def _since(fault: FaultSpan, fired: Sighting) -> str:
    return format_ms(max(0, fired.firing_ms - (fault.on_ms or 0)))


def _found(
    expected: AlertExpectation,
    outcome: Outcome,
    summary: str,
    fault: FaultSpan | None = None,
    fired: Sighting | None = None,
) -> Finding:
    seqs = () if fault is None else fault.evidence[:2]
    seqs += () if fired is None else fired.evidence
    facts: dict[str, object] = {"within_ms": expected.fires_within_ms, "fired_after_ms": None}
    if fired is not None and fault is not None and fault.on_ms is not None:
        facts["fired_after_ms"] = fired.firing_ms - fault.on_ms
        facts["error_ms"] = fired.error_ms
    return Finding(
        check=NAME,
        subject=expected.alert,
        outcome=outcome,
        summary=summary,
        expectation=f"{alert_name(expected)} fires within {format_ms(expected.fires_within_ms)}",
        evidence=tuple(dict.fromkeys(seqs)),
        facts=facts,
    )
