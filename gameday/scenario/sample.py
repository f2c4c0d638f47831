"""How many requests a run will see: the sample size behind every number it can show.

A percentile is withheld when fewer than ten requests lie beyond it; a share cannot be finer than
one request.
"""

from __future__ import annotations

import math

from gameday.model.criteria import Criterion
from gameday.model.scenario import LoadSpec

#: So many requests have to lie beyond a percentile for it to be worth naming.
BEYOND = 10
_EPSILON = 1e-6


def iterations(load: LoadSpec, length_ms: int) -> float | None:
    """Journeys begun in *length_ms*, at most. None when nothing limits them (closed, no pause)."""
    if load.arrivals_per_s is not None:
        return load.arrivals_per_s * length_ms / 1000
    if load.users is not None and load.think_ms > 0:
        return load.users * (length_ms / load.think_ms + 1)
    return None


def requests(load: LoadSpec, subject: str | None, length_ms: int) -> float | None:
    """Requests of *subject* (a journey, a request name; None is all), at most. None if unknown."""
    begun = iterations(load, length_ms)
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
