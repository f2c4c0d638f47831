"""Quantiles and intervals that comparing runs needs; no data of a run is known here.

Sources: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4 (Student's t
with whole degrees of freedom); Wilson 1927 (interval of one share); Newcombe 1998, Statistics in
Medicine 17:873, method 10 (interval of the difference of two shares).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_HALVINGS = 80


def normal_quantile(tail: float) -> float:
    """The value that a standard normal exceeds with probability *tail* (0 < tail < 1)."""
    return -NormalDist().inv_cdf(tail)


@lru_cache(maxsize=256)
def t_quantile(tail: float, df: int) -> float:
    """The value that Student's t with *df* degrees of freedom exceeds with probability *tail*.

    For tails below one half. Raises `ValueError` for others and for df below 1.
    """
    if not 0 < tail < 0.5 or df < 1:
        raise ValueError(f"no quantile of Student's t for tail {tail}, df {df}")
    # halving the angle atan(t / sqrt(df)): it has an end, t has none
    low, high = 0.0, math.pi / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if (1 - _inside(middle, df)) / 2 > tail:
            low = middle
        else:
            high = middle
    return math.tan((low + high) / 2) * math.sqrt(df)


def _inside(angle: float, df: int) -> float:
    """The probability that |t| is below tan(angle) * sqrt(df)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    term = cosine if odd else 1.0
    total = 0.0
    for i in range(1 + odd, df, 2):  # each term is the one before, times i/(i+1) cos^2
        total += term
        term *= cosine * cosine * i / (i + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def share_interval(bad: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a share of which *bad* of *n* were seen."""
    share, square = bad / n, z * z
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def share_difference(
    now: tuple[int, int], before: tuple[int, int], z: float
) -> tuple[float, float]:
    """Newcombe's interval of the share of *now* less that of *before*, each (bad, n)."""
    share_now, share_before = now[0] / now[1], before[0] / before[1]
    low_now, high_now = share_interval(*now, z)
    low_before, high_before = share_interval(*before, z)
    change = share_now - share_before
    return (
        change - math.hypot(share_now - low_now, high_before - share_before),
        change + math.hypot(high_now - share_now, share_before - low_before),
    )
