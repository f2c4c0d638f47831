"""The verdict of each expected alert: one word, from the same evidence as the checks. Pure.

Whether something could be *seen* is what the checks have said already (their findings are given);
what was seen is looked at here again. The words are asked in the order of `AlertWord`, the first
that applies is the verdict. docs/alert-verdicts.md has their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.kpi import seen, spans
from gameday.kpi.acks import first_ack
from gameday.kpi.alert_notes import notes_of
from gameday.kpi.routed import Routed, routed_of
from gameday.kpi.stats import ticks_of
from gameday.kpi.steady import Slices
from gameday.model.alerting import AlertVerdict, AlertWord, MissReason
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

#: Checks of validity that ask about one fault each.
_OF_ONE_FAULT = ("fault/confirmed", "fault/bit")
#: Has a word of its own, and says nothing about the other alerts.
_HAS_A_WORD = "run/alerts-quiet-before"
_GOOD = (Outcome.PASS, Outcome.SKIP)
#: In these every selector of a rule has to have samples for its condition to become true.
_ABSENCE_IS_FINE = (" or ", " unless ", "absent(", "absent_over_time(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all expectations of one run are judged on."""

    plan: Plan
    timeline: Timeline
    findings: Sequence[Finding]
    faults: tuple[spans.FaultSpan, ...]
    sightings: tuple[seen.Sighting, ...]
    deliveries: tuple[seen.Delivery, ...]
    slices: Slices


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One expectation, with what was seen of it from its fault on."""

    run: Run
    expected: AlertExpectation
    fault: spans.FaultSpan
    fired: Finding | None
    delivered: Finding | None
    before: tuple[seen.Sighting, ...]
    firings: tuple[seen.Sighting, ...]
    arrived: tuple[seen.Delivery, ...]
    routed: Routed

    @property
    def due_ms(self) -> int:
        """Run time until which it had to be there."""
        return (self.fault.on_ms or 0) + self.expected.fires_within_ms

    @property
    def here(self) -> seen.Delivery | None:
        """Its first arrival where it should arrive."""
        wanted = self.expected.receiver
        return next((d for d in self.arrived if wanted in (None, d.receiver)), None)

    @property
    def early_ms(self) -> int:
        """How long before the fault was asked for its condition was true."""
        if not self.firings:
            return 0
        return seen.too_early_ms(self.run.timeline, self.firings[0], self.fault.asked_ms or 0)

    def since(self, at_ms: int) -> str:
        """Since the fault was confirmed on, for people."""
        return format_ms(max(0, at_ms - (self.fault.on_ms or 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    word: AlertWord
    reason: str
    missed: MissReason = MissReason.NONE
    evidence: tuple[int, ...] = ()


def run_of(plan: Plan, timeline: Timeline, findings: Sequence[Finding]) -> Run:
    """A run to judge, with the *findings* of the checks on it."""
    return Run(
        plan=plan,
        timeline=timeline,
        findings=findings,
        faults=spans.faults_of(plan, timeline),
        sightings=seen.sightings_of(timeline),
        deliveries=seen.deliveries_of(timeline),
        slices=Slices(ticks_of(timeline)),
    )


def alert_verdicts(run: Run) -> tuple[AlertVerdict, ...]:
    """One verdict an expected alert, in the order of the scenario."""
    expected = run.plan.scenario.expect.alerts
    fired = _answers(run, "alert/fired", len(expected))
    named = [e for e in expected if e.receiver is not None]
    delivered = iter(_answers(run, "alert/delivered", len(named)))
    found = []
    for one, answer in zip(expected, fired, strict=True):
        arrival = next(delivered) if one.receiver is not None else None
        found.append(_verdict(run, one, answer, arrival))
    return tuple(found)


def _answers(run: Run, check: str, wanted: int) -> list[Finding | None]:
    """The check's answers, one an expectation in their order; None where it did not answer."""
    found = [f for f in run.findings if f.check == check and not f.validity]
    return [*found] if len(found) == wanted else [None] * wanted


def _verdict(
    run: Run, expected: AlertExpectation, fired: Finding | None, delivered: Finding | None
) -> AlertVerdict:
    fault = next((f for f in run.faults if expected.fault in (None, f.id)), None)
    if fault is None:
        fault = spans.FaultSpan(id="", target="")
    case = _case(run, expected, fault, fired, delivered)
    said = next(_words(case))
    sane = fault.on_ms is not None
    last = seen.last_to_end(case.firings) if case.firings and sane else None
    first = case.firings[0] if case.firings and sane else None
    ended = last is not None and last.ended_ms is not None and fault.off_ms is not None
    taken = None
    if first is not None:
        asked_ms = fault.asked_ms or 0
        taken = first_ack(
            run.plan, run.timeline, expected, asked_ms=asked_ms, fired_ms=first.firing_ms
        )
    return AlertVerdict(
        alert=expected.alert,
        labels=dict(expected.labels),
        fault=fault.id,
        receiver=expected.receiver or "",
        verdict=said.word,
        missed=said.missed,
        reason=said.reason,
        notes=notes_of(
            run.timeline, expected, fault,
            firings=case.firings, arrived=case.arrived, routed=case.routed,
            strangers=_strangers(case) if said.word is AlertWord.WRONG_TARGET else (),
            slices=run.slices, criteria=run.plan.scenario.expect.baseline,
        ) if said.word not in (AlertWord.INCONCLUSIVE, AlertWord.ALREADY_FIRING) else (),
        within_ms=expected.fires_within_ms,
        firing_after_ms=None if first is None else first.firing_ms - (fault.on_ms or 0),
        firing_error_ms=None if first is None else first.error_ms,
        delivered_after_ms=(
            case.here.at_ms - (fault.on_ms or 0) if case.here is not None and sane else None
        ),
        reset_ms=(last.ended_ms or 0) - (fault.off_ms or 0) if last and ended else None,
        reset_error_ms=last.end_error_ms if last and ended else None,
        firings=len(case.firings),
        acknowledged_after_ms=None if taken is None else taken.at_ms - (fault.on_ms or 0),
        acknowledged_by="" if taken is None else taken.source,
        evidence=tuple(dict.fromkeys((*fault.evidence[:2], *said.evidence))),
    )  # fmt: skip


def _case(
    run: Run,
    expected: AlertExpectation,
    fault: spans.FaultSpan,
    fired: Finding | None,
    delivered: Finding | None,
) -> _Case:
    asked_ms = run.timeline.end_ms + 1 if fault.asked_ms is None else fault.asked_ms
    mine = [s for s in run.sightings if seen.is_expected(expected, s.alert, s.labels)]
    return _Case(
        run=run,
        expected=expected,
        fault=fault,
        fired=fired,
        delivered=delivered,
        before=tuple(s for s in mine if s.firing_at(asked_ms)),
        firings=tuple(s for s in mine if s.firing_ms >= asked_ms),
        arrived=tuple(
            d
            for d in run.deliveries
            if d.status == "firing"
            and d.at_ms >= asked_ms
            and seen.is_expected(expected, d.alert, d.labels)
        ),
        routed=routed_of(run.timeline, expected, since_ms=asked_ms),
    )


def _words(case: _Case) -> Iterator[_Said]:
    """Every word that applies, in order; there is always one."""
    yield from _unknown(case)
    if case.before:
        reason = f"it was firing already when fault `{case.fault.id}` came"
        yield _Said(word=AlertWord.ALREADY_FIRING, reason=reason, evidence=case.before[0].evidence)
    yield from _unseen(case)
    if not case.firings:
        yield from _silent(case)
    if case.expected.receiver is not None:
        yield from _not_delivered(case, case.expected.receiver)
    if case.early_ms:
        early = format_ms(case.early_ms)
        reason = f"its condition was true {early} before fault `{case.fault.id}` was asked for"
        yield _Said(word=AlertWord.TOO_EARLY, reason=reason, evidence=case.firings[0].evidence)
    yield _in_time(case)


def _unknown(case: _Case) -> Iterator[_Said]:
    """Whether the run could have shown anything about this alert."""
    for finding in case.run.findings:
        other_fault = finding.check in _OF_ONE_FAULT and finding.subject != case.fault.id
        if finding.validity and finding.outcome not in _GOOD:
            if other_fault or finding.check == _HAS_A_WORD:
                continue
            yield _Said(
                word=AlertWord.INCONCLUSIVE, reason=finding.summary, evidence=finding.evidence
            )
    if case.fault.asked_ms is None or case.fault.on_ms is None:
        reason = f"fault `{case.fault.id}` was never confirmed on"
        yield _Said(word=AlertWord.INCONCLUSIVE, reason=reason)


def _unseen(case: _Case) -> Iterator[_Said]:
    """Whether the checks could answer; an early alert is no matter of not seeing."""
    in_time = bool(case.firings) and case.firings[0].firing_ms <= case.due_ms
    known = case.early_ms > 0 and in_time
    if case.fired is None or (case.fired.outcome is Outcome.INCONCLUSIVE and not known):
        reason = "whether it fired was not judged" if case.fired is None else case.fired.summary
        yield _Said(word=AlertWord.INCONCLUSIVE, reason=reason)
    if case.expected.receiver is None:
        return
    known = case.early_ms > 0 and case.here is not None
    if case.delivered is None:
        reason = "whether it was delivered was not judged"
        yield _Said(word=AlertWord.INCONCLUSIVE, reason=reason)
    elif case.delivered.outcome is Outcome.INCONCLUSIVE and not known:
        yield _Said(word=AlertWord.INCONCLUSIVE, reason=case.delivered.summary)


def _not_delivered(case: _Case, receiver: str) -> Iterator[_Said]:
    """It fired; what kept it from its receiver."""
    here = case.here
    if here is not None and here.at_ms <= case.due_ms:
        return
    seqs = case.firings[0].evidence
    held = case.routed.held_by(case.due_ms)
    if held:
        until = "" if here is None else f"; it reached `{receiver}` after {case.since(here.at_ms)}"
        yield _Said(
            word=AlertWord.SUPPRESSED,
            reason=f"it fired and was {held}{until}",
            evidence=(*seqs, *case.routed.evidence),
        )
    if here is not None:
        return
    others = tuple(dict.fromkeys(d.receiver for d in case.arrived))
    routes = case.routed.elsewhere(receiver)
    if others or routes:
        names = ", ".join(f"`{name}`" for name in others or routes)
        did = "was delivered" if others else "was routed"
        yield _Said(
            word=AlertWord.MISROUTED,
            reason=f"it fired and {did} to {names}, not to `{receiver}`",
            evidence=(*seqs, *(d.seq for d in case.arrived[:1]), *case.routed.evidence),
        )
    reason = f"it fired after {case.since(case.firings[0].firing_ms)} and reached nobody"
    yield _Said(word=AlertWord.UNDELIVERED, reason=reason, evidence=seqs)


def _in_time(case: _Case) -> _Said:
    """It fired, and arrived if it had to: late or caught."""
    first, here = case.firings[0], case.here
    allowed = f"allowed {format_ms(case.expected.fires_within_ms)}"
    reason = f"it fired after {case.since(first.firing_ms)}"
    late = first.firing_ms > case.due_ms
    seqs = first.evidence
    if case.expected.receiver is not None and here is not None:
        reason += f" and reached `{case.expected.receiver}` after {case.since(here.at_ms)}"
        late = late or here.at_ms > case.due_ms
        seqs = (*seqs, here.seq)
    word = AlertWord.LATE if late else AlertWord.CAUGHT
    return _Said(word=word, reason=f"{reason}, {allowed}", evidence=seqs)


def _strangers(case: _Case) -> tuple[seen.Sighting, ...]:
    others = case.run.plan.scenario.expect.alerts
    since_ms = case.fault.asked_ms or 0
    return seen.strangers_of(case.run.sightings, case.expected, others, since_ms=since_ms)


def _silent(case: _Case) -> Iterator[_Said]:
    """It did not fire: something of its name did, or why not."""
    strangers = _strangers(case)
    if strangers:
        names = sorted({*case.expected.labels} - {"alertname"})
        labels = ", ".join(f"{n}={strangers[0].labels.get(n, '(none)')}" for n in names)
        yield _Said(
            word=AlertWord.WRONG_TARGET,
            reason=f"it fired with other labels ({labels})",
            evidence=strangers[0].evidence,
        )
    missed, reason = _why_missed(case)
    sight = seen.sight_of(case.run.timeline, seen.rule_source(case.run.plan))
    yield _Said(word=AlertWord.MISSED, missed=missed, reason=reason, evidence=sight.evidence)


def _why_missed(case: _Case) -> tuple[MissReason, str]:
    source = seen.rule_source(case.run.plan)
    rules = seen.rules_of(case.run.timeline, source)
    mine = [rule for rule in rules if rule.get("name") == case.expected.alert]
    if rules and not mine:
        return MissReason.NO_SUCH_RULE, f"`{source}` has no rule of this name"
    asked_ms = case.fault.asked_ms or 0
    pending = [at for at in seen.pending_of(case.run.timeline, case.expected) if at >= asked_ms]
    if pending:
        since = case.since(pending[0])
        reason = f"it was pending after {since}, and never long enough to fire"
        return MissReason.PENDING_ONLY, reason
    absent = [text for rule in mine for text in absent_series(rule)]
    if absent:
        reason = f"its rule uses `{absent[0]}`, of which there was no sample in the whole run"
        return MissReason.SERIES_ABSENT, reason
    return MissReason.NEVER_TRUE, "its condition was never true"


def absent_series(rule: seen.Rule) -> tuple[str, ...]:
    """Selectors of a *rule* without any sample in the run, if its condition needs them."""
    asked = [one for one in rule.get("series", ()) if one.get("samples") is not None]
    absent = tuple(str(one["selector"]) for one in asked if one["samples"] is False)
    query = f" {' '.join(str(rule.get('query', '')).split())} "
    if any(word in query for word in _ABSENCE_IS_FINE) and len(absent) < len(asked):
        return ()
    return absent
