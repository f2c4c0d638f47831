"""What each rung of the detection ladder waited for: scrape, window, evaluation, `for`, group wait.

How long a wait may be is set; how long it was is known only as far as the times on both of its
sides are. So a part has bounds, `least_ms` and `most_ms`, which are equal where it is certain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gameday.kpi import promql, routing, seen
from gameday.model.event import Phase, Timeline
from gameday.model.plan import Plan
from gameday.model.report import GapPart, Rung, State
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms

#: rung -> the rung that it waits for.
AFTER = {
    "impact": "on", "pending": "on", "firing": "pending", "delivered": "firing",
    "acknowledged": "delivered", "runbook_opened": "acknowledged",
    "steady": "off", "resolved": "off",
}  # fmt: skip
#: Among these the slowest is marked: what monitoring and people take, not the service.
NOTICED = ("pending", "firing", "delivered", "acknowledged", "runbook_opened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is known of how long each wait has to be, or may be, in ms. None: not known."""

    scrape_ms: int | None = None
    window_ms: int | None = None  # the longest range of the query
    evaluation_ms: int | None = None
    for_ms: int | None = None  # in whole evaluations
    group_wait_ms: int | None = None
    group_interval_ms: int | None = None

    @property
    def floor_ms(self) -> int | None:
        """The least time from the fault to firing (and to delivery, if its wait is known)."""
        if self.for_ms is None:
            return None
        return self.for_ms + (self.group_wait_ms or 0)

    @property
    def floor_text(self) -> str:
        """`cannot be faster than 80 s: 60 s `for`, 20 s group wait`, and what comes on top."""
        if self.floor_ms is None or self.for_ms is None:
            return ""
        has = [(self.for_ms, "`for`"), (self.group_wait_ms, "group wait")]
        parts = ", ".join(f"{format_ms(ms)} {name}" for ms, name in has if ms)
        waits = [(self.scrape_ms, "scrape"), (self.evaluation_ms, "evaluation")]
        more = " and ".join(f"{format_ms(ms)} until the next {name}" for ms, name in waits if ms)
        text = f"cannot be faster than {format_ms(self.floor_ms)}" if parts else "no set delay"
        text += f": {parts}" if parts else ""
        text += f"; on top up to {more}" if more else ""
        looks = "" if self.window_ms is None else format_ms(self.window_ms)
        return f"{text}; its query looks back over {looks}" if looks else text


def settings_of(plan: Plan, timeline: Timeline, expected: AlertExpectation) -> Settings:
    """The settings of the rule and of the route of *expected*, as far as they were recorded."""
    source = seen.rule_source(plan)
    rules = [r for r in seen.rules_of(timeline, source) if r.get("name") == expected.alert]
    read = timeline.last("alert.read", source, phase=Phase.OK)
    if not rules or read is None:
        return Settings()
    rule = rules[0]
    every_ms = round(float(rule.get("interval") or 0) * 1000) or None
    hold = rule.get("duration")
    hold_ms = None if hold is None else round(float(hold) * 1000)
    if hold_ms is not None and every_ms is not None:
        hold_ms = math.ceil(hold_ms / every_ms) * every_ms
        if source == "builtin":  # the second that makes it pending counts as held already
            hold_ms = max(0, hold_ms - every_ms)
    wait_ms, interval_ms = _group(timeline, expected, rule)
    return Settings(
        scrape_ms=read.data.get("scrape_interval_ms"),
        window_ms=_window(str(rule.get("query") or "")),
        evaluation_ms=every_ms,
        for_ms=hold_ms,
        group_wait_ms=wait_ms,
        group_interval_ms=interval_ms,
    )


def as_it_was(settings: Settings, rungs: Sequence[Rung]) -> Settings:
    """*settings* without a group wait that did not apply: the group was there already."""
    times = {r.name: r.since_ms for r in rungs if r.state is State.MEASURED}
    fired_ms, came_ms = times.get("firing"), times.get("delivered")
    wait_ms = settings.group_wait_ms
    if fired_ms is None or came_ms is None or not wait_ms or came_ms - fired_ms >= wait_ms:
        return settings
    return replace(settings, group_wait_ms=None)


def with_gaps(rungs: Sequence[Rung], settings: Settings) -> tuple[Rung, ...]:
    """The rungs, each with the gap to the one that it waits for, what is in it, and the slowest."""
    by_name = {rung.name: rung for rung in rungs if rung.state is State.MEASURED}
    done = []
    for rung in rungs:
        before = by_name.get(AFTER.get(rung.name, ""))
        if rung.name not in by_name or before is None:
            done.append(rung)
            continue
        gap_ms = max(0, (rung.since_ms or 0) - (before.since_ms or 0))
        parts = tuple(_parts(rung.name, gap_ms, settings))
        done.append(replace(rung, after=before.name, gap_ms=gap_ms, parts=parts))
    gaps = [r.gap_ms or 0 for r in done if r.name in NOTICED]
    slowest = max(gaps, default=0)
    return tuple(
        replace(r, slowest=r.name in NOTICED and slowest > 0 and r.gap_ms == slowest) for r in done
    )


def _parts(name: str, gap_ms: int, settings: Settings) -> list[GapPart]:
    match name:
        case "pending":
            return _until_pending(gap_ms, settings)
        case "firing" if settings.for_ms is not None:
            hold_ms = min(gap_ms, settings.for_ms)
            return _without_nothing(
                [("for", hold_ms, hold_ms), _rest("evaluation", gap_ms, hold_ms)]
            )
        case "delivered" if settings.group_wait_ms is not None:
            if gap_ms < settings.group_wait_ms:  # the group was there already
                return _without_nothing([("group_interval", 0, gap_ms), ("sending", 0, gap_ms)])
            wait_ms = settings.group_wait_ms
            return _without_nothing(
                [("group_wait", wait_ms, wait_ms), _rest("sending", gap_ms, wait_ms)]
            )
    return []


def _until_pending(gap_ms: int, settings: Settings) -> list[GapPart]:
    """A scrape and an evaluation take at most their interval; what is left is the window's."""
    if settings.evaluation_ms is None:
        return []
    evaluation_ms = min(gap_ms, settings.evaluation_ms)
    scrape_ms = min(gap_ms, settings.scrape_ms or 0)
    window_ms = max(0, gap_ms - scrape_ms - evaluation_ms)
    return _without_nothing(
        [("scrape", 0, scrape_ms), ("window", window_ms, gap_ms), ("evaluation", 0, evaluation_ms)]
    )


def _rest(name: str, gap_ms: int, known_ms: int) -> tuple[str, int, int]:
    return name, gap_ms - known_ms, gap_ms - known_ms


def _without_nothing(parts: Sequence[tuple[str, int, int]]) -> list[GapPart]:
    return [GapPart(name=n, least_ms=least, most_ms=most) for n, least, most in parts if most > 0]


def _window(query: str) -> int | None:
    try:
        return promql.longest_range_ms(promql.parse(query)) or None
    except promql.PromqlError:
        return None


def _group(
    timeline: Timeline, expected: AlertExpectation, rule: seen.Rule
) -> tuple[int | None, int | None]:
    """Group wait and interval of the route to the receiver that was named, or of the first one."""
    read = timeline.last("alert.read", "alertmanager", phase=Phase.OK)
    if read is None or not read.data.get("route"):
        return None, None
    labels = {"alertname": expected.alert, **_labels(timeline, expected, rule)}
    try:
        nodes = routing.routing_of({"route": read.data["route"]}).root.follow(labels)
    except routing.RoutingError:
        return None, None
    mine = [node for node in nodes if expected.receiver in (None, node.receiver)] or list(nodes)
    return (mine[0].group_wait_ms, mine[0].group_interval_ms) if mine else (None, None)


def _labels(timeline: Timeline, expected: AlertExpectation, rule: seen.Rule) -> dict[str, str]:
    """Of the alert as Alertmanager had it; else as the rule and the expectation say."""
    read = timeline.last("alert.read", "alertmanager", phase=Phase.OK)
    for row in read.data.get("alerts", ()) if read is not None else ():
        if seen.is_expected(expected, str(row["labels"].get("alertname", "")), row["labels"]):
            return dict(row["labels"])
    plain = {k: v for k, v in expected.labels.items() if not v.startswith(("=", "!"))}
    return {**(rule.get("labels") or {}), **plain}
