"""The value of an expression at one evaluation, on the samples that Prometheus would have then.

Times are ms since the fault; scrapes are at `first_scrape_ms` and every `scrape_ms` before and
after. One series stands for all that are alike. No value is None, as a comparison that does not
hold has none.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

from gameday.kpi.promql import Aggregate, Binary, Call, Node, Number, Selector, walk
from gameday.kpi.shares import LIVENESS, Counters, Growth, UnpredictableError, quantile_level

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "^": operator.pow,
}
_COMPARISON: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_RATES = ("rate", "increase", "irate")
#: Aggregations that change nothing where one series stands for all.
_PLAIN = ("sum", "min", "max", "avg")
#: Prometheus goes beyond the samples by so many of their distances.
_BEYOND = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Which samples there are, and what they count."""

    scrape_ms: float
    first_scrape_ms: float
    counters: Counters


def value_at(node: Node, world: World, at_ms: float) -> float | None:
    """The value, or None. Raises `UnpredictableError` for what is not known."""
    match node:
        case Number():
            return node.value
        case Selector():
            return _liveness(node, world, at_ms)
        case Call():
            return _call(node, world, at_ms)
        case Aggregate():
            return _aggregate(node, world, at_ms)
        case Binary():
            return _binary(node, world, at_ms)
        case _:
            raise UnpredictableError("a range of evaluations")


def _binary(node: Binary, world: World, at_ms: float) -> float | None:
    left, right = value_at(node.left, world, at_ms), value_at(node.right, world, at_ms)
    if node.op == "or":
        return left if left is not None else right
    if node.op == "unless":
        return left if right is None else None
    if left is None or right is None:
        return None
    return left if node.op == "and" else _of_numbers(node, left, right)


def _of_numbers(node: Binary, left: float, right: float) -> float | None:
    if node.op == "/":
        return None if right == 0 else left / right  # not a number holds no comparison
    if node.op in _ARITHMETIC:
        return _ARITHMETIC[node.op](left, right)
    if node.op not in _COMPARISON:
        raise UnpredictableError(f"the operator `{node.op}`")
    holds = _COMPARISON[node.op](left, right)
    if node.as_bool:
        return 1.0 if holds else 0.0
    if not holds:
        return None
    return right if isinstance(node.left, Number) else left


def _aggregate(node: Aggregate, world: World, at_ms: float) -> float | None:
    if node.op not in _PLAIN:
        raise UnpredictableError(f"the aggregation `{node.op}`")
    if node.op != "sum" and world.counters.absolute:
        raise UnpredictableError(f"`{node.op}` depends on how many instances share the traffic")
    return value_at(node.expr, world, at_ms)


def _call(node: Call, world: World, at_ms: float) -> float | None:
    if node.name == "histogram_quantile":
        return _quantile(node, world, at_ms)
    if node.name in _RATES and len(node.args) == 1 and isinstance(node.args[0], Selector):
        selector = node.args[0]
        growth = world.counters.growth.get(selector)
        if growth is None or selector.shifted or selector.range_ms is None:
            raise UnpredictableError(f"what `{selector.text}` counts cannot be told")
        return _rate(node.name, growth, world, at_ms, float(selector.range_ms))
    if node.name in ("vector", "scalar", "abs") and len(node.args) == 1:
        value = value_at(node.args[0], world, at_ms)
        return abs(value) if value is not None and node.name == "abs" else value
    raise UnpredictableError(f"the function `{node.name}`")


def _liveness(node: Selector, world: World, at_ms: float) -> float | None:
    if node.metric not in LIVENESS or node.range_ms is not None or node.shifted:
        raise UnpredictableError(f"what the fault does to `{node.text}` cannot be told")
    is_gone = world.counters.effect.is_gone and at_ms >= world.first_scrape_ms
    return 0.0 if is_gone else 1.0


def _rate(name: str, growth: Growth, world: World, at_ms: float, range_ms: float) -> float | None:
    """Prometheus' `rate`, `increase` and `irate`, by the samples in the range."""
    every = world.scrape_ms
    first = math.ceil((at_ms - range_ms - world.first_scrape_ms) / every)
    last = math.floor((at_ms - world.first_scrape_ms) / every)
    if growth.born:
        first = max(first, 0)
    if name == "irate":
        first = max(first, last - 1)
    if last - first < 1:
        return None
    from_ms = world.first_scrape_ms + first * every
    to_ms = world.first_scrape_ms + last * every
    grown = growth.before * (min(to_ms, 0) - min(from_ms, 0))
    grown += growth.after * (max(to_ms, 0) - max(from_ms, 0))
    sampled_ms = to_ms - from_ms
    if name == "irate":
        return grown / sampled_ms
    starts, ends = from_ms - (at_ms - range_ms), at_ms - to_ms
    reached = sampled_ms
    if growth.born and grown > 0:  # it is not taken further back than to nothing
        starts = min(starts, sampled_ms * (growth.after * from_ms) / grown)
    for gap in (starts, ends):
        reached += gap if gap < _BEYOND * every else every / 2
    increase = grown * reached / sampled_ms
    return increase / range_ms if name == "rate" else increase / 1000


def _quantile(node: Call, world: World, at_ms: float) -> float | None:
    """`histogram_quantile`, where all requests but the slow ones are in the lowest bucket."""
    level = quantile_level(node)
    selectors = [n for n in _below(node.args[1]) if n.range_ms is not None]
    if len(selectors) != 1:
        raise UnpredictableError("a quantile of several series")
    metric, range_ms = selectors[0].metric, float(selectors[0].range_ms or 0)
    bounds = world.counters.bounds.get(metric, ())
    if not bounds:
        raise UnpredictableError(f"the buckets of `{metric}` are not known")
    effect = world.counters.effect
    where = [b for b in bounds if effect.slower_than(b) > 0]
    slow = Growth(before=0.0, after=effect.slower_than(bounds[0]))
    every = _rate("rate", Growth(before=1.0, after=1.0), world, at_ms, range_ms)
    slower = _rate("rate", slow, world, at_ms, range_ms)
    if not every or slower is None:
        return None
    share = slower / every
    if share <= 1 - level or not where:
        return bounds[0] * level
    if where[-1] == bounds[-1]:  # beyond the highest bound: that is what it says
        return bounds[-1]
    low, high = where[-1], bounds[bounds.index(where[-1]) + 1]
    return low + (high - low) * (1 - (1 - level) / share)


def _below(node: Node) -> list[Selector]:
    return [n for n in walk(node) if isinstance(n, Selector)]
