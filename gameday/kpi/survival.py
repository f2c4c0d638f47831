"""Durations of which some were not seen to end: Kaplan and Meier's estimate, and its quantiles.

A miss is not left out of a median: it is a duration that was watched for so long and had not ended
by then (censored). Kaplan and Meier 1958; the interval is that of Brookmeyer and Crowley 1982 on
the log-log scale with Greenwood's variance, as survival packages have it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gameday.kpi.stats import INTERVAL_Z

#: Differences of shares below this are rounding.
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One duration; not `ended` if it had not come to its end when we last looked."""

    value: float
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The share that lasts longer than `at`, with its interval."""

    at: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """When the share of all that have ended reaches `q`; `value` is None if it never did.

    It is then longer than `beyond`, the longest that was watched. `low` and `high` are the 95 %
    interval; either is None where the data does not bound it.
    """

    q: float
    value: float | None
    beyond: float | None
    n: int
    ended: int
    low: float | None = None
    high: float | None = None


def curve(durations: Sequence[Watched]) -> tuple[Step, ...]:
    """One step for each time at which something ended."""
    return tuple(_steps(durations))


def quantile(durations: Sequence[Watched], q: float) -> Quantile:
    """The q-quantile (0.5: the median) of *durations*, misses counted as what they are."""
    steps = curve(durations)
    left = 1 - q
    return Quantile(
        q=q,
        value=next((s.at for s in steps if s.share <= left + _TINY), None),
        beyond=max((d.value for d in durations), default=None),
        n=len(durations),
        ended=sum(d.ended for d in durations),
        low=next((s.at for s in steps if s.low <= left + _TINY), None),
        high=next((s.at for s in steps if s.high <= left + _TINY), None),
    )


def _steps(durations: Sequence[Watched]) -> Iterator[Step]:
    """What ended and what was lost sight of at the same time: that which ended comes first."""
    ends = Counter(d.value for d in durations if d.ended)
    lost = Counter(d.value for d in durations if not d.ended)
    at_risk, share, variance = len(durations), 1.0, 0.0
    for at in sorted(ends.keys() | lost.keys()):
        ended = ends[at]
        if ended:
            share *= 1 - ended / at_risk
            if at_risk > ended:
                variance += ended / (at_risk * (at_risk - ended))
            low, high = _band(share, variance)
            yield Step(at=at, share=share, low=low, high=high)
        at_risk -= ended + lost[at]


def _band(share: float, variance: float) -> tuple[float, float]:
    """The interval of a share that lasts on; where nothing is left it is not known."""
    if share <= _TINY:
        return 0.0, 1.0
    spread = INTERVAL_Z * math.sqrt(variance) / abs(math.log(share))
    return share ** math.exp(spread), share ** math.exp(-spread)
