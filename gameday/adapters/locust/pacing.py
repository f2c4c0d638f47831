"""When arrivals are due, whose turn it is, and how many users must stand by. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal

from gameday.model.scenario import LoadSpec

#: Users that stand by at least, and at most; the pool grows up to the latter when it runs dry.
MIN_POOL, MAX_POOL = 10, 10_000
#: Users made before the start; more are made when an arrival finds nobody idle.
EARLY_POOL = 1_000


class Schedule:
    """A constant arrival rate: the k-th arrival is due k/rate after the start.

    `even` spacing by default; `poisson` draws exponential gaps from *rng*. Changing the rate starts
    a new stretch at the moment of the change. Ramps come here: a stretch with two rates.
    """

    def __init__(
        self,
        *,
        per_s: float,
        start_ns: int,
        spread: Literal["even", "poisson"] = "even",
        rng: random.Random | None = None,
    ) -> None:
        if per_s <= 0:
            raise ValueError("an arrival rate must be above zero")
        self._rng = rng or random.Random(0)  # noqa: S311 - spacing, not secrets
        self._spread = spread
        self._per_s, self._start_ns, self._k = per_s, start_ns, 0
        self.due_ns = start_ns

    def advance(self) -> None:
        """Go on to the next arrival."""
        self._k += 1
        if self._spread == "poisson":
            self.due_ns += round(self._rng.expovariate(self._per_s) * 1e9)
        else:
            self.due_ns = self._start_ns + round(self._k * 1e9 / self._per_s)

    def change(self, per_s: float, now_ns: int) -> None:
        """A new rate from now on; the next arrival is one new gap away."""
        if per_s <= 0:
            raise ValueError("an arrival rate must be above zero")
        self._per_s, self._start_ns, self._k = per_s, now_ns, 0
        self.due_ns = now_ns
        self.advance()


class Turns:
    """Whose turn it is, by weight: as even as can be, so that shares are exact in every stretch."""

    def __init__(self, weights: Sequence[float]) -> None:
        if not weights or min(weights) <= 0:
            raise ValueError("weights must be above zero")
        self._weights = tuple(weights)
        self._total = sum(weights)
        self._credit = [0.0] * len(weights)

    def next(self) -> int:
        """The index of the next one."""
        for i, weight in enumerate(self._weights):
            self._credit[i] += weight
        best = max(range(len(self._credit)), key=self._credit.__getitem__)
        self._credit[best] -= self._total
        return best


def pool_size(spec: LoadSpec) -> int:
    """Users needed so that an arrival finds one idle even if nothing is answered in time."""
    if spec.arrivals_per_s is None:
        return spec.users or 1
    busy_ms = spec.timeout_ms + thinking_ms(spec)
    needed = math.ceil(spec.arrivals_per_s * busy_ms / 1000 * 1.1) + MIN_POOL
    return min(MAX_POOL, needed)


def thinking_ms(spec: LoadSpec) -> float:
    """How long the visitors of one arrival think between steps, at most, on average."""
    total = sum(j.weight for j in spec.journeys)
    if not total:
        return 0.0
    pauses = (j.weight * j.think_ms[1] * max(0, len(j.steps) - 1) for j in spec.journeys)
    return sum(pauses) / total
