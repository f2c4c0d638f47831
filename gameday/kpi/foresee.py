"""When a rule will fire, from its expression and the settings: an interval, or why not.

The fault is a step: from one moment on a share of all requests is bad. The rule is evaluated on the
samples that Prometheus would have, with the same extrapolation, for every place that the moment of
the fault may have between two scrapes and two evaluations. Nothing is known of where in between it
will be, so the answer is the earliest and the latest of all of them, in ms since the fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gameday.kpi.promql import (
    Aggregate,
    Binary,
    Call,
    Node,
    Selector,
    Subquery,
    longest_range_ms,
)
from gameday.kpi.ruleworld import World, value_at
from gameday.kpi.shares import Counters, UnpredictableError, readings
from gameday.model.effect import Effect

#: The moment of the fault is tried at so many places of a scrape and of an evaluation.
_PLACES = 24
#: Never quite at the edges: there only the last bit of a number decides.
_EDGE = 1e-6
#: What handing a notification on takes at most on a busy machine, where a group waits anyway.
SENDING_MS = 1_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an interval depends on. `expr` has no recording rules in it any more.

    `behind_ms` is the interval of another group that records what this one reads. `born` are the
    texts of selectors that have no series yet, `bounds` of metrics of buckets, in seconds.
    """

    expr: Node
    evaluation_ms: float
    for_ms: float = 0.0
    scrape_ms: float
    behind_ms: float = 0.0
    born: frozenset[str] = frozenset()
    bounds: Mapping[str, tuple[float, ...]] | None = None
    per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How long Alertmanager holds a notification back, for one receiver."""

    group_wait_ms: float
    group_interval_ms: float
    group_is_there: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From the earliest to the latest, ms since the fault."""

    earliest_ms: float
    latest_ms: float

    def holds(self, measured_ms: float) -> bool:
        """Whether a measured time lies in it."""
        return self.earliest_ms <= measured_ms <= self.latest_ms

    @property
    def width_ms(self) -> float:
        """How wide it is."""
        return self.latest_ms - self.earliest_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What is to be expected. `firing` None: the condition does not come true for long enough.

    `window_ms` is how much of the earliest time the windows need, `hold_ms` how much `for` needs in
    whole evaluations. `certain`: it does not depend on how much traffic there is.
    """

    firing: Interval | None
    window_ms: float = 0.0
    hold_ms: float = 0.0
    certain: bool = True
    longest_range_ms: int = 0


def foresee(rule: Rule, effect: Effect, *, within_ms: float) -> Foreseen:
    """When the rule fires under an *effect* that lasts *within_ms*.

    Raises `UnpredictableError` for expressions whose meaning for a fault is not known.
    """
    counters = counters_of(rule, effect)
    hold_ms = math.ceil(rule.for_ms / rule.evaluation_ms - 1e-9) * rule.evaluation_ms
    found = [_first(rule, counters, place, within_ms - hold_ms) for place in _places(rule)]
    seen = [at for at in found if at is not None]
    absolute = counters.absolute
    longest = longest_range_ms(rule.expr)
    if not seen:
        return Foreseen(
            firing=None, hold_ms=hold_ms, certain=not absolute, longest_range_ms=longest
        )
    firing = _between(rule, min(seen), max(seen))
    return Foreseen(
        firing=Interval(
            earliest_ms=firing.earliest_ms + hold_ms,
            latest_ms=firing.latest_ms + rule.behind_ms + hold_ms,
        ),
        window_ms=firing.earliest_ms,
        hold_ms=hold_ms,
        certain=not absolute,
        longest_range_ms=longest,
    )


def _between(rule: Rule, least_ms: float, most_ms: float) -> Interval:
    """What was found, and half a place more, as far as a scrape and an evaluation allow."""
    every_ms = rule.scrape_ms + rule.evaluation_ms
    room_ms = max(0.0, every_ms - (most_ms - least_ms))
    more_ms = min(room_ms / 2, every_ms / _PLACES)
    earliest, latest = max(0.0, least_ms - more_ms), most_ms + more_ms
    return Interval(earliest_ms=round(earliest, 3), latest_ms=round(latest, 3))


def delivered(firing: Interval, route: Route) -> Interval:
    """When the notification arrives, for a rule that fires in *firing*.

    A group that is there already is not waited for: it is told at its next interval. For sending,
    as much as `SENDING_MS` is allowed, but no more than the wait itself.
    """
    if route.group_is_there:
        wait = (0.0, route.group_interval_ms)
    else:
        wait = (route.group_wait_ms, route.group_wait_ms)
    sending = min(SENDING_MS, route.group_wait_ms)
    return Interval(
        earliest_ms=firing.earliest_ms + wait[0],
        latest_ms=firing.latest_ms + wait[1] + sending,
    )


def _places(rule: Rule) -> Iterator[tuple[float, float]]:
    """When the first scrape and the first evaluation after the fault are."""
    parts = [_EDGE, *(i / (_PLACES - 1) for i in range(1, _PLACES - 1)), 1 - _EDGE]
    for scrape in parts:
        for evaluation in parts:
            yield scrape * rule.scrape_ms, evaluation * rule.evaluation_ms


def _first(
    rule: Rule, counters: Counters, place: tuple[float, float], within_ms: float
) -> float | None:
    """The first evaluation after the fault at which the condition holds, in time; None if none.

    Under a step the shapes that can be foreseen stay true once they are, so that it is found by
    halving.
    """
    scrape, evaluation = place
    world = World(scrape_ms=rule.scrape_ms, first_scrape_ms=scrape, counters=counters)
    low, high = -1, math.floor((within_ms - evaluation) / rule.evaluation_ms)
    if high < 0 or value_at(rule.expr, world, evaluation + high * rule.evaluation_ms) is None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if value_at(rule.expr, world, evaluation + middle * rule.evaluation_ms) is None:
            low = middle
        else:
            high = middle
    return evaluation + high * rule.evaluation_ms


def counters_of(rule: Rule, effect: Effect) -> Counters:
    """What the series count, so that the condition does not hold without a fault."""
    for counters in readings(
        rule.expr, effect, bounds=rule.bounds or {}, per_s=rule.per_s, born=rule.born
    ):
        first = rule.scrape_ms / 2
        world = World(scrape_ms=rule.scrape_ms, first_scrape_ms=first, counters=counters)
        if value_at(rule.expr, world, -rule.evaluation_ms / 3) is None:
            return counters
    raise UnpredictableError("its condition would hold on a service without any fault too")


def inlined(expr: Node, records: Mapping[str, Node], depth: int = 0) -> Node:
    """The expression with what its recorded series stand for; raises `UnpredictableError`."""
    if depth > 10:
        raise UnpredictableError("recording rules stand for one another")
    match expr:
        case Selector() if expr.metric in records:
            if expr.range_ms is not None or expr.shifted:
                raise UnpredictableError(f"`{expr.metric}` is recorded, and looked back over")
            return inlined(records[expr.metric], records, depth + 1)
        case Binary():
            return Binary(
                op=expr.op,
                left=inlined(expr.left, records, depth),
                right=inlined(expr.right, records, depth),
                as_bool=expr.as_bool,
            )
        case _:
            return _inlined_below(expr, records, depth)


def _inlined_below(expr: Node, records: Mapping[str, Node], depth: int) -> Node:
    match expr:
        case Call():
            args = tuple(inlined(arg, records, depth) for arg in expr.args)
            return Call(name=expr.name, args=args)
        case Aggregate():
            inner = inlined(expr.expr, records, depth)
            return Aggregate(op=expr.op, expr=inner, param=expr.param)
        case Subquery():
            return Subquery(expr=inlined(expr.expr, records, depth), range_ms=expr.range_ms)
        case _:
            return expr
