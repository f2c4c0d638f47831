"""The detection ladder: from the fault to users, alert, receiver, people, and steady again.

Every rung is measured, censored (it had not come when we last looked) or not measured, and none is
ever dropped: a mean that leaves out what was missed flatters. Times count from the moment when the
fault was confirmed on, and carry how much earlier they may really have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gameday.kpi import seen, spans
from gameday.kpi.acks import BY_HAND, first_ack, why_none
from gameday.kpi.ladder_gaps import Settings, as_it_was, settings_of, with_gaps
from gameday.kpi.opened import first_opened, runbooks_of
from gameday.kpi.reference import Reference, reference_alert
from gameday.kpi.stats import ticks_of
from gameday.kpi.steady import Slices, first_impact, steady_again
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.report import Ladder, Rung, State
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms

#: The load's clock ticks once a second.
SECOND_MS = 1_000
ALERT_RUNGS = ("pending", "firing", "delivered", "acknowledged", "runbook_opened", "resolved")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    plan: Plan
    timeline: Timeline
    slices: Slices
    sightings: tuple[seen.Sighting, ...]
    deliveries: tuple[seen.Delivery, ...]


def ladders(plan: Plan, timeline: Timeline) -> tuple[Ladder, ...]:
    """One ladder an expected alert; one a fault where none is expected."""
    run = _Run(
        plan=plan,
        timeline=timeline,
        slices=Slices(ticks_of(timeline)),
        sightings=seen.sightings_of(timeline),
        deliveries=seen.deliveries_of(timeline),
    )
    faults = spans.faults_of(plan, timeline)
    expected = plan.scenario.expect.alerts
    found: list[Ladder] = []
    for fault in faults:
        own = [e for e in expected if e.fault == fault.id]
        own += [e for e in expected if e.fault is None and fault is faults[0]]
        found.extend(_ladder(run, fault, e) for e in own)
        if not own:
            found.append(_ladder(run, fault, None))
    return tuple(found)


def _ladder(run: _Run, fault: spans.FaultSpan, expected: AlertExpectation | None) -> Ladder:
    rungs = [_on(fault), _impact(run, fault)]
    settings, reference = Settings(), Reference()
    if expected is not None:
        rungs += _alert(run, fault, expected)
        settings = settings_of(run.plan, run.timeline, expected)
        if fault.asked_ms is not None:
            reference = reference_alert(run.plan, run.timeline, since_ms=fault.asked_ms)
    rungs += [_mitigated(run, fault), _off(fault), _steady(run, fault)]
    firing = next((r for r in rungs if r.name == "firing"), None)
    floor = as_it_was(settings, rungs)
    since_ms, behind_ms, compared = _compared(fault, firing, reference)
    return Ladder(
        fault=fault.id,
        alert="" if expected is None else expected.alert,
        receiver="" if expected is None or expected.receiver is None else expected.receiver,
        rungs=with_gaps(rungs, settings),
        floor_ms=floor.floor_ms,
        floor=floor.floor_text,
        reference=reference.name,
        reference_ms=since_ms,
        behind_reference_ms=behind_ms,
        compared=compared,
    )


def _compared(
    fault: spans.FaultSpan, firing: Rung | None, reference: Reference
) -> tuple[int | None, int | None, str]:
    """When the reference fired since the fault, how much later the alert did, and in words."""
    if firing is None or fault.on_ms is None:
        return None, None, ""
    fired_ms = firing.since_ms if firing.state is State.MEASURED else None
    if reference.why:
        return None, None, f"not compared with the built-in burn-rate alert: {reference.why}"
    if reference.at_ms is None:
        did = "it fired, and" if fired_ms is not None else "it did not fire, and"
        return None, None, f"{did} the built-in burn-rate alert would not have fired"
    since_ms = reference.at_ms - fault.on_ms
    would = f"the built-in burn-rate alert ({format_ms(max(0, since_ms))})"
    if fired_ms is None:
        return since_ms, None, f"it was not seen firing, unlike {would}"
    behind_ms = fired_ms - since_ms
    word = "later" if behind_ms >= 0 else "earlier"
    return since_ms, behind_ms, f"it fired {format_ms(abs(behind_ms))} {word} than {would}"


def _on(fault: spans.FaultSpan) -> Rung:
    if fault.on_ms is None:
        return _unknown("on", "never confirmed on")
    return _measured("on", fault, fault.on_ms, fault.on_error_ms or 0)


def _off(fault: spans.FaultSpan) -> Rung:
    if fault.on_ms is None or fault.off_ms is None:
        return _unknown("off", "never confirmed off")
    return _measured("off", fault, fault.off_ms, fault.off_error_ms or 0)


def _impact(run: _Run, fault: spans.FaultSpan) -> Rung:
    criteria = run.plan.scenario.expect.baseline
    if fault.on_ms is None or fault.asked_ms is None or not criteria:
        return _unknown("impact", "no fault, or no criterion of the baseline to break")
    until_ms = fault.off_asked_ms if fault.off_asked_ms is not None else run.timeline.end_ms
    at_ms = first_impact(run.slices, criteria, start_ms=fault.asked_ms, until_ms=until_ms)
    if at_ms is None:
        why = "no criterion of the baseline broke while the fault was in"
        return _censored("impact", fault, until_ms, why)
    if at_ms <= fault.on_ms < at_ms + SECOND_MS:
        at_ms = fault.on_ms  # the load is cut in seconds; nothing is felt before its cause
    return _measured("impact", fault, at_ms, SECOND_MS)


def _steady(run: _Run, fault: spans.FaultSpan) -> Rung:
    windows = spans.windows_of(run.timeline)
    recovery, baseline = windows.get("recovery"), windows.get("baseline")
    criteria = run.plan.scenario.expect.baseline
    if fault.on_ms is None or fault.off_ms is None or not criteria:
        return _unknown("steady", "no fault came and went, or no criterion says what steady is")
    if recovery is None or baseline is None:
        return _unknown("steady", "there was no recovery phase")
    off_ms = spans.all_off_ms(spans.faults_of(run.plan, run.timeline)) or fault.off_ms
    got = steady_again(
        run.slices, criteria, baseline=baseline, off_ms=off_ms, until_ms=recovery.end_ms
    )
    if got.at_ms is not None:
        return _measured("steady", fault, got.at_ms, SECOND_MS)
    if not got.known:
        return _unknown("steady", got.why)
    return _censored("steady", fault, got.until_ms, got.why)


def _alert(run: _Run, fault: spans.FaultSpan, expected: AlertExpectation) -> list[Rung]:
    asked_ms = fault.asked_ms
    if fault.on_ms is None or asked_ms is None:
        return [_unknown(name, "never confirmed on") for name in ALERT_RUNGS]
    mine = [s for s in run.sightings if seen.is_expected(expected, s.alert, s.labels)]
    if any(s.firing_at(asked_ms) for s in mine):
        return [_unknown(name, "it was firing already before the fault") for name in ALERT_RUNGS]
    episodes = [s for s in mine if s.firing_ms >= asked_ms]
    return [
        *_fired(run, fault, expected, episodes),
        _delivered(run, fault, expected),
        _acknowledged(run, fault, expected, episodes),
        _opened(run, fault, expected),
        _resolved(run, fault, episodes),
    ]


def _fired(
    run: _Run,
    fault: spans.FaultSpan,
    expected: AlertExpectation,
    episodes: Sequence[seen.Sighting],
) -> list[Rung]:
    asked_ms = fault.asked_ms or 0
    sight = seen.sight_of(run.timeline, seen.rule_source(run.plan))
    if episodes:
        first = episodes[0]
        return [
            _measured("pending", fault, first.pending_ms, first.error_ms),
            _measured("firing", fault, first.firing_ms, first.error_ms),
        ]
    blind = sight.blind_in(asked_ms, sight.until_ms)
    if blind:
        return [_unknown("pending", blind), _unknown("firing", blind)]
    waited = [at for at in seen.pending_of(run.timeline, expected) if at >= asked_ms]
    firing = _censored("firing", fault, sight.until_ms, "it did not fire while we looked")
    if waited:
        return [_measured("pending", fault, waited[0], SECOND_MS), firing]
    why = "its condition was not true while we looked"
    return [_censored("pending", fault, sight.until_ms, why), firing]


def _delivered(run: _Run, fault: spans.FaultSpan, expected: AlertExpectation) -> Rung:
    arrived = [
        d
        for d in run.deliveries
        if d.status == "firing"
        and d.at_ms >= (fault.asked_ms or 0)
        and expected.receiver in (None, d.receiver)
        and seen.is_expected(expected, d.alert, d.labels)
    ]
    if arrived:
        return _measured("delivered", fault, arrived[0].at_ms, 0)
    parts = run.timeline.last("run.parts")
    if parts is None or not parts.data.get("receiver"):
        return _unknown("delivered", "no receiver of ours was listening")
    return _censored("delivered", fault, run.timeline.end_ms, "nothing was delivered")


def _acknowledged(
    run: _Run,
    fault: spans.FaultSpan,
    expected: AlertExpectation,
    episodes: Sequence[seen.Sighting],
) -> Rung:
    """The first acknowledgement of this alert, with the source that told it."""
    asked_ms = fault.asked_ms or 0
    fired_ms = episodes[0].firing_ms if episodes else None
    ack = first_ack(run.plan, run.timeline, expected, asked_ms=asked_ms, fired_ms=fired_ms)
    if ack is not None:
        rung = _measured("acknowledged", fault, ack.at_ms, ack.error_ms)
        return replace(rung, source=ack.source, what=ack.what)
    until_ms, why = why_none(run.plan, run.timeline, expected, asked_ms=asked_ms)
    if until_ms is None:
        return _unknown("acknowledged", why)
    return _censored("acknowledged", fault, until_ms, why)


def _opened(run: _Run, fault: spans.FaultSpan, expected: AlertExpectation) -> Rung:
    """When somebody first had the runbook of this alert in front of them."""
    if not runbooks_of(run.plan, expected, fault.id):
        return _unknown("runbook_opened", "no runbook is named for it")
    since_ms = fault.asked_ms or 0
    found = first_opened(run.plan, run.timeline, expected, fault.id, since_ms=since_ms)
    if found is None:
        return _unknown("runbook_opened", "nobody told gameday that they had opened its runbook")
    return replace(
        _measured("runbook_opened", fault, found.at_ms, 0), source=BY_HAND, what=found.text
    )


def _mitigated(run: _Run, fault: spans.FaultSpan) -> Rung:
    """From when on users were well while the fault was still in, by the load."""
    criteria = run.plan.scenario.expect.baseline
    baseline = spans.windows_of(run.timeline).get("baseline")
    impact = _impact(run, fault)
    if fault.on_ms is None or fault.off_asked_ms is None or baseline is None or not criteria:
        return _unknown("mitigated", "no fault came and went, or no criterion says what well is")
    if impact.state is not State.MEASURED or impact.since_ms is None:
        return _unknown("mitigated", "users felt nothing that could be mitigated")
    got = steady_again(
        run.slices, criteria, baseline=baseline,
        off_ms=fault.on_ms + impact.since_ms, until_ms=fault.off_asked_ms,
    )  # fmt: skip
    if got.at_ms is not None:
        return _measured("mitigated", fault, got.at_ms, SECOND_MS)
    if not got.known:
        return _unknown("mitigated", got.why)
    why = "users still felt it when the fault was taken out"
    return _censored("mitigated", fault, got.until_ms, why)


def _resolved(run: _Run, fault: spans.FaultSpan, episodes: Sequence[seen.Sighting]) -> Rung:
    if not episodes:
        return _unknown("resolved", "it did not fire")
    last = seen.last_to_end(episodes)
    if last.ended_ms is None:
        sight = seen.sight_of(run.timeline, last.source)
        if sight.why:
            return _unknown("resolved", sight.why)
        return _censored("resolved", fault, sight.until_ms, "it was still firing when last read")
    return _measured("resolved", fault, last.ended_ms, last.end_error_ms)


def _measured(name: str, fault: spans.FaultSpan, at_ms: int, error_ms: int) -> Rung:
    since_ms = at_ms - (fault.on_ms or 0)
    return Rung(name=name, state=State.MEASURED, since_ms=since_ms, error_ms=error_ms, why="")


def _censored(name: str, fault: spans.FaultSpan, until_ms: int, why: str) -> Rung:
    since_ms = max(0, until_ms - (fault.on_ms or 0))
    return Rung(name=name, state=State.CENSORED, since_ms=since_ms, error_ms=None, why=why)


def _unknown(name: str, why: str) -> Rung:
    return Rung(name=name, state=State.NOT_MEASURED, since_ms=None, error_ms=None, why=why)
