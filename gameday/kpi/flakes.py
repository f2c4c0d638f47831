"""How often the verdict of one and the same plan changed back and forth without a reason.

A run *flaked* when its verdict is unlike that of the run before it and of the run after it, and
those two agree. So a regression that stays, and its repair, are no flakes; the first and the last
run of a plan cannot be told yet. That the service was changed for one run and changed back cannot
be seen from here, so the rate is what flakes at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gameday.kpi.alert_numbers import wilson
from gameday.model.units import format_ratio
from gameday.model.verdict import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakeRate:
    """`k` of `n` runs flaked, of `runs` valid ones; the interval (95 %) is null without `n`."""

    k: int
    n: int
    runs: int
    low: float | None = None
    high: float | None = None


def flake_rate(outcomes: Mapping[str, Sequence[Outcome]]) -> FlakeRate:
    """Over all plans; *outcomes* has those of the valid runs of each plan, oldest first."""
    k = n = 0
    for verdicts in outcomes.values():
        for before, now, after in zip(verdicts, verdicts[1:], verdicts[2:], strict=False):
            n += 1
            k += now is not before and before is after
    runs = sum(map(len, outcomes.values()))
    if n == 0:
        return FlakeRate(k=0, n=0, runs=runs)
    low, high = wilson(k, n)
    return FlakeRate(k=k, n=n, runs=runs, low=low, high=high)


def flake_text(rate: FlakeRate) -> str:
    """In words: `flake rate 1 of 40 runs (95 %: 0.44 % to 12.88 %)`."""
    if rate.low is None or rate.high is None:
        seen = f"{rate.runs} valid run{'' if rate.runs == 1 else 's'} of these plans"
        return f"flake rate not measured: {seen}, and it takes 3 of one plan"
    interval = f"95 %: {format_ratio(rate.low)} to {format_ratio(rate.high)}"
    return f"flake rate {rate.k} of {rate.n} runs ({interval})"
