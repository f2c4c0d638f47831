"""alert/resolved: the alert goes quiet in time after the fault is gone, and not before.

Counted from the moment when the fault was confirmed off. An alert that resolves while users still
feel the fault sends people back to bed too early: that is a failure of its own. If the service was
steady by then (it cured itself, the load says so), resolving was right.

Documented in docs/checks/alert-resolved.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gameday.checks.assessable import assessed
from gameday.checks.case import Case, alert_name
from gameday.kpi.alert_notes import resolved_early
from gameday.kpi.seen import Sighting, last_to_end
from gameday.kpi.spans import FaultSpan
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "alert/resolved"


def check(case: Case) -> Iterator[Finding]:
    """One finding an expected alert with `resolves_within`."""
    for expected in case.alerts:
        if expected.resolves_within_ms is not None:
            yield assessed(case, _judge(case, expected, expected.resolves_within_ms), expected)


def _judge(case: Case, expected: AlertExpectation, within_ms: int) -> Finding:
    fault = case.fault_for(expected)
    asked_ms = fault.asked_ms
    if asked_ms is None or fault.on_ms is None or fault.off_ms is None:
        summary = f"fault `{fault.id}` was not confirmed on and off again"
        return _found(expected, Outcome.INCONCLUSIVE, summary)
    seen = [
        s for s in case.sightings_of(expected) if s.firing_ms >= asked_ms or s.firing_at(asked_ms)
    ]
    during = [s for s in seen if s.firing_ms <= fault.off_ms]
    if not during:
        summary = f"{expected.alert} did not fire, so it had nothing to resolve"
        return _found(expected, Outcome.SKIP, summary, fault)
    early = _false_resolve(case, expected, fault, during)
    if early is not None:
        return early
    return _after(case, expected, fault, seen, within_ms)


def _false_resolve(
    case: Case, expected: AlertExpectation, fault: FaultSpan, during: Sequence[Sighting]
) -> Finding | None:
    """The finding if it resolved while the fault was in and users felt it."""
    found = resolved_early(fault, during, case.slices, case.baseline_criteria)
    if found is None:
        return None
    episode, felt = found
    off_ms = fault.off_asked_ms if fault.off_asked_ms is not None else (fault.off_ms or 0)
    early = format_ms(off_ms - (episode.ended_ms or 0))
    summary = f"{expected.alert} resolved {early} before fault `{fault.id}` was taken out"
    if not felt:
        summary += ", and the load cannot say whether users still felt it"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, episode)
    return _found(expected, Outcome.FAIL, f"{summary}, while users still felt it", fault, episode)


def _after(
    case: Case,
    expected: AlertExpectation,
    fault: FaultSpan,
    seen: Sequence[Sighting],
    within_ms: int,
) -> Finding:
    last, off_ms = last_to_end(seen), fault.off_ms or 0
    due_ms, allowed = off_ms + within_ms, f"allowed {format_ms(within_ms)}"
    if last.ended_ms is None:
        watched_ms = case.sight.until_ms - off_ms
        if watched_ms < within_ms:
            summary = (
                f"{expected.alert} was still firing {format_ms(max(0, watched_ms))} after the "
                f"fault was off, when it was last looked at; {allowed}"
            )
            return _found(expected, Outcome.INCONCLUSIVE, summary, fault, last)
        summary = f"{expected.alert} still fired {format_ms(watched_ms)} after the fault was off"
        return _found(expected, Outcome.FAIL, f"{summary}, {allowed}", fault, last)
    took = format_ms(max(0, last.ended_ms - off_ms))
    flapped = f" ({len(seen) - 1} more firings before)" if len(seen) > 1 else ""
    summary = f"{expected.alert} resolved {took} after the fault was off{flapped}, {allowed}"
    blind = case.sight.blind_in(off_ms, last.ended_ms)
    if last.ended_ms < off_ms:
        summary = (
            f"{expected.alert} resolved while the fault was still in: the service had cured itself"
        )
    if last.ended_ms <= due_ms and (unseen := _unseen(case, last.ended_ms, due_ms)):
        summary = f"{expected.alert} was not seen any more, but {unseen}; {allowed}"
        return _found(expected, Outcome.INCONCLUSIVE, summary, fault, last)
    if last.ended_ms <= due_ms:
        return _found(expected, Outcome.PASS, summary, fault, last)
    if blind:
        return _found(expected, Outcome.INCONCLUSIVE, f"{summary}, but {blind}", fault, last)
    return _found(expected, Outcome.FAIL, summary, fault, last)


def _unseen(case: Case, ended_ms: int, due_ms: int) -> str:
    """Why nobody could look again after *ended_ms*, in time and in the run; empty if one could."""
    again_ms = case.sight.seen_again_ms(ended_ms)
    if again_ms == ended_ms or (again_ms <= due_ms and again_ms < case.sight.until_ms):
        return ""
    return case.sight.blind_in(ended_ms, again_ms)


def _found(
    expected: AlertExpectation,
    outcome: Outcome,
    summary: str,
    fault: FaultSpan | None = None,
    episode: Sighting | None = None,
) -> Finding:
    within_ms = expected.resolves_within_ms or 0
    seqs = () if fault is None else fault.evidence
    seqs += () if episode is None else episode.evidence
    facts: dict[str, object] = {"within_ms": within_ms, "resolved_after_ms": None}
    ended_ms = None if episode is None else episode.ended_ms
    if fault is not None and fault.off_ms is not None and ended_ms is not None:
        facts["resolved_after_ms"] = ended_ms - fault.off_ms
        facts["error_ms"] = episode.end_error_ms if episode is not None else None
    return Finding(
        check=NAME,
        subject=expected.alert,
        outcome=outcome,
        summary=summary,
        expectation=f"{alert_name(expected)} resolves within {format_ms(within_ms)}",
        evidence=tuple(dict.fromkeys(seqs)),
        facts=facts,
    )
