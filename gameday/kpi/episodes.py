"""Alert episodes: when an alert went pending, fired and ended, from what the journal holds.

An episode is one unbroken stretch of firing of one label set. Its times are the wall times of the
exact evaluations, on the alert source's own clock (`clock.offset` says how far that is off), and
each carries an error bar: the source only looks once an evaluation interval, and not at all during
a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, TypeAlias

from gameday.model.event import Event, Phase, Timeline

#: Two samples further apart than this many evaluation intervals belong to two episodes.
BREAK_INTERVALS = 1.5
#: The built-in alerts are evaluated once a second.
BUILTIN_INTERVAL_MS = 1_000
#: Used when a rule is gone and its samples do not say how often it was evaluated.
UNKNOWN_INTERVAL_MS = 60_000

_Key: TypeAlias = tuple[tuple[str, str], ...]
_Run: TypeAlias = tuple[int, int]  # first and last sample of an unbroken stretch, wall ms
_Gap: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One stretch of firing. All times are wall ms on the clock of the source.

    `pending_wall_ms` is the first evaluation that was true (equal to `firing_wall_ms` without a
    `for`), `firing_wall_ms` the one that fired, `ended_wall_ms` the first one that was no longer
    true; None means that it was still firing when the source was read. `error_ms` is how much
    earlier it may really have begun, `end_error_ms` how much it may be off at the end (more than
    the evaluation interval if the source could not be seen then).
    """

    alert: str
    labels: Mapping[str, str]
    source: str
    pending_wall_ms: int
    firing_wall_ms: int
    ended_wall_ms: int | None
    error_ms: int
    end_error_ms: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingOnly:
    """An alert that was pending and never fired: its `for` was longer than the trouble.

    `ended_wall_ms` is None if it was still pending when the source was read.
    """

    alert: str
    labels: Mapping[str, str]
    source: str
    pending_wall_ms: int
    ended_wall_ms: int | None
    error_ms: int


def episodes_of(timeline: Timeline) -> tuple[Episode, ...]:
    """All episodes, oldest first, from the source that says when alerts fire.

    Prometheus' own samples if they were read, else what a source over HTTP lists, else the
    built-in alerts.
    """
    reads = _prometheus_reads(timeline)
    if not reads:
        listed = [e for e in reads_over_http(timeline).values() if e.data.get("judged")]
        return from_lists(listed) if listed else from_builtin(timeline)
    found = [e for name, data in reads.items() for e in from_prometheus(data, source=name)]
    return _in_order(found)


def pending_only_of(timeline: Timeline) -> tuple[PendingOnly, ...]:
    """Alerts that were pending and never fired, oldest first."""
    reads = _prometheus_reads(timeline)
    if not reads:
        listed = [e for e in reads_over_http(timeline).values() if e.data.get("judged")]
        return pending_in_lists(listed) if listed else _builtin_pending(timeline)
    found = [p for name, data in reads.items() for p in pending_from_prometheus(data, source=name)]
    return tuple(sorted(found, key=lambda p: (p.pending_wall_ms, p.alert)))


def from_prometheus(data: Mapping[str, Any], *, source: str = "prometheus") -> tuple[Episode, ...]:
    """The episodes in the data of one `alert.read`: raw `ALERTS` samples and the rules."""
    runs = _runs(data)
    gaps = _gaps_on_its_clock(data)
    found: list[Episode] = []
    for (key, state), series in runs.items():
        if state != "firing":
            continue
        labels = dict(key)
        interval = _interval_ms(data, labels, series.samples)
        pending = runs.get((key, "pending"))
        for first, last in series.stretches(interval):
            began = _pending_before(first, pending.stretches(interval) if pending else [], interval)
            found.append(
                Episode(
                    alert=labels.get("alertname", ""),
                    labels=labels,
                    source=source,
                    pending_wall_ms=began,
                    firing_wall_ms=first,
                    ended_wall_ms=_end(data, labels, last, interval),
                    error_ms=_start_error(began, interval, gaps),
                    end_error_ms=_end_error(last, interval, gaps),
                    annotations=_annotations(data, labels),
                )
            )
    return _in_order(found)


def pending_from_prometheus(
    data: Mapping[str, Any], *, source: str = "prometheus"
) -> tuple[PendingOnly, ...]:
    """Stretches of `pending` in one `alert.read` that no firing followed."""
    runs = _runs(data)
    found: list[PendingOnly] = []
    for (key, state), series in runs.items():
        if state != "pending":
            continue
        labels = dict(key)
        interval = _interval_ms(data, labels, series.samples)
        firing = runs.get((key, "firing"))
        starts = [first for first, _ in firing.stretches(interval)] if firing else []
        for first, last in series.stretches(interval):
            if any(0 < start - last <= BREAK_INTERVALS * interval for start in starts):
                continue
            found.append(
                PendingOnly(
                    alert=labels.get("alertname", ""),
                    labels=labels,
                    source=source,
                    pending_wall_ms=first,
                    ended_wall_ms=_end(data, labels, last, interval),
                    error_ms=interval,
                )
            )
    return tuple(found)


def reads_over_http(timeline: Timeline) -> dict[str, Event]:
    """The last whole read of each source over HTTP, by its name."""
    reads = (e for e in timeline.of("alert.read") if e.phase is Phase.OK and "episodes" in e.data)
    return {e.subject: e for e in reads}


def from_lists(reads: Iterable[Event]) -> tuple[Episode, ...]:
    """The episodes that sources over HTTP list."""
    return _in_order(
        Episode(
            alert=str(one["alert"]),
            labels=one["labels"],
            source=read.subject,
            pending_wall_ms=int(one["pending_wall_ms"] or one["firing_wall_ms"]),
            firing_wall_ms=int(one["firing_wall_ms"]),
            ended_wall_ms=one["ended_wall_ms"],
            error_ms=int(one["error_ms"]),
            end_error_ms=int(one["end_error_ms"]),
            annotations=one["annotations"],
        )
        for read in reads
        for one in read.data["episodes"]
        if one["firing_wall_ms"] is not None
    )


def pending_in_lists(reads: Iterable[Event]) -> tuple[PendingOnly, ...]:
    """What sources over HTTP list as pending and never firing."""
    return tuple(
        PendingOnly(
            alert=str(one["alert"]),
            labels=one["labels"],
            source=read.subject,
            pending_wall_ms=int(one["pending_wall_ms"]),
            ended_wall_ms=one["ended_wall_ms"],
            error_ms=int(one["error_ms"]),
        )
        for read in reads
        for one in read.data["episodes"]
        if one["firing_wall_ms"] is None and one["pending_wall_ms"] is not None
    )


def from_builtin(timeline: Timeline) -> tuple[Episode, ...]:
    """The episodes of the built-in alerts, out of their events."""
    found: list[Episode] = []
    for key, pending, firing, ended in _builtin_stories(timeline):
        if firing is None:
            continue
        at = _at(firing)
        found.append(
            Episode(
                alert=firing.subject,
                labels=dict(key),
                source="builtin",
                pending_wall_ms=at if pending is None else _at(pending),
                firing_wall_ms=at,
                ended_wall_ms=None if ended is None else _at(ended),
                error_ms=BUILTIN_INTERVAL_MS,
                end_error_ms=BUILTIN_INTERVAL_MS,
                annotations=dict(firing.data.get("annotations", {})),
            )
        )
    return _in_order(found)


@dataclass(frozen=True, slots=True)
class _Series:
    """The sample times of one label set in one state, in order."""

    samples: Sequence[int]

    def stretches(self, interval_ms: int) -> list[_Run]:
        """First and last sample of each unbroken stretch."""
        found: list[_Run] = []
        for at in self.samples:
            if found and at - found[-1][1] <= BREAK_INTERVALS * interval_ms:
                found[-1] = (found[-1][0], at)
            else:
                found.append((at, at))
        return found


def _prometheus_reads(timeline: Timeline) -> dict[str, Mapping[str, Any]]:
    reads = (e for e in timeline.of("alert.read") if e.phase is Phase.OK and "matrix" in e.data)
    return {e.subject: e.data for e in reads}


def _runs(data: Mapping[str, Any]) -> dict[tuple[_Key, str], _Series]:
    samples: dict[tuple[_Key, str], set[int]] = {}
    for series in data["matrix"]:
        metric = series["metric"]
        labels = {k: str(v) for k, v in metric.items() if k not in ("__name__", "alertstate")}
        key = (tuple(sorted(labels.items())), str(metric.get("alertstate", "")))
        at = (round(float(t) * 1000) for t, value in series["values"] if float(value) == 1)
        samples.setdefault(key, set()).update(at)
    return {key: _Series(sorted(found)) for key, found in samples.items() if found}


def _gaps_on_its_clock(data: Mapping[str, Any]) -> list[_Gap]:
    offset = round(data.get("offset_ms") or 0)
    return [(int(a) + offset, int(b) + offset) for a, b in data.get("gaps", ())]


def _rule_of(data: Mapping[str, Any], labels: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The rule that made *labels*: same name, and its plain labels are among them."""
    named: list[Mapping[str, Any]] = [
        r for r in data.get("rules", ()) if r.get("name") == labels.get("alertname")
    ]
    for rule in named:
        plain = {k: v for k, v in (rule.get("labels") or {}).items() if "{{" not in str(v)}
        if plain.items() <= labels.items():
            return rule
    return named[0] if named else None


def _interval_ms(data: Mapping[str, Any], labels: Mapping[str, str], samples: Sequence[int]) -> int:
    rule = _rule_of(data, labels)
    if rule is not None and rule.get("interval"):
        return max(1, round(float(rule["interval"]) * 1000))
    steps = [b - a for a, b in pairwise(samples)]
    return round(median(steps)) if steps else UNKNOWN_INTERVAL_MS


def _annotations(data: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """As rendered, if the alert was seen while active; else as its rule has them."""
    for seen in reversed(data.get("seen") or ()):
        if seen.get("labels") == labels:
            return dict(seen.get("annotations") or {})
    rule = _rule_of(data, labels)
    return dict(rule.get("annotations") or {}) if rule else {}


def _pending_before(firing: int, pending: Iterable[_Run], interval_ms: int) -> int:
    for first, last in pending:
        if 0 < firing - last <= BREAK_INTERVALS * interval_ms:
            return first
    return firing


def _end(
    data: Mapping[str, Any], labels: Mapping[str, str], last: int, interval_ms: int
) -> int | None:
    """The evaluation after *last*, if there was one before the source was read."""
    until = int(data.get("until_wall_ms") or data.get("read_wall_ms") or last)
    until += round(data.get("offset_ms") or 0)
    rule = _rule_of(data, labels)
    looked = rule.get("last_evaluation_wall_ms") if rule else None
    if looked is None:
        ended = until - last > BREAK_INTERVALS * interval_ms
    else:
        ended = looked - last > interval_ms / 2 and until - last >= interval_ms
    return last + interval_ms if ended else None


def _start_error(began: int, interval_ms: int, gaps: Iterable[_Gap]) -> int:
    blind = [began - a for a, b in gaps if a < began <= b + 2 * interval_ms]
    return max([interval_ms, *blind])


def _end_error(last: int, interval_ms: int, gaps: Iterable[_Gap]) -> int:
    blind = [b - last for a, b in gaps if a - 2 * interval_ms <= last < b]
    return max([interval_ms, *blind])


def _in_order(found: Iterable[Episode]) -> tuple[Episode, ...]:
    return tuple(sorted(found, key=lambda e: (e.firing_wall_ms, e.alert, sorted(e.labels.items()))))


_Story: TypeAlias = tuple[_Key, Event | None, Event | None, Event | None]


def _builtin_stories(timeline: Timeline) -> list[_Story]:
    """Pending, firing and resolved events that belong together, a label set at a time."""
    open_: dict[_Key, _Story] = {}
    done: list[_Story] = []
    for event in timeline:
        if event.data.get("source") != "builtin":
            continue
        labels = {"alertname": event.subject, **event.data.get("labels", {})}
        key: _Key = tuple(sorted(labels.items()))
        _, pending, firing, _ = open_.get(key, (key, None, None, None))
        if event.kind == "alert.pending":
            open_[key] = (key, event, None, None)
        elif event.kind == "alert.firing":
            open_[key] = (key, pending, firing or event, None)
        elif event.kind == "alert.resolved":
            done.append((key, pending, firing, event))
            open_.pop(key, None)
    return [*done, *open_.values()]


def _builtin_pending(timeline: Timeline) -> tuple[PendingOnly, ...]:
    return tuple(
        PendingOnly(
            alert=pending.subject,
            labels=dict(key),
            source="builtin",
            pending_wall_ms=_at(pending),
            ended_wall_ms=None if ended is None else _at(ended),
            error_ms=BUILTIN_INTERVAL_MS,
        )
        for key, pending, firing, ended in _builtin_stories(timeline)
        if pending is not None and firing is None
    )


def _at(event: Event) -> int:
    return int(event.data["at_wall_ms"])
