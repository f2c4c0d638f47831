"""Alerts in run time: episodes, deliveries, and how far each alert source could be seen.

Checks and reports compare everything on one clock, the runner's. Here the sources' wall times
become run time, corrected by the measured offset of each source's clock.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gameday.kpi.episodes import Episode, episodes_of, pending_only_of, reads_over_http
from gameday.kpi.pipeline import proof_alerts
from gameday.kpi.spans import run_ms
from gameday.model.event import Event, Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.scenario import AlertExpectation

#: One rule as its source had it, see docs/journal.md.
Rule: TypeAlias = Mapping[str, Any]
_OPERATORS = ("=~", "!~", "!=", "=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """An alert episode in run time (ms). `ended_ms` None: still firing when last looked at.

    `error_ms` says how much earlier it may really have begun, `end_error_ms` how far off the end
    may be.
    """

    alert: str
    labels: Mapping[str, str]
    source: str
    pending_ms: int
    firing_ms: int
    ended_ms: int | None
    error_ms: int
    end_error_ms: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[int, ...] = ()

    def firing_at(self, at_ms: int) -> bool:
        """Whether it was firing at *at_ms*."""
        return self.firing_ms < at_ms and (self.ended_ms is None or self.ended_ms > at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert in one notification that reached a receiver, in run time (our own clock)."""

    alert: str
    receiver: str
    status: str  # firing or resolved
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    at_ms: int
    seq: int


def last_to_end(found: Sequence[Sighting]) -> Sighting:
    """The firing that ended last; one that has not ended comes after all others.

    Labels are matched by a part of them, so several firings may go on at the same time.
    """
    return max(found, key=lambda one: math.inf if one.ended_ms is None else one.ended_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How far one alert source could be seen: until when, and not in these gaps (run time, ms).

    `why` says what is missing altogether; it is empty when the source was read.
    """

    source: str
    until_ms: int
    gaps: tuple[tuple[int, int], ...] = ()
    why: str = ""
    evidence: tuple[int, ...] = ()

    def blind_in(self, start_ms: int, end_ms: int) -> str:
        """Why it could not be seen for all of [start_ms, end_ms]; empty if it could."""
        if self.why:
            return self.why
        for a, b in self.gaps:
            if a < end_ms and b > start_ms:
                lost = f"{max(0, a) / 1000:.1f} s to {b / 1000:.1f} s of the run"
                return f"`{self.source}` could not be read from {lost}"
        return ""

    def seen_again_ms(self, at_ms: int) -> int:
        """When it could be seen next from *at_ms* on: that moment itself outside of any gap."""
        for a, b in sorted(self.gaps):
            if a <= at_ms < b:
                at_ms = b
        return at_ms


def label_match(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether *labels* satisfy every matcher: a value, or `!=`, `=~`, `!~` and a value before it.

    Regular expressions are anchored at both ends, as in Prometheus; an absent label is empty.
    """
    return all(_one_matches(str(labels.get(name, "")), want) for name, want in wanted.items())


def is_expected(expected: AlertExpectation, alert: str, labels: Mapping[str, str]) -> bool:
    """Whether an alert of this name and these labels is the expected one."""
    return expected.alert == alert and label_match(labels, expected.labels)


def sightings_of(timeline: Timeline) -> tuple[Sighting, ...]:
    """All episodes in run time, oldest first; not those of the proof of the pipeline."""
    proof = proof_alerts(timeline)
    return tuple(_sighting(timeline, e) for e in episodes_of(timeline) if e.alert not in proof)


def pending_of(timeline: Timeline, expected: AlertExpectation) -> tuple[int, ...]:
    """When *expected* went pending without ever firing, in run time (ms)."""
    return tuple(
        run_ms(timeline, p.pending_wall_ms, p.source)
        for p in pending_only_of(timeline)
        if is_expected(expected, p.alert, p.labels)
    )


def too_early_ms(timeline: Timeline, sighting: Sighting, asked_ms: int) -> int:
    """How long before *asked_ms* its condition was true already; 0 if it was not, surely.

    Such an alert would have fired without the fault, so it says nothing about it.
    """
    read = timeline.last("alert.read", sighting.source, phase=Phase.OK)
    clock_ms = 0.0 if read is None else float(read.data.get("error_ms") or 0)
    early_ms = asked_ms - sighting.pending_ms
    return early_ms if early_ms > clock_ms else 0


def strangers_of(
    sightings: Iterable[Sighting],
    expected: AlertExpectation,
    others: Iterable[AlertExpectation],
    *,
    since_ms: int,
) -> tuple[Sighting, ...]:
    """Firings of the same name from *since_ms* on with labels that nobody expected."""
    known = (expected, *others)
    return tuple(
        s
        for s in sightings
        if s.alert == expected.alert
        and s.firing_ms >= since_ms
        and not any(is_expected(e, s.alert, s.labels) for e in known)
    )


def deliveries_of(timeline: Timeline) -> tuple[Delivery, ...]:
    """All deliveries in run time, oldest first: to our receiver, and what other sources list.

    Not those of the proof of the pipeline.
    """
    proof = proof_alerts(timeline)
    found = [_delivery(timeline, event) for event in timeline.of("alert.delivered")]
    found = [d for d in (*found, *_listed(timeline)) if d.alert not in proof]
    return tuple(sorted(found, key=lambda d: (d.at_ms, d.seq)))


def source_names(plan: Plan) -> tuple[str, ...]:
    """The alert sources that a run of *plan* has to read."""
    alerting = plan.environment.alerting
    return alerting.names if alerting.says_firing else ("builtin", *alerting.names)


def rule_source(plan: Plan) -> str:
    """The source that says when alerts fire: `prometheus`, one over HTTP, or `builtin`."""
    return source_names(plan)[0]


def sight_of(timeline: Timeline, source: str) -> Sight:
    """How far *source* could be seen: from its last read, and from what was noted on the way."""
    read = timeline.last("alert.read", source, phase=Phase.OK)
    if read is None:
        tried = timeline.last("alert.read", source)
        why = f"`{source}` was never read"
        if tried is not None and tried.data.get("error"):
            why = f"`{source}` could not be read: {tried.data['error']}"
        return Sight(source=source, until_ms=0, why=why, evidence=_seqs(tried))
    gaps = [(run_ms(timeline, a), run_ms(timeline, b)) for a, b in read.data.get("gaps", ())]
    return Sight(
        source=source,
        until_ms=_until(timeline, read),
        gaps=tuple(sorted([*gaps, *_down(timeline, source)])),
        evidence=(read.seq,),
    )


def rules_of(timeline: Timeline, source: str) -> tuple[Rule, ...]:
    """The rules that *source* had when it was read."""
    read = timeline.last("alert.read", source, phase=Phase.OK)
    return tuple(read.data.get("rules", ())) if read is not None else ()


def _one_matches(value: str, want: str) -> bool:
    op = next((o for o in _OPERATORS if want.startswith(o)), "")
    text = want.removeprefix(op)
    match op:
        case "=~":
            return re.fullmatch(text, value) is not None
        case "!~":
            return re.fullmatch(text, value) is None
        case "!=":
            return value != text
        case _:
            return value == text


def _sighting(timeline: Timeline, episode: Episode) -> Sighting:
    def at(wall_ms: int) -> int:
        return run_ms(timeline, wall_ms, episode.source)

    return Sighting(
        alert=episode.alert,
        labels=episode.labels,
        source=episode.source,
        pending_ms=at(episode.pending_wall_ms),
        firing_ms=at(episode.firing_wall_ms),
        ended_ms=None if episode.ended_wall_ms is None else at(episode.ended_wall_ms),
        error_ms=episode.error_ms,
        end_error_ms=episode.end_error_ms,
        annotations=episode.annotations,
        evidence=_episode_evidence(timeline, episode),
    )


def _episode_evidence(timeline: Timeline, episode: Episode) -> tuple[int, ...]:
    read = timeline.last("alert.read", episode.source, phase=Phase.OK)
    noted = [
        e
        for e in timeline.of("alert.firing", episode.alert)
        if e.data.get("source") == episode.source
        and e.data.get("at_wall_ms") == episode.firing_wall_ms
    ]
    return _seqs(*noted) if noted else _seqs(read)


def _delivery(timeline: Timeline, event: Event) -> Delivery:
    arrived = event.data.get("arrived_wall_ms")
    return Delivery(
        alert=event.subject,
        receiver=str(event.data.get("receiver", "")),
        status=str(event.data.get("status", "firing")),
        labels={"alertname": event.subject, **event.data.get("labels", {})},
        annotations=event.data.get("annotations", {}),
        at_ms=event.at_ms if arrived is None else run_ms(timeline, float(arrived)),
        seq=event.seq,
    )


def _listed(timeline: Timeline) -> Iterable[Delivery]:
    """What has reached people by the list of those who reach them; that source is the receiver."""
    for name, read in reads_over_http(timeline).items():
        if "delivered" not in read.data["can"]:
            continue
        for one in read.data["episodes"]:
            labels = {**one["labels"], **_only_labels(timeline, str(one["alert"]))}
            for status, key in (("firing", "firing_wall_ms"), ("resolved", "ended_wall_ms")):
                if one.get(key) is not None:
                    yield Delivery(
                        alert=str(one["alert"]),
                        receiver=name,
                        status=status,
                        labels=labels,
                        annotations=one["annotations"],
                        at_ms=run_ms(timeline, float(one[key]), name),
                        seq=read.seq,
                    )


def _only_labels(timeline: Timeline, alert: str) -> Mapping[str, str]:
    """The labels with which *alert* fired, if there is no doubt: a pager rarely lists them."""
    found = [episode.labels for episode in episodes_of(timeline) if episode.alert == alert]
    return found[0] if found and all(labels == found[0] for labels in found) else {}


def _until(timeline: Timeline, read: Event) -> int:
    for key in ("until_wall_ms", "read_wall_ms"):
        if read.data.get(key) is not None:
            return run_ms(timeline, float(read.data[key]))
    started = next((e for e in timeline.of("alert.read") if e.seq == read.cause), read)
    return started.at_ms


def _down(timeline: Timeline, source: str) -> Iterable[tuple[int, int]]:
    """Stretches between `alert.source.down` and the next `up`, which no later read made good."""
    read = timeline.last("alert.read", source, phase=Phase.OK)
    if read is not None and ("matrix" in read.data or read.data.get("history")):
        return []  # it was read whole afterwards: only the gaps that it reports count
    stretches: list[tuple[int, int]] = []
    since: int | None = None
    for event in timeline:
        if event.subject != source:
            continue
        if event.kind == "alert.source.down" and since is None:
            since = event.at_ms
        elif event.kind == "alert.source.up" and since is not None:
            stretches.append((since, event.at_ms))
            since = None
    return stretches if since is None else [*stretches, (since, timeline.end_ms)]


def _seqs(*events: Event | None) -> tuple[int, ...]:
    return tuple(e.seq for e in events if e is not None)
