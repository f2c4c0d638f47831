"""How many requests a run will see: the sample size behind every number it can show.

A percentile is withheld when fewer than ten requests lie beyond it; a share cannot be finer than
one request.
"""

from __future__ import annotations

import math

from gameday.model.criteria import Criterion
from gameday.model.scenario import LoadSpec
from gameday.model.shape import arrivals_between, least_per_s

#: So many requests have to lie beyond a percentile for it to be worth naming.
BEYOND = 10
_EPSILON = 1e-6


def iterations(load: LoadSpec, length_ms: int, *, from_ms: int = 0) -> float | None:
    """Journeys begun in *length_ms*, at most. None when nothing limits them (closed, no pause).

    *from_ms* since the start of the load; it matters where the rate changes.
    """
    if load.arrivals_per_s is not None:
        return load.arrivals_per_s * length_ms / 1000
    if load.shape:
        return arrivals_between(load.shape, from_ms, from_ms + length_ms)
    if load.users is not None and load.think_ms > 0:
        return load.users * (length_ms / load.think_ms + 1)
    return None


def requests(
    load: LoadSpec, subject: str | None, length_ms: int, *, from_ms: int = 0
) -> float | None:
    """Requests of *subject* (a journey, a request name; None is all), at most. None if unknown."""
    return _of_subject(load, subject, iterations(load, length_ms, from_ms=from_ms))


def fewest_requests(
    load: LoadSpec, subject: str | None, length_ms: int, *, from_ms: int, to_ms: int
) -> float | None:
    """Requests of *subject* in a window that lies where the rate is lowest. None if unknown.

    The window of *length_ms* slides over a part of the time since the start of the load.
    """
    if not load.shape:
        return requests(load, subject, length_ms)
    begun = least_per_s(load.shape, from_ms, to_ms) * length_ms / 1000
    return _of_subject(load, subject, begun)


def least_share(load: LoadSpec, span_ms: int, length_ms: int, *, from_ms: int) -> float:
    """The share of a phase's journeys that begin in *span_ms* of it, where the rate is lowest."""
    if not load.shape:
        return min(1.0, span_ms / max(1, length_ms))
    fewest = least_per_s(load.shape, from_ms, from_ms + length_ms) * span_ms / 1000
    all_ = arrivals_between(load.shape, from_ms, from_ms + length_ms)
    return min(1.0, fewest / max(1.0, all_))


def _of_subject(load: LoadSpec, subject: str | None, begun: float | None) -> float | None:
    if begun is None or not load.journeys:
        return None
    total = sum(journey.weight for journey in load.journeys)
    each = 0.0
    for journey in load.journeys:
        wanted = [s for s in journey.steps if subject in (None, journey.name, s.name)]
        each += journey.weight / total * len(wanted)
    return begun * each


def needed(condition: Criterion) -> int:
    """Requests that it takes to measure a condition."""
    if (quantile := condition.quantile) is not None:
        return math.ceil(BEYOND / (1 - quantile) - _EPSILON)
    finest = condition.limit if condition.metric == "errors" else 1 - condition.limit
    if not finest > _EPSILON:
        return 1  # "no error at all": one request can break it
    return math.ceil(1 / finest - _EPSILON)


def subjects(load: LoadSpec) -> frozenset[str] | None:
    """The names that a condition may speak of; None when they are not known (a locustfile)."""
    if not load.journeys:
        return None
    names = {journey.name for journey in load.journeys}
    return frozenset(names | {step.name for journey in load.journeys for step in journey.steps})
