"""When arrivals are due, whose turn it is, and how many users must stand by. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gameday.model.scenario import LoadSpec
from gameday.model.shape import Shape, Stretch, constant, peak_per_s

#: Users that stand by at least, and at most; the pool grows up to the latter when it runs dry.
MIN_POOL, MAX_POOL = 10, 10_000
#: Users made before the start; more are made when an arrival finds nobody idle.
EARLY_POOL = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A stretch with its beginning, and the number of arrivals due before it."""

    stretch: Stretch
    begin_ns: int
    before: float


class Schedule:
    """When arrivals are due under a shape: the k-th when the integral of the rate reaches k.

    So whatever the shape, no arrival is lost or doubled where the rate changes. `even` spacing by
    default; `poisson` draws the distances from *rng*.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        start_ns: int,
        spread: Literal["even", "poisson"] = "even",
        rng: random.Random | None = None,
    ) -> None:
        if not shape:
            raise ValueError("a schedule needs a rate")
        self._rng = rng or random.Random(0)  # noqa: S311 - spacing, not secrets
        self._spread = spread
        self._pieces = _pieces(shape, start_ns)
        self._now, self._k = 0, 0.0
        self.due_ns = start_ns

    def advance(self, steps: int = 1) -> None:
        """Go on by *steps* arrivals."""
        if self._spread == "poisson":
            for _ in range(steps):
                self._k += self._rng.expovariate(1.0)
        else:
            self._k += steps
        self._find()

    def change(self, per_s: float, now_ns: int) -> None:
        """Another rate from now on, instead of the rest of the shape.

        The part of a gap that has gone by counts, at the old rate.
        """
        gone = [piece for piece in self._pieces if piece.begin_ns < now_ns] or [self._pieces[0]]
        last = gone[-1]
        in_s = max(0, now_ns - last.begin_ns) / 1e9
        new = _Piece(
            stretch=constant(per_s)[0],
            begin_ns=max(now_ns, last.begin_ns),
            before=last.before + last.stretch.arrivals(in_s),
        )
        # of what has gone by, that is kept in which an arrival may be overdue
        self._pieces = (*gone[min(self._now, len(gone) - 1) :], new)
        self._now = 0
        self._find()

    def _find(self) -> None:
        """When the present arrival is due."""
        while self._now + 1 < len(self._pieces) and self._pieces[self._now + 1].before <= self._k:
            self._now += 1
        piece = self._pieces[self._now]
        self.due_ns = piece.begin_ns + round(piece.stretch.after_s(self._k - piece.before) * 1e9)


def schedule_of(spec: LoadSpec, *, start_ns: int, seed: int) -> Schedule:
    """The arrivals that *spec* asks for; one *seed* gives the same again."""
    rng = random.Random(seed)  # noqa: S311 - spacing, not secrets
    spread: Literal["even", "poisson"] = "poisson" if spec.spread == "poisson" else "even"
    return Schedule(spec.rates, start_ns=start_ns, spread=spread, rng=rng)


def _pieces(shape: Shape, start_ns: int) -> tuple[_Piece, ...]:
    found, begin_ns, before = [], start_ns, 0.0
    for stretch in shape:
        found.append(_Piece(stretch=stretch, begin_ns=begin_ns, before=before))
        if stretch.length_ms is None:
            return tuple(found)
        begin_ns += stretch.length_ms * 1_000_000
        before += stretch.arrivals(stretch.length_ms / 1000)
    last = constant(shape[-1].to_per_s)[0]
    found.append(_Piece(stretch=last, begin_ns=begin_ns, before=before))
    return tuple(found)


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


def pool_size(spec: LoadSpec, of: int = 1) -> int:
    """Users needed so that an arrival finds one idle even if nothing is answered in time.

    Where the arrivals are shared, those of one of *of* workers.
    """
    if not spec.rates:
        return spec.users or 1
    busy_ms = spec.timeout_ms + thinking_ms(spec)
    needed = math.ceil(peak_per_s(spec.rates) / of * busy_ms / 1000 * 1.1) + MIN_POOL
    return min(MAX_POOL, needed)


def thinking_ms(spec: LoadSpec) -> float:
    """How long the visitors of one arrival think between steps, at most, on average."""
    total = sum(j.weight for j in spec.journeys)
    if not total:
        return 0.0
    pauses = (j.weight * j.think_ms[1] * max(0, len(j.steps) - 1) for j in spec.journeys)
    return sum(pauses) / total
