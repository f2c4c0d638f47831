"""What the series of a rule count, and how a fault changes them.

Which series are bad requests and which are all of them is seen from where they stand: the upper
part of a ratio is a part of the lower one. Whether that part is the bad or the good one is seen
from the condition, which must not hold on a service without a fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gameday.kpi.promql import Binary, Call, Node, Number, Selector, walk
from gameday.model.effect import Effect

#: Series that are 1 while a target answers its scrape, or a probe.
LIVENESS = ("up", "probe_success")
_ERROR_NAME = re.compile(r"(error|fail|exception|dropped|reject|timeout)", re.IGNORECASE)
_ERROR_LABEL = re.compile(
    r"(?:^|_)(code|status|result|outcome|error|success|response)", re.IGNORECASE
)


class UnpredictableError(ValueError):
    """What the expression means for a fault is not known; the message says which part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How fast a counter grows before and after the fault, by all requests; `born` with it."""

    before: float
    after: float
    born: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What each selector of an expression is. `bounds` are the buckets' of each metric."""

    growth: Mapping[Selector, Growth]
    effect: Effect
    bounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    absolute: bool = False  # it depends on how many requests there are


def readings(
    expr: Node,
    effect: Effect,
    *,
    bounds: Mapping[str, tuple[float, ...]],
    per_s: float | None,
    born: frozenset[str] = frozenset(),
) -> Iterator[Counters]:
    """What the selectors of *expr* may count: parts are the bad requests, or the good ones.

    Raises `UnpredictableError`.
    """
    shares, wholes = _parts(expr)
    quantiles = _of_quantiles(expr)
    known = {*shares, *wholes, *quantiles}
    alone = [s for s in _ranged(expr) if s not in known]
    for selector in alone:
        _is_of_errors(selector)
    if alone and per_s is None:
        raise UnpredictableError(f"how fast `{alone[0].text}` grows depends on the traffic")
    rate = (per_s or 1.0) if alone else 1.0
    for good in (False, True):
        growth = {s: Growth(before=rate, after=rate) for s in (*wholes, *quantiles)}
        growth |= {s: _growth(s, effect, rate, good=good, born=s.text in born) for s in shares}
        growth |= {s: _growth(s, effect, rate, good=False, born=s.text in born) for s in alone}
        yield Counters(growth=growth, effect=effect, bounds=bounds, absolute=bool(alone))


def _growth(selector: Selector, effect: Effect, rate: float, *, good: bool, born: bool) -> Growth:
    """A part of all requests: those below a bound, the good ones, or the bad ones."""
    bound = selector.value_of("le")
    if bound is not None:
        fast = 1.0 - effect.slower_than(math.inf if bound == "+Inf" else float(bound))
        return Growth(before=rate, after=rate * fast, born=born)
    if good:
        return Growth(before=rate, after=rate * (1 - effect.bad_share), born=born)
    return Growth(before=0.0, after=rate * effect.bad_share, born=born)


def _ranged(expr: Node) -> Iterator[Selector]:
    return (n for n in walk(expr) if isinstance(n, Selector) and n.range_ms is not None)


def _parts(expr: Node) -> tuple[set[Selector], set[Selector]]:
    """The upper and the lower series of all ratios. Raises for ratios of unlike things."""
    shares: set[Selector] = set()
    wholes: set[Selector] = set()
    for node in walk(expr):
        if not isinstance(node, Binary) or node.op != "/":
            continue
        below = list(_ranged(node.right))
        if not below:
            continue
        wholes.update(below)
        for above in _ranged(node.left):
            if above in below:
                wholes.add(above)
            elif _is_part_of(above, below):
                shares.add(above)
            else:
                raise UnpredictableError(f"`{above.text}` is no part of `{below[0].text}`")
    return shares - wholes, wholes


def _is_part_of(above: Selector, below: list[Selector]) -> bool:
    if above.value_of("le") is not None or _ERROR_NAME.search(above.metric):
        return True
    return any(
        above.metric == one.metric and set(one.matchers) < set(above.matchers) for one in below
    )


def _of_quantiles(expr: Node) -> list[Selector]:
    return [
        selector
        for node in walk(expr)
        if isinstance(node, Call) and node.name == "histogram_quantile"
        for selector in _ranged(node)
    ]


def _is_of_errors(selector: Selector) -> None:
    labels = [name for name, _, _ in selector.matchers]
    if not (_ERROR_NAME.search(selector.metric) or any(map(_ERROR_LABEL.search, labels))):
        raise UnpredictableError(f"what `{selector.text}` counts cannot be told")


def quantile_level(node: Call) -> float:
    """The quantile that a `histogram_quantile` asks for."""
    level = node.args[0] if node.args else None
    if len(node.args) != 2 or not isinstance(level, Number) or not 0 < level.value < 1:
        raise UnpredictableError("a quantile that is no number between 0 and 1")
    return level.value
