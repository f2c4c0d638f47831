"""alert/quiet: nothing else fired; an alert that names the wrong thing costs trust and time.

Watched from the moment when the first fault was asked for to the end of recovery. An alert that
the scenario expects is not noise, whatever the quiet matchers say; one with the expected name and
other labels is. An alert that was firing before the fault says nothing about the fault.

Documented in docs/checks/alert-quiet.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gameday.checks.assessable import assessed
from gameday.checks.case import Case
from gameday.kpi.seen import Sighting, is_expected, label_match
from gameday.model.units import format_ms
from gameday.model.verdict import Finding, Outcome

NAME = "alert/quiet"


def check(case: Case) -> Iterator[Finding]:
    """One finding a quiet matcher."""
    for matcher in case.plan.scenario.expect.quiet:
        yield assessed(case, _judge(case, matcher))


def _judge(case: Case, matcher: Mapping[str, str]) -> Finding:
    asked = [fault.asked_ms for fault in case.faults if fault.asked_ms is not None]
    recovery = case.windows.get("recovery")
    if not asked or recovery is None:
        summary = "the run did not go through a fault and a recovery"
        return _found(matcher, Outcome.INCONCLUSIVE, summary)
    start_ms, end_ms = min(asked), recovery.end_ms
    noisy = [s for s in case.sightings if _noise(case, matcher, s, start_ms, end_ms)]
    new = [s for s in noisy if not s.firing_at(start_ms)]
    if new:
        return _found(matcher, Outcome.FAIL, _told(new, start_ms), *new)
    if noisy:
        names = ", ".join(sorted({s.alert for s in noisy}))
        summary = f"{names} was firing already when the fault came"
        return _found(matcher, Outcome.INCONCLUSIVE, summary, *noisy)
    blind = case.sight.blind_in(start_ms, end_ms)
    if blind:
        return _found(matcher, Outcome.INCONCLUSIVE, f"nothing else was seen, but {blind}")
    if not recovery.complete:
        summary = "nothing else was seen, but recovery was cut short"
        return _found(matcher, Outcome.INCONCLUSIVE, summary)
    if case.sight.until_ms < end_ms:
        summary = f"nothing else was seen, but `{case.sight.source}` was not seen to the end"
        return _found(matcher, Outcome.INCONCLUSIVE, summary)
    return _found(matcher, Outcome.PASS, "no other alert fired")


def _noise(
    case: Case, matcher: Mapping[str, str], seen: Sighting, start_ms: int, end_ms: int
) -> bool:
    labels = {"alertname": seen.alert, **seen.labels}
    if seen.firing_ms > end_ms or (seen.ended_ms is not None and seen.ended_ms <= start_ms):
        return False
    if any(is_expected(e, seen.alert, seen.labels) for e in case.alerts):
        return False
    return label_match(labels, matcher)


def _told(noisy: list[Sighting], start_ms: int) -> str:
    first = noisy[0]
    labels = ", ".join(f"{k}={v}" for k, v in sorted(first.labels.items()) if k != "alertname")
    said = f"{first.alert}{{{labels}}}" if labels else first.alert
    since = format_ms(max(0, first.firing_ms - start_ms))
    more = f", and {len(noisy) - 1} more" if len(noisy) > 1 else ""
    return f"{said} fired too, {since} after the fault came{more}"


def _found(matcher: Mapping[str, str], outcome: Outcome, summary: str, *seen: Sighting) -> Finding:
    wanted = ", ".join(f"{k}={v}" for k, v in sorted(matcher.items()))
    return Finding(
        check=NAME,
        subject=wanted,
        outcome=outcome,
        summary=summary,
        expectation=f"no other alert with {wanted} fires",
        evidence=tuple(dict.fromkeys(seq for s in seen for seq in s.evidence)),
        facts={"alerts": sorted({s.alert for s in seen})},
    )
