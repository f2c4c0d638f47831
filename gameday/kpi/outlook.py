"""Before a run: whether each expected alert can catch its fault in time, and whom it reaches.

A pure function of what the live servers say. An error means that the expectation cannot be met as
things are; a `certain` one would be there under any effect of the fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gameday.kpi.foresee import (
    Foreseen,
    Interval,
    Route,
    Rule,
    delivered,
    foresee,
    inlined,
)
from gameday.kpi.history import history
from gameday.kpi.outlook_words import Finding, Level, floor_words, span_words
from gameday.kpi.promql import Node, PromqlError, longest_range_ms, parse, selectors
from gameday.kpi.routed_ahead import LiveAlertmanager, Routed, routes_ahead
from gameday.kpi.shares import UnpredictableError
from gameday.model.effect import WORST, Effect
from gameday.model.scenario import AlertExpectation
from gameday.model.units import format_ms

#: Where no target of a rule's series is known: what Prometheus does unless told otherwise.
SCRAPE_MS = 60_000.0
#: So long a fault is looked ahead over, in windows and holds of the rule.
_AHEAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesNow:
    """Series of one selector: how many there are, and how often their targets are scraped."""

    count: int
    scrape_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recording rule."""

    expr: str
    group: str
    interval_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePrometheus:
    """What Prometheus says now. `rows` as of `rule_rows`; times on its clock, wall ms.

    `series` by the text of a selector, `grown` by that and a range: how much was counted in it.
    """

    rows: Sequence[Mapping[str, Any]]
    records: Mapping[str, Record] = field(default_factory=dict)
    series: Mapping[str, SeriesNow] = field(default_factory=dict)
    grown: Mapping[tuple[str, int], float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    external_labels: Mapping[str, str] = field(default_factory=dict)
    scrape_ms: float | None = None  # how often targets are scraped unless they say otherwise
    started_wall_ms: float | None = None
    now_wall_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The servers, as they are now."""

    prometheus: LivePrometheus
    alertmanager: LiveAlertmanager | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """How long the fault is in, how long the load plays before it, and its requests a second.

    `run_ms` is how long the run plays altogether.
    """

    fault_ms: int
    before_ms: int
    per_s: float | None = None
    run_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be expected of one alert. Intervals are ms since the fault, None if not known."""

    alert: str
    within_ms: int
    effect: Effect
    assumed: bool  # the effect is the worst there is, not one that the scenario names
    firing: Interval | None = None
    delivered: Interval | None = None
    receivers: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def look_ahead(alert: AlertExpectation, ahead: Ahead, live: Live) -> Outlook:
    """All that can be said of one expectation."""
    empty = Outlook(
        alert=alert.alert,
        within_ms=alert.fires_within_ms,
        effect=alert.effect or WORST,
        assumed=alert.effect is None,
    )
    rows = [row for row in live.prometheus.rows if row["name"] == alert.alert]
    meant = [row for row in rows if _may_be(row, alert)]
    if not meant:
        return replace(empty, findings=(_no_rule(alert, rows),))
    tries = [_of_rule(empty, alert, ahead, live, row) for row in meant]
    return min(tries, key=lambda one: (_errors(one), one.firing is None))


def rehearsed_otherwise(firing: Interval, at_ms: float | None) -> Finding | None:
    """What is to be said where a rehearsal fires at *at_ms*, or never, and not in that interval."""
    if at_ms is not None and firing.earliest_ms - 1 <= at_ms <= firing.latest_ms + 1:
        return None
    fires = "does not fire" if at_ms is None else f"fires {format_ms(round(at_ms))} after the fault"
    said = (
        f"rehearsed with promtool it {fires}, foreseen is {span_words(firing)}; what is said here "
        "of its timing is not to be relied on"
    )
    return Finding(code="rehearsed-otherwise", level=Level.WARNING, text=said)


def rule_of(
    row: Mapping[str, Any], prometheus: LivePrometheus, *, per_s: float | None
) -> tuple[Rule, Node]:
    """What an interval depends on. Raises `PromqlError`, `UnpredictableError`."""
    written = parse(row["query"])
    records = {name: parse(one.expr) for name, one in prometheus.records.items()}
    expr = inlined(written, records)
    behind = [
        prometheus.records[s.metric].interval_ms
        for s in selectors(written)
        if s.metric in prometheus.records and prometheus.records[s.metric].group != row["group"]
    ]
    known = [prometheus.series.get(s.text) for s in selectors(expr)]
    scrapes = [one.scrape_ms for one in known if one is not None and one.scrape_ms is not None]
    born = {
        s.text
        for s in selectors(expr)
        if (now := prometheus.series.get(s.text)) is not None and now.count == 0
    }
    rule = Rule(
        expr=expr,
        evaluation_ms=max(1.0, row["interval"] * 1000),
        for_ms=row["duration"] * 1000,
        scrape_ms=max(scrapes, default=prometheus.scrape_ms or SCRAPE_MS),
        behind_ms=max(behind, default=0.0),
        born=frozenset(born),
        bounds=prometheus.bounds,
        per_s=per_s,
    )
    return rule, expr


def _of_rule(
    outlook: Outlook, alert: AlertExpectation, ahead: Ahead, live: Live, row: Mapping[str, Any]
) -> Outlook:
    findings: list[Finding] = []
    if row["health"] == "err":
        findings.append(_error("rule-error", f"its rule is in error: {row['lastError']}"))
    routed = Routed()
    if live.alertmanager is not None:
        labels = {**live.prometheus.external_labels, **_fixed(row["labels"]), **alert.labels}
        labels["alertname"] = alert.alert
        routed = routes_ahead(alert.receiver, labels, live.alertmanager, run_ms=ahead.run_ms)
        findings += routed.findings
    elif alert.receiver is not None:
        said = f"no Alertmanager is named: whether it reaches `{alert.receiver}` cannot be told"
        findings.append(Finding(code="route-unknown", level=Level.NOTE, text=said))
    seen = None
    try:
        rule, expr = rule_of(row, live.prometheus, per_s=ahead.per_s)
        findings += _absent(rule, live.prometheus)
        findings += history(expr, ahead.before_ms, live.prometheus)
        seen, more = _timing(outlook, alert, ahead, rule, routed.route)
        findings += more
    except (PromqlError, UnpredictableError) as error:
        said = f"when it fires cannot be foreseen: {error}"
        findings.append(Finding(code="unforeseen", level=Level.NOTE, text=said))
        findings += _by_settings(alert, row, routed.route)
    firing = None if seen is None else seen.firing
    told = _end(firing, routed.route) if routed.route is not None else None
    return replace(
        outlook,
        firing=firing,
        delivered=told,
        receivers=routed.receivers,
        findings=tuple(findings),
    )


def _timing(
    outlook: Outlook,
    alert: AlertExpectation,
    ahead: Ahead,
    rule: Rule,
    route: Route | None,
) -> tuple[Foreseen, list[Finding]]:
    """Whether it is in time, under the effect that the scenario names and under any at all."""
    until = route if alert.receiver else None
    longest = longest_range_ms(rule.expr) + rule.for_ms + 10 * (rule.scrape_ms + rule.evaluation_ms)
    horizon = max(alert.fires_within_ms, ahead.fault_ms, _AHEAD * longest)
    best = foresee(rule, WORST, within_ms=horizon)
    seen = best if outlook.assumed else foresee(rule, outlook.effect, within_ms=horizon)
    floor = _end(best.firing, until)
    if floor is None:
        said = "cannot fire: its condition never comes true, even when every request fails"
        return seen, [_error("never", said)]
    if floor.earliest_ms > alert.fires_within_ms:
        said = floor_words(floor.earliest_ms, best, rule, until)
        said += f"; expected within {format_ms(alert.fires_within_ms)}"
        certain = best.hold_ms + _wait_ms(until) > alert.fires_within_ms
        return seen, [_error("too-slow", said, certain=certain)]
    return seen, list(_of_effect(outlook, alert, ahead, seen, until))


def _by_settings(
    alert: AlertExpectation, row: Mapping[str, Any], route: Route | None
) -> Iterator[Finding]:
    """What can be said of any expression: `for` and the group wait are always waited for."""
    evaluation_ms = max(1.0, row["interval"] * 1000)
    hold_ms = math.ceil(row["duration"] * 1000 / evaluation_ms - 1e-9) * evaluation_ms
    wait_ms = _wait_ms(route if alert.receiver else None)
    if hold_ms + wait_ms > alert.fires_within_ms:
        said = (
            f"cannot be faster than {format_ms(round(hold_ms + wait_ms))}: "
            f"{format_ms(round(hold_ms))} `for`, {format_ms(round(wait_ms))} group wait; "
            f"expected within {format_ms(alert.fires_within_ms)}"
        )
        yield _error("too-slow", said, certain=True)


def _wait_ms(route: Route | None) -> float:
    return 0.0 if route is None or route.group_is_there else route.group_wait_ms


def _of_effect(
    outlook: Outlook, alert: AlertExpectation, ahead: Ahead, seen: Foreseen, until: Route | None
) -> Iterator[Finding]:
    end = _end(seen.firing, until)
    under = f"under `{outlook.effect.text}`"
    if end is None or seen.firing is None:
        yield _error("no-effect", f"does not fire {under}: its condition never comes true")
        return
    if end.earliest_ms > alert.fires_within_ms and not outlook.assumed:
        within = format_ms(alert.fires_within_ms)
        yield _error("too-slow", f"{span_words(end)} {under}; expected within {within}")
    elif end.latest_ms > alert.fires_within_ms:
        within = format_ms(alert.fires_within_ms)
        said = f"may be late: {span_words(end)} {under}; expected within {within}"
        yield Finding(code="may-be-late", level=Level.WARNING, text=said)
    if seen.firing.earliest_ms > ahead.fault_ms:
        said = (
            f"the fault is over before: it is in for {format_ms(ahead.fault_ms)}, and this fires "
            f"{span_words(seen.firing)} {under}"
        )
        yield Finding(code="fault-too-short", level=Level.WARNING, text=said)


def _end(firing: Interval | None, route: Route | None) -> Interval | None:
    """What `fires_within` counts to: the delivery, where a receiver is named."""
    return firing if firing is None or route is None else delivered(firing, route)


def _absent(rule: Rule, prometheus: LivePrometheus) -> Iterator[Finding]:
    for text in sorted(rule.born):
        said = (
            f"there is no series `{text}` now; one that begins with the fault is seen a scrape "
            "later, and one that never comes lets the rule never fire"
        )
        yield Finding(code="series-absent", level=Level.WARNING, text=said)
    known = [prometheus.series.get(s.text) for s in selectors(rule.expr)]
    if not any(one is not None and one.scrape_ms is not None for one in known):
        taken = format_ms(round(prometheus.scrape_ms or SCRAPE_MS))
        said = f"how often its targets are scraped is not known; {taken} are taken"
        yield Finding(code="scrape-unknown", level=Level.NOTE, text=said)


def _no_rule(alert: AlertExpectation, rows: Sequence[Mapping[str, Any]]) -> Finding:
    if not rows:
        return _error("no-rule", f"there is no alerting rule `{alert.alert}`: it cannot fire")
    has = "; ".join(", ".join(f"{k}={v}" for k, v in sorted(row["labels"].items())) for row in rows)
    asked = ", ".join(f"{k}={v}" for k, v in sorted(alert.labels.items()))
    return _error("wrong-labels", f"its rule has the labels {has or 'none'}, expected are {asked}")


def _may_be(row: Mapping[str, Any], alert: AlertExpectation) -> bool:
    """Whether the fixed labels of a rule say nothing against the expected ones."""
    fixed = _fixed(row["labels"])
    return all(fixed.get(name, value) == value for name, value in alert.labels.items())


def _fixed(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if "{{" not in value}


def _errors(outlook: Outlook) -> int:
    return sum(one.level is Level.ERROR for one in outlook.findings)


def _error(code: str, text: str, *, certain: bool = False) -> Finding:
    return Finding(code=code, level=Level.ERROR, text=text, certain=certain)
