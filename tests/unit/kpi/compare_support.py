"""Runs drawn at random, as exactly as runs of independent requests can be.

The sampled p95 and its interval are order statistics of a log-normal sample: their ranks' uniform
values are drawn from gaps of the gamma distribution, so no sample has to be made. What differs
between runs multiplies every latency of a run and the odds of failing.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist

from gameday.kpi.compare import EarlierRun, History, Seen
from gameday.kpi.stats import INTERVAL_Z
from gameday.model.histogram import bucket_of, midpoint_us

NORMAL = NormalDist()


@dataclass(frozen=True)
class World:
    """How runs of one service differ. `between` is of the logarithm, for p95 and for the odds."""

    between: float = 0.05
    between_odds: float = 0.3
    requests: int = 1_200
    share: float = 0.01
    median_ms: float = 40
    sigma: float = 0.5
    subjects: tuple[str, ...] = ("all", "browse", "checkout")
    common: float = 0.5  # part of the variance between runs that all numbers of a run share


def run(dice: random.Random, world: World, *, slower: float = 1, points: float = 0) -> list[Seen]:
    """One run; *slower* multiplies latencies, *points* is added to the share of failures."""
    shared, shared_odds = dice.gauss(0, 1), dice.gauss(0, 1)
    a, b = math.sqrt(world.common), math.sqrt(1 - world.common)
    found = []
    for phase in ("baseline", "fault", "recovery"):
        for subject in world.subjects:
            factor = math.exp(world.between * (a * shared + b * dice.gauss(0, 1)))
            odds = world.share / (1 - world.share)
            odds *= math.exp(world.between_odds * (a * shared_odds + b * dice.gauss(0, 1)))
            share = odds / (1 + odds) + points
            bad = binomial(dice, world.requests, share)
            low, p95, high = p95_of(dice, world, world.requests - bad, factor * slower)
            found.append(
                Seen(
                    phase=phase,
                    subject=subject,
                    complete=True,
                    n=world.requests,
                    bad=bad,
                    p95_ms=p95,
                    p95_low_ms=low,
                    p95_high_ms=high,
                )
            )
    return found


def history(dice: random.Random, world: World, runs: int) -> History:
    made = (EarlierRun(run_id=f"r{i}", seen=tuple(run(dice, world))) for i in range(runs))
    return History(runs=tuple(made))


def p95_of(dice: random.Random, world: World, n: int, factor: float) -> tuple[float, float, float]:
    half = INTERVAL_Z * math.sqrt(n * 0.95 * 0.05)
    low, middle = math.ceil(n * 0.95 - half), math.ceil(n * 0.95)
    high = math.ceil(n * 0.95 + half)
    steps = (low, middle - low, high - middle, n + 1 - high)
    gaps = [dice.gammavariate(step, 1) for step in steps]
    total, seen, values = sum(gaps), 0.0, []
    for gap in gaps[:3]:
        seen += gap
        z = NORMAL.inv_cdf(seen / total)
        us = world.median_ms * factor * math.exp(world.sigma * z) * 1000
        values.append(midpoint_us(bucket_of(round(us))) / 1000)
    return values[0], values[1], values[2]


def binomial(dice: random.Random, n: int, share: float) -> int:
    """By the gaps between failures: quick where they are rare."""
    if share <= 0:
        return 0
    found, at = 0, 0
    while True:
        at += 1 + int(math.log(1 - dice.random()) / math.log(1 - share))
        if at > n:
            return found
        found += 1
