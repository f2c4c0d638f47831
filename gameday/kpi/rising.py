"""Whether an objective is broken at a step of a rising load, said before the step is over.

What is said here cannot be taken back: so many requests are bad already that the step would be
broken even if all the others that it will have were good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gameday.kpi.breakpoint import WAITED
from gameday.kpi.stats import cells_between, matches
from gameday.model.criteria import Criterion, MetricKind
from gameday.model.histogram import count, midpoint_us
from gameday.model.window import Tick


def is_limit_from_above(criterion: Criterion) -> bool:
    """Whether more load can break it: errors and latency have to stay below, goodput above."""
    return criterion.op in ((">", ">=") if criterion.metric == "goodput" else ("<", "<="))


def broken_already(
    criterion: Criterion,
    ticks: Sequence[Tick],
    newest: Iterable[Tick],
    *,
    first_ms: int,
    last_ms: int,
    seen_ms: int,
    timeout_ms: int,
) -> tuple[int, float] | None:
    """How many are bad, and of how many at most, if that breaks *criterion*; else None.

    The step is [first_ms, last_ms) of run time, seen as far as *seen_ms*; *newest* is the last tick
    of each worker, for what is under way: it is bad from the limit on, or from the timeout on.
    """
    elapsed_ms = min(last_ms, seen_ms) - first_ms
    if elapsed_ms <= 0 or not is_limit_from_above(criterion):
        return None
    latency = criterion.kind is MetricKind.LATENCY
    from_us = 1000 * (criterion.limit if latency else timeout_ms)
    n = bad = 0
    for cell in cells_between(ticks, first_ms, last_ms):
        if cell.edge or not matches(cell.journey, cell.name, criterion.subject):
            continue
        if not latency:
            n, bad = n + count(cell.response), bad + (0 if cell.good else count(cell.response))
        elif cell.good or cell.outcome in WAITED:
            n += count(cell.response)
            bad += sum(k for b, k in cell.response.items() if midpoint_us(b) > from_us)
    for age_us, k in _open(newest, criterion, first_ms, last_ms):
        n, bad = n + k, bad + (k if age_us > from_us else 0)
    whole = n * (last_ms - first_ms) / elapsed_ms
    return (bad, whole) if bad and _breaks(criterion, bad, whole) else None


def _breaks(criterion: Criterion, bad: int, whole: float) -> bool:
    if criterion.quantile is not None:
        return bad > (1 - criterion.quantile) * whole + 1
    best = bad / whole
    return not criterion.holds(1 - best if criterion.metric == "goodput" else best)


def _open(
    newest: Iterable[Tick], criterion: Criterion, first_ms: int, last_ms: int
) -> Iterator[tuple[int, int]]:
    """Requests under way that were meant to start in the step: age (us) and how many."""
    for tick in newest:
        end_us = (tick.second + 1) * 1_000_000
        for cell in tick.open:
            if not matches(cell.journey, cell.name, criterion.subject):
                continue
            for bucket, k in cell.ages.items():
                age_us = midpoint_us(bucket)
                if first_ms * 1000 <= end_us - age_us < last_ms * 1000:
                    yield age_us, k
