"""Every firing that nobody expected, from the first fault to the end of recovery. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gameday.kpi import seen, spans
from gameday.kpi.burn import REFERENCE_LABEL, REFERENCES
from gameday.kpi.control import load_began_ms
from gameday.model.alerting import OtherEpisode, OtherWord
from gameday.model.event import Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import Expectations


def other_episodes(plan: Plan, timeline: Timeline) -> tuple[OtherEpisode, ...]:
    """Oldest first; none in a run in which no fault was asked for.

    In a control run from the start of the load on.
    """
    asked = [f.asked_ms for f in spans.faults_of(plan, timeline) if f.asked_ms is not None]
    if plan.scenario.control is not None and (began := load_began_ms(timeline)) is not None:
        asked.append(began)
    if not asked:
        return ()
    recovery = spans.windows_of(timeline).get("recovery")
    start_ms, end_ms = min(asked), timeline.end_ms if recovery is None else recovery.end_ms
    deliveries = seen.deliveries_of(timeline)
    expect = plan.scenario.expect
    return tuple(
        OtherEpisode(
            alert=one.alert,
            labels=dict(one.labels),
            word=_word(expect, one, start_ms),
            firing_ms=one.firing_ms,
            ended_ms=one.ended_ms,
            error_ms=one.error_ms,
            delivered=sum(_is_of(d, one) for d in deliveries),
            evidence=one.evidence,
        )
        for one in seen.sightings_of(timeline)
        if _overlaps(one, start_ms, end_ms)
        and not any(seen.is_expected(e, one.alert, one.labels) for e in expect.alerts)
    )


def is_reference(alert: str, labels: Mapping[str, str], source: str) -> bool:
    """Whether this is a burn-rate alert of our own, which a team's alerts are compared with."""
    return source == "builtin" and alert in REFERENCES and REFERENCE_LABEL in labels


def _overlaps(one: seen.Sighting, start_ms: int, end_ms: int) -> bool:
    return one.firing_ms <= end_ms and (one.ended_ms is None or one.ended_ms > start_ms)


def _word(expect: Expectations, one: seen.Sighting, start_ms: int) -> OtherWord:
    labels = {"alertname": one.alert, **one.labels}
    if one.firing_at(start_ms):
        return OtherWord.BASELINE
    if any(seen.label_match(labels, matcher) for matcher in expect.quiet):
        return OtherWord.FORBIDDEN
    if is_reference(one.alert, one.labels, one.source):
        return OtherWord.TOLERATED
    if any(seen.label_match(labels, matcher) for matcher in expect.tolerate):
        return OtherWord.TOLERATED
    return OtherWord.UNEXPECTED


def _is_of(delivery: seen.Delivery, one: seen.Sighting) -> bool:
    """Whether a notification told of this firing; it may carry external labels besides."""
    if delivery.status != "firing" or delivery.alert != one.alert:
        return False
    if delivery.at_ms < one.firing_ms - one.error_ms:
        return False
    if one.ended_ms is not None and delivery.at_ms > one.ended_ms + one.end_error_ms:
        return False
    return one.labels.items() <= {"alertname": one.alert, **delivery.labels}.items()
